//! Nodes as data: the JSON and TOML notations, through serde.
//!
//! A schedule is `{"phases": [...], "with": [...]}`, or its text as one string. A phase is
//! `{"shape": "warmup", "span": "5%", ...}` with the settings of the text under the same names, and its phases in
//! parentheses under `of`; or its text as one string. Values with a unit are strings as in the text.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::str::FromStr;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::node::{Fault, Node, Placed, Setting, Value};
use super::text;
use crate::error::ParseError;
use crate::schedule::{Phase, Schedule, With};

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_str(&self.to_string());
        }
        let mut map = serializer.serialize_map(None)?;
        let phases: Vec<Data> = self.phases.iter().map(|phase| Data(phase.to_node())).collect();
        map.serialize_entry("phases", &phases)?;
        if !self.with.is_empty() {
            let with: Vec<Companion> = self.with.iter().map(|with| Companion(with.to_node())).collect();
            map.serialize_entry("with", &with)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or_phases(deserializer)
    }
}

/// What is written as one text, or as a map with `phases` and perhaps `with`.
pub(crate) trait FromNodes: FromStr<Err = ParseError> {
    fn from_nodes<E: de::Error>(phases: &[Node], with: &[Node]) -> Result<Self, E>;
}

impl FromNodes for Schedule {
    fn from_nodes<E: de::Error>(phases: &[Node], with: &[Node]) -> Result<Self, E> {
        Ok(Self {
            phases: convert(phases, "phase", Phase::from_node)?,
            with: convert(with, "`with` entry", With::from_node)?,
        })
    }
}

/// Reads either notation.
pub(crate) fn text_or_phases<'de, T: FromNodes, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    match deserializer.is_human_readable() {
        true => deserializer.deserialize_any(NodesVisitor(PhantomData)),
        false => deserializer.deserialize_str(NodesVisitor(PhantomData)),
    }
}

struct NodesVisitor<T>(PhantomData<T>);

impl<'de, T: FromNodes> Visitor<'de> for NodesVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a schedule: a text such as \"warmup 5%, cosine\", or a map with `phases`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut phases: Option<Vec<Data>> = None;
        let mut with: Option<Vec<Companion>> = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "phases" if phases.is_none() => phases = Some(map.next_value()?),
                "with" if with.is_none() => with = Some(map.next_value()?),
                "phases" | "with" => return Err(de::Error::custom(format!("`{key}` is given twice"))),
                other => return Err(de::Error::unknown_field(other, &["phases", "with"])),
            }
        }
        let phases = phases.ok_or_else(|| de::Error::missing_field("phases"))?;
        if phases.is_empty() {
            return Err(de::Error::custom("`phases` is empty: a schedule needs at least one phase"));
        }
        let phases: Vec<Node> = phases.into_iter().map(|data| data.0).collect();
        let with: Vec<Node> = with.into_iter().flatten().map(|with| with.0).collect();
        T::from_nodes(&phases, &with)
    }
}

/// `{"phases": [...]}`.
pub(crate) struct Phases(pub Vec<Node>);

impl Serialize for Phases {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("phases", &self.0.iter().cloned().map(Data).collect::<Vec<_>>())?;
        map.end()
    }
}

pub(crate) fn convert<T, E: de::Error>(
    nodes: &[Node],
    what: &str,
    read: impl Fn(&Node) -> Result<T, Fault>,
) -> Result<Vec<T>, E> {
    let numbered = |(i, node): (usize, &Node)| {
        let depth = node.depth();
        if depth > text::MAX_DEPTH {
            return Err(E::custom(format!("{what} {}: {depth} phases in one another are too many", i + 1)));
        }
        read(node).map_err(|fault| {
            E::custom(format!("{what} {} (`{}`): {}", i + 1, node.word, fault.in_one_line()))
        })
    };
    nodes.iter().enumerate().map(numbered).collect()
}

/// A node in serde's data model.
struct Data(Node);

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("shape", &self.0.word)?;
        rest_of_node(map, self.0.lead.iter().chain(&self.0.settings), self.0.parts.as_ref())
    }
}

/// The settings, and the parts under `of`.
fn rest_of_node<'n, M: SerializeMap>(
    mut map: M,
    settings: impl Iterator<Item = &'n Setting>,
    parts: Option<&Vec<Node>>,
) -> Result<M::Ok, M::Error> {
    for setting in settings {
        match setting.values.as_slice() {
            [one] => map.serialize_entry(&setting.name, &Scalar(&one.value))?,
            many => map.serialize_entry(&setting.name, &List(many))?,
        }
    }
    if let Some(parts) = parts {
        map.serialize_entry("of", &parts.iter().cloned().map(Data).collect::<Vec<_>>())?;
    }
    map.end()
}

