//! `restarts`: anneal, jump back up, anneal again.
use alloc::vec::Vec;

use super::{Form, check_levels, check_spans};
use crate::curve::{Context, Eval, Period, Piece, Place, Slope};
use crate::ease::Ease;
use crate::error::{Problem, Trouble};
use crate::math::bounded_product;
use crate::measure::{Level, Span};
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};

/// `restarts every 10ep grow 2 peak 0.8 to 0.01`: SGDR, cycles that each anneal from a peak to a floor.
///
/// Cycle i anneals from from·peak^i to `to` along a cosine (or `along` another ease); its first update, the one at
/// which its start is reached, is at the peak. The borders of the cycles are exact: they are not rounded to whole
/// updates, so that a period of 7.5 updates has its second cycle start half way between two. First update: `from`.
/// The phase ends at the level that the cycle in progress approaches at its end. Source: Loshchilov & Hutter, SGDR,
/// 2017.
#[derive(Debug, Clone, PartialEq)]
pub struct Restarts {
    /// The cycles.
    pub cycles: Cycles,
    /// The peak of each cycle as a multiple of the one before, default 1.
    pub peak: f64,
    /// The first peak; `None`: where the phase before ended, or the peak.
    pub from: Option<Level>,
    /// The floor; `None`: 0.
    pub to: Option<Level>,
    /// The way down, default cosine.
    pub along: Ease,
}

/// When the cycles of [`Restarts`] begin.
#[derive(Debug, Clone, PartialEq)]
pub enum Cycles {
    /// `every 10ep grow 2 cycles 3`: the first cycle's length, by how much each is longer than the one before
    /// (default 1), and how many there are at most; the floor holds after them.
    Every {
        /// Length of the first cycle.
        period: Span,
        /// Each cycle's length as a multiple of the one before.
        grow: f64,
        /// At most this many.
        cycles: Option<u64>,
    },
    /// `cycles 4 grow 2`: this many cycles that fill the phase.
    Count {
        /// How many.
        cycles: u64,
        /// Each cycle's length as a multiple of the one before.
        grow: f64,
    },
    /// `at 10ep 30ep`: restarts at these times, counted from the start of the phase; the last cycle lasts to its end.
    At(Vec<Span>),
}

/// More cycles than this cannot be listed; equal ones need no list.
const MOST_CYCLES: usize = 1 << 20;

impl Restarts {
    /// Equal cycles down to 0 along a cosine.
    pub fn every(period: impl Into<Span>) -> Self {
        let cycles = Cycles::Every { period: period.into(), grow: 1.0, cycles: None };
        Self { cycles, peak: 1.0, from: None, to: None, along: Ease::COSINE }
    }
}

impl Form for Restarts {
    fn read(args: &mut Args<'_>, _: Option<f64>) -> Result<Self, Fault> {
        let (from, to) = (args.one("from")?, args.one("to")?);
        let (every, at) = (args.one("every")?, args.many("at")?);
        let cycles = args.one("cycles")?;
        let grow: Option<f64> = args.one("grow")?;
        let cycles = match (every, at.is_empty(), cycles) {
            (Some(period), true, cycles) => Cycles::Every { period, grow: grow.unwrap_or(1.0), cycles },
            (None, true, Some(cycles)) => Cycles::Count { cycles, grow: grow.unwrap_or(1.0) },
            (None, false, None) if grow.is_none() => Cycles::At(at),
            _ => {
                return Err(args
                    .fault("`restarts` needs `every` (with `grow`, `cycles`), or `cycles`, or `at`")
                    .expected(
                        "`restarts every 10ep grow 2`, `restarts cycles 4` or `restarts at 10ep 30ep`",
                    ));
            }
        };
        let peak = args.one("peak")?.unwrap_or(1.0);
        Ok(Self { cycles, peak, from, to, along: Ease::read_along(args, Ease::COSINE)? })
    }

    fn write(&self, node: &mut Node) {
        node.set_some("from", self.from);
        node.set_some("to", self.to);
        match &self.cycles {
            Cycles::Every { period, grow, cycles } => {
                node.set("every", *period);
                node.set_some("cycles", cycles.map(|n| n as f64));
                node.set_unless("grow", *grow, 1.0);
            }
            Cycles::Count { cycles, grow } => {
                node.set("cycles", *cycles as f64);
                node.set_unless("grow", *grow, 1.0);
            }
            Cycles::At(times) => node.set_all("at", times),
        }
        node.set_unless("peak", self.peak, 1.0);
        self.along.write_along(node, Ease::COSINE);
    }

    fn check(&self) -> Result<(), Problem> {
        check_levels("from", &self.from)?;
        check_levels("to", &self.to)?;
        self.along.check()?;
        let positive = |setting, value: f64| match value > 0.0 && value <= 1e6 {
            true => Ok(()),
            false => Err(Problem::Range { setting, rule: "above 0 and at most 1e6", value }),
        };
        positive("peak", self.peak)?;
        match &self.cycles {
            Cycles::Every { period, grow, cycles } => {
                check_spans("every", [period])?;
                positive("grow", *grow)?;
                cycles.map_or(Ok(()), |n| positive("cycles", n as f64))
            }
            Cycles::Count { cycles, grow } => {
                positive("grow", *grow)?;
                positive("cycles", *cycles as f64)
            }
            Cycles::At(times) if times.is_empty() => Err(Problem::Settings("`at` needs a time")),
            Cycles::At(times) => check_spans("at", times),
        }
    }

