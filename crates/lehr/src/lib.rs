//! Finds, checks and runs learning-rate schedules.
//!
//! - [`sweep`]: a finished sweep of peak rates × schedules × seeds: the best rates with their noise, the safe
//!   interval of rates, the recommendation.

pub mod sweep;
pub mod tune;
