//! What a search concludes.

use std::fmt;

use lehr_search::Params;
use serde::{Serialize, Serializer};

use super::{Goal, Record};

/// A number with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Its interval at [`Recommendation::confidence`], where one can be given.
    pub interval: Option<Range>,
}

/// An interval. Where nothing was tried beyond an end, that end is open: the truth may lie further out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Range {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Nothing was tried below.
    pub open_low: bool,
    /// Nothing was tried above.
    pub open_high: bool,
}

/// What was trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spent {
    /// Configurations.
    pub trials: usize,
    /// Runs.
    pub runs: usize,
    /// Updates.
    pub steps: u64,
    /// Updates in units of the target horizon.
    pub full_runs: f64,
}

impl Spent {
    /// What a record holds.
    pub fn of(goal: &Goal, record: &Record) -> Self {
        let steps = record.steps_spent();
        let full_runs = steps as f64 / goal.target.steps.max(1) as f64;
        Self { trials: record.params.len(), runs: record.runs.len(), steps, full_runs }
    }
}

/// Where a search stands; in data its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchState {
    /// No run has come to its end.
    Empty,
    /// It could go on, also if no budget is left for that.
    Open,
    /// It is over by itself, and why.
    Finished(String),
}

impl fmt::Display for SearchState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no run is complete"),
            Self::Open => f.write_str("not finished"),
            Self::Finished(reason) => write!(f, "stopped: {reason}"),
        }
    }
}

impl Serialize for SearchState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What to use, how sure that is, and what it cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recommendation {
    /// Name of the strategy.
    pub strategy: String,
    /// The configuration to use; `None` if the data cannot support one.
    pub params: Option<Params>,
    /// Its schedule, where it is known.
    pub schedule: Option<String>,
    /// Its peak rate.
    pub rate: Option<Estimate>,
    /// The objective to be expected from a run to the target horizon.
    pub loss: Option<Estimate>,
    /// Rates whose expected loss at the target is within the tolerance or the noise of the best.
    pub safe: Option<Range>,
    /// The level of the intervals.
    pub confidence: f64,
    /// Standard deviation of the objective between runs that differ in the seed alone.
    pub noise: Option<f64>,
    /// R(ρ) of the schedule at its target horizon: by which factor a worst-case bound grows when the rate is off by ρ.
    pub robustness: Vec<lehr_theory::Ratio>,
    /// What was trained.
    pub spent: Spent,
    /// Updates that a full grid would have taken (every schedule at every octave of the range, run to the target), in units
    /// of the target horizon.
    pub grid_full_runs: Option<f64>,
    /// Where the search stands.
    pub state: SearchState,
    /// What speaks against relying on it.
    pub doubts: Vec<String>,
    /// One sentence to act on.
    pub advice: String,
}
