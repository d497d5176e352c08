//! How much is lost when the base rate is off: measured on any finished sweep, beside the theory.
//!
//! [`read_csv`] and [`read_events`] read runs, [`measure`] says per schedule where the best rate lies and how surely, which rates are
//! safe, and what a coarser grid would have cost. [`Experiment`] trains a sweep on purpose.

mod coarse;
mod events;
mod experiment;
mod measure;
mod optimum;
mod read;

pub use coarse::Regret;
pub use events::read_events;
pub use experiment::{Experiment, synthetic};
pub use measure::{Excess, GroupRobustness, Measured, Options, Refused, Safe, measure};
pub use optimum::Optimum;
pub use read::{Columns, read_csv};

use crate::sweep::SweepError;

/// Why a sweep says nothing of robustness.
#[derive(Debug, thiserror::Error)]
pub enum RobustnessError {
    /// The file cannot be read as runs; the text says where and why.
    #[error("{0}")]
    Input(String),
    /// The runs do not make a sweep.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// No group of runs can be analysed; the text gives each group's reason.
    #[error("no schedule of the sweep can be analysed: {0}")]
    Nothing(String),
    /// An option is out of its range.
    #[error("{0}")]
    Option(String),
}
