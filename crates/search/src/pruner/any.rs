//! Combining pruners, and not pruning.
use crate::history::Trial;
use crate::pruner::{Pruner, Reason, Verdict};

/// Keeps every trial, also a diverged one: pruning switched off.
#[derive(Debug, Clone, Default)]
pub struct Never {}

impl Pruner for Never {
    fn name(&self) -> &str {
        "never"
    }

    fn judge(&self, _: Trial<'_>) -> Verdict {
        Verdict::keep(Reason::Never)
    }
}

/// Stops a trial if any of several pruners does; the reason is that of the first that stops it, else of the last one.
pub struct AnyOf {
    pruners: Vec<Box<dyn Pruner>>,
}

impl AnyOf {
    /// Combines pruners, which are asked in this order.
    pub fn new(pruners: Vec<Box<dyn Pruner>>) -> Self {
        AnyOf { pruners }
    }
}

impl Pruner for AnyOf {
    fn name(&self) -> &str {
        "any"
    }

    fn judge(&self, trial: Trial<'_>) -> Verdict {
        let mut last = Verdict::keep(Reason::Never);
        for pruner in &self.pruners {
            last = pruner.judge(trial);
            if last.prune {
                break;
            }
        }
        last
    }
}
