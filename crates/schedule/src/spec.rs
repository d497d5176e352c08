//! A schedule of either kind.
use core::fmt;
use core::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::ParseError;
use crate::feedback::Feedback;
use crate::notation::data::{self, FromNodes};
use crate::notation::node::Node;
use crate::notation::text;
use crate::schedule::Schedule;

/// A schedule, or one that reacts to a metric: what a text turns out to be.
///
/// ```
/// use lehr_schedule::Spec;
///
/// assert!(matches!("warmup 500, cosine".parse()?, Spec::Schedule(_)));
/// assert!(matches!("warmup 500, plateau".parse()?, Spec::Feedback(_)));
/// # Ok::<(), lehr_schedule::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Spec {
    /// A function of the step.
    Schedule(Schedule),
    /// A reaction to a metric.
    Feedback(Feedback),
}

impl FromStr for Spec {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text::sequence(text).is_ok_and(|phases| Feedback::is_meant(&phases)) {
            true => text.parse().map(Self::Feedback),
            false => text.parse().map(Self::Schedule),
        }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schedule(schedule) => schedule.fmt(f),
            Self::Feedback(feedback) => feedback.fmt(f),
        }
    }
}

impl Serialize for Spec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Schedule(schedule) => schedule.serialize(serializer),
            Self::Feedback(feedback) => feedback.serialize(serializer),
        }
    }
}

impl FromNodes for Spec {
    fn from_nodes<E: Error>(phases: &[Node], with: &[Node]) -> Result<Self, E> {
        match Feedback::is_meant(phases) {
            true => Feedback::from_nodes(phases, with).map(Self::Feedback),
            false => Schedule::from_nodes(phases, with).map(Self::Schedule),
        }
    }
}

impl<'de> Deserialize<'de> for Spec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        data::text_or_phases(deserializer)
    }
}
