//! Strategies: what to train next, when to stop, and what to conclude.
//!
//! A [`Strategy`] is a function of a [`Goal`] (the question) and a [`Record`] (everything that was started so far). It keeps
//! no state of its own, so a search can be cut off anywhere and taken up again, replayed, and worked on by many at once.
//! Whoever drives it (a worker with a database, a loop in memory) does what [`Strategy::next`] says, writes what happens into
//! the record and asks again.
//!
//! ```
//! use lehr::strategy::{Goal, Next, Record, RunState, Strategy, by_name};
//! use lehr::schedule::Horizon;
//!
//! let goal = Goal::new("lr=log 1e-4..1".parse()?, Horizon::steps(1000)).max_trials(20);
//! let strategy = by_name("random", None)?;
//! let mut record = Record::default();
//! loop {
//!     match strategy.next(&goal, &record)? {
//!         Next::Run(plan) => {
//!             let run = record.start(&plan);
//!             let lr = record.params[record.runs[run].trial].float("lr").unwrap();
//!             record.finish(run, RunState::Complete((lr.ln() + 3.0).powi(2))); // train here
//!         }
//!         Next::Wait => unreachable!("nothing is running"),
//!         Next::Stop { .. } => break,
//!     }
//! }
//! let found = strategy.result(&goal, &record)?;
//! assert!(found.rate.is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod annealed;
mod builtin;
mod error;
mod goal;
mod names;
mod record;
mod result;
mod sampled;
mod seeds;

pub use annealed::Annealed;
pub use builtin::{BuiltIn, drive};
pub use error::StrategyError;
pub use goal::{Abilities, Goal};
pub use names::{NAMES, PRUNERS, by_name, grid_size, pruner_by_name, usual};
pub use record::{Branch, Record, Run, RunState};
pub use result::{Estimate, Range, Recommendation, SearchState, Spent};
pub use sampled::Sampled;
pub use seeds::{Stand, stand};

use lehr_search::{Key, Params, Verdict};

/// What the reports of a run may be compared with: those of runs with the same rate, schedule and horizon, or all where the
/// goal says so.
///
/// # Errors
/// A schedule that the parameters do not fill.
pub fn comparability(goal: &Goal, params: &Params, horizon: u64) -> Result<Key, StrategyError> {
    if goal.comparable_reports { Ok(Key::COMPARABLE) } else { sampled::key(goal, params, horizon) }
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Start this run.
    Run(RunPlan),
    /// Nothing until a run that is under way has ended. Never said when none is.
    Wait,
    /// Start nothing more. Runs that are under way may be finished; what they give still counts.
    Stop {
        /// Why, in words.
        reason: String,
    },
}

/// A run to be started.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPlan {
    /// What is trained.
    pub trial: Trial,
    /// To which horizon: the run is complete in itself, its schedule is resolved against this number of updates.
    pub horizon: u64,
    /// The checkpoint of an earlier run to start from; never given unless [`Abilities::resume`].
    pub branch: Option<Branch>,
    /// Updates after which a checkpoint has to be kept, because a longer run may branch off there; rising.
    pub checkpoints: Vec<u64>,
    /// Seed of the run: initial weights and order of data. Runs of different trials with the same seed are paired.
    pub seed: u64,
    /// Why this run, in words.
    pub reason: String,
}

/// The trial that a run belongs to.
#[derive(Clone, Debug, PartialEq)]
pub enum Trial {
    /// One of the record, by number.
    Known(usize),
    /// A new one; its number is the number of trials in the record.
    New(Params),
}

/// A way of searching.
///
/// # Contract
/// - Every answer depends on the arguments alone: the goal, and of the record the trials with their parameters and the runs
///   in order of start with their states and reports. Cutting a record back to what it was at an earlier call gives the
///   answer of that call.
/// - Any record is accepted: empty, all under way, all failed, all diverged, losses equal or infinite, runs that the strategy
///   did not ask for, with seeds and horizons of their own.
/// - The first trial is the user's own setting ([`Goal::baseline`]) where there is one.
/// - [`Next::Wait`] is said only while a run is under way, and [`Next::Stop`] comes sooner or later if every run ends and the
///   goal has a limit or the method a rule.
/// - Runs under way ([`RunState::Running`], [`RunState::Paused`]) are taken into account, so that many workers may ask one
///   after the other. A paused or abandoned run is taken up or closed by whoever drives the strategy, not by it.
pub trait Strategy: Send + Sync {
    /// The method's name in lower case (`annealed`).
    fn name(&self) -> &str;

    /// What to start next.
    ///
    /// # Errors
    /// If goal and record do not fit together, or the method cannot work on the goal's space.
    fn next(&self, goal: &Goal, record: &Record) -> Result<Next, StrategyError>;

    /// Whether a run that is under way should go on, judged at its last report.
    ///
    /// # Errors
    /// As for [`Strategy::next`], and if there is no such run.
    fn judge(&self, goal: &Goal, record: &Record, run: usize) -> Result<Verdict, StrategyError>;

    /// Updates after which a run of these parameters to `horizon` has to keep a checkpoint, because a longer run may branch off
    /// there; rising.
    ///
    /// # Errors
    /// A schedule that the parameters do not fill.
    fn checkpoints(&self, goal: &Goal, params: &Params, horizon: u64) -> Result<Vec<u64>, StrategyError> {
        let _ = (goal, params, horizon);
        Ok(Vec::new())
    }

    /// What to conclude from the record as it is, also before the end.
    ///
    /// # Errors
    /// If goal and record do not fit together.
    fn result(&self, goal: &Goal, record: &Record) -> Result<Recommendation, StrategyError>;
}

impl<S: Strategy + ?Sized> Strategy for Box<S> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn next(&self, goal: &Goal, record: &Record) -> Result<Next, StrategyError> {
        (**self).next(goal, record)
    }

    fn judge(&self, goal: &Goal, record: &Record, run: usize) -> Result<Verdict, StrategyError> {
        (**self).judge(goal, record, run)
    }

    fn checkpoints(&self, goal: &Goal, params: &Params, horizon: u64) -> Result<Vec<u64>, StrategyError> {
        (**self).checkpoints(goal, params, horizon)
    }

    fn result(&self, goal: &Goal, record: &Record) -> Result<Recommendation, StrategyError> {
        (**self).result(goal, record)
    }
}
