//! Statistics of paired losses: the same seeds under different rates or schedules.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Arithmetic mean; infinite if a value is.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sample standard deviation (divisor n − 1); NaN for fewer than two values.
pub fn deviation(values: &[f64]) -> f64 {
    let center = mean(values);
    let squares: f64 = values.iter().map(|value| (value - center).powi(2)).sum();
    (squares / (values.len() as f64 - 1.0)).sqrt()
}

/// Median; `None` if there is no value.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some(0.5 * (low + high))
}

/// Differences `a[k] − b[k]`.
pub fn differences(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Student's t quantile with n − 1 degrees of freedom, for a two-sided level of confidence; `None` for fewer than
/// two values.
pub fn t_quantile(n: usize, confidence: f64) -> Option<f64> {
    let t = StudentsT::new(0.0, 1.0, n.checked_sub(1)? as f64).ok()?;
    Some(t.inverse_cdf(0.5 + 0.5 * confidence))
}

/// Half-width of the two-sided Student interval of the mean; `None` for fewer than two values.
pub fn half_width(values: &[f64], confidence: f64) -> Option<f64> {
    Some(t_quantile(values.len(), confidence)? * deviation(values) / (values.len() as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(mean(&[1.0, 2.0, 6.0]), 3.0);
        assert_eq!(deviation(&[2.0, 4.0]), 2f64.sqrt());
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
        // Table value: t(0.975; 4) = 2.776445.
        assert!((t_quantile(5, 0.95).unwrap() - 2.776_445).abs() < 1e-5);
        assert_eq!(t_quantile(1, 0.95), None);
        assert_eq!(half_width(&[1.0], 0.95), None);
    }
}
