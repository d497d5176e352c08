//! The schedule that makes the last-iterate bound smallest, with a warm-up and a floor.

use crate::bound::Bound;
use crate::error::{Error, require};
use crate::rates::{Rates, check_norms};
use crate::sum::Sum;

/// The schedule of T updates whose best bound Ω* is smallest.
///
/// With S_k = Σ_{t≥k} η_t the bound's Ω*² is proportional to Q/S₁ with
///
/// ```text
/// Q = g_T² η_T + Σ_{k<T} g_k² η_k² / S_{k+1},   η_k = S_k − S_{k+1},
/// ```
///
/// which is convex in (S₁ … S_T). Without constraints the minimum has a closed recursion from the end,
/// S_{T−1}/S_T = √(1 + g_T²/g_{T−1}²) and r_{k−1} = √(1 + 2(g_k²/g_{k−1}²)(r_k − 1)) for r_k = S_k/S_{k+1}: for
/// constant norms it is close to linear decay (exactly linear in the limit of many steps). With a warm-up or a
/// floor it is found by an interior-point method whose Newton systems are tridiagonal, so each of some dozens of
/// iterations is O(T). The objective is the bound's, so measured norms weigh as they do there.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimum {
    /// The schedule, relative to its peak.
    pub rates: Rates,
    /// Its bound, with the norms that were given.
    pub bound: Bound,
}

/// What the schedule has to respect.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// The first updates rise as (k+1)/n to the peak.
    pub warmup: usize,
    /// No rate after the warm-up is below this fraction of the peak.
    pub floor: f64,
}

impl Optimum {
    /// Finds it for constant gradient norms (`norms` is `None`) or for one measured norm per update.
    ///
    /// # Errors
    /// No steps; a warm-up that leaves no step after it; a floor outside [0, 1]; norms that are not one finite
    /// number above zero per step.
    pub fn find(steps: usize, limits: Limits, norms: Option<&[f64]>) -> Result<Self, Error> {
        if steps == 0 {
            return Err(Error::NoSteps);
        }
        let Limits { warmup, floor } = limits;
        require(warmup < steps, "the warm-up", warmup as f64, "shorter than the horizon")?;
        require((0.0..=1.0).contains(&floor), "the floor", floor, "between 0 and 1")?;
        let weights = match norms {
            Some(norms) => {
                check_norms(norms, steps)?;
                let largest = norms.iter().copied().fold(0.0, f64::max);
                norms.iter().map(|norm| (norm / largest).powi(2)).collect()
            }
            None => vec![1.0; steps],
        };
        let values = match (warmup, floor) {
            (_, 1.0) => ramp(warmup).chain(std::iter::repeat_n(1.0, steps - warmup)).collect(),
            (0, 0.0) => free(&weights),
            _ => constrained(&weights, warmup, floor),
        };
        let rates = if floor > 0.0 { Rates::with_end(values, floor)? } else { Rates::new(values)? };
        let bound = match norms {
            Some(norms) => Bound::with_norms(&rates, norms)?,
            None => Bound::of(&rates),
        };
        Ok(Self { rates, bound })
    }
}

fn ramp(warmup: usize) -> impl Iterator<Item = f64> {
    (1..=warmup).map(move |k| k as f64 / warmup as f64)
}

/// The closed recursion, from the end.
fn free(weights: &[f64]) -> Vec<f64> {
    let mut rates = vec![1.0];
    let mut after = Sum::default();
    after.add(1.0);
    let mut growth = f64::NAN;
    for pair in weights.windows(2).rev() {
        let relative = pair[1] / pair[0];
        let squared = if growth.is_nan() { 1.0 + relative } else { 1.0 + 2.0 * relative * (growth - 1.0) };
        growth = squared.sqrt();
        // growth − 1 without cancellation
        let rate = after.value() * ((squared - 1.0) / (growth + 1.0));
        rates.push(rate);
        after.add(rate);
        if after.value() > 1e200 {
            rates.iter_mut().for_each(|rate| *rate *= 1e-200);
            let total = after.value() * 1e-200;
            after = Sum::default();
            after.add(total);
        }
    }
    rates.reverse();
    let peak = rates.iter().copied().fold(0.0, f64::max);
    rates.iter_mut().for_each(|rate| *rate /= peak);
    rates
}

/// min Q − λ·S₁ over S with floor < η < 1 after the warm-up, λ = Q/S₁ (Dinkelbach), by a log barrier.
fn constrained(weights: &[f64], warmup: usize, floor: f64) -> Vec<f64> {
    let steps = weights.len();
    let mut problem = Problem::new(weights, warmup, floor);
    let free_steps = steps - warmup;
    let mut rates: Vec<f64> = (0..free_steps)
        .map(|k| floor + (1.0 - floor) * (0.05 + 0.9 * (free_steps - k) as f64 / (free_steps + 1) as f64))
        .collect();
    let mut barrier = problem.noise(&rates) / free_steps as f64;
    let last = 1e-12 * barrier;
    while barrier > last {
        for _ in 0..50 {
            let ratio = problem.noise(&rates) / problem.total(&rates);
            problem.set(ratio, barrier);
            let Some(decrement) = problem.newton(&mut rates) else { break };
            if decrement < 1e-3 * barrier * free_steps as f64 {
                break;
            }
        }
        barrier *= 0.2;
    }
    ramp(warmup).chain(rates).collect()
}

