//! `step`: jumps.
use alloc::vec::Vec;

use super::{Form, check_factors, check_levels, check_spans};
use crate::curve::{Context, Eval, Period, Piece};
use crate::error::{Problem, Trouble};
use crate::math::bounded_product;
use crate::measure::{Level, Span};
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};

/// `step every 30ep by 0.1`, `step at 50% 75% by 0.1`, `step at 50% 75% to 0.1 0.01`: the rate jumps.
///
/// The update at which a period is full (or at the time given) has the new level already. First update: `from`.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// When it jumps.
    pub when: When,
    /// Where it jumps to.
    pub jump: Jump,
    /// The level of the first update; `None`: where the phase before ended, or the peak.
    pub from: Option<Level>,
}

/// When a [`Step`] jumps, counted from the start of the phase.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// After every period.
    Every(Span),
    /// At these times, in rising order.
    At(Vec<Span>),
}

/// Where a [`Step`] jumps to.
#[derive(Debug, Clone, PartialEq)]
pub enum Jump {
    /// The rate is multiplied: by the same factor each time, or with [`When::At`] by one factor per time.
    By(Vec<f64>),
    /// One level per time; only with [`When::At`].
    To(Vec<Level>),
}

impl Form for Step {
    fn read(args: &mut Args<'_>, _: Option<f64>) -> Result<Self, Fault> {
        let from = args.one("from")?;
        let (every, at) = (args.one("every")?, args.many("at")?);
        let (by, to) = (args.many("by")?, args.many("to")?);
        let when = match (every, at.is_empty()) {
            (Some(every), true) => When::Every(every),
            (None, false) => When::At(at),
            _ => {
                return Err(args
                    .fault("`step` needs either `every` or `at`")
                    .expected("`step every 30ep by 0.1` or `step at 50% 75% by 0.1`, for example"));
            }
        };
        let jump = match (by.is_empty(), to.is_empty()) {
            (false, true) => Jump::By(by),
            (true, false) => Jump::To(to),
            _ => {
                return Err(args
                    .fault("`step` needs either `by` or `to`")
                    .expected("`by` and a factor, or `to` and one level for each time"));
            }
        };
        Ok(Self { when, jump, from })
    }

    fn write(&self, node: &mut Node) {
        node.set_some("from", self.from);
        match &self.when {
            When::Every(every) => node.set("every", *every),
            When::At(times) => node.set_all("at", times),
        }
        match &self.jump {
            Jump::By(factors) => node.set_all("by", factors),
            Jump::To(levels) => node.set_all("to", levels),
        }
    }

    fn check(&self) -> Result<(), Problem> {
        check_levels("from", &self.from)?;
        match &self.when {
            When::Every(every) => check_spans("every", [every])?,
            When::At(times) if times.is_empty() => return Err(Problem::Settings("`at` needs a time")),
            When::At(times) => check_spans("at", times)?,
        }
        match &self.jump {
            Jump::By(factors) => check_factors("by", factors)?,
            Jump::To(levels) => check_levels("to", levels)?,
        }
        match (&self.when, &self.jump) {
            (_, Jump::By(factors)) if factors.len() == 1 => Ok(()),
            (When::Every(_), _) => Err(Problem::Settings("`every` goes with one factor `by`")),
            (When::At(times), Jump::By(factors)) if factors.len() == times.len() => Ok(()),
            (When::At(times), Jump::To(levels)) if levels.len() == times.len() => Ok(()),
            _ => Err(Problem::Settings("`at` needs as many levels `to` or factors `by` as times")),
        }
    }

    fn resolve(&self, cx: &Context<'_>) -> Result<Piece, Trouble> {
        let from = cx.start(self.from)?;
        match (&self.when, &self.jump) {
            (When::Every(every), Jump::By(factors)) => {
                let by = factors.first().copied().unwrap_or(1.0);
                let period = cx.period("every", *every)?;
                let end = match cx.steps() {
                    0 => from,
                    n => power(from, by, period.index(n - 1)),
                };
                Ok(Piece::other(Stairs { from, by, period, end }))
            }
            (When::At(times), jump) => Ok(Piece::other(self.jumps(cx, from, times, jump)?)),
            _ => Err(Problem::Settings("`every` goes with one factor `by`").into()),
        }
    }
}

impl Step {
    fn jumps(&self, cx: &Context<'_>, from: f64, times: &[Span], jump: &Jump) -> Result<Jumps, Trouble> {
        let starts = times.iter().map(|span| cx.span(*span)).collect::<Result<Vec<f64>, _>>()?;
        if starts.windows(2).any(|pair| pair[0] > pair[1]) {
            return Err(Problem::Settings("the times `at` must rise").into());
        }
        let levels: Vec<f64> = match jump {
            Jump::To(levels) => levels.iter().map(|level| cx.level(*level)).collect::<Result<_, _>>()?,
            Jump::By(factors) => match factors.as_slice() {
                [by] => (1..=starts.len() as u64).map(|i| power(from, *by, i)).collect(),
                factors => factors
                    .iter()
                    .scan(1.0, |product, by| {
                        *product = bounded_product(*product, *by);
                        Some(bounded_product(from, *product))
                    })
                    .collect(),
            },
        };
        let jumps = Jumps { from, starts, levels, end: from };
        let end = cx.steps().checked_sub(1).map_or(from, |last| jumps.at(last));
        Ok(Jumps { end, ..jumps })
    }
}

/// from·by^i, never above the largest float.
fn power(from: f64, by: f64, i: u64) -> f64 {
    bounded_product(from, libm::pow(by, i as f64))
}

struct Stairs {
    from: f64,
    by: f64,
    period: Period,
    end: f64,
}

impl Eval for Stairs {
    fn at(&self, k: u64) -> f64 {
        power(self.from, self.by, self.period.index(k))
    }

    fn end(&self) -> f64 {
        self.end
    }
}

struct Jumps {
    from: f64,
    starts: Vec<f64>,
    levels: Vec<f64>,
    end: f64,
}

impl Eval for Jumps {
    fn at(&self, k: u64) -> f64 {
        let passed = self.starts.partition_point(|start| *start <= k as f64);
        passed.checked_sub(1).and_then(|i| self.levels.get(i)).copied().unwrap_or(self.from)
    }

    fn end(&self) -> f64 {
        self.end
    }
}
