//! One run: what the program is handed, who watches it, what is written of its end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::{Duration, Instant};

use lehr_search::Params;
use lehr_study::{After, Attempt, Checkpoint, Note, RunEnd, RunOutcome, StudyError, Waiting};

use crate::program::{self, Ended, Fill, Outcome, Source, Start, Watch, Wish, write_schedule};

use super::error::WorkerError;
use super::event::{End, Event};
use super::places::{Place, checkpoint_in};
use super::pool::Shared;
use super::record::record;
use super::spec::Job;

/// The reason of a run that was cut off because its worker was told to stop.
pub const HANDED_BACK: &str = "handed back: its worker was told to stop";
/// Time that runs which cannot be paused have to come to their end when the worker is told to stop.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time that a run which somebody stopped has to come to its end.
const HURRY: Duration = Duration::from_secs(5);
/// How often a storage that does not answer is asked again.
pub const TRIES: usize = 5;
/// Time between two looks for a new checkpoint.
const NOTE_EVERY: Duration = Duration::from_secs(2);
/// A verdict takes at most one part in so many of a run's time.
const JUDGE_SHARE: u32 = 10;

/// What a run is to be started with, beside what the study says of it.
pub struct Setting<'a> {
    /// What all runs share.
    pub shared: &'a Shared<'a>,
    /// The device of the slot.
    pub device: Option<&'a str>,
    /// Steps after which a checkpoint has to be kept.
    pub checkpoints: Vec<u64>,
}

/// Trains one attempt to its end and writes that down.
pub fn train(setting: &Setting<'_>, attempt: &Attempt) -> Result<End, WorkerError> {
    let (shared, claim) = (setting.shared, attempt.claim());
    let (trial, run, horizon) = (claim.trial, claim.run, claim.plan.horizon);
    (shared.tell)(Event::Started { trial, run, params: attempt.params(), horizon });
    let place = Place::new(&shared.job.spec.out, &shared.name, trial, run);
    match setting.run(attempt, &place) {
        Ok((ended, stopped)) => setting.write_down(attempt, &place, &ended, stopped),
        Err(error) => {
            let reason = error.to_string();
            finish(attempt, &RunEnd::new(RunOutcome::Failed, 0).because(&reason))?;
            match error {
                // These parameters make no schedule; others may.
                WorkerError::Strategy(_) => Ok(setting.tell(attempt, End::Failed, Some(&reason))),
                error => Err(error),
            }
        }
    }
}

