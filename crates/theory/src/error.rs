//! What can be wrong with the input.

/// Why a question of theory could not be answered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A schedule without a single update.
    #[error("the schedule has no steps; give it a horizon of at least 1")]
    NoSteps,
    /// A rate that is negative, infinite or not a number.
    #[error("the rate of step {step} is {rate}; rates must be finite and at least 0")]
    BadRate {
        /// Update, from 0.
        step: usize,
        /// Its rate.
        rate: f64,
    },
    /// A schedule that never moves.
    #[error("every rate of the schedule is 0, so it never leaves its start")]
    AllZero,
    /// Gradient norms that do not match the schedule.
    #[error("{norms} gradient norms for {steps} steps; give one per step")]
    NormCount {
        /// Norms given.
        norms: usize,
        /// Steps of the schedule.
        steps: usize,
    },
    /// A gradient norm that is zero, negative, infinite or not a number.
    #[error("the gradient norm of step {step} is {norm}; norms must be finite and above 0")]
    BadNorm {
        /// Update, from 0.
        step: usize,
        /// Its norm.
        norm: f64,
    },
    /// A number outside the range in which the question makes sense.
    #[error("{name} is {value}; it must be {expected}")]
    OutOfRange {
        /// What the number is.
        name: &'static str,
        /// The number.
        value: f64,
        /// Where it must lie.
        expected: &'static str,
    },
    /// Data from which nothing can be fitted; the text says what is missing.
    #[error("{0}")]
    Data(String),
}

/// Checks that a number lies where it must.
pub(crate) fn require(ok: bool, name: &'static str, value: f64, expected: &'static str) -> Result<(), Error> {
    if ok { Ok(()) } else { Err(Error::OutOfRange { name, value, expected }) }
}
