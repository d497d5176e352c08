//! A loss in one dimension with two basins, walked down by noisy gradient steps.

use crate::random::{Random, Stream};

/// f(x) = (x² − 1)² + tilt·x: a better basin near −1, a poorer one near +1, and a hill between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Basins {
    /// By how much the basins differ: about 2·tilt. Above 1.5 there is only one.
    pub tilt: f64,
    /// Standard deviation of the noise of a gradient.
    pub noise: f64,
}

impl Basins {
    /// f(x).
    pub fn loss(&self, x: f64) -> f64 {
        (x * x - 1.0).powi(2) + self.tilt * x
    }

    /// f′(x).
    pub fn gradient(&self, x: f64) -> f64 {
        4.0 * x * (x * x - 1.0) + self.tilt
    }

    /// f″(x).
    pub fn curvature(&self, x: f64) -> f64 {
        12.0 * x * x - 4.0
    }

    /// The place at which f′ vanishes next to `start`, by Newton's method.
    pub fn stationary(&self, start: f64) -> f64 {
        (0..50).fold(start, |x, _| x - self.gradient(x) / self.curvature(x))
    }

    /// Where a walk from `start` ends that takes one step per rate, each against the gradient plus noise that is
    /// uniform in ±√3 standard deviations. The noise is that of `seed`.
    pub fn walk(&self, start: f64, rates: &[f64], seed: u64) -> f64 {
        let mut random = Random::new(seed, Stream::Walk);
        let width = 12f64.sqrt() * self.noise;
        rates.iter().fold(start, |x, rate| x - rate * (self.gradient(x) + width * (random.uniform() - 0.5)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_loss_and_basins_are_where_it_vanishes() {
        let basins = Basins { tilt: 0.3, noise: 0.0 };
        for x in [-1.7, -0.3, 0.2, 1.4] {
            let slope = (basins.loss(x + 1e-6) - basins.loss(x - 1e-6)) / 2e-6;
            assert!((basins.gradient(x) - slope).abs() < 1e-6);
            let bend = (basins.gradient(x + 1e-6) - basins.gradient(x - 1e-6)) / 2e-6;
            assert!((basins.curvature(x) - bend).abs() < 1e-6);
        }
        let (poor, good, hill) = (basins.stationary(1.0), basins.stationary(-1.0), basins.stationary(0.0));
        assert!(basins.loss(good) < basins.loss(poor) && basins.loss(poor) < basins.loss(hill));
        for x in [poor, good, hill] {
            assert!(basins.gradient(x).abs() < 1e-12);
            assert!((basins.walk(x, &[0.05; 100], 3) - x).abs() < 1e-9, "without noise nothing moves");
        }
    }

    #[test]
    fn noise_has_its_deviation_and_a_seed_its_walk() {
        let flat = Basins { tilt: 0.0, noise: 2.0 };
        let steps: Vec<f64> = (0..4000).map(|seed| flat.walk(1.0, &[0.1], seed) - 1.0).collect();
        let mean = steps.iter().sum::<f64>() / 4000.0;
        let deviation = (steps.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / 4000.0).sqrt();
        assert!(mean.abs() < 0.01 && (deviation - 0.2).abs() < 0.01, "{mean} {deviation}");
        assert_eq!(flat.walk(1.0, &[0.1; 9], 7), flat.walk(1.0, &[0.1; 9], 7));
    }
}
