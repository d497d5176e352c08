//! Patience.
use crate::error::SearchError;
use crate::history::Trial;
use crate::pruner::guard::{as_reported, last_finite};
use crate::pruner::{Pruner, Reason, Verdict};

/// Stops a trial, or lets another pruner stop it, only once its value has not improved for a number of reports.
///
/// With patience p, the best of the last p + 1 reports is compared with the best of those before; the trial is still
/// improving unless the former is worse by more than `min_delta`. Only the trial's own reports are looked at, so no
/// comparability is needed; but a loss that stands still before its rate is annealed has not converged, so use it on its
/// own only where the rate is constant.
/// Source: Optuna's `PatientPruner`.
pub struct Patient {
    patience: usize,
    min_delta: f64,
    inner: Option<Box<dyn Pruner>>,
}

impl Patient {
    /// Stops on its own after `patience` reports without improvement.
    pub fn new(patience: usize) -> Self {
        Patient { patience, min_delta: 0.0, inner: None }
    }

    /// Leaves the decision to `inner` once the patience is used up.
    pub fn with(mut self, inner: Box<dyn Pruner>) -> Self {
        self.inner = Some(inner);
        self
    }

    /// By how much the recent values must be worse (default 0). Fails unless it is 0 or more.
    pub fn min_delta(mut self, delta: f64) -> Result<Self, SearchError> {
        if delta.is_nan() || delta < 0.0 {
            return Err(SearchError::setting(
                "patient pruner",
                format!("min_delta must be 0 or more, not {delta}"),
            ));
        }
        self.min_delta = delta;
        Ok(self)
    }
}

impl Pruner for Patient {
    fn name(&self) -> &str {
        "patient"
    }

    fn judge(&self, trial: Trial<'_>) -> Verdict {
        let last = match last_finite(trial) {
            Ok(last) => last,
            Err(verdict) => return verdict,
        };
        let reports = trial.reports();
        if reports.len() <= self.patience.saturating_add(1) {
            return Verdict::keep(Reason::NotYet { step: last.step });
        }
        let history = trial.history();
        let best = |part: &[crate::history::Report]| {
            part.iter().map(|r| history.loss(r.value)).filter(|x| !x.is_nan()).fold(f64::INFINITY, f64::min)
        };
        let (old, new) = reports.split_at(reports.len() - self.patience - 1);
        let (before, recent) = (best(old), best(new));
        let stands_still = before + self.min_delta < recent;
        match &self.inner {
            Some(inner) if stands_still => inner.judge(trial),
            _ => Verdict {
                prune: stands_still,
                reason: Reason::Patience {
                    recent: as_reported(history, recent),
                    before: as_reported(history, before),
                    patience: self.patience,
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, History, Key};
    use crate::pruner::testing::running;
    use crate::pruner::{Never, Threshold};

    fn judge(pruner: &Patient, values: &[f64]) -> bool {
        let empty = History::new("x=0.0..1.0".parse().unwrap(), Direction::Minimize);
        pruner.judge(running(empty, values, Key(3)).trial(0).unwrap()).prune
    }

    #[test]
    fn waits_for_an_improvement() {
        let p = Patient::new(1);
        assert!(!judge(&p, &[1.0, 2.0]));
        assert!(judge(&p, &[1.0, 2.0, 3.0]));
        assert!(!judge(&p, &[1.0, 2.0, 1.0]), "equal is not worse");
        assert!(!judge(&p, &[1.0, 2.0, 0.9]));
        assert!(!judge(&Patient::new(1).min_delta(1.0).unwrap(), &[1.0, 2.0, 2.0]));
        assert!(judge(&Patient::new(0), &[1.0, 2.0]));
        assert!(!judge(&Patient::new(1), &[f64::NAN, f64::NAN, 1.0]));
        assert!(!judge(&Patient::new(1).with(Box::new(Never {})), &[1.0, 2.0, 3.0]));
        let limit = Threshold::new(None, Some(2.5)).unwrap();
        assert!(judge(&Patient::new(1).with(Box::new(limit.clone())), &[1.0, 2.0, 3.0]));
        assert!(!judge(&Patient::new(1).with(Box::new(limit)), &[4.0, 3.5, 3.0]));
        assert!(Patient::new(1).min_delta(-1.0).is_err());
        assert!(!judge(&Patient::new(usize::MAX), &[1.0, 2.0]));
    }
}
