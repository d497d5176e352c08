//! Who trained what, when.
use serde::Serialize;

/// The timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Workers {
    /// One line per worker.
    pub lines: Vec<Worker>,
    /// Milliseconds since 1970 at which it begins.
    pub from: f64,
    /// And ends.
    pub to: f64,
}

/// A worker.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Worker {
    /// Its name.
    pub name: String,
    /// Where it is, and whether it is alive.
    pub note: String,
    /// What it trained.
    pub work: Vec<Work>,
}

/// One stretch of training.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Work {
    /// The row of the table of trials.
    pub row: usize,
    /// The run's name.
    pub name: String,
    /// Milliseconds since 1970.
    pub from: f64,
    /// Likewise; for a run under way, now.
    pub to: f64,
    /// Where it stands.
    pub state: String,
}
