//! The rates of one training, checked once, on which every other module works.

use lehr_schedule::Curve;

use crate::error::{Error, require};

/// The learning rates of updates 0 … T−1, with the level that the schedule reaches after the last of them.
///
/// Rates may be relative to a peak or absolute; they are stored relative to their largest value, which
/// [`Rates::peak`] gives back. Updates at rate 0 at the end move nothing; the bounds leave them out.
#[derive(Debug, Clone, PartialEq)]
pub struct Rates {
    relative: Vec<f64>,
    peak: f64,
    end: f64,
}

impl Rates {
    /// From the rates alone. The level after the last update is taken from the straight line through the last
    /// two (never below 0), so a decay that is linear at its end is seen to end at zero.
    ///
    /// # Errors
    /// No rates, a rate that is negative or not finite, or all of them zero.
    pub fn new(rates: Vec<f64>) -> Result<Self, Error> {
        let end = match rates[..] {
            [.., before, last] => (2.0 * last - before).clamp(0.0, last.max(0.0)),
            [only] => only,
            [] => return Err(Error::NoSteps),
        };
        Self::with_end(rates, end)
    }

    /// From the rates and the level that the schedule has after its last update, in the same unit.
    ///
    /// # Errors
    /// As for [`Rates::new`]; also if `end` is negative or not finite.
    pub fn with_end(mut rates: Vec<f64>, end: f64) -> Result<Self, Error> {
        if rates.is_empty() {
            return Err(Error::NoSteps);
        }
        let bad = |rate: &f64| !rate.is_finite() || *rate < 0.0;
        if let Some(step) = rates.iter().chain([&end]).position(bad) {
            return Err(Error::BadRate { step, rate: rates.get(step).copied().unwrap_or(end) });
        }
        let peak = rates.iter().copied().fold(0.0, f64::max);
        if peak == 0.0 {
            return Err(Error::AllZero);
        }
        rates.iter_mut().for_each(|rate| *rate /= peak);
        Ok(Self { relative: rates, peak, end: end / peak })
    }

    /// From a resolved schedule: the rates of its updates, and the level after the last of them.
    ///
    /// # Errors
    /// As for [`Rates::new`], and if the horizon is longer than 200 million steps (1.6 GB of rates).
    pub fn of_curve(curve: &Curve) -> Result<Self, Error> {
        let steps = curve.steps();
        require(steps <= 200_000_000, "the horizon", steps as f64, "at most 200 million steps here")?;
        let mut rates = vec![0.0; steps as usize];
        curve.fill(0..steps, &mut rates);
        Self::with_end(rates, curve.at(steps).max(0.0))
    }

    /// The degree p with which the rate falls to zero at the end, s ∝ (T−t)^p, measured between the last 0.8 % and
    /// 0.4 % of the horizon; `None` where it does not end at zero. Robustness exponents tend to 1/(2p+1).
    pub fn end_degree(&self) -> Option<f64> {
        let near = (self.steps() / 256).max(1);
        let at = |before: usize| self.relative.get(self.steps().checked_sub(before)?).copied();
        let (far, near) = (at(2 * near)?, at(near)?);
        (self.end == 0.0 && near > 0.0 && far > near).then(|| (far / near).log2())
    }

    /// Updates in all, T.
    pub fn steps(&self) -> usize {
        self.relative.len()
    }

    /// Each update's rate as a fraction of the largest.
    pub fn relative(&self) -> &[f64] {
        &self.relative
    }

    /// The largest rate, in the unit in which the rates were given.
    pub fn peak(&self) -> f64 {
        self.peak
    }

    /// The level after the last update as a fraction of the largest rate: 0 where the schedule anneals fully.
    pub fn end(&self) -> f64 {
        self.end
    }

    /// The updates up to the last one whose rate is above zero.
    pub(crate) fn moving(&self) -> &[f64] {
        let last = self.relative.iter().rposition(|&rate| rate > 0.0).unwrap_or(0);
        &self.relative[..=last]
    }

    /// Squares of the norms of the moving updates, as a function of the step; 1 where none were measured.
    pub(crate) fn squared_norms<'a>(
        &self,
        norms: Option<&'a [f64]>,
    ) -> Result<impl Fn(usize) -> f64 + 'a, Error> {
        if let Some(norms) = norms {
            check_norms(norms, self.steps())?;
        }
        Ok(move |step: usize| norms.map_or(1.0, |norms| norms[step] * norms[step]))
    }
}

/// One finite norm above zero per step.
pub(crate) fn check_norms(norms: &[f64], steps: usize) -> Result<(), Error> {
    if norms.len() != steps {
        return Err(Error::NormCount { norms: norms.len(), steps });
    }
    match norms.iter().position(|norm| !norm.is_finite() || *norm <= 0.0) {
        Some(step) => Err(Error::BadNorm { step, norm: norms[step] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_schedule() {
        assert_eq!(Rates::new(vec![]), Err(Error::NoSteps));
        assert_eq!(Rates::new(vec![0.0, 0.0]), Err(Error::AllZero));
        assert!(matches!(Rates::new(vec![1.0, f64::NAN]), Err(Error::BadRate { step: 1, .. })));
        assert!(matches!(Rates::new(vec![1.0, -0.1]), Err(Error::BadRate { step: 1, .. })));
        assert!(matches!(Rates::new(vec![f64::INFINITY]), Err(Error::BadRate { step: 0, .. })));
        assert!(matches!(Rates::with_end(vec![1.0], f64::NAN), Err(Error::BadRate { step: 1, .. })));
    }

    #[test]
    fn takes_curves_as_they_are() {
        let curve = |spec: &str| {
            let schedule: lehr_schedule::Schedule = spec.parse().unwrap();
            Rates::of_curve(&schedule.resolve(&lehr_schedule::Horizon::steps(100_000)).unwrap()).unwrap()
        };
        let linear = curve("linear");
        assert_eq!((linear.relative()[0], linear.relative()[99_999], linear.end()), (1.0, 1e-5, 0.0));
        for (spec, degree) in
            [("linear", 1.0), ("cosine", 2.0), ("poly power 3", 3.0), ("constant, 1-sqrt 20%", 1.0)]
        {
            let found = curve(spec).end_degree().unwrap();
            assert!((found - degree).abs() < 0.02, "{spec}: {found}");
        }
        assert_eq!(curve("constant").end_degree(), None);
        assert_eq!(curve("cosine to 0.1").end_degree(), None);
        assert!((curve("cosine to 0.1").end() - 0.1).abs() < 1e-15);
    }

    #[test]
    fn sees_where_the_schedule_ends() {
        assert_eq!(Rates::new(vec![3.0, 2.0, 1.0]).unwrap().end(), 0.0);
        assert_eq!(Rates::new(vec![2.0, 2.0]).unwrap().end(), 1.0);
        assert_eq!(Rates::new(vec![0.5, 1.0]).unwrap().end(), 1.0);
        assert_eq!(Rates::new(vec![4.0, 2.0, 2.0]).unwrap().relative(), [1.0, 0.5, 0.5]);
    }
}
