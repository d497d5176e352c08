//! Percentile and median pruning.
use crate::error::SearchError;
use crate::history::{State, Trial};
use crate::pruner::guard::{Guard, Schedule, as_reported, last_finite, report_at};
use crate::pruner::{Pruner, Reason, Verdict};

/// Stops a trial whose best value so far is worse than a percentile of the values that complete trials had at the same
/// step.
///
/// With `percent` = 25 the best quarter goes on. The percentile is interpolated linearly between order statistics. NaN
/// values of others are left out. Nothing is stopped before 5 trials are complete; see the setters for more caution.
/// Only reports that may be compared count (see the page of the [module](crate::pruner)).
///
/// Cost: O(n log reports) for n complete trials.
/// Source: Golovin et al., "Google Vizier", KDD 2017 (median stopping rule).
#[derive(Debug, Clone)]
pub struct Percentile {
    percent: f64,
    startup: usize,
    needed: usize,
    schedule: Schedule,
    guard: Guard,
}

impl Percentile {
    /// Keeps trials that are at least as good as the best `percent` % at the step. Fails unless 0 ≤ percent ≤ 100.
    pub fn new(percent: f64) -> Result<Self, SearchError> {
        if !(0.0..=100.0).contains(&percent) {
            return Err(SearchError::setting(
                "percentile pruner",
                format!("needs 0 to 100 percent, not {percent}"),
            ));
        }
        Ok(Self::unchecked(percent))
    }

    fn unchecked(percent: f64) -> Self {
        Percentile { percent, startup: 5, needed: 1, schedule: Schedule::default(), guard: Guard::On }
    }

    /// How many trials must be complete before any is stopped (default 5).
    pub fn startup(mut self, trials: usize) -> Self {
        self.startup = trials;
        self
    }

    /// How many comparable values a step must have (default 1).
    pub fn needed(mut self, trials: usize) -> Self {
        self.needed = trials.max(1);
        self
    }

    /// Before which step nothing is stopped (default 0).
    pub fn warmup(mut self, step: u64) -> Self {
        self.schedule.warmup = step;
        self
    }

    /// Judges only at the first report at or after every so many steps (default 1).
    pub fn interval(mut self, steps: u64) -> Self {
        self.schedule.interval = steps.max(1);
        self
    }

    /// Compares values whatever their comparability keys.
    pub fn unguarded(mut self) -> Self {
        self.guard = Guard::Off;
        self
    }
}

/// The value below which `percent` % of the sorted numbers lie, interpolated linearly.
fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let place = percent / 100.0 * (sorted.len() - 1) as f64;
    let (low, share) = (place.floor() as usize, place.fract());
    let (a, b) = (sorted[low], sorted[(low + 1).min(sorted.len() - 1)]);
    // Infinite neighbours must not turn into NaN.
    if share == 0.0 || a == b { a } else { a + share * (b - a) }
}

impl Pruner for Percentile {
    fn name(&self) -> &str {
        "percentile"
    }

    fn judge(&self, trial: Trial<'_>) -> Verdict {
        let last = match last_finite(trial) {
            Ok(last) => last,
            Err(verdict) => return verdict,
        };
        let step = last.step;
        if !self.schedule.is_due(trial) {
            return Verdict::keep(Reason::NotYet { step });
        }
        let history = trial.history();
        let complete =
            history.trials().filter(|t| t.state() == State::Complete && t.number() != trial.number());
        let mut peers = self.guard.peers(last, complete, |other| report_at(other, step));
        let complete = history.states().iter().filter(|&&s| s == State::Complete).count();
        if peers.losses.len() < self.needed || complete < self.startup {
            return peers.too_few(step, self.needed.max(self.startup));
        }
        peers.losses.sort_unstable_by(f64::total_cmp);
        let limit = percentile(&peers.losses, self.percent);
        let own = trial.reports().iter().filter(|r| self.guard.allows(last, r));
        let best = own.map(|r| history.loss(r.value)).filter(|x| !x.is_nan()).fold(f64::INFINITY, f64::min);
        let reason = Reason::Percentile {
            step,
            value: as_reported(history, best),
            limit: as_reported(history, limit),
            percent: self.percent,
            trials: peers.losses.len(),
        };
        Verdict { prune: best > limit, reason }
    }
}

