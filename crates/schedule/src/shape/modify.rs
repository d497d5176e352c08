//! `clamp`, `scale`, `shift`, `stretch`, `stairs`, `noise`: a schedule, changed.
use alloc::vec::Vec;

use super::part::stretch_of;
use super::sequence::{check_phases, phases, write_phases};
use super::{Form, check_factors, check_levels, check_spans};
use crate::curve::{Context, Eval, Period, Piece, Track};
use crate::error::{Problem, Trouble};
use crate::math::bounded_product;
use crate::measure::{Level, Span};
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};
use crate::schedule::Phase;

/// A schedule in parentheses, changed in one way. Inside, `%` refers to the span of the whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Modify {
    /// What is changed.
    pub change: Change,
    /// The phases; at least one.
    pub of: Vec<Phase>,
}

/// What a [`Modify`] changes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// `clamp from 0.1 to 1 (…)`: never below `from`, never above `to`; one of the two may be missing.
    Clamp {
        /// The lowest level.
        from: Option<Level>,
        /// The highest level.
        to: Option<Level>,
    },
    /// `scale by 0.5 (…)`: the rate is multiplied.
    Scale {
        /// The factor.
        by: f64,
    },
    /// `shift ahead 500 (…)`: the updates read the schedule this far ahead of themselves. The horizon of what is in
    /// parentheses stays the span, after whose end its last level holds.
    Shift {
        /// How far, rounded to whole updates.
        ahead: Span,
    },
    /// `stretch 2 (…)`: every time inside is multiplied, be it in steps, epochs or tokens; shares stay.
    Stretch {
        /// The factor.
        factor: f64,
    },
    /// `stairs every 1ep (…)`: each period keeps the rate of its first update, as when a schedule is stepped once per
    /// epoch.
    Stairs {
        /// The period.
        every: Span,
    },
    /// `noise size 0.1 seed 7 (…)`: the rate is multiplied by 1 + size·z, with z from −1 to 1, uniform, drawn for each
    /// update of the phase from the seed and the update alone.
    Noise {
        /// The largest relative change, at most 1.
        size: f64,
        /// The seed.
        seed: u64,
    },
}

impl Change {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Clamp { .. } => "clamp",
            Self::Scale { .. } => "scale",
            Self::Shift { .. } => "shift",
            Self::Stretch { .. } => "stretch",
            Self::Stairs { .. } => "stairs",
            Self::Noise { .. } => "noise",
        }
    }

    fn read(args: &mut Args<'_>, lead: Option<f64>) -> Result<Self, Fault> {
        let needs = |args: &Args<'_>, what: &str, example: &str| args.fault(what).expected(example);
        Ok(match args.word() {
            "clamp" => Self::Clamp { from: args.one("from")?, to: args.one("to")? },
            "scale" => match args.one("by")? {
                Some(by) => Self::Scale { by },
                None => return Err(needs(args, "`scale` needs a factor `by`", "`scale by 0.5 (cosine)`")),
            },
            "shift" => match args.one("ahead")? {
                Some(ahead) => Self::Shift { ahead },
                None => return Err(needs(args, "`shift` needs `ahead`", "`shift ahead 1 (cosine)`")),
            },
            "stretch" => match lead {
                Some(factor) => Self::Stretch { factor },
                None => {
                    return Err(needs(args, "`stretch` needs a factor", "`stretch 2 (warmup 500, cosine)`"));
                }
            },
            "stairs" => match args.one("every")? {
                Some(every) => Self::Stairs { every },
                None => return Err(needs(args, "`stairs` needs `every`", "`stairs every 1ep (cosine)`")),
            },
            _ => match args.one("size")? {
                Some(size) => Self::Noise { size, seed: args.one("seed")?.unwrap_or(0) },
                None => {
                    return Err(needs(args, "`noise` needs a `size`", "`noise size 0.1 seed 7 (cosine)`"));
                }
            },
        })
    }
}

impl Form for Modify {
    fn read(args: &mut Args<'_>, lead: Option<f64>) -> Result<Self, Fault> {
        Ok(Self { change: Change::read(args, lead)?, of: phases(args)? })
    }

    fn write(&self, node: &mut Node) {
        match self.change {
            Change::Clamp { from, to } => {
                node.set_some("from", from);
                node.set_some("to", to);
            }
            Change::Scale { by } => node.set("by", by),
            Change::Shift { ahead } => node.set("ahead", ahead),
            Change::Stretch { .. } => {}
            Change::Stairs { every } => node.set("every", every),
            Change::Noise { size, seed } => {
                node.set("size", size);
                node.set_unless("seed", seed as f64, 0.0);
            }
        }
        write_phases(&self.of, node);
    }

