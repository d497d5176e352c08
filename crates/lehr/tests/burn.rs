//! The feature `burn`: Lehr's scheduler as one of burn's. `cargo xtask burn` builds and runs this.
#![allow(clippy::unwrap_used)]

use burn_optim::lr_scheduler::{LrScheduler, LrSchedulerRecord, module_lr_scheduler::ModuleLrScheduler};
use lehr::prelude::*;

const SPEC: &str = "warmup 5%, cosine to 0.1";
const PLATEAU: &str = "warmup 2, plateau by 0.5 patience 1 window 3";

fn scheduler(spec: &str) -> Scheduler {
    Scheduler::new(spec, &Horizon::steps(100), 0.1).unwrap()
}

fn curve(spec: &str) -> Curve {
    let schedule: Schedule = spec.parse().unwrap();
    schedule.resolve_with_peak(&Horizon::steps(100), 0.1).unwrap()
}

/// Through the bytes that burn keeps.
fn kept(record: LrSchedulerRecord) -> LrSchedulerRecord {
    LrSchedulerRecord::from_bytes(record.into_bytes().unwrap()).unwrap()
}

#[test]
fn each_step_has_the_rate_of_the_curve() {
    let curve = curve(SPEC);
    let mut boxed: Box<dyn LrScheduler> = Box::new(scheduler(SPEC));
    let mut module = ModuleLrScheduler::from(scheduler(SPEC));
    for t in 0..120 {
        assert_eq!(boxed.step(), curve.at(t), "update {t}");
        assert_eq!(module.step().base(), curve.at(t), "update {t}");
    }
}

#[test]
fn a_record_taken_at_any_update_is_taken_up_exactly() {
    let curve = curve(SPEC);
    let mut first = ModuleLrScheduler::from(scheduler(SPEC));
    for t in 0..100 {
        let mut second = ModuleLrScheduler::from(scheduler(SPEC)).load_record(kept(first.to_record()));
        assert_eq!(second.step().base(), curve.at(t), "update {t}");
        assert_eq!(first.step().base(), curve.at(t), "update {t}");
    }
}

#[test]
fn a_record_goes_through_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scheduler.bpk");
    let mut first = scheduler(PLATEAU);
    for loss in [3.0, 2.0, 2.5, 0.1 + 0.2] {
        LrScheduler::step(&mut first);
        first.observe(loss);
    }
    first.to_record().save(&path).unwrap();
    let mut second = scheduler(PLATEAU);
    second.load_record(LrSchedulerRecord::load(&path).unwrap());
    assert_eq!(second.state(), first.state());
    assert_eq!(second.updates(), 4);
}

#[test]
fn a_feedback_schedule_remembers_everything_through_a_record() {
    let mut first = scheduler(PLATEAU);
    for t in 0..40_u32 {
        LrScheduler::step(&mut first);
        first.observe(1.0 + f64::from(t % 7) / 3.0);
        let mut second = scheduler(PLATEAU);
        second.load_record(kept(first.to_record()));
        assert_eq!(second.state(), first.state(), "update {t}");
        assert_eq!(second.rate(), first.rate());
    }
    assert!(first.rate() < 0.1, "the rate was never cut");
}

#[test]
fn a_record_of_something_else_is_refused_and_changes_nothing() {
    let mut steps = scheduler(SPEC);
    LrScheduler::step(&mut steps);
    let why = steps.load_burn_record(&LrSchedulerRecord::new()).unwrap_err().to_string();
    assert_eq!(why, "the saved state has no usable 'version': is it of another scheduler?");
    let plateau = scheduler(PLATEAU).to_record();
    assert!(steps.load_burn_record(&plateau).unwrap_err().to_string().contains("reacts to a metric"));
    // burn's own call has no way to say so.
    steps.load_record(plateau);
    assert_eq!(steps.updates(), 1);
}
