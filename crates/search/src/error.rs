//! Everything that can go wrong in this crate.

/// What went wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// The text of a space cannot be read.
    #[error("search space, character {}: {message}", at + 1)]
    Parse {
        /// Offset in bytes of the offending character in the text.
        at: usize,
        /// What was expected and what was found.
        message: String,
    },
    /// A parameter's definition contradicts itself.
    #[error("parameter '{name}': {message}")]
    Parameter {
        /// The parameter's name.
        name: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// Parameters do not belong to the space.
    #[error("parameters do not fit the space: {0}")]
    Params(String),
    /// The constraints of the space left nothing that the sampler could find.
    #[error(
        "no point that satisfies the constraints was found in {attempts} draws; widen the ranges or drop a constraint"
    )]
    Infeasible {
        /// How many points were drawn.
        attempts: usize,
    },
    /// Every point of a grid or a list has been tried or is running.
    #[error("all {0} points of the grid or list have been tried or are running; nothing is left to suggest")]
    Exhausted(usize),
    /// A trial was used in a way that its state does not allow.
    #[error("trial {trial}: {message}")]
    Trial {
        /// The trial's number.
        trial: usize,
        /// What was attempted and why it cannot be done.
        message: String,
    },
    /// A space and a history that do not belong together.
    #[error(
        "the space and the history do not match: {0}; build the history from the same space (fixing parameters is allowed)"
    )]
    Mismatch(String),
    /// A setting of a sampler or a pruner is out of range.
    #[error("{what}: {message}")]
    Setting {
        /// The sampler or pruner and its setting.
        what: String,
        /// What is wrong and what would be right.
        message: String,
    },
}

impl SearchError {
    pub(crate) fn parameter(name: &str, message: impl Into<String>) -> Self {
        SearchError::Parameter { name: name.to_owned(), message: message.into() }
    }

    pub(crate) fn setting(what: &str, message: impl Into<String>) -> Self {
        SearchError::Setting { what: what.to_owned(), message: message.into() }
    }

    pub(crate) fn trial(trial: usize, message: impl Into<String>) -> Self {
        SearchError::Trial { trial, message: message.into() }
    }
}
