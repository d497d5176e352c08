//! Slots that train one run after the other, until the strategy says that it is enough.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lehr_search::{Sampler, Seen, Stream, sampler};
use lehr_study::{
    Attempt, Branch, Checkpoint, NewRun, Plan, RunEnd, RunOutcome, RunRecord, RunState, Study, StudyError,
    Target, TrialState,
};

use crate::strategy::{self, Next, Record, RunPlan, Trial};

use super::error::WorkerError;
use super::event::{End, Event};
use super::places::{Place, checkpoint_in};
use super::record::record;
use super::spec::Job;
use super::stop::Stop;
use super::train::{Setting, TRIES, passes, train};

/// So many runs that fail one after the other end the work.
const ALL_FAIL: usize = 5;
/// Longest wait before the study is looked at again.
const WAIT: Duration = Duration::from_millis(250);

/// How a worker works.
#[derive(Clone, Debug)]
pub struct Options {
    /// Runs at the same time.
    pub jobs: usize,
    /// Devices that the slots take in turn; empty: none are handed out.
    pub devices: Vec<String>,
    /// The worker's name.
    pub name: String,
    /// The machine's name.
    pub host: String,
    /// Nothing is started after this moment.
    pub until: Option<Instant>,
}

/// How the work ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The strategy has enough, for this reason.
    Finished(String),
    /// The time is up; the study may go on.
    TimeUp,
    /// It was asked to stop; the study may go on.
    Interrupted,
}

/// What all slots share.
pub struct Shared<'a> {
    /// What is trained.
    pub job: &'a Job,
    /// The study's name.
    pub name: String,
    /// Whether a trial may have several runs.
    pub several: bool,
    /// Whether the strategy may stop runs on the way.
    pub judges: bool,
    /// Asked to stop.
    pub stop: &'a Stop,
    /// Hears what happens.
    pub tell: &'a (dyn Fn(Event<'_>) + Sync),
    study: Mutex<Study>,
    wake: Condvar,
    options: &'a Options,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// Runs that have failed since one has not.
    failed: usize,
    /// When dead workers were looked for.
    looked: Option<Instant>,
    /// A slot has met an error: the others come to an end.
    broken: bool,
}

/// What a slot does next.
enum Turn {
    Train(Box<Attempt>, Vec<u64>),
    Wait,
    End(Done),
}

