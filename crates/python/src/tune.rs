//! A search driven from Python: what to train next, as a function of what was trained.
use lehr::schedule::Horizon;
use lehr::search::{Direction, Params, Space};
use lehr::strategy::{Abilities, Goal, NAMES, Next, Record, RunState, Strategy, by_name};
use pyo3::prelude::*;
use serde_json::json;

use crate::error::{self, LehrError};

/// Adds the class to the module.
pub fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyTuner>()
}

/// A search: its goal, its strategy, and the record of its runs.
#[pyclass(name = "Tuner", module = "lehr._core")]
pub struct PyTuner {
    goal: Goal,
    strategy: Box<dyn Strategy>,
    record: Record,
}

/// The strategy of a search that names none.
fn default_strategy() -> &'static str {
    if NAMES.contains(&"annealed") { "annealed" } else { "auto" }
}

#[pymethods]
impl PyTuner {
    /// The strategy of a search that names none.
    #[classattr]
    #[pyo3(name = "default")]
    fn default_name() -> &'static str {
        default_strategy()
    }

    #[new]
    #[pyo3(signature = (space, steps, *, schedule, strategy, minimize, seed, trials, budget, tolerance, baseline, any_horizon, comparable))]
    #[expect(clippy::too_many_arguments, reason = "they are the named settings of a search")]
    fn new(
        space: &str,
        steps: u64,
        schedule: Option<String>,
        strategy: Option<&str>,
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
        let strategy = by_name(strategy.unwrap_or(default_strategy()), None).map_err(error::lehr)?;
        Ok(Self { goal, strategy, record: Record::default() })
    }

    #[getter]
    fn strategy(&self) -> String {
        self.strategy.name().to_owned()
    }

    /// What to do next, as JSON: `{"run": …}`, `{"wait": true}` or `{"stop": reason}`. A run counts as started.
    fn next(&mut self, py: Python<'_>) -> PyResult<String> {
        let next = py.detach(|| self.strategy.next(&self.goal, &self.record)).map_err(error::lehr)?;
        let answer = match next {
            Next::Wait => json!({"wait": true}),
            Next::Stop { reason } => json!({"stop": reason}),
            Next::Run(plan) => {
                let run = self.record.start(&plan);
                let trial = self.record.runs.get(run).map_or(0, |run| run.trial);
                let params = self.record.params.get(trial).cloned().unwrap_or_default();
                let spec = self.goal.spec(&params).map_err(error::lehr)?;
                json!({
                    "run": run, "trial": trial, "params": params, "spec": spec, "rate": params.float(&self.goal.rate),
                    "steps": plan.horizon, "seed": plan.seed, "reason": plan.reason,
                })
            }
        };
        Ok(answer.to_string())
    }

    /// Writes down a value of the objective on the way.
    fn report(&mut self, run: usize, step: u64, value: f64) -> PyResult<()> {
        let run = self.open(run)?;
        if let Some((last, _)) = run.reports.last().filter(|(last, _)| *last >= step) {
            return Err(LehrError::new_err(format!(
                "step {step} was reported after step {last}: steps must rise"
            )));
        }
        run.reports.push((step, value));
        run.steps_spent = run.steps_spent.max(step.min(run.horizon));
        Ok(())
    }

    /// Whether to stop a run that is under way, and why.
    fn judge(&self, py: Python<'_>, run: usize) -> PyResult<(bool, String)> {
        let verdict =
            py.detach(|| self.strategy.judge(&self.goal, &self.record, run)).map_err(error::lehr)?;
        Ok((verdict.prune, verdict.reason.to_string()))
    }

    /// Writes down how a run ended: `complete`, `diverged`, `pruned` or `failed`.
    fn finish(&mut self, run: usize, state: &str, value: f64) -> PyResult<()> {
        let open = self.open(run)?;
        let last = open.reports.last().map_or(open.horizon, |(step, _)| *step);
        let state = match state {
            "complete" if value.is_nan() => RunState::Diverged { at: last },
            "complete" => RunState::Complete(value),
            "diverged" => RunState::Diverged { at: last },
            "pruned" => RunState::Pruned,
            "failed" => RunState::Failed,
            other => return Err(LehrError::new_err(format!("unknown end of a run `{other}`"))),
        };
        self.record.finish(run, state);
        Ok(())
    }

    /// What to conclude, as JSON.
    fn result(&self, py: Python<'_>) -> PyResult<String> {
        let result = py.detach(|| self.strategy.result(&self.goal, &self.record)).map_err(error::lehr)?;
        serde_json::to_string(&result).map_err(error::lehr)
    }
}

impl PyTuner {
    fn open(&mut self, run: usize) -> PyResult<&mut lehr::strategy::Run> {
        match self.record.runs.get_mut(run) {
            None => Err(LehrError::new_err(format!("there is no run {run}"))),
            Some(run) if !run.state.is_open() => Err(LehrError::new_err("the run has ended already")),
            Some(run) => Ok(run),
        }
    }
}
