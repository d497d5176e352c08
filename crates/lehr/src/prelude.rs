//! What most programs need: `use lehr::prelude::*;`.
//!
//! The rate of every update:
//!
//! ```
//! use lehr::prelude::*;
//!
//! let schedule: Schedule = "warmup 2%, cosine".parse()?;
//! let curve = schedule.resolve_with_peak(&Horizon::steps(10_000), 3e-4)?;
//! assert_eq!(curve.at(199), 3e-4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Which rate and schedule to use, for a training of your own (here, a slope that is walked down):
//!
//! ```
//! use lehr::prelude::*;
//!
//! let space: Space = "lr=log 1e-3..0.9, schedule=constant|linear".parse()?;
//! let goal = Goal::new(space, Horizon::steps(100)).max_trials(10);
//! let strategy = by_name("tpe", None)?;
//! let mut record = Record::default();
//! while let Next::Run(plan) = strategy.next(&goal, &record)? {
//!     let run = record.start(&plan);
//!     let params = record.params[record.runs[run].trial].clone();
//!     let mut x = 3.0;
//!     for rate in goal.curve(&params, plan.horizon)?.iter().flat_map(Curve::iter) {
//!         x -= rate * x;
//!     }
//!     record.finish(run, RunState::Complete(x * x));
//! }
//! let result = strategy.result(&goal, &record)?;
//! assert!(result.params.is_some() && result.spent.trials == 10);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use lehr_schedule::{Controller, Curve, Feedback, Horizon, Lint, Schedule, lint};
pub use lehr_search::{Direction, Params, Space, Value};

pub use crate::find::{Found, Readings};
pub use crate::scheduler::{Scheduler, SchedulerState};
pub use crate::strategy::{
    Abilities, Goal, Next, Recommendation, Record, RunPlan, RunState, Strategy, by_name,
};
