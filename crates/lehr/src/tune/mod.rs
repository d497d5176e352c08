//! Tuning: which peak rate and schedule to use.
//!
//! A [`Plan`] says what is trained; [`tune`] runs it and writes each [`Trial`] to [`Results`] the moment it ends;
//! [`Tuned::sweep`] is what [`crate::sweep::analyse`] concludes from.

mod plan;
mod rates;
mod results;
mod run;

pub use plan::{Plan, Search};
pub use rates::{RateRange, RateRangeError};
pub use results::{End, Results, ResultsError, Run, Trial};
pub use run::{Event, Tuned, tune, work};

/// Why a plan cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// The plan makes no sense.
    #[error("{0}")]
    Plan(String),
    /// A schedule does not fit the plan.
    #[error("schedule '{schedule}': {problem}")]
    Schedule {
        /// The schedule.
        schedule: String,
        /// Why it does not fit.
        problem: String,
    },
    /// The search cannot make trials of the plan.
    #[error(transparent)]
    Search(#[from] lehr_search::SearchError),
    /// The lab refuses the training.
    #[error(transparent)]
    Training(#[from] lehr_lab::Error),
    /// Results cannot be written.
    #[error(transparent)]
    Results(#[from] ResultsError),
}
