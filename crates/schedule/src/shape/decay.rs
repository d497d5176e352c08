//! `exponential every … by …`: a constant factor per period.
use super::{Form, check_factors, check_levels, check_spans};
use crate::curve::{Context, Eval, Piece};
use crate::error::{Problem, Trouble};
use crate::math::{bounded_product, power_of_ratio};
use crate::measure::{Level, Span};
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};

/// `exponential every 1ep by 0.95`: the rate is multiplied by `by` over every period P, smoothly.
///
/// rate = from·by^(k/P). First update: `from`. Last of n updates: from·by^((n − 1)/P). The staircase with the same
/// factors is [`Step`](super::Step).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decay {
    /// The period P.
    pub every: Span,
    /// The factor per period.
    pub by: f64,
    /// The level of the first update; `None`: where the phase before ended, or the peak.
    pub from: Option<Level>,
}

impl Form for Decay {
    fn read(args: &mut Args<'_>, _: Option<f64>) -> Result<Self, Fault> {
        let from = args.one("from")?;
        match (args.one("every")?, args.one("by")?) {
            (Some(every), Some(by)) => Ok(Self { every, by, from }),
            _ => Err(args
                .fault("`exponential` needs both `every` and `by`, or neither and a level `to`")
                .expected("`exponential every 1ep by 0.95` or `exponential to 0.01`, for example")),
        }
    }

    fn write(&self, node: &mut Node) {
        node.set_some("from", self.from);
        node.set("every", self.every);
        node.set("by", self.by);
    }

    fn check(&self) -> Result<(), Problem> {
        check_levels("from", &self.from)?;
        check_spans("every", [&self.every])?;
        check_factors("by", [&self.by])
    }

    fn resolve(&self, cx: &Context<'_>) -> Result<Piece, Trouble> {
        let period = cx.period("every", self.every)?.steps();
        let last = Decaying { from: cx.start(self.from)?, by: self.by, period, end: 0.0 };
        let end = last.value(cx.steps() as f64);
        Ok(Piece::other(Decaying { end, ..last }))
    }
}

struct Decaying {
    from: f64,
    by: f64,
    period: f64,
    end: f64,
}

impl Decaying {
    fn value(&self, k: f64) -> f64 {
        match k > 0.0 {
            true if self.by > 0.0 => bounded_product(self.from, power_of_ratio(self.by, k, self.period)),
            true => 0.0,
            false => self.from,
        }
    }
}

impl Eval for Decaying {
    fn at(&self, k: u64) -> f64 {
        self.value(k as f64)
    }

    fn end(&self) -> f64 {
        self.end
    }
}
