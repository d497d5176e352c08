//! Finds, checks and runs learning-rate schedules.
//!
//! - [`tune`]: which peak rate and schedule to use, by training a built-in model on data;
//! - [`sweep`]: what a finished sweep of peak rates × schedules × seeds says: the best rates with their noise, the safe
//!   interval of rates, the recommendation;
//! - [`program`]: any training program, run once: its command, its reports, its end, and nothing left of it;
//! - [`strategy`]: what to train next, when to stop and what to conclude, for any training program;
//! - [`find`]: where sane rates are, from one short run with a rising rate;
//! - [`diagnose`]: did a run train well, with evidence and suggestions;
//! - [`effects`]: the textbook effects of learning rates, measured;
//! - [`robustness`]: how much a finished sweep says is lost when the base rate is off;
//! - [`scheduler`]: a schedule at work in a training loop of your own, in candle's and in burn's;
//! - [`prelude`]: what most programs need, with an example;
//! - [`logs`]: logs of training as CSV;
//! - [`studies`]: the runs of a study as a sweep and as logs;
//! - [`tensorboard`]: the numbers of TensorBoard's event files, also while they are written;
//! - [`worker`]: studies of any training program, worked on by any number of workers.
//!
//! Two features are off by default, because they compile for minutes: `candle` (the scheduler drives candle's optimisers) and
//! `burn` (it is one of burn's schedulers; needs Rust 1.95).
//!
//! The crates that this one stands on are re-exported: [`schedule`], [`search`], [`study`], [`lab`], [`theory`].

pub mod diagnose;
pub mod effects;
pub mod find;
pub mod logs;
pub mod prelude;
pub mod program;
pub mod robustness;
pub mod scheduler;
pub mod strategy;
pub mod studies;
pub mod sweep;
pub mod tensorboard;
pub mod tune;
pub mod worker;

pub use lehr_lab as lab;
pub use lehr_schedule as schedule;
pub use lehr_search as search;
pub use lehr_study as study;
pub use lehr_theory as theory;
