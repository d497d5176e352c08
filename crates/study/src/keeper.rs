//! Runs at work: their reports are grouped, their signs of life given, from one thread in the background.
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lehr_search::{Params, Space};

use crate::error::StudyError;
use crate::run::{Claim, Note, Reports, RunEnd, Standing};
use crate::sql::check_step;
use crate::storage::Storage;

/// A report is written at most this long after it was made.
const FLUSH_WITHIN: Duration = Duration::from_millis(900);
/// A run gives a sign of life at least this often.
pub(crate) const SIGN_EVERY: Duration = Duration::from_secs(5);
/// That many reports are written at once, whatever the time.
const FULL: usize = 10_000;

/// A run that this process is at: the right to report on it and to end it.
///
/// Reports are collected and written at most a second later, or by [`Attempt::flush`]; the end of the run brings the last of
/// them along. As long as it lives, signs of life are given in the background. Dropping it without [`Attempt::finish`] gives
/// the run up: it is found by [`Storage::fail_stale`].
#[derive(Debug)]
pub struct Attempt {
    claim: Claim,
    keeper: Arc<Keeper>,
}

impl Attempt {
    pub(crate) fn new(claim: Claim, keeper: Arc<Keeper>) -> Self {
        keeper.add(&claim);
        Attempt { claim, keeper }
    }

    /// The claim on which it stands.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The trial's parameters.
    pub fn params(&self) -> &Params {
        &self.claim.params
    }

    /// Gives the trial those parameters that were not decided when it was enqueued.
    pub fn set_params(&mut self, space: &Space, params: &Params) -> Result<(), StudyError> {
        self.keeper.storage.set_params(&self.claim, space, params)?;
        self.claim.params = params.clone();
        Ok(())
    }

    /// Reports a value. Fails once the run was taken from this worker; a failure to write is told by the next flush.
    pub fn report(&self, step: u64, value: f64) -> Result<(), StudyError> {
        // Refused here, or it would hold up all reports that are written with it.
        check_step(step)?;
        let full = {
            let mut state = self.keeper.lock();
            let open = state.open(&self.claim)?;
            open.values.push((step, value));
            let full = open.values.len() >= FULL;
            state.since.get_or_insert_with(Instant::now);
            full
        };
        if full { self.flush() } else { Ok(()) }
    }

    /// Writes what was reported, here and by the other runs of the study in this process.
    pub fn flush(&self) -> Result<(), StudyError> {
        self.keeper.flush()?;
        self.keeper.lock().open(&self.claim).map(|_| ())
    }

    /// Whether the run was taken from this worker: stop the program, its results are not wanted any more.
    pub fn is_lost(&self) -> bool {
        self.keeper.lock().open(&self.claim).is_err()
    }

    /// Why somebody asked for the end of the run, if they did ([`Storage::stop_trial`]): stop the program and finish the run.
    pub fn stop_asked(&self) -> Option<String> {
        self.keeper.lock().runs.get(&self.claim.run_id)?.stop.clone()
    }

    /// Notes where the run keeps its log and its checkpoint.
    pub fn note(&self, note: &Note) -> Result<(), StudyError> {
        self.keeper.storage.note(&self.claim, note)
    }

    /// Ends the run. When this returns, its end and its reports are on the disk. If it fails for a reason that passes, it can
    /// be called again.
    pub fn finish(&self, end: &RunEnd) -> Result<(), StudyError> {
        // Not while reports of this run are being written: they would come after the end.
        let _writing = self.keeper.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let values =
            self.keeper.lock().runs.get(&self.claim.run_id).map(|o| o.values.clone()).unwrap_or_default();
        self.keeper.storage.end(&self.claim, &values, end)?;
        self.keeper.lock().runs.remove(&self.claim.run_id);
        Ok(())
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let unwritten = {
            let state = self.keeper.lock();
            state.runs.get(&self.claim.run_id).is_some_and(|open| !open.values.is_empty() && !open.lost)
        };
        if unwritten && let Err(why) = self.keeper.flush() {
            tracing::warn!(%why, "reports of a run that was given up are not written");
        }
        self.keeper.lock().runs.remove(&self.claim.run_id);
    }
}

#[derive(Debug)]
struct Open {
    claim: Claim,
    /// Reports that are not written yet.
    values: Vec<(u64, f64)>,
    /// Whether a sign of life was given yet.
    signed: bool,
    /// Whether it was taken from this worker.
    lost: bool,
    /// Why its end was asked for.
    stop: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    runs: BTreeMap<i64, Open>,
    /// When the oldest report that is not written was made, or a run began that gave no sign of life yet.
    since: Option<Instant>,
    /// When signs of life were given last.
    signed: Option<Instant>,
    stop: bool,
}

