//! Asynchronous successive halving.
use crate::error::SearchError;
use crate::history::{Report, Trial};
use crate::pruner::guard::{Guard, as_reported, last_finite};
use crate::pruner::{Pruner, Reason, Verdict};

/// Asynchronous successive halving: at rungs of η-fold growing steps, only the best 1/η of the trials that have got there
/// so far go on.
///
/// Rungs lie at `first`·η^k. A trial is judged when it first reports at or beyond a rung, by that report, against what
/// every other trial (running or finished) first reported at or beyond the rung. Of m trials the best ⌊m/η⌋ go on, at
/// least one: so the first trials at a rung go on if they are the best so far, and none waits for others. Only reports
/// that may be compared count (see the page of the [module](crate::pruner)): with budgets that are horizons, each rung a
/// whole annealed run, all of them do.
///
/// Cost: O(n log reports) at a rung, O(1) between rungs.
/// Source: Li et al., "A system for massively parallel hyperparameter tuning" (ASHA), MLSys 2020; trials are not resumed
/// later, as in Optuna's `SuccessiveHalvingPruner`.
#[derive(Debug, Clone)]
pub struct SuccessiveHalving {
    first: u64,
    factor: u64,
    guard: Guard,
}

impl SuccessiveHalving {
    /// The first rung at step `first`, then each η = `factor` times the one before. Fails unless first ≥ 1 and η ≥ 2.
    pub fn new(first: u64, factor: u64) -> Result<Self, SearchError> {
        if first < 1 || factor < 2 {
            let message = format!(
                "needs a first rung of 1 or more and a factor of 2 or more, not {first} and {factor}"
            );
            return Err(SearchError::setting("successive halving", message));
        }
        Ok(SuccessiveHalving { first, factor, guard: Guard::On })
    }

    /// Compares values whatever their comparability keys.
    pub fn unguarded(mut self) -> Self {
        self.guard = Guard::Off;
        self
    }

    /// Judges a trial against those that `competes` admits.
    pub(super) fn judge_among(
        &self,
        trial: Trial<'_>,
        bracket: u32,
        competes: impl Fn(Trial<'_>) -> bool,
    ) -> Verdict {
        let last = match last_finite(trial) {
            Ok(last) => last,
            Err(verdict) => return verdict,
        };
        let reports = trial.reports();
        let before = reports.len().checked_sub(2).map(|i| reports[i].step);
        let mut verdict = None;
        let mut rung = Some(self.first);
        while let Some(step) = rung.filter(|&step| step <= last.step) {
            if before.is_none_or(|b| b < step) {
                let judged = self.judge_rung(trial, last, step, bracket, &competes);
                if judged.prune {
                    return judged;
                }
                verdict = Some(judged);
            }
            rung = step.checked_mul(self.factor);
        }
        let waiting = Reason::BeforeRung { step: last.step, rung: rung.unwrap_or(u64::MAX) };
        verdict.unwrap_or_else(|| Verdict::keep(waiting))
    }

    fn judge_rung(
        &self,
        trial: Trial<'_>,
        last: &Report,
        step: u64,
        bracket: u32,
        competes: &impl Fn(Trial<'_>) -> bool,
    ) -> Verdict {
        let history = trial.history();
        let others = history.trials().filter(|t| t.number() != trial.number() && competes(*t));
        let mut peers = self.guard.peers(last, others, |other| {
            let reports = other.reports();
            reports.get(reports.partition_point(|r| r.step < step))
        });
        if peers.losses.is_empty() && peers.incomparable > 0 {
            return peers.too_few(step, 1);
        }
        let own = history.loss(last.value);
        peers.losses.push(own);
        let trials = peers.losses.len();
        let best = usize::try_from(trials as u64 / self.factor).unwrap_or(0).max(1);
        let (_, limit, _) = peers.losses.select_nth_unstable_by(best - 1, f64::total_cmp);
        let limit = *limit;
        let reason =
            Reason::Rung { step, value: last.value, limit: as_reported(history, limit), trials, bracket };
        Verdict { prune: own > limit, reason }
    }
}

impl Pruner for SuccessiveHalving {
    fn name(&self) -> &str {
        "successive-halving"
    }

    fn judge(&self, trial: Trial<'_>) -> Verdict {
        self.judge_among(trial, 0, |_| true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, Key};
    use crate::pruner::testing::{curves, running};

    #[test]
    fn the_best_share_goes_on_at_rungs() {
        // Constant curves 0..8 that all got to step 8; rungs at 1, 3, 9 for η = 3.
        let pruner = SuccessiveHalving::new(1, 3).unwrap();
        let others: Vec<Vec<f64>> = (0..8).map(|i| vec![i as f64; 9]).collect();
        for (value, prune) in [(1.5, false), (2.0, false), (2.5, true)] {
            // Of 9 trials 3 go on: with 0 and 1 there are two better ones.
            let h = running(curves(&others, Direction::Minimize), &[0.0, value], Key::COMPARABLE);
            let verdict = pruner.judge(h.trial(8).unwrap());
            assert_eq!(verdict.prune, prune, "{verdict}");
        }
        let h = running(curves(&others, Direction::Minimize), &[0.0, 0.0, 99.0], Key::COMPARABLE);
        let verdict = pruner.judge(h.trial(8).unwrap());
        assert_eq!(verdict, Verdict::keep(Reason::BeforeRung { step: 2, rung: 3 }));
        let h = running(curves(&others, Direction::Minimize), &[0.0, 0.0, 0.0, 99.0], Key::COMPARABLE);
        assert!(pruner.judge(h.trial(8).unwrap()).prune);
        // Nobody else at the rung: goes on.
        let h = running(curves(&others, Direction::Minimize), &[99.0; 10], Key::COMPARABLE);
        assert!(!pruner.judge(h.trial(8).unwrap()).prune);
        // Same value at the limit goes on, and the guard keeps what is not comparable.
        let h = running(curves(&others, Direction::Minimize), &[0.0, 99.0], Key(1));
        let verdict = pruner.judge(h.trial(8).unwrap());
        assert_eq!(verdict, Verdict::keep(Reason::NotComparable { step: 1, others: 8 }));
        assert!(pruner.clone().unguarded().judge(h.trial(8).unwrap()).prune);
        assert!(SuccessiveHalving::new(0, 3).is_err() && SuccessiveHalving::new(1, 1).is_err());
    }

    #[test]
    fn huge_steps_do_not_overflow() {
        let mut h = curves(&[], Direction::Minimize);
        let t = h.start(&[("x", 0.5)].into_iter().collect()).unwrap();
        h.report(t, Report { step: u64::MAX, value: 1.0, key: Key::COMPARABLE }).unwrap();
        assert!(!SuccessiveHalving::new(1, 2).unwrap().judge(h.trial(t).unwrap()).prune);
    }
}
