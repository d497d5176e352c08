//! What is to be trained, how, and what comes out.

use crate::model::{Layer, Model};
use crate::optimizer::Optimizer;
use crate::{Error, Task};
use lehr_schedule::Curve;
use std::fmt;
use std::sync::atomic::AtomicBool;

/// What all lanes of a training have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainPlan {
    /// The model.
    pub model: Model,
    /// The optimiser.
    pub optimizer: Optimizer,
    /// Number of updates (the horizon).
    pub steps: u64,
    /// Rows per update; more than there are means all of them.
    pub batch: usize,
    /// λ: an L2 penalty λ/2·|w|² on all weights and biases, or decoupled decay (AdamW).
    pub weight_decay: f64,
    /// Losses are computed before the first update, after the last and after every so many in between.
    pub evaluate_every: Option<u64>,
    /// Whether the final weights of each run are returned.
    pub keep_weights: bool,
}

impl TrainPlan {
    /// A plan with SGD, batches of 32 rows, no weight decay, losses at start and end only.
    pub fn new(model: Model, steps: u64) -> Self {
        Self {
            model,
            optimizer: Optimizer::Sgd,
            steps,
            batch: 32,
            weight_decay: 0.0,
            evaluate_every: None,
            keep_weights: false,
        }
    }

    /// Updates in one epoch over the training rows of `task`.
    pub fn steps_per_epoch(&self, task: &Task) -> u64 {
        task.train().rows().div_ceil(self.batch.max(1)) as u64
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let fail = |problem: &str| Err(Error::Plan(problem.to_owned()));
        if self.steps == 0 {
            return fail("a training of 0 steps trains nothing; give at least 1");
        }
        if self.batch == 0 {
            return fail("a batch of 0 rows has no gradient; give at least 1");
        }
        if self.evaluate_every == Some(0) {
            return fail("the losses cannot be computed every 0 steps; give at least 1");
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay <= f64::from(f32::MAX)) {
            return Err(Error::Plan(format!(
                "the weight decay must be a finite number of at least 0, not {}",
                self.weight_decay
            )));
        }
        self.optimizer.check()
    }
}

/// One learning rate and schedule, trained beside others.
#[derive(Debug, Clone)]
pub struct Lane {
    /// The peak rate: a relative curve is multiplied by it. (A curve that gives absolute rates is taken as it is.)
    pub peak: f64,
    /// The schedule, resolved to the horizon of the plan.
    pub curve: Curve,
}

impl Lane {
    pub(crate) fn check(&self, steps: u64) -> Result<(), Error> {
        let fail = |problem: String| Err(Error::Plan(problem));
        if !(self.peak > 0.0 && self.peak.is_finite()) {
            return fail(format!("a peak rate must be a finite number above 0, not {}", self.peak));
        }
        if self.curve.steps() != steps {
            return fail(format!(
                "a schedule was resolved to {} steps, but the training has {steps}; resolve it to the same horizon",
                self.curve.steps()
            ));
        }
        let mut extra = self
            .curve
            .channels()
            .map(|c| ("channel", c.0))
            .chain(self.curve.groups().map(|g| ("group", g.0)));
        if let Some((kind, name)) = extra.next() {
            return fail(format!(
                "a schedule has the {kind} `{name}`; the lab follows the learning rate alone"
            ));
        }
        Ok(())
    }

    /// The rates of the updates `range`.
    pub(crate) fn rates(&self, range: std::ops::Range<u64>, out: &mut [f64]) {
        self.curve.fill(range, out);
        if self.curve.peak().is_none() {
            out.iter_mut().for_each(|rate| *rate *= self.peak);
        }
    }
}

/// Watches over a training and can end it.
#[derive(Clone, Copy, Default)]
pub struct Control<'a> {
    /// Set it to end the training within a few steps.
    pub stop: Option<&'a AtomicBool>,
    /// Called now and then from the working threads with the number of steps × lanes done since the last call.
    /// All calls of a training add up to its steps × lanes, unless it is stopped.
    pub progress: Option<&'a (dyn Fn(u64) + Sync)>,
    /// Working threads; all cores if not given. The results do not depend on it.
    pub threads: Option<usize>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// All updates were made and the loss did not explode.
    Complete,
    /// The run is lost from `step` on.
    Diverged {
        /// The update, counted from 0, whose loss or result first was not a number; or, for
        /// [`Divergence::Exploded`], from which on the loss never came back.
        step: u64,
        /// Why.
        reason: Divergence,
    },
    /// The training was stopped after this many updates.
    Interrupted {
        /// Updates made.
        step: u64,
    },
}

/// Why a run counts as diverged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Divergence {
    /// The loss of a minibatch was NaN or infinite.
    Loss,
    /// A weight was NaN or infinite after an update.
    Weights,
    /// The run came to its end with a training loss of more than [`EXPLOSION`] times, or a validation loss of more than
    /// [`VALIDATION_EXPLOSION`] times, that of its initial weights.
    Exploded {
        /// Which of the two it was.
        of: Part,
        /// The loss at the end.
        loss: f64,
        /// The loss of the initial weights.
        initial: f64,
    },
}

/// A part of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The rows that are trained on.
    Training,
    /// The rows that are held out.
    Validation,
}

/// A run whose training loss ends above this multiple of the loss of its initial weights has exploded.
///
/// Cross-entropy starts near the loss of guessing, so a run beyond twice that has learned less than nothing. The rule
/// looks at the end only: a run that climbs and comes back when its rate falls has not diverged.
pub const EXPLOSION: f64 = 2.0;

/// A run whose validation loss ends above this multiple of the loss of its initial weights has exploded.
///
/// Over-fitting raises the validation loss, too, but hardly tenfold: beyond that the weights have exploded and only
/// happen to fit the training rows.
pub const VALIDATION_EXPLOSION: f64 = 10.0;

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loss => f.write_str("the loss was not finite"),
            Self::Weights => f.write_str("a weight was not finite"),
            Self::Exploded { of, loss, initial } => {
                let (name, times) = match of {
                    Part::Training => ("training", EXPLOSION),
                    Part::Validation => ("validation", VALIDATION_EXPLOSION),
                };
                write!(
                    f,
                    "the {name} loss ended at {loss:.4e}, more than {times} times the initial {initial:.4}"
                )
            }
        }
    }
}

/// The losses of a run at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Updates made before it.
    pub step: u64,
    /// Mean cross-entropy on all training rows, without weight decay.
    pub train_loss: f64,
    /// Mean cross-entropy on all validation rows.
    pub validation_loss: f64,
    /// Share of the validation rows whose class has the largest output.
    pub validation_accuracy: f64,
}

/// What became of one lane.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneRun {
    /// How it ended.
    pub outcome: Outcome,
    /// Losses over time, from the initial weights on; for a lane whose numbers ran out, as long as they were finite.
    pub history: Vec<Evaluation>,
    /// The weights at the end, if the plan keeps them and the numbers did not run out.
    pub weights: Option<Vec<Layer>>,
}

impl LaneRun {
    /// The losses after the last update; none if the run was stopped or its numbers ran out.
    pub fn end(&self) -> Option<&Evaluation> {
        match self.outcome {
            Outcome::Complete | Outcome::Diverged { reason: Divergence::Exploded { .. }, .. } => {
                self.history.last()
            }
            Outcome::Diverged { .. } | Outcome::Interrupted { .. } => None,
        }
    }
}
