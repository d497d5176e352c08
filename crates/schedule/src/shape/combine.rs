//! `min`, `max`, `product`, `sum`: several schedules at once.
use alloc::vec::Vec;

use super::Form;
use super::sequence::{check_phases, phases, write_phases};
use crate::curve::{Context, Eval, Piece, Track};
use crate::error::{Problem, Trouble};
use crate::math::bounded_product;
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};
use crate::schedule::Phase;

/// `min(cosine, inverse-sqrt timescale 4000)`: several schedules at once, update by update.
///
/// Each part is one phase over the whole span; several phases in a row need their own parentheses. In a product the
/// first part has the units of the rate and the others are factors. First and last update: those of the parts,
/// combined.
#[derive(Debug, Clone, PartialEq)]
pub struct Combine {
    /// How.
    pub how: How,
    /// The parts; at least one.
    pub of: Vec<Phase>,
}

/// How a [`Combine`] combines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// `min`: the lowest.
    Min,
    /// `max`: the highest.
    Max,
    /// `product`: all multiplied.
    Product,
    /// `sum`: all added.
    Sum,
}

impl How {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Max => "max",
            Self::Product => "product",
            Self::Sum => "sum",
        }
    }

    fn fold(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Min => a.min(b),
            Self::Max => a.max(b),
            Self::Product => bounded_product(a, b),
            Self::Sum => (a + b).min(f64::MAX),
        }
    }
}

impl Form for Combine {
    fn read(args: &mut Args<'_>, _: Option<f64>) -> Result<Self, Fault> {
        let how = match args.word() {
            "min" => How::Min,
            "max" => How::Max,
            "product" => How::Product,
            _ => How::Sum,
        };
        Ok(Self { how, of: phases(args)? })
    }

    fn write(&self, node: &mut Node) {
        write_phases(&self.of, node);
    }

    fn check(&self) -> Result<(), Problem> {
        check_phases(&self.of)
    }

    fn resolve(&self, cx: &Context<'_>) -> Result<Piece, Trouble> {
        let parts = self.parts(cx).map(|(cx, part)| cx.track(part)).collect::<Result<Vec<Track>, _>>()?;
        Ok(Piece::other(Combined { how: self.how, parts }))
    }
}

impl Combine {
    /// Each of the phases with its context: in a product, all but the first are factors.
    pub(crate) fn parts<'p, 'h>(
        &'p self,
        cx: &Context<'h>,
    ) -> impl Iterator<Item = (Context<'h>, &'p [Phase])> {
        let (cx, factors) = (*cx, cx.of_factors());
        self.of
            .chunks(1)
            .enumerate()
            .map(move |(i, part)| (if self.how == How::Product && i > 0 { factors } else { cx }, part))
    }
}

struct Combined {
    how: How,
    parts: Vec<Track>,
}

impl Combined {
    fn fold(&self, value: impl Fn(&Track) -> f64) -> f64 {
        let combined = self.parts.iter().map(value).reduce(|a, b| self.how.fold(a, b));
        combined.unwrap_or(0.0)
    }
}

impl Eval for Combined {
    fn at(&self, k: u64) -> f64 {
        self.fold(|part| part.at(k))
    }

    fn end(&self) -> f64 {
        self.fold(Track::end)
    }
}
