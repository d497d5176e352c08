//! A schedule at work in a training loop of your own: the rate of one update after the other, saved and taken up again.
//!
//! [`Scheduler`] needs no framework. With the feature `candle` it drives candle's optimisers (`Scheduler::drive`); with
//! the feature `burn` it is one of burn's schedulers (it implements `LrScheduler`).

#[cfg(feature = "burn")]
mod burn;
#[cfg(feature = "candle")]
mod candle;

use lehr_schedule::{Controller, Curve, Error, FeedbackState, Horizon, Spec, Verdict};
use serde::{Deserialize, Serialize};

/// The version of [`SchedulerState`] that is written, and the newest that is read.
const VERSION: u32 = 1;

/// A schedule and the number of updates that have been made: [`step`](Self::step) gives the rate of the next one.
///
/// ```
/// use lehr::prelude::*;
///
/// let mut scheduler = Scheduler::new("warmup 2%, cosine", &Horizon::steps(10_000), 3e-4)?;
/// let (mut x, mut rates) = (3.0, Vec::new());
/// while scheduler.updates() < 10_000 {
///     let rate = scheduler.step();
///     x -= rate * x; // one update of your model
///     rates.push(rate);
/// }
/// assert_eq!((rates[0], rates[199]), (3e-4 / 200.0, 3e-4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It goes on exactly where it was saved, in a run of another length, too:
///
/// ```
/// # use lehr::prelude::*;
/// # let horizon = Horizon::steps(100);
/// # let mut scheduler = Scheduler::new("cosine", &horizon, 0.1)?;
/// # scheduler.step();
/// let saved = serde_json::to_string(&scheduler.state())?;
/// let mut again = Scheduler::new("cosine", &horizon, 0.1)?;
/// again.restore(serde_json::from_str(&saved)?)?;
/// assert_eq!(again.step(), scheduler.step());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Scheduler {
    source: Source,
    updates: u64,
}

#[derive(Debug, Clone)]
enum Source {
    Curve(Curve),
    Feedback(Box<Controller>),
}

/// Everything that a [`Scheduler`] remembers; small, and made to be saved beside the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchedulerState {
    /// The version of this form.
    pub version: u32,
    /// How many updates have been made.
    pub updates: u64,
    /// What a schedule that reacts to a metric remembers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<FeedbackState>,
}

/// Why a saved state cannot be taken up. The scheduler is then as it was before.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The state is of a newer Lehr.
    #[error(
        "the saved state has version {0}, and this Lehr reads up to {VERSION}: use the Lehr that saved it, or newer"
    )]
    Version(u32),
    /// The schedule reacts to a metric, the saved one did not.
    #[error(
        "the saved state is of a schedule that reacts to no metric, and this one does: build it as it was saved"
    )]
    NoFeedback,
    /// The saved schedule reacted to a metric, this one does not.
    #[error(
        "the saved state is of a schedule that reacts to a metric, and this one does not: build it as it was saved"
    )]
    Feedback,
    /// Something that every state has is not there, or is no number of its kind.
    #[error("the saved state has no usable '{0}': is it of another scheduler?")]
    Missing(String),
    /// The feedback schedule refuses what it is to remember.
    #[error(transparent)]
    Schedule(#[from] Error),
}

impl Scheduler {
    /// The schedule in the text `spec` over a horizon, at its beginning. The rate is at most `peak`, unless the text says
    /// otherwise.
    ///
    /// # Errors
    /// If the text is not a schedule, or it does not fit the horizon.
    pub fn new(spec: &str, horizon: &Horizon, peak: f64) -> Result<Self, Error> {
        Ok(match spec.parse()? {
            Spec::Schedule(schedule) => schedule.resolve_with_peak(horizon, peak)?.into(),
            Spec::Feedback(feedback) => feedback.resolve(horizon, Some(peak))?.into(),
        })
    }

    /// The rate of the next update, which counts as made from now on. After the horizon the last level holds.
    pub fn step(&mut self) -> f64 {
        let rate = self.rate();
        self.updates = self.updates.saturating_add(1);
        rate
    }

    /// The rate of the next update, without making it.
    pub fn rate(&self) -> f64 {
        match &self.source {
            Source::Curve(curve) => curve.at(self.updates),
            Source::Feedback(control) => control.rate(self.updates),
        }
    }

    /// What goes along with the rate of the next update, such as `momentum` or `weight-decay`: the channel's value, if the
    /// schedule has one of that name.
    pub fn channel(&self, name: &str) -> Option<f64> {
        match &self.source {
            Source::Curve(curve) => curve.channel(name).map(|channel| channel.at(self.updates)),
            Source::Feedback(_) => None,
        }
    }

    /// A scheduler for the parameter group of that name, if the schedule has one, with as many updates made.
    pub fn group(&self, name: &str) -> Option<Self> {
        match &self.source {
            Source::Curve(curve) => {
                let source = Source::Curve(curve.group(name)?.clone());
                Some(Self { source, updates: self.updates })
            }
            Source::Feedback(_) => None,
        }
    }

    /// Tells a metric that was measured after the last update. A schedule that reacts to one says what it did;
    /// `None`: this one does not react.
    pub fn observe(&mut self, metric: f64) -> Option<Verdict> {
        match &mut self.source {
            Source::Curve(_) => None,
            Source::Feedback(control) => Some(control.observe(self.updates.saturating_sub(1), metric)),
        }
    }

