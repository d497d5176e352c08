//! Running a plan: trials in lanes, results written the moment they exist.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use lehr_lab::{Control, Group, LaneRun, Model, Outcome, train_groups};

use super::TuneError;
use super::plan::{Candidate, Plan};
use super::results::{End, Results, Run, Trial};
use crate::sweep::{Row, Sweep};

/// What a running plan tells.
#[derive(Debug)]
pub enum Event<'a> {
    /// So many more updates have been made, over all runs.
    Updates(u64),
    /// A trial has ended and is on disk.
    Finished(&'a Trial),
}

/// What became of a plan.
#[derive(Clone, Debug)]
pub struct Tuned {
    /// The finished trials, by number.
    pub trials: Vec<Trial>,
    /// Trials of the plan.
    pub planned: usize,
    /// Whether the work was stopped before all were finished.
    pub interrupted: bool,
}

impl Tuned {
    /// The final validation losses as a sweep; `None` if no trial has finished.
    pub fn sweep(&self) -> Option<Sweep> {
        let rows = self.trials.iter().flat_map(|trial| {
            trial.runs.iter().map(|run| Row {
                schedule: trial.schedule.clone(),
                rate: trial.lr,
                seed: run.seed,
                loss: run.loss(),
            })
        });
        Sweep::new(rows).ok()
    }
}

/// Updates over all runs of the trials of `plan` that `finished` does not hold: what [`tune`] has to do.
///
/// # Errors
/// [`TuneError`] if the plan makes no sense.
pub fn work(plan: &Plan, finished: &[Trial]) -> Result<u64, TuneError> {
    // Training nothing checks model, optimiser and memory against the data.
    train_groups(&plan.task, &plan.training(), &[], &Control::default(), &|_, _| {})?;
    let trials = plan.candidates()?.len().saturating_sub(finished.len()) as u64;
    Ok(trials.saturating_mul(plan.seeds as u64).saturating_mul(plan.steps))
}

/// Runs the trials of `plan` that `finished` does not hold and appends each to `results` the moment its last run ends.
///
/// The results depend on the plan alone, not on the number of threads (all cores if `None`) or on what was finished
/// before. Setting `stop` ends the work within moments; trials that are not finished by then are lost.
///
/// # Errors
/// [`TuneError`] if the plan makes no sense (nothing has been run then), or results cannot be written.
pub fn tune(
    plan: &Plan,
    threads: Option<usize>,
    results: &mut Results,
    finished: Vec<Trial>,
    stop: &AtomicBool,
    mut tell: impl FnMut(Event<'_>),
) -> Result<Tuned, TuneError> {
    let candidates = plan.candidates()?;
    let open: Vec<&Candidate> =
        candidates.iter().filter(|c| finished.iter().all(|trial| trial.number != c.number)).collect();
    let chunks: Vec<&[&Candidate]> = open.chunks(lanes_at_a_time(plan)).collect();
    let seeds = plan.run_seeds();
    let groups: Vec<Group> = chunks
        .iter()
        .flat_map(|chunk| {
            let lanes: Vec<_> = chunk.iter().map(|candidate| candidate.lane.clone()).collect();
            seeds.iter().map(move |&seed| Group { seed, lanes: lanes.clone() })
        })
        .collect();
    let mut trials = finished;
    let mut gathered: Vec<Vec<Option<Vec<LaneRun>>>> = vec![vec![None; seeds.len()]; chunks.len()];
    let mut failure = None;
    let (send, receive) = mpsc::channel();
    std::thread::scope(|scope| {
        let training = plan.training();
        let (groups, task) = (&groups, &plan.task);
        let trainer = scope.spawn(move || {
            let progress = |updates| drop(send.send(Message::Updates(updates)));
            let control = Control { stop: Some(stop), progress: Some(&progress), threads };
            train_groups(task, &training, groups, &control, &|group, runs| {
                drop(send.send(Message::Done(group, runs)));
            })
        });
        for message in receive {
            match message {
                Message::Updates(updates) => tell(Event::Updates(updates)),
                Message::Done(group, runs) => {
                    let (chunk, seed) = (group / seeds.len(), group % seeds.len());
                    gathered[chunk][seed] = Some(runs);
                    let all: Option<Vec<Vec<LaneRun>>> = gathered[chunk].iter().cloned().collect();
                    let Some(all) = all else { continue };
                    for trial in ended(plan, chunks[chunk], &seeds, &all) {
                        match results.append(&trial) {
                            Ok(()) => tell(Event::Finished(&trial)),
                            Err(error) => {
                                stop.store(true, Ordering::Relaxed);
                                failure.get_or_insert(error);
                            }
                        }
                        trials.push(trial);
                    }
                }
            }
        }
        trainer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    if let Some(error) = failure {
        return Err(error.into());
    }
    trials.sort_by_key(|trial| trial.number);
    let interrupted = trials.len() < candidates.len();
    Ok(Tuned { trials, planned: candidates.len(), interrupted })
}

enum Message {
    Updates(u64),
    Done(usize, Vec<LaneRun>),
}

/// Trials that are trained side by side: enough to fill the lanes of a core, few enough that trials end all along.
fn lanes_at_a_time(plan: &Plan) -> usize {
    match plan.model {
        Model::Logistic | Model::Softmax => 64,
        Model::Mlp(_) => 16,
    }
}

/// The trials of a chunk whose runs all came to an end; `runs[seed][trial]`.
fn ended(plan: &Plan, chunk: &[&Candidate], seeds: &[u64], runs: &[Vec<LaneRun>]) -> Vec<Trial> {
    let trial = |(i, candidate): (usize, &&Candidate)| {
        let runs: Option<Vec<Run>> =
            seeds.iter().zip(runs).map(|(&seed, lanes)| record(seed, &lanes[i])).collect();
        Some(Trial {
            number: candidate.number,
            schedule: candidate.schedule.clone(),
            lr: candidate.rate,
            steps: plan.steps,
            runs: runs?,
        })
    };
    chunk.iter().enumerate().filter_map(trial).collect()
}

fn record(seed: u64, run: &LaneRun) -> Option<Run> {
    let end = match run.outcome {
        Outcome::Complete => End::Complete,
        Outcome::Diverged { step, reason } => End::Diverged { step, reason: reason.to_string() },
        Outcome::Interrupted { .. } => return None,
    };
    let last = run.end();
    let finite = |value: f64| value.is_finite().then_some(value);
    Some(Run {
        seed,
        end,
        train_loss: last.and_then(|last| finite(last.train_loss)),
        validation_loss: last.and_then(|last| finite(last.validation_loss)),
        validation_accuracy: last.and_then(|last| finite(last.validation_accuracy)),
    })
}
