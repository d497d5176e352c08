//! `table`: levels given one by one.
use alloc::vec::Vec;

use super::{Form, check_levels, check_spans};
use crate::curve::{Context, Eval, Period, Piece, Slope};
use crate::ease::Ease;
use crate::error::{Problem, Trouble};
use crate::measure::{Level, Span};
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};

/// `table levels 1 0.9 0.5 every 1ep along linear`: levels given one by one, each for one period (default: one update).
///
/// Each level holds for its period, or with `along` goes over to the next one. The last level holds from its time on.
/// First update: the first level.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The levels.
    pub levels: Vec<Level>,
    /// How long each one is in force; `None`: one update.
    pub every: Option<Span>,
    /// The way from each level to the next; `None`: a jump.
    pub along: Option<Ease>,
}

impl Form for Table {
    fn read(args: &mut Args<'_>, _: Option<f64>) -> Result<Self, Fault> {
        let levels: Vec<Level> = args.many("levels")?;
        if levels.is_empty() {
            return Err(args
                .fault("`table` needs its `levels`")
                .expected("`table levels 1 0.9 0.5`, for example"));
        }
        let every = args.one("every")?;
        let along = args.has("along").then(|| Ease::read_along(args, Ease::LINEAR)).transpose()?;
        Ok(Self { levels, every, along })
    }

    fn write(&self, node: &mut Node) {
        node.set_all("levels", &self.levels);
        node.set_some("every", self.every);
        if let Some(ease) = self.along {
            node.set("along", ease.form.word());
            ease.write(node);
        }
    }

    fn check(&self) -> Result<(), Problem> {
        if self.levels.is_empty() {
            return Err(Problem::Settings("it needs at least one level"));
        }
        check_levels("levels", &self.levels)?;
        check_spans("every", &self.every)?;
        self.along.map_or(Ok(()), Ease::check)
    }

    fn resolve(&self, cx: &Context<'_>) -> Result<Piece, Trouble> {
        let levels = self.levels.iter().map(|level| cx.level(*level)).collect::<Result<Vec<f64>, _>>()?;
        let period = self.every.map_or(Ok(Period::new(1.0)), |every| cx.period("every", every))?;
        let slopes = match self.along {
            None => Vec::new(),
            Some(ease) => levels
                .windows(2)
                .map(|pair| Slope::new(ease, pair[0], pair[1]))
                .collect::<Result<Vec<Slope>, _>>()?,
        };
        let listed = Listed { levels, slopes, period, end: 0.0 };
        let end = listed.at(cx.steps().saturating_sub(u64::from(self.along.is_none())));
        Ok(Piece::other(Listed { end, ..listed }))
    }
}

struct Listed {
    levels: Vec<f64>,
    slopes: Vec<Slope>,
    period: Period,
    end: f64,
}

impl Eval for Listed {
    fn at(&self, k: u64) -> f64 {
        let place = self.period.place(k);
        let index = usize::try_from(place.index).unwrap_or(usize::MAX);
        match (self.slopes.get(index), self.levels.get(index), self.levels.last()) {
            (Some(slope), ..) => slope.at(place.gone, place.left, place.length),
            (None, Some(level), _) | (None, None, Some(level)) => *level,
            (None, None, None) => 0.0,
        }
    }

    fn end(&self) -> f64 {
        self.end
    }
}
