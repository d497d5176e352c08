//! Finds, checks and runs learning-rate schedules.
//!
//! - [`tune`]: which peak rate and schedule to use, by training a built-in model on data;
//! - [`sweep`]: what a finished sweep of peak rates × schedules × seeds says: the best rates with their noise, the safe
//!   interval of rates, the recommendation.
//!
//! The crates that this one stands on are re-exported: [`schedule`], [`search`], [`lab`].

pub mod sweep;
pub mod tune;

pub use lehr_lab as lab;
pub use lehr_schedule as schedule;
pub use lehr_search as search;
