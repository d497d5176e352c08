//! A search driven from Python: a study, in memory or in a database, and the worker that asks it what to train next.
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lehr::schedule::Horizon;
use lehr::search::{Direction, Params, Space};
use lehr::strategy::{Abilities, Goal, Strategy, by_name, pruner_by_name, usual};
use lehr::study::{After, Attempt, RunEnd, RunOutcome, Study, TrialState, Waiting, open_shared};
use lehr::worker::{Asked, Place, Question, Spec, WorkerError, close, record};
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::error::{self, LehrError};

/// Adds the class to the module.
pub fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyTuner>()
}

/// A worker that gave no sign of life for so many seconds is taken for dead; signs are given every 5 s whatever Python does.
const SILENCE: f64 = 20.0;
/// How often the trial of a dead worker is tried again.
const RETRIES: usize = 2;
/// Why a run ended that its process could not go on with.
const HANDED_BACK: &str = "handed back: its process was told to stop";

/// A search: its goal, its strategy, its study, and the runs that this process is at.
#[pyclass(name = "Tuner", module = "lehr._core")]
pub struct PyTuner {
    goal: Goal,
    strategy: Box<dyn Strategy>,
    study: Study,
    worker: String,
    entered: i64,
    runs: HashMap<usize, Open>,
    buried: Option<Instant>,
    /// The folder that was asked for last, and the name under which the study has its files there.
    home: Option<(PathBuf, String)>,
}

struct Open {
    attempt: Attempt,
    last: Option<u64>,
}

/// The strategy of a search that names none.
fn default_strategy(goal: &Goal, pruner: Option<&str>) -> &'static str {
    if pruner.is_some_and(|name| name != "none") { "auto" } else { usual(goal) }
}

/// The question of a study as `lehr` reads it; what a study of a program says of its command stays.
fn spec(
    study: &Study,
    goal: &Goal,
    (strategy, pruner): (&str, Option<&str>),
    folder: &Path,
) -> Result<Spec, WorkerError> {
    let before = Spec::load(study)?;
    let base = before.unwrap_or_else(|| Spec {
        metric: "value".into(),
        silence: SILENCE,
        retries: RETRIES,
        out: folder.to_owned(),
        ..Spec::default()
    });
    let reads = [(goal.abilities.any_horizon, "steps"), (goal.abilities.any_schedule, "schedule")];
    let reads = reads.iter().filter(|(can, _)| *can).map(|(_, read)| (*read).to_owned()).collect();
    Ok(Spec {
        space: goal.space.to_string(),
        maximize: goal.direction == Direction::Maximize,
        schedule: goal.schedule.clone(),
        steps: Some(goal.target.steps),
        strategy: Some(strategy.to_owned()),
        pruner: pruner.map(str::to_owned),
        comparable: goal.comparable_reports,
        tolerance: goal.tolerance,
        trials: goal.max_trials,
        budget: goal.budget,
        seed: goal.seed,
        reads: if base.command.is_empty() { reads } else { base.reads.clone() },
        ..base
    })
}

