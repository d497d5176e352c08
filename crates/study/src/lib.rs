//! Studies that survive: trials and runs in memory, SQLite or PostgreSQL, in the format of Optuna.
//!
//! A **trial** is a configuration, a **run** one training of it to a horizon. A [`Storage`] keeps them; [`open`] makes one
//! from a URL. A [`Study`] reads them, shows them to samplers as a [`lehr_search::History`], and starts runs. A run at work is
//! an [`Attempt`]: it reports, and ends with one durable commit.
//!
//! ```
//! use lehr_search::{Direction, sampler::Tpe};
//! use lehr_study::{Plan, RunEnd, RunOutcome, Study, open_shared};
//!
//! let storage = open_shared("memory:")?; // or sqlite:///lehr.db, or postgresql://user:password@host/database
//! let space = "lr=log 1e-5..1, optimizer=sgd|adamw".parse()?;
//! let mut study = Study::open_or_create(storage, "demo", Direction::Minimize, &space)?;
//! for _ in 0..10 {
//!     let attempt = study.ask(&Tpe::default(), 42, &Plan::to(1000), "worker 1")?;
//!     let loss = attempt.params().float("lr").unwrap().ln().abs();
//!     attempt.report(500, loss + 1.0)?;
//!     attempt.finish(&RunEnd::new(RunOutcome::Complete(loss), 1000))?;
//! }
//! study.refresh()?;
//! let best = &study.records().trials()[study.best().unwrap()];
//! println!("trial {}: {} at {}", best.number, best.values[0], best.params);
//! # Ok::<(), lehr_study::StudyError>(())
//! ```
//!
//! On disk a study is what Optuna 5 reads and writes, plus tables of Lehr's own (`lehr_runs`, `lehr_reports`,
//! `lehr_workers`) for what Optuna has no word for. To Optuna a trial's value is its loss at the target horizon, a trial that
//! may be taken up again is RUNNING, and its intermediate values are its reports if it had one run, or the final value of
//! each run at the step of its horizon if it had several.
mod attribute;
pub mod conformance;
mod distribution;
mod error;
mod history;
mod keeper;
mod location;
mod optuna;
mod records;
mod run;
mod sql;
mod state;
mod storage;
mod study;
mod time;

pub use attribute::{Attributes, Kind, Owner};
pub use error::StudyError;
pub use keeper::Attempt;
pub use location::{OpenOptions, open, open_shared, open_with};
pub use optuna::{Frozen, FrozenStudy, OptunaStorage, open_for_optuna};
pub use records::{Records, RunRecord, TrialRecord};
pub use run::{
    After, Branch, Checkpoint, Claim, NewRun, Note, Plan, Reports, RunEnd, RunOutcome, Stale, Standing,
    Stopping, StudyId, StudySummary, Target, Waiting, Worker,
};
pub use state::{RunState, TrialState};
pub use storage::Storage;
pub use study::Study;
pub use time::iso_time;
