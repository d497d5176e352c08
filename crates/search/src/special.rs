//! Functions of the normal distribution.
use statrs::function::erf::erfc;

/// 1 − Φ(x), without cancellation.
pub(crate) fn normal_survival(x: f64) -> f64 {
    0.5 * erfc(x * std::f64::consts::FRAC_1_SQRT_2)
}
