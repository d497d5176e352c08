//! The arithmetic underneath: the same on every platform, with or without `std`.

pub(crate) use libm::{exp, expm1, floor, log, log1p, sqrt};

/// Coefficients of sin(πx/2)/x in powers of x², from Chebyshev interpolation on 0 ≤ x ≤ 1 in 60 digits.
const HALF_PI_SIN: [f64; 9] = [
    core::f64::consts::FRAC_PI_2,
    -0.6459640975062462,
    0.07969262624616565,
    -0.004681754135304255,
    0.0001604411847130916,
    -3.5988430204672576e-06,
    5.6921364280986254e-08,
    -6.684416831856085e-10,
    5.87297574479995e-12,
];

/// sin(πx/2) for 0 ≤ x ≤ 1, exactly 0 at 0 and exactly 1 at 1.
///
/// The polynomial is within 4e-17 (relative) of the sine, rounded coefficients included. Evaluated as below, each of
/// the sums is dominated by its first term, and at most four roundings of 2⁻⁵³ reach the result: the relative error
/// stays under 5e-16 (`tests/accuracy.rs` holds its square to 1e-15). Branch-free, so that a loop over it is
/// vectorised; in three groups, so that a single value does not wait for one long chain.
#[inline(always)]
pub(crate) fn sin_half_pi(x: f64) -> f64 {
    let [c0, c1, c2, c3, c4, c5, c6, c7, c8] = HALF_PI_SIN;
    let w = x * x;
    let w2 = w * w;
    let w4 = w2 * w2;
    let low = (c0 + c1 * w) + (c2 + c3 * w) * w2;
    let high = (c4 + c5 * w) + (c6 + c7 * w) * w2;
    let sine = x * (low + w4 * (high + w4 * c8));
    if sine > 1.0 { 1.0 } else { sine }
}

/// a·b = hi + lo exactly (Dekker), for products that do not overflow.
fn two_product(a: f64, b: f64) -> (f64, f64) {
    let split = |x: f64| {
        let c = 134_217_729.0 * x;
        let high = c - (c - x);
        (high, x - high)
    };
    let product = a * b;
    let ((ah, al), (bh, bl)) = (split(a), split(b));
    (product, ((ah * bh - product) + ah * bl + al * bh) + al * bl)
}

/// a/b = hi + lo to twice the precision.
pub(crate) fn two_quotient(a: f64, b: f64) -> (f64, f64) {
    let quotient = a / b;
    let (product, rest) = two_product(quotient, b);
    (quotient, ((a - product) - rest) / b)
}

/// (a/b)^p for 0 ≤ a ≤ b, without losing the digits that rounding a/b costs.
pub(crate) fn ratio_to_power(a: f64, b: f64, power: f64) -> f64 {
    let (x, rest) = two_quotient(a, b);
    if x <= 0.0 {
        return 0.0;
    }
    libm::pow(x, power) * (1.0 + power * rest / x)
}

/// base^(a/b) for base > 0, without losing the digits that rounding a/b costs.
pub(crate) fn power_of_ratio(base: f64, a: f64, b: f64) -> f64 {
    let (x, rest) = two_quotient(a, b);
    libm::pow(base, x) * (1.0 + rest * log(base))
}

/// 1 − y^p for y = 1 − x given as x, without cancellation.
pub(crate) fn one_minus_power(x: f64, power: f64) -> f64 {
    if x >= 1.0 { 1.0 } else { -expm1(power * log1p(-x)) }
}

/// What is left of the peak of (cos²)(π·waves·a/n): exact where waves·a is a multiple of n/2.
pub(crate) fn cos_squared_of_waves(waves: f64, a: f64, n: f64) -> f64 {
    // In units of quarter waves y = 2·waves·a/n; cos²(πy/2) has period 2.
    let (high, low) = two_product(2.0 * waves, a);
    let y = libm::fmod(high, 2.0 * n) + low;
    let from_crest = if y < 0.0 { -y } else { y };
    let half = if from_crest <= n { n - from_crest } else { from_crest - n };
    let sine = sin_half_pi((half / n).clamp(0.0, 1.0));
    sine * sine
}

/// a·b for two numbers that are not negative, never above the largest float and never NaN.
pub(crate) fn bounded_product(a: f64, b: f64) -> f64 {
    (a * b.min(f64::MAX)).min(f64::MAX)
}
