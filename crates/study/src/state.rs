//! Where trials and runs stand.
use std::fmt;

use crate::error::StudyError;

macro_rules! named {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$inner:meta])* $variant:ident => $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$inner])* $variant),* }

        impl $name {
            /// The name under which it is stored.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }

            pub(crate) fn read(name: &str) -> Result<Self, StudyError> {
                match name {
                    $($text => Ok($name::$variant),)*
                    other => Err(StudyError::content($what, format!("'{other}' is none"))),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

named! {
    /// Where a trial stands, in Optuna's words.
    TrialState, "the state of a trial" {
        /// It waits to be taken by a worker.
        Waiting => "WAITING",
        /// It runs, or is paused and may be taken up again.
        Running => "RUNNING",
        /// It reached its target.
        Complete => "COMPLETE",
        /// It was stopped as not promising, or only ran short.
        Pruned => "PRUNED",
        /// It broke or diverged.
        Failed => "FAIL",
    }
}

named! {
    /// Where a run stands.
    RunState, "the state of a run" {
        /// It waits to be taken by a worker.
        Queued => "queued",
        /// A worker is at it.
        Running => "running",
        /// It stands at its last checkpoint and may be taken up again.
        Paused => "paused",
        /// It reached its horizon.
        Complete => "complete",
        /// It was stopped as not promising.
        Pruned => "pruned",
        /// It broke for a reason that says nothing about its parameters.
        Failed => "failed",
        /// Its loss ran away.
        Diverged => "diverged",
    }
}

impl TrialState {
    /// Whether it will not change any more.
    pub fn is_finished(self) -> bool {
        matches!(self, TrialState::Complete | TrialState::Pruned | TrialState::Failed)
    }
}

impl RunState {
    /// Whether it will not change any more.
    pub fn is_finished(self) -> bool {
        matches!(self, RunState::Complete | RunState::Pruned | RunState::Failed | RunState::Diverged)
    }
}