impl Setting<'_> {
    fn run(&self, attempt: &Attempt, place: &Place) -> Result<(Ended, Option<Stopped>), WorkerError> {
        let place = place.clone().make()?;
        let log = Some(place.log().display().to_string());
        attempt.note(&Note { log, ..Note::default() })?;
        let start = self.start(attempt, &place)?;
        let mut watching = Watching::new(self.shared, attempt, &place);
        let ended = program::run(&start, &self.shared.job.metric, &mut watching)?;
        Ok((ended, watching.stopped))
    }

    fn start(&self, attempt: &Attempt, place: &Place) -> Result<Start, WorkerError> {
        let (job, plan) = (&self.shared.job, &attempt.claim().plan);
        hand_schedule(place, job, attempt.params(), plan.horizon)?;
        let claim = attempt.claim();
        let own = own(
            place,
            job,
            &Hand {
                params: attempt.params(),
                trial: claim.trial,
                run: claim.run,
                horizon: plan.horizon,
                seed: plan.seed,
                resume: plan.checkpoint.as_ref().map(|checkpoint| checkpoint.path.as_str()),
                device: self.device,
            },
        )?;
        let value = |name: &str| value(name, job, &own, attempt.params());
        let words = job.command.fill(&value);
        let source = job.metric_file.as_ref().map(|file| {
            let path = file.path.fill(&value).unwrap_or_else(|_| file.path.written().to_owned());
            Source { path: path.into(), column: file.column.clone() }
        });
        Ok(Start {
            words,
            environment: self.environment(&own, attempt)?,
            folder: None,
            log: place.log(),
            report: place.report(),
            source,
            after: plan.checkpoint.as_ref().map(|checkpoint| checkpoint.step).filter(|step| *step > 0),
            timeout: job.spec.timeout.map(Duration::from_secs_f64),
            grace: job.spec.grace(),
        })
    }

    fn environment(
        &self,
        own: &BTreeMap<&str, String>,
        attempt: &Attempt,
    ) -> Result<BTreeMap<String, OsString>, WorkerError> {
        let name = |name: &str| format!("LEHR_{}", name.to_uppercase());
        let mut environment: BTreeMap<String, OsString> = own
            .iter()
            .filter(|(key, _)| **key != "device")
            .map(|(key, value)| (name(key), value.into()))
            .collect();
        let params = serde_json::to_string(attempt.params());
        let params = params.map_err(|error| WorkerError::setting("parameters", error.to_string()))?;
        environment.insert(name("params"), params.into());
        environment.insert(name("metric"), self.shared.job.metric.name.clone().into());
        let checkpoints: Vec<String> = self.checkpoints.iter().map(u64::to_string).collect();
        environment.insert(name("checkpoints"), checkpoints.join(",").into());
        // A program that is told its device by a placeholder chooses for itself among all of them.
        if let Some(device) = self.device.filter(|_| !self.shared.job.command.has("device")) {
            environment.insert("CUDA_VISIBLE_DEVICES".into(), device.into());
        }
        if std::env::var_os("PYTHONUNBUFFERED").is_none() {
            // Python's reports would wait in a buffer until the end otherwise.
            environment.insert("PYTHONUNBUFFERED".into(), "1".into());
        }
        Ok(environment)
    }

    /// Writes the end of a run down.
    fn write_down(
        &self,
        attempt: &Attempt,
        place: &Place,
        ended: &Ended,
        stopped: Option<Stopped>,
    ) -> Result<End, WorkerError> {
        let plan = &attempt.claim().plan;
        let from = plan.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.step);
        let reached = ended.last_step.unwrap_or(from).min(plan.horizon);
        let checkpoint = found(place, reached).or_else(|| plan.checkpoint.clone());
        let reason = ended.reason().map(|reason| with_tail(&reason, &ended.tail));
        // What somebody stopped is neither paused nor handed back.
        let stopped = match attempt.stop_asked() {
            Some(why) if !matches!(stopped, Some(Stopped::Lost)) => Some(Stopped::ByHand(why)),
            _ => stopped,
        };
        let (end, outcome, reason) = match (&ended.outcome, stopped) {
            (Outcome::Complete(value), _) => (End::Complete(*value), RunOutcome::Complete(*value), None),
            (Outcome::Diverged { .. }, _) => (End::Diverged, RunOutcome::Diverged, ended.reason()),
            (Outcome::Failed(_), _) => (End::Failed, RunOutcome::Failed, reason),
            (Outcome::Stopped, Some(Stopped::Pruned(why))) => (End::Pruned, RunOutcome::Pruned, Some(why)),
            // What it has reported still counts.
            (Outcome::Stopped, Some(Stopped::ByHand(why))) => {
                let outcome = if ended.reports > 0 { RunOutcome::Pruned } else { RunOutcome::Failed };
                (End::Stopped, outcome, Some(why))
            }
            (Outcome::Stopped, Some(Stopped::Paused)) if checkpoint.is_some() => {
                (End::Paused, RunOutcome::Paused, Some(HANDED_BACK.to_owned()))
            }
            (Outcome::Stopped, Some(Stopped::Lost)) => return Ok(self.tell(attempt, End::Lost, None)),
            // Its trial has other runs, so that no new trial can take its place: the run itself waits.
            (Outcome::Stopped, _) if self.shared.several => {
                (End::HandedBack, RunOutcome::Paused, Some(HANDED_BACK.to_owned()))
            }
            (Outcome::Stopped, _) => (End::HandedBack, RunOutcome::Failed, Some(HANDED_BACK.to_owned())),
        };
        let steps = if matches!(end, End::Complete(_)) { plan.horizon } else { reached };
        let mut run_end = RunEnd::new(outcome, steps.saturating_sub(from)).at(checkpoint.clone());
        run_end.reason = reason.clone();
        if self.shared.several {
            run_end.after = After::Open;
        }
        match finish(attempt, &run_end) {
            Err(StudyError::Taken { .. }) => return Ok(self.tell(attempt, End::Lost, None)),
            done => done?,
        }
        if end == End::HandedBack && !self.shared.several {
            let plan = Some(lehr_study::Plan { checkpoint, ..plan.clone() });
            let fixed = attempt.params().clone();
            self.shared.study().enqueue(&Waiting { fixed, plan, user: Vec::new() })?;
        }
        Ok(self.tell(attempt, end, reason.as_deref()))
    }

    fn tell(&self, attempt: &Attempt, end: End, reason: Option<&str>) -> End {
        let (claim, params) = (attempt.claim(), attempt.params());
        let (trial, horizon) = (claim.trial, claim.plan.horizon);
        (self.shared.tell)(Event::Ended { trial, params, horizon, end, reason });
        end
    }
}

/// Ends a run. A database that does not answer is asked again for a while: the result of a run is worth it.
fn finish(attempt: &Attempt, end: &RunEnd) -> Result<(), StudyError> {
    let mut tries = 0;
    loop {
        match attempt.finish(end) {
            Err(error) if tries < TRIES && passes(&error) => {
                tries += 1;
                std::thread::sleep(Duration::from_secs(1));
            }
            done => return done,
        }
    }
}