    fn check(&self) -> Result<(), Problem> {
        match &self.change {
            Change::Clamp { from: None, to: None } => {
                return Err(Problem::Settings("it needs `from`, `to` or both"));
            }
            Change::Clamp { from, to } => {
                check_levels("from", from)?;
                check_levels("to", to)?;
            }
            Change::Scale { by } => check_factors("by", [by])?,
            Change::Shift { ahead } => check_spans("ahead", [ahead])?,
            Change::Stretch { factor } if !(1e-9..=1e9).contains(factor) => {
                let rule = "between 1e-9 and 1e9";
                return Err(Problem::Range { setting: "stretch", rule, value: *factor });
            }
            Change::Stairs { every } => check_spans("every", [every])?,
            Change::Noise { size, .. } if !(0.0..=1.0).contains(size) => {
                return Err(Problem::Range { setting: "size", rule: "between 0 and 1", value: *size });
            }
            Change::Noise { seed, .. } if *seed > 1 << 53 => {
                let rule = "at most 2^53, so that every notation can hold it";
                return Err(Problem::Range { setting: "seed", rule, value: *seed as f64 });
            }
            Change::Stretch { .. } | Change::Noise { .. } => {}
        }
        check_phases(&self.of)
    }

    fn resolve(&self, cx: &Context<'_>) -> Result<Piece, Trouble> {
        if let Change::Stretch { factor } = self.change {
            return Ok(Piece::Track(cx.stretched(factor).track(&self.of)?));
        }
        let of = cx.track(&self.of)?;
        Ok(match self.change {
            Change::Clamp { from, to } => {
                let low = from.map_or(Ok(0.0), |level| cx.level(level))?;
                let high = to.map_or(Ok(f64::MAX), |level| cx.level(level))?;
                if low > high {
                    return Err(Problem::Settings("`from` must not be above `to`").into());
                }
                Piece::other(Mapped { of, map: Map::Clamp { low, high } })
            }
            Change::Scale { by } => Piece::other(Mapped { of, map: Map::Scale(by) }),
            Change::Shift { ahead } => stretch_of(of, cx.whole_span(ahead)?, cx),
            Change::Stairs { every } => {
                let period = cx.period("every", every)?;
                let stairs = Stairs { of, period, end: 0.0 };
                let end = stairs.at(cx.steps().saturating_sub(1));
                Piece::other(Stairs { end, ..stairs })
            }
            Change::Noise { size, seed } => Piece::other(Noisy { of, size, seed }),
            Change::Stretch { .. } => Piece::Track(of),
        })
    }
}

/// A change of the rate alone.
enum Map {
    Clamp { low: f64, high: f64 },
    Scale(f64),
}

impl Map {
    fn of(&self, rate: f64) -> f64 {
        match self {
            Self::Clamp { low, high } => rate.max(*low).min(*high),
            Self::Scale(by) => bounded_product(rate, *by),
        }
    }
}

struct Mapped {
    of: Track,
    map: Map,
}

impl Eval for Mapped {
    fn at(&self, k: u64) -> f64 {
        self.map.of(self.of.at(k))
    }

    fn end(&self) -> f64 {
        self.map.of(self.of.end())
    }

    fn fill(&self, k: u64, out: &mut [f64]) {
        self.of.fill(k, out);
        for rate in out {
            *rate = self.map.of(*rate);
        }
    }
}

struct Stairs {
    of: Track,
    period: Period,
    end: f64,
}

impl Eval for Stairs {
    fn at(&self, k: u64) -> f64 {
        self.of.at(self.period.first_update(self.period.index(k)))
    }

    fn end(&self) -> f64 {
        self.end
    }
}

struct Noisy {
    of: Track,
    size: f64,
    seed: u64,
}

impl Noisy {
    /// From −1 to 1 (exclusive), by two rounds of the SplitMix64 finaliser.
    fn draw(&self, k: u64) -> f64 {
        let mix = |mut z: u64| {
            z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        };
        (mix(mix(self.seed) ^ k) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

impl Eval for Noisy {
    fn at(&self, k: u64) -> f64 {
        bounded_product(self.of.at(k), 1.0 + self.size * self.draw(k))
    }

    fn end(&self) -> f64 {
        self.of.end()
    }
}
