//! Workers: they join a study, a strategy and a program.
//!
//! A [`Spec`] says what a study trains; it is data and is kept in the study, so that any worker can join. [`Spec::job`] finds
//! whether it is sound. [`work`] takes up what was begun, asks the strategy what to train next, trains it, and writes what
//! happens into the study: reports at most a second late, the end of each run in one durable commit. A worker that dies
//! loses its runs to the others; one that is asked to stop pauses its runs or hands them back.

mod error;
#[cfg(unix)]
mod event;
mod places;
#[cfg(unix)]
mod pool;
mod question;
mod record;
mod spec;
#[cfg(unix)]
mod stop;
#[cfg(unix)]
mod train;

pub use error::WorkerError;
#[cfg(unix)]
pub use event::{End, Event};
pub use places::{Place, checkpoint_in};
#[cfg(unix)]
pub use pool::{Done, Options, work};
pub use question::{Asked, Question, close};
pub use record::record;
pub use spec::{Job, Spec};
#[cfg(unix)]
pub use stop::Stop;
#[cfg(unix)]
pub use train::{HANDED_BACK, Hand, words, words_at};