/// Whether an error of the storage may pass.
pub fn passes(error: &StudyError) -> bool {
    matches!(error, StudyError::Disconnected { .. } | StudyError::Database { .. } | StudyError::Locked { .. })
}

/// What is filled into the command of a run.
pub struct Hand<'a> {
    /// What is trained.
    pub params: &'a Params,
    /// Number of the trial.
    pub trial: usize,
    /// Number of the run.
    pub run: usize,
    /// Updates of the run.
    pub horizon: u64,
    /// Its seed.
    pub seed: u64,
    /// The checkpoint to start from.
    pub resume: Option<&'a str>,
    /// Its device.
    pub device: Option<&'a str>,
}

/// The words that a run of a study is started with.
///
/// # Errors
/// A schedule that the parameters do not fill.
pub fn words(job: &Job, study: &str, hand: &Hand<'_>) -> Result<Vec<String>, WorkerError> {
    let place = Place::new(&job.spec.out, study, hand.trial, hand.run);
    let own = own(&place, job, hand)?;
    Ok(job.command.fill(&|name| value(name, job, &own, hand.params)))
}

/// The words that train some parameters to the target once more, in a place of its own; its schedule file is written.
///
/// # Errors
/// A schedule that the parameters do not fill, a folder that cannot be written.
pub fn words_at(
    place: &Place,
    job: &Job,
    params: &Params,
    device: Option<&str>,
) -> Result<Vec<String>, WorkerError> {
    let (horizon, seed) = (job.goal.target.steps, job.goal.seed);
    let place = place.clone().make()?;
    hand_schedule(&place, job, params, horizon)?;
    let own = own(&place, job, &Hand { params, trial: 0, run: 0, horizon, seed, resume: None, device })?;
    Ok(job.command.fill(&|name| value(name, job, &own, params)))
}

/// Writes the schedule file of a run, if it gets one.
fn hand_schedule(place: &Place, job: &Job, params: &Params, horizon: u64) -> Result<(), WorkerError> {
    if follows(job)
        && let Some(curve) = job.goal.curve(params, horizon)?
    {
        write_schedule(&curve, &place.schedule(job.spec.binary_schedule))?;
    }
    Ok(())
}

/// Whether runs get a schedule file.
fn follows(job: &Job) -> bool {
    let has_rate = job.goal.space.get(&job.goal.rate).is_some();
    has_rate && job.goal.abilities.any_schedule && job.goal.schedule.is_some()
}

/// The values of Lehr's own placeholders.
fn own(place: &Place, job: &Job, hand: &Hand<'_>) -> Result<BTreeMap<&'static str, String>, WorkerError> {
    let text = |path: &std::path::Path| path.display().to_string();
    let schedule = place.schedule(job.spec.binary_schedule);
    Ok(BTreeMap::from([
        ("steps", hand.horizon.to_string()),
        ("seed", hand.seed.to_string()),
        ("schedule", job.goal.spec(hand.params)?.unwrap_or_default()),
        ("schedule_file", if follows(job) { text(&schedule) } else { String::new() }),
        ("checkpoint", text(&place.checkpoint())),
        ("resume", hand.resume.unwrap_or_default().to_owned()),
        ("device", hand.device.unwrap_or_default().to_owned()),
        ("trial", hand.trial.to_string()),
        ("run", hand.run.to_string()),
        ("report", text(&place.report())),
    ]))
}

/// The value of a placeholder: Lehr's own, or a parameter as it is shown to programs.
fn value(name: &str, job: &Job, own: &BTreeMap<&'static str, String>, params: &Params) -> Fill {
    let parameter = job.goal.space.get(name).zip(params.get(name));
    let shown = own.get(name).cloned().or_else(|| parameter.map(|(p, value)| p.show(value)));
    shown.map_or(Fill::Inactive, Fill::With)
}

/// A reason and the last lines of the log under it.
fn with_tail(reason: &str, tail: &[String]) -> String {
    let last = &tail[tail.len().saturating_sub(10)..];
    last.iter().fold(reason.to_owned(), |text, line| text + "\n" + line)
}

/// The checkpoint that a run has written, if it has.
fn found(place: &Place, reached: u64) -> Option<Checkpoint> {
    let (path, step) = checkpoint_in(&place.checkpoint(), None)?;
    let path = path.canonicalize().ok()?;
    Some(Checkpoint { path: path.display().to_string(), step: step.unwrap_or(reached) })
}

/// Why a run was stopped.
enum Stopped {
    Pruned(String),
    ByHand(String),
    Paused,
    HandedBack,
    Lost,
}

/// Writes reports down, and stops the run where it has to be.
struct Watching<'a> {
    shared: &'a Shared<'a>,
    attempt: &'a Attempt,
    place: &'a Place,
    stopped: Option<Stopped>,
    /// When somebody's wish to stop it was heard.
    heard: Option<Instant>,
    reached: u64,
    unjudged: bool,
    judge_at: Instant,
    noted: Instant,
    checkpoint: Option<Checkpoint>,
    /// A report that could not be taken was told.
    troubled: bool,
}

