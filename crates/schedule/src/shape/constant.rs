//! `constant`: one level.
use super::{Form, check_levels};
use crate::curve::{Context, Piece};
use crate::error::{Problem, Trouble};
use crate::measure::Level;
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};

/// `constant 20% from 0.5`: one level for the whole phase.
///
/// First and last update: at that level. Without `from`, it is the level where the phase before ended, or the peak.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Constant {
    /// The level.
    pub from: Option<Level>,
}

impl Form for Constant {
    fn read(args: &mut Args<'_>, _: Option<f64>) -> Result<Self, Fault> {
        Ok(Self { from: args.one("from")? })
    }

    fn write(&self, node: &mut Node) {
        node.set_some("from", self.from);
    }

    fn check(&self) -> Result<(), Problem> {
        check_levels("from", &self.from)
    }

    fn resolve(&self, cx: &Context<'_>) -> Result<Piece, Trouble> {
        Ok(Piece::Hold(cx.start(self.from)?))
    }
}
