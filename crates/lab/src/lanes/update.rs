//! One update of all weights of a tile.

use super::kernel::array;
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

/// The numbers of one layer in rows of `stride` elements; a state that the optimiser does not need is empty.
pub(super) struct Numbers<'a, V> {
    pub weights: &'a mut [V],
    pub state: [&'a mut [V]; 2],
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
    /// Moves the weights. `taint` gets 0 × every new weight added: it turns NaN in lanes with a weight that is not
    /// finite.
    #[inline(always)]
    pub(super) fn apply<S: Simd<f32s = V>>(&self, simd: S, numbers: &mut Numbers<'_, V>, taint: &mut [V]) {
        let splat = |v: f64| simd.splat_f32s(v as f32);
        let decay = simd.splat_f32s(self.weight_decay);
        let penalised = |g: V, w: V| simd.mul_add_e_f32s(decay, w, g);
        let move_by = |rate: V, w: V, g: V| simd.negate_mul_add_e_f32s(rate, g, w);
        match self.optimizer {
            Optimizer::Sgd => {
                self.each(simd, numbers, taint, |rate, _, w, [], g| (move_by(rate, w, penalised(g, w)), []))
            }
            Optimizer::Momentum { momentum } => {
                let mu = splat(momentum);
                self.each(simd, numbers, taint, |rate, _, w, [b], g| {
                    let b = simd.mul_add_e_f32s(mu, b, penalised(g, w));
                    (move_by(rate, w, b), [b])
                });
            }
            Optimizer::Nesterov { momentum } => {
                let mu = splat(momentum);
                self.each(simd, numbers, taint, |rate, _, w, [b], g| {
                    let g = penalised(g, w);
                    let b = simd.mul_add_e_f32s(mu, b, g);
                    (move_by(rate, w, simd.mul_add_e_f32s(mu, b, g)), [b])
                });
            }
            Optimizer::Adam(settings) => {
                let adam = Adam::new(simd, settings, self.count);
                self.each(simd, numbers, taint, |rate, _, w, moments, g| {
                    adam.step(simd, rate, w, moments, penalised(g, w))
                });
            }
            Optimizer::AdamW(settings) => {
                let adam = Adam::new(simd, settings, self.count);
                self.each(simd, numbers, taint, |rate, keep, w, moments, g| {
                    adam.step(simd, rate, simd.mul_f32s(w, keep), moments, g)
                });
            }
        }
    }

    /// Replaces every weight w and its state by `rule(rate, keep, w, state, g)`.
    #[inline(always)]
    fn each<S: Simd<f32s = V>, const N: usize>(
        &self,
        simd: S,
        numbers: &mut Numbers<'_, V>,
        taint: &mut [V],
        rule: impl Fn(V, V, V, [V; N], V) -> (V, [V; N]),
    ) {
        let zero = simd.splat_f32s(0.0);
        // The vectors of a tile (1, 2 or 4) take turns along a row.
        let mask = taint.len() - 1;
        let rates: [V; TURNS] = array(zero, |j| self.rates[j & mask]);
        let keep: [V; TURNS] = array(zero, |j| self.keep[j & mask]);
        let mut spoiled = [zero; TURNS];
        let (stride, columns) = (numbers.stride, numbers.columns);
        for start in (0..numbers.weights.len()).step_by(stride) {
            let mut parts = Parts { numbers, rates, keep, spoiled: &mut spoiled, rule: &rule };
            let mut c = 0;
            while c < columns {
                match columns - c {
                    1 => parts.step::<S, N, 1>(simd, start + c),
                    2 => parts.step::<S, N, 2>(simd, start + c),
                    3 => parts.step::<S, N, 3>(simd, start + c),
                    _ => parts.step::<S, N, TURNS>(simd, start + c),
                }
                c += TURNS;
            }
        }
        for (j, spoiled) in spoiled.into_iter().enumerate() {
            taint[j & mask] = simd.add_f32s(taint[j & mask], spoiled);
        }
    }
}

/// Weights are moved so many at a time: the most vectors that a tile can have.
const TURNS: usize = 4;

struct Parts<'a, 'n, V, F> {
    numbers: &'a mut Numbers<'n, V>,
    rates: [V; TURNS],
    keep: [V; TURNS],
    spoiled: &'a mut [V; TURNS],
    rule: &'a F,
}

impl<V: Copy, F> Parts<'_, '_, V, F> {
    /// Moves the weights `start..start + K` of a row.
    #[inline(always)]
    fn step<S: Simd<f32s = V>, const N: usize, const K: usize>(&mut self, simd: S, start: usize)
    where
        F: Fn(V, V, V, [V; N], V) -> (V, [V; N]),
    {
        let zero = simd.splat_f32s(0.0);
        let gradient = &self.numbers.gradient[start..][..K];
        let weights = &mut self.numbers.weights[start..][..K];
        let mut states = [[zero; N]; K];
        for (n, state) in self.numbers.state.iter().enumerate().take(N) {
            for (values, &value) in states.iter_mut().zip(&state[start..][..K]) {
                values[n] = value;
            }
        }
        for j in 0..K {
            (weights[j], states[j]) =
                (self.rule)(self.rates[j], self.keep[j], weights[j], states[j], gradient[j]);
            self.spoiled[j] = simd.mul_add_e_f32s(weights[j], zero, self.spoiled[j]);
        }
        for (n, state) in self.numbers.state.iter_mut().enumerate().take(N) {
            for (value, values) in state[start..][..K].iter_mut().zip(&states) {
                *value = values[n];
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

    /// The new weight and the new moments.
    #[inline(always)]
    fn step<S: Simd<f32s = V>>(&self, simd: S, rate: V, w: V, [m, s]: [V; 2], g: V) -> (V, [V; 2]) {
        let m = simd.mul_add_e_f32s(self.beta1, m, simd.mul_f32s(self.rest1, g));
        let s = simd.mul_add_e_f32s(self.beta2, s, simd.mul_f32s(self.rest2, simd.mul_f32s(g, g)));
        let root = simd.mul_add_e_f32s(simd.sqrt_f32s(s), self.root_scale, self.eps);
        (simd.negate_mul_add_e_f32s(rate, simd.div_f32s(m, root), w), [m, s])
    }
}
