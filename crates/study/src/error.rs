//! Everything that can go wrong in this crate.
use lehr_search::SearchError;

use crate::state::TrialState;

/// What went wrong, where, and what to do about it. A password of a URL is never part of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// The URL names no storage.
    #[error(
        "storage '{url}': {message}; give memory:, sqlite:///file.db, sqlite:////folder/file.db, a path that ends in .db, \
         or postgresql://user:password@host/database"
    )]
    Url {
        /// The URL, without a password.
        url: String,
        /// What is wrong with it.
        message: String,
    },
    /// There is nothing at the URL, and it was not to be made.
    #[error("storage '{url}' does not exist; check the path, or make it with `lehr tune --storage {url}`")]
    Missing {
        /// The URL.
        url: String,
    },
    /// The storage cannot be opened.
    #[error("cannot open storage '{url}': {message}")]
    Open {
        /// The URL.
        url: String,
        /// Why, in the words of the database.
        message: String,
    },
    /// It is a database, or a file, of another program.
    #[error("storage '{url}' is not a database of Lehr or Optuna: {message}; nothing was changed in it")]
    Foreign {
        /// The URL.
        url: String,
        /// What was found.
        message: String,
    },
    /// It is a database of another version of Optuna.
    #[error(
        "storage '{url}' has Optuna's schema revision '{found}', this program reads '{expected}'; `optuna storage upgrade \
         --storage {url}` with Optuna 5 brings an older one up to date"
    )]
    Revision {
        /// The URL.
        url: String,
        /// The revision in the database.
        found: String,
        /// The revision that this crate knows.
        expected: &'static str,
    },
    /// The storage cannot be written.
    #[error("storage '{url}' is read-only; check the permissions of the file and of its folder")]
    ReadOnly {
        /// The URL.
        url: String,
    },
    /// There is no room left.
    #[error("storage '{url}': the disk is full; what was committed before is safe, make room and go on")]
    Full {
        /// The URL.
        url: String,
    },
    /// Another process keeps it locked.
    #[error(
        "storage '{url}' has been locked by another process for {seconds} s; end that process, or wait and try again"
    )]
    Locked {
        /// The URL.
        url: String,
        /// How long this one has waited.
        seconds: u64,
    },
    /// The connection was lost and did not come back.
    #[error("the connection to storage '{url}' was lost and did not come back within {seconds} s: {message}")]
    Disconnected {
        /// The URL.
        url: String,
        /// How long it was tried.
        seconds: u64,
        /// The last failure, in the words of the database.
        message: String,
    },
    /// The database refused a statement for another reason.
    #[error("storage '{url}', {doing}: {message}")]
    Database {
        /// The URL.
        url: String,
        /// What was being done.
        doing: String,
        /// Why it failed, in the words of the database.
        message: String,
    },
    /// There is no such study.
    #[error("there is no study {name:?} in storage '{url}'{known}")]
    NoStudy {
        /// The name.
        name: String,
        /// The URL.
        url: String,
        /// `; there are: …`
        known: String,
    },
    /// The study exists already.
    #[error("study {name:?} exists already in storage '{url}'; continue it, or choose another name")]
    Exists {
        /// The name.
        name: String,
        /// The URL.
        url: String,
    },
    /// There is no such trial or run.
    #[error("there is no {what} in this study")]
    Absent {
        /// For example `trial 7`.
        what: String,
    },
    /// The claim is no longer valid: the run was given to another attempt, or closed.
    #[error("{what} was taken from this worker: {message}; its results are not written")]
    Taken {
        /// Which run.
        what: String,
        /// Where it stands now.
        message: String,
    },
    /// Other runs were started since the record on which a decision stands was read.
    #[error(
        "{started} runs were started, not {expected} as this decision has seen: read the record again and decide again"
    )]
    Outdated {
        /// How many runs the decision has seen.
        expected: usize,
        /// How many there are.
        started: usize,
    },
    /// A trial is to be changed that has ended.
    #[error("trial {trial} is {state} already and cannot be changed")]
    Finished {
        /// Its number.
        trial: usize,
        /// How it ended.
        state: TrialState,
    },
    /// Something is asked for that the state of a trial or run does not allow.
    #[error("{what}: {message}")]
    State {
        /// Which trial or run.
        what: String,
        /// Why not.
        message: String,
    },
    /// A value that cannot be stored.
    #[error("{what} cannot be stored: {message}")]
    Value {
        /// Which value.
        what: String,
        /// Why, and what could be.
        message: String,
    },
    /// What is in the database cannot be read.
    #[error("{what} in the database cannot be read: {message}")]
    Content {
        /// Which row.
        what: String,
        /// What is wrong.
        message: String,
    },
    /// The search space and the trials do not go together.
    #[error(transparent)]
    Search(#[from] SearchError),
}

impl StudyError {
    pub(crate) fn content(what: impl Into<String>, message: impl Into<String>) -> Self {
        StudyError::Content { what: what.into(), message: message.into() }
    }

    pub(crate) fn value(what: impl Into<String>, message: impl Into<String>) -> Self {
        StudyError::Value { what: what.into(), message: message.into() }
    }

    pub(crate) fn state(what: impl Into<String>, message: impl Into<String>) -> Self {
        StudyError::State { what: what.into(), message: message.into() }
    }

    pub(crate) fn absent(what: impl Into<String>) -> Self {
        StudyError::Absent { what: what.into() }
    }
}
