//! `inverse-sqrt`, `inverse-time`, `power-law`: slow decays that need no horizon.
use super::{Form, check_levels, check_spans};
use crate::curve::{Context, Eval, Piece};
use crate::error::{Problem, Trouble};
use crate::math::sqrt;
use crate::measure::{Level, Span};
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};

/// `inverse-sqrt timescale 4000`: rate = from·(τ/(τ + k))^power with the time scale τ.
///
/// `inverse-sqrt` is power ½, `inverse-time` power 1, `power-law power p` any other. Without a time scale, τ is the
/// number of updates before the phase, so that `warmup 4000, inverse-sqrt` falls like 1/√t.
/// First update: `from`. Last of n updates: from·(τ/(τ + n − 1))^power. It never reaches 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerLaw {
    /// The exponent.
    pub power: f64,
    /// τ; `None`: the number of updates before the phase.
    pub timescale: Option<Span>,
    /// The level of the first update; `None`: where the phase before ended, or the peak.
    pub from: Option<Level>,
}

impl PowerLaw {
    pub(crate) fn word(&self) -> &'static str {
        match self.power {
            0.5 => "inverse-sqrt",
            1.0 => "inverse-time",
            _ => "power-law",
        }
    }
}

impl Form for PowerLaw {
    fn read(args: &mut Args<'_>, _: Option<f64>) -> Result<Self, Fault> {
        let from = args.one("from")?;
        let timescale = args.one("timescale")?;
        let power = match args.word() {
            "inverse-sqrt" => 0.5,
            "inverse-time" => 1.0,
            _ => args.one("power")?.ok_or_else(|| {
                args.fault("`power-law` needs a `power`").expected("`power-law power 0.51`, for example")
            })?,
        };
        Ok(Self { power, timescale, from })
    }

    fn write(&self, node: &mut Node) {
        node.set_some("from", self.from);
        if self.word() == "power-law" {
            node.set("power", self.power);
        }
        node.set_some("timescale", self.timescale);
    }

    fn check(&self) -> Result<(), Problem> {
        check_levels("from", &self.from)?;
        check_spans("timescale", &self.timescale)?;
        match self.power > 0.0 && self.power <= 20.0 {
            true => Ok(()),
            false => {
                Err(Problem::Range { setting: "power", rule: "above 0 and at most 20", value: self.power })
            }
        }
    }

    fn resolve(&self, cx: &Context<'_>) -> Result<Piece, Trouble> {
        let timescale = match self.timescale {
            Some(span) => cx.span(span)?,
            None => cx.before() as f64,
        };
        if timescale <= 0.0 {
            let problem = "it needs a `timescale` above 0: no update comes before this phase to take it from";
            return Err(Problem::Settings(problem).into());
        }
        let law = Law { from: cx.start(self.from)?, timescale, power: self.power, end: 0.0 };
        let end = law.at(cx.steps());
        Ok(Piece::other(Law { end, ..law }))
    }
}

struct Law {
    from: f64,
    timescale: f64,
    power: f64,
    end: f64,
}

impl Eval for Law {
    fn at(&self, k: u64) -> f64 {
        let share = self.timescale / (self.timescale + k as f64);
        self.from
            * match self.power {
                0.5 => sqrt(share),
                1.0 => share,
                power => libm::pow(share, power),
            }
    }

    fn end(&self) -> f64 {
        self.end
    }
}