/// An entry of `with`: `{"channel": "momentum", ...}`, `{"group": "head", ...}` or `{"layers": 12, ...}`.
struct Companion(Node);

/// The kinds of entries, and the name that the value of the kind has among the settings of its node.
const COMPANIONS: [(&str, &str); 2] = [("group", "name"), ("layers", "count")];

impl Serialize for Companion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(node) = self;
        let mut map = serializer.serialize_map(None)?;
        match node.lead.first().and_then(|lead| lead.values.first()) {
            Some(value) => map.serialize_entry(&node.word, &Scalar(&value.value))?,
            None => map.serialize_entry("channel", &node.word)?,
        }
        rest_of_node(map, node.settings.iter(), node.parts.as_ref())
    }
}

impl<'de> Deserialize<'de> for Companion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "an entry of `with`: a map with `channel`, `group` or `layers`";
        let mut node = deserializer.deserialize_map(NodeVisitor { tag: "channel", expected })?;
        if let Some((kind, value)) = COMPANIONS.into_iter().find(|(kind, _)| node.has(kind)) {
            if !node.word.is_empty() {
                return Err(de::Error::custom(format!("`channel` and `{kind}` exclude each other")));
            }
            node.word = kind.into();
            for setting in node.settings.iter_mut().filter(|setting| setting.name == kind) {
                setting.name = value.into();
            }
        }
        match node.word.is_empty() {
            true => Err(de::Error::custom("an entry of `with` needs `channel`, `group` or `layers`")),
            false => Ok(Self(node)),
        }
    }
}

struct Scalar<'a>(&'a Value);

impl Serialize for Scalar<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match self.0 {
            Value::Number(x) if libm::trunc(*x) == *x && (0.0..=EXACT).contains(x) => {
                serializer.serialize_u64(*x as u64)
            }
            Value::Number(x) => serializer.serialize_f64(*x),
            other => serializer.serialize_str(&other.to_string()),
        }
    }
}

struct List<'a>(&'a [Placed]);

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for placed in self.0 {
            list.serialize_element(&Scalar(&placed.value))?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a phase: a text such as \"cosine to 0.1\", or a map with `shape`";
        let node = deserializer.deserialize_any(NodeVisitor { tag: "shape", expected })?;
        match node.word.is_empty() {
            true => Err(de::Error::missing_field("shape")),
            false => Ok(Self(node)),
        }
    }
}

/// Reads a map whose word stands under the key `tag`.
struct NodeVisitor {
    tag: &'static str,
    expected: &'static str,
}

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Node, E> {
        text::phase(text).map_err(|fault| E::custom(format!("in \"{text}\": {}", fault.in_one_line())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut node = Node::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                tag if tag == self.tag => node.word = map.next_value()?,
                "of" => node.parts = Some(map.next_value::<Vec<Data>>()?.into_iter().map(|d| d.0).collect()),
                _ => {
                    let Values(values) = map.next_value()?;
                    let values = values.into_iter().map(|value| Placed { value, at: 0..0 }).collect();
                    node.settings.push(Setting { name: key, values, at: 0..0 });
                }
            }
        }
        Ok(node)
    }
}

/// One value or a list of them.
struct Values(Vec<Value>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValuesVisitor)
    }
}

struct ValuesVisitor;

impl<'de> Visitor<'de> for ValuesVisitor {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text such as \"5%\" or \"lr 1e-6\", or a list of them")
    }

    fn visit_u64<E>(self, x: u64) -> Result<Values, E> {
        Ok(Values([Value::Number(x as f64)].into()))
    }

    fn visit_i64<E>(self, x: i64) -> Result<Values, E> {
        Ok(Values([Value::Number(x as f64)].into()))
    }

    fn visit_f64<E: de::Error>(self, x: f64) -> Result<Values, E> {
        match x.is_finite() {
            true => Ok(Values([Value::Number(x)].into())),
            false => Err(E::custom(format!("{x} is not a finite number"))),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Values, E> {
        let value = text::value(text).map_err(|fault| E::custom(fault.in_one_line()))?;
        Ok(Values([value].into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Values, A::Error> {
        let mut values = Vec::new();
        while let Some(Values(more)) = seq.next_element()? {
            values.extend(more);
        }
        Ok(Values(values))
    }
}
