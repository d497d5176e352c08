//! Functions of the normal distribution.
use statrs::function::erf::{erfc, erfc_inv};

/// Φ(x): the probability of a value below x.
pub(crate) fn normal_below(x: f64) -> f64 {
    0.5 * erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// 1 − Φ(x), without cancellation.
pub(crate) fn normal_survival(x: f64) -> f64 {
    0.5 * erfc(x * std::f64::consts::FRAC_1_SQRT_2)
}

/// Φ⁻¹(p).
pub(crate) fn normal_quantile(p: f64) -> f64 {
    -std::f64::consts::SQRT_2 * erfc_inv(2.0 * p)
}
