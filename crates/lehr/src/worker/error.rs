//! What can go wrong while a study is worked on.

use lehr_search::SearchError;
use lehr_study::StudyError;

use crate::program::ProgramError;
use crate::strategy::StrategyError;

/// Why a study cannot be worked on, or not any further. What was finished before is in the study.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// A setting that cannot be.
    #[error("{what}: {message}")]
    Setting {
        /// Which one.
        what: &'static str,
        /// What is wrong and what would be right.
        message: String,
    },
    /// The study was begun with another question.
    #[error(
        "study '{study}' was begun with {what} {before}, not {now}: results would not compare; give another --study, or \
         the same {what}"
    )]
    Differs {
        /// The study.
        study: String,
        /// Which setting.
        what: &'static str,
        /// What it was.
        before: String,
        /// What it is now.
        now: String,
    },
    /// The study holds no command.
    #[error("study '{0}' holds no command: begin it with `lehr tune --study {0} … -- command`")]
    NoCommand(String),
    /// One run after the other fails.
    #[error(
        "the last {count} runs have all failed, so no more are started. The last one: {reason}\n{tail}\
         Mend the command and start again: the study goes on"
    )]
    AllFail {
        /// How many.
        count: usize,
        /// Why the last one did.
        reason: String,
        /// Its last lines, each on a line of its own, and where its log is.
        tail: String,
    },
    /// The storage.
    #[error(transparent)]
    Study(#[from] StudyError),
    /// The strategy.
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    /// The program or its command.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The space, or a sampler.
    #[error(transparent)]
    Search(#[from] SearchError),
}

impl WorkerError {
    pub(super) fn setting(what: &'static str, message: impl Into<String>) -> Self {
        Self::Setting { what, message: message.into() }
    }
}
