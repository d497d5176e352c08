//! A tuned base rate carried to another schedule or another horizon.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::bound::Bound;
use crate::caveat::Caveat;
use crate::error::{Error, require};
use crate::rates::Rates;

/// How the best rate falls with the horizon: rate ∝ T^{−a}.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HorizonExponent {
    /// a; ½ where nothing was measured.
    pub exponent: f64,
    /// Its standard error, where three rungs or more allow one.
    pub standard_error: Option<f64>,
    /// Rungs used; 0 for the prior.
    pub rungs: usize,
}

impl HorizonExponent {
    /// The prior a = ½ of the bound.
    pub const PRIOR: Self = Self { exponent: 0.5, standard_error: None, rungs: 0 };

    /// Least squares of log rate on log T over rungs `(horizon, best rate)`; with two rungs the line through both.
    ///
    /// # Errors
    /// Fewer than two different horizons; a horizon or rate that is not finite and above zero.
    pub fn fit(rungs: &[(f64, f64)]) -> Result<Self, Error> {
        for &(horizon, rate) in rungs {
            require(
                horizon.is_finite() && horizon >= 1.0,
                "a rung's horizon",
                horizon,
                "finite and at least 1",
            )?;
            require(rate.is_finite() && rate > 0.0, "a rung's rate", rate, "finite and above 0")?;
        }
        let count = rungs.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| rungs.iter().map(of).sum::<f64>() / count;
        let (x0, y0) = (mean(|rung| rung.0.ln()), mean(|rung| rung.1.ln()));
        let spread: f64 = rungs.iter().map(|rung| (rung.0.ln() - x0).powi(2)).sum();
        if rungs.len() < 2 || spread < 1e-18 {
            return Err(Error::Data(
                "a horizon exponent needs best rates at two different horizons or more".into(),
            ));
        }
        let slope = rungs.iter().map(|rung| (rung.0.ln() - x0) * (rung.1.ln() - y0)).sum::<f64>() / spread;
        let squares: f64 =
            rungs.iter().map(|rung| (rung.1.ln() - y0 - slope * (rung.0.ln() - x0)).powi(2)).sum();
        let standard_error = (rungs.len() > 2).then(|| (squares / (count - 2.0) / spread).sqrt());
        Ok(Self { exponent: -slope, standard_error, rungs: rungs.len() })
    }
}

/// A base rate carried over, with what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Transfer {
    /// Base rate for the new schedule.
    pub rate: f64,
    /// `rate` over the tuned rate.
    pub factor: f64,
    /// The part of the factor that comes from the shape.
    pub shape_factor: f64,
    /// The part of the factor that comes from the horizon.
    pub horizon_factor: f64,
    /// Exponent used for the horizon.
    pub horizon: HorizonExponent,
    /// The 95 % interval of the rate that comes from the fitted exponent, where three rungs or more allow one and the
    /// horizons differ. What the shape's factor is off by on a real model is not in it: nothing here measures that.
    pub interval: Option<(f64, f64)>,
    /// What has to be known beside the number.
    pub caveats: Vec<Caveat>,
}

