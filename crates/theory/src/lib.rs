//! What optimisation theory and loss laws say of a learning-rate schedule before anyone trains with it.
//!
//! - [`Rates`]: the rates of one training, checked once
//! - [`Bound`]: the last-iterate bound for any schedule, its best base rate and best value
//! - [`Robustness`]: how the bound grows when the base rate is off, one-sided and on a grid
//! - [`transfer`]: a tuned rate carried to another schedule or horizon
//! - [`refine`]: a schedule from measured gradient norms
//! - [`Optimum`]: the schedule that makes the bound smallest, with warm-up and floor
//! - [`laws`]: loss-curve laws, fitted on some curves and asked about others
//! - [`worst_case`]: the walk that shows the exponents, computed and simulated
//! - [`Caveat`]: what has to be said beside a number

mod bound;
mod caveat;
mod error;
pub mod laws;
mod optimum;
mod rates;
mod refine;
mod robustness;
mod sum;
mod transfer;
pub mod worst_case;

pub use bound::Bound;
pub use caveat::Caveat;
pub use error::Error;
pub use optimum::{Limits, Optimum};
pub use rates::Rates;
pub use refine::{Norm, refine};
pub use robustness::{GridRatio, Ratio, Robustness};
pub use transfer::{HorizonExponent, Transfer, transfer};
