//! What a phase knows when it is resolved: its updates, the level before it, the units.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::period::Period;
use super::piece::Piece;
use super::track::Track;
use crate::error::{Error, Problem, Trouble};
use crate::horizon::Horizon;
use crate::measure::{Level, Span, Unit};
use crate::schedule::Phase;

/// The largest whole number of steps that a float holds exactly.
pub(crate) const MOST_STEPS: u64 = 1 << 53;

/// Whether levels can be absolute rates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// Levels are relative; an absolute one needs a peak.
    Relative,
    /// Levels are multiplied by this peak.
    Peak(f64),
    /// Levels are factors, or values of another quantity.
    Plain,
}

/// A phase with its updates, `start` … `end` − 1.
pub(crate) struct Laid<'p> {
    pub phase: &'p Phase,
    pub start: u64,
    pub end: u64,
    /// The level before it.
    pub level: f64,
    pub piece: Piece,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'h> {
    horizon: &'h Horizon,
    /// Updates of this phase.
    steps: u64,
    /// Updates before it.
    before: u64,
    /// Level where the phase before ended.
    level: f64,
    scale: Scale,
    /// Factor on all spans but shares.
    stretch: f64,
    /// How many repetitions this phase lies in.
    repeats: u32,
}

/// Each `repeat` resolves its phases twice, for copies that differ by an update: deeper nesting would take for ever.
const MOST_REPEATS: u32 = 8;

impl<'h> Context<'h> {
    pub fn new(horizon: &'h Horizon, scale: Scale) -> Self {
        let level = match scale {
            Scale::Peak(peak) => peak,
            _ => 1.0,
        };
        Self { horizon, steps: horizon.steps, before: 0, level, scale, stretch: 1.0, repeats: 0 }
    }

    /// For the rates of a schedule.
    pub fn of_rates(horizon: &'h Horizon, peak: Option<f64>) -> Self {
        Self::new(horizon, peak.map_or(Scale::Relative, Scale::Peak))
    }

    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The same over another number of updates.
    pub fn with_steps(&self, steps: u64) -> Self {
        Self { steps, ..*self }
    }

    /// The same for one copy of a repetition, which has this many updates.
    pub fn of_copy(&self, steps: u64) -> Result<Self, Problem> {
        match self.repeats < MOST_REPEATS {
            true => Ok(Self { steps, repeats: self.repeats + 1, ..*self }),
            false => Err(Problem::Settings("more than 8 repetitions lie in one another")),
        }
    }

    /// The same with all spans but shares multiplied.
    pub fn stretched(&self, factor: f64) -> Self {
        Self { stretch: self.stretch * factor, ..*self }
    }

    /// The same for factors of a rate, which start at 1 and have no absolute levels.
    pub fn of_factors(&self) -> Self {
        Self { level: 1.0, scale: Scale::Plain, ..*self }
    }

    pub fn before(&self) -> u64 {
        self.before
    }

    /// A level as a number on the scale of this context.
    pub fn level(&self, level: Level) -> Result<f64, Problem> {
        match (level, self.scale) {
            (Level::Relative(x), Scale::Peak(peak)) => Ok((x * peak).min(f64::MAX)),
            (Level::Relative(x), _) => Ok(x),
            (Level::Absolute(rate), Scale::Peak(_)) => Ok(rate),
            (Level::Absolute(_), Scale::Relative) => Err(Problem::NeedsPeak(level)),
            (Level::Absolute(_), Scale::Plain) => Err(Problem::NotAbsolute(level)),
        }
    }

    /// The level at which a phase starts.
    pub fn start(&self, from: Option<Level>) -> Result<f64, Problem> {
        from.map_or(Ok(self.level), |level| self.level(level))
    }

    /// A span in steps, not rounded.
    pub fn span(&self, span: Span) -> Result<f64, Problem> {
        let Span { amount, unit } = span;
        match unit {
            Unit::Steps => Ok(amount * self.stretch),
            Unit::Percent => Ok(amount * self.steps as f64 / 100.0),
            Unit::Epochs => {
                let per_epoch = self.horizon.steps_per_epoch.ok_or(Problem::NeedsEpochs(span))?;
                Ok(amount * per_epoch * self.stretch)
            }
            Unit::Tokens => {
                let per_step = self.horizon.tokens_per_step.ok_or(Problem::NeedsTokens(span))?;
                Ok(amount / per_step * self.stretch)
            }
        }
    }

    /// A span in whole steps.
    pub fn whole_span(&self, span: Span) -> Result<u64, Problem> {
        let steps = crate::math::floor(self.span(span)? + 0.5);
        match steps <= MOST_STEPS as f64 {
            true => Ok(steps as u64),
            false => Err(Problem::Settings("a span may have at most 2^53 steps")),
        }
    }

    /// A period, exactly; at least one step.
    pub fn period(&self, setting: &'static str, span: Span) -> Result<Period, Problem> {
        let steps = self.span(span)?;
        match steps >= 1.0 {
            true if span.unit == Unit::Percent => Ok(Period::percent(span.amount, self.steps)),
            true => Ok(Period::new(steps)),
            false => Err(Problem::TooShort { setting, span, steps }),
        }
    }

    /// The phases in sequence over the updates of this context.
    pub fn track(&self, phases: &[Phase]) -> Result<Track, Trouble> {
        let mut track = Track::new();
        let (mut close, mut level) = (0, self.level);
        for laid in self.laid_out(phases)? {
            (close, level) = (laid.end, laid.piece.end());
            if laid.end > laid.start {
                track.push(laid.start, laid.piece);
            }
        }
        track.close(close, level);
        Ok(track)
    }

