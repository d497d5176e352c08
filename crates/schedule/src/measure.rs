//! The two measures of a spec: spans of time and levels of the rate.
use crate::number::Shortest;
use core::fmt;

/// A length of time: updates, a share of the horizon, epochs or tokens.
///
/// Inside parentheses a share refers to the span of the parentheses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// How many units; finite and at least 0.
    pub amount: f64,
    /// The unit.
    pub unit: Unit,
}

/// The unit of a [`Span`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Updates: `500`.
    Steps,
    /// Per cent of the horizon: `5%`.
    Percent,
    /// Epochs: `10ep`.
    Epochs,
    /// Tokens: `2Mtok` (also `tok`, `ktok`, `Gtok`, `Ttok`).
    Tokens,
}

impl Span {
    /// A span in updates.
    pub const fn steps(n: u64) -> Self {
        Self { amount: n as f64, unit: Unit::Steps }
    }

    /// A span in per cent of the horizon.
    pub const fn percent(amount: f64) -> Self {
        Self { amount, unit: Unit::Percent }
    }

    /// A span in epochs.
    pub const fn epochs(amount: f64) -> Self {
        Self { amount, unit: Unit::Epochs }
    }

    /// A span in tokens.
    pub const fn tokens(amount: f64) -> Self {
        Self { amount, unit: Unit::Tokens }
    }
}

impl From<u64> for Span {
    fn from(n: u64) -> Self {
        Self::steps(n)
    }
}

/// The prefixes of `tok`, largest first.
pub(crate) const TOKEN_UNITS: [(&str, f64); 5] =
    [("Ttok", 1e12), ("Gtok", 1e9), ("Mtok", 1e6), ("ktok", 1e3), ("tok", 1.0)];

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit {
            Unit::Steps => write!(f, "{}", Shortest(self.amount)),
            Unit::Percent => write!(f, "{}%", Shortest(self.amount)),
            Unit::Epochs => write!(f, "{}ep", Shortest(self.amount)),
            Unit::Tokens => {
                // The largest prefix that gives the same number back when it is read.
                let exact = |scale: f64| self.amount >= scale && self.amount / scale * scale == self.amount;
                let (word, scale) =
                    TOKEN_UNITS.into_iter().find(|(_, scale)| exact(*scale)).unwrap_or(("tok", 1.0));
                write!(f, "{}{word}", Shortest(self.amount / scale))
            }
        }
    }
}

/// A level of the rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Level {
    /// A fraction of the peak: `to 0.1`.
    Relative(f64),
    /// An absolute rate: `to lr 1e-6`. Such a schedule can only be resolved with a peak rate.
    Absolute(f64),
}

impl Level {
    /// An absolute rate.
    pub const fn lr(rate: f64) -> Self {
        Self::Absolute(rate)
    }

    /// The number, whichever way it is meant.
    pub(crate) const fn value(self) -> f64 {
        match self {
            Self::Relative(x) | Self::Absolute(x) => x,
        }
    }
}

impl From<f64> for Level {
    fn from(fraction: f64) -> Self {
        Self::Relative(fraction)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relative(x) => write!(f, "{}", Shortest(*x)),
            Self::Absolute(x) => write!(f, "lr {}", Shortest(*x)),
        }
    }
}
