//! Suites that every sampler and pruner has to pass: ours, and those of third parties.
//!
//! Each check returns what it found wrong, one line each; an empty list means that the implementation conforms. Put it into a
//! test of the crate that holds the sampler or the pruner.
//!
//! A sampler that strolls around the best point so far. Conditions and fixed values are met by [`crate::Space::from_unit`],
//! constraints by drawing again:
//!
//! ```
//! use lehr_search::sampler::Random;
//! use lehr_search::{History, Params, Sampler, SearchError, Space, Stream, conformance};
//!
//! struct Stroll;
//!
//! impl Sampler for Stroll {
//!     fn name(&self) -> &str {
//!         "stroll"
//!     }
//!
//!     fn suggest(&self, space: &Space, history: &History, stream: &mut Stream) -> Result<Params, SearchError> {
//!         if let Some(best) = history.best() {
//!             let from = space.to_unit(&best.raw());
//!             for _ in 0..1000 {
//!                 let mut step = |u: f64| match u.is_nan() {
//!                     true => stream.uniform(), // inactive in the best trial
//!                     false => (u + 0.1 * stream.normal()).clamp(0.0, 1.0),
//!                 };
//!                 let raw = space.from_unit(&from.iter().map(|&u| step(u)).collect::<Vec<f64>>());
//!                 if space.allows(&raw) {
//!                     return Ok(space.params(&raw));
//!                 }
//!             }
//!         }
//!         Random::default().suggest(space, history, stream)
//!     }
//! }
//!
//! let violations = conformance::check_sampler(&|_| Ok(Box::new(Stroll)));
//! assert!(violations.is_empty(), "{violations:#?}");
//! ```
//!
//! A pruner that stops what stands worse than where it began; its reason is in its own words:
//!
//! ```
//! use lehr_search::pruner::Reason;
//! use lehr_search::{Pruner, Trial, Verdict, conformance};
//!
//! struct NoWorse;
//!
//! impl Pruner for NoWorse {
//!     fn name(&self) -> &str {
//!         "no-worse"
//!     }
//!
//!     fn judge(&self, trial: Trial<'_>) -> Verdict {
//!         let (Some(first), Some(last)) = (trial.reports().first(), trial.reports().last()) else {
//!             return Verdict { prune: false, reason: Reason::NoReport };
//!         };
//!         // Small is good, whatever the direction of the study.
//!         let loss = |value: f64| trial.history().loss(value);
//!         let prune = loss(last.value).is_nan() || loss(last.value) == f64::INFINITY || loss(last.value) > loss(first.value);
//!         let reason = Reason::Other(format!("{} after a first report of {}", last.value, first.value));
//!         Verdict { prune, reason }
//!     }
//! }
//!
//! let violations = conformance::check_pruner(&|| Box::new(NoWorse));
//! assert!(violations.is_empty(), "{violations:#?}");
//! ```
mod pruners;
mod samplers;

pub use pruners::{MakePruner, check_pruner};
pub use samplers::{MakeSampler, check_sampler};
