//! How the bound grows when the base rate is off by a factor ρ.

use serde::Serialize;

use crate::error::{Error, require};
use crate::rates::Rates;
use crate::sum::Sum;

/// The robustness ratio R(ρ) of a schedule at its own horizon: the last-iterate bound at base rate ρ·γ* over the
/// bound at γ*, when the distance to the solution stays below D at every step (projection onto a bounded domain).
///
/// The bound of [`crate::Bound`] holds for the updates after any step v as well, with the distance D there, so
///
/// ```text
/// R(ρ) = ½ · min_v [ S₁/(ρ·S_v) + ρ·Q_v/Q₁ ],   S_v = Σ_{t≥v} s_t,   Q_v = s_T g_T² + Σ_{v≤k<T} s_k² g_k² / S_{k+1}
/// ```
///
/// where Q_v/2 is noise plus last-iterate term of the suffix (the double sum of the bound telescopes into it). D
/// and G cancel. As T grows, R tends to the continuum ratio for shapes that end at zero; for a shape of degree p
/// at its end R grows like ρ^{1/(2p+1)}.
///
/// Building it is O(T); each question after that is O(log T).
#[derive(Debug, Clone)]
pub struct Robustness {
    steps: usize,
    end: f64,
    /// Lower convex hull of the points (S₁/S_v, Q_v/Q₁), by rising first coordinate: the others are never best.
    hull: Vec<Suffix>,
}

#[derive(Debug, Clone, Copy)]
struct Suffix {
    start: usize,
    distance: f64,
    noise: f64,
}

/// R at one ρ.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    /// Base rate over the best base rate.
    pub rho: f64,
    /// R(ρ).
    pub ratio: f64,
    /// d log R / d log ρ at this ρ.
    pub exponent: f64,
    /// The averaged iterate's ratio, ½(ρ + 1/ρ): the same for every schedule, for the average weighted by rate.
    pub averaged: f64,
    /// The step whose suffix gives the minimum: what came before it is forgiven.
    pub forgiven_steps: usize,
}

/// The worst case of a grid of base rates of ratio r.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GridRatio {
    /// Ratio of neighbouring grid points.
    pub grid: f64,
    /// sup over ρ in [1, r] of min{R(ρ), R(ρ/r)}: the tuner takes the better of the two neighbours.
    pub ratio: f64,
    /// The offset at which the worst case lies: the upper neighbour's distance above the optimum.
    pub rho: f64,
    /// The same for the averaged iterate.
    pub averaged: f64,
}

/// Offsets of a grid that are looked at.
const OFFSETS: usize = 400;

/// Points closer than this (relative, in distance) to the last kept one are left out: the minimum is flat, so R
/// moves by the square of it.
const SPACING: f64 = 1e-6;

impl Robustness {
    /// R for gradient norms bounded by one constant.
    pub fn of(rates: &Rates) -> Self {
        Self::accumulate(rates, |_| 1.0)
    }

    /// R for one measured gradient norm per update.
    ///
    /// # Errors
    /// If there is not one finite norm above zero per update.
    pub fn with_norms(rates: &Rates, norms: &[f64]) -> Result<Self, Error> {
        Ok(Self::accumulate(rates, rates.squared_norms(Some(norms))?))
    }

    fn accumulate(rates: &Rates, squared_norm: impl Fn(usize) -> f64) -> Self {
        let (mut rate_sum, mut noise) = (Sum::default(), Sum::default());
        let mut hull: Vec<Suffix> = Vec::new();
        for (start, &rate) in rates.moving().iter().enumerate().rev() {
            let after = rate_sum.value();
            let squared = rate * rate * squared_norm(start);
            noise.add(squared / if after > 0.0 { after } else { rate });
            rate_sum.add(rate);
            let point = Suffix { start, distance: 1.0 / rate_sum.value(), noise: noise.value() };
            if start == 0 || hull.last().is_none_or(|last| point.distance < last.distance * (1.0 - SPACING)) {
                push(&mut hull, point);
            }
        }
        hull.reverse();
        if let Some(&Suffix { distance, noise, .. }) = hull.first() {
            for point in &mut hull {
                point.distance /= distance;
                point.noise /= noise;
            }
        }
        Self { steps: rates.steps(), end: rates.end(), hull }
    }

