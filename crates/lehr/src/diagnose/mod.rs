//! Did that run train well? Findings about finished runs, each with its evidence and a suggestion.
//!
//! [`read`] reads logs, [`Run`] is what was logged, [`diagnose`] looks at each run and at all of them together.

mod compare;
mod future;
pub(crate) mod read;
mod run;
mod signs;
#[cfg(test)]
mod tests;

pub use future::Future;
pub use read::{Logged, Names, Point, read};
pub use run::{DiagnoseError, Run};

use serde::Serialize;

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Good,
    /// Worth knowing.
    Note,
    /// Something to change.
    Warning,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// A short name that does not change: `diverged`, `spike`, `still_falling`, `converged`, `restart_paid`,
    /// `restart_lost`, `overfits`, `annealing_pays`, `annealing_within_noise`.
    pub code: &'static str,
    /// How to take it.
    pub severity: Severity,
    /// What was found, with the numbers that show it.
    pub evidence: String,
    /// What to do.
    pub suggestion: String,
    /// The step at which it shows.
    pub step: Option<u64>,
}

/// Everything found of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// The run.
    pub run: String,
    /// Loss at the end: the median of the last points.
    pub end: Option<f64>,
    /// Standard deviation of a logged loss around its neighbours, in the second half.
    pub noise: f64,
    /// The findings, in the order of the run.
    pub findings: Vec<Finding>,
    /// What longer runs under the same schedule would reach, by the fitted law; empty where no law fits.
    pub longer: Vec<Future>,
}

/// Diagnoses runs, each alone and against the others.
pub fn diagnose(runs: &[Run]) -> Vec<Diagnosis> {
    let mut diagnoses: Vec<Diagnosis> = runs.iter().map(signs::of).collect();
    compare::against_constant(runs, &mut diagnoses);
    future::of(runs, &mut diagnoses);
    diagnoses
}
