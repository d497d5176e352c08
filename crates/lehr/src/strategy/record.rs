//! What was started, and what became of it.

use std::collections::BTreeSet;

use lehr_search::Params;

use super::{RunPlan, StrategyError, Trial};

/// Everything that was started so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The parameters of each trial, by its number.
    pub params: Vec<Params>,
    /// The runs, in order of start.
    pub runs: Vec<Run>,
    /// Trials of which no further run may start.
    pub closed: BTreeSet<usize>,
}

/// One training of a trial to a horizon.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Number of the trial.
    pub trial: usize,
    /// Updates of the whole run, those before a branch included.
    pub horizon: u64,
    /// The checkpoint that it started from.
    pub branch: Option<Branch>,
    /// Seed of weights and data.
    pub seed: u64,
    /// Where it stands.
    pub state: RunState,
    /// Values of the objective on the way as `(updates made, value)`, by rising update.
    pub reports: Vec<(u64, f64)>,
    /// Updates made by this run itself: those before a branch were paid for by another one.
    pub steps_spent: u64,
}

/// The checkpoint that a run starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Number of the run that wrote it.
    pub run: usize,
    /// Updates made when it was written.
    pub step: u64,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RunState {
    /// Under way.
    Running,
    /// Stopped on the way, and open to be taken up again.
    Paused,
    /// It came to its end with this value of the objective. A value that is not a number counts as divergence.
    Complete(f64),
    /// Its loss ran away: it says that its rate is too high.
    Diverged {
        /// The update at which it was seen.
        at: u64,
    },
    /// Stopped early as not promising.
    Pruned,
    /// Broke for a reason that says nothing about its parameters.
    Failed,
}

impl RunState {
    /// Running or paused.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }

    /// The value of a complete run, if it is a number.
    pub fn value(self) -> Option<f64> {
        match self {
            Self::Complete(value) if !value.is_nan() => Some(value),
            _ => None,
        }
    }

    /// Diverged, by its state or by its value.
    pub fn is_diverged(self) -> bool {
        match self {
            Self::Diverged { .. } => true,
            Self::Complete(value) => value.is_nan(),
            _ => false,
        }
    }
}

impl Record {
    /// Writes down the start of a planned run and returns its number.
    pub fn start(&mut self, plan: &RunPlan) -> usize {
        let trial = match &plan.trial {
            Trial::Known(trial) => *trial,
            Trial::New(params) => {
                self.params.push(params.clone());
                self.params.len() - 1
            }
        };
        self.runs.push(Run {
            trial,
            horizon: plan.horizon,
            branch: plan.branch,
            seed: plan.seed,
            state: RunState::Running,
            reports: Vec::new(),
            steps_spent: 0,
        });
        self.runs.len() - 1
    }

    /// Writes down how a run ended, as if it had made all the updates that its end implies.
    pub fn finish(&mut self, run: usize, state: RunState) {
        if let Some(run) = self.runs.get_mut(run) {
            let before = run.branch.map_or(0, |branch| branch.step);
            run.state = state;
            run.steps_spent = match state {
                RunState::Complete(_) => run.horizon.saturating_sub(before),
                RunState::Diverged { at } => at.min(run.horizon).saturating_sub(before),
                _ => run.steps_spent,
            };
        }
    }

    /// The runs of a trial, in order of start.
    pub fn runs_of(&self, trial: usize) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.trial == trial)
    }

    /// Whether no further run of a trial may start.
    pub fn is_closed(&self, trial: usize) -> bool {
        self.closed.contains(&trial)
    }

    /// Whether a run is under way.
    pub fn is_busy(&self) -> bool {
        self.runs.iter().any(|run| run.state.is_open())
    }

    /// Updates made in all.
    pub fn steps_spent(&self) -> u64 {
        self.runs.iter().fold(0, |sum, run| sum.saturating_add(run.steps_spent))
    }

    /// Updates made, and those that runs under way still have to make.
    pub fn steps_committed(&self) -> u64 {
        let cost = |run: &Run| match run.state.is_open() {
            true => {
                run.horizon.saturating_sub(run.branch.map_or(0, |branch| branch.step)).max(run.steps_spent)
            }
            false => run.steps_spent,
        };
        self.runs.iter().fold(0, |sum, run| sum.saturating_add(cost(run)))
    }

    /// Checks that runs name trials and runs that exist before them.
    pub(super) fn check(&self) -> Result<(), StrategyError> {
        for (number, run) in self.runs.iter().enumerate() {
            if run.trial >= self.params.len() {
                let problem = format!("run {number} is of trial {}, of {}", run.trial, self.params.len());
                return Err(StrategyError::Record(problem));
            }
            if run.branch.is_some_and(|branch| branch.run >= number) {
                let problem = format!("run {number} branches off a run that did not start before it");
                return Err(StrategyError::Record(problem));
            }
        }
        Ok(())
    }
}
