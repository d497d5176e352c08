//! The contract of a storage.
use std::time::Duration;

use lehr_search::{Direction, Params, Space};
use serde_json::Value as Json;

use crate::attribute::{Attributes, Kind, Owner};
use crate::error::StudyError;
use crate::records::Records;
use crate::run::{
    Claim, NewRun, Note, Plan, Reports, RunEnd, Stale, Standing, Stopping, StudyId, StudySummary, Waiting,
    Worker,
};
use crate::state::TrialState;

/// Where studies are kept: memory, SQLite or PostgreSQL, made by [`crate::open`].
///
/// # Contract
/// - Any number of threads, handles and processes may use one storage at once (a storage in memory: one process).
/// - Each method is one transaction: it happens as a whole or not at all. One that fails has changed nothing.
/// - Trials of a study are numbered 0, 1, 2, … without gaps or twins, in the order in which they were made; so are runs, in
///   the order in which they were started.
/// - A waiting trial is given to one caller only. What a claim writes is refused ([`StudyError::Taken`]) once its run has
///   ended or was given to someone else.
/// - When [`Storage::end`] returns, the end of the run and all of its reports survive a loss of power. Anything else survives
///   the death of any process at once, and a loss of power with the next write that comes a second or more after the last
///   one that waited for the disk.
/// - After a lost connection a statement is repeated only where it is known not to have happened.
///
/// Most users want [`crate::Study`], which adds the history, grouped reports and signs of life.
pub trait Storage: Send + Sync {
    /// Its URL, without a password.
    fn url(&self) -> &str;

    /// All studies, in the order in which they were made.
    fn studies(&self) -> Result<Vec<StudySummary>, StudyError>;

    /// Makes a study. The name must be new, not empty, at most 512 characters, and free of NUL.
    fn create_study(&self, name: &str, directions: &[Direction]) -> Result<StudyId, StudyError>;

    /// The study of a name and its directions.
    fn find_study(&self, name: &str) -> Result<(StudyId, Vec<Direction>), StudyError>;

    /// Removes a study and everything in it.
    fn delete_study(&self, study: StudyId) -> Result<(), StudyError>;

    /// The attributes of a study or a trial.
    fn attributes(&self, of: Owner, kind: Kind) -> Result<Attributes, StudyError>;

    /// Sets attributes of a study or a trial, replacing those of the same name.
    fn set_attributes(&self, of: Owner, kind: Kind, values: &[(&str, Json)]) -> Result<(), StudyError>;

    /// Adds a trial that waits for a worker, and returns its number.
    fn enqueue(&self, study: StudyId, waiting: &Waiting) -> Result<usize, StudyError>;

    /// Starts a run: of a new trial, of an open one, or a paused one again. The trial is RUNNING to Optuna from now on.
    fn start(&self, study: StudyId, space: &Space, run: &NewRun) -> Result<Claim, StudyError>;

    /// Takes the waiting trial that waits longest, and starts its run: as it was planned when it was enqueued, otherwise as
    /// planned here. `None` if no trial waits.
    fn claim_waiting(&self, study: StudyId, plan: &Plan, worker: &str) -> Result<Option<Claim>, StudyError>;

    /// Stores parameters of a trial that waited without them; those that it has already must agree.
    fn set_params(&self, claim: &Claim, space: &Space, params: &Params) -> Result<(), StudyError>;

    /// Writes reports, and gives signs of life for these runs. Returns for each where it stands; what came with a claim that
    /// does not hold any more is left out.
    fn report(&self, reports: &[Reports]) -> Result<Vec<Standing>, StudyError>;

    /// Notes where a run keeps its log and its checkpoint.
    fn note(&self, claim: &Claim, note: &Note) -> Result<(), StudyError>;

    /// Ends a run, with its last reports. Ending it twice in the same way is allowed and does nothing the second time.
    fn end(&self, claim: &Claim, last: &[(u64, f64)], end: &RunEnd) -> Result<(), StudyError>;

    /// Ends an open trial that has no running run. Pruned trials get the value of their last report.
    fn close_trial(&self, study: StudyId, trial: usize, state: TrialState) -> Result<(), StudyError>;

    /// Ends an open trial by hand, for a reason. One that nobody trains ends at once: as PRUNED if it has reported a value,
    /// as FAIL otherwise. One that a worker trains is asked to end: [`Storage::report`] tells the worker, and if that one is
    /// dead, [`Storage::fail_stale`] ends the trial without a retry. A trial that Optuna itself runs is refused.
    fn stop_trial(&self, study: StudyId, trial: usize, reason: &str) -> Result<Stopping, StudyError>;

    /// Fails every run that gave no sign of life for longer than `grace`, by the clock of the database.
    ///
    /// Its trial fails with it, and a copy waits in its place, with Optuna's attributes `failed_trial` and `retry_history`
    /// and the run's last checkpoint, unless it was retried `retries` times already. A trial with several runs stays open
    /// instead: the run is paused, or fails once it was started more often than `retries` allows. Runs that never gave a sign of life are left alone, as Optuna does.
    fn fail_stale(&self, study: StudyId, grace: Duration, retries: usize) -> Result<Vec<Stale>, StudyError>;

    /// Brings records up to date: reads the trials and runs that are new or were not finished. See [`Records`].
    fn refresh(&self, study: StudyId, records: &mut Records) -> Result<(), StudyError>;

    /// Enters a worker of a study and returns its number.
    fn enter_worker(&self, study: StudyId, name: &str, host: &str, pid: u32) -> Result<i64, StudyError>;

    /// Notes a sign of life of a worker, or that it ended.
    fn sign_worker(&self, worker: i64, ended: bool) -> Result<(), StudyError>;

    /// The workers of a study, in the order in which they were entered.
    fn workers(&self, study: StudyId) -> Result<Vec<Worker>, StudyError>;
}
