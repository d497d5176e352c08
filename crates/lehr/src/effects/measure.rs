//! Means with intervals, and which rate is best.

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::sweep::half_width;

/// A measured number with its 95 % interval. In JSON, what is not finite is null, with a `reason` beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean, or the share.
    pub mean: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Serialize for Estimate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = [self.mean, self.low, self.high].iter().all(|number| number.is_finite());
        let reason = (!known).then_some("a run diverged");
        let mut fields = serializer.serialize_struct("Estimate", 3 + usize::from(reason.is_some()))?;
        fields.serialize_field("mean", &self.mean)?;
        fields.serialize_field("low", &self.low)?;
        fields.serialize_field("high", &self.high)?;
        if let Some(reason) = reason {
            fields.serialize_field("reason", reason)?;
        }
        fields.end()
    }
}

impl Estimate {
    /// Mean over seeds with Student's interval.
    pub(super) fn of(values: &[f64]) -> Self {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let half = half_width(values, 0.95).unwrap_or(f64::NAN);
        Self { mean, low: mean - half, high: mean + half }
    }

    /// Geometric mean over seeds, with Student's interval of the logarithms.
    pub(super) fn geometric(values: &[f64]) -> Self {
        let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
        let Self { mean, low, high } = Self::of(&logs);
        Self { mean: mean.exp(), low: low.exp(), high: high.exp() }
    }

    /// A share of `count` cases with Wilson's interval.
    pub(super) fn share(hits: usize, count: usize) -> Self {
        const Z: f64 = 1.96;
        let (n, p) = (count as f64, hits as f64 / count as f64);
        let center = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
        let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        Self { mean: p, low: (center - half).max(0.0), high: (center + half).min(1.0) }
    }

    /// Mean of a[k] − b[k].
    pub(super) fn difference(a: &[f64], b: &[f64]) -> Self {
        Self::of(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
    }

    /// Whether the whole interval lies above this.
    pub(super) fn above(&self, level: f64) -> bool {
        self.low > level
    }

    /// Whether the whole interval lies below this.
    pub(super) fn below(&self, level: f64) -> bool {
        self.high < level
    }

    /// The number with its interval, with so many digits after the point.
    pub(super) fn text(&self, digits: usize) -> String {
        format!("{:.digits$} [{:.digits$}, {:.digits$}]", self.mean, self.low, self.high)
    }
}

/// Losses at the best rate, chosen on the other seeds for each seed in turn, and the rate that all seeds choose.
/// `losses[i][k]` is that of rate i and seed k.
pub(super) fn at_best(losses: &[Vec<f64>]) -> (usize, Vec<f64>) {
    let seeds = losses.first().map_or(0, Vec::len);
    let best = |left_out: Option<usize>| {
        let mean = |i: usize| (0..seeds).filter(|k| Some(*k) != left_out).map(|k| losses[i][k]).sum::<f64>();
        (0..losses.len()).min_by(|&a, &b| mean(a).total_cmp(&mean(b))).unwrap_or(0)
    };
    (best(None), (0..seeds).map(|k| losses[best(Some(k))][k]).collect())
}

/// Least-squares slope of log y on log x.
pub(super) fn log_slope(points: impl IntoIterator<Item = (f64, f64)>) -> f64 {
    let points: Vec<(f64, f64)> = points.into_iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let n = points.len() as f64;
    let (x0, y0) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let spread: f64 = points.iter().map(|p| (p.0 - x0).powi(2)).sum();
    points.iter().map(|p| (p.0 - x0) * (p.1 - y0)).sum::<f64>() / spread
}

/// `count` rates, a constant factor apart, from `low` to `high`.
pub(super) fn rates(low: f64, high: f64, count: usize) -> Vec<f64> {
    (0..count).map(|i| low * (high / low).powf(i as f64 / (count - 1) as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_has_its_reason_beside_it() {
        let json = |values: &[f64]| serde_json::to_string(&Estimate::of(values)).unwrap();
        assert_eq!(json(&[1.0, 1.0]), r#"{"mean":1.0,"low":1.0,"high":1.0}"#);
        let lost = r#"{"mean":null,"low":null,"high":null,"reason":"a run diverged"}"#;
        assert_eq!(json(&[1.0, f64::INFINITY]), lost);
    }
}
