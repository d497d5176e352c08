//! Studies, trials, attributes.
use lehr_search::{Direction, Params, Space, Value};
use serde_json::json;

use super::{new_run, params, space, start, study};
use crate::attribute::{Kind, Owner};
use crate::error::StudyError;
use crate::records::Records;
use crate::run::{Plan, RunEnd, RunOutcome, Waiting};
use crate::state::{RunState, TrialState};
use crate::storage::Storage;

/// Names that have broken programs before.
const HOSTILE: [&str; 7] = [
    "<script>alert(1)</script>",
    "'; DROP TABLE trials; --",
    "two\nlines\t\u{1b}[31m\u{7}",
    "$1 ? %s {now} {lock}",
    "\u{202e}right to left",
    "日本語 🔥",
    " ",
];

pub(super) fn names(storage: &dyn Storage) {
    let unique = format!("{:016x}", rand::random::<u64>());
    for name in HOSTILE {
        let name = format!("{name}{unique}");
        let id = storage.create_study(&name, &[Direction::Maximize]).unwrap();
        assert_eq!(storage.find_study(&name).unwrap(), (id, vec![Direction::Maximize]));
        assert!(matches!(
            storage.create_study(&name, &[Direction::Minimize]),
            Err(StudyError::Exists { .. })
        ));
        let values = [(name.as_str(), json!({"text": name}))];
        storage.set_attributes(Owner::Study(id), Kind::User, &values).unwrap();
        assert_eq!(storage.attributes(Owner::Study(id), Kind::User).unwrap()[&name], json!({"text": name}));
        let all = storage.studies().unwrap();
        assert!(all.iter().any(|s| s.id == id && s.name == name && s.directions == [Direction::Maximize]));
        storage.delete_study(id).unwrap();
        assert!(matches!(storage.find_study(&name), Err(StudyError::NoStudy { .. })));
    }
    assert!(matches!(storage.create_study("", &[Direction::Minimize]), Err(StudyError::Value { .. })));
    assert!(matches!(storage.create_study("nul\0", &[Direction::Minimize]), Err(StudyError::Value { .. })));
    assert!(matches!(
        storage.create_study(&"x".repeat(513), &[Direction::Minimize]),
        Err(StudyError::Value { .. })
    ));
    assert!(matches!(storage.create_study("no direction", &[]), Err(StudyError::Value { .. })));
    assert!(matches!(storage.find_study("nul\0"), Err(StudyError::NoStudy { .. })));
    let long = format!("{unique}{}", "é".repeat(512 - unique.len()));
    storage.delete_study(storage.create_study(&long, &[Direction::Minimize]).unwrap()).unwrap();
}

pub(super) fn values_of_all_kinds(storage: &dyn Storage) {
    let study = study(storage, "values");
    let odd =
        [0.0, -1.5, 1e-308, 5e-324, 1.7976931348623157e308, f64::INFINITY, f64::NEG_INFINITY, 0.1 + 0.2];
    for value in odd {
        let claim = start(storage, study, 0.1);
        let reports = [(1, value), (2, f64::NAN), (7, f64::INFINITY)];
        storage.end(&claim, &reports, &RunEnd::new(RunOutcome::Complete(value), 100)).unwrap();
    }
    let nan = start(storage, study, 0.1);
    storage.end(&nan, &[], &RunEnd::new(RunOutcome::Complete(f64::NAN), 5)).unwrap();
    let mut records = Records::new();
    storage.refresh(study, &mut records).unwrap();
    for (trial, value) in records.trials().iter().zip(odd) {
        assert_eq!(trial.state, TrialState::Complete);
        assert_eq!(trial.values[0].to_bits(), value.to_bits(), "{value}");
        assert_eq!(trial.reports[0], (1, value));
        assert!(trial.reports[1].1.is_nan());
        assert_eq!(trial.reports[2], (7, f64::INFINITY));
        assert_eq!(records.runs()[trial.runs[0]].value, Some(value));
        assert!(trial.started.is_some() && trial.started <= trial.ended);
    }
    let last = records.trials().last().unwrap();
    assert_eq!(
        (last.state, last.values.len()),
        (TrialState::Failed, 0),
        "NaN has no place in Optuna's format"
    );
    assert_eq!(records.runs()[last.runs[0]].state, RunState::Diverged);
    let summary = storage.studies().unwrap().into_iter().find(|s| s.id == study).unwrap();
    assert_eq!(summary.trials, [(TrialState::Complete, odd.len()), (TrialState::Failed, 1)]);
    assert_eq!((summary.best, summary.runs), (Some(f64::NEG_INFINITY), odd.len() + 1));
}