    /// How many updates have been made.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// What to save with a checkpoint.
    pub fn state(&self) -> SchedulerState {
        let feedback = match &self.source {
            Source::Curve(_) => None,
            Source::Feedback(control) => Some(control.state().clone()),
        };
        SchedulerState { version: VERSION, updates: self.updates, feedback }
    }

    /// Takes up a saved state. The horizon may be another one: the rates are those of the new curve from there on.
    ///
    /// # Errors
    /// [`RestoreError`] if the state is of a newer Lehr, or cannot be one of this schedule.
    pub fn restore(&mut self, state: SchedulerState) -> Result<(), RestoreError> {
        if state.version > VERSION {
            return Err(RestoreError::Version(state.version));
        }
        match (&mut self.source, state.feedback) {
            (Source::Curve(_), None) => {}
            (Source::Curve(_), Some(_)) => return Err(RestoreError::Feedback),
            (Source::Feedback(_), None) => return Err(RestoreError::NoFeedback),
            (Source::Feedback(control), Some(feedback)) => control.restore(feedback)?,
        }
        self.updates = state.updates;
        Ok(())
    }
}

impl From<Curve> for Scheduler {
    fn from(curve: Curve) -> Self {
        Self { source: Source::Curve(curve), updates: 0 }
    }
}

impl From<Controller> for Scheduler {
    fn from(control: Controller) -> Self {
        Self { source: Source::Feedback(Box::new(control)), updates: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLATEAU: &str = "warmup 2, plateau by 0.5 patience 1";

    fn scheduler(spec: &str) -> Scheduler {
        Scheduler::new(spec, &Horizon::steps(100), 0.1).unwrap()
    }

    fn make(scheduler: &mut Scheduler, updates: u64) {
        for _ in 0..updates {
            scheduler.step();
        }
    }

    #[test]
    fn each_update_has_the_rate_of_the_curve_and_after_the_last_one_it_holds() {
        let schedule: lehr_schedule::Schedule = "warmup 5%, cosine to 0.1".parse().unwrap();
        let curve = schedule.resolve_with_peak(&Horizon::steps(100), 0.1).unwrap();
        let mut steps = scheduler("warmup 5%, cosine to 0.1");
        for t in 0..120 {
            assert_eq!((steps.updates(), steps.rate(), steps.step()), (t, curve.at(t), curve.at(t)));
        }
    }

    #[test]
    fn a_state_goes_through_json_and_into_a_longer_run() {
        let mut short = scheduler("linear");
        make(&mut short, 40);
        let text = serde_json::to_string(&short.state()).unwrap();
        assert_eq!(text, r#"{"version":1,"updates":40}"#);
        let mut long = Scheduler::new("linear", &Horizon::steps(200), 0.1).unwrap();
        long.restore(serde_json::from_str(&text).unwrap()).unwrap();
        assert!((long.step() - 0.08).abs() < 1e-15);
    }

    #[test]
    fn a_feedback_schedule_reacts_and_remembers() {
        let mut first = scheduler(PLATEAU);
        let losses = [3.0, 2.0, 2.5, 2.5, f64::NAN, 2.1, 1.0];
        let mut second = None;
        for (t, loss) in losses.into_iter().enumerate() {
            first.step();
            assert!(first.observe(loss).is_some());
            if t == 3 {
                let mut other = scheduler(PLATEAU);
                other.restore(first.state()).unwrap();
                second = Some(other);
            } else if let Some(other) = &mut second {
                other.step();
                other.observe(loss);
                assert_eq!((other.rate(), other.state()), (first.rate(), first.state()));
            }
        }
        assert!(first.rate() < 0.1);
    }

    #[test]
    fn a_state_that_does_not_fit_is_refused_and_changes_nothing() {
        let (mut curve, mut plateau) = (scheduler("cosine"), scheduler(PLATEAU));
        plateau.step();
        let before = plateau.state();
        assert_eq!(curve.restore(before.clone()), Err(RestoreError::Feedback));
        assert_eq!(plateau.restore(curve.state()), Err(RestoreError::NoFeedback));
        let newer = SchedulerState { version: 2, updates: 7, feedback: None };
        assert_eq!(curve.restore(newer), Err(RestoreError::Version(2)));
        let level = before.feedback.clone().map(|feedback| FeedbackState { level: f64::NAN, ..feedback });
        let broken = SchedulerState { feedback: level, updates: 9, ..before.clone() };
        assert!(matches!(plateau.restore(broken), Err(RestoreError::Schedule(_))));
        assert_eq!((curve.updates(), plateau.state()), (0, before));
    }

    #[test]
    fn channels_and_groups_keep_pace() {
        let mut one = scheduler("linear with momentum from 0.9 to 0.5 with group head by 0.1");
        make(&mut one, 50);
        assert_eq!(one.group("head").unwrap().rate(), one.rate() * 0.1);
        assert!((one.channel("momentum").unwrap() - 0.7).abs() < 1e-12);
        assert!(one.channel("weight-decay").is_none() && one.group("tail").is_none());
        assert!(one.observe(1.0).is_none());
    }
}
