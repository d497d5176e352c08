//! What can go wrong while deciding what to train.

/// Why a strategy cannot answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StrategyError {
    /// There is no strategy of this name.
    #[error("there is no strategy '{name}'; there are: {}", super::NAMES.join(", "))]
    Unknown {
        /// The name.
        name: String,
    },
    /// There is no pruner of this name.
    #[error("there is no pruner '{name}'; there are: {}", super::PRUNERS.join(", "))]
    UnknownPruner {
        /// The name.
        name: String,
    },
    /// The goal contradicts itself, or the method cannot work on it.
    #[error("{0}")]
    Goal(String),
    /// The record does not belong to the goal.
    #[error("the record of runs does not fit: {0}")]
    Record(String),
    /// A schedule cannot be read or does not fit the horizon.
    #[error("schedule '{schedule}': {problem}")]
    Schedule {
        /// Its spec.
        schedule: String,
        /// Why.
        problem: String,
    },
    /// The search space refuses the parameters, or the sampler has nothing to suggest.
    #[error(transparent)]
    Search(#[from] lehr_search::SearchError),
}