pub(super) fn attributes(storage: &dyn Storage) {
    let study = study(storage, "attributes");
    let trial = storage.enqueue(study, &Waiting::default()).unwrap();
    for owner in [Owner::Study(study), Owner::Trial(study, trial)] {
        let value = json!({"list": [1, 2.5, null, true, "\u{0}"], "text": "\u{1f525}"});
        storage.set_attributes(owner, Kind::User, &[("a", value.clone()), ("b", json!(1))]).unwrap();
        storage.set_attributes(owner, Kind::User, &[("b", json!(2))]).unwrap();
        let found = storage.attributes(owner, Kind::User).unwrap();
        assert_eq!((found.len(), &found["a"], &found["b"]), (2, &value, &json!(2)));
        assert!(!storage.attributes(owner, Kind::System).unwrap().contains_key("a"));
        // One that cannot be written takes the others of its call with it.
        let wrong = storage.set_attributes(owner, Kind::User, &[("c", json!(1)), ("nul\0", json!(1))]);
        assert!(matches!(wrong, Err(StudyError::Value { .. })));
        assert_eq!(storage.attributes(owner, Kind::User).unwrap().len(), 2);
    }
    let absent = storage.attributes(Owner::Trial(study, 99), Kind::User);
    assert!(matches!(absent, Err(StudyError::Absent { .. })));
}

pub(super) fn waiting(storage: &dyn Storage) {
    let study = study(storage, "waiting");
    let plan = Plan::to(100);
    assert_eq!(storage.claim_waiting(study, &plan, "w").unwrap(), None);
    let fixed: Params = [("lr", 0.25)].into_iter().collect();
    let user = vec![("why".to_owned(), json!("a hunch"))];
    let first = Waiting { fixed: fixed.clone(), plan: None, user };
    let second =
        Waiting { fixed: params(0.5), plan: Some(Plan { seed: u64::MAX, ..Plan::to(7) }), user: Vec::new() };
    assert_eq!(storage.enqueue(study, &first).unwrap(), 0);
    assert_eq!(storage.enqueue(study, &second).unwrap(), 1);
    let mut records = Records::new();
    storage.refresh(study, &mut records).unwrap();
    assert_eq!(records.trials()[0].state, TrialState::Waiting);
    assert_eq!((&records.trials()[0].params, records.runs().len()), (&fixed, 0));

    let claim = storage.claim_waiting(study, &plan, "w").unwrap().unwrap();
    assert_eq!((claim.trial, claim.run, &claim.params, claim.plan.horizon), (0, 0, &fixed, 100));
    let mut full = params(0.25);
    storage.set_params(&claim, &space(), &full).unwrap();
    storage.set_params(&claim, &space(), &full).unwrap();
    full.set("lr", 0.3);
    assert!(matches!(storage.set_params(&claim, &space(), &full), Err(StudyError::Value { .. })));
    let claim = storage.claim_waiting(study, &plan, "w").unwrap().unwrap();
    assert_eq!((claim.trial, claim.plan.horizon, claim.plan.seed), (1, 7, u64::MAX));
    assert_eq!(claim.params.float("lr"), Some(0.5));
    assert_eq!(storage.claim_waiting(study, &plan, "w").unwrap(), None);
    storage.refresh(study, &mut records).unwrap();
    assert_eq!(records.trials()[0].params, params(0.25));
    assert_eq!(storage.attributes(Owner::Trial(study, 0), Kind::User).unwrap()["why"], json!("a hunch"));
    let infinite = Waiting { fixed: [("lr", f64::NAN)].into_iter().collect(), ..Waiting::default() };
    assert!(matches!(storage.enqueue(study, &infinite), Err(StudyError::Value { .. })));
}

