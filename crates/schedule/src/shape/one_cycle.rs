//! `one-cycle`: up to the peak and down far below the start.
use super::{Form, check_levels, check_spans};
use crate::curve::{Context, Eval, Piece, Slope};
use crate::ease::Ease;
use crate::error::{Problem, Trouble};
use crate::measure::{Level, Span};
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};

/// `one-cycle up 30% from 0.04 to 4e-6`: from a low level up to the peak, then down to a floor.
///
/// With `down`, the way down first returns to `from` in that time, and the rest of the phase goes on to `to` (the
/// third phase). The borders are exact, not rounded to whole updates. First update: `from`; `to` belongs to the update
/// after the last one. Source: Smith & Topin, Super-Convergence, 2018; the defaults are those of PyTorch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneCycle {
    /// How long the way up takes, default 30%.
    pub up: Span,
    /// How long the way back to `from` takes, if the phase has a third part.
    pub down: Option<Span>,
    /// The level of the first update, default 1/25.
    pub from: Level,
    /// The level at the end, default 4e-6.
    pub to: Level,
    /// The way of each part, default cosine.
    pub along: Ease,
}

impl Default for OneCycle {
    fn default() -> Self {
        Self {
            up: Span::percent(30.0),
            down: None,
            from: Level::Relative(0.04),
            to: Level::Relative(4e-6),
            along: Ease::COSINE,
        }
    }
}

impl Form for OneCycle {
    fn read(args: &mut Args<'_>, _: Option<f64>) -> Result<Self, Fault> {
        let default = Self::default();
        Ok(Self {
            from: args.one("from")?.unwrap_or(default.from),
            to: args.one("to")?.unwrap_or(default.to),
            up: args.one("up")?.unwrap_or(default.up),
            down: args.one("down")?,
            along: Ease::read_along(args, default.along)?,
        })
    }

    fn write(&self, node: &mut Node) {
        let default = Self::default();
        node.set_some("from", Some(self.from).filter(|from| *from != default.from));
        node.set_some("to", Some(self.to).filter(|to| *to != default.to));
        node.set_some("up", Some(self.up).filter(|up| *up != default.up));
        node.set_some("down", self.down);
        self.along.write_along(node, default.along);
    }

    fn check(&self) -> Result<(), Problem> {
        check_levels("from", [&self.from])?;
        check_levels("to", [&self.to])?;
        check_spans("up", [&self.up])?;
        check_spans("down", &self.down)?;
        self.along.check()
    }

    fn resolve(&self, cx: &Context<'_>) -> Result<Piece, Trouble> {
        let steps = cx.steps() as f64;
        let up = cx.span(self.up)?;
        let down = self.down.map_or(Ok(0.0), |down| cx.span(down))?;
        if up + down > steps {
            return Err(Problem::Overfull { needed: up + down, available: cx.steps() }.into());
        }
        let (from, to) = (cx.level(self.from)?, cx.level(self.to)?);
        let peak = cx.level(Level::Relative(1.0))?;
        let rise = Slope::new(self.along, from, peak)?;
        let (fall, last) = match self.down {
            None => (None, Slope::new(self.along, peak, to)?),
            Some(_) => (Some(Slope::new(self.along, peak, from)?), Slope::new(self.along, from, to)?),
        };
        Ok(Piece::other(Cycle { up, top: up + down, steps, rise, fall, last }))
    }
}

struct Cycle {
    /// Where the way up ends.
    up: f64,
    /// Where the last part begins.
    top: f64,
    steps: f64,
    rise: Slope,
    fall: Option<Slope>,
    last: Slope,
}

impl Eval for Cycle {
    fn at(&self, k: u64) -> f64 {
        let k = k as f64;
        if k < self.up {
            return self.rise.at(k, self.up - k, self.up);
        }
        match self.fall {
            Some(fall) if k < self.top => fall.at(k - self.up, self.top - k, self.top - self.up),
            _ => self.last.at(k - self.top, self.steps - k, self.steps - self.top),
        }
    }

    fn end(&self) -> f64 {
        self.last.end()
    }
}
