//! What is handed to a storage and what it hands back: runs, claims, ends.
use lehr_search::{Key, Params, Seen};

use crate::state::TrialState;

/// The number by which a storage knows a study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StudyId(pub(crate) i64);

impl StudyId {
    /// The study of a number that Optuna gave.
    pub fn from_number(number: i64) -> Self {
        StudyId(number)
    }

    /// The number itself, as Optuna has it.
    pub fn get(self) -> i64 {
        self.0
    }
}

/// A checkpoint that a program wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Where it lies.
    pub path: String,
    /// After how many steps it was written.
    pub step: u64,
}

/// Where a run branches off another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branch {
    /// The number of the run that it branches off.
    pub run: usize,
    /// After how many steps of that run.
    pub step: u64,
}

/// How a trial is to be trained once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// How many steps.
    pub horizon: u64,
    /// The seed that the program is given.
    pub seed: u64,
    /// What its reports may be compared with.
    pub key: Key,
    /// The run that it branches off.
    pub branch: Option<Branch>,
    /// The checkpoint that it starts from.
    pub checkpoint: Option<Checkpoint>,
}

impl Plan {
    /// A run from the beginning to a horizon, its reports comparable with those of others.
    pub fn to(horizon: u64) -> Self {
        Plan { horizon, ..Plan::default() }
    }
}

/// Which trial a new run belongs to.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A new trial with these parameters.
    New {
        /// The parameters.
        params: Params,
        /// The pending trials that the suggestion saw.
        saw: Vec<Seen>,
    },
    /// A further run of an open trial, by its number.
    Known(usize),
    /// A paused run, by its number, taken up again from its checkpoint. The plan's horizon replaces its own.
    Paused(usize),
}

/// A run that is to be started.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Of which trial.
    pub target: Target,
    /// How.
    pub plan: Plan,
    /// The worker's name.
    pub worker: String,
    /// How many runs the decision to start this one has seen; if others were started since, it is refused
    /// ([`crate::StudyError::Outdated`]). `None` starts it anyway.
    pub after: Option<usize>,
}

/// A trial that is to wait for a worker.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Waiting {
    /// The parameters that are decided; the others are suggested when it is taken.
    pub fixed: Params,
    /// How it is to be run, where that is decided.
    pub plan: Option<Plan>,
    /// User attributes, as JSON.
    pub user: Vec<(String, serde_json::Value)>,
}

/// The right to write the results of one run. It ends with the run, or when the run is given to someone else.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The study.
    pub study: StudyId,
    /// The trial's number in the study.
    pub trial: usize,
    /// The trial's number in the storage.
    pub trial_id: i64,
    /// The run's number in the study, in the order of their starts.
    pub run: usize,
    /// The run's number in the storage.
    pub run_id: i64,
    /// What tells this attempt from any other.
    pub token: String,
    /// 1 at the first start of the run, one more each time that it is taken up again.
    pub attempt: u32,
    /// The parameters that the trial has so far. A trial that waited may lack some: suggest them and call
    /// [`crate::Storage::set_params`].
    pub params: Params,
    /// How it is to be run.
    pub plan: Plan,
}

impl Claim {
    pub(crate) fn what(&self) -> String {
        format!("run {} of trial {}", self.run, self.trial)
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RunOutcome {
    /// It reached its horizon with this value. NaN is taken as divergence.
    Complete(f64),
    /// It was stopped as not promising.
    Pruned,
    /// Its loss ran away.
    Diverged,
    /// It broke for a reason that says nothing about its parameters.
    Failed,
    /// It stands at a checkpoint and may be taken up again.
    Paused,
}

/// What becomes of the trial when one of its runs ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It ends as its run did: complete, pruned, or failed (also where it diverged). A paused run leaves it open.
    AsRun,
    /// It stays open: further runs of it may follow.
    Open,
    /// It ends in this state: a run short of the target horizon ends its trial as pruned.
    Close(TrialState),
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEnd {
    /// How it ended.
    pub outcome: RunOutcome,
    /// What becomes of its trial.
    pub after: After,
    /// Why, where that is not plain.
    pub reason: Option<String>,
    /// How many steps were trained, those before a checkpoint that it started from not counted.
    pub steps: u64,
    /// The last checkpoint.
    pub checkpoint: Option<Checkpoint>,
}

impl RunEnd {
    /// An end without a reason that ends the trial likewise.
    pub fn new(outcome: RunOutcome, steps: u64) -> Self {
        RunEnd { outcome, after: After::AsRun, reason: None, steps, checkpoint: None }
    }

    /// Says why.
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Says what becomes of the trial.
    pub fn then(mut self, after: After) -> Self {
        self.after = after;
        self
    }

    /// Says where the last checkpoint is.
    pub fn at(mut self, checkpoint: Option<Checkpoint>) -> Self {
        self.checkpoint = checkpoint;
        self
    }
}

/// What is noted of a run on the way; what is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Note {
    /// Where its log lies.
    pub log: Option<String>,
    /// Its last checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// How many steps were trained so far.
    pub steps: Option<u64>,
}

/// Reports of one run that are to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Reports {
    /// The right to do so.
    pub claim: Claim,
    /// Steps and values; a step that is there already gets the new value.
    pub values: Vec<(u64, f64)>,
}

/// Where a run that has reported stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It goes on.
    Holds,
    /// Somebody asked for its end, for this reason; what it reports is still written.
    Stopped(String),
    /// It has ended, or was given to another worker.
    Lost,
}

/// What became of a trial that was to be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopping {
    /// It has ended, in this state.
    Ended(TrialState),
    /// Its worker learns of it with its next report or sign of life.
    Asked,
}

/// A trial whose worker gave no sign of life.
#[derive(Debug, Clone, PartialEq)]
pub struct Stale {
    /// The trial's number.
    pub trial: usize,
    /// The number of the run that was running.
    pub run: Option<usize>,
    /// The worker that ran it.
    pub worker: Option<String>,
    /// How long it gave no sign, in seconds.
    pub silent: f64,
    /// The number of the trial that waits in its place.
    pub retry: Option<usize>,
    /// Whether the run itself waits, because its trial has others.
    pub paused: bool,
}

/// A worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Worker {
    /// Its number in the storage.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The machine that it runs on.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// How long ago it gave the last sign of life, in seconds.
    pub silent: f64,
    /// Whether it said that it ended.
    pub ended: bool,
}

/// What a list of studies shows.
#[derive(Debug, Clone, PartialEq)]
pub struct StudySummary {
    /// Its number in the storage.
    pub id: StudyId,
    /// Its name.
    pub name: String,
    /// What is minimised or maximised; several in studies of Optuna only.
    pub directions: Vec<lehr_search::Direction>,
    /// How many trials are in each state.
    pub trials: Vec<(TrialState, usize)>,
    /// How many runs were started.
    pub runs: usize,
    /// The best value of a complete trial, where there is one objective.
    pub best: Option<f64>,
    /// When its first trial was started, in microseconds since 1970 (UTC).
    pub started: Option<i64>,
    /// When its last finished trial ended, likewise.
    pub ended: Option<i64>,
}
