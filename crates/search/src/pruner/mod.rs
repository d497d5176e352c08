//! Pruners: whether a running trial is worth going on with. One file per method.
//!
//! **The guard.** Reports carry a comparability key ([`crate::Key`]). A pruner that compares trials compares a report only
//! with reports of other trials at the same step and with the same key. The loss of a training run whose learning rate
//! is not annealed yet says little about its final loss, and a small rate looks better in mid-flight than it is; so whoever
//! records such losses gives them a key made of schedule, rate and horizon, nothing compares, and the verdict is to keep
//! the trial because of [`Reason::NotComparable`]. A diverged trial is stopped all the same. Where epochs are comparable by
//! declaration, all reports carry [`crate::Key::COMPARABLE`]. `.unguarded()` on a pruner ignores the keys.
mod any;
mod guard;
mod halving;
mod hyperband;
mod patient;
mod percentile;
#[cfg(test)]
mod testing;
mod threshold;
mod verdict;
mod wilcoxon;

pub use any::{AnyOf, Never};
pub use halving::SuccessiveHalving;
pub use hyperband::Hyperband;
pub use patient::Patient;
pub use percentile::{Median, Percentile};
pub use threshold::Threshold;
pub use verdict::{Reason, Verdict};
pub use wilcoxon::Wilcoxon;

use crate::history::Trial;

/// A function from a trial and what was tried to whether the trial should go on.
///
/// # Contract
/// - The verdict depends only on the trial and its history ([`Trial::history`]), which it is a part of.
/// - It is about the last report of the trial; without a report the trial is kept.
/// - It names its reason, also when it keeps the trial.
/// - Trials are compared only where keys allow it (see the module's page), unless the user said otherwise.
/// - A trial whose last report is NaN, or infinite in the bad direction, is stopped.
/// - A finished trial gets a verdict as if it were running at its last report.
pub trait Pruner: Send + Sync {
    /// The method's name in lower case (`median`).
    fn name(&self) -> &str;

    /// Judges a trial at its last report.
    fn judge(&self, trial: Trial<'_>) -> Verdict;
}

impl<P: Pruner + ?Sized> Pruner for Box<P> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn judge(&self, trial: Trial<'_>) -> Verdict {
        (**self).judge(trial)
    }
}
