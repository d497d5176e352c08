//! Tuning: which peak rate and schedule to use.

mod rates;
mod results;

pub use rates::{RateRange, RateRangeError};
pub use results::{End, Results, ResultsError, Run, Trial};
