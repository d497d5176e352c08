//! Mixtures of product kernels over the unit cube.
use crate::history::History;
use crate::space::Space;
use crate::stream::Stream;
use crate::vector::vectorized;

/// Kernels are handled in blocks of this many, so that the loops over them need no remainder.
const BLOCK: usize = 8;

/// Bits for the number of a kernel in a sort key, and how many places of the unit interval the other bits tell apart.
const INDEX_BITS: u32 = 22;
const PLACES: f64 = (1u64 << 40) as f64;

/// One free parameter, as the kernels see it.
pub(super) struct Dimension<'a> {
    /// Places in [0, 1] of all trials; NaN where inactive.
    unit: &'a [f64],
    /// Number of choices without order; 0 for numbers.
    choices: usize,
    /// Smallest kernel width: half of a countable value's share.
    floor: f64,
    /// Whether it can be inactive.
    conditional: bool,
}

impl<'a> Dimension<'a> {
    pub(super) fn new(space: &Space, history: &'a History, parameter: usize) -> Self {
        let domain = &space.parameters()[parameter].domain;
        let levels = domain.levels().unwrap_or(0);
        let choices = if domain.is_categorical() { levels as usize } else { 0 };
        let floor = if levels == 0 { 0.0 } else { 0.5 / levels as f64 };
        let conditional = space.parameters()[parameter].can_be_absent();
        Dimension { unit: history.unit(parameter), choices, floor, conditional }
    }

    /// The choice at a place in [0, 1].
    fn choice(&self, u: f64) -> f64 {
        ((u * self.choices as f64) as usize).min(self.choices - 1) as f64
    }
}

/// A mixture with one kernel per trial and one broad prior, in single precision (enough to rank candidates).
pub(super) struct Mixture {
    /// Number of kernels with the prior.
    kernels: usize,
    /// The same, rounded up to whole blocks.
    padded: usize,
    /// Cumulated weights of the kernels, for drawing.
    cumulated: Vec<f64>,
    /// Logarithm of weight over normalisation, per kernel; −∞ for padding.
    offset: Vec<f32>,
    /// The factors of the kernels, one per dimension.
    factors: Vec<Factor>,
}

/// What one dimension contributes to each kernel.
struct Factor {
    /// Place of a number, index of a choice.
    centre: Vec<f32>,
    /// 1/(σ√2) of a number, 1 for a choice; 0 where the kernel is flat.
    sharpness: Vec<f32>,
    /// What the log density loses off the kernel's own choice (0 for numbers).
    penalty: f32,
    /// Logarithms of the normalisation, if they are not in the mixture's offset because the parameter can be inactive.
    own_offset: Option<Vec<f32>>,
}

impl Mixture {
    /// Fits the mixture to trials and their weights.
    pub(super) fn fit(dimensions: &[Dimension], trials: &[(u32, f64)]) -> Mixture {
        let kernels = trials.len() + 1;
        let padded = kernels.next_multiple_of(BLOCK);
        let total: f64 = trials.iter().map(|t| t.1).sum::<f64>() + 1.0;
        let mut cumulated = Vec::with_capacity(kernels);
        let mut offset = Vec::with_capacity(padded);
        let mut sum = 0.0;
        for weight in trials.iter().map(|t| t.1).chain([1.0]) {
            sum += weight / total;
            cumulated.push(sum);
            offset.push((weight / total).ln() as f32);
        }
        offset.resize(padded, f32::NEG_INFINITY);
        let mut order = Vec::with_capacity(trials.len());
        let mut mass = vec![1.0f32; padded];
        let mut unfolded = 0;
        let mut factors = Vec::with_capacity(dimensions.len());
        for dimension in dimensions {
            let mut factor = Factor::fit(dimension, trials, padded, &mut order);
            if dimension.conditional {
                let mut own = vec![1.0f32; padded];
                factor.normalise(dimension, &mut own);
                own.iter_mut().for_each(|m| *m = m.ln());
                factor.own_offset = Some(own);
            } else {
                factor.normalise(dimension, &mut mass);
                unfolded += 1;
            }
            if unfolded == MOST_UNFOLDED {
                fold(&mut offset, &mut mass);
                unfolded = 0;
            }
            factors.push(factor);
        }
        fold(&mut offset, &mut mass);
        Mixture { kernels, padded, cumulated, offset, factors }
    }

