//! Any training program, run once to a horizon: its command with placeholders, its schedule, its reports, its end.
//!
//! Nothing here knows a database or a strategy. [`Template`] is a command; [`run`] starts it under a guardian, reads its
//! reports and says how it [`Ended`]; when it returns, no process of the program is left. The contract between Lehr and a
//! program is in the book, on the page *Any program*.

mod abilities;
#[cfg(unix)]
mod child;
mod course;
mod ended;
mod error;
#[cfg(unix)]
mod follow;
#[cfg(unix)]
mod guard;
mod json;
mod lines;
mod log;
mod metric;
#[cfg(unix)]
mod tail;
mod template;

pub use abilities::{Reads, abilities, describe};
#[cfg(unix)]
pub use child::{Start, Watch, Wish, run};
pub use course::{Course, read_schedule, write_schedule};
pub use ended::{Ended, Failure, Outcome};
pub use error::ProgramError;
pub use metric::{Metric, MetricFile, Scrape, Source, Take};
pub use template::{Fill, Template, Text};