#[pymethods]
impl PyTuner {
    /// The strategy of a search that names none.
    #[staticmethod]
    fn usual(space: &str, steps: u64, any_horizon: bool, pruner: Option<&str>) -> PyResult<&'static str> {
        let mut goal = Goal::new(space.parse().map_err(error::lehr)?, Horizon::steps(steps));
        goal.abilities.any_horizon = any_horizon;
        Ok(default_strategy(&goal, pruner))
    }

    #[new]
    #[pyo3(signature = (space, steps, *, storage, study, host, folder, schedule, strategy, pruner, minimize, seed, trials, budget, tolerance, baseline, any_horizon, comparable))]
    #[expect(clippy::too_many_arguments, reason = "they are the named settings of a search")]
    fn new(
        py: Python<'_>,
        space: &str,
        steps: u64,
        storage: &str,
        study: &str,
        host: &str,
        folder: PathBuf,
        schedule: Option<String>,
        strategy: Option<&str>,
        pruner: Option<&str>,
        minimize: bool,
        seed: u64,
        trials: Option<usize>,
        budget: Option<f64>,
        tolerance: Option<f64>,
        baseline: Option<&str>,
        any_horizon: bool,
        comparable: bool,
    ) -> PyResult<Self> {
        let space: Space = space.parse().map_err(error::lehr)?;
        let mut goal = Goal::new(space, Horizon::steps(steps));
        if schedule.is_some() {
            goal.schedule = schedule;
        }
        if !minimize {
            goal.direction = Direction::Maximize;
        }
        goal.seed = seed;
        goal.max_trials = trials;
        goal.budget = budget;
        goal.tolerance = tolerance;
        goal.baseline = baseline.map(serde_json::from_str::<Params>).transpose().map_err(error::lehr)?;
        goal.abilities = Abilities { any_horizon, any_schedule: goal.schedule.is_some(), resume: false };
        goal.comparable_reports = comparable;
        let name = strategy.unwrap_or_else(|| default_strategy(&goal, pruner));
        let judge = pruner.map(|name| pruner_by_name(name, steps)).transpose().map_err(error::lehr)?;
        let strategy = by_name(name, judge.flatten()).map_err(error::lehr)?;
        let worker = format!("{host}-{}", std::process::id());
        let begin = || -> Result<(Study, i64), WorkerError> {
            let study = Study::open_or_create(open_shared(storage)?, study, goal.direction, &goal.space)?;
            spec(&study, &goal, (name, pruner), &folder)?.keep(&study)?;
            let entered = study.storage().enter_worker(study.id(), &worker, host, std::process::id())?;
            Ok((study, entered))
        };
        let (study, entered) = py.detach(begin).map_err(error::lehr)?;
        Ok(Self { goal, strategy, study, worker, entered, runs: HashMap::new(), buried: None, home: None })
    }

    #[getter]
    fn strategy(&self) -> String {
        self.strategy.name().to_owned()
    }

    /// What to do next, as JSON: `{"run": …}`, `{"wait": true}` or `{"stop": reason}`. A run counts as started.
    fn next(&mut self, py: Python<'_>) -> PyResult<String> {
        let answer = py.detach(|| self.ask()).map_err(error::lehr)?;
        Ok(answer.to_string())
    }

    /// Writes down a value of the objective on the way.
    fn report(&mut self, py: Python<'_>, run: usize, step: u64, value: f64) -> PyResult<()> {
        let open = self.open(run)?;
        if let Some(last) = open.last.filter(|last| *last >= step) {
            return Err(LehrError::new_err(format!(
                "step {step} was reported after step {last}: steps must rise"
            )));
        }
        py.detach(|| open.attempt.report(step, value)).map_err(error::lehr)?;
        open.last = Some(step);
        Ok(())
    }

    /// The folder in `out` for the checkpoints of a run, made where it is not there: no other study's, also one of this name.
    fn checkpoint(&mut self, py: Python<'_>, out: PathBuf, trial: usize, run: usize) -> PyResult<PathBuf> {
        py.detach(|| self.make_place(out, trial, run)).map(|place| place.checkpoint()).map_err(error::lehr)
    }

    /// Whether to stop a run that is under way, and why: somebody asked for its end, or the strategy prunes it.
    fn judge(&mut self, py: Python<'_>, run: usize) -> PyResult<(bool, String)> {
        self.open(run)?;
        let judge = || -> Result<_, WorkerError> {
            if let Some(open) = self.runs.get(&run) {
                // The decision depends on these reports, so they are written before.
                open.attempt.flush()?;
                if let Some(why) = open.attempt.stop_asked() {
                    return Ok((true, why));
                }
            }
            let record = record(self.study.refresh()?, &self.goal.space, self.goal.target.steps);
            let verdict = self.strategy.judge(&self.goal, &record, run)?;
            Ok((verdict.prune, verdict.reason.to_string()))
        };
        py.detach(judge).map_err(error::lehr)
    }

    /// Writes down how a run ended: `complete`, `diverged`, `pruned`, `failed`, or `handed back` to be run by somebody else.
    #[pyo3(signature = (run, state, value, reason=None))]
    fn finish(
        &mut self,
        py: Python<'_>,
        run: usize,
        state: &str,
        value: f64,
        reason: Option<String>,
    ) -> PyResult<()> {
        let several = self.several();
        self.open(run)?;
        let Some(open) = self.runs.get(&run) else { return Ok(()) };
        let horizon = open.attempt.claim().plan.horizon;
        let reached = open.last.map_or(0, |last| last.min(horizon));
        let diverged = if open.last.is_none() { horizon } else { reached };
        let (outcome, steps) = match state {
            "complete" if value.is_nan() => (RunOutcome::Diverged, diverged),
            "complete" => (RunOutcome::Complete(value), horizon),
            "diverged" => (RunOutcome::Diverged, diverged),
            // What was stopped by hand before it said anything has no value to keep.
            "pruned" if open.last.is_none() && open.attempt.stop_asked().is_some() => (RunOutcome::Failed, 0),
            "pruned" => (RunOutcome::Pruned, reached),
            "failed" | "handed back" => (RunOutcome::Failed, reached),
            other => return Err(LehrError::new_err(format!("unknown end of a run `{other}`"))),
        };
        let back = state == "handed back";
        let mut end = RunEnd::new(outcome, steps);
        end.reason = if back { Some(HANDED_BACK.to_owned()) } else { reason };
        if several {
            end.after = After::Open;
        }
        let write = || -> Result<(), WorkerError> {
            open.attempt.finish(&end)?;
            let claim = open.attempt.claim();
            if back && !several {
                let (fixed, plan) = (claim.params.clone(), Some(claim.plan.clone()));
                self.study.enqueue(&Waiting { fixed, plan, user: Vec::new() })?;
            }
            Ok(())
        };
        py.detach(write).map_err(error::lehr)?;
        self.runs.remove(&run);
        Ok(())
    }

    /// What to conclude, as JSON.
    fn result(&mut self, py: Python<'_>) -> PyResult<String> {
        let result = py.detach(|| -> Result<_, WorkerError> {
            let record = record(self.study.refresh()?, &self.goal.space, self.goal.target.steps);
            Ok(self.strategy.result(&self.goal, &record)?)
        });
        serde_json::to_string(&result.map_err(error::lehr)?).map_err(error::lehr)
    }

    /// How many trials there are, how many of them have ended, and the best value, as JSON.
    fn progress(&mut self, py: Python<'_>) -> PyResult<String> {
        py.detach(|| self.study.refresh().map(|_| ())).map_err(error::lehr)?;
        let trials = self.study.records().trials();
        let ended = trials.iter().filter(|t| t.state.is_finished()).count();
        let failed = trials.iter().filter(|t| t.state == TrialState::Failed).count();
        let best = self.study.best().and_then(|best| trials.get(best)?.values.first().copied());
        Ok(json!({"trials": trials.len(), "ended": ended, "failed": failed, "best": best}).to_string())
    }
}

