//! The two loops that fill a slice with a linear or a cosine ramp, compiled for the widest vectors of the machine.
//!
//! All versions are the same Rust code without fused multiply-add, so they give the same bits.
use crate::math::sin_half_pi;

/// A ramp at whole steps: share `start` + `sign`·i of `length`, and the levels at share 1 and 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ramp {
    pub start: f64,
    pub sign: f64,
    pub length: f64,
    pub at_one: f64,
    pub at_zero: f64,
}

/// A mean of two levels that is exact at both ends and has no cancellation: share·one + (1 − share)·zero.
#[inline(always)]
pub(crate) fn mix(share: f64, at_one: f64, at_zero: f64) -> f64 {
    share * at_one + (1.0 - share) * at_zero
}

/// sin²(π/2·share) between two levels.
pub(crate) fn cosine(ramp: Ramp, out: &mut [f64]) {
    dispatch::<true>(ramp, out);
}

/// A straight line between two levels.
pub(crate) fn linear(ramp: Ramp, out: &mut [f64]) {
    dispatch::<false>(ramp, out);
}

#[inline(always)]
fn body<const COSINE: bool>(ramp: Ramp, out: &mut [f64]) {
    // Chunks, so that the counter fits 32 bits, for which every instruction set can convert to floats.
    let mut start = ramp.start;
    for chunk in out.chunks_mut(1 << 30) {
        for (i, rate) in chunk.iter_mut().enumerate() {
            let share = (start + ramp.sign * f64::from(i as i32)) / ramp.length;
            let share = if COSINE {
                let sine = sin_half_pi(share);
                sine * sine
            } else {
                share
            };
            *rate = mix(share, ramp.at_one, ramp.at_zero);
        }
        start += ramp.sign * chunk.len() as f64;
    }
}

#[cfg(all(feature = "std", target_arch = "x86_64"))]
fn dispatch<const COSINE: bool>(ramp: Ramp, out: &mut [f64]) {
    #[target_feature(enable = "avx512f")]
    fn avx512<const COSINE: bool>(ramp: Ramp, out: &mut [f64]) {
        body::<COSINE>(ramp, out);
    }

    #[target_feature(enable = "avx2")]
    fn avx2<const COSINE: bool>(ramp: Ramp, out: &mut [f64]) {
        body::<COSINE>(ramp, out);
    }

    if std::arch::is_x86_feature_detected!("avx512f") {
        // SAFETY: the machine has AVX-512F.
        unsafe { avx512::<COSINE>(ramp, out) }
    } else if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the machine has AVX2.
        unsafe { avx2::<COSINE>(ramp, out) }
    } else {
        body::<COSINE>(ramp, out);
    }
}

#[cfg(not(all(feature = "std", target_arch = "x86_64")))]
fn dispatch<const COSINE: bool>(ramp: Ramp, out: &mut [f64]) {
    body::<COSINE>(ramp, out);
}
