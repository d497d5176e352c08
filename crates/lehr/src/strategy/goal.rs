//! The question that a search is to answer.

use lehr_schedule::{Curve, Horizon, Schedule};
use lehr_search::{Direction, Params, Space};

use super::StrategyError;

/// What the training program can do. It decides which strategies can work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// It can be run to any horizon, annealed within it.
    pub any_horizon: bool,
    /// It follows the schedule that it is handed (otherwise the schedule is its own and only the rate is set).
    pub any_schedule: bool,
    /// It keeps checkpoints and starts from them.
    pub resume: bool,
}

impl Abilities {
    /// A program that takes the rate and nothing else: full runs of fixed length.
    pub const RATE_ONLY: Self = Self { any_horizon: false, any_schedule: false, resume: false };
    /// A program that takes horizon and schedule.
    pub const SCHEDULED: Self = Self { any_horizon: true, any_schedule: true, resume: false };
    /// A program that can be paused, resumed and branched, too.
    pub const ALL: Self = Self { any_horizon: true, any_schedule: true, resume: true };
}

/// What is searched, over which horizon, within which limits.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// What may be tried.
    pub space: Space,
    /// Whether small or large values are good.
    pub direction: Direction,
    /// The length of the run that the answer is for.
    pub target: Horizon,
    /// What the program can do.
    pub abilities: Abilities,
    /// Name of the parameter that is the peak rate (`lr`).
    pub rate: String,
    /// The schedule of every run: a spec in which `{name}` stands for a parameter; `{schedule}` alone for a spec out of a list.
    /// `None`: the program's own, which is not known.
    pub schedule: Option<String>,
    /// Seed of the search, and of the first run of each trial.
    pub seed: u64,
    /// Runs of each trial, with the seeds `seed`, `seed` + 1, …; its value is their mean. For [`super::Sampled`]: the strategy
    /// `annealed` repeats what pays.
    pub seeds: usize,
    /// The user's present setting: trial 0.
    pub baseline: Option<Params>,
    /// Regret at the target that is good enough, in units of the objective; `None`: the noise between runs.
    pub tolerance: Option<f64>,
    /// At most so many trials.
    pub max_trials: Option<usize>,
    /// At most so many updates in all, in units of the target horizon.
    pub budget: Option<f64>,
    /// Whether losses on the way may be compared between trials (a constant rate, or because the user says so).
    pub comparable_reports: bool,
}

impl Goal {
    /// Minimise over `space` at the horizon `target` with a program that takes any horizon and schedule; where the space has
    /// a parameter `schedule`, that is the schedule. No limits.
    pub fn new(space: Space, target: Horizon) -> Self {
        let schedule = space.get("schedule").map(|_| "{schedule}".to_owned());
        Self {
            space,
            direction: Direction::Minimize,
            target,
            abilities: Abilities::SCHEDULED,
            rate: "lr".into(),
            schedule,
            seed: 0,
            seeds: 1,
            baseline: None,
            tolerance: None,
            max_trials: None,
            budget: None,
            comparable_reports: false,
        }
    }

    /// The same goal with a limit to the number of trials.
    #[must_use]
    pub fn max_trials(self, trials: usize) -> Self {
        Self { max_trials: Some(trials), ..self }
    }

    /// The same goal with a limit to the updates, in units of the target horizon.
    #[must_use]
    pub fn budget(self, full_runs: f64) -> Self {
        Self { budget: Some(full_runs), ..self }
    }

    /// The same goal with one schedule for all trials (or a spec with placeholders).
    #[must_use]
    pub fn schedule(self, spec: &str) -> Self {
        Self { schedule: Some(spec.to_owned()), ..self }
    }

    /// The spec of a trial's schedule: placeholders replaced by the trial's parameters, as [`Space`] shows them. `None` where
    /// the schedule is the program's own.
    ///
    /// # Errors
    /// A placeholder that is no parameter of the trial.
    pub fn spec(&self, params: &Params) -> Result<Option<String>, StrategyError> {
        let Some(template) = &self.schedule else { return Ok(None) };
        let mut spec = template.clone();
        // A schedule out of a list may itself have placeholders, so that two passes are needed.
        for _ in 0..2 {
            spec = self.fill(&spec, params)?;
        }
        Ok(Some(spec))
    }

    fn fill(&self, template: &str, params: &Params) -> Result<String, StrategyError> {
        let (mut text, mut rest) = (String::with_capacity(template.len()), template);
        while let Some((before, after)) = rest.split_once('{') {
            let wrong = |problem: String| StrategyError::Schedule { schedule: template.to_owned(), problem };
            let (name, behind) =
                after.split_once('}').ok_or_else(|| wrong("a `{` is not closed by `}`".into()))?;
            let value = self.space.get(name).zip(params.get(name)).map(|(p, value)| p.show(value));
            text += before;
            text += &value.ok_or_else(|| wrong(format!("`{{{name}}}` is no parameter of this trial")))?;
            rest = behind;
        }
        Ok(text + rest)
    }

    /// A trial's curve over `horizon` updates, relative to a peak of 1; `None` where the schedule is the program's own.
    ///
    /// # Errors
    /// A spec that cannot be read, or that does not fit the horizon.
    pub fn curve(&self, params: &Params, horizon: u64) -> Result<Option<Curve>, StrategyError> {
        let Some(spec) = self.spec(params)? else { return Ok(None) };
        let wrong = |problem: String| StrategyError::Schedule { schedule: spec.clone(), problem };
        let schedule: Schedule = spec.parse().map_err(|error| wrong(format!("{error}")))?;
        let horizon = self.target.with_steps(horizon);
        let curve = match params.float(&self.rate) {
            Some(rate) => schedule.resolve_with_peak(&horizon, rate),
            None => schedule.resolve(&horizon),
        };
        curve.map(Some).map_err(|error| wrong(error.to_string()))
    }

    /// Fails where the goal contradicts itself.
    pub(super) fn check(&self) -> Result<(), StrategyError> {
        let wrong = |problem: String| Err(StrategyError::Goal(problem));
        if self.target.steps == 0 {
            return wrong("the target horizon is 0 steps; give at least 1".into());
        }
        self.target.check().map_err(|error| StrategyError::Goal(error.to_string()))?;
        if self.seeds == 0 {
            return wrong("the number of seeds is 0; give at least 1".into());
        }
        if let Some(tolerance) = self.tolerance.filter(|t| !(*t >= 0.0 && t.is_finite())) {
            return wrong(format!("the tolerance must be a finite number of at least 0, not {tolerance}"));
        }
        if let Some(budget) = self.budget.filter(|b| b.is_nan() || *b <= 0.0) {
            return wrong(format!("the budget must be above 0 full runs, not {budget}"));
        }
        if let Some(params) = &self.baseline {
            self.space.raw(params)?;
        }
        Ok(())
    }
}