    /// The phases in sequence, each with its updates.
    pub fn laid_out<'p>(&self, phases: &'p [Phase]) -> Result<Vec<Laid<'p>>, Trouble> {
        let borders = self.borders(phases)?;
        let mut laid = Vec::with_capacity(phases.len());
        let (mut start, mut level) = (0, self.level);
        for (phase, end) in phases.iter().zip(borders) {
            let piece = self.of_phase(start, end, level).phase(phase)?;
            let before = core::mem::replace(&mut level, piece.end());
            laid.push(Laid { phase, start, end, level: before, piece });
            start = end;
        }
        Ok(laid)
    }

    /// The context of a phase with these updates of this one, after a level.
    pub fn of_phase(&self, start: u64, end: u64, level: f64) -> Self {
        Self { steps: end - start, before: self.before + start, level, ..*self }
    }

    /// One phase over all updates of this context.
    pub fn phase(&self, phase: &Phase) -> Result<Piece, Trouble> {
        let resolved = phase.shape.check().map_err(Trouble::from).and_then(|()| phase.shape.resolve(self));
        resolved.map_err(|trouble| trouble.of(phase).into())
    }

    /// The update after each phase. Spans add up before they are rounded, so that phases always fill the horizon.
    pub fn borders(&self, phases: &[Phase]) -> Result<Vec<u64>, Trouble> {
        let mut open: Option<usize> = None;
        let mut spans = Vec::with_capacity(phases.len());
        for (i, phase) in phases.iter().enumerate() {
            let Some(span) = phase.span else {
                if let Some(first) = open {
                    let problem =
                        Problem::TwoOpen(phases.get(first).map(ToString::to_string).unwrap_or_default());
                    return Err(Trouble::Here(problem).of(phase).into());
                }
                open = Some(i);
                spans.push(0.0);
                continue;
            };
            crate::shape::check_spans("span", [&span])
                .and_then(|()| self.span(span))
                .map(|steps| spans.push(steps))
                .map_err(|problem| Trouble::Here(problem).of(phase))?;
        }
        let total = self.steps as f64;
        let open = open.unwrap_or(phases.len());
        let mut borders = Vec::with_capacity(phases.len());
        let mut sum = 0.0;
        for (phase, steps) in phases.iter().zip(&spans).take(open) {
            sum += steps;
            if crate::math::floor(sum + 0.5) > total {
                let problem = Problem::Overfull { needed: sum, available: self.steps };
                return Err(Trouble::Here(problem).of(phase).into());
            }
            borders.push(crate::math::floor(sum + 0.5) as u64);
        }
        if open < phases.len() {
            self.borders_after(phases, &spans, open, sum, &mut borders)?;
        }
        self.refuse_empty(phases, &spans, open, &borders)?;
        Ok(borders)
    }

    /// The borders of the phase without a span and of those after it, which are counted from the end.
    fn borders_after(
        &self,
        phases: &[Phase],
        spans: &[f64],
        open: usize,
        sum: f64,
        borders: &mut Vec<u64>,
    ) -> Result<(), Trouble> {
        let total = self.steps as f64;
        let after: f64 = spans.iter().skip(open + 1).sum();
        let Some(phase) = phases.get(open) else { return Ok(()) };
        if crate::math::floor(sum + 0.5) + crate::math::floor(after + 0.5) > total {
            let last = phases.last().unwrap_or(phase);
            let problem = Problem::Overfull { needed: sum + after, available: self.steps };
            return Err(Trouble::Here(problem).of(last).into());
        }
        if crate::math::floor(sum + 0.5) + crate::math::floor(after + 0.5) == total && self.steps > 0 {
            return Err(Trouble::Here(Problem::NothingLeft(self.steps)).of(phase).into());
        }
        let mut remaining = after;
        borders.push(self.steps - crate::math::floor(remaining + 0.5) as u64);
        for (i, steps) in spans.iter().enumerate().skip(open + 1) {
            // The last border is the end itself, whatever the rounding of the subtractions.
            remaining = if i + 1 == spans.len() { 0.0 } else { (remaining - steps).max(0.0) };
            borders.push(self.steps - crate::math::floor(remaining + 0.5) as u64);
        }
        Ok(())
    }

    /// A span that rounds to 0 steps is an error, unless it was written as 0.
    fn refuse_empty(
        &self,
        phases: &[Phase],
        spans: &[f64],
        open: usize,
        borders: &[u64],
    ) -> Result<(), Trouble> {
        let mut start = 0;
        for (i, (phase, end)) in phases.iter().zip(borders).enumerate() {
            let (Some(span), Some(steps)) = (phase.span, spans.get(i)) else {
                start = *end;
                continue;
            };
            if i != open && *end == start && span.amount > 0.0 && self.steps > 0 {
                let problem = Problem::RoundsToZero(span, *steps);
                return Err(Trouble::Here(problem).of(phase).into());
            }
            start = *end;
        }
        Ok(())
    }
}

impl Trouble {
    /// The error with the phase in which it arose.
    fn of(self, phase: &Phase) -> Error {
        match self {
            Self::Here(problem) => Error::Phase { phase: shortened(phase), problem },
            Self::Inner(error) => error,
        }
    }
}

/// A phase as text, cut if it is long.
fn shortened(phase: &Phase) -> String {
    let text = phase.to_string();
    match text.char_indices().nth(80) {
        Some((i, _)) => format!("{}…", &text[..i]),
        None => text,
    }
}
