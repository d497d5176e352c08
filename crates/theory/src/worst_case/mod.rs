//! The worst case that shows how a schedule forgives a wrong rate: a walk whose error can be known exactly.
//!
//! Projected SGD on f(x) = −εx over [−D, D] with gradient noise ±G of equal odds, from x = −D:
//!
//! ```text
//! x ← clip(x + η_t·(ε ± G)),   error = ε·(D − x_T)
//! ```
//!
//! For each base rate ρ·γ* the slope ε is the worst one. The walk forgets its start in about G²/ε² steps; under
//! decay of degree p it freezes when that many are left, and the error grows like ρ^{1/(2p+1)}; under a rate that
//! does not fall to zero it grows like ρ.
//!
//! [`exponents`] computes the errors without noise, from the distribution of the walk; [`simulate`] walks;
//! [`Experiment`] does both for a list of schedules.
//! Everything is in units of D and G.

mod diffusion;
mod experiment;
mod exponent;
mod simulation;

pub use experiment::{AtHorizon, Experiment, Outcome, Rate, Simulation, Stage, Walked, WalkedCell, Walks};
pub use exponent::{Exponent, Options, WorstError, exponents};
pub use simulation::{Cell, Simulated, simulate};

/// Longer steps, in units of D, are no longer like the continuum.
const LONGEST_STEP: f64 = 0.5;

/// A schedule of the family: what is needed of it, on the share u of the horizon in [0, 1].
pub trait Shape: Sync {
    /// The rate at u as a fraction of the peak.
    fn at(&self, u: f64) -> f64;
}

impl<F: Fn(f64) -> f64 + Sync> Shape for F {
    fn at(&self, u: f64) -> f64 {
        self(u)
    }
}

/// One walk: a shape with its peak rate, the slope ε and the horizon, D = G = 1.
#[derive(Clone, Copy)]
struct Walk<'a> {
    shape: &'a dyn Shape,
    peak: f64,
    slope: f64,
    steps: f64,
}

impl Walk<'_> {
    /// η at the share u of the horizon.
    fn rate(&self, u: f64) -> f64 {
        self.peak * self.shape.at(u)
    }
}
