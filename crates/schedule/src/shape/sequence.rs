//! Phases in parentheses, one after the other.
use alloc::vec::Vec;

use super::Form;
use crate::curve::{Context, Piece};
use crate::error::{Problem, Trouble};
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};
use crate::schedule::Phase;

/// `(warmup 10%, cosine)` or `sequence 50% (warmup 10%, cosine)`: phases as one phase.
///
/// Inside, `%` and the phase without a span refer to the span of the parentheses. First and last update: those of the
/// first and last phase inside.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    /// The phases; at least one.
    pub of: Vec<Phase>,
}

impl Form for Sequence {
    fn read(args: &mut Args<'_>, _: Option<f64>) -> Result<Self, Fault> {
        Ok(Self { of: phases(args)? })
    }

    fn write(&self, node: &mut Node) {
        write_phases(&self.of, node);
    }

    fn check(&self) -> Result<(), Problem> {
        check_phases(&self.of)
    }

    fn resolve(&self, cx: &Context<'_>) -> Result<Piece, Trouble> {
        Ok(Piece::Track(cx.track(&self.of)?))
    }
}

/// Reads the parts in parentheses.
pub(super) fn phases(args: &mut Args<'_>) -> Result<Vec<Phase>, Fault> {
    args.parts()?.iter().map(Phase::from_node).collect()
}

/// Writes the parts in parentheses.
pub(super) fn write_phases(of: &[Phase], node: &mut Node) {
    node.parts = Some(of.iter().map(Phase::to_node).collect());
}

pub(super) fn check_phases(of: &[Phase]) -> Result<(), Problem> {
    match of.is_empty() {
        true => Err(Problem::Settings("it needs at least one phase in parentheses")),
        false => of.iter().try_for_each(|phase| phase.shape.check()),
    }
}
