//! Stopping on the value itself.
use crate::error::SearchError;
use crate::history::Trial;
use crate::pruner::guard::{Schedule, as_reported, last_finite};
use crate::pruner::{Pruner, Reason, Verdict};

/// Stops a trial whose value is NaN, infinite in the bad direction, outside a range, or has run away from the trial's own
/// best value. Trials are never compared with each other.
///
/// Running away: with `runaway(r)`, a loss that lies above the best one of its trial by more than r times the larger of the
/// first and the best absolute value (r = 10: a loss that started at 2.3 and fell to 0.5 may rise to 23.5). Off unless set.
#[derive(Debug, Clone, Default)]
pub struct Threshold {
    lower: Option<f64>,
    upper: Option<f64>,
    runaway: Option<f64>,
    schedule: Schedule,
}

impl Threshold {
    /// Stops below `lower` and above `upper`, in the direction of the objective. Fails if a limit is NaN or they cross.
    pub fn new(lower: Option<f64>, upper: Option<f64>) -> Result<Self, SearchError> {
        let (a, b) = (lower.unwrap_or(f64::NEG_INFINITY), upper.unwrap_or(f64::INFINITY));
        if a.is_nan() || b.is_nan() || a > b {
            let message = format!("the lower limit {a} must not exceed the upper one {b}");
            return Err(SearchError::setting("threshold pruner", message));
        }
        Ok(Threshold { lower, upper, ..Threshold::default() })
    }

    /// Stops what runs away from its own best value by this ratio. Fails unless it is above 0.
    pub fn runaway(mut self, ratio: f64) -> Result<Self, SearchError> {
        if ratio.is_nan() || ratio <= 0.0 {
            return Err(SearchError::setting(
                "threshold pruner",
                format!("runaway needs a ratio above 0, not {ratio}"),
            ));
        }
        self.runaway = Some(ratio);
        Ok(self)
    }

    /// Before which step the limits do not count (default 0); NaN and infinity always do.
    pub fn warmup(mut self, step: u64) -> Self {
        self.schedule.warmup = step;
        self
    }

    /// Judges only at the first report at or after every so many steps (default 1); NaN and infinity at once.
    pub fn interval(mut self, steps: u64) -> Self {
        self.schedule.interval = steps.max(1);
        self
    }
}

impl Pruner for Threshold {
    fn name(&self) -> &str {
        "threshold"
    }

    fn judge(&self, trial: Trial<'_>) -> Verdict {
        let last = match last_finite(trial) {
            Ok(last) => last,
            Err(verdict) => return verdict,
        };
        let (step, value) = (last.step, last.value);
        if !self.schedule.is_due(trial) {
            return Verdict::keep(Reason::NotYet { step });
        }
        let low = self.lower.filter(|&limit| value < limit);
        let high = self.upper.filter(|&limit| value > limit);
        if let Some(limit) = low.or(high) {
            return Verdict::prune(Reason::OutOfRange { step, value, limit });
        }
        if let Some(ratio) = self.runaway {
            let history = trial.history();
            let losses = || trial.reports().iter().map(|r| history.loss(r.value)).filter(|x| x.is_finite());
            let best = losses().fold(f64::INFINITY, f64::min);
            let scale = losses().next().unwrap_or(0.0).abs().max(best.abs());
            if best.is_finite() && history.loss(value) - best > ratio * scale {
                return Verdict::prune(Reason::RanAway { step, value, best: as_reported(history, best) });
            }
        }
        Verdict::keep(Reason::InRange { step })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, History, Key};
    use crate::pruner::testing::running;

    fn judge(pruner: &Threshold, direction: Direction, values: &[f64]) -> Verdict {
        let empty = History::new("x=0.0..1.0".parse().unwrap(), direction);
        let h = running(empty, values, Key(3));
        pruner.judge(h.trial(0).unwrap())
    }

    #[test]
    fn limits_nan_and_runaway() {
        let down = |p: &Threshold, v: &[f64]| judge(p, Direction::Minimize, v).prune;
        let up = |p: &Threshold, v: &[f64]| judge(p, Direction::Maximize, v).prune;
        let plain = Threshold::default();
        assert!(down(&plain, &[1.0, f64::NAN]) && up(&plain, &[f64::NAN]));
        assert!(down(&plain, &[f64::INFINITY]) && !down(&plain, &[f64::NEG_INFINITY]));
        assert!(up(&plain, &[f64::NEG_INFINITY]) && !up(&plain, &[f64::INFINITY]));
        let range = Threshold::new(Some(0.0), Some(3.0)).unwrap();
        assert!(
            down(&range, &[-0.1]) && down(&range, &[3.1]) && !down(&range, &[3.0]) && !down(&range, &[0.0])
        );
        assert!(!down(&range.clone().warmup(5), &[3.1]));
        assert!(down(&range.warmup(5), &[f64::NAN]));
        let run = Threshold::default().runaway(10.0).unwrap();
        assert!(!down(&run, &[2.3, 0.5, 23.0]) && down(&run, &[2.3, 0.5, 23.6]));
        assert!(!up(&run, &[-2.3, -0.5, -23.0]) && up(&run, &[-2.3, -0.5, -23.6]));
        assert!(!down(&run, &[0.0]) && !down(&run, &[f64::NEG_INFINITY, 5.0]));
        for (low, high) in [(Some(2.0), Some(1.0)), (Some(f64::NAN), None)] {
            assert!(Threshold::new(low, high).is_err());
        }
        assert!(Threshold::default().runaway(0.0).is_err());
    }
}
