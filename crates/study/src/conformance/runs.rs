//! Runs: their claims, reports, ends.
use std::thread;
use std::time::Duration;

use lehr_search::Seen;
use serde_json::json;

use super::{again, new_run, params, space, start, study};
use crate::attribute::{Kind, Owner};
use crate::error::StudyError;
use crate::records::Records;
use crate::run::{
    After, Branch, Checkpoint, Note, Plan, Reports, RunEnd, RunOutcome, Standing, Stopping, StudyId, Target,
    Waiting,
};
use crate::state::{RunState, TrialState};
use crate::storage::Storage;

fn read(storage: &dyn Storage, study: StudyId) -> Records {
    let mut records = Records::new();
    storage.refresh(study, &mut records).unwrap();
    records
}

fn complete(value: f64) -> RunEnd {
    RunEnd::new(RunOutcome::Complete(value), 100)
}

pub(super) fn one_run(storage: &dyn Storage) {
    let study = study(storage, "one run");
    let claim = start(storage, study, 0.1);
    assert_eq!((claim.trial, claim.run, claim.attempt), (0, 0, 1));
    let checkpoint = Checkpoint { path: "c/10.pt".into(), step: 10 };
    let note = Note { log: Some("l\0og".into()), checkpoint: Some(checkpoint.clone()), steps: Some(12) };
    storage.note(&claim, &note).unwrap();
    let run = read(storage, study).runs()[0].clone();
    assert_eq!((run.state, run.steps, run.checkpoint), (RunState::Running, 12, Some(checkpoint)));
    assert_eq!(run.log.as_deref(), Some("l\u{fffd}og"), "no database keeps NUL");
    storage.end(&claim, &[], &complete(0.5).because("reached\0 it")).unwrap();
    let records = read(storage, study);
    let (trial, run) = (&records.trials()[0], &records.runs()[0]);
    assert_eq!((trial.state, trial.values.as_slice()), (TrialState::Complete, [0.5].as_slice()));
    assert_eq!((run.state, run.value, run.steps), (RunState::Complete, Some(0.5), 100));
    assert_eq!((run.reason.as_deref(), run.worker.as_deref()), (Some("reached\u{fffd} it"), Some("w")));
    for (outcome, run, trial) in [
        (RunOutcome::Pruned, RunState::Pruned, TrialState::Pruned),
        (RunOutcome::Diverged, RunState::Diverged, TrialState::Failed),
        (RunOutcome::Failed, RunState::Failed, TrialState::Failed),
    ] {
        let claim = start(storage, study, 0.1);
        storage.end(&claim, &[(3, 7.0)], &RunEnd::new(outcome, 3)).unwrap();
        let records = read(storage, study);
        assert_eq!((records.runs()[claim.run].state, records.trials()[claim.trial].state), (run, trial));
        let values: &[f64] = if trial == TrialState::Pruned { &[7.0] } else { &[] };
        assert_eq!(
            records.trials()[claim.trial].values,
            values,
            "a pruned trial has the value of its last report"
        );
    }
}

pub(super) fn reports(storage: &dyn Storage) {
    let study = study(storage, "reports");
    let claim = start(storage, study, 0.1);
    let report = |values: Vec<(u64, f64)>| storage.report(&[Reports { claim: claim.clone(), values }]);
    assert_eq!(report(vec![(1, 9.0), (2, 8.0)]).unwrap(), [Standing::Holds]);
    let mut records = read(storage, study);
    assert_eq!(records.trials()[0].reports, [(1, 9.0), (2, 8.0)]);
    assert_eq!(report((3..1003).map(|s| (s, s as f64)).collect()).unwrap(), [Standing::Holds]);
    storage.refresh(study, &mut records).unwrap();
    assert_eq!((records.trials()[0].reports.len(), records.reports_of(0).len()), (1002, 1002));
    // The same step again, also twice at once: the last one counts.
    report(vec![(2, 1.0), (2, 2.0), (5000, 0.0), (4000, 0.5)]).unwrap();
    storage.end(&claim, &[(6000, 0.25)], &complete(0.25)).unwrap();
    storage.refresh(study, &mut records).unwrap();
    let reports = &records.trials()[0].reports;
    assert_eq!(
        (reports.len(), reports[1], reports[1002], reports[1004]),
        (1005, (2, 2.0), (4000, 0.5), (6000, 0.25))
    );
    assert_eq!(report(vec![(7000, 0.0)]).unwrap(), [Standing::Lost], "it has ended");
    let claim = start(storage, study, 0.1);
    let far = vec![(1u64 << 40, 0.0)];
    let refused = storage.report(&[Reports { claim: claim.clone(), values: far }]);
    assert!(matches!(refused, Err(StudyError::Value { .. })), "Optuna has no room for such a step");
}

