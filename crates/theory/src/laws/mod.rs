//! Loss-curve laws: the loss as a function of the rates so far, fitted on some curves and asked about others.

mod curve;
mod fit;
mod law;
mod least_squares;
mod multi_power;
mod solve;
mod tissue;

pub use curve::LossCurve;
pub use fit::{Fit, FitOptions, Parameter, Predicted, Score};
pub use law::Law;
