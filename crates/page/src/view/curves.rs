//! Learning curves.
use serde::Serialize;

/// The picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curves {
    /// The curves that are shown.
    pub shown: Vec<Curve>,
    /// How many there are.
    pub total: usize,
    /// Which of them are shown, in words, where it is not all.
    pub choice: String,
    /// The lowest value worth showing at first.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// The row of the table of trials.
    pub row: usize,
    /// The run's number in the study.
    pub id: usize,
    /// Whether it has the best value.
    pub best: bool,
    /// The run's name: its trial, and its own number where a trial has several.
    pub name: String,
    /// The schedule.
    pub spec: String,
    /// Peak rate, where known.
    pub rate: Option<f64>,
    /// Where it stands: running, complete, pruned, …
    pub state: String,
    /// Why it was stopped, where it was.
    pub reason: String,
    /// Updates made at each report.
    pub step: Vec<u64>,
    /// The reported value; `null` where it was no number.
    pub value: Vec<f64>,
    /// The schedule's updates and absolute rates, thinned, where known.
    pub schedule: Option<(Vec<f64>, Vec<f64>)>,
}
