//! A sweep: the final losses of runs at several peak rates, under one or more schedules, with one or more seeds.
//!
//! [`Sweep`] is the table, [`analyse`] says what can be concluded from it: per schedule the best rate, its loss
//! with the noise, the interval of the best rate and the safe interval; over all schedules the recommendation.

mod analysis;
mod noise;
mod recommend;
mod smooth;
mod table;

pub use analysis::{
    Analysis, Best, Divergence, Edge, Interval, OVERSHOOT, Overshoot, ScheduleReport, analyse,
};
pub use noise::half_width;
pub(crate) use noise::{deviation, median};
pub(crate) use recommend::simplicity;
pub use recommend::{Comparison, Reason, Recommendation};
pub use smooth::{Smooth, smooth};
pub use table::{Group, Row, Sweep, SweepError};