/// Works on a study until its strategy has enough, the time is up, or it is asked to stop.
///
/// Any number of workers may do so at once. A worker that has nothing to start stays until the runs of the others have
/// ended, so that somebody is there if one of them dies.
///
/// # Errors
/// [`WorkerError`]. Runs that were under way have ended or were handed back then, too.
pub fn work(
    study: Study,
    job: &Job,
    options: &Options,
    stop: &Stop,
    tell: &(dyn Fn(Event<'_>) + Sync),
) -> Result<(Done, Study), WorkerError> {
    if job.command.has("device") && options.devices.is_empty() {
        return Err(WorkerError::setting(
            "devices",
            "the command takes {device}: name them, as in --devices 0,1",
        ));
    }
    let name = study.name().to_owned();
    let several = job.strategy.name() == "annealed";
    let judges = several || job.spec.pruner.as_deref().is_some_and(|name| name != "none");
    let worker =
        study.storage().enter_worker(study.id(), &options.name, &options.host, std::process::id())?;
    let (study, wake, progress) = (Mutex::new(study), Condvar::new(), Mutex::default());
    let shared = Shared { job, name, several, judges, stop, tell, study, wake, options, progress };
    let slots: Vec<Result<Done, WorkerError>> = thread::scope(|scope| {
        let shared = &shared;
        let slots: Vec<_> =
            (0..options.jobs.max(1)).map(|slot| scope.spawn(move || shared.slot(slot))).collect();
        let lost = || {
            Err(WorkerError::setting("worker", "a slot has ended unexpectedly; this is a mistake in Lehr"))
        };
        slots.into_iter().map(|slot| slot.join().unwrap_or_else(|_| lost())).collect()
    });
    let mut study = shared.study.into_inner().unwrap_or_else(PoisonError::into_inner);
    let _ = study.storage().sign_worker(worker, true);
    let mut done = None;
    for slot in slots {
        let slot = slot?;
        // What was not by the strategy's own choice counts most: there is more to do.
        if !matches!(done, Some(Done::Interrupted | Done::TimeUp)) {
            done = Some(slot);
        }
    }
    let done = done.unwrap_or(Done::Interrupted);
    if matches!(done, Done::Finished(_)) {
        close(&mut study, job)?;
    }
    study.refresh()?;
    Ok((done, study))
}

impl Shared<'_> {
    /// The study, for a moment.
    pub fn study(&self) -> MutexGuard<'_, Study> {
        self.study.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, slot: usize) -> Result<Done, WorkerError> {
        let done = self.turns(slot);
        if done.is_err() {
            self.progress().broken = true;
            self.stop.ask();
        }
        self.wake.notify_all();
        done
    }

    fn turns(&self, slot: usize) -> Result<Done, WorkerError> {
        let devices = &self.options.devices;
        let device = (!devices.is_empty()).then(|| devices[slot % devices.len()].as_str());
        let worker = format!("{}/{slot}", self.options.name);
        let mut tries = 0;
        loop {
            let turn = match self.turn(&worker) {
                Err(WorkerError::Study(error)) if tries < TRIES && passes(&error) => {
                    tries += 1;
                    (self.tell)(Event::Trouble(error.to_string()));
                    thread::sleep(Duration::from_secs(1));
                    continue;
                }
                turn => turn?,
            };
            tries = 0;
            match turn {
                Turn::End(done) => return Ok(done),
                Turn::Wait => {
                    let study = self.study();
                    drop(self.wake.wait_timeout(study, WAIT));
                }
                Turn::Train(attempt, checkpoints) => {
                    let end = train(&Setting { shared: self, device, checkpoints }, &attempt);
                    self.wake.notify_all();
                    match end {
                        Err(WorkerError::Study(StudyError::Taken { .. })) => {}
                        end => self.count(end?, &attempt)?,
                    }
                }
            }
        }
    }

    /// Counts runs that fail one after the other.
    fn count(&self, end: End, attempt: &Attempt) -> Result<(), WorkerError> {
        let failed = {
            let mut progress = self.progress();
            progress.failed = match end {
                End::Failed => progress.failed + 1,
                End::HandedBack | End::Lost | End::Paused => progress.failed,
                End::Complete(_) | End::Diverged | End::Pruned => 0,
            };
            progress.failed
        };
        if end != End::Failed || failed < ALL_FAIL.max(2 * self.options.jobs) {
            return Ok(());
        }
        let mut study = self.study();
        let run = study.refresh()?.runs().get(attempt.claim().run).cloned();
        let text = run.as_ref().and_then(|run| run.reason.clone()).unwrap_or_default();
        let (reason, tail) = text.split_once('\n').unwrap_or((&text, ""));
        let log = run.and_then(|run| run.log).map_or(String::new(), |log| format!("  (its log: {log})\n"));
        let tail: String = tail.lines().map(|line| format!("  {line}\n")).collect();
        Err(WorkerError::AllFail { count: failed, reason: reason.to_owned(), tail: tail + &log })
    }

    /// Decides what a slot does next.
    fn turn(&self, worker: &str) -> Result<Turn, WorkerError> {
        if self.stop.asked().is_some() {
            return Ok(Turn::End(Done::Interrupted));
        }
        let mut study = self.study();
        self.bury(&study)?;
        if self.options.until.is_some_and(|until| Instant::now() >= until) {
            return Ok(Turn::End(Done::TimeUp));
        }
        study.refresh()?;
        if let Some(attempt) = self.take_up(&mut study, worker)? {
            return Ok(Turn::Train(Box::new(attempt), Vec::new()));
        }
        let goal = &self.job.goal;
        let record = record(study.refresh()?, &goal.space, goal.target.steps);
        match self.job.strategy.next(goal, &record)? {
            Next::Wait => Ok(Turn::Wait),
            Next::Stop { .. } if is_busy(&study) || waits(&study) => Ok(Turn::Wait),
            Next::Stop { reason } => Ok(Turn::End(Done::Finished(reason))),
            Next::Run(plan) => {
                let checkpoints = plan.checkpoints.clone();
                let Some(run) = self.new_run(&study, &record, plan, worker)? else { return Ok(Turn::Wait) };
                match study.start(&run) {
                    // Another worker was faster: the decision is made again.
                    Err(StudyError::Outdated { .. }) => Ok(Turn::Wait),
                    attempt => Ok(Turn::Train(Box::new(attempt?), checkpoints)),
                }
            }
        }
    }

    /// Looks for workers that died, now and then.
    fn bury(&self, study: &Study) -> Result<(), WorkerError> {
        let spec = &self.job.spec;
        {
            let mut progress = self.progress();
            let often = Duration::from_secs_f64((spec.silence / 8.0).clamp(0.5, 10.0));
            if progress.looked.is_some_and(|looked| looked.elapsed() < often) {
                return Ok(());
            }
            progress.looked = Some(Instant::now());
        }
        let silence = Duration::from_secs_f64(spec.silence);
        for dead in study.storage().fail_stale(study.id(), silence, spec.retries)? {
            (self.tell)(Event::Dead { trial: dead.trial, retry: dead.retry });
        }
        Ok(())
    }

    /// Takes up what was begun: a paused run, or a trial that waits.
    fn take_up(&self, study: &mut Study, worker: &str) -> Result<Option<Attempt>, WorkerError> {
        let paused: Vec<RunRecord> =
            study.records().runs().iter().filter(|run| run.state == RunState::Paused).cloned().collect();
        for run in paused {
            let plan = Plan {
                horizon: run.horizon,
                seed: run.seed,
                key: run.key,
                branch: run.branch,
                checkpoint: run.checkpoint.clone(),
            };
            let target = Target::Paused(run.number);
            match study.start(&NewRun { target, plan, worker: worker.to_owned(), after: None }) {
                // Another worker was faster.
                Err(StudyError::State { .. } | StudyError::Taken { .. }) => {}
                attempt => return Ok(Some(attempt?)),
            }
        }
        while waits(study) {
            let goal = &self.job.goal;
            let plan = Plan { seed: goal.seed, ..Plan::to(goal.target.steps) };
            let Some(mut attempt) = study.claim_waiting(&plan, worker)? else { return Ok(None) };
            match self.complete(study, &mut attempt) {
                Err(WorkerError::Search(why)) => {
                    let message = format!("its parameters do not fit the space: {why}");
                    attempt.finish(&RunEnd::new(RunOutcome::Failed, 0).because(message))?;
                    study.refresh()?;
                }
                done => return done.map(|()| Some(attempt)),
            }
        }
        Ok(None)
    }

    /// Decides the parameters that a waiting trial lacks.
    fn complete(&self, study: &mut Study, attempt: &mut Attempt) -> Result<(), WorkerError> {
        let mut space = self.job.goal.space.clone();
        if space.raw(attempt.params()).is_ok() {
            let params = attempt.params().clone();
            return Ok(attempt.set_params(&space, &params)?);
        }
        for (name, value) in attempt.params().clone().iter() {
            space.fix(name, value.clone())?;
        }
        let mut stream = Stream::for_trial(self.job.goal.seed, attempt.claim().trial as u64);
        let params = sampler::Auto::default().suggest(&space, study.history()?, &mut stream)?;
        Ok(attempt.set_params(&self.job.goal.space, &params)?)
    }

    /// A planned run as the study starts it; nothing if the checkpoint that it branches off is gone.
    fn new_run(
        &self,
        study: &Study,
        record: &Record,
        plan: RunPlan,
        worker: &str,
    ) -> Result<Option<NewRun>, WorkerError> {
        let goal = &self.job.goal;
        let params = match &plan.trial {
            Trial::New(params) => params.clone(),
            Trial::Known(trial) => record.params.get(*trial).cloned().unwrap_or_default(),
        };
        let key = strategy::comparability(goal, &params, plan.horizon)?;
        let checkpoint = plan.branch.map(|branch| self.checkpoint(record, branch));
        let branch = plan.branch.map(|branch| Branch { run: branch.run, step: branch.step });
        if let (Some(None), Some(branch)) = (&checkpoint, branch) {
            let message = format!("run {} left no checkpoint of step {}", branch.run, branch.step);
            return Err(WorkerError::setting("checkpoint", message));
        }
        let target = match plan.trial {
            Trial::New(params) => Target::New { params, saw: seen(record) },
            Trial::Known(trial) => Target::Known(trial),
        };
        let (horizon, seed, checkpoint) = (plan.horizon, plan.seed, checkpoint.flatten());
        let plan = Plan { horizon, seed, key, branch, checkpoint };
        let after = Some(study.records().runs().len());
        Ok(Some(NewRun { target, plan, worker: worker.to_owned(), after }))
    }

    /// The checkpoint that a run wrote at a step: the one of this step by its name, or its last one if it ended there.
    fn checkpoint(&self, record: &Record, branch: strategy::Branch) -> Option<Checkpoint> {
        let run = record.runs.get(branch.run)?;
        let place = Place::new(&self.job.spec.out, &self.name, run.trial, branch.run);
        let (path, step) = checkpoint_in(&place.checkpoint(), Some(branch.step))?;
        let fits = step.map_or(branch.step == run.horizon, |step| step == branch.step);
        let path = path.canonicalize().ok().filter(|_| fits)?;
        Some(Checkpoint { path: path.display().to_string(), step: branch.step })
    }
}