impl<'a> Watching<'a> {
    fn new(shared: &'a Shared<'a>, attempt: &'a Attempt, place: &'a Place) -> Self {
        let now = Instant::now();
        Self {
            shared,
            attempt,
            place,
            stopped: None,
            heard: None,
            reached: 0,
            unjudged: false,
            judge_at: now,
            noted: now,
            checkpoint: None,
            troubled: false,
        }
    }

    fn stop(&mut self, why: Stopped) {
        self.stopped.get_or_insert(why);
    }

    /// Asks the strategy whether the run should go on.
    fn judge(&mut self) -> Result<(), WorkerError> {
        let begun = Instant::now();
        self.unjudged = false;
        // The decision depends on these reports, so they are written before.
        self.attempt.flush()?;
        let job = &self.shared.job;
        let verdict = {
            let mut study = self.shared.study();
            let record = record(study.refresh()?, &job.goal.space, job.goal.target.steps);
            drop(study);
            job.strategy.judge(&job.goal, &record, self.attempt.claim().run)?
        };
        self.judge_at = Instant::now() + begun.elapsed() * JUDGE_SHARE;
        if verdict.prune {
            self.stop(Stopped::Pruned(verdict.reason.to_string()));
        }
        Ok(())
    }

    /// Notes a new checkpoint, so that a retry can start from it.
    fn note(&mut self) -> Result<(), WorkerError> {
        self.noted = Instant::now();
        let found = found(self.place, self.reached);
        if found.is_some() && found != self.checkpoint {
            self.checkpoint.clone_from(&found);
            let from = self.attempt.claim().plan.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.step);
            let steps = Some(self.reached.saturating_sub(from));
            self.attempt.note(&Note { checkpoint: found, steps, ..Note::default() })?;
        }
        Ok(())
    }

    /// Does what is due.
    fn attend(&mut self) -> Result<(), WorkerError> {
        if let Some(why) = self.attempt.stop_asked() {
            self.heard.get_or_insert_with(Instant::now);
            self.stop(Stopped::ByHand(why));
        }
        let abilities = self.shared.job.goal.abilities;
        // A run that has reached its horizon is paid for: it is not stopped any more.
        let on_the_way = self.reached < self.attempt.claim().plan.horizon;
        if self.shared.judges && self.unjudged && on_the_way && Instant::now() >= self.judge_at {
            self.judge()?;
        }
        if abilities.resume && self.noted.elapsed() >= NOTE_EVERY {
            self.note()?;
        }
        if let Some(asked) = self.shared.stop.asked() {
            if abilities.resume {
                self.stop(Stopped::Paused);
            } else if self.shared.stop.at_once() || asked >= PATIENCE {
                self.stop(Stopped::HandedBack);
            }
        }
        Ok(())
    }

    fn wish(&self) -> Wish {
        match self.stopped {
            None => Wish::Go,
            Some(Stopped::Lost) => Wish::Kill,
            Some(_) if self.shared.stop.at_once() => Wish::Kill,
            Some(_) if self.heard.is_some_and(|heard| heard.elapsed() >= HURRY) => Wish::Kill,
            Some(_) => Wish::Stop,
        }
    }
}

impl Watch for Watching<'_> {
    fn report(&mut self, step: u64, value: f64) -> Wish {
        self.reached = step;
        self.unjudged = true;
        match self.attempt.report(step, value) {
            Err(StudyError::Taken { .. }) => self.stop(Stopped::Lost),
            // It is kept, and written later; if that fails for good, the end of the run does, too. One of a step that cannot
            // be stored is left out. Told once: there may be millions.
            Err(error) => {
                if !std::mem::replace(&mut self.troubled, true) {
                    (self.shared.tell)(Event::Trouble(error.to_string()));
                }
            }
            Ok(()) => (self.shared.tell)(Event::Report { trial: self.attempt.claim().trial, step, value }),
        }
        self.wish()
    }

    fn look(&mut self) -> Wish {
        if self.attempt.is_lost() {
            self.stop(Stopped::Lost);
        }
        match self.attend() {
            Err(WorkerError::Study(StudyError::Taken { .. })) => self.stop(Stopped::Lost),
            Err(error) => (self.shared.tell)(Event::Trouble(error.to_string())),
            Ok(()) => {}
        }
        self.wish()
    }
}
