//! Schedules that react to a metric: plateau and greedy, with one small state.
mod controller;
mod notation;
mod rules;

pub use controller::{Controller, FeedbackState, Verdict};
pub use rules::{Average, Better, Goal, Rise, Rule};

use alloc::vec::Vec;

use crate::schedule::Phase;

/// A schedule that reacts to a metric, as data.
///
/// In text: `warmup 500, plateau by 0.1 patience 10`, `warmup 2%, greedy by 0.95 (cosine)`. The phases before the rule
/// each need a span; metrics seen during them are not counted. Phases in parentheses are a ceiling: the rate is never
/// above theirs. Text, JSON and TOML are the same value and round-trip, as for [`Schedule`](crate::Schedule).
#[derive(Debug, Clone, PartialEq)]
pub struct Feedback {
    /// The phases before the rule takes over, such as a warm-up.
    pub lead: Vec<Phase>,
    /// How the rate reacts.
    pub rule: Rule,
    /// The ceiling over the updates after the lead; empty: none.
    pub ceiling: Vec<Phase>,
}