    fn resolve(&self, cx: &Context<'_>) -> Result<Piece, Trouble> {
        let from = cx.start(self.from)?;
        let to = cx.level(self.to.unwrap_or(Level::Relative(0.0)))?;
        let grid = self.cycles.grid(cx)?;
        let first = Slope::new(self.along, from, to)?;
        let restarting = Restarting { grid, first, peak: self.peak, end: to };
        let last = cx.steps().checked_sub(1).and_then(|last| restarting.slope_at(last));
        let end = last.map_or(to, |slope| slope.end());
        Ok(Piece::other(Restarting { end, ..restarting }))
    }
}

impl Cycles {
    fn grid(&self, cx: &Context<'_>) -> Result<Grid, Trouble> {
        match self {
            Self::Every { period, grow, cycles } => {
                let period = cx.period("every", *period)?;
                match *grow == 1.0 {
                    true => Ok(Grid::Equal { period, cycles: cycles.unwrap_or(u64::MAX) }),
                    false => growing(period.steps(), *grow, cycles.unwrap_or(u64::MAX), cx.steps()),
                }
            }
            Self::Count { cycles, grow } if *grow == 1.0 => {
                Ok(Grid::Equal { period: Period::share(cx.steps(), *cycles), cycles: *cycles })
            }
            Self::Count { cycles, grow } => {
                // The first of n growing cycles that fill the phase: n_0·(grow^n − 1)/(grow − 1) = steps.
                let sum = libm::expm1(*cycles as f64 * libm::log(*grow)) / (grow - 1.0);
                growing(cx.steps() as f64 / sum, *grow, *cycles, cx.steps())
            }
            Self::At(times) => {
                let mut borders = Vec::with_capacity(times.len() + 2);
                borders.push(0.0);
                for span in times {
                    borders.push(cx.span(*span)?);
                }
                if borders.windows(2).any(|pair| pair[0] >= pair[1]) {
                    return Err(Problem::Settings("the times `at` must rise, from above 0").into());
                }
                let n = cx.steps() as f64;
                borders.retain(|border| *border < n || *border == 0.0);
                borders.push(n);
                Ok(Grid::Listed(borders))
            }
        }
    }
}

/// The borders of cycles of length `first`·`grow`^i over `steps` updates, by exact sums where they are whole.
fn growing(first: f64, grow: f64, cycles: u64, steps: u64) -> Result<Grid, Trouble> {
    let (mut borders, mut length) = (alloc::vec![0.0], first);
    let mut last = 0.0;
    while last < steps as f64 && (borders.len() as u64) <= cycles {
        if borders.len() > MOST_CYCLES || length < 1e-3 {
            return Err(Problem::Settings("its cycles become too many or too short for this horizon").into());
        }
        last += length;
        borders.push(last);
        length *= grow;
    }
    Ok(Grid::Listed(borders))
}

/// Where the cycles begin and end.
enum Grid {
    Equal { period: Period, cycles: u64 },
    Listed(Vec<f64>),
}

impl Grid {
    /// The cycle in which the k-th update lies; `None` after the last one.
    fn place(&self, k: u64) -> Option<Place> {
        match self {
            Self::Equal { period, cycles } => Some(period.place(k)).filter(|place| place.index < *cycles),
            Self::Listed(borders) => {
                let k = k as f64;
                let index = borders.partition_point(|border| *border <= k).checked_sub(1)?;
                let (start, end) = (*borders.get(index)?, *borders.get(index + 1)?);
                Some(Place { index: index as u64, gone: k - start, left: end - k, length: end - start })
            }
        }
    }
}

struct Restarting {
    grid: Grid,
    first: Slope,
    peak: f64,
    end: f64,
}

impl Restarting {
    /// The way down in the cycle of this index.
    fn slope(&self, index: u64) -> Slope {
        match index == 0 || self.peak == 1.0 {
            true => self.first,
            false => {
                let peak = bounded_product(self.first.start(), libm::pow(self.peak, index as f64));
                self.first.with_start(peak)
            }
        }
    }

    fn slope_at(&self, k: u64) -> Option<Slope> {
        self.grid.place(k).map(|place| self.slope(place.index))
    }
}

impl Eval for Restarting {
    fn at(&self, k: u64) -> f64 {
        match self.grid.place(k) {
            Some(place) => self.slope(place.index).at(place.gone, place.left, place.length),
            None => self.first.end(),
        }
    }

    fn cut_off(&self, updates: u64) -> f64 {
        match (&self.grid, self.grid.place(updates.saturating_sub(1))) {
            (_, None) => 0.0,
            (Grid::Equal { period, .. }, Some(_)) => period.cut_off(updates),
            (Grid::Listed(_), Some(place)) => ((place.left - 1.0) / place.length).max(0.0),
        }
    }

    fn end(&self) -> f64 {
        self.end
    }
}
