//! `cyclic`: to and fro between two levels.
use super::{Form, check_levels, check_spans};
use crate::curve::{Context, Eval, Period, Piece, Place, Slope};
use crate::ease::Ease;
use crate::error::{Problem, Trouble};
use crate::math::bounded_product;
use crate::measure::{Level, Span};
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};

/// `cyclic every 4000 from 0.1 to 1 peak 0.5`: over each period the rate goes from one level to the other and back.
///
/// First update of each cycle: `from`. The way to `to` takes `up` (default: half of the period), the way back the
/// rest. In cycle i the higher of the two levels is multiplied by peak^i. The borders are exact, not rounded to whole
/// updates. Source: Smith, Cyclical Learning Rates, 2017.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cyclic {
    /// The period: there and back.
    pub every: Span,
    /// How long the way to `to` takes; `None`: half of the period.
    pub up: Option<Span>,
    /// The level at the start of a cycle; `None`: where the phase before ended, or the peak.
    pub from: Option<Level>,
    /// The level at the turn; `None`: 0.
    pub to: Option<Level>,
    /// The higher level of each cycle as a multiple of that of the cycle before, default 1.
    pub peak: f64,
    /// The way there and back, default linear.
    pub along: Ease,
}

impl Form for Cyclic {
    fn read(args: &mut Args<'_>, _: Option<f64>) -> Result<Self, Fault> {
        let (from, to) = (args.one("from")?, args.one("to")?);
        let every = args.one("every")?.ok_or_else(|| {
            args.fault("`cyclic` needs a period").expected("`cyclic every 4000 from 0.1 to 1`, for example")
        })?;
        let (up, peak) = (args.one("up")?, args.one("peak")?.unwrap_or(1.0));
        Ok(Self { every, up, from, to, peak, along: Ease::read_along(args, Ease::LINEAR)? })
    }

    fn write(&self, node: &mut Node) {
        node.set_some("from", self.from);
        node.set_some("to", self.to);
        node.set("every", self.every);
        node.set_some("up", self.up);
        node.set_unless("peak", self.peak, 1.0);
        self.along.write_along(node, Ease::LINEAR);
    }

    fn check(&self) -> Result<(), Problem> {
        check_levels("from", &self.from)?;
        check_levels("to", &self.to)?;
        check_spans("every", [&self.every])?;
        check_spans("up", &self.up)?;
        self.along.check()?;
        match self.peak > 0.0 && self.peak <= 1e6 {
            true => Ok(()),
            false => {
                Err(Problem::Range { setting: "peak", rule: "above 0 and at most 1e6", value: self.peak })
            }
        }
    }

    fn resolve(&self, cx: &Context<'_>) -> Result<Piece, Trouble> {
        let period = cx.period("every", self.every)?;
        let up = match self.up {
            None => 0.5,
            Some(span) => cx.span(span)? / period.steps(),
        };
        if up > 1.0 {
            return Err(Problem::Settings("`up` must not be longer than the period").into());
        }
        let (from, to) = (cx.start(self.from)?, cx.level(self.to.unwrap_or(Level::Relative(0.0)))?);
        let there = Slope::new(self.along, from, to)?;
        let back = Slope::new(self.along, to, from)?;
        let cycling = Cycling { period, up, there, back, peak: self.peak, end: from };
        let end = cx.steps().checked_sub(1).map_or(from, |last| cycling.after(last));
        Ok(Piece::other(Cycling { end, ..cycling }))
    }
}

struct Cycling {
    period: Period,
    /// Share of the period that the way there takes.
    up: f64,
    there: Slope,
    back: Slope,
    peak: f64,
    end: f64,
}

impl Cycling {
    fn value(&self, place: Place) -> f64 {
        let (from, to) = self.levels(place.index);
        let turn = place.length * self.up;
        match place.gone < turn {
            true => self.there.between(from, to).at(place.gone, turn - place.gone, turn),
            false if place.left > 0.0 => {
                self.back.between(to, from).at(place.gone - turn, place.left, place.length - turn)
            }
            false => from,
        }
    }

    fn levels(&self, index: u64) -> (f64, f64) {
        let (from, to) = (self.there.start(), self.back.start());
        if index == 0 || self.peak == 1.0 {
            return (from, to);
        }
        let factor = libm::pow(self.peak, index as f64);
        match from > to {
            true => (bounded_product(from, factor), to),
            false => (from, bounded_product(to, factor)),
        }
    }

    /// The level that is approached at the end of update k.
    fn after(&self, k: u64) -> f64 {
        let place = self.period.place(k);
        let update = place.length / self.period.steps();
        let left = (place.left - update).max(0.0);
        self.value(Place { gone: (place.gone + update).min(place.length), left, ..place })
    }
}

impl Eval for Cycling {
    fn at(&self, k: u64) -> f64 {
        self.value(self.period.place(k))
    }

    fn cut_off(&self, updates: u64) -> f64 {
        self.period.cut_off(updates)
    }

    fn end(&self) -> f64 {
        self.end
    }
}