impl PyTuner {
    /// Whether a trial may have several runs.
    fn several(&self) -> bool {
        self.strategy.name() == "annealed"
    }

    fn open(&mut self, run: usize) -> PyResult<&mut Open> {
        let absent = || LehrError::new_err(format!("run {run} has ended already, or was not asked for here"));
        self.runs.get_mut(&run).ok_or_else(absent)
    }

    fn make_place(&mut self, out: PathBuf, trial: usize, run: usize) -> Result<Place, WorkerError> {
        let name = match self.home.take() {
            Some((folder, name)) if folder == out => name,
            _ => Place::name_of(&out, &self.study)?,
        };
        let place = Place::new(&out, &name, trial, run).make()?;
        self.home = Some((out, name));
        Ok(place)
    }

    fn ask(&mut self) -> Result<Value, WorkerError> {
        let now = Instant::now();
        if self.buried.is_none_or(|last| now - last > Duration::from_secs(2)) {
            self.buried = Some(now);
            let silence = Duration::from_secs_f64(SILENCE);
            self.study.storage().fail_stale(self.study.id(), silence, RETRIES)?;
        }
        let name = self.study.name().to_owned();
        let nowhere = Path::new("");
        let question = Question { goal: &self.goal, strategy: &*self.strategy, out: nowhere, study: &name };
        let (attempt, reason) = match question.ask(&mut self.study, &self.worker)? {
            Asked::Wait => return Ok(json!({"wait": true})),
            Asked::Enough(reason) => {
                close(&mut self.study, self.goal.target.steps)?;
                return Ok(json!({"stop": reason}));
            }
            Asked::Run { attempt, reason, .. } => (*attempt, reason),
        };
        let (claim, params) = (attempt.claim(), attempt.params());
        let spec = match self.goal.spec(params) {
            Ok(spec) => spec,
            Err(why) => {
                attempt.finish(&RunEnd::new(RunOutcome::Failed, 0).because(why.to_string()))?;
                return Err(why.into());
            }
        };
        let answer = json!({
            "run": claim.run, "trial": claim.trial, "params": params, "spec": spec,
            "rate": params.float(&self.goal.rate), "steps": claim.plan.horizon, "seed": claim.plan.seed,
            "reason": reason,
        });
        self.runs.insert(claim.run, Open { attempt, last: None });
        Ok(answer)
    }
}

impl Drop for PyTuner {
    fn drop(&mut self) {
        // Where it cannot be written, it is seen by its silence.
        let _ = self.study.storage().sign_worker(self.entered, true);
    }
}
