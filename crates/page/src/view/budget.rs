//! What was spent.
use serde::Serialize;

/// Spent against what a full grid costs, in runs to the target horizon.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Budget {
    /// Spent so far.
    pub spent: f64,
    /// A full grid over the same space.
    pub grid: Option<f64>,
    /// What the grid is.
    pub grid_note: String,
    /// Spent by length of run where there are several lengths, otherwise by state of the run.
    pub parts: Vec<(String, f64)>,
    /// The best value so far against the budget spent.
    pub progress: Vec<(f64, f64)>,
}
