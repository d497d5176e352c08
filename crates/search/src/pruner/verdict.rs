//! What a pruner answers.
use std::fmt;

use crate::value::Short;

/// Whether to go on with a trial, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// True if the trial should be stopped.
    pub prune: bool,
    /// Why.
    pub reason: Reason,
}

impl Verdict {
    pub(crate) fn keep(reason: Reason) -> Self {
        Verdict { prune: false, reason }
    }

    pub(crate) fn prune(reason: Reason) -> Self {
        Verdict { prune: true, reason }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", if self.prune { "prune" } else { "keep" }, self.reason)
    }
}

/// Why a trial is kept or stopped. All values are as reported, in the direction of the objective.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The trial has not reported yet.
    NoReport,
    /// The pruner does not look at this step: it is within its warm-up or between its intervals.
    NotYet {
        /// Step of the last report.
        step: u64,
    },
    /// Too few trials have got so far to compare with.
    TooFew {
        /// Step of the last report.
        step: u64,
        /// Comparable values at that step.
        found: usize,
        /// How many are needed.
        needed: usize,
    },
    /// Other trials have reported at this step, but their values may not be compared with this one.
    NotComparable {
        /// Step of the last report.
        step: u64,
        /// How many trials reported there under another key.
        others: usize,
    },
    /// The last value is NaN or infinite in the bad direction.
    NotFinite {
        /// Step of the last report.
        step: u64,
        /// The value.
        value: f64,
    },
    /// The value left its allowed range.
    OutOfRange {
        /// Step of the last report.
        step: u64,
        /// The value.
        value: f64,
        /// The limit that it crossed.
        limit: f64,
    },
    /// The value ran away from the best value of its own trial.
    RanAway {
        /// Step of the last report.
        step: u64,
        /// The value.
        value: f64,
        /// The best value of the trial before.
        best: f64,
    },
    /// The value is within its limits.
    InRange {
        /// Step of the last report.
        step: u64,
    },
    /// Compared with a percentile of the trials at this step (kept if at least as good).
    Percentile {
        /// Step of the last report.
        step: u64,
        /// Best value of the trial so far.
        value: f64,
        /// The percentile's value.
        limit: f64,
        /// Share of trials to keep, in percent.
        percent: f64,
        /// How many trials it was taken from.
        trials: usize,
    },
    /// Compared with the trials at a rung of successive halving (kept if among the best).
    Rung {
        /// Step of the rung.
        step: u64,
        /// Value of the trial there.
        value: f64,
        /// Value of the last trial that goes on.
        limit: f64,
        /// How many trials reached the rung, this one included.
        trials: usize,
        /// Which bracket of Hyperband they share (0 for successive halving).
        bracket: u32,
    },
    /// The next rung is not reached.
    BeforeRung {
        /// Step of the last report.
        step: u64,
        /// Step of the next rung.
        rung: u64,
    },
    /// No improvement for a while (stopped), or improved recently (kept).
    Patience {
        /// Best value within the last reports.
        recent: f64,
        /// Best value before.
        before: f64,
        /// How many last reports count.
        patience: usize,
    },
    /// Compared step by step with the best trial by a signed-rank test (stopped if p is small).
    Wilcoxon {
        /// Steps that both have.
        pairs: usize,
        /// Probability of differences so bad if the trial were as good.
        p: f64,
        /// Number of the best trial.
        best: usize,
    },
    /// The test calls the trial worse, but its average is not.
    BetterOnAverage {
        /// Probability that the test gave.
        p: f64,
        /// Number of the best trial.
        best: usize,
    },
    /// The trial is the best one itself.
    IsBest,
    /// The pruner never stops a trial.
    Never,
    /// What a pruner of a third party says, in its own words.
    Other(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = Short;
        match *self {
            Reason::NoReport => write!(f, "nothing reported yet"),
            Reason::NotYet { step } => write!(f, "step {step} is not one to judge at"),
            Reason::TooFew { step, found, needed } => {
                write!(f, "only {found} comparable values at step {step}, {needed} needed")
            }
            Reason::NotComparable { step, others } => write!(
                f,
                "{others} other trials reported at step {step}, but with another rate, schedule or horizon that is not \
                 annealed yet; such losses are not compared"
            ),
            Reason::NotFinite { step, value } => write!(f, "{} at step {step}: diverged", s(value)),
            Reason::OutOfRange { step, value, limit } => {
                write!(f, "{} at step {step} is beyond the limit {}", s(value), s(limit))
            }
            Reason::RanAway { step, value, best } => {
                write!(f, "{} at step {step} after a best of {}: diverged", s(value), s(best))
            }
            Reason::InRange { step } => write!(f, "within the limits at step {step}"),
            Reason::Percentile { step, value, limit, percent, trials } => write!(
                f,
                "best so far {} against {} at step {step}, which the best {}% of {trials} trials reach",
                s(value),
                s(limit),
                s(percent)
            ),
            Reason::Rung { step, value, limit, trials, bracket } => {
                let bracket = if bracket > 0 { format!(" of bracket {bracket}") } else { String::new() };
                let (value, limit) = (s(value), s(limit));
                write!(
                    f,
                    "{value} at the rung of step {step}{bracket}; of {trials} trials those up to {limit} go on"
                )
            }
            Reason::BeforeRung { step, rung } => write!(f, "step {step} is before the next rung at {rung}"),
            Reason::Patience { recent, before, patience } => {
                write!(f, "best of the last {patience} reports {}, before {}", s(recent), s(before))
            }
            Reason::Wilcoxon { pairs, p, best } => {
                write!(f, "p = {p:.3} over {pairs} steps in common with the best trial, {best}")
            }
            Reason::BetterOnAverage { p, best } => {
                write!(f, "p = {p:.3} against the best trial, {best}, but better on average")
            }
            Reason::IsBest => write!(f, "it is the best trial"),
            Reason::Never => write!(f, "this study does not prune"),
            Reason::Other(ref words) => f.write_str(words),
        }
    }
}
