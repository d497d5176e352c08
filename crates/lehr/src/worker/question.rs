//! What a study wants to be trained next: what was begun, or what its strategy asks for.

use std::path::Path;

use lehr_search::{Sampler, Seen, Stream, sampler};
use lehr_study::{
    Attempt, Branch, Checkpoint, Kind, NewRun, Owner, Plan, RunEnd, RunOutcome, RunRecord, RunState, Study,
    StudyError, Target, TrialRecord, TrialState,
};

use crate::strategy::{self, Goal, Next, Record, RunPlan, Stand, Strategy, Trial};

use super::error::WorkerError;
use super::places::{Place, checkpoint_in};
use super::record::record;

/// What a study is to answer, and who answers it.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// What is searched.
    pub goal: &'a Goal,
    /// How.
    pub strategy: &'a dyn Strategy,
    /// Where the files of runs lie.
    pub out: &'a Path,
    /// The study's name.
    pub study: &'a str,
}

/// What is to be done next.
pub enum Asked {
    /// This run, started for the worker that asked.
    Run {
        /// The right to report on it and to end it.
        attempt: Box<Attempt>,
        /// Steps after which a checkpoint has to be kept.
        checkpoints: Vec<u64>,
        /// Why.
        reason: String,
        /// What could not be done as the strategy wanted it.
        warning: Option<String>,
    },
    /// Nothing until a run under way has ended, or another worker has started one.
    Wait,
    /// Nothing any more, for this reason.
    Enough(String),
}

impl Question<'_> {
    /// Starts the next run for a worker: one that was begun before, or a new one.
    ///
    /// # Errors
    /// [`WorkerError`]; nothing was started then.
    pub fn ask(&self, study: &mut Study, worker: &str) -> Result<Asked, WorkerError> {
        study.refresh()?;
        if let Some(attempt) = self.take_up(study, worker)? {
            let reason = "it was begun or asked for before".to_owned();
            let horizon = attempt.claim().plan.horizon;
            let checkpoints = self.strategy.checkpoints(self.goal, attempt.params(), horizon)?;
            return Ok(Asked::Run { attempt: Box::new(attempt), checkpoints, reason, warning: None });
        }
        let record = self.settle(study)?;
        match self.strategy.next(self.goal, &record)? {
            Next::Wait => Ok(Asked::Wait),
            Next::Stop { .. } if is_busy(study) || waits(study) => Ok(Asked::Wait),
            Next::Stop { reason } => Ok(Asked::Enough(reason)),
            Next::Run(plan) => {
                let (checkpoints, reason) = (plan.checkpoints.clone(), plan.reason.to_string());
                let (run, warning) = self.new_run(study, &record, plan, worker)?;
                match study.start(&run) {
                    // Another worker was faster: the decision is made again.
                    Err(StudyError::Outdated { .. }) => Ok(Asked::Wait),
                    attempt => Ok(Asked::Run { attempt: Box::new(attempt?), checkpoints, reason, warning }),
                }
            }
        }
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
            let goal = self.goal;
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
        let mut space = self.goal.space.clone();
        if space.raw(attempt.params()).is_ok() {
            let params = attempt.params().clone();
            return Ok(attempt.set_params(&space, &params)?);
        }
        for (name, value) in attempt.params().clone().iter() {
            space.fix(name, value.clone())?;
        }
        let mut stream = Stream::for_trial(self.goal.seed, attempt.claim().trial as u64);
        let params = sampler::Auto::default().suggest(&space, study.history()?, &mut stream)?;
        Ok(attempt.set_params(&self.goal.space, &params)?)
    }

    /// A planned run as the study starts it, and a warning where it cannot branch off.
    fn new_run(
        &self,
        study: &Study,
        record: &Record,
        plan: RunPlan,
        worker: &str,
    ) -> Result<(NewRun, Option<String>), WorkerError> {
        let goal = self.goal;
        let params = match &plan.trial {
            Trial::New(params) => params.clone(),
            Trial::Known(trial) => record.params.get(*trial).cloned().unwrap_or_default(),
        };
        let key = strategy::comparability(goal, &params, plan.horizon)?;
        let found = plan.branch.and_then(|branch| self.checkpoint(record, branch));
        let warning = plan.branch.filter(|_| found.is_none()).map(|branch| {
            format!(
                "run {} left no checkpoint step-N up to step {}: a longer run of its trial starts anew",
                branch.run, branch.step
            )
        });
        let target = match plan.trial {
            Trial::New(params) => Target::New { params, saw: seen(record) },
            // One that somebody stopped is closed: what it would train next is a new trial.
            Trial::Known(trial) if is_finished(study, trial) => Target::New { params, saw: seen(record) },
            Trial::Known(trial) => Target::Known(trial),
        };
        let (branch, checkpoint) = found.unzip();
        let plan = Plan { horizon: plan.horizon, seed: plan.seed, key, branch, checkpoint };
        let after = Some(study.records().runs().len());
        Ok((NewRun { target, plan, worker: worker.to_owned(), after }, warning))
    }

    /// The last checkpoint up to the step of a branch: its run's, or that of the run which this one branched off itself.
    fn checkpoint(&self, record: &Record, branch: strategy::Branch) -> Option<(Branch, Checkpoint)> {
        let (mut number, mut most) = (branch.run, branch.step);
        loop {
            let run = record.runs.get(number)?;
            let place = Place::new(self.out, self.study, run.trial, number);
            // One without a step in its name is the end of its run.
            let found = checkpoint_in(&place.checkpoint(), Some(most))
                .map(|(path, step)| (path, step.unwrap_or(run.horizon)))
                .filter(|(_, step)| *step <= most && *step > 0);
            if let Some((path, step)) = found {
                let path = path.canonicalize().ok()?.display().to_string();
                return Some((Branch { run: number, step }, Checkpoint { path, step }));
            }
            let parent = run.branch.filter(|parent| parent.run < number)?;
            (number, most) = (parent.run, most.min(parent.step));
        }
    }

    /// What is known by now. With several seeds, ends the trials whose seeds are all trained, one of whose seeds says how the
    /// trial ended, or that the pruner stops.
    fn settle(&self, study: &mut Study) -> Result<Record, WorkerError> {
        let known = |study: &mut Study| -> Result<Record, WorkerError> {
            Ok(record(study.refresh()?, &self.goal.space, self.goal.target.steps))
        };
        let record = known(study)?;
        if self.goal.seeds == 1 {
            return Ok(record);
        }
        let mut ended = false;
        let begun = |trial: &&TrialRecord| trial.state == TrialState::Running && !trial.runs.is_empty();
        let begun: Vec<usize> =
            study.records().trials().iter().filter(begun).map(|trial| trial.number).collect();
        for trial in begun {
            if record.runs_of(trial).any(|run| run.state.is_open()) {
                continue;
            }
            let state = match strategy::stand(self.goal, &record, trial) {
                Stand::Complete(_) => TrialState::Complete,
                Stand::Diverged | Stand::Failed => TrialState::Failed,
                Stand::Pruned => TrialState::Pruned,
                Stand::Open { .. } => {
                    let Some(run) = record.runs.iter().rposition(|run| run.trial == trial) else { continue };
                    let verdict = self.strategy.judge(self.goal, &record, run)?;
                    if !verdict.prune {
                        continue;
                    }
                    let reason = [("lehr:reason", verdict.reason.to_string().into())];
                    study.storage().set_attributes(Owner::Trial(study.id(), trial), Kind::System, &reason)?;
                    TrialState::Pruned
                }
            };
            end_trial(study, trial, state)?;
            ended = true;
        }
        if ended { known(study) } else { Ok(record) }
    }
}

