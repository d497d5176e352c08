//! `warmup`: up to the peak, without an update at rate 0.
use super::{Form, check_levels};
use crate::curve::{Context, Piece, Slope};
use crate::ease::Ease;
use crate::error::{Problem, Trouble};
use crate::measure::Level;
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};

/// `warmup 500 from 0.1 to 1 along cosine`: up to a level, counted so that no update is wasted at rate 0.
///
/// The k-th of its n updates is at progress (k + 1)/n: the first one at 1/n of the way, the last one at `to`. The
/// convention of most libraries, first update at 0 and the one after the phase at the peak, is an ordinary phase:
/// `linear 500 from 0 to 1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Warmup {
    /// The level before the first update, default 0.
    pub from: Level,
    /// The level of the last update, default the peak.
    pub to: Level,
    /// The way up, default linear.
    pub along: Ease,
}

impl Default for Warmup {
    fn default() -> Self {
        Self { from: Level::Relative(0.0), to: Level::Relative(1.0), along: Ease::LINEAR }
    }
}

impl Form for Warmup {
    fn read(args: &mut Args<'_>, _: Option<f64>) -> Result<Self, Fault> {
        let default = Self::default();
        Ok(Self {
            from: args.one("from")?.unwrap_or(default.from),
            to: args.one("to")?.unwrap_or(default.to),
            along: Ease::read_along(args, default.along)?,
        })
    }

    fn write(&self, node: &mut Node) {
        let default = Self::default();
        node.set_some("from", Some(self.from).filter(|from| *from != default.from));
        node.set_some("to", Some(self.to).filter(|to| *to != default.to));
        self.along.write_along(node, default.along);
    }

    fn check(&self) -> Result<(), Problem> {
        check_levels("from", [&self.from])?;
        check_levels("to", [&self.to])?;
        self.along.check()
    }

    fn resolve(&self, cx: &Context<'_>) -> Result<Piece, Trouble> {
        let slope = Slope::new(self.along, cx.level(self.from)?, cx.level(self.to)?)?;
        Ok(Piece::ramp(slope, cx.steps(), 1))
    }
}