/// The barrier problem at one λ and one barrier weight.
struct Problem<'a> {
    weights: &'a [f64],
    warmup: usize,
    floor: f64,
    ratio: f64,
    barrier: f64,
    /// Sum of the ramp from each warm-up step on.
    ramp_sums: Vec<f64>,
    gradient: Vec<f64>,
    diagonal: Vec<f64>,
    off: Vec<f64>,
}

impl<'a> Problem<'a> {
    fn new(weights: &'a [f64], warmup: usize, floor: f64) -> Self {
        let mut ramp_sums: Vec<f64> = vec![0.0; warmup + 1];
        for k in (0..warmup).rev() {
            ramp_sums[k] = ramp_sums[k + 1] + (k + 1) as f64 / warmup as f64;
        }
        let free = weights.len() - warmup;
        let zeros = vec![0.0; free];
        Self {
            weights,
            warmup,
            floor,
            ratio: 0.0,
            barrier: 0.0,
            ramp_sums,
            gradient: zeros.clone(),
            diagonal: zeros.clone(),
            off: zeros,
        }
    }

    fn set(&mut self, ratio: f64, barrier: f64) {
        (self.ratio, self.barrier) = (ratio, barrier);
    }

    fn total(&self, rates: &[f64]) -> f64 {
        rates.iter().sum::<f64>() + self.ramp_sums[0]
    }

    /// Q of the whole schedule.
    fn noise(&self, rates: &[f64]) -> f64 {
        let weights = &self.weights[self.warmup..];
        let (mut after, mut noise) = (0.0, 0.0);
        for (&rate, &weight) in rates.iter().zip(weights).rev() {
            noise += weight * if after > 0.0 { rate * rate / after } else { rate };
            after += rate;
        }
        noise + self.ramp_noise(after, |_, term| term)
    }

    /// Σ over the warm-up of `of(S_{k+1}, g_k² η_k² / S_{k+1})`, given the sum of the rates after it.
    fn ramp_noise(&self, after: f64, of: impl Fn(f64, f64) -> f64) -> f64 {
        (0..self.warmup)
            .map(|k| {
                let rate = (k + 1) as f64 / self.warmup as f64;
                let sum = after + self.ramp_sums[k + 1];
                of(sum, self.weights[k] * rate * rate / sum)
            })
            .sum()
    }

    fn merit(&self, rates: &[f64]) -> f64 {
        let walls: f64 = rates.iter().map(|rate| ((rate - self.floor) * (1.0 - rate)).ln()).sum();
        self.noise(rates) - self.ratio * self.total(rates) - self.barrier * walls
    }

    /// Gradient and tridiagonal Hessian in S_W … S_{T−1}.
    fn expand(&mut self, rates: &[f64]) {
        let weights = &self.weights[self.warmup..];
        self.gradient.fill(0.0);
        self.diagonal.fill(0.0);
        self.off.fill(0.0);
        let mut after = 0.0;
        for k in (0..rates.len()).rev() {
            let (rate, weight) = (rates[k], weights[k]);
            let (above, below) = (rate - self.floor, 1.0 - rate);
            let slope = self.barrier * (1.0 / below - 1.0 / above);
            let curve = self.barrier * (1.0 / (below * below) + 1.0 / (above * above));
            self.gradient[k] += slope;
            self.diagonal[k] += curve;
            if after == 0.0 {
                self.gradient[k] += weight;
            } else {
                // weight·(S_k − S_{k+1})²/S_{k+1}
                let relative = rate / after;
                self.gradient[k] += 2.0 * weight * relative;
                self.gradient[k + 1] -= slope + weight * relative * (2.0 + relative);
                self.diagonal[k] += 2.0 * weight / after;
                self.diagonal[k + 1] += curve + 2.0 * weight / after * (1.0 + relative).powi(2);
                self.off[k] -= curve + 2.0 * weight / after * (1.0 + relative);
            }
            after += rate;
        }
        self.gradient[0] -= self.ratio + self.ramp_noise(after, |sum, term| term / sum);
        self.diagonal[0] += self.ramp_noise(after, |sum, term| 2.0 * term / (sum * sum));
    }

