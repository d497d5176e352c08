//! From a schedule and a horizon to a curve.
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use super::context::{Context, Laid, Scale};
use super::piece::{Eval, Piece};
use super::track::Track;
use super::{Body, Curve};
use crate::error::{Error, Trouble};
use crate::horizon::Horizon;
use crate::schedule::{Course, GroupRate, Phase, Schedule, With};

impl Schedule {
    /// The curve over a horizon, relative to a peak of 1.
    ///
    /// # Errors
    /// If the phases do not fit the horizon, a unit cannot be told from it, or a level is absolute (`to lr 1e-6`),
    /// which needs [`resolve_with_peak`](Self::resolve_with_peak).
    pub fn resolve(&self, horizon: &Horizon) -> Result<Curve, Error> {
        self.resolved(horizon, None)
    }

    /// The curve over a horizon in absolute rates.
    ///
    /// # Errors
    /// If the peak is not a positive number, the phases do not fit the horizon, or a unit cannot be told from it.
    pub fn resolve_with_peak(&self, horizon: &Horizon, peak: f64) -> Result<Curve, Error> {
        match peak > 0.0 && peak <= f64::MAX {
            true => self.resolved(horizon, Some(peak)),
            false => Err(Error::Peak(peak)),
        }
    }

    /// The updates of each phase over a horizon, in order; they fill it without gaps unless the last phase ends
    /// before the horizon does. The range of a phase that was written with a span of 0 is empty.
    ///
    /// # Errors
    /// If the phases do not fit the horizon or a unit cannot be told from it.
    pub fn phase_steps(&self, horizon: &Horizon) -> Result<Vec<Range<u64>>, Error> {
        horizon.check()?;
        let ends = Context::new(horizon, Scale::Relative).borders(&self.phases).map_err(outermost)?;
        let starts = core::iter::once(0).chain(ends.iter().copied());
        Ok(starts.zip(ends.iter()).map(|(start, end)| start..*end).collect())
    }

    /// The phases with their updates, laid out over a horizon.
    pub(crate) fn laid_out(&self, horizon: &Horizon, peak: Option<f64>) -> Result<Vec<Laid<'_>>, Error> {
        horizon.check()?;
        Context::of_rates(horizon, peak).laid_out(&self.phases).map_err(Trouble::into_error)
    }

    fn resolved(&self, horizon: &Horizon, peak: Option<f64>) -> Result<Curve, Error> {
        horizon.check()?;
        let builder = Builder { horizon, peak };
        let scale = peak.map_or(Scale::Relative, Scale::Peak);
        let rate = builder.track(&self.phases, scale)?;
        let mut channels = Named::default();
        let mut groups = Named::default();
        for with in &self.with {
            with.check().map_err(|problem| Error::Phase { phase: with.to_string(), problem })?;
            match with {
                With::Channel { name, course } => {
                    let track = match course {
                        Course::Own(phases) => builder.track(phases, Scale::Plain)?,
                        Course::Follow { from, to } => builder.whole(Follow {
                            of: rate.clone(),
                            peak: peak.unwrap_or(1.0),
                            from: *from,
                            to: *to,
                        }),
                    };
                    channels.add(name, builder.curve(track, None))?;
                }
                With::Group { name, rate: GroupRate::Own(phases) } => {
                    let track = builder.track(phases, scale)?;
                    groups.add(name, builder.curve(track, peak))?;
                }
                With::Group { name, rate: GroupRate::By(by) } => {
                    let track = builder.whole(Scaled { of: rate.clone(), by: *by });
                    groups.add(name, builder.curve(track, peak))?;
                }
                With::Layers { count, by } => {
                    for i in 0..*count {
                        let by = libm::pow(*by, (count - 1 - i) as f64);
                        let track = builder.whole(Scaled { of: rate.clone(), by });
                        groups.add(&alloc::format!("layer-{i}"), builder.curve(track, peak))?;
                    }
                }
            }
        }
        let (channels, groups) = (channels.curves, groups.curves);
        let body = Body { horizon: *horizon, peak, rate, channels, groups };
        Ok(Curve { body: Arc::new(body) })
    }
}

/// Trouble with no phase around it.
fn outermost(trouble: Trouble) -> Error {
    match trouble {
        Trouble::Inner(error) => error,
        Trouble::Here(problem) => Error::Phase { phase: String::new(), problem },
    }
}

/// Curves in order, each name once.
#[derive(Default)]
struct Named {
    curves: Vec<(String, Curve)>,
    names: BTreeSet<String>,
}

impl Named {
    fn add(&mut self, name: &str, curve: Curve) -> Result<(), Error> {
        match self.names.insert(name.into()) {
            true => {
                self.curves.push((name.into(), curve));
                Ok(())
            }
            false => Err(Error::Twice(name.into())),
        }
    }
}

struct Builder<'h> {
    horizon: &'h Horizon,
    peak: Option<f64>,
}

impl Builder<'_> {
    fn track(&self, phases: &[Phase], scale: Scale) -> Result<Track, Error> {
        if phases.is_empty() {
            return Err(Error::Empty);
        }
        Context::new(self.horizon, scale).track(phases).map_err(outermost)
    }

    /// One piece over the whole horizon.
    fn whole(&self, eval: impl Eval + 'static) -> Track {
        let mut track = Track::new();
        let end = eval.end();
        track.push(0, Piece::other(eval));
        track.close(self.horizon.steps, end);
        track
    }

    fn curve(&self, rate: Track, peak: Option<f64>) -> Curve {
        let peak = peak.and(self.peak);
        let body = Body { horizon: *self.horizon, peak, rate, channels: Vec::new(), groups: Vec::new() };
        Curve { body: Arc::new(body) }
    }
}

/// The rate times a factor.
struct Scaled {
    of: Track,
    by: f64,
}

impl Eval for Scaled {
    fn at(&self, k: u64) -> f64 {
        (self.of.at(k) * self.by).min(f64::MAX)
    }

    fn end(&self) -> f64 {
        (self.of.end() * self.by).min(f64::MAX)
    }
}

/// A quantity on a straight line with the rate: `from` at rate 0, `to` at the peak.
struct Follow {
    of: Track,
    peak: f64,
    from: f64,
    to: f64,
}

impl Follow {
    fn value(&self, rate: f64) -> f64 {
        let share = (rate / self.peak).min(f64::MAX);
        match share <= 1.0 {
            true => (1.0 - share) * self.from + share * self.to,
            false => (self.from + share * (self.to - self.from)).clamp(0.0, f64::MAX),
        }
    }
}

impl Eval for Follow {
    fn at(&self, k: u64) -> f64 {
        self.value(self.of.at(k))
    }

    fn end(&self) -> f64 {
        self.value(self.of.end())
    }
}
