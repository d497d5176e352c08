//! Functions in single precision, written so that the compiler can vectorise them.

/// Below this, [`exp`] is 0.
const LEAST: f32 = -87.0;

/// A term of a sum that lies so far below another one in its logarithm adds nothing, rounding included.
pub(super) const NEGLIGIBLE: f32 = LEAST - 1.0;

/// e^x for x ≤ 0 to 2·10⁻⁷ (relative), 0 below [`LEAST`].
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5·2²³: adding it rounds to a whole number in the low bits.
    let clamped = x.max(LEAST);
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let r = (clamped - whole * 0.693_359_4) + whole * 2.121_944_4e-4;
    let p = 1.0
        + r * (1.0
            + r * (0.5 + r * (1.666_654_6e-1 + r * (4.166_579_6e-2 + r * (8.333_452e-3 + r * 1.398_2e-3)))));
    let scale = f32::from_bits((shifted.to_bits().wrapping_add(127)) << 23);
    if x < LEAST { 0.0 } else { p * scale }
}

/// erf(x) for x ≥ 0 to 10⁻⁶ (absolute). Source: Abramowitz and Stegun 7.1.26.
#[inline(always)]
pub(super) fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let p = t * (0.254_829_6 + t * (-0.284_496_74 + t * (1.421_413_7 + t * (-1.453_152 + t * 1.061_405_4))));
    1.0 - p * exp(-x * x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approximations_hold_their_bounds() {
        for i in 0..200_000 {
            let x = i as f32 * 4e-4;
            let e = f64::from(-x).exp();
            assert!((f64::from(exp(-x)) - e).abs() <= 4e-7 * e + 1e-37, "exp(-{x})");
            let reference = statrs::function::erf::erf(f64::from(x));
            assert!((f64::from(erf(x)) - reference).abs() < 1e-6, "erf({x})");
        }
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
    }
}
