//! One update of all weights of a tile.

use crate::optimizer::{AdamSettings, Optimizer};
use pulp::Simd;

/// Rates and factors of one update. `rates` and `keep` hold one element per vector of the tile.
pub(super) struct Update<'a, V> {
    pub optimizer: Optimizer,
    /// η, for Adam already divided by 1 − β₁ᵗ.
    pub rates: &'a [V],
    /// 1 − ηλ (AdamW).
    pub keep: &'a [V],
    /// λ.
    pub weight_decay: f32,
    /// Number of this update, counted from 1.
    pub count: u64,
}

/// The numbers of one tile, rows of `stride` elements; `first` and `second` are empty where the optimiser needs none.
pub(super) struct Numbers<'a, V> {
    pub weights: &'a mut [V],
    pub first: &'a mut [V],
    pub second: &'a mut [V],
    pub gradient: &'a [V],
    pub stride: usize,
    pub columns: usize,
}

/// 1 − β₁ᵗ: what Adam's rate is divided by.
pub(super) fn rate_divisor(optimizer: Optimizer, count: u64) -> f64 {
    match optimizer {
        Optimizer::Adam(s) | Optimizer::AdamW(s) => 1.0 - power(s.beta1, count),
        _ => 1.0,
    }
}

fn power(base: f64, count: u64) -> f64 {
    base.powf(count as f64)
}

impl<V: Copy> Update<'_, V> {
    /// Moves the weights. `taint` gets 0 × every new weight added: it turns NaN in lanes with a weight that is not finite.
    #[inline(always)]
    pub(super) fn apply<S: Simd<f32s = V>>(&self, simd: S, numbers: &mut Numbers<'_, V>, taint: &mut [V]) {
        let splat = |v: f64| simd.splat_f32s(v as f32);
        let decay = simd.splat_f32s(self.weight_decay);
        let penalised = |g: V, w: V| simd.mul_add_e_f32s(decay, w, g);
        let move_by = |rate: V, w: V, g: V| simd.negate_mul_add_e_f32s(rate, g, w);
        match self.optimizer {
            Optimizer::Sgd => each(simd, numbers, taint, |v, w, _, _, g| {
                *w = move_by(self.rates[v], *w, penalised(g, *w));
            }),
            Optimizer::Momentum { momentum } => {
                let mu = splat(momentum);
                each(simd, numbers, taint, |v, w, b, _, g| {
                    *b = simd.mul_add_e_f32s(mu, *b, penalised(g, *w));
                    *w = move_by(self.rates[v], *w, *b);
                });
            }
            Optimizer::Nesterov { momentum } => {
                let mu = splat(momentum);
                each(simd, numbers, taint, |v, w, b, _, g| {
                    let g = penalised(g, *w);
                    *b = simd.mul_add_e_f32s(mu, *b, g);
                    *w = move_by(self.rates[v], *w, simd.mul_add_e_f32s(mu, *b, g));
                });
            }
            Optimizer::Adam(settings) => {
                let adam = Adam::new(simd, settings, self.count);
                each(simd, numbers, taint, |v, w, m, s, g| {
                    *w = adam.step(simd, self.rates[v], *w, m, s, penalised(g, *w));
                });
            }
            Optimizer::AdamW(settings) => {
                let adam = Adam::new(simd, settings, self.count);
                each(simd, numbers, taint, |v, w, m, s, g| {
                    *w = adam.step(simd, self.rates[v], simd.mul_f32s(*w, self.keep[v]), m, s, g);
                });
            }
        }
    }
}

struct Adam<V> {
    beta1: V,
    rest1: V,
    beta2: V,
    rest2: V,
    root_scale: V,
    eps: V,
}

impl<V: Copy> Adam<V> {
    #[inline(always)]
    fn new<S: Simd<f32s = V>>(simd: S, s: AdamSettings, count: u64) -> Self {
        let splat = |v: f64| simd.splat_f32s(v as f32);
        Self {
            beta1: splat(s.beta1),
            rest1: splat(1.0 - s.beta1),
            beta2: splat(s.beta2),
            rest2: splat(1.0 - s.beta2),
            root_scale: splat(1.0 / (1.0 - power(s.beta2, count)).sqrt()),
            eps: splat(s.eps),
        }
    }

    /// The new weight.
    #[inline(always)]
    fn step<S: Simd<f32s = V>>(&self, simd: S, rate: V, w: V, m: &mut V, s: &mut V, g: V) -> V {
        *m = simd.mul_add_e_f32s(self.beta1, *m, simd.mul_f32s(self.rest1, g));
        *s = simd.mul_add_e_f32s(self.beta2, *s, simd.mul_f32s(self.rest2, simd.mul_f32s(g, g)));
        let root = simd.mul_add_e_f32s(simd.sqrt_f32s(*s), self.root_scale, self.eps);
        simd.negate_mul_add_e_f32s(rate, simd.div_f32s(*m, root), w)
    }
}

/// Calls `rule(v, w, first, second, g)` for every weight; `v` is the vector of the tile that it belongs to.
#[inline(always)]
fn each<S: Simd>(
    simd: S,
    numbers: &mut Numbers<'_, S::f32s>,
    taint: &mut [S::f32s],
    rule: impl Fn(usize, &mut S::f32s, &mut S::f32s, &mut S::f32s, S::f32s),
) {
    let zero = simd.splat_f32s(0.0);
    let (stride, columns) = (numbers.stride, numbers.columns);
    let rows = numbers.weights.len() / stride;
    let mask = taint.len() - 1;
    let (mut no_first, mut no_second) = (zero, zero);
    let mut spoiled = [zero; 4];
    for r in 0..rows {
        let range = r * stride..r * stride + columns;
        let weights = &mut numbers.weights[range.clone()];
        let gradient = &numbers.gradient[range.clone()];
        let first = numbers.first.get_mut(range.clone()).unwrap_or_default();
        let second = numbers.second.get_mut(range).unwrap_or_default();
        for c in 0..columns {
            let m = if first.is_empty() { &mut no_first } else { &mut first[c] };
            let s = if second.is_empty() { &mut no_second } else { &mut second[c] };
            let w = &mut weights[c];
            rule(c & mask, w, m, s, gradient[c]);
            spoiled[c & mask & 3] = simd.mul_add_e_f32s(*w, zero, spoiled[c & mask & 3]);
        }
    }
    for (taint, spoiled) in taint.iter_mut().zip(spoiled) {
        *taint = simd.add_f32s(*taint, spoiled);
    }
}
