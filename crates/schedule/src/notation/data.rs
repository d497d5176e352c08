//! Nodes as data: the JSON and TOML notations, through serde.
//!
//! A schedule is `{"phases": [...], "with": [...]}`, or its text as one string. A phase is
//! `{"shape": "warmup", "span": "5%", ...}` with the settings of the text under the same names, and its phases in
//! parentheses under `of`; or its text as one string. Values with a unit are strings as in the text.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::node::{Fault, Node, Placed, Setting, Value};
use super::text;
use crate::schedule::{Phase, Schedule, With};

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_str(&self.to_string());
        }
        let nodes = |nodes: Vec<Node>| nodes.into_iter().map(Data).collect::<Vec<_>>();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("phases", &nodes(self.phases.iter().map(Phase::to_node).collect()))?;
        if !self.with.is_empty() {
            map.serialize_entry("with", &nodes(self.with.iter().map(With::to_node).collect()))?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(ScheduleVisitor)
        } else {
            deserializer.deserialize_str(ScheduleVisitor)
        }
    }
}

struct ScheduleVisitor;

impl<'de> Visitor<'de> for ScheduleVisitor {
    type Value = Schedule;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a schedule: a text such as \"warmup 5%, cosine\", or a map with `phases`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Schedule, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Schedule, A::Error> {
        let mut phases: Option<Vec<Data>> = None;
        let mut with: Option<Vec<Data>> = None;
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
        Ok(Schedule {
            phases: convert(&phases, "phase", Phase::from_node)?,
            with: convert(&with.unwrap_or_default(), "`with` entry", With::from_node)?,
        })
    }
}

fn convert<T, E: de::Error>(
    nodes: &[Data],
    what: &str,
    read: impl Fn(&Node) -> Result<T, Fault>,
) -> Result<Vec<T>, E> {
    let numbered = |(i, node): (usize, &Data)| {
        read(&node.0).map_err(|fault| {
            E::custom(format!("{what} {} (`{}`): {}", i + 1, node.0.word, fault.in_one_line()))
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
        for setting in self.0.lead.iter().chain(&self.0.settings) {
            match setting.values.as_slice() {
                [one] => map.serialize_entry(&setting.name, &Scalar(&one.value))?,
                many => map.serialize_entry(&setting.name, &List(many))?,
            }
        }
        if let Some(parts) = &self.0.parts {
            map.serialize_entry("of", &parts.iter().cloned().map(Data).collect::<Vec<_>>())?;
        }
        map.end()
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
        deserializer.deserialize_any(NodeVisitor).map(Data)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a phase: a text such as \"cosine to 0.1\", or a map with `shape`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Node, E> {
        text::phase(text).map_err(|fault| E::custom(format!("in \"{text}\": {}", fault.in_one_line())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut node = Node::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "shape" => node.word = map.next_value()?,
                "of" => node.parts = Some(map.next_value::<Vec<Data>>()?.into_iter().map(|d| d.0).collect()),
                _ => {
                    let Values(values) = map.next_value()?;
                    let values = values.into_iter().map(|value| Placed { value, at: 0..0 }).collect();
                    node.settings.push(Setting { name: key, values, at: 0..0 });
                }
            }
        }
        match node.word.is_empty() {
            true => Err(de::Error::missing_field("shape")),
            false => Ok(node),
        }
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