    /// One damped Newton step; gives the decrement, or nothing where no step improves.
    fn newton(&mut self, rates: &mut Vec<f64>) -> Option<f64> {
        self.expand(rates);
        let steps = rates.len();
        // LDLᵀ, then the solve, in place: `gradient` becomes −step.
        let mut squared = 0.0;
        for k in 0..steps {
            if k > 0 {
                let factor = self.off[k - 1] / self.diagonal[k - 1];
                self.diagonal[k] -= factor * self.off[k - 1];
                self.gradient[k] -= factor * self.gradient[k - 1];
            }
            squared += self.gradient[k] * self.gradient[k] / self.diagonal[k];
        }
        let mut next = 0.0;
        for k in (0..steps).rev() {
            next = (self.gradient[k] - self.off[k] * next) / self.diagonal[k];
            self.gradient[k] = next;
        }
        let moves: Vec<f64> =
            (0..steps).map(|k| self.gradient.get(k + 1).copied().unwrap_or(0.0) - self.gradient[k]).collect();
        let room = |(rate, step): (&f64, &f64)| match step.total_cmp(&0.0) {
            std::cmp::Ordering::Less => (self.floor - rate) / step,
            std::cmp::Ordering::Greater => (1.0 - rate) / step,
            std::cmp::Ordering::Equal => f64::INFINITY,
        };
        let mut length = (0.98 * rates.iter().zip(&moves).map(room).fold(f64::INFINITY, f64::min)).min(1.0);
        let before = self.merit(rates);
        for _ in 0..30 {
            let trial: Vec<f64> = rates.iter().zip(&moves).map(|(rate, step)| rate + length * step).collect();
            if self.merit(&trial) < before - 1e-4 * length * squared {
                *rates = trial;
                return Some(squared);
            }
            length *= 0.5;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(rates: &Rates, norms: Option<&[f64]>) -> f64 {
        let bound = norms.map_or_else(|| Bound::of(rates), |norms| Bound::with_norms(rates, norms).unwrap());
        bound.best_value(1.0, 1.0).unwrap()
    }

    #[test]
    fn tends_to_linear_decay_and_beats_it() {
        let linear = |steps: usize| Rates::new((0..steps).map(|t| (steps - t) as f64).collect()).unwrap();
        for steps in [1, 2, 10, 1_000] {
            let best = Optimum::find(steps, Limits::default(), None).unwrap();
            assert!(value(&best.rates, None) <= value(&linear(steps), None) * (1.0 + 1e-14));
        }
        let long = Optimum::find(100_000, Limits::default(), None).unwrap();
        let line = linear(100_000);
        let gap = long.rates.relative().iter().zip(line.relative()).map(|(a, b)| (a - b).abs());
        assert!(gap.fold(0.0, f64::max) < 1e-4);
    }

    #[test]
    fn keeps_its_limits() {
        for (warmup, floor) in [(0, 0.1), (50, 0.0), (50, 0.1), (400, 0.3), (0, 1.0), (20, 1.0), (499, 0.0)] {
            let best = Optimum::find(500, Limits { warmup, floor }, None).unwrap();
            let rates = best.rates.relative();
            for (k, rate) in rates[..warmup].iter().enumerate() {
                assert!((rate - (k + 1) as f64 / warmup as f64).abs() < 1e-9, "{k} {rate}");
            }
            assert!(rates[warmup..].iter().all(|&rate| rate >= floor * (1.0 - 1e-9) && rate <= 1.0));
        }
        assert!(Optimum::find(10, Limits { warmup: 10, floor: 0.0 }, None).is_err());
        assert!(Optimum::find(10, Limits { warmup: 0, floor: f64::NAN }, None).is_err());
        assert!(Optimum::find(0, Limits::default(), None).is_err());
        assert!(Optimum::find(2, Limits::default(), Some(&[1.0])).is_err());
    }

    #[test]
    fn a_long_horizon_is_no_problem() {
        let limits = Limits { warmup: 2_000, floor: 0.1 };
        let best = Optimum::find(100_000, limits, None).unwrap();
        let plain: Vec<f64> = (0..100_000)
            .map(|t| if t < 2_000 { (t + 1) as f64 / 2e3 } else { 1.0 - 0.9 * (t - 2_000) as f64 / 98e3 })
            .collect();
        assert!(value(&best.rates, None) < value(&Rates::new(plain).unwrap(), None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// No small change within the limits makes the bound smaller: by convexity that is the minimum.
        #[test]
        fn nothing_nearby_is_better(
            norms in prop::collection::vec(0.3..3.0f64, 12..40), warmup in 0usize..8, floor in 0.0..0.4f64,
            at in 0usize..40, sign in prop::bool::ANY, constant in prop::bool::ANY,
        ) {
            let floor = if floor < 0.1 { 0.0 } else { floor };
            let norms = (!constant).then_some(&norms[..]).map(<[f64]>::to_vec).unwrap_or(vec![1.0; norms.len()]);
            let best = Optimum::find(norms.len(), Limits { warmup, floor }, Some(&norms)).unwrap();
            let least = value(&best.rates, Some(&norms));
            let mut other = best.rates.relative().to_vec();
            let at = warmup + at % (norms.len() - warmup);
            other[at] = (other[at] + if sign { 1e-3 } else { -1e-3 }).clamp(floor, 1.0);
            prop_assert!(value(&Rates::new(other).unwrap(), Some(&norms)) >= least * (1.0 - 1e-9));
        }
    }
}
