//! The storage contract over a database, in one SQL text for both dialects.
pub(crate) mod driver;
mod optuna;
mod parts;
pub(crate) mod postgresql;
mod read;
mod runs;
mod schema;
pub(crate) mod sqlite;
mod stale;
mod stops;
mod studies;
mod trials;
mod workers;

pub(crate) use parts::step as check_step;

use std::sync::Mutex;
use std::time::Duration;

use lehr_search::{Direction, Params, Space};
use serde_json::Value as Json;

use crate::attribute::{Attributes, Kind as AttributeKind, Owner};
use crate::error::StudyError;
use crate::records::Records;
use crate::run::{
    Claim, NewRun, Note, Plan, Reports, RunEnd, Stale, Standing, Stopping, StudyId, StudySummary, Waiting,
    Worker,
};
use crate::state::TrialState;
use crate::storage::Storage;
use driver::{Driver, Kind, Tx};

/// A database behind the storage contract. Its methods are one transaction each; what happens in it is in the modules of
/// this folder, as functions of the transaction.
pub(crate) struct Database<D> {
    driver: Mutex<D>,
    url: String,
}

impl<D: Driver> Database<D> {
    pub(crate) fn new(driver: D, url: String) -> Self {
        Database { driver: Mutex::new(driver), url }
    }

    fn transact<T>(
        &self,
        kind: Kind,
        doing: &str,
        mut body: impl FnMut(&mut dyn Tx) -> Result<T, StudyError>,
    ) -> Result<T, StudyError> {
        let mut result = None;
        // A thread that panicked has rolled back, or its connection has: the next transaction starts anew.
        let mut driver = self.driver.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        driver.transaction(kind, doing, &mut |tx| {
            result = Some(body(tx)?);
            Ok(())
        })?;
        result.ok_or_else(|| StudyError::Database {
            url: self.url.clone(),
            doing: doing.into(),
            message: "the transaction did not run".into(),
        })
    }
}

impl<D: Driver> Storage for Database<D> {
    fn url(&self) -> &str {
        &self.url
    }

    fn studies(&self) -> Result<Vec<StudySummary>, StudyError> {
        self.transact(Kind::Read, "listing the studies", studies::list)
    }

    fn create_study(&self, name: &str, directions: &[Direction]) -> Result<StudyId, StudyError> {
        self.transact(Kind::Durable, "making a study", |tx| studies::create(tx, &self.url, name, directions))
    }

    fn find_study(&self, name: &str) -> Result<(StudyId, Vec<Direction>), StudyError> {
        self.transact(Kind::Read, "looking for a study", |tx| studies::find(tx, &self.url, name))
    }

    fn delete_study(&self, study: StudyId) -> Result<(), StudyError> {
        self.transact(Kind::Durable, "removing a study", |tx| studies::delete(tx, study))
    }

    fn attributes(&self, of: Owner, kind: AttributeKind) -> Result<Attributes, StudyError> {
        self.transact(Kind::Read, "reading attributes", |tx| studies::attributes(tx, of, kind))
    }

    fn set_attributes(
        &self,
        of: Owner,
        kind: AttributeKind,
        values: &[(&str, Json)],
    ) -> Result<(), StudyError> {
        self.transact(Kind::Write, "writing attributes", |tx| studies::set_attributes(tx, of, kind, values))
    }

    fn enqueue(&self, study: StudyId, waiting: &Waiting) -> Result<usize, StudyError> {
        self.transact(Kind::Write, "enqueueing a trial", |tx| trials::enqueue(tx, study, waiting))
    }

    fn start(&self, study: StudyId, space: &Space, run: &NewRun) -> Result<Claim, StudyError> {
        let token = parts::token();
        self.transact(Kind::Write, "starting a run", |tx| runs::start(tx, study, space, run, &token))
    }

    fn claim_waiting(&self, study: StudyId, plan: &Plan, worker: &str) -> Result<Option<Claim>, StudyError> {
        let token = parts::token();
        self.transact(Kind::Write, "taking a waiting trial", |tx| {
            trials::claim(tx, study, plan, worker, &token)
        })
    }

    fn set_params(&self, claim: &Claim, space: &Space, params: &Params) -> Result<(), StudyError> {
        self.transact(Kind::Write, "storing parameters", |tx| {
            runs::hold(tx, claim)?;
            trials::set_params(tx, claim.study, claim.trial_id, space, params)
        })
    }

    fn report(&self, reports: &[Reports]) -> Result<Vec<Standing>, StudyError> {
        if reports.is_empty() {
            return Ok(Vec::new());
        }
        self.transact(Kind::Write, "writing reports", |tx| runs::report_all(tx, reports))
    }

    fn note(&self, claim: &Claim, note: &Note) -> Result<(), StudyError> {
        self.transact(Kind::Write, "noting the state of a run", |tx| runs::note(tx, claim, note))
    }

    fn end(&self, claim: &Claim, last: &[(u64, f64)], end: &RunEnd) -> Result<(), StudyError> {
        self.transact(Kind::Durable, "ending a run", |tx| runs::end(tx, claim, last, end))
    }

    fn close_trial(&self, study: StudyId, trial: usize, state: TrialState) -> Result<(), StudyError> {
        self.transact(Kind::Durable, "closing a trial", |tx| runs::close(tx, study, trial, state))
    }

    fn stop_trial(&self, study: StudyId, trial: usize, reason: &str) -> Result<Stopping, StudyError> {
        self.transact(Kind::Durable, "stopping a trial", |tx| stops::stop(tx, study, trial, reason))
    }

    fn fail_stale(&self, study: StudyId, grace: Duration, retries: usize) -> Result<Vec<Stale>, StudyError> {
        self.transact(Kind::Write, "looking for dead workers", |tx| stale::fail(tx, study, grace, retries))
    }

    fn refresh(&self, study: StudyId, records: &mut Records) -> Result<(), StudyError> {
        let changes = self.transact(Kind::Read, "reading trials", |tx| read::changes(tx, study, records))?;
        records.apply(changes);
        Ok(())
    }

    fn enter_worker(&self, study: StudyId, name: &str, host: &str, pid: u32) -> Result<i64, StudyError> {
        self.transact(Kind::Write, "entering a worker", |tx| workers::enter(tx, study, name, host, pid))
    }

    fn sign_worker(&self, worker: i64, ended: bool) -> Result<(), StudyError> {
        self.transact(Kind::Write, "noting a sign of life", |tx| workers::sign(tx, worker, ended))
    }

    fn workers(&self, study: StudyId) -> Result<Vec<Worker>, StudyError> {
        self.transact(Kind::Read, "listing the workers", |tx| workers::list(tx, study))
    }
}
