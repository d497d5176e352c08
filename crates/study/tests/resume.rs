//! A study that is taken up again goes on as if it had never stopped.
#![allow(clippy::unwrap_used, clippy::panic)]
mod common;

use std::sync::Arc;

use lehr_search::sampler::{Auto, Tpe};
use lehr_search::{Direction, Params, Sampler, Space, Stream};
use lehr_study::{Attempt, Plan, RunEnd, RunOutcome, Storage, Study, Waiting, open_shared};

fn space() -> Space {
    "lr=log 1e-5..1, layers=2..8, optimizer=sgd|adamw, momentum=0.5..0.99 if optimizer=sgd".parse().unwrap()
}

fn loss(params: &Params) -> f64 {
    (params.float("lr").unwrap().ln() + 5.0).abs() + params.float("layers").unwrap() / 10.0
}

/// Always two at work: the older one ends when the third is to start. Every fifth trial diverges, fails or is pruned.
fn go_on(study: &mut Study, sampler: &dyn Sampler, trials: usize, open: &mut Vec<Attempt>) {
    while study.history().unwrap().len() < trials {
        if open.len() == 2 {
            end(&open.remove(0));
        }
        let attempt = study.ask(sampler, 11, &Plan::to(10), "w").unwrap();
        attempt.report(1, loss(attempt.params()) + 1.0).unwrap();
        attempt.flush().unwrap();
        open.push(attempt);
    }
}

fn end(attempt: &Attempt) {
    let outcome = match attempt.claim().trial % 15 {
        4 => RunOutcome::Diverged,
        9 => RunOutcome::Failed,
        14 => RunOutcome::Pruned,
        _ => RunOutcome::Complete(loss(attempt.params())),
    };
    attempt.finish(&RunEnd::new(outcome, 10)).unwrap();
}

fn params(study: &mut Study) -> Vec<Params> {
    study.refresh().unwrap().trials().iter().map(|t| t.params.clone()).collect()
}

fn make(storage: Arc<dyn Storage>, enqueue: bool) -> Study {
    let study = Study::open_or_create(storage, "s", Direction::Minimize, &space()).unwrap();
    if enqueue {
        let fixed = [("lr", 1e-3)].into_iter().collect();
        study.enqueue(&Waiting { fixed, ..Waiting::default() }).unwrap();
    }
    study
}

fn check(sampler: &dyn Fn() -> Box<dyn Sampler>, trials: usize, pieces: &[usize]) {
    let mut whole = make(open_shared("memory:").unwrap(), true);
    go_on(&mut whole, &*sampler(), trials, &mut Vec::new());
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:///{}/s.db", folder.path().display());
    // Those at work live on; the study is read anew and the sampler remembers nothing.
    let mut open = Vec::new();
    for (i, &until) in pieces.iter().chain([&trials]).enumerate() {
        let mut study = make(open_shared(&url).unwrap(), i == 0);
        go_on(&mut study, &*sampler(), until, &mut open);
    }
    let mut again = make(open_shared(&url).unwrap(), false);
    assert_eq!(params(&mut again), params(&mut whole));
    replay(&mut again, &*sampler());
}

/// Every suggestion is what the sampler says to the history that the trial saw.
fn replay(study: &mut Study, sampler: &dyn Sampler) {
    let history = study.history().unwrap();
    // The first was enqueued with one of its values.
    for trial in (1..history.len()).step_by(3) {
        let seen = history.seen_by(trial).unwrap();
        let suggested = sampler.suggest(&space(), &seen, &mut Stream::for_trial(11, trial as u64)).unwrap();
        assert_eq!(suggested, history.trial(trial).unwrap().params(), "trial {trial}");
    }
}

#[test]
fn tpe_suggests_what_an_unbroken_study_would() {
    check(&|| Box::new(Tpe::default()), 70, &[1, 2, 17, 40, 41]);
}

#[test]
fn the_default_sampler_suggests_what_an_unbroken_study_would() {
    check(&|| Box::new(Auto::default()), 30, &[3, 12, 20]);
}

#[test]
fn workers_that_decide_at_the_same_moment_do_not_take_one_number() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:///{}/s.db", folder.path().display());
    make(open_shared(&url).unwrap(), false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut study = make(open_shared(&url).unwrap(), false);
                for _ in 0..10 {
                    end(&study.ask(&Tpe::default(), 11, &Plan::to(10), "w").unwrap());
                }
            });
        }
    });
    let mut study = make(open_shared(&url).unwrap(), false);
    assert_eq!(study.history().unwrap().len(), 40);
    replay(&mut study, &Tpe::default());
}
