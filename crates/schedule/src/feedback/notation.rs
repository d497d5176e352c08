//! The three notations of a feedback schedule.
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Feedback, Rule};
use crate::error::ParseError;
use crate::notation::args::Args;
use crate::notation::data::{self, Phases};
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

    fn from_nodes(nodes: &[Node]) -> Result<Self, Fault> {
        let Some((last, lead)) = nodes.split_last() else {
            return Err(Fault::new("there are no phases", 0..0).expected("`plateau` or `greedy`"));
        };
        let lead = lead.iter().map(Phase::from_node).collect::<Result<_, _>>()?;
        let mut args = Args::new(last);
        let rule = Rule::read(&mut args)?;
        let ceiling = args.optional_parts().unwrap_or_default();
        let ceiling = ceiling.iter().map(Phase::from_node).collect::<Result<_, _>>()?;
        args.finish()?;
        rule.check().map_err(|problem| Fault::new(alloc::format!("{problem}"), last.at.clone()))?;
        Ok(Self { lead, rule, ceiling })
    }
}

impl FromStr for Feedback {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let read = text::sequence(text).and_then(|nodes| Self::from_nodes(&nodes));
        read.map_err(|fault| *fault.into_parse_error(text))
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
        let nodes = data::phases_or_text(deserializer)?;
        Self::from_nodes(&nodes).map_err(|fault| serde::de::Error::custom(fault.in_one_line()))
    }
}