/// Median pruning: [`Percentile`] with 50 %.
#[derive(Debug, Clone)]
pub struct Median(Percentile);

impl Default for Median {
    fn default() -> Self {
        Median(Percentile::unchecked(50.0))
    }
}

impl Median {
    /// How many trials must be complete before any is stopped (default 5).
    pub fn startup(self, trials: usize) -> Self {
        Median(self.0.startup(trials))
    }

    /// Before which step nothing is stopped (default 0).
    pub fn warmup(self, step: u64) -> Self {
        Median(self.0.warmup(step))
    }

    /// Judges only at the first report at or after every so many steps (default 1).
    pub fn interval(self, steps: u64) -> Self {
        Median(self.0.interval(steps))
    }

    /// Compares values whatever their comparability keys.
    pub fn unguarded(self) -> Self {
        Median(self.0.unguarded())
    }
}

impl Pruner for Median {
    fn name(&self) -> &str {
        "median"
    }

    fn judge(&self, trial: Trial<'_>) -> Verdict {
        self.0.judge(trial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, Key};
    use crate::pruner::testing::{curves, running};

    #[test]
    fn percentile_interpolates_as_numpy() {
        // numpy.percentile([1, 2, 4, 8], q) for q = 0, 25, 50, 90, 100.
        let x = [1.0, 2.0, 4.0, 8.0];
        for (q, expected) in [(0.0, 1.0), (25.0, 1.75), (50.0, 3.0), (90.0, 6.8), (100.0, 8.0)] {
            assert!((percentile(&x, q) - expected).abs() < 1e-12);
        }
        assert_eq!(percentile(&[f64::NEG_INFINITY, f64::NEG_INFINITY], 50.0), f64::NEG_INFINITY);
        assert_eq!(percentile(&[1.0, f64::INFINITY], 50.0), f64::INFINITY);
    }

    #[test]
    fn stops_the_worse_half() {
        let finished: Vec<Vec<f64>> = (0..6).map(|i| vec![i as f64; 3]).collect();
        for (value, prune) in [(2.4, false), (2.5, false), (2.6, true)] {
            let h = running(curves(&finished, Direction::Minimize), &[value], Key::COMPARABLE);
            let verdict = Median::default().judge(h.trial(6).unwrap());
            assert_eq!(verdict.prune, prune, "{verdict}");
            assert!(verdict.to_string().contains("2.5 at step 0"), "{verdict}");
        }
        // An early good value protects the trial; startup, warm-up and intervals are kept.
        let h = running(curves(&finished, Direction::Minimize), &[0.0, 9.0], Key::COMPARABLE);
        assert!(!Median::default().judge(h.trial(6).unwrap()).prune);
        let h = running(curves(&finished, Direction::Minimize), &[9.0], Key::COMPARABLE);
        assert!(!Median::default().startup(7).judge(h.trial(6).unwrap()).prune);
        assert!(!Median::default().warmup(1).judge(h.trial(6).unwrap()).prune);
        let h = running(curves(&finished, Direction::Minimize), &[9.0, 9.0], Key::COMPARABLE);
        assert!(!Median::default().interval(2).judge(h.trial(6).unwrap()).prune);
        assert!(Percentile::new(101.0).is_err() && Percentile::new(f64::NAN).is_err());
    }

    #[test]
    fn the_guard_keeps_what_is_not_comparable() {
        let finished: Vec<Vec<f64>> = (0..6).map(|i| vec![i as f64; 3]).collect();
        let h = running(curves(&finished, Direction::Minimize), &[99.0], Key(5));
        let verdict = Median::default().judge(h.trial(6).unwrap());
        assert_eq!(verdict, Verdict::keep(Reason::NotComparable { step: 0, others: 6 }));
        assert!(verdict.to_string().contains("not annealed yet"));
        assert!(Median::default().unguarded().judge(h.trial(6).unwrap()).prune);
        let h = running(curves(&finished, Direction::Minimize), &[f64::NAN], Key(5));
        assert!(Median::default().judge(h.trial(6).unwrap()).prune, "divergence is stopped all the same");
    }
}
