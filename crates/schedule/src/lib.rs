//! Learning-rate schedules as data.
//!
//! A [`Schedule`] is a value: one readable spec, relative to a peak rate of 1 and, where possible, free of the
//! horizon. Resolved against a [`Horizon`] it is a [`Curve`]: the rate at each update, exact, by random access, without
//! hidden state.
//!
//! ```
//! use lehr_schedule::{Horizon, Schedule};
//!
//! let schedule: Schedule = "warmup 5%, cosine to 0.1".parse()?;
//! let curve = schedule.resolve_with_peak(&Horizon::steps(10_000), 3e-4)?;
//! assert_eq!(curve.at(0), 3e-4 / 500.0); // the first of 500 warm-up updates is not wasted at rate 0
//! assert_eq!(curve.at(499), 3e-4); // the last one is at the peak
//! assert_eq!(curve.at(500), 3e-4); // where the cosine starts; the floor belongs to the update after the last one
//! assert_eq!(curve.at(10_000), 3e-4 * 0.1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod convert;
mod curve;
mod ease;
mod error;
mod extend;
mod feedback;
mod horizon;
mod lint;
mod math;
mod measure;
mod notation;
mod number;
mod schedule;
pub mod shape;
mod spec;

pub use curve::Curve;
pub use ease::{Ease, EaseForm};
pub use error::{Error, ParseError, Problem};
pub use extend::{Extension, MovedPhase};
pub use feedback::{Average, Better, Controller, Feedback, FeedbackState, Goal, Rise, Rule, Verdict};
pub use horizon::Horizon;
pub use lint::{Lint, Severity, lint};
pub use measure::{Level, Span, Unit};
pub use schedule::{Course, GroupRate, Phase, Schedule, With};
pub use spec::Spec;
