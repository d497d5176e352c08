//! A schedule over a horizon: a pure function of the step.
mod context;
mod fill;
mod period;
mod piece;
mod resolve;
mod slope;
mod track;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

pub(crate) use context::{Context, Laid, MOST_STEPS};
pub(crate) use period::{Period, Place};
pub(crate) use piece::{Eval, Piece};
pub(crate) use slope::Slope;
pub(crate) use track::Track;

use crate::horizon::Horizon;

/// A schedule resolved against a horizon: the rate at each update, by random access.
///
/// A curve has no state: resuming a run is calling [`at`](Self::at) with its step. It is cheap to clone and can be
/// shared between threads.
#[derive(Clone)]
pub struct Curve {
    body: Arc<Body>,
}

struct Body {
    horizon: Horizon,
    peak: Option<f64>,
    rate: Track,
    channels: Vec<(String, Curve)>,
    groups: Vec<(String, Curve)>,
}

impl Curve {
    /// The rate of update `t`, in O(log phases). After the horizon, the level at which the last phase ended holds.
    #[inline]
    pub fn at(&self, t: u64) -> f64 {
        self.body.rate.at(t)
    }

    /// The rates of the updates in `range`, bit for bit those of [`at`](Self::at), and faster.
    ///
    /// # Panics
    /// If `out` is not as long as `range`.
    pub fn fill(&self, range: Range<u64>, out: &mut [f64]) {
        let length = range.end.saturating_sub(range.start);
        assert_eq!(length, out.len() as u64, "the range and the slice to fill differ in length");
        self.body.rate.fill(range.start, out);
    }

    /// The rates of all updates of the horizon, in order.
    pub fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.steps()).map(|t| self.at(t))
    }

    /// The horizon against which the schedule was resolved.
    pub fn horizon(&self) -> Horizon {
        self.body.horizon
    }

    /// Number of updates of the horizon.
    pub fn steps(&self) -> u64 {
        self.body.horizon.steps
    }

    /// The peak rate, if the curve gives absolute rates; `None` if it is relative to a peak of 1.
    pub fn peak(&self) -> Option<f64> {
        self.body.peak
    }

    /// Another quantity that goes along with the rate, such as `momentum`, as a curve of its own.
    pub fn channel(&self, name: &str) -> Option<&Curve> {
        self.body.channels.iter().find(|(channel, _)| channel == name).map(|(_, curve)| curve)
    }

    /// The channels by name, in the order of the schedule.
    pub fn channels(&self) -> impl Iterator<Item = (&str, &Curve)> {
        self.body.channels.iter().map(|(name, curve)| (name.as_str(), curve))
    }

    /// The rate of a parameter group, as a curve of its own.
    pub fn group(&self, name: &str) -> Option<&Curve> {
        self.body.groups.iter().find(|(group, _)| group == name).map(|(_, curve)| curve)
    }

    /// The parameter groups by name, in the order of the schedule.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &Curve)> {
        self.body.groups.iter().map(|(name, curve)| (name.as_str(), curve))
    }
}

impl fmt::Debug for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Curve")
            .field("horizon", &self.body.horizon)
            .field("peak", &self.body.peak)
            .finish_non_exhaustive()
    }
}
