//! The last-iterate bound of Schaipp, Hägele, Taylor, Simsekli and Bach (arXiv 2501.18965) for any schedule.

use serde::Serialize;

use crate::error::{Error, require};
use crate::rates::Rates;
use crate::sum::Sum;

/// The bound on E f(x_T) − f* for projected SGD on a convex function, split into its three terms at base rate 1
/// and D = G = 1. With rates η_t = γ·s_t, t = 1 … T,
///
/// ```text
/// Ω(γ) = D²·t₁/γ + γG²·(t₂ + t₃)
/// t₁ = 1 / (2 Σ s_t)                                                    distance
/// t₂ = Σ s_t² g_t² / (2 Σ s_t)                                          noise
/// t₃ = ½ Σ_{k<T} [s_k / Σ_{t>k} s_t]·[Σ_{t≥k} s_t² g_t² / Σ_{t≥k} s_t]   last iterate
/// ```
///
/// D is the distance from the start to the solution, G bounds the gradient norm, g_t are measured norms relative
/// to G (1 where none were measured). One pass from the end with compensated sums: O(T).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bound {
    /// Updates of the schedule, T.
    pub steps: usize,
    /// t₁, in units of 1/rate.
    pub distance: f64,
    /// t₂, in units of rate.
    pub noise: f64,
    /// t₃, in units of rate.
    pub last_iterate: f64,
}

impl Bound {
    /// The terms for gradient norms that are bounded by one constant.
    pub fn of(rates: &Rates) -> Self {
        Self::accumulate(rates, |_| 1.0)
    }

    /// The terms for one measured gradient norm per update; use G = 1 with them.
    ///
    /// # Errors
    /// If there is not one finite norm above zero per update.
    pub fn with_norms(rates: &Rates, norms: &[f64]) -> Result<Self, Error> {
        Ok(Self::accumulate(rates, rates.squared_norms(Some(norms))?))
    }

    fn accumulate(rates: &Rates, squared_norm: impl Fn(usize) -> f64) -> Self {
        let (mut rate_sum, mut noise_sum, mut last_iterate) =
            (Sum::default(), Sum::default(), Sum::default());
        for (step, &rate) in rates.moving().iter().enumerate().rev() {
            let after = rate_sum.value();
            rate_sum.add(rate);
            noise_sum.add(rate * rate * squared_norm(step));
            if after > 0.0 {
                last_iterate.add(rate / after * (noise_sum.value() / rate_sum.value()));
            }
        }
        let (total, peak) = (rate_sum.value(), rates.peak());
        Self {
            steps: rates.steps(),
            distance: 0.5 / total / peak,
            noise: 0.5 * noise_sum.value() / total * peak,
            last_iterate: 0.5 * last_iterate.value() * peak,
        }
    }

    /// γ* = (D/G)·√(t₁/(t₂+t₃)): the factor on the given rates at which the bound is smallest. For a schedule
    /// relative to its peak this is the best base rate.
    ///
    /// # Errors
    /// If D or G is not finite and above zero.
    pub fn best_rate(&self, distance: f64, gradient: f64) -> Result<f64, Error> {
        check_scales(distance, gradient)?;
        Ok(distance / gradient * (self.distance / (self.noise + self.last_iterate)).sqrt())
    }

    /// Ω* = 2DG·√(t₁(t₂+t₃)): the bound at γ*.
    ///
    /// # Errors
    /// If D or G is not finite and above zero.
    pub fn best_value(&self, distance: f64, gradient: f64) -> Result<f64, Error> {
        check_scales(distance, gradient)?;
        Ok(2.0 * distance * gradient * (self.distance * (self.noise + self.last_iterate)).sqrt())
    }

    /// Ω(γ) = D²·t₁/γ + γG²·(t₂ + t₃).
    ///
    /// # Errors
    /// If γ, D or G is not finite and above zero.
    pub fn value(&self, rate: f64, distance: f64, gradient: f64) -> Result<f64, Error> {
        check_scales(distance, gradient)?;
        require(rate.is_finite() && rate > 0.0, "the base rate", rate, "finite and above 0")?;
        Ok(distance * distance * self.distance / rate
            + rate * gradient * gradient * (self.noise + self.last_iterate))
    }

    /// γ*·√T at D = G = 1: what a horizon leaves of the best rate when its own 1/√T is taken out. For shapes
    /// that end at zero it tends to 1/√(H(0)Q(0)) of the shape.
    pub fn shape_factor(&self) -> f64 {
        (self.steps as f64 * self.distance / (self.noise + self.last_iterate)).sqrt()
    }
}