/// Whether a worker is at a run.
fn is_busy(study: &Study) -> bool {
    study.records().runs().iter().any(|run| run.state == RunState::Running)
}

/// Whether a trial waits for a worker.
fn waits(study: &Study) -> bool {
    study.records().trials().iter().any(|trial| trial.state == TrialState::Waiting)
}

/// The trials under way, as a suggestion sees them.
fn seen(record: &Record) -> Vec<Seen> {
    let mut seen: Vec<Seen> = Vec::new();
    for run in record.runs.iter().filter(|run| run.state.is_open()) {
        if !seen.iter().any(|seen| seen.trial as usize == run.trial) {
            seen.push(Seen { trial: run.trial as u32, reports: run.reports.len() as u32 });
        }
    }
    seen.sort_by_key(|seen| seen.trial);
    seen
}

/// Ends the trials that were left open for further runs.
fn close(study: &mut Study, job: &Job) -> Result<(), WorkerError> {
    study.refresh()?;
    let records = study.records();
    let under_way = |run: &&usize| records.runs().get(**run).is_some_and(|run| !run.state.is_finished());
    let open =
        records.trials().iter().filter(|trial| trial.state == TrialState::Running && !trial.runs.is_empty());
    let mut ends = Vec::new();
    for trial in open.filter(|trial| !trial.runs.iter().any(|run| under_way(&run))) {
        let runs = || trial.runs.iter().filter_map(|&run| records.runs().get(run));
        let full = |run: &RunRecord| run.state == RunState::Complete && run.horizon >= job.goal.target.steps;
        let state = match () {
            () if runs().any(full) => TrialState::Complete,
            () if runs().any(|run| matches!(run.state, RunState::Complete | RunState::Pruned)) => {
                TrialState::Pruned
            }
            () => TrialState::Failed,
        };
        ends.push((trial.number, state));
    }
    for (trial, state) in ends {
        match study.storage().close_trial(study.id(), trial, state) {
            // Another worker has closed it, or found more to do.
            Err(StudyError::State { .. }) => {}
            done => done?,
        }
    }
    Ok(())
}