    /// Draws a point: the places of numbers, and the middle of its share for a choice.
    pub(super) fn draw(&self, dimensions: &[Dimension], stream: &mut Stream, point: &mut [f64]) {
        let u = stream.uniform() * self.cumulated.last().copied().unwrap_or(1.0);
        let kernel = self.cumulated.partition_point(|&c| c <= u).min(self.kernels - 1);
        for ((factor, dimension), place) in self.factors.iter().zip(dimensions).zip(point) {
            let (centre, sharpness) = (f64::from(factor.centre[kernel]), f64::from(factor.sharpness[kernel]));
            *place = match (dimension.choices, sharpness == 0.0) {
                (0, true) => stream.uniform(),
                (0, false) => truncated_normal(centre, std::f64::consts::FRAC_1_SQRT_2 / sharpness, stream),
                (k, true) => (stream.below(k) as f64 + 0.5) / k as f64,
                (k, false) => (draw_choice(centre, k, f64::from(factor.penalty), stream) + 0.5) / k as f64,
            };
        }
    }

    /// The logarithm of the density at a point, up to a constant that two mixtures over the same dimensions share. A NaN
    /// place (an inactive parameter) is left out.
    pub(super) fn log_density(&self, dimensions: &[Dimension], point: &[f64], scratch: &mut Vec<f32>) -> f32 {
        vectorized(
            #[inline(always)]
            || {
                scratch.clear();
                scratch.extend_from_slice(&self.offset);
                for ((&u, factor), dimension) in point.iter().zip(&self.factors).zip(dimensions) {
                    if u.is_nan() {
                        continue;
                    }
                    if let Some(own) = &factor.own_offset {
                        scratch.iter_mut().zip(own).for_each(|(s, o)| *s += o);
                    }
                    let scratch = &mut scratch[..self.padded];
                    if dimension.choices > 0 {
                        factor.subtract_mismatches(scratch, dimension.choice(u) as f32);
                    } else {
                        factor.subtract_squares(scratch, u as f32);
                    }
                }
                log_sum_exp(scratch)
            },
        )
    }
}

/// Products of so many normalisations stay within single precision: each is between 10⁻¹ and 10².
const MOST_UNFOLDED: usize = 16;

/// Moves the product of normalisations into the logarithms.
fn fold(offset: &mut [f32], mass: &mut [f32]) {
    offset.iter_mut().zip(mass).for_each(|(o, m)| *o += std::mem::replace(m, 1.0).ln());
}

impl Factor {
    fn fit(dimension: &Dimension, trials: &[(u32, f64)], padded: usize, order: &mut Vec<u64>) -> Factor {
        let mut factor = Factor {
            centre: vec![0.5; padded],
            sharpness: vec![0.0; padded],
            penalty: 0.0,
            own_offset: None,
        };
        let places = trials.iter().map(|&(t, _)| dimension.unit[t as usize]);
        if dimension.choices > 0 {
            // Each kernel gives its own choice 1 + p parts and every other p, with one part more for each kernel.
            factor.penalty = (2.0 + trials.len() as f64).ln() as f32;
            for (k, u) in places.enumerate().filter(|(_, u)| !u.is_nan()) {
                factor.centre[k] = dimension.choice(u) as f32;
                factor.sharpness[k] = 1.0;
            }
            return factor;
        }
        order.clear();
        // One whole number per kernel, its place in the high bits: these sort much faster than pairs.
        let packed = |(k, u): (usize, f64)| (((u * PLACES) as u64) << INDEX_BITS) | k as u64;
        order.extend(places.enumerate().filter(|(_, u)| !u.is_nan()).map(packed));
        order.sort_unstable();
        let n = order.len();
        let place = |i: usize| (order[i] >> INDEX_BITS) as f64 * (1.0 / PLACES);
        let narrowest = (1.0 / (n as f64 + 2.0).min(100.0)).max(dimension.floor);
        for (i, packed) in order.iter().enumerate() {
            let (u, k) = (place(i), packed & ((1 << INDEX_BITS) - 1));
            // The distance to the farther neighbour; an outermost trial has one, a single one the ends of the interval.
            let left = if i > 0 {
                u - place(i - 1)
            } else if n == 1 {
                u
            } else {
                0.0
            };
            let right = if i + 1 < n {
                place(i + 1) - u
            } else if n == 1 {
                1.0 - u
            } else {
                0.0
            };
            let sigma = left.max(right).clamp(narrowest, 1.0);
            factor.centre[k as usize] = u as f32;
            factor.sharpness[k as usize] = (std::f64::consts::FRAC_1_SQRT_2 / sigma) as f32;
        }
        // The prior, behind the trials: a normal as wide as the interval.
        factor.sharpness[trials.len()] = std::f32::consts::FRAC_1_SQRT_2;
        factor
    }