    /// R(ρ) with its local exponent. For ρ ≤ 1 this is ½(ρ + 1/ρ) in all but odd cases: nothing is forgiven.
    ///
    /// # Errors
    /// If ρ is not finite and above zero.
    pub fn at(&self, rho: f64) -> Result<Ratio, Error> {
        require(rho.is_finite() && rho > 0.0, "rho", rho, "finite and above 0")?;
        let best = valley(&self.hull, |point| point.distance / rho + rho * point.noise);
        let Suffix { start, distance, noise } = self.hull[best];
        let (far, near) = (distance / rho, rho * noise);
        Ok(Ratio {
            rho,
            ratio: 0.5 * (far + near),
            exponent: (near - far) / (near + far),
            averaged: averaged(rho),
            forgiven_steps: start,
        })
    }

    /// log R over log ρ between two ρ: the measured exponent of a window.
    ///
    /// # Errors
    /// If a ρ is not finite and above zero, or the two are equal.
    pub fn exponent_between(&self, low: f64, high: f64) -> Result<f64, Error> {
        require(low < high, "the window's upper rho", high, "above its lower rho")?;
        Ok((self.at(high)?.ratio / self.at(low)?.ratio).ln() / (high / low).ln())
    }

    /// The worst case over offsets of a grid of ratio r.
    ///
    /// # Errors
    /// If r is not finite or below 1.
    pub fn grid(&self, grid: f64) -> Result<GridRatio, Error> {
        require(grid.is_finite() && grid >= 1.0, "the grid's ratio", grid, "finite and at least 1")?;
        let better = |log: f64| -> Result<f64, Error> {
            Ok(self.at(log.exp())?.ratio.min(self.at(log.exp() / grid)?.ratio))
        };
        // R need not rise steadily above 1 (a schedule that steps down has a second best rate), so every offset is
        // looked at, and the worst one is then closed in on.
        let (mut step, mut best) = (grid.ln() / OFFSETS as f64, 0.0);
        let mut worst = better(best)?;
        for offset in 1..=OFFSETS {
            let log = step * offset as f64;
            let ratio = better(log)?;
            if ratio > worst {
                (best, worst) = (log, ratio);
            }
        }
        for _ in 0..50 {
            step *= 0.5;
            for log in [best - step, best + step].map(|log| log.clamp(0.0, grid.ln())) {
                let ratio = better(log)?;
                if ratio > worst {
                    (best, worst) = (log, ratio);
                }
            }
        }
        let (rho, ratio) = (best.exp(), worst);
        Ok(GridRatio { grid, ratio, rho, averaged: averaged(grid.sqrt()) })
    }

    /// Updates of the schedule, T.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Where the schedule ends, as a fraction of its largest rate.
    pub fn end(&self) -> f64 {
        self.end
    }
}

/// ½(ρ + 1/ρ).
fn averaged(rho: f64) -> f64 {
    0.5 * (rho + 1.0 / rho)
}

/// Adds a point with a smaller first and a larger second coordinate, and drops those now above the hull.
fn push(hull: &mut Vec<Suffix>, point: Suffix) {
    while let [.., before, last] = hull[..] {
        let turn = (last.distance - before.distance) * (point.noise - before.noise)
            - (last.noise - before.noise) * (point.distance - before.distance);
        if turn < 0.0 {
            break;
        }
        hull.pop();
    }
    hull.push(point);
}

