//! What a reader has to know beside a number, as data.

use serde::{Serialize, Serializer};
use std::fmt;

use crate::rates::Rates;

/// A limit of a statement of theory. Serialises to `{code, text}`; `Display` gives the text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Caveat {
    /// The bound speaks of convex functions with bounded (sub)gradients.
    Convex,
    /// It is a bound: how an upper bound grows, not the loss of a run.
    UpperBound,
    /// R needs the distance to stay bounded.
    BoundedDistance,
    /// Below ρ = 1 nothing is forgiven.
    LowSide,
    /// Runs end in a cliff above the stable rates, which the bound does not know.
    Cliff,
    /// The schedule ends above zero, so that the figures depend on the horizon.
    EndsAboveZero {
        /// Level after the last update, as a fraction of the largest rate.
        end: f64,
        /// Horizon of the figures.
        steps: usize,
    },
    /// Which iterate is bounded.
    LastIterate,
    /// Gradient norms are taken as constant.
    ConstantNorms,
    /// A transfer between schedules is a direction and a size, not digits.
    TransferIsRough,
    /// A transfer between horizons uses the prior exponent ½.
    HorizonPrior,
    /// A transfer between horizons uses an exponent fitted to the user's rungs.
    HorizonFitted {
        /// The exponent a in rate ∝ T^{−a}.
        exponent: f64,
    },
}

impl Caveat {
    /// A short name that does not change.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Convex => "convex",
            Self::UpperBound => "upper-bound",
            Self::BoundedDistance => "bounded-distance",
            Self::LowSide => "low-side",
            Self::Cliff => "cliff",
            Self::EndsAboveZero { .. } => "ends-above-zero",
            Self::LastIterate => "last-iterate",
            Self::ConstantNorms => "constant-norms",
            Self::TransferIsRough => "transfer-is-rough",
            Self::HorizonPrior => "horizon-prior",
            Self::HorizonFitted { .. } => "horizon-fitted",
        }
    }

    /// What has to be said beside a bound.
    pub fn of_bound(measured_norms: bool) -> Vec<Self> {
        let mut caveats = vec![Self::Convex, Self::UpperBound, Self::LastIterate];
        if !measured_norms {
            caveats.push(Self::ConstantNorms);
        }
        caveats
    }

    /// What has to be said beside robustness ratios of a schedule.
    pub fn of_robustness(rates: &Rates) -> Vec<Self> {
        let mut caveats = vec![
            Self::Convex,
            Self::UpperBound,
            Self::BoundedDistance,
            Self::LowSide,
            Self::Cliff,
            Self::LastIterate,
        ];
        caveats.extend(Self::of_end(rates));
        caveats
    }

    /// Whether the schedule ends above zero.
    pub fn of_end(rates: &Rates) -> Option<Self> {
        (rates.end() > 0.0).then(|| Self::EndsAboveZero { end: rates.end(), steps: rates.steps() })
    }
}

impl fmt::Display for Caveat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Convex => f.write_str("holds for convex losses and bounded gradients; for networks it is a guide"),
            Self::UpperBound => f.write_str("an upper bound: it says what cannot be exceeded, not what a run will reach"),
            Self::BoundedDistance => f.write_str(
                "needs a bounded distance to the solution (projection, or a loss that saturates); without it \
                 the growth with rho is linear again",
            ),
            Self::LowSide => f.write_str("one-sided: below rho = 1 it is (rho + 1/rho)/2 whatever the schedule"),
            Self::Cliff => f.write_str(
                "real runs end in a cliff on the high side; of two rates with equal ratios the lower is the safer",
            ),
            Self::EndsAboveZero { end, steps } => write!(
                f,
                "the schedule ends at {:.3} of its largest rate, not at zero: its ratios hold for {steps} steps \
                 and grow with the horizon",
                end
            ),
            Self::LastIterate => f.write_str("speaks of the last iterate; the averaged iterate has its own figure"),
            Self::ConstantNorms => {
                f.write_str("takes gradient norms as constant over training; measured norms change the best rate")
            }
            Self::TransferIsRough => f.write_str(
                "direction and size, not digits: on real pre-training sweeps ratios of 1.69, 1.4 and 5.5 were \
                 found where 1.94, 1.84 and 3.5 were predicted",
            ),
            Self::HorizonPrior => f.write_str(
                "between horizons the rate is scaled by T^(-1/2), a prior; real exponents differ and should be \
                 fitted from two rungs",
            ),
            Self::HorizonFitted { exponent } => {
                write!(f, "between horizons the rate is scaled by T^(-{exponent:.3}), fitted to the given rungs")
            }
        }
    }
}

impl Serialize for Caveat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut object = serializer.serialize_struct("Caveat", 2)?;
        object.serialize_field("code", self.code())?;
        object.serialize_field("text", &self.to_string())?;
        object.end()
    }
}