pub(super) fn several_runs(storage: &dyn Storage) {
    let study = study(storage, "several runs");
    let first = start(storage, study, 0.1);
    storage.report(&[Reports { claim: first.clone(), values: vec![(50, 3.0), (100, 2.5)] }]).unwrap();
    let mut records = read(storage, study);
    assert_eq!(records.reports_of(0), [(50, 3.0), (100, 2.5)]);
    storage.end(&first, &[], &complete(2.0).then(After::Open)).unwrap();
    let second = again(storage, study, Target::Known(0), 400);
    storage.report(&[Reports { claim: second.clone(), values: vec![(200, 1.5)] }]).unwrap();
    storage.refresh(study, &mut records).unwrap();
    assert_eq!(
        records.trials()[0].reports,
        [(100, 2.0)],
        "to Optuna: the horizon and the final value of each run"
    );
    assert_eq!(records.reports_of(0), [(50, 3.0), (100, 2.5)]);
    assert_eq!(records.reports_of(1), [(200, 1.5)]);
    assert_eq!(records.trials()[0].state, TrialState::Running);
    let refused = storage.close_trial(study, 0, TrialState::Pruned);
    assert!(matches!(refused, Err(StudyError::State { .. })), "a run is running");
    storage.end(&second, &[(400, 1.25)], &complete(1.0).then(After::Open)).unwrap();
    storage.close_trial(study, 0, TrialState::Complete).unwrap();
    storage.close_trial(study, 0, TrialState::Complete).unwrap();
    assert!(storage.close_trial(study, 0, TrialState::Pruned).is_err(), "finished trials do not change");
    storage.refresh(study, &mut records).unwrap();
    let trial = &records.trials()[0];
    assert_eq!(
        (trial.state, trial.values.as_slice(), trial.runs.as_slice()),
        (TrialState::Complete, [1.0].as_slice(), [0, 1].as_slice())
    );
    assert_eq!(trial.reports, [(100, 2.0), (400, 1.0)]);
    assert_eq!(records.reports_of(1), [(200, 1.5), (400, 1.25)]);
    // One that only ran short is pruned, with the value of its last run.
    let short = start(storage, study, 0.1);
    storage.end(&short, &[(100, 4.5)], &complete(4.0).then(After::Close(TrialState::Pruned))).unwrap();
    storage.refresh(study, &mut records).unwrap();
    assert_eq!((records.trials()[1].state, records.trials()[1].values[0]), (TrialState::Pruned, 4.5));
    let refused =
        storage.start(study, &space(), &crate::run::NewRun { target: Target::Known(1), ..new_run(0.1) });
    assert!(matches!(refused, Err(StudyError::State { .. })));
    assert!(storage.close_trial(study, 7, TrialState::Pruned).is_err());
    let empty = start(storage, study, 0.1);
    storage.end(&empty, &[], &RunEnd::new(RunOutcome::Failed, 0).then(After::Open)).unwrap();
    let refused = storage.close_trial(study, empty.trial, TrialState::Complete);
    assert!(matches!(refused, Err(StudyError::State { .. })), "no run of it has a value");
}

