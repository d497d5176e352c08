//! Ramps: from one level to another along an ease.
use super::{Form, check_levels};
use crate::curve::{Context, Piece, Slope};
use crate::ease::{Ease, EaseForm};
use crate::error::{Problem, Trouble};
use crate::measure::Level;
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};

/// `cosine 90% from 1 to 0.1`: from one level to another; the word is that of the ease.
///
/// The k-th of n updates is at progress k/n: the first update is at `from`, and `to` belongs to the update after the
/// last one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ramp {
    /// The way.
    pub ease: Ease,
    /// The level of the first update; `None`: where the phase before ended, or the peak.
    pub from: Option<Level>,
    /// The level of the update after the phase; `None`: 0.
    pub to: Option<Level>,
}

impl Ramp {
    /// From the level before down to 0.
    pub fn new(ease: impl Into<Ease>) -> Self {
        Self { ease: ease.into(), from: None, to: None }
    }

    /// A straight line down to 0.
    pub fn linear() -> Self {
        Self::new(EaseForm::Linear)
    }

    /// A half cosine down to 0.
    pub fn cosine() -> Self {
        Self::new(EaseForm::COSINE)
    }

    /// The same from another level.
    #[must_use]
    pub fn from(mut self, from: impl Into<Level>) -> Self {
        self.from = Some(from.into());
        self
    }

    /// The same to another level.
    #[must_use]
    pub fn to(mut self, to: impl Into<Level>) -> Self {
        self.to = Some(to.into());
        self
    }
}

impl Form for Ramp {
    fn read(args: &mut Args<'_>, _: Option<f64>) -> Result<Self, Fault> {
        let (from, to) = (args.one("from")?, args.one("to")?);
        match Ease::read(args.word(), args)? {
            Some(ease) => Ok(Self { ease, from, to }),
            None => Err(args.fault("not a shape between two levels")),
        }
    }

    fn write(&self, node: &mut Node) {
        node.set_some("from", self.from);
        node.set_some("to", self.to);
        self.ease.write(node);
    }

    fn check(&self) -> Result<(), Problem> {
        check_levels("from", &self.from)?;
        check_levels("to", &self.to)?;
        self.ease.check()
    }

    fn resolve(&self, cx: &Context<'_>) -> Result<Piece, Trouble> {
        let to = cx.level(self.to.unwrap_or(Level::Relative(0.0)))?;
        let slope = Slope::new(self.ease, cx.start(self.from)?, to)?;
        Ok(Piece::ramp(slope, cx.steps(), 0))
    }
}
