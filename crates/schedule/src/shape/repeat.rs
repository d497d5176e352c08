//! `repeat`: the same phases again and again.
use alloc::vec::Vec;

use super::Form;
use super::sequence::{check_phases, phases, write_phases};
use crate::curve::{Context, Eval, Piece, Track};
use crate::error::{Problem, Trouble};
use crate::math::floor;
use crate::measure::Span;
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};
use crate::schedule::Phase;

/// `repeat 3 (warmup 10%, cosine)`, `repeat every 10ep (cosine)`: the same phases again and again.
///
/// Each copy starts from the level where the repetition started; inside, `%` refers to one copy. The borders between
/// copies are rounded to whole updates, cumulatively, so that copies add up to the span. First update: that of the
/// first copy.
#[derive(Debug, Clone, PartialEq)]
pub struct Repeat {
    /// How often.
    pub times: Times,
    /// The phases; at least one.
    pub of: Vec<Phase>,
}

/// How often a [`Repeat`] repeats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Times {
    /// This many copies that fill the phase.
    Count(u64),
    /// One copy per period; the last one may be cut off by the end.
    Every(Span),
}

impl Form for Repeat {
    fn read(args: &mut Args<'_>, lead: Option<f64>) -> Result<Self, Fault> {
        let times = match (lead, args.one("every")?) {
            (Some(count), None) if floor(count) == count && (1.0..=1e15).contains(&count) => {
                Times::Count(count as u64)
            }
            (None, Some(every)) => Times::Every(every),
            _ => {
                return Err(args
                    .fault("`repeat` needs either a whole number of copies or `every`")
                    .expected("`repeat 3 (cosine)` or `repeat every 10ep (cosine)`, for example"));
            }
        };
        Ok(Self { times, of: phases(args)? })
    }

    fn write(&self, node: &mut Node) {
        if let Times::Every(every) = self.times {
            node.set("every", every);
        }
        write_phases(&self.of, node);
    }

    fn check(&self) -> Result<(), Problem> {
        match self.times {
            Times::Count(0) => Err(Problem::Settings("it needs at least one copy")),
            Times::Count(_) => check_phases(&self.of),
            Times::Every(every) => {
                super::check_spans("every", [&every]).and_then(|()| check_phases(&self.of))
            }
        }
    }

    fn resolve(&self, cx: &Context<'_>) -> Result<Piece, Trouble> {
        if cx.steps() == 0 {
            return Ok(Piece::Track(cx.track(&self.of)?));
        }
        let copies = self.copies(cx)?;
        let short = copies.shortest();
        let repeated = Repeated {
            copies,
            short_steps: short,
            short: cx.of_copy(short)?.track(&self.of)?,
            long: match copies.all_equal() {
                true => None,
                false => Some(cx.of_copy(short + 1)?.track(&self.of)?),
            },
            end: 0.0,
        };
        let end = repeated.before(cx.steps());
        Ok(Piece::other(Repeated { end, ..repeated }))
    }
}

impl Repeat {
    fn copies(&self, cx: &Context<'_>) -> Result<Copies, Problem> {
        match self.times {
            Times::Count(count) if count > cx.steps() => {
                Err(Problem::Settings("there are more copies than steps"))
            }
            Times::Count(count) => Ok(Copies::Share { steps: cx.steps(), count }),
            Times::Every(every) => Ok(Copies::Period(cx.period("every", every)?.steps())),
        }
    }

    /// The context of the first copy.
    pub(crate) fn first_copy<'h>(&self, cx: &Context<'h>) -> Result<Context<'h>, Problem> {
        cx.of_copy(self.copies(cx)?.border(1).min(cx.steps()))
    }
}

#[derive(Debug, Clone, Copy)]
enum Copies {
    Share { steps: u64, count: u64 },
    Period(f64),
}

impl Copies {
    /// The first update of copy i: i periods, rounded to the nearest.
    fn border(&self, i: u64) -> u64 {
        match self {
            Self::Share { steps, count } => {
                let (i, steps, count) = (u128::from(i), u128::from(*steps), u128::from(*count));
                ((2 * i * steps + count) / (2 * count)) as u64
            }
            Self::Period(period) => floor(i as f64 * period + 0.5) as u64,
        }
    }

    fn period(&self) -> f64 {
        match self {
            Self::Share { steps, count } => *steps as f64 / *count as f64,
            Self::Period(period) => *period,
        }
    }

    fn shortest(&self) -> u64 {
        match self {
            Self::Share { steps, count } => steps / count,
            Self::Period(period) => floor(*period) as u64,
        }
    }

    fn all_equal(&self) -> bool {
        match self {
            Self::Share { steps, count } => steps.is_multiple_of(*count),
            Self::Period(period) => floor(*period) == *period,
        }
    }

    /// The copy that update k lies in.
    fn index(&self, k: u64) -> u64 {
        let mut i = floor((k as f64 + 0.5) / self.period()) as u64;
        while i > 0 && self.border(i) > k {
            i -= 1;
        }
        while self.border(i + 1) <= k {
            i += 1;
        }
        i
    }
}

struct Repeated {
    copies: Copies,
    short_steps: u64,
    short: Track,
    long: Option<Track>,
    end: f64,
}

impl Repeated {
    fn copy(&self, k: u64) -> (u64, u64, &Track) {
        let i = self.copies.index(k);
        let (start, end) = (self.copies.border(i), self.copies.border(i + 1));
        match &self.long {
            Some(long) if end - start > self.short_steps => (start, end, long),
            _ => (start, end, &self.short),
        }
    }

    /// The level that is approached at update k from before.
    fn before(&self, k: u64) -> f64 {
        let (start, end, track) = self.copy(k.saturating_sub(1));
        if k >= end { track.end() } else { track.at(k - start) }
    }
}

impl Eval for Repeated {
    fn at(&self, k: u64) -> f64 {
        let (start, _, track) = self.copy(k);
        track.at(k - start)
    }

    fn cut_off(&self, updates: u64) -> f64 {
        let (start, end, _) = self.copy(updates.saturating_sub(1));
        (end - updates) as f64 / (end - start) as f64
    }

    fn end(&self) -> f64 {
        self.end
    }

    fn fill(&self, k: u64, out: &mut [f64]) {
        let (mut k, mut out) = (k, out);
        while !out.is_empty() {
            let (start, end, track) = self.copy(k);
            let count = (end - k).min(out.len() as u64) as usize;
            let (now, later) = out.split_at_mut(count);
            track.fill(k - start, now);
            out = later;
            k += count as u64;
        }
    }
}
