//! The schedules, one over the other.
use lehr_schedule::{Horizon, Schedule};
use serde::Serialize;

use crate::thin::thin;

/// Points kept of each line.
const KEPT: usize = 300;
/// A horizon where none is known: shapes look the same at any.
const STEPS: u64 = 10_000;
/// Steps at which a long curve is looked at.
const LOOKED: u64 = 20_000;

/// The picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Schedules {
    /// Updates of a run, where all runs have the same.
    pub steps: Option<u64>,
    /// The lines.
    pub lines: Vec<ScheduleLine>,
}

/// One schedule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScheduleLine {
    /// Its name or spec.
    pub name: String,
    /// Its place in the palette.
    pub colour: usize,
    /// Its best peak rate; levels are fractions of it.
    pub peak: Option<f64>,
    /// Share of the training that is done.
    pub share: Vec<f64>,
    /// Rate as a fraction of the peak.
    pub level: Vec<f64>,
}

impl Schedules {
    /// Of named schedules with their places and best rates; names that read as no schedule are left out.
    pub fn of(
        named: impl IntoIterator<Item = (String, usize, Option<f64>)>,
        steps: Option<u64>,
    ) -> Option<Self> {
        let line = |(name, colour, peak): (String, usize, Option<f64>)| {
            let (share, level) = levels(&name, steps.unwrap_or(STEPS))?;
            Some(ScheduleLine { name, colour, peak, share, level })
        };
        let lines: Vec<ScheduleLine> = named.into_iter().filter_map(line).collect();
        (!lines.is_empty()).then_some(Self { steps, lines })
    }
}

/// Share of the training and level at each kept update.
pub(super) fn levels(spec: &str, steps: u64) -> Option<(Vec<f64>, Vec<f64>)> {
    let curve = spec.parse::<Schedule>().ok()?.resolve(&Horizon::steps(steps)).ok()?;
    let looked = steps.min(LOOKED);
    let update = |i: u64| (i as u128 * steps as u128 / looked.max(1) as u128) as u64;
    let points: Vec<(f64, f64)> =
        (0..looked).map(update).map(|t| (t as f64 / steps as f64, curve.at(t))).collect();
    Some(thin(&points, KEPT).into_iter().unzip())
}
