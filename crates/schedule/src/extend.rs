//! A new horizon for a run in progress, out loud.
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::curve::Curve;
use crate::error::Error;
use crate::horizon::Horizon;
use crate::measure::Span;
use crate::number::Shortest;
use crate::schedule::Schedule;

/// A new horizon for a run in progress: the schedule to go on with, and what changes.
#[derive(Debug, Clone)]
pub struct Extension {
    /// The schedule to go on with: phases that are over have their length in steps, so that a share of the new, longer
    /// horizon does not stretch what is past.
    pub schedule: Schedule,
    /// The rates so far.
    pub old: Curve,
    /// The rates from now on, `schedule` over the new horizon.
    pub new: Curve,
    /// Updates done.
    pub done: u64,
    /// The first update at which the two curves differ; `None` if they do not within either horizon. A checkpoint from
    /// before this update can be continued as if the new horizon had been chosen from the start.
    pub first_change: Option<u64>,
    /// The updates of each phase, before and after.
    pub phases: Vec<MovedPhase>,
}

/// The updates of one phase under both horizons.
#[derive(Debug, Clone, PartialEq)]
pub struct MovedPhase {
    /// The phase as it was written.
    pub phase: String,
    /// Its updates under the old horizon.
    pub old: Range<u64>,
    /// Its updates under the new one.
    pub new: Range<u64>,
}

impl Schedule {
    /// What happens if a run that has done `done` updates of this schedule over `old` goes on to the horizon `new`.
    ///
    /// # Errors
    /// If the schedule cannot be resolved over one of the two horizons.
    pub fn extend(
        &self,
        old: &Horizon,
        new: &Horizon,
        done: u64,
        peak: Option<f64>,
    ) -> Result<Extension, Error> {
        let resolve = |schedule: &Self, horizon: &Horizon| match peak {
            Some(peak) => schedule.resolve_with_peak(horizon, peak),
            None => schedule.resolve(horizon),
        };
        let curve = resolve(self, old)?;
        let laid = self.laid_out(old, peak)?;
        let mut schedule = self.clone();
        for (phase, laid) in schedule.phases.iter_mut().zip(&laid) {
            if laid.end <= done && phase.span.is_some() {
                phase.span = Some(Span::steps(laid.end - laid.start));
            }
        }
        let extended = resolve(&schedule, new)?;
        let moved = |(before, after): (&crate::curve::Laid<'_>, &crate::curve::Laid<'_>)| MovedPhase {
            phase: before.phase.to_string(),
            old: before.start..before.end,
            new: after.start..after.end,
        };
        let after = schedule.laid_out(new, peak)?;
        let phases = laid.iter().zip(&after).map(moved).collect();
        let borders = laid.iter().chain(&after).flat_map(|laid| [laid.start, laid.start + 1]);
        let first_change = first_difference(&curve, &extended, borders);
        drop(after);
        Ok(Extension { schedule, old: curve, new: extended, done, first_change, phases })
    }
}

/// The first update at which two curves differ, up to the longer horizon. Where that is very long, they are compared at
/// a million places and the borders of the phases first, and then step by step before the first difference.
fn first_difference(a: &Curve, b: &Curve, borders: impl Iterator<Item = u64>) -> Option<u64> {
    const PLACES: u64 = 1 << 20;
    let steps = a.steps().max(b.steps());
    let stride = steps.div_ceil(PLACES).max(1);
    let mut places: Vec<u64> = (0..steps).step_by(stride as usize).chain(borders).chain([steps]).collect();
    places.sort_unstable();
    let first = places.iter().position(|t| a.at(*t) != b.at(*t));
    let first = first.or(places.len().checked_sub(1))?;
    let (from, to) = (first.checked_sub(1).and_then(|i| places.get(i)), places.get(first)?);
    (from.copied().unwrap_or(0)..=*to).take(1 << 26).find(|t| a.at(*t) != b.at(*t))
}

impl Extension {
    /// Whether the updates done so far would have had the same rates under the new horizon.
    pub fn keeps_the_past(&self) -> bool {
        self.first_change.is_none_or(|first| first >= self.done)
    }

    /// The rate of the last update done, and that of the next one under the new horizon.
    pub fn across(&self) -> (f64, f64) {
        (self.old.at(self.done.saturating_sub(1)), self.new.at(self.done))
    }

    /// Whether going on means a jump: the next rate is above the last one by more than the schedule itself, over
    /// either horizon, goes up at this place.
    pub fn jumps(&self) -> bool {
        let (last, next) = self.across();
        let planned = self.new.at(self.done.saturating_sub(1));
        let rise = next - last;
        let own = (next - planned).max(self.old.at(self.done) - last).max(0.0);
        self.done > 0 && rise > own + 1e-9 * next
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (old, new) = (self.old.steps(), self.new.steps());
        writeln!(f, "{} of {old} steps are done; the horizon becomes {new}.", self.done)?;
        for moved in &self.phases {
            write!(f, "  {}: updates {}–{}", moved.phase, moved.old.start, moved.old.end)?;
            match moved.old == moved.new {
                true => writeln!(f, ", as before")?,
                false => writeln!(f, " → {}–{}", moved.new.start, moved.new.end)?,
            }
        }
        let (last, next) = self.across();
        writeln!(f, "The last rate was {}, the next one is {}.", Shortest(last), Shortest(next))?;
        match (self.first_change, self.jumps()) {
            (None, _) => write!(f, "Nothing changes."),
            (Some(first), _) if first >= self.done => {
                write!(f, "The run continues as if the new horizon had been chosen from the start.")
            }
            (Some(first), true) => write!(
                f,
                "The rate jumps up. To go on without a jump, resume from a checkpoint of update {first} or earlier."
            ),
            (Some(first), false) => write!(
                f,
                "There is no jump up, but from update {first} on the rates so far are not those that the new horizon \
                 would have given."
            ),
        }
    }
}
