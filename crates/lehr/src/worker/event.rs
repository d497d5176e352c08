//! What a worker tells while it works.

use lehr_search::Params;

/// How a run ended, in short.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// With this value.
    Complete(f64),
    /// Its metric ran away.
    Diverged,
    /// It was stopped as not promising.
    Pruned,
    /// Somebody stopped it.
    Stopped,
    /// It broke.
    Failed,
    /// It stands at a checkpoint.
    Paused,
    /// It was cut off and waits for another worker.
    HandedBack,
    /// Another worker had taken it for dead and taken it over.
    Lost,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A run was started.
    Started {
        /// Its trial.
        trial: usize,
        /// Its number.
        run: usize,
        /// What is trained.
        params: &'a Params,
        /// To which horizon.
        horizon: u64,
    },
    /// A run reported.
    Report {
        /// Its trial.
        trial: usize,
        /// The step.
        step: u64,
        /// The value.
        value: f64,
    },
    /// A run ended.
    Ended {
        /// Its trial.
        trial: usize,
        /// What was trained.
        params: &'a Params,
        /// To which horizon.
        horizon: u64,
        /// How.
        end: End,
        /// Why, in words.
        reason: Option<&'a str>,
    },
    /// A worker gave no sign of life: its run is lost to it.
    Dead {
        /// The trial.
        trial: usize,
        /// The trial that is to be run in its place.
        retry: Option<usize>,
        /// Whether the run itself is to go on, because its trial has others.
        paused: bool,
    },
    /// Something that went wrong and did not stop the work.
    Trouble(String),
}