/// Ends a trial, unless another worker has done so, or found more to do.
fn end_trial(study: &Study, trial: usize, state: TrialState) -> Result<(), WorkerError> {
    match study.storage().close_trial(study.id(), trial, state) {
        Err(StudyError::State { .. }) => Ok(()),
        done => Ok(done?),
    }
}

/// Whether a worker is at a run.
fn is_busy(study: &Study) -> bool {
    study.records().runs().iter().any(|run| run.state == RunState::Running)
}

/// Whether a trial has ended.
fn is_finished(study: &Study, trial: usize) -> bool {
    study.records().trials().get(trial).is_some_and(|trial| trial.state.is_finished())
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

/// Ends the trials that were left open for further runs, once there is enough.
///
/// # Errors
/// [`WorkerError`]; the trials that were ended stay so.
pub fn close(study: &mut Study, target: u64) -> Result<(), WorkerError> {
    study.refresh()?;
    let records = study.records();
    let under_way = |run: &&usize| records.runs().get(**run).is_some_and(|run| !run.state.is_finished());
    let open =
        records.trials().iter().filter(|trial| trial.state == TrialState::Running && !trial.runs.is_empty());
    let mut ends = Vec::new();
    for trial in open.filter(|trial| !trial.runs.iter().any(|run| under_way(&run))) {
        let runs = || trial.runs.iter().filter_map(|&run| records.runs().get(run));
        let full = |run: &RunRecord| run.state == RunState::Complete && run.horizon >= target;
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
        end_trial(study, trial, state)?;
    }
    Ok(())
}
