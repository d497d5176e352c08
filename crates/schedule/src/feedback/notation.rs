//! The three notations of a feedback schedule.
use alloc::vec::Vec;
use core::fmt;
use core::slice;
use core::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Feedback, Rule};
use crate::error::ParseError;
use crate::notation::args::Args;
use crate::notation::data::{self, FromNodes, Phases};
use crate::notation::node::{Fault, Node, Sequence};
use crate::notation::text;
use crate::schedule::Phase;

impl Feedback {
    fn to_nodes(&self) -> Vec<Node> {
        let mut rule = self.rule.to_node();
        if !self.ceiling.is_empty() {
            rule.parts = Some(self.ceiling.iter().map(Phase::to_node).collect());
        }
        self.lead.iter().map(Phase::to_node).chain([rule]).collect()
    }

    /// The rule and its ceiling, from the last phase.
    fn last(node: &Node) -> Result<(Rule, Vec<Phase>), Fault> {
        let mut args = Args::new(node);
        let rule = Rule::read(&mut args)?;
        let ceiling = args.optional_parts().unwrap_or_default();
        let ceiling = ceiling.iter().map(Phase::from_node).collect::<Result<_, _>>()?;
        args.finish()?;
        rule.check().map_err(|problem| Fault::new(alloc::format!("{problem}"), node.at.clone()))?;
        Ok((rule, ceiling))
    }

    /// Whether these phases end in a rule.
    pub(crate) fn is_meant(nodes: &[Node]) -> bool {
        nodes.last().is_some_and(|last| Rule::WORDS.contains(&last.word.as_str()))
    }
}

impl FromNodes for Feedback {
    fn from_nodes<E: Error>(phases: &[Node], with: &[Node]) -> Result<Self, E> {
        if !with.is_empty() {
            return Err(E::custom("nothing goes `with` a schedule that reacts to a metric"));
        }
        let Some((last, lead)) = phases.split_last() else { return Err(E::missing_field("phases")) };
        let lead = data::convert(lead, "phase", Phase::from_node)?;
        let mut rule = data::convert(slice::from_ref(last), "the last phase", Self::last)?;
        let (rule, ceiling) = rule.pop().ok_or_else(|| E::missing_field("phases"))?;
        Ok(Self { lead, rule, ceiling })
    }
}

impl FromStr for Feedback {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let read = || {
            let nodes = text::sequence(text)?;
            let Some((last, lead)) = nodes.split_last() else {
                return Err(Fault::new("there are no phases", 0..0).expected("`plateau` or `greedy`"));
            };
            let lead = lead.iter().map(Phase::from_node).collect::<Result<_, _>>()?;
            let (rule, ceiling) = Self::last(last)?;
            Ok(Self { lead, rule, ceiling })
        };
        read().map_err(|fault: Fault| *fault.into_parse_error(text))
    }
}

impl fmt::Display for Feedback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Sequence(&self.to_nodes()))
    }
}

impl Serialize for Feedback {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => Phases(self.to_nodes()).serialize(serializer),
            false => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Feedback {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        data::text_or_phases(deserializer)
    }
}