pub(super) fn pause_and_resume(storage: &dyn Storage) {
    let study = study(storage, "pause");
    let claim = start(storage, study, 0.1);
    let checkpoint = Checkpoint { path: "c".into(), step: 60 };
    let pause = RunEnd::new(RunOutcome::Paused, 60).at(Some(checkpoint.clone()));
    storage.end(&claim, &[(60, 1.0)], &pause).unwrap();
    let mut records = read(storage, study);
    assert_eq!((records.runs()[0].state, records.trials()[0].state), (RunState::Paused, TrialState::Running));
    assert_eq!(
        storage.report(&[Reports { claim: claim.clone(), values: vec![(61, 0.0)] }]).unwrap(),
        [Standing::Lost]
    );
    thread::sleep(Duration::from_millis(20));
    assert!(storage.fail_stale(study, Duration::ZERO, 3).unwrap().is_empty(), "a paused run is not stale");
    let more = again(storage, study, Target::Paused(0), 200);
    assert_eq!((more.run, more.attempt, more.trial), (0, 2, 0));
    assert_ne!(more.token, claim.token);
    assert!(
        matches!(storage.end(&claim, &[], &complete(0.0)), Err(StudyError::Taken { .. })),
        "the old claim is void"
    );
    storage.end(&more, &[(200, 0.5)], &RunEnd::new(RunOutcome::Complete(0.5), 140)).unwrap();
    storage.refresh(study, &mut records).unwrap();
    let run = &records.runs()[0];
    assert_eq!((run.steps, run.attempt, run.horizon, run.value), (200, 2, 200, Some(0.5)));
    assert_eq!(records.trials()[0].reports, [(60, 1.0), (200, 0.5)]);
    let refused =
        storage.start(study, &space(), &crate::run::NewRun { target: Target::Paused(0), ..new_run(0.1) });
    assert!(matches!(refused, Err(StudyError::State { .. })));
    // Paused and dropped.
    let claim = start(storage, study, 0.1);
    storage.end(&claim, &[(10, 5.0)], &RunEnd::new(RunOutcome::Paused, 10)).unwrap();
    storage.close_trial(study, claim.trial, TrialState::Pruned).unwrap();
    storage.refresh(study, &mut records).unwrap();
    assert_eq!((records.runs()[1].state, records.trials()[1].state), (RunState::Pruned, TrialState::Pruned));
}

pub(super) fn claims_end(storage: &dyn Storage) {
    let study = study(storage, "claims");
    let claim = start(storage, study, 0.1);
    storage.end(&claim, &[], &complete(1.0)).unwrap();
    storage.end(&claim, &[], &complete(1.0)).unwrap();
    assert!(
        storage.end(&claim, &[], &RunEnd::new(RunOutcome::Failed, 1)).is_err(),
        "another end is another end"
    );
    let claim = start(storage, study, 0.1);
    let zombie = crate::run::Claim { token: "0".repeat(32), ..claim.clone() };
    assert!(matches!(storage.end(&zombie, &[], &complete(0.0)), Err(StudyError::Taken { .. })));
    assert!(matches!(storage.note(&zombie, &Note::default()), Err(StudyError::Taken { .. })));
    assert!(matches!(storage.set_params(&zombie, &space(), &params(0.1)), Err(StudyError::Taken { .. })));
    let both = [&zombie, &claim].map(|c| Reports { claim: c.clone(), values: vec![(1, 1.0)] });
    assert_eq!(storage.report(&both).unwrap(), [Standing::Lost, Standing::Holds]);
    assert_eq!(read(storage, study).trials()[1].reports, [(1, 1.0)]);
    let before = read(storage, study);
    assert!(storage.end(&claim, &[(1 << 40, 1.0)], &complete(1.0)).is_err());
    assert_eq!(read(storage, study).trials(), before.trials(), "an end that fails has changed nothing");
}