impl State {
    fn open(&mut self, claim: &Claim) -> Result<&mut Open, StudyError> {
        let taken = |message: &str| StudyError::Taken { what: claim.what(), message: message.into() };
        match self.runs.get_mut(&claim.run_id) {
            Some(open) if open.lost => Err(taken("it was failed, or given to another worker")),
            Some(open) => Ok(open),
            None => Err(taken("it has ended")),
        }
    }

    /// When there is something to do next.
    fn due(&self) -> Option<Instant> {
        let flush = self.since.map(|since| since + FLUSH_WITHIN);
        let sign = self.signed.filter(|_| !self.runs.is_empty()).map(|signed| signed + SIGN_EVERY);
        flush.into_iter().chain(sign).min()
    }
}

/// Keeps the runs of one study in one process.
pub(crate) struct Keeper {
    storage: Arc<dyn Storage>,
    state: Mutex<State>,
    wake: Condvar,
    /// Held while reports are on their way, so that those of one run stay in order.
    writing: Mutex<()>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Keeper {
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        Keeper {
            storage,
            state: Mutex::default(),
            wake: Condvar::new(),
            writing: Mutex::default(),
            thread: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(self: &Arc<Self>, claim: &Claim) {
        let mut state = self.lock();
        state.signed.get_or_insert_with(Instant::now);
        state.since.get_or_insert_with(Instant::now);
        let open = Open { claim: claim.clone(), values: Vec::new(), signed: false, lost: false, stop: None };
        state.runs.insert(claim.run_id, open);
        drop(state);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            // It must not keep the keeper alive, or nothing would ever end it.
            let keeper = Arc::downgrade(self);
            let spawned = thread::Builder::new().name("lehr-study".into()).spawn(move || {
                while let Some(keeper) = keeper.upgrade() {
                    if !keeper.turn() {
                        break;
                    }
                }
            });
            match spawned {
                Ok(spawned) => *thread = Some(spawned),
                Err(why) => tracing::warn!(%why, "no thread for signs of life; they are given with reports"),
            }
        }
    }

    /// Waits a moment, and does what is due. False when it is to end.
    fn turn(&self) -> bool {
        let mut state = self.lock();
        let now = Instant::now();
        let due = state.due();
        if state.stop {
            return false;
        }
        if due.is_none_or(|due| due > now) {
            // Short waits: in between the keeper can be dropped.
            let wait = due.map_or(FLUSH_WITHIN, |due| due - now).min(Duration::from_millis(100));
            state = self.wake.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
            return !state.stop;
        }
        drop(state);
        if let Err(why) = self.flush() {
            tracing::warn!(%why, "reports could not be written; they are kept");
            thread::sleep(Duration::from_millis(500));
        }
        true
    }

    /// Writes all reports, and gives signs of life where they are due. What cannot be written is kept.
    fn flush(&self) -> Result<(), StudyError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (reports, since) = {
            let mut state = self.lock();
            let sign = state.signed.is_none_or(|signed| signed.elapsed() >= SIGN_EVERY);
            if sign {
                state.signed = Some(Instant::now());
            }
            let since = state.since.take();
            let due = |open: &Open| !open.lost && (sign || !open.signed || !open.values.is_empty());
            let runs = state.runs.values_mut().filter(|open| due(open));
            let reports: Vec<Reports> = runs
                .map(|open| Reports { claim: open.claim.clone(), values: std::mem::take(&mut open.values) })
                .collect();
            (reports, since)
        };
        let done = self.storage.report(&reports);
        let mut state = self.lock();
        match done {
            Ok(standing) => {
                for (report, standing) in reports.iter().zip(standing) {
                    if let Some(open) = state.runs.get_mut(&report.claim.run_id) {
                        open.signed = true;
                        match standing {
                            Standing::Holds => {}
                            Standing::Stopped(reason) => open.stop = Some(reason),
                            Standing::Lost => open.lost = true,
                        }
                    }
                }
                Ok(())
            }
            Err(why) => {
                for report in reports {
                    if let Some(open) = state.runs.get_mut(&report.claim.run_id) {
                        open.values.splice(0..0, report.values);
                    }
                }
                state.since = since.or(state.since);
                Err(why)
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.lock().stop = true;
        self.wake.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The thread itself may be the one that drops the keeper last.
        if let Some(thread) = thread.filter(|t| t.thread().id() != thread::current().id()) {
            let _ = thread.join();
        }
    }
}
