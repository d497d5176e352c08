//! Slots that train one run after the other, until the strategy says that it is enough.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lehr_study::{Attempt, Study, StudyError};

use super::error::WorkerError;
use super::event::{End, Event};
use super::places::Place;
use super::question::{Asked, Question, close};
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
    /// The name of the study's folder.
    pub name: String,
    /// Whether a trial may have several runs.
    pub several: bool,
    /// Whether the strategy may stop runs before their end.
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
    let name = Place::name_of(&job.spec.out, &study)?;
    let annealed = job.strategy.name() == "annealed";
    let several = annealed || job.goal.seeds > 1;
    // With several seeds it is judged between them.
    let judges = annealed || (!several && job.spec.pruner.as_deref().is_some_and(|name| name != "none"));
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
        close(&mut study, job.goal.target.steps)?;
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
                End::Complete(_) | End::Diverged | End::Pruned | End::Stopped => 0,
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
        Ok(match self.question().ask(&mut study, worker)? {
            Asked::Run { attempt, checkpoints, warning, .. } => {
                if let Some(warning) = warning {
                    (self.tell)(Event::Trouble(warning));
                }
                Turn::Train(attempt, checkpoints)
            }
            Asked::Wait => Turn::Wait,
            Asked::Enough(reason) => Turn::End(Done::Finished(reason)),
        })
    }

    fn question(&self) -> Question<'_> {
        let Job { goal, strategy, spec, .. } = self.job;
        Question { goal, strategy: &**strategy, out: &spec.out, study: &self.name }
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
            (self.tell)(Event::Dead { trial: dead.trial, retry: dead.retry, paused: dead.paused });
        }
        Ok(())
    }
}