pub(super) fn decisions_that_came_late(storage: &dyn Storage) {
    let study = study(storage, "late");
    let run = crate::run::NewRun { after: Some(0), ..new_run(0.1) };
    storage.start(study, &space(), &run).unwrap();
    let late = storage.start(study, &space(), &run);
    assert!(matches!(late, Err(StudyError::Outdated { expected: 0, started: 1 })));
    let saw = vec![Seen { trial: 0, reports: 2 }];
    let target = Target::New { params: params(0.2), saw: saw.clone() };
    let plan =
        Plan { branch: Some(Branch { run: 0, step: 5 }), key: lehr_search::Key(u64::MAX), ..Plan::to(9) };
    storage
        .start(study, &space(), &crate::run::NewRun { after: Some(1), target, plan: plan.clone(), ..run })
        .unwrap();
    let records = read(storage, study);
    let run = &records.runs()[1];
    assert_eq!((&run.saw, run.branch, run.key, run.trial), (&saw, plan.branch, plan.key, 1));
    assert_eq!(records.trials().len(), 2);
}

pub(super) fn dead_workers(storage: &dyn Storage) {
    let study = study(storage, "dead");
    let claim = start(storage, study, 0.1);
    storage.set_attributes(Owner::Trial(study, 0), Kind::User, &[("note", json!("x"))]).unwrap();
    let checkpoint = Checkpoint { path: "c/40.pt".into(), step: 40 };
    storage.note(&claim, &Note { checkpoint: Some(checkpoint.clone()), ..Note::default() }).unwrap();
    assert!(storage.fail_stale(study, Duration::from_secs(3600), 1).unwrap().is_empty());
    let mut claim = claim;
    let mut numbers = vec![0];
    for retry in [Some(1), Some(2), None] {
        thread::sleep(Duration::from_millis(30));
        let stale = storage.fail_stale(study, Duration::from_millis(5), 2).unwrap();
        assert_eq!(stale.len(), 1, "{stale:?}");
        assert_eq!((stale[0].trial, stale[0].run, stale[0].retry), (claim.trial, Some(claim.run), retry));
        assert!(stale[0].silent > 0.005 && stale[0].worker.as_deref() == Some("w"));
        assert!(
            matches!(storage.end(&claim, &[], &complete(0.0)), Err(StudyError::Taken { .. })),
            "a zombie"
        );
        assert!(storage.fail_stale(study, Duration::ZERO, 2).unwrap().is_empty());
        let Some(number) = retry else { break };
        claim = storage.claim_waiting(study, &Plan::to(1), "w").unwrap().unwrap();
        assert_eq!((claim.trial, claim.plan.horizon), (number, 100), "as the run that was lost");
        assert_eq!(claim.params, params(0.1));
        assert_eq!(claim.plan.checkpoint, Some(checkpoint.clone()));
        assert_eq!(claim.plan.branch, Some(Branch { run: number - 1, step: 40 }));
        let owner = Owner::Trial(study, number);
        let system = storage.attributes(owner, Kind::System).unwrap();
        assert_eq!((&system["failed_trial"], &system["retry_history"]), (&json!(0), &json!(numbers)));
        assert_eq!(storage.attributes(owner, Kind::User).unwrap()["note"], json!("x"));
        numbers.push(number);
    }
    let records = read(storage, study);
    assert!(records.trials().iter().all(|t| t.state == TrialState::Failed));
    assert!(records.runs()[0].reason.as_ref().unwrap().contains("no sign of life"));
    one_of_several(storage, study);
    workers(storage, study);
}

/// A run that is lost from a trial with others is taken up again, up to a bound; the trial stays open.
fn one_of_several(storage: &dyn Storage, study: StudyId) {
    let first = start(storage, study, 0.1);
    storage.end(&first, &[], &complete(1.0).then(After::Open)).unwrap();
    let mut claim = again(storage, study, Target::Known(first.trial), 400);
    for (attempt, state) in [(1, RunState::Paused), (2, RunState::Paused), (3, RunState::Failed)] {
        assert_eq!(claim.attempt, attempt);
        thread::sleep(Duration::from_millis(30));
        let stale = storage.fail_stale(study, Duration::from_millis(5), 2).unwrap();
        assert_eq!((stale.len(), stale[0].trial, stale[0].retry), (1, first.trial, None));
        let records = read(storage, study);
        assert_eq!((stale[0].paused, records.runs()[claim.run].state), (attempt < 3, state));
        assert_eq!(records.trials()[first.trial].state, TrialState::Running);
        if state == RunState::Paused {
            claim = again(storage, study, Target::Paused(claim.run), 400);
        }
    }
}

