//! The ramp, and a range test of a built-in model.

use lehr_lab::{Control, Lane, Task, TrainPlan, train_lanes};
use lehr_schedule::{Horizon, Schedule};

use super::{FindError, Readings};

/// An exponential ramp: update k of n has the rate low·(high/low)^(k/n).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    /// Rate of the first update.
    pub low: f64,
    /// Rate that the update after the last one would have.
    pub high: f64,
    /// Updates.
    pub steps: u64,
}

impl Ramp {
    /// The ramp as a schedule whose peak is `high`.
    ///
    /// # Errors
    /// Unless 0 < low < high < ∞ and there are at least 24 updates.
    pub fn schedule(&self) -> Result<Schedule, FindError> {
        let wrong = |problem: String| FindError::Ramp(problem);
        if !(self.low > 0.0 && self.low < self.high && self.high.is_finite()) {
            return Err(wrong(format!("a range test needs 0 < low < high, not {}..{}", self.low, self.high)));
        }
        if self.steps < super::FEWEST as u64 {
            return Err(wrong(format!(
                "a range test needs at least {} updates, not {}",
                super::FEWEST,
                self.steps
            )));
        }
        let spec = format!("exponential from {} to 1", self.low / self.high);
        spec.parse().map_err(|error| wrong(format!("{error}")))
    }
}

/// Trains a model from its initial weights along a ramp and reads its training loss, on all rows, after every update.
/// Nothing of the model is kept.
///
/// # Errors
/// If ramp, plan and task do not fit together.
pub fn range_test(task: &Task, plan: &TrainPlan, ramp: &Ramp, seed: u64) -> Result<Readings, FindError> {
    let horizon = Horizon::steps(ramp.steps);
    let curve = ramp
        .schedule()?
        .resolve_with_peak(&horizon, ramp.high)
        .map_err(|error| FindError::Ramp(error.to_string()))?;
    let plan = TrainPlan { steps: ramp.steps, evaluate_every: Some(1), keep_weights: false, ..plan.clone() };
    // The curve's rates are absolute.
    let lanes = [Lane { peak: 1.0, curve: curve.clone() }];
    let runs = train_lanes(task, &plan, &lanes, seed, &Control::default())?;
    let mut readings = Readings::default();
    for update in 0..ramp.steps {
        let seen = runs[0].history.iter().find(|e| e.step == update + 1);
        readings.rates.push(curve.at(update));
        readings.losses.push(seen.map_or(f64::NAN, |e| e.train_loss));
    }
    Ok(readings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lehr_lab::Model;

    #[test]
    fn a_built_in_model_breaks_above_the_rates_that_train_it() {
        let task = Task::wine().unwrap();
        let plan = TrainPlan::new(Model::Softmax, 1);
        let ramp = Ramp { low: 1e-4, high: 1e3, steps: 120 };
        let readings = range_test(&task, &plan, &ramp, 0).unwrap();
        assert_eq!(readings.rates[0], 1e-4);
        assert!((readings.rates[60] / (1e-4 * 1e7f64.sqrt()) - 1.0).abs() < 1e-9);
        let found = super::super::read(&readings, false).unwrap();
        let fit = found.fit.unwrap();
        assert!(found.diverged.is_some() && fit.steepest < fit.lowest, "{fit:?}");
        assert_eq!(readings, range_test(&task, &plan, &ramp, 0).unwrap());
    }

    #[test]
    fn ramps_that_are_none_are_refused() {
        for (low, high, steps) in [(1.0, 0.1, 100), (0.0, 1.0, 100), (0.1, f64::INFINITY, 100), (0.1, 1.0, 3)]
        {
            assert!(Ramp { low, high, steps }.schedule().is_err());
        }
    }
}
