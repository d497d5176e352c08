//! Data sets and models trained at many learning rates at once.
//!
//! A [`Task`] is data to train and to validate on; a [`TrainPlan`] says which [`Model`] is trained how long by which
//! [`Optimizer`]; a [`Lane`] is one peak rate with its schedule. [`train_lanes`] trains all lanes of a seed side by
//! side, with one lane in each component of a SIMD vector, so that every minibatch is read once for all of them;
//! [`train_groups`] does that for many seeds on all cores. [`Landscape`] is the loss itself, with its curvature, and
//! [`basins`] a loss with two basins.

pub mod basins;
pub mod data;
mod error;
mod landscape;
mod lanes;
mod model;
mod optimizer;
mod order;
mod plan;
mod random;

pub use data::{Dataset, Features, Task};
pub use error::{Error, Place};
pub use landscape::{Landscape, Sharpness};
pub use lanes::{Group, train_groups, train_lanes};
pub use model::{Layer, Model};
pub use optimizer::{AdamSettings, Optimizer};
pub use order::BatchOrder;
pub use plan::{
    Control, Divergence, EXPLOSION, Evaluation, Lane, LaneRun, Outcome, Part, TrainPlan, VALIDATION_EXPLOSION,
};
