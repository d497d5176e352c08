//! Elementary functions of vectors. NaN in, NaN out.

use pulp::Simd;

/// eˣ for x ≤ 0, to about 1 unit in the last place; below −87.3 the smallest normal float.
#[inline(always)]
pub(super) fn exp_of_negative<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let splat = |v| simd.splat_f32s(v);
    // 1.5 · 2²³: adding it rounds to a whole number, which is then found in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let low = splat(-87.3);
    let x = simd.select_f32s(simd.less_than_f32s(x, low), low, x);
    // x = n ln 2 + r with |r| ≤ ln 2 / 2; ln 2 in two parts (Cody and Waite), so that no digit of r is lost.
    let shifted = simd.add_f32s(simd.mul_f32s(x, splat(std::f32::consts::LOG2_E)), splat(ROUND));
    let n = simd.sub_f32s(shifted, splat(ROUND));
    let r = simd.mul_add_e_f32s(n, splat(-0.693_359_4), x);
    let r = simd.mul_add_e_f32s(n, splat(2.121_944_4e-4), r);
    // Taylor's series: the first term left out is below 2⁻²⁴ of the sum for |r| ≤ 0.3466.
    let mut sum = splat(1.0 / 5040.0);
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        sum = simd.mul_add_e_f32s(sum, r, splat(c));
    }
    let n = simd.sub_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(ROUND.to_bits()));
    let exponent = simd.wrapping_dyn_shl_u32s(simd.add_u32s(n, simd.splat_u32s(127)), simd.splat_u32s(23));
    simd.mul_f32s(sum, simd.transmute_f32s_u32s(exponent))
}

/// 2 artanh(s) = ln((1+s)/(1−s)) for |s| ≤ 1/3.
#[inline(always)]
fn twice_artanh<S: Simd>(simd: S, s: S::f32s) -> S::f32s {
    let square = simd.mul_f32s(s, s);
    let mut sum = simd.splat_f32s(2.0 / 15.0);
    for c in [2.0 / 13.0, 2.0 / 11.0, 2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0] {
        sum = simd.mul_add_e_f32s(sum, square, simd.splat_f32s(c));
    }
    simd.mul_f32s(sum, s)
}

/// ln(1 + x) for 0 ≤ x ≤ 1, with a small relative error for small x too.
#[inline(always)]
pub(super) fn ln_1p_of_share<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    twice_artanh(simd, simd.div_f32s(x, simd.add_f32s(x, simd.splat_f32s(2.0))))
}

/// ln x for finite x ≥ 1.
#[inline(always)]
pub(super) fn ln_from_1<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    // x = 2ᵉ m with √½ ≤ m < √2.
    const ROOT_HALF: u32 = 0x3F35_04F3;
    const WHOLE: f32 = 8_388_608.0; // 2²³
    let bits = simd.transmute_u32s_f32s(x);
    let above = simd.sub_u32s(bits, simd.splat_u32s(ROOT_HALF));
    let e = simd.wrapping_dyn_shr_u32s(above, simd.splat_u32s(23));
    let m = simd.sub_u32s(bits, simd.wrapping_dyn_shl_u32s(e, simd.splat_u32s(23)));
    let m = simd.transmute_f32s_u32s(m);
    let e = simd.transmute_f32s_u32s(simd.add_u32s(e, simd.splat_u32s(WHOLE.to_bits())));
    let e = simd.sub_f32s(e, simd.splat_f32s(WHOLE));
    let one = simd.splat_f32s(1.0);
    let s = simd.div_f32s(simd.sub_f32s(m, one), simd.add_f32s(m, one));
    let value = simd.mul_add_e_f32s(e, simd.splat_f32s(std::f32::consts::LN_2), twice_artanh(simd, s));
    // NaN and infinity have no logarithm here, and must not come out as a number.
    simd.add_f32s(value, simd.sub_f32s(x, x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::{Arch, WithSimd};

    #[derive(Clone, Copy)]
    enum Function {
        Exp,
        Ln1p,
        Ln,
    }

    struct Apply<'a>(Function, &'a mut [f32]);

    impl WithSimd for Apply<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            for x in S::as_mut_simd_f32s(self.1).0 {
                *x = match self.0 {
                    Function::Exp => exp_of_negative(simd, *x),
                    Function::Ln1p => ln_1p_of_share(simd, *x),
                    Function::Ln => ln_from_1(simd, *x),
                };
            }
        }
    }

    fn apply(function: Function, x: f32) -> [f32; 2] {
        // On the best instruction set here and on none: both are used by someone.
        let (mut best, mut plain) = ([x; 64], [x; 64]);
        Arch::new().dispatch(Apply(function, &mut best));
        Apply(function, &mut plain).with_simd(pulp::Scalar);
        [best[5], plain[5]]
    }

    #[test]
    fn agree_with_double_precision() {
        let mut worst = [0f64; 3];
        for i in 0..=20_000 {
            let share = f64::from(i) / 20_000.0;
            let exp = -87.0 * share;
            let tiny = 10f64.powf(-30.0 * (1.0 - share));
            let large = 10f64.powf(6.0 * share);
            for (j, (function, x, exact)) in [
                (Function::Exp, exp as f32, f64::from(exp as f32).exp()),
                (Function::Ln1p, tiny as f32, f64::from(tiny as f32).ln_1p()),
                (Function::Ln, large as f32, f64::from(large as f32).ln()),
            ]
            .into_iter()
            .enumerate()
            {
                for value in apply(function, x) {
                    let scale = if exact == 0.0 { 1.0 } else { exact.abs() };
                    worst[j] = worst[j].max((f64::from(value) - exact).abs() / scale);
                }
            }
        }
        // 2⁻²³ is 1.2e-7.
        assert!(worst.iter().all(|&e| e < 2.5e-7), "{worst:?}");
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        for function in [Function::Exp, Function::Ln1p, Function::Ln] {
            assert!(apply(function, f32::NAN).iter().all(|v| v.is_nan()));
        }
        assert!(apply(Function::Ln, f32::INFINITY).iter().all(|v| v.is_nan()));
        assert!(apply(Function::Exp, f32::NEG_INFINITY).iter().all(|&v| v < 1.3e-38));
        assert_eq!(apply(Function::Exp, 0.0), [1.0; 2]);
        assert_eq!(apply(Function::Ln, 1.0), [0.0; 2]);
    }
}
