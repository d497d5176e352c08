//! burn's trait of learning-rate schedulers.

use burn_optim::LearningRate;
use burn_optim::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use lehr_schedule::FeedbackState;

use super::{RestoreError, Scheduler, SchedulerState};

/// `step` gives the rate of the next update, as for burn's own schedulers; it goes wherever they go
/// (`Learner::new(model, optimizer, scheduler)`, `ModuleLrScheduler::new(scheduler)`). Records hold every digit.
impl LrScheduler for Scheduler {
    fn step(&mut self) -> LearningRate {
        Scheduler::step(self)
    }

    fn to_record(&self) -> LrSchedulerRecord {
        to_record(&self.state())
    }

    /// A record that cannot be taken up leaves the scheduler as it is, with a warning through `tracing`: burn has no way to
    /// answer with an error. [`Scheduler::load_burn_record`] has one.
    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let Err(why) = self.load_burn_record(&record) {
            tracing::warn!("the record of the learning-rate scheduler is not taken up: {why}");
        }
    }
}

impl Scheduler {
    /// Takes up a record that burn has saved, or says why it cannot.
    ///
    /// # Errors
    /// [`RestoreError`] if the record is of another scheduler, another kind of schedule or a newer Lehr.
    pub fn load_burn_record(&mut self, record: &LrSchedulerRecord) -> Result<(), RestoreError> {
        self.restore(from_record(record)?)
    }
}

fn to_record(state: &SchedulerState) -> LrSchedulerRecord {
    let record =
        LrSchedulerRecord::new().with_scalar("version", state.version).with_scalar("updates", state.updates);
    match &state.feedback {
        None => record,
        Some(feedback) => record.with_record("feedback", feedback_record(feedback)),
    }
}

/// A record holds numbers only: a list is its length and its entries, what is absent is left out.
fn feedback_record(state: &FeedbackState) -> LrSchedulerRecord {
    let mut record = LrSchedulerRecord::new()
        .with_scalar("level", state.level)
        .with_scalar("bad", state.bad)
        .with_scalar("good", state.good)
        .with_scalar("pause", state.pause)
        .with_scalar("at_floor", state.at_floor)
        .with_scalar("not_finite", state.not_finite)
        .with_scalar("recent", state.recent.len() as u64);
    if let Some(best) = state.best {
        record = record.with_scalar("best", best);
    }
    for (i, metric) in state.recent.iter().enumerate() {
        record = record.with_scalar(&entry(i as u64), *metric);
    }
    record
}

fn entry(i: u64) -> String {
    format!("recent_{i}")
}

fn from_record(record: &LrSchedulerRecord) -> Result<SchedulerState, RestoreError> {
    let feedback = record.record("feedback");
    let feedback = match feedback.is_empty() {
        true => None,
        false => Some(from_feedback_record(&feedback)?),
    };
    let version = record.scalar("version").ok_or_else(|| missing("version"))?;
    Ok(SchedulerState { version, updates: count(record, "updates")?, feedback })
}

fn from_feedback_record(record: &LrSchedulerRecord) -> Result<FeedbackState, RestoreError> {
    let number = |name: &str| record.scalar::<f64>(name).ok_or_else(|| missing(name));
    Ok(FeedbackState {
        level: number("level")?,
        best: record.scalar("best"),
        bad: count(record, "bad")?,
        good: count(record, "good")?,
        pause: count(record, "pause")?,
        at_floor: count(record, "at_floor")?,
        recent: (0..count(record, "recent")?).map(|i| number(&entry(i))).collect::<Result<_, _>>()?,
        not_finite: count(record, "not_finite")?,
    })
}

fn count(record: &LrSchedulerRecord, name: &str) -> Result<u64, RestoreError> {
    record.scalar(name).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> RestoreError {
    RestoreError::Missing(name.to_owned())
}