    /// Multiplies the factor's normalisation into `mass`.
    fn normalise(&self, dimension: &Dimension, mass: &mut [f32]) {
        if dimension.choices > 0 {
            let k = dimension.choices as f32;
            let own = 1.0 / (1.0 + (k - 1.0) * (-self.penalty).exp());
            let uniform = 1.0 / k;
            mass.iter_mut()
                .zip(&self.sharpness)
                .for_each(|(m, &s)| *m *= if s == 0.0 { uniform } else { own });
            return;
        }
        const INV_SQRT_PI: f32 = 0.564_189_6;
        vectorized(
            #[inline(always)]
            || {
                for ((m, &c), &s) in mass.iter_mut().zip(&self.centre).zip(&self.sharpness) {
                    let inside = 0.5 * (erf((1.0 - c) * s) + erf(c * s));
                    *m *= if s == 0.0 { 1.0 } else { s * INV_SQRT_PI / inside };
                }
            },
        );
    }

    #[inline(always)]
    fn subtract_squares(&self, scratch: &mut [f32], u: f32) {
        for ((s, &c), &sharpness) in scratch.iter_mut().zip(&self.centre).zip(&self.sharpness) {
            let t = (u - c) * sharpness;
            *s -= t * t;
        }
    }

    #[inline(always)]
    fn subtract_mismatches(&self, scratch: &mut [f32], choice: f32) {
        for ((s, &c), &sharpness) in scratch.iter_mut().zip(&self.centre).zip(&self.sharpness) {
            *s -= if c == choice { 0.0 } else { self.penalty * sharpness };
        }
    }
}

/// Draws the kernel's own choice, or one of the others, each e^−penalty times as likely.
fn draw_choice(own: f64, choices: usize, penalty: f64, stream: &mut Stream) -> f64 {
    let stay = 1.0 / (1.0 + (choices as f64 - 1.0) * (-penalty).exp());
    if stream.uniform() < stay || choices < 2 {
        return own;
    }
    let other = stream.below(choices - 1) as f64;
    if other >= own { other + 1.0 } else { other }
}

/// Draws from a normal cut to [0, 1], by rejection: with its centre inside, at least a third is accepted.
fn truncated_normal(centre: f64, sigma: f64, stream: &mut Stream) -> f64 {
    for _ in 0..64 {
        let x = centre + sigma * stream.normal();
        if (0.0..=1.0).contains(&x) {
            return x;
        }
    }
    centre
}

/// e^x for x ≤ 0 to 2·10⁻⁷ (relative), 0 below −87; written so that the compiler can vectorise it.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5·2²³: adding it rounds to a whole number in the low bits.
    let clamped = x.max(-87.0);
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let r = (clamped - whole * 0.693_359_4) + whole * 2.121_944_4e-4;
    let p = 1.0
        + r * (1.0
            + r * (0.5 + r * (1.666_654_6e-1 + r * (4.166_579_6e-2 + r * (8.333_452e-3 + r * 1.398_2e-3)))));
    let scale = f32::from_bits((shifted.to_bits().wrapping_add(127)) << 23);
    if x < -87.0 { 0.0 } else { p * scale }
}

/// erf(x) for x ≥ 0 to 10⁻⁶ (absolute). Source: Abramowitz and Stegun 7.1.26.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let p = t * (0.254_829_6 + t * (-0.284_496_74 + t * (1.421_413_7 + t * (-1.453_152 + t * 1.061_405_4))));
    1.0 - p * exp(-x * x)
}

/// ln Σ eˣ over whole blocks.
#[inline(always)]
fn log_sum_exp(x: &[f32]) -> f32 {
    let mut top = [f32::NEG_INFINITY; BLOCK];
    for block in x.chunks_exact(BLOCK) {
        top.iter_mut().zip(block).for_each(|(t, &x)| *t = if x > *t { x } else { *t });
    }
    let top = top.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if top == f32::NEG_INFINITY {
        return top;
    }
    let mut sum = [0.0f32; BLOCK];
    for block in x.chunks_exact(BLOCK) {
        sum.iter_mut().zip(block).for_each(|(s, &x)| *s += exp(x - top));
    }
    top + sum.iter().sum::<f32>().ln()
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
