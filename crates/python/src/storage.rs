//! Lehr's storage behind Optuna's interface.
use lehr::search::Direction;
use lehr::study::{
    Frozen, FrozenStudy, Kind, OptunaStorage, StudyError, StudyId, TrialState, open_for_optuna,
};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;

use crate::error::{self, LehrError};

/// Adds the class to the module.
pub fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyStorage>()
}

/// Keys and JSON texts.
type Attributes = Vec<(String, String)>;
/// A study: number, name, whether each objective is maximised, the user's attributes, Optuna's.
type GivenStudy = (i64, String, Vec<bool>, Attributes, Attributes);
/// A trial: number in the storage and in the study, state, values, parameters (name, internal number, distribution),
/// the user's attributes, Optuna's, reports, start and end in microseconds since 1970.
type GivenTrial = (
    i64,
    usize,
    String,
    Vec<f64>,
    Vec<(String, f64, String)>,
    Attributes,
    Attributes,
    Vec<(i64, f64)>,
    Option<i64>,
    Option<i64>,
);

fn direction(maximize: bool) -> Direction {
    if maximize { Direction::Maximize } else { Direction::Minimize }
}

fn state(name: &str) -> PyResult<TrialState> {
    let all = [
        TrialState::Waiting,
        TrialState::Running,
        TrialState::Complete,
        TrialState::Pruned,
        TrialState::Failed,
    ];
    let found = all.into_iter().find(|state| state.name() == name);
    found.ok_or_else(|| LehrError::new_err(format!("unknown state of a trial `{name}`")))
}

fn kind(user: bool) -> Kind {
    if user { Kind::User } else { Kind::System }
}

fn given_study(study: FrozenStudy) -> GivenStudy {
    let maximize = study.directions.iter().map(|d| *d == Direction::Maximize).collect();
    (study.id.get(), study.name, maximize, study.user, study.system)
}

fn given_trial(t: Frozen) -> GivenTrial {
    let state = t.state.name().to_owned();
    (t.id, t.number, state, t.values, t.params, t.user, t.system, t.reports, t.started, t.ended)
}

/// What Optuna's interface promises to raise.
fn raise(py: Python<'_>, error: &StudyError) -> PyErr {
    let named = |name: &str| {
        let class = py.import("optuna.exceptions").and_then(|module| module.getattr(name));
        class.and_then(|class| class.call1((error.to_string(),))).map_or_else(|why| why, PyErr::from_value)
    };
    match error {
        StudyError::Absent { .. } | StudyError::NoStudy { .. } => PyKeyError::new_err(error.to_string()),
        StudyError::Exists { .. } => named("DuplicatedStudyError"),
        StudyError::Finished { .. } => named("UpdateFinishedTrialError"),
        other => error::lehr(other),
    }
}

/// A storage, as `lehr.optuna.Storage` uses it.
#[pyclass(frozen, weakref, name = "Storage", module = "lehr._core")]
pub struct PyStorage {
    storage: Box<dyn OptunaStorage>,
}

impl PyStorage {
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        body: impl Send + FnOnce(&dyn OptunaStorage) -> Result<T, StudyError>,
    ) -> PyResult<T> {
        py.detach(|| body(&*self.storage)).map_err(|why| raise(py, &why))
    }
}

#[pymethods]
impl PyStorage {
    #[new]
    fn new(py: Python<'_>, url: &str) -> PyResult<Self> {
        let storage = py.detach(|| open_for_optuna(url)).map_err(error::lehr)?;
        Ok(Self { storage })
    }

    /// Without a password.
    #[getter]
    fn url(&self) -> &str {
        self.storage.url()
    }

    fn create_study(&self, py: Python<'_>, name: &str, maximize: Vec<bool>) -> PyResult<i64> {
        let directions: Vec<Direction> = maximize.into_iter().map(direction).collect();
        self.with(py, |s| s.create_study(name, &directions)).map(StudyId::get)
    }

    fn delete_study(&self, py: Python<'_>, study: i64) -> PyResult<()> {
        self.with(py, |s| s.delete_study(StudyId::from_number(study)))
    }

    fn study_id(&self, py: Python<'_>, name: &str) -> PyResult<i64> {
        self.with(py, |s| s.study_id(name)).map(StudyId::get)
    }

    #[pyo3(signature = (study=None))]
    fn studies(&self, py: Python<'_>, study: Option<i64>) -> PyResult<Vec<GivenStudy>> {
        let studies = self.with(py, |s| s.studies(study.map(StudyId::from_number)))?;
        Ok(studies.into_iter().map(given_study).collect())
    }

    fn set_study_attribute(
        &self,
        py: Python<'_>,
        study: i64,
        user: bool,
        key: &str,
        json: &str,
    ) -> PyResult<()> {
        self.with(py, |s| s.set_study_attribute(StudyId::from_number(study), kind(user), key, json))
    }

    fn create_trial(&self, py: Python<'_>, study: i64, like: GivenTrial) -> PyResult<i64> {
        let (_, _, name, values, params, user, system, reports, started, ended) = like;
        let new = Frozen::new(state(&name)?);
        let like = Frozen { values, params, user, system, reports, started, ended, ..new };
        self.with(py, |s| s.create_trial(StudyId::from_number(study), &like))
    }

    fn set_param(
        &self,
        py: Python<'_>,
        trial: i64,
        name: &str,
        value: f64,
        distribution: &str,
    ) -> PyResult<()> {
        self.with(py, |s| s.set_param(trial, name, value, distribution))
    }

    fn set_state(&self, py: Python<'_>, trial: i64, name: &str, values: Option<Vec<f64>>) -> PyResult<bool> {
        let state = state(name)?;
        self.with(py, |s| s.set_state(trial, state, values.as_deref()))
    }

    fn set_report(&self, py: Python<'_>, trial: i64, step: i64, value: f64) -> PyResult<()> {
        self.with(py, |s| s.set_report(trial, step, value))
    }

    fn set_trial_attribute(
        &self,
        py: Python<'_>,
        trial: i64,
        user: bool,
        key: &str,
        json: &str,
    ) -> PyResult<()> {
        self.with(py, |s| s.set_trial_attribute(trial, kind(user), key, json))
    }

    fn trial(&self, py: Python<'_>, trial: i64) -> PyResult<GivenTrial> {
        self.with(py, |s| s.trial(trial)).map(given_trial)
    }

    /// The trials made after one, and those of the given ones that are in the study.
    fn trials(&self, py: Python<'_>, study: i64, after: i64, and: Vec<i64>) -> PyResult<Vec<GivenTrial>> {
        let trials = self.with(py, |s| s.trials(StudyId::from_number(study), after, &and))?;
        Ok(trials.into_iter().map(given_trial).collect())
    }

    fn sign(&self, py: Python<'_>, trial: i64) -> PyResult<()> {
        self.with(py, |s| s.sign(trial))
    }

    fn stale(&self, py: Python<'_>, study: i64, seconds: f64) -> PyResult<Vec<i64>> {
        self.with(py, |s| s.stale(StudyId::from_number(study), seconds))
    }
}