/// Index of the first point after which the cost rises, along points whose cost first falls, then rises.
fn valley<T>(points: &[T], cost: impl Fn(&T) -> f64) -> usize {
    let (mut low, mut high) = (0, points.len().saturating_sub(1));
    while low < high {
        let middle = (low + high) / 2;
        if cost(&points[middle + 1]) < cost(&points[middle]) { low = middle + 1 } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn robustness(steps: usize, shape: impl Fn(f64) -> f64) -> Robustness {
        let rates = (0..steps).map(|t| shape(t as f64 / steps as f64)).collect();
        Robustness::of(&Rates::with_end(rates, shape(1.0)).unwrap())
    }

    fn cosine(u: f64) -> f64 {
        (std::f64::consts::FRAC_PI_2 * (1.0 - u)).sin().powi(2)
    }

    /// The continuum table of the reference, reached at a long horizon.
    #[test]
    fn continuum_table() {
        let wsd = |u: f64| if u < 0.8 { 1.0 } else { (1.0 - u) / 0.2 };
        let root = |u: f64| if u < 0.8 { 1.0 } else { 1.0 - ((u - 0.8) / 0.2).max(0.0).sqrt() };
        let table: [(&str, Robustness, [f64; 6]); 5] = [
            ("linear", robustness(1_000_000, |u| 1.0 - u), [1.191, 1.363, 1.616, 2.036, 2.936, 4.386]),
            (
                "square",
                robustness(1_000_000, |u| (1.0 - u).powi(2)),
                [1.126, 1.221, 1.352, 1.553, 1.935, 2.462],
            ),
            ("cosine", robustness(1_000_000, cosine), [1.185, 1.321, 1.494, 1.744, 2.197, 2.808]),
            ("wsd", robustness(1_000_000, wsd), [1.250, 1.585, 2.033, 2.583, 3.726, 5.566]),
            ("1-sqrt", robustness(1_000_000, root), [1.250, 1.564, 1.955, 2.305, 3.161, 4.632]),
        ];
        for (name, robustness, expected) in table {
            for (rho, ratio) in [2.0, 3.0, 5.0, 10.0, 30.0, 100.0].into_iter().zip(expected) {
                let found = robustness.at(rho).unwrap().ratio;
                assert!((found - ratio).abs() < 1e-3, "{name} R({rho}) = {found}, expected {ratio}");
            }
        }
    }

    #[test]
    fn horizon_matters_where_the_rate_does_not_end_at_zero() {
        let floor = |u: f64| 0.1 + 0.9 * cosine(u);
        for (steps, ratio) in [(400, 2.3), (4_000, 2.6), (1_000_000, 3.1)] {
            let found = robustness(steps, floor).at(10.0).unwrap().ratio;
            assert!((found - ratio).abs() < 0.06, "{steps}: {found}");
        }
        let constant = robustness(4_000, |_| 1.0).at(100.0).unwrap();
        assert!((constant.ratio - 19.3).abs() < 0.06, "{constant:?}");
        assert!((constant.averaged - 50.0).abs() < 0.01);
    }

    #[test]
    fn grids_have_two_neighbours() {
        let linear = robustness(1_000_000, |u| 1.0 - u).grid(10.0).unwrap();
        assert!((linear.ratio - 1.48).abs() < 5e-3, "{linear:?}");
        assert!((linear.averaged - 1.74).abs() < 2e-3, "{linear:?}");
        let none = robustness(100, cosine).grid(1.0).unwrap();
        assert!((none.ratio - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_worst_offset_is_found_where_the_ratio_is_not_monotone() {
        let step = robustness(10_000, |u| {
            if u < 0.5 {
                1.0
            } else if u < 0.75 {
                0.1
            } else {
                0.01
            }
        });
        for grid in [3.0f64, 10.0, 30.0, 100.0] {
            let found = step.grid(grid).unwrap();
            let tried = (0..=20_000).map(|i| grid.powf(f64::from(i) / 20_000.0));
            let ratio = |rho: f64| step.at(rho).unwrap().ratio.min(step.at(rho / grid).unwrap().ratio);
            let worst = tried.map(ratio).fold(0.0, f64::max);
            assert!((found.ratio - worst).abs() < 1e-3 * worst, "{grid}: {found:?} {worst}");
        }
    }

    #[test]
    fn exponents_tend_to_theory() {
        for (power, theory) in [(0.5, 0.5), (1.0, 1.0 / 3.0), (2.0, 0.2), (3.0, 1.0 / 7.0)] {
            let robustness = robustness(1_000_000, |u| (1.0 - u).powf(power));
            let window = robustness.exponent_between(1e3, 1e4).unwrap();
            assert!((window - theory).abs() < 0.02, "{power}: {window}");
        }
    }

    proptest! {
        /// The minimum over every suffix, tried one by one with the bound itself.
        #[test]
        fn agrees_with_trying_every_suffix(
            raw in prop::collection::vec(0.001..1.0f64, 1..40), log_rho in -2.0..3.0f64,
        ) {
            let rho = 10f64.powf(log_rho);
            let bound = |from: usize| crate::Bound::of(&Rates::new(raw[from..].to_vec()).unwrap());
            let gamma = bound(0).best_rate(1.0, 1.0).unwrap();
            let least = (0..raw.len()).map(|v| bound(v).value(rho * gamma, 1.0, 1.0).unwrap())
                .fold(f64::INFINITY, f64::min);
            let expected = least / bound(0).best_value(1.0, 1.0).unwrap();
            let found = Robustness::of(&Rates::new(raw.clone()).unwrap()).at(rho).unwrap();
            prop_assert!((found.ratio / expected - 1.0).abs() < 1e-9, "{} {}", found.ratio, expected);
        }

        /// The local exponent is the derivative, and R never beats the tuned bound by more than its own minimum.
        #[test]
        fn exponent_is_the_slope(log_rho in 0.1..2.0f64) {
            let robustness = robustness(200_000, |u| 1.0 - u);
            let rho = 10f64.powf(log_rho);
            let slope = robustness.exponent_between(rho / 1.001, rho * 1.001).unwrap();
            prop_assert!((robustness.at(rho).unwrap().exponent - slope).abs() < 1e-3);
        }
    }
}