pub(super) fn seeds(storage: &dyn Storage) {
    let study = study(storage, "seeds");
    let first = start(storage, study, 0.1);
    storage.end(&first, &[(50, 9.0), (100, 3.0)], &complete(3.0).then(After::Open)).unwrap();
    let ends = [complete(1.0), RunEnd::new(RunOutcome::Diverged, 7), complete(5.0)];
    for end in ends {
        let claim = again(storage, study, Target::Known(0), 100);
        storage.end(&claim, &[(50, 8.0)], &end.then(After::Open)).unwrap();
    }
    let reports = |records: &Records| records.trials()[0].reports.clone();
    let mut records = read(storage, study);
    assert_eq!(reports(&records), [(0, 3.0), (1, 1.0), (3, 5.0)], "to Optuna: place and value of each run");
    assert_eq!(records.reports_of(0), [(50, 9.0), (100, 3.0)]);
    // A longer run among them: horizons, and the mean of those that have the same.
    let longer = again(storage, study, Target::Known(0), 400);
    storage.end(&longer, &[], &complete(0.5).then(After::Open)).unwrap();
    storage.refresh(study, &mut records).unwrap();
    assert_eq!(reports(&records), [(100, 3.0), (400, 0.5)]);
    let second = again(storage, study, Target::Known(0), 400);
    storage.end(&second, &[], &complete(0.25).then(After::Open)).unwrap();
    storage.close_trial(study, 0, TrialState::Complete).unwrap();
    storage.refresh(study, &mut records).unwrap();
    assert_eq!(records.trials()[0].values, [0.375], "the mean of the longest");
}

pub(super) fn stopped_by_hand(storage: &dyn Storage) {
    let study = study(storage, "stopped");
    let stop = |trial: usize| storage.stop_trial(study, trial, "stopped by me: <b>\"no\"</b>\0");
    let why = "stopped by me: <b>\"no\"</b>\u{fffd}".to_owned();
    let report = |claim: &crate::run::Claim, step: u64| {
        storage.report(&[Reports { claim: claim.clone(), values: vec![(step, 2.0)] }]).unwrap()
    };
    // One that waits, with and without a plan; one that is paused.
    storage.enqueue(study, &Waiting { fixed: params(0.3), ..Waiting::default() }).unwrap();
    storage.enqueue(study, &Waiting { plan: Some(Plan::to(7)), ..Waiting::default() }).unwrap();
    assert_eq!(stop(0).unwrap(), Stopping::Ended(TrialState::Failed));
    assert_eq!(stop(1).unwrap(), Stopping::Ended(TrialState::Failed));
    let paused = start(storage, study, 0.1);
    storage.end(&paused, &[(5, 1.5)], &RunEnd::new(RunOutcome::Paused, 5)).unwrap();
    assert_eq!(stop(2).unwrap(), Stopping::Ended(TrialState::Pruned));
    assert!(storage.claim_waiting(study, &Plan::to(1), "w").unwrap().is_none());
    // One that runs: its worker learns of it, what it reports is kept, and it is not taken up again.
    let claim = start(storage, study, 0.2);
    assert_eq!(report(&claim, 1), [Standing::Holds]);
    assert_eq!((stop(3).unwrap(), stop(3).unwrap()), (Stopping::Asked, Stopping::Asked));
    assert_eq!(report(&claim, 2), [Standing::Stopped(why.clone())]);
    storage.end(&claim, &[(3, 1.0)], &RunEnd::new(RunOutcome::Paused, 3)).unwrap();
    // One whose worker dies: no retry.
    start(storage, study, 0.4);
    assert_eq!(stop(4).unwrap(), Stopping::Asked);
    thread::sleep(Duration::from_millis(30));
    let stale = storage.fail_stale(study, Duration::from_millis(5), 9).unwrap();
    assert_eq!((stale.len(), stale[0].trial, stale[0].retry), (1, 4, None));
    // One of several runs.
    let first = start(storage, study, 0.5);
    storage.end(&first, &[], &complete(1.0).then(After::Open)).unwrap();
    let second = again(storage, study, Target::Known(5), 400);
    assert_eq!(stop(5).unwrap(), Stopping::Asked);
    storage.end(&second, &[], &RunEnd::new(RunOutcome::Pruned, 0).then(After::Open)).unwrap();

    let records = read(storage, study);
    let states: Vec<_> = records.trials().iter().map(|t| (t.state, t.values.first().copied())).collect();
    let (pruned, failed) = (TrialState::Pruned, TrialState::Failed);
    let expected = [
        (failed, None),
        (failed, None),
        (pruned, Some(1.5)),
        (pruned, Some(1.0)),
        (failed, None),
        (pruned, Some(1.0)),
    ];
    assert_eq!(states, expected);
    assert_eq!(
        records.trials()[0].params.get("lr"),
        params(0.3).get("lr"),
        "what it would have trained is still known"
    );
    assert!([0, 1, 2, 3, 4, 5].iter().all(|&t| records.trials()[t].reason.as_ref() == Some(&why)));
    assert!(records.runs().iter().all(|run| run.state.is_finished()));
    let (over, absent) = (stop(3), stop(77));
    assert!(
        matches!(over, Err(StudyError::State { .. })) && matches!(absent, Err(StudyError::Absent { .. }))
    );
}

