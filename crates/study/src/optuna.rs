//! A storage as Optuna's own interface has it: trials by the storage's number, without runs.
use lehr_search::Direction;

use crate::attribute::Kind;
use crate::error::StudyError;
use crate::location::{OpenOptions, Opened, open_database};
use crate::run::StudyId;
use crate::state::TrialState;

/// A trial as Optuna has it. JSON is text, as Python wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct Frozen {
    /// The storage's number.
    pub id: i64,
    /// Its number in the study.
    pub number: usize,
    /// Where it stands.
    pub state: TrialState,
    /// Its values, one per objective; empty if it has none.
    pub values: Vec<f64>,
    /// Name, internal number and distribution of each parameter, in the order in which they were set.
    pub params: Vec<(String, f64, String)>,
    /// The user's attributes.
    pub user: Vec<(String, String)>,
    /// Optuna's attributes.
    pub system: Vec<(String, String)>,
    /// Its intermediate values.
    pub reports: Vec<(i64, f64)>,
    /// When it was started, in microseconds since 1970 (UTC).
    pub started: Option<i64>,
    /// When it ended, likewise.
    pub ended: Option<i64>,
}

impl Frozen {
    /// A trial without anything yet.
    pub fn new(state: TrialState) -> Self {
        Frozen {
            id: 0,
            number: 0,
            state,
            values: Vec::new(),
            params: Vec::new(),
            user: Vec::new(),
            system: Vec::new(),
            reports: Vec::new(),
            started: None,
            ended: None,
        }
    }
}

/// A study as Optuna has it.
#[derive(Debug, Clone, PartialEq)]
pub struct FrozenStudy {
    /// The storage's number.
    pub id: StudyId,
    /// Its name.
    pub name: String,
    /// What is minimised or maximised.
    pub directions: Vec<Direction>,
    /// The user's attributes.
    pub user: Vec<(String, String)>,
    /// Optuna's attributes.
    pub system: Vec<(String, String)>,
}

/// The interface behind `optuna.storages.BaseStorage`, over the same databases as [`crate::Storage`] and with the same
/// promises: each method is one transaction, numbers are dense, the end of a trial waits for the disk. What is not there is
/// [`StudyError::Absent`], a trial that has ended is [`StudyError::Finished`].
pub trait OptunaStorage: Send + Sync {
    /// Its URL, without a password.
    fn url(&self) -> &str;

    /// Makes a study; unlike Lehr's, its name may be empty.
    fn create_study(&self, name: &str, directions: &[Direction]) -> Result<StudyId, StudyError>;

    /// Removes a study and everything in it.
    fn delete_study(&self, study: StudyId) -> Result<(), StudyError>;

    /// The study of a name.
    fn study_id(&self, name: &str) -> Result<StudyId, StudyError>;

    /// One study, or all by number.
    fn studies(&self, study: Option<StudyId>) -> Result<Vec<FrozenStudy>, StudyError>;

    /// Sets an attribute of a study.
    fn set_study_attribute(
        &self,
        study: StudyId,
        kind: Kind,
        key: &str,
        json: &str,
    ) -> Result<(), StudyError>;

    /// Adds a trial like this one (its numbers and, while it runs, nothing else are its own). Returns the storage's number.
    fn create_trial(&self, study: StudyId, like: &Frozen) -> Result<i64, StudyError>;

    /// Sets a parameter. Its distribution must be compatible with the one that the study has under that name.
    fn set_param(&self, trial: i64, name: &str, value: f64, distribution: &str) -> Result<(), StudyError>;

    /// Sets state and values; false if a trial that is RUNNING was to become so.
    fn set_state(&self, trial: i64, state: TrialState, values: Option<&[f64]>) -> Result<bool, StudyError>;

    /// Sets an intermediate value.
    fn set_report(&self, trial: i64, step: i64, value: f64) -> Result<(), StudyError>;

    /// Sets an attribute of a trial.
    fn set_trial_attribute(&self, trial: i64, kind: Kind, key: &str, json: &str) -> Result<(), StudyError>;

    /// One trial.
    fn trial(&self, trial: i64) -> Result<Frozen, StudyError>;

    /// The trials of a study made after one of these, and those of the given ones that are in it, by number.
    fn trials(&self, study: StudyId, after: i64, and: &[i64]) -> Result<Vec<Frozen>, StudyError>;

    /// Gives a sign of life for a running trial.
    fn sign(&self, trial: i64) -> Result<(), StudyError>;

    /// The running trials of a study that gave a sign of life once, and none for longer than this many seconds.
    fn stale(&self, study: StudyId, seconds: f64) -> Result<Vec<i64>, StudyError>;
}

/// Opens a storage for Optuna; see [`crate::open`] for URLs.
pub fn open_for_optuna(url: &str) -> Result<Box<dyn OptunaStorage>, StudyError> {
    Ok(match open_database(url, &OpenOptions::default())? {
        Opened::Sqlite(database) => database,
        Opened::Server(database) => database,
    })
}
