//! Search spaces, samplers and pruners for tuning, without any storage.
//!
//! A [`Space`] says what may be tried, a [`History`] holds what was tried, a [`Sampler`] is a function
//! `(space, history, random stream) -> parameters`. Nothing here knows a database, a process or a learning-rate schedule;
//! all that this crate learns about annealing is the opaque [`Key`] that says which observations may be compared.
//!
//! ```
//! use lehr_search::{Direction, History, Outcome, Sampler, Space, Stream, sampler::Random};
//!
//! let space: Space = "lr=log 1e-5..1, layers=2..8, optimizer=sgd|adamw".parse()?;
//! let mut history = History::new(space.clone(), Direction::Minimize);
//! let sampler = Random::default();
//! for _ in 0..10 {
//!     let mut stream = Stream::for_trial(42, history.len() as u64);
//!     let params = sampler.suggest(&space, &history, &mut stream)?;
//!     let loss = params.float("lr").unwrap().ln().abs();
//!     let trial = history.start(&params)?;
//!     history.finish(trial, Outcome::Complete(loss))?;
//! }
//! assert_eq!(history.ranked().len(), 10);
//! # Ok::<(), lehr_search::SearchError>(())
//! ```
mod ask;
pub mod conformance;
mod error;
mod history;
pub mod importance;
pub mod pruner;
pub mod sampler;
pub mod space;
mod special;
pub mod stopping;
mod stream;
mod value;
mod vector;

pub use ask::Ask;
pub use error::SearchError;
pub use history::{Direction, History, Key, Outcome, Report, Seen, State, Trial};
pub use pruner::{Pruner, Verdict};
pub use sampler::Sampler;
pub use space::{Domain, Parameter, Scale, Space};
pub use stream::Stream;
pub use value::{Params, Value};
