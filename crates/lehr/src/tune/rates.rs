//! A range of peak rates.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// A range of peak rates `low..high`, both > 0; searched on a log scale.
///
/// ```
/// let range: lehr::tune::RateRange = "1e-4..10".parse()?;
/// assert_eq!((range.low(), range.high()), (1e-4, 10.0));
/// # Ok::<(), lehr::tune::RateRangeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RateRange {
    low: f64,
    high: f64,
}

/// Why a text is no range of rates.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RateRangeError {
    /// Not of the form `low..high`.
    #[error("'{0}' is not a range of rates: give `low..high`, for example 1e-4..10, or one rate")]
    Form(String),
    /// An end is not a number.
    #[error("'{0}' is not a number: give a range of rates as `low..high`, for example 1e-4..10")]
    Number(String),
    /// An end is not a rate.
    #[error("a rate must be a finite number above 0, and {0} is not: rates are searched on a log scale")]
    NotPositive(f64),
    /// The ends are in the wrong order.
    #[error("the range of rates is reversed: {low:?} is above {high:?}; write {high:?}..{low:?}")]
    Reversed {
        /// The first end.
        low: f64,
        /// The second end.
        high: f64,
    },
}

impl RateRange {
    /// A range from `low` to `high`.
    ///
    /// # Errors
    /// If an end is not a finite number above 0, or `low > high`.
    pub fn new(low: f64, high: f64) -> Result<Self, RateRangeError> {
        for rate in [low, high] {
            if !(rate > 0.0 && rate.is_finite()) {
                return Err(RateRangeError::NotPositive(rate));
            }
        }
        if low > high {
            return Err(RateRangeError::Reversed { low, high });
        }
        Ok(Self { low, high })
    }

    /// The lowest rate.
    pub fn low(&self) -> f64 {
        self.low
    }

    /// The highest rate.
    pub fn high(&self) -> f64 {
        self.high
    }
}

impl FromStr for RateRange {
    type Err = RateRangeError;

    /// Reads `low..high`, or one rate, which is the range of that rate alone.
    fn from_str(text: &str) -> Result<Self, RateRangeError> {
        let number = |text: &str| {
            text.trim().parse::<f64>().map_err(|_| RateRangeError::Number(text.trim().to_owned()))
        };
        let (low, high) = match text.split_once("..") {
            Some((low, high)) => (number(low)?, number(high)?),
            None => {
                let rate = number(text).map_err(|_| RateRangeError::Form(text.to_owned()))?;
                (rate, rate)
            }
        };
        Self::new(low, high)
    }
}

impl fmt::Display for RateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}..{:?}", self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ranges_and_single_rates() {
        let parsed = |text: &str| text.parse::<RateRange>().map(|range| (range.low, range.high));
        assert_eq!(parsed("1e-4..10"), Ok((1e-4, 10.0)));
        assert_eq!(parsed(" 0.1 .. .5 "), Ok((0.1, 0.5)));
        assert_eq!(parsed("0.3"), Ok((0.3, 0.3)));
        let range = RateRange::new(3e-7, 2.5).unwrap();
        assert_eq!(range.to_string().parse(), Ok(range));
    }

    #[test]
    fn refuses_what_is_no_range() {
        let error = |text: &str| text.parse::<RateRange>().unwrap_err().to_string();
        assert!(error("").contains("is not a range"));
        assert!(error("1e-4-10").contains("is not a range"));
        assert!(error("a..1").contains("'a' is not a number"));
        assert!(error("0..1").contains("above 0, and 0 is not"));
        assert!(error("-1..1").contains("above 0, and -1 is not"));
        assert!(error("1..inf").contains("above 0, and inf is not"));
        assert!(error("nan").contains("above 0, and NaN is not"));
        assert!(error("10..1e-4").contains("write 0.0001..10.0"), "{}", error("10..1e-4"));
    }
}