fn workers(storage: &dyn Storage, study: StudyId) {
    let id = storage.enter_worker(study, "<b>w</b>", "host", 4_000_000_000).unwrap();
    storage.sign_worker(id, false).unwrap();
    let worker = storage.workers(study).unwrap()[0].clone();
    assert_eq!((worker.name.as_str(), worker.pid, worker.ended), ("<b>w</b>", 4_000_000_000, false));
    assert!((-1.0..60.0).contains(&worker.silent), "{}", worker.silent);
    storage.sign_worker(id, true).unwrap();
    assert!(storage.workers(study).unwrap()[0].ended);
    assert!(storage.sign_worker(i64::from(i32::MAX), false).is_err());
}

/// However the records were brought up to date, they are the same.
pub(super) fn refresh_sees_what_a_fresh_reader_sees(storage: &dyn Storage) {
    let study = study(storage, "refresh");
    let mut records = Records::new();
    let mut open = Vec::new();
    for turn in 0..60u64 {
        match turn % 6 {
            0 | 1 => open.push(start(storage, study, 0.1)),
            2 => {
                storage.enqueue(study, &Waiting { fixed: params(0.3), ..Waiting::default() }).unwrap();
            }
            3 => {
                let values = vec![(turn, turn as f64)];
                let reports: Vec<_> =
                    open.iter().map(|c| Reports { claim: c.clone(), values: values.clone() }).collect();
                storage.report(&reports).unwrap();
            }
            4 => open.extend(storage.claim_waiting(study, &Plan::to(3), "w").unwrap()),
            _ => {
                let claim = open.remove(turn as usize % open.len());
                let after = if turn % 12 == 5 { After::Open } else { After::AsRun };
                storage.end(&claim, &[(900, 2.0)], &complete(1.0).then(after)).unwrap();
                if after == After::Open {
                    open.push(again(storage, study, Target::Known(claim.trial), 200 + turn));
                }
            }
        }
        if turn % 5 != 0 {
            storage.refresh(study, &mut records).unwrap();
        }
    }
    storage.refresh(study, &mut records).unwrap();
    let fresh = read(storage, study);
    assert_eq!(records.trials(), fresh.trials());
    assert_eq!(records.runs(), fresh.runs());
}
