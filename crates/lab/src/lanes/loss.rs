//! Cross-entropy of the outputs, its gradient, and the accuracy, lane by lane.

use super::math::{exp_of_negative, ln_1p_of_share, ln_from_1};
use pulp::Simd;

/// The outputs of the last layer: output `class`, vector `v` of the tile at `class · vectors + v` of a row.
pub(super) struct Outputs<'a, V> {
    pub values: &'a mut [V],
    pub stride: usize,
    /// Outputs per lane: 1 (logistic) or the number of classes.
    pub outputs: usize,
    /// SIMD vectors per tile.
    pub vectors: usize,
}

/// Adds the loss of every row to `loss` (one element per vector of the tile) and replaces the outputs by the
/// gradient of `weight` × loss with respect to them.
#[inline(always)]
pub(super) fn loss_and_delta<S: Simd>(
    simd: S,
    out: &mut Outputs<'_, S::f32s>,
    labels: &[u32],
    weight: f32,
    loss: &mut [S::f32s],
) {
    let weight = simd.splat_f32s(weight);
    for (row, &label) in out.values.chunks_mut(out.stride).zip(labels) {
        for v in 0..out.vectors {
            let (value, _) = if out.outputs == 1 {
                logistic(simd, &mut row[v], label, weight)
            } else {
                softmax(simd, &mut row[v..], out.vectors, out.outputs, label as usize, Some(weight))
            };
            loss[v] = simd.add_f32s(loss[v], value);
        }
    }
}

/// Adds the loss of every row to `loss` and the number of rows classed rightly to `right`; the outputs are used up.
///
/// The class of a row is the one with the largest output, the first of equals; for logistic regression the second
/// class where the output is above 0.
#[inline(always)]
pub(super) fn loss_and_hits<S: Simd>(
    simd: S,
    out: &mut Outputs<'_, S::f32s>,
    labels: &[u32],
    loss: &mut [S::f32s],
    right: &mut [S::f32s],
) {
    for (row, &label) in out.values.chunks_mut(out.stride).zip(labels) {
        for v in 0..out.vectors {
            let (value, hit) = if out.outputs == 1 {
                logistic(simd, &mut row[v], label, simd.splat_f32s(1.0))
            } else {
                softmax(simd, &mut row[v..], out.vectors, out.outputs, label as usize, None)
            };
            loss[v] = simd.add_f32s(loss[v], value);
            right[v] = simd.add_f32s(right[v], hit);
        }
    }
}

/// Loss and hit (1 or 0) of one row; `z` becomes the gradient.
#[inline(always)]
fn logistic<S: Simd>(simd: S, z: &mut S::f32s, label: u32, weight: S::f32s) -> (S::f32s, S::f32s) {
    let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
    let positive = simd.less_than_f32s(zero, *z);
    let size = simd.abs_f32s(*z);
    // e = exp(−|z|), so that nothing overflows; σ(z) is 1/(1+e) or e/(1+e).
    let e = exp_of_negative(simd, simd.neg_f32s(size));
    let share = simd.div_f32s(one, simd.add_f32s(one, e));
    let sigma = simd.select_f32s(positive, share, simd.mul_f32s(e, share));
    // ln(1 + exp(−margin)) with the margin z for the second class and −z for the first.
    let (wrong, hit, target) = if label == 1 {
        (simd.select_f32s(positive, zero, size), simd.select_f32s(positive, one, zero), one)
    } else {
        (simd.select_f32s(positive, size, zero), simd.select_f32s(positive, zero, one), zero)
    };
    let loss = simd.add_f32s(wrong, ln_1p_of_share(simd, e));
    *z = simd.mul_f32s(weight, simd.sub_f32s(sigma, target));
    (loss, hit)
}

/// Loss and hit (1 or 0) of one row whose outputs stand `step` apart; they become the gradient if `weight` is given.
#[inline(always)]
fn softmax<S: Simd>(
    simd: S,
    row: &mut [S::f32s],
    step: usize,
    outputs: usize,
    label: usize,
    weight: Option<S::f32s>,
) -> (S::f32s, S::f32s) {
    let own = row[label * step];
    let mut largest = row[0];
    let mut hit = simd.splat_f32s(1.0);
    let zero = simd.splat_f32s(0.0);
    for class in 0..outputs {
        let z = row[class * step];
        largest = simd.select_f32s(simd.less_than_f32s(largest, z), z, largest);
        let beaten = if class < label {
            simd.select_f32s(simd.less_than_f32s(z, own), hit, zero)
        } else {
            simd.select_f32s(simd.less_than_f32s(own, z), zero, hit)
        };
        hit = beaten;
    }
    let mut sum = zero;
    for class in 0..outputs {
        let e = exp_of_negative(simd, simd.sub_f32s(row[class * step], largest));
        row[class * step] = e;
        sum = simd.add_f32s(sum, e);
    }
    if let Some(weight) = weight {
        let scale = simd.div_f32s(weight, sum);
        for class in 0..outputs {
            row[class * step] = simd.mul_f32s(row[class * step], scale);
        }
        row[label * step] = simd.sub_f32s(row[label * step], weight);
    }
    (simd.add_f32s(ln_from_1(simd, sum), simd.sub_f32s(largest, own)), hit)
}
