//! What pruners share: finding values that may be compared, and stopping what diverged.
use crate::history::{Direction, History, Report, Trial};
use crate::pruner::verdict::{Reason, Verdict};

/// Whether values are compared only under equal keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Guard {
    /// Only under equal keys.
    #[default]
    On,
    /// Whatever the keys.
    Off,
}

/// The losses (small is good, NaN left out) that may be compared with a report, and how many may not.
pub(crate) struct Peers {
    pub losses: Vec<f64>,
    pub incomparable: usize,
}

impl Guard {
    /// Whether two reports may be compared.
    pub(crate) fn allows(self, a: &Report, b: &Report) -> bool {
        self == Guard::Off || a.key == b.key
    }

    /// Gathers the values of the `others` that may be compared with `report`; `at` picks each one's report.
    pub(crate) fn peers<'a>(
        self,
        report: &Report,
        others: impl Iterator<Item = Trial<'a>>,
        at: impl Fn(Trial<'a>) -> Option<&'a Report>,
    ) -> Peers {
        let mut peers = Peers { losses: Vec::new(), incomparable: 0 };
        for other in others {
            match at(other) {
                Some(theirs) if !self.allows(report, theirs) => peers.incomparable += 1,
                Some(theirs) if !theirs.value.is_nan() => {
                    peers.losses.push(other.history().loss(theirs.value))
                }
                _ => {}
            }
        }
        peers
    }
}

impl Peers {
    /// The verdict where fewer than `needed` values were found.
    pub(crate) fn too_few(&self, step: u64, needed: usize) -> Verdict {
        Verdict::keep(if self.incomparable > 0 {
            Reason::NotComparable { step, others: self.incomparable }
        } else {
            Reason::TooFew { step, found: self.losses.len(), needed }
        })
    }
}

/// The report of a trial at a step.
pub(crate) fn report_at(trial: Trial<'_>, step: u64) -> Option<&Report> {
    let reports = trial.reports();
    reports.binary_search_by_key(&step, |r| r.step).ok().map(|i| &reports[i])
}

/// The last report of a trial, or the verdict where there is none or it is not finite in the bad direction.
pub(crate) fn last_finite(trial: Trial<'_>) -> Result<&Report, Verdict> {
    let Some(last) = trial.reports().last() else { return Err(Verdict::keep(Reason::NoReport)) };
    let loss = trial.history().loss(last.value);
    if loss.is_nan() || loss == f64::INFINITY {
        return Err(Verdict::prune(Reason::NotFinite { step: last.step, value: last.value }));
    }
    Ok(last)
}

/// A loss turned back into the direction of the objective.
pub(crate) fn as_reported(history: &History, loss: f64) -> f64 {
    match history.direction() {
        Direction::Minimize => loss,
        Direction::Maximize => -loss,
    }
}

/// Which steps a pruner looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub warmup: u64,
    pub interval: u64,
}

impl Default for Schedule {
    fn default() -> Self {
        Schedule { warmup: 0, interval: 1 }
    }
}

impl Schedule {
    /// Whether the last report is the first one at or after a step of warmup + k·interval.
    pub(crate) fn is_due(&self, trial: Trial<'_>) -> bool {
        let reports = trial.reports();
        let Some(last) = reports.last() else { return false };
        let Some(beyond) = last.step.checked_sub(self.warmup) else { return false };
        let due = self.warmup + beyond / self.interval * self.interval;
        reports.len() < 2 || reports[reports.len() - 2].step < due
    }
}
