//! Suites that every sampler and pruner has to pass: ours, and those of third parties.
//!
//! Each check returns what it found wrong, one line each; an empty list means that the implementation conforms.
//!
//! ```
//! use lehr_search::{conformance, sampler::Random};
//! let violations = conformance::check_sampler(&|_| Ok(Box::new(Random::default())));
//! assert!(violations.is_empty(), "{violations:#?}");
//! ```
mod pruners;
mod samplers;

pub use pruners::{MakePruner, check_pruner};
pub use samplers::{MakeSampler, check_sampler};
