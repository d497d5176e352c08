//! A suite that every storage has to pass: ours, and those of third parties.
//!
//! ```
//! use lehr_study::{conformance::check_storage, open_shared};
//! let storage = open_shared("memory:").unwrap();
//! let violations = check_storage(&|| storage.clone());
//! assert!(violations.is_empty(), "{violations:#?}");
//! ```
#![allow(clippy::unwrap_used, clippy::panic)]
mod many;
mod runs;
mod trials;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use lehr_search::{Direction, Params, Space};

use crate::run::{Claim, NewRun, Plan, StudyId, Target};
use crate::storage::Storage;

/// A check by name; it panics where something is wrong.
type Check = (&'static str, fn(&dyn Storage));

const CHECKS: [Check; 16] = [
    ("names", trials::names),
    ("values of all kinds", trials::values_of_all_kinds),
    ("attributes", trials::attributes),
    ("waiting trials", trials::waiting),
    ("parameters", trials::parameters),
    ("removal", trials::removal),
    ("one run", runs::one_run),
    ("reports", runs::reports),
    ("several runs", runs::several_runs),
    ("several seeds", runs::seeds),
    ("pause and resume", runs::pause_and_resume),
    ("claims end", runs::claims_end),
    ("decisions that came late", runs::decisions_that_came_late),
    ("dead workers", runs::dead_workers),
    ("stopped by hand", runs::stopped_by_hand),
    ("refreshed records", runs::refresh_sees_what_a_fresh_reader_sees),
];

/// Runs every check and returns what was found wrong, one line each; an empty list means that the storage conforms.
///
/// `open` gives a handle of the storage under test: another one at each call, or the same where it cannot be opened twice.
/// Studies are made under names of their own, so the storage need not be empty.
pub fn check_storage(open: &dyn Fn() -> Arc<dyn Storage>) -> Vec<String> {
    let storage = open();
    let mut violations: Vec<String> =
        CHECKS.iter().filter_map(|(name, check)| violation(name, || check(&*storage))).collect();
    violations.extend(violation("many at once", || many::claims_and_numbers(open)));
    violations
}

fn violation(name: &str, check: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(check)).err()?;
    Some(format!("{name}: {}", message(&*panic)))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|t| (*t).to_owned()))
        .unwrap_or_else(|| "it panicked".into())
}

/// The space of the checks.
fn space() -> Space {
    "lr=log 1e-5..1, layers=2..8, optimizer=sgd|adamw".parse().unwrap()
}

fn params(lr: f64) -> Params {
    let mut params: Params = [("lr", lr)].into_iter().collect();
    params.set("layers", 3i64);
    params.set("optimizer", "adamw");
    params
}

/// A study with a name that no other run of the checks has.
fn study(storage: &dyn Storage, name: &str) -> StudyId {
    let name = format!("{name} {:016x}", rand::random::<u64>());
    storage.create_study(&name, &[Direction::Minimize]).unwrap()
}

/// A run of a new trial to 100 steps.
fn new_run(lr: f64) -> NewRun {
    let target = Target::New { params: params(lr), saw: Vec::new() };
    NewRun { target, plan: Plan::to(100), worker: "w".into(), after: None }
}

fn start(storage: &dyn Storage, study: StudyId, lr: f64) -> Claim {
    storage.start(study, &space(), &new_run(lr)).unwrap()
}

/// A further run of a trial.
fn again(storage: &dyn Storage, study: StudyId, target: Target, horizon: u64) -> Claim {
    let run = NewRun { target, plan: Plan::to(horizon), worker: "w".into(), after: None };
    storage.start(study, &space(), &run).unwrap()
}