/// Carries a base rate tuned for `from` to `to`: both best rates of the bound are taken at their own horizons
/// with the 1/√T removed, and the horizon enters with its own exponent,
///
/// ```text
/// rate = lr · [γ*(to)·√T_to] / [γ*(from)·√T_from] · (T_to/T_from)^{−a}
/// ```
///
/// With a = ½ this is lr·γ*(to)/γ*(from). Both curves have to be relative to their base rate.
///
/// # Errors
/// If `lr` is not finite and above zero.
pub fn transfer(from: &Rates, to: &Rates, lr: f64, horizon: HorizonExponent) -> Result<Transfer, Error> {
    require(lr.is_finite() && lr > 0.0, "the tuned rate", lr, "finite and above 0")?;
    let shape_factor = Bound::of(to).shape_factor() / Bound::of(from).shape_factor();
    let horizon_factor = (to.steps() as f64 / from.steps() as f64).powf(-horizon.exponent);
    let mut caveats = vec![Caveat::TransferIsRough];
    if from.steps() != to.steps() {
        caveats.push(match horizon.rungs {
            0 => Caveat::HorizonPrior,
            _ => Caveat::HorizonFitted { exponent: horizon.exponent },
        });
    }
    caveats.extend([from, to].iter().filter_map(|rates| Caveat::of_end(rates)));
    let factor = shape_factor * horizon_factor;
    let rate = lr * factor;
    let stretch = (to.steps() as f64 / from.steps() as f64).ln().abs();
    let spread = horizon.standard_error.filter(|_| stretch > 0.0).and_then(|error| {
        let student = StudentsT::new(0.0, 1.0, horizon.rungs.checked_sub(2)? as f64).ok()?;
        Some((student.inverse_cdf(0.975) * error * stretch).exp())
    });
    let interval = spread.map(|spread| (rate / spread, rate * spread));
    Ok(Transfer { rate, factor, shape_factor, horizon_factor, horizon, interval, caveats })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wsd(steps: usize, cooldown: usize) -> Rates {
        let level = |t: usize| ((steps - t) as f64 / cooldown as f64).min(1.0);
        Rates::with_end((0..steps).map(level).collect(), 0.0).unwrap()
    }

    #[test]
    fn wsd_to_linear_is_the_continuum_factor() {
        let found =
            transfer(&wsd(100_000, 20_000), &wsd(100_000, 100_000), 1e-3, HorizonExponent::PRIOR).unwrap();
        assert!((found.factor - 1.944).abs() < 2e-3, "{found:?}");
        assert_eq!(found.horizon_factor, 1.0);
        assert_eq!(found.rate, 1e-3 * found.factor);
    }

    #[test]
    fn horizons_scale_by_the_exponent() {
        let fitted = HorizonExponent::fit(&[(500.0, 0.97), (2_000.0, 0.34)]).unwrap();
        assert!((fitted.exponent - 0.756).abs() < 1e-3 && fitted.standard_error.is_none());
        let found = transfer(&wsd(500, 500), &wsd(8_000, 8_000), 0.97, fitted).unwrap();
        assert!((found.horizon_factor - 16f64.powf(-fitted.exponent)).abs() < 1e-12);
        let same = transfer(&wsd(500, 100), &wsd(500, 100), 0.97, fitted).unwrap();
        assert_eq!(same.factor, 1.0);
    }

    #[test]
    fn three_rungs_give_an_interval_and_two_none() {
        let rungs = [(500.0, 1.0), (1_000.0, 0.7), (2_000.0, 0.52)];
        let fitted = HorizonExponent::fit(&rungs).unwrap();
        let found = transfer(&wsd(500, 500), &wsd(8_000, 8_000), 1.0, fitted).unwrap();
        let (low, high) = found.interval.unwrap();
        // One degree of freedom: t = 12.706.
        let half = 12.706 * fitted.standard_error.unwrap() * 16f64.ln();
        assert!(
            ((high / found.rate).ln() - half).abs() < 1e-3 && ((found.rate / low).ln() - half).abs() < 1e-3
        );
        let same = transfer(&wsd(500, 100), &wsd(500, 500), 1.0, fitted).unwrap();
        assert_eq!(same.interval, None, "the horizon is not carried anywhere");
        let two = HorizonExponent::fit(&rungs[..2]).unwrap();
        assert_eq!(transfer(&wsd(500, 500), &wsd(8_000, 8_000), 1.0, two).unwrap().interval, None);
    }

    #[test]
    fn refuses_rungs_that_say_nothing() {
        assert!(HorizonExponent::fit(&[]).is_err());
        assert!(HorizonExponent::fit(&[(100.0, 1.0)]).is_err());
        assert!(HorizonExponent::fit(&[(100.0, 1.0), (100.0, 2.0)]).is_err());
        assert!(HorizonExponent::fit(&[(100.0, 1.0), (200.0, f64::NAN)]).is_err());
        assert!(transfer(&wsd(9, 3), &wsd(9, 3), -1.0, HorizonExponent::PRIOR).is_err());
    }
}