fn check_scales(distance: f64, gradient: f64) -> Result<(), Error> {
    require(distance.is_finite() && distance > 0.0, "the distance D", distance, "finite and above 0")?;
    require(gradient.is_finite() && gradient > 0.0, "the gradient bound G", gradient, "finite and above 0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rates(steps: usize, shape: impl Fn(usize) -> f64) -> Rates {
        Rates::new((0..steps).map(shape).collect()).unwrap()
    }

    /// The values of the published code for the first 400 of 401 points, D = G = 1. Lehr's own curves follow the
    /// same convention (the end level belongs to the update after the last).
    #[test]
    fn published_values() {
        let cosine = |t: usize| 0.5 * (1.0 + (std::f64::consts::PI * t as f64 / 400.0).cos());
        let wsd = |t: usize| if t < 320 { 1.0 } else { (400 - t) as f64 / 80.0 };
        for (name, rates, gamma, omega) in [
            ("constant", rates(400, |_| 1.0), 0.0181758951, 0.1375448081),
            ("linear", rates(400, |t| (400 - t) as f64 / 400.0), 0.0495631307, 0.1006298654),
            ("wsd", rates(400, wsd), 0.0253736614, 0.1093230125),
            ("cosine", rates(400, cosine), 0.0482418869, 0.1033859059),
        ] {
            let bound = Bound::of(&rates);
            let found = (bound.best_rate(1.0, 1.0).unwrap(), bound.best_value(1.0, 1.0).unwrap());
            assert!((found.0 - gamma).abs() < 1e-10 && (found.1 - omega).abs() < 1e-10, "{name} {found:?}");
        }
    }

    #[test]
    fn constant_at_ten_million_steps_is_the_harmonic_number() {
        let steps = 10_000_000;
        let bound = Bound::of(&rates(steps, |_| 1.0));
        // H_n = ln n + γ + 1/2n − 1/12n² + …, n = T − 1
        let n = (steps - 1) as f64;
        let harmonic = n.ln() + 0.577_215_664_901_532_9 + 0.5 / n - 1.0 / (12.0 * n * n);
        assert_eq!(bound.distance, 0.5 / steps as f64);
        assert!((2.0 * bound.noise - 1.0).abs() < 1e-15);
        assert!((2.0 * bound.last_iterate / harmonic - 1.0).abs() < 1e-14);
    }

    #[test]
    fn updates_at_rate_zero_at_the_end_change_nothing_but_the_count() {
        let with = Bound::of(&Rates::new(vec![1.0, 0.5, 0.25, 0.0, 0.0]).unwrap());
        let without = Bound::of(&Rates::new(vec![1.0, 0.5, 0.25]).unwrap());
        assert_eq!(with, Bound { steps: 5, ..without });
    }

    proptest! {
        /// The formula as it is printed, in O(T²).
        #[test]
        fn agrees_with_the_plain_double_sum(
            raw in prop::collection::vec((0.0..1.0f64, 0.1..10.0f64), 1..60), scale in -100..100i32,
        ) {
            let scale = 10f64.powi(scale);
            let eta: Vec<f64> = raw.iter().map(|&(rate, _)| (rate + 1e-3) * scale).collect();
            let norms: Vec<f64> = raw.iter().map(|&(_, norm)| norm).collect();
            let steps = eta.len();
            let sum = |from: usize| eta[from..].iter().sum::<f64>();
            let noise = |from: usize| (from..steps).map(|t| eta[t] * eta[t] / scale * norms[t] * norms[t]).sum::<f64>();
            let t3: f64 = (0..steps - 1).map(|k| eta[k] / sum(k + 1) * noise(k) / sum(k) * 0.5).sum::<f64>();
            let bound = Bound::with_norms(&Rates::new(eta.clone()).unwrap(), &norms).unwrap();
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs();
            prop_assert!(close(bound.distance, 0.5 / sum(0)));
            prop_assert!(close(bound.noise / scale, 0.5 * noise(0) / sum(0)));
            prop_assert!(close(bound.last_iterate / scale, t3), "{} {}", bound.last_iterate, t3);
        }

        /// Ω is smallest at γ*, where it is Ω*.
        #[test]
        fn best_rate_is_best(raw in prop::collection::vec(0.01..1.0f64, 1..50), d in 0.1..9.0f64, g in 0.1..9.0f64) {
            let bound = Bound::of(&Rates::new(raw).unwrap());
            let (gamma, omega) = (bound.best_rate(d, g).unwrap(), bound.best_value(d, g).unwrap());
            prop_assert!((bound.value(gamma, d, g).unwrap() / omega - 1.0).abs() < 1e-12);
            prop_assert!(bound.value(gamma * 1.1, d, g).unwrap() > omega);
            prop_assert!(bound.value(gamma / 1.1, d, g).unwrap() > omega);
        }
    }
}