pub(super) fn parameters(storage: &dyn Storage) {
    let study = study(storage, "parameters");
    let text = "a=0.0..1.0, b=log 1e-5..1, c=0.0..1.0 step 0.25, d=1..9 step 2, e=log 1..9, f=null|true|1|2.5|a, \
                g=small<big, h=-5..5 if f=true";
    let space: Space = text.parse().unwrap();
    let mut given: Params = [("a", 0.1 + 0.2), ("b", 3e-4), ("c", 0.75)].into_iter().collect();
    given.set("d", 7i64);
    given.set("e", 9i64);
    given.set("f", true);
    given.set("g", "big");
    given.set("h", -5i64);
    let mut run = new_run(0.1);
    run.target = crate::run::Target::New { params: given.clone(), saw: Vec::new() };
    let claim = storage.start(study, &space, &run).unwrap();
    assert_eq!(claim.params, given);
    let mut without = given.clone();
    without.set("f", Value::Null);
    run.target = crate::run::Target::New { params: without.clone(), saw: Vec::new() };
    let refused = storage.start(study, &space, &run);
    assert!(matches!(refused, Err(StudyError::Search(_))), "h is inactive: {refused:?}");
    let mut records = Records::new();
    storage.refresh(study, &mut records).unwrap();
    assert_eq!(records.trials().len(), 1, "what was refused left nothing behind");
    assert_eq!(records.trials()[0].params, given);
    let found = records.space().unwrap();
    let names: Vec<&str> = found.parameters().iter().map(|p| &*p.name).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e", "f", "g", "h"]);
    // Optuna does not let a parameter change its kind, scale or choices within a study; the ends may move.
    for (other, allowed) in
        [("a=log 0.1..1.0", false), ("a=1..9", false), ("f=x|y", false), ("a=0.0..2.0", true)]
    {
        let other: Space = other.parse().unwrap();
        let value = if allowed { Value::Float(2.0) } else { other.parameters()[0].domain.value(1.0) };
        let params: Params = [(other.parameters()[0].name.clone(), value)].into_iter().collect();
        run.target = crate::run::Target::New { params, saw: Vec::new() };
        assert_eq!(storage.start(study, &other, &run).is_ok(), allowed, "{other}");
    }
}

pub(super) fn removal(storage: &dyn Storage) {
    let keep = study(storage, "keep");
    let gone = study(storage, "gone");
    for study in [keep, gone] {
        let claim = start(storage, study, 0.1);
        storage.end(&claim, &[(1, 2.0)], &RunEnd::new(RunOutcome::Complete(1.0), 1)).unwrap();
        start(storage, study, 0.2);
        storage.enqueue(study, &Waiting { fixed: params(0.3), ..Waiting::default() }).unwrap();
        storage.enter_worker(study, "w", "host", 1).unwrap();
    }
    storage.delete_study(gone).unwrap();
    assert!(matches!(storage.delete_study(gone), Err(StudyError::Absent { .. })));
    assert!(matches!(storage.start(gone, &space(), &new_run(0.1)), Err(StudyError::Absent { .. })));
    assert!(storage.workers(gone).unwrap().is_empty());
    let mut records = Records::new();
    storage.refresh(keep, &mut records).unwrap();
    assert_eq!((records.trials().len(), records.runs().len()), (3, 2));
    assert_eq!(storage.workers(keep).unwrap().len(), 1);
}
