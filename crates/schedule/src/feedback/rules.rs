//! The rules by which a rate reacts to a metric.
use alloc::format;
use alloc::string::String;

use crate::error::Problem;
use crate::measure::Level;
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};
use crate::shape::{check_factors, check_levels};

/// How many metrics a mean may be over.
const MOST_AVERAGED: u64 = 1_000_000;

/// How the rate reacts to a metric.
///
/// `plateau by 0.1 patience 10`: when the metric has not improved for more than `patience` observations, the rate is
/// multiplied by `by`. The defaults are those of PyTorch's ReduceLROnPlateau.
///
/// `greedy by 0.95 patience 10`: the same, and when it has improved more than `patience` times in a row, the rate is
/// divided by `by`. Source: GreedyLR, arXiv 2512.14527; `patience` and `by` default to those of transformers.
///
/// The first rate is the level where the lead ended, or the peak. Not for runs with a fixed budget: a schedule that ends
/// low at a known time needs no metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// The factor of a cut, above 0 and below 1.
    pub by: f64,
    /// How many observations without improvement are borne; the next one cuts.
    pub patience: u64,
    /// How many observations after a cut do not count as bad (plateau) or not at all (greedy).
    pub cooldown: u64,
    /// Which metrics are better.
    pub better: Better,
    /// What is compared: each metric, or a mean of several.
    pub average: Average,
    /// The lowest level.
    pub to: Level,
    /// A change of the level that is not larger than this is left out.
    pub least: Level,
    /// `greedy`: how the rate rises again. `None` is `plateau`.
    pub rise: Option<Rise>,
}

/// How the rate of `greedy` rises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rise {
    /// How many observations after a rise are passed over.
    pub wait: u64,
    /// The highest level.
    pub top: Level,
    /// After this many cuts at the lowest level everything starts over; `None`: never.
    pub reset: Option<u64>,
}

/// Which of two metrics is better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Better {
    /// The direction.
    pub goal: Goal,
    /// How much better the new one must be, as a share of the best one's size.
    pub threshold: f64,
    /// How much better it must be besides, in the metric's own units.
    pub margin: f64,
}

/// The direction in which a metric improves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Down, as a loss. The default.
    Min,
    /// Up, as an accuracy.
    Max,
}

/// What is compared with the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Average {
    /// Each metric.
    Off,
    /// The mean of the last ones, up to this many: `window 50`.
    Window(u64),
    /// The mean of each so many in a row, so that the rule acts once in so many observations: `every 10`.
    Every(u64),
}

impl Better {
    /// Whether `metric` is better than `best`. A share of a negative best is taken of its size, so that a worse metric
    /// never counts as better.
    pub(crate) fn than(&self, metric: f64, best: f64) -> bool {
        let share = match (self.goal == Goal::Min) == (best >= 0.0) {
            true => 1.0 - self.threshold,
            false => 1.0 + self.threshold,
        };
        match self.goal {
            Goal::Min => metric < best * share - self.margin,
            Goal::Max => metric > best * share + self.margin,
        }
    }

    fn read(args: &mut Args<'_>, default: Self) -> Result<Self, Fault> {
        let goal = match args.one::<String>("goal")?.as_deref() {
            None | Some("min") => Goal::Min,
            Some("max") => Goal::Max,
            Some(other) => {
                return Err(args
                    .fault(format!("`{other}` is not a goal"))
                    .expected("`goal min` or `goal max`"));
            }
        };
        Ok(match (args.one("threshold")?, args.one("margin")?) {
            (None, None) => Self { goal, ..default },
            (threshold, margin) => {
                Self { goal, threshold: threshold.unwrap_or(0.0), margin: margin.unwrap_or(0.0) }
            }
        })
    }

    fn write(self, node: &mut Node, default: Self) {
        if (self.threshold, self.margin) != (default.threshold, default.margin) {
            if self.threshold != 0.0 || self.margin == 0.0 {
                node.set("threshold", self.threshold);
            }
            node.set_unless("margin", self.margin, 0.0);
        }
        if self.goal == Goal::Max {
            node.set("goal", "max");
        }
    }
}

impl Average {
    fn read(args: &mut Args<'_>) -> Result<Self, Fault> {
        match (args.one("window")?, args.one("every")?) {
            (None, None) => Ok(Self::Off),
            (Some(last), None) => Ok(Self::Window(last)),
            (None, Some(each)) => Ok(Self::Every(each)),
            _ => Err(args.fault("give either `window` or `every`, not both")),
        }
    }

    fn write(self, node: &mut Node) {
        match self {
            Self::Off => {}
            Self::Window(last) => node.set("window", last as f64),
            Self::Every(each) => node.set("every", each as f64),
        }
    }

    fn check(self) -> Result<(), Problem> {
        let (setting, number) = match self {
            Self::Off => return Ok(()),
            Self::Window(last) => ("window", last),
            Self::Every(each) => ("every", each),
        };
        match (1..=MOST_AVERAGED).contains(&number) {
            true => Ok(()),
            false => Err(Problem::Range { setting, rule: "from 1 to a million", value: number as f64 }),
        }
    }
}

impl Default for Rise {
    fn default() -> Self {
        Self { wait: 0, top: Level::Relative(1.0), reset: None }
    }
}

impl Rule {
    /// The words of the rules.
    pub(crate) const WORDS: [&'static str; 2] = ["plateau", "greedy"];

    /// `plateau` with its defaults.
    pub fn plateau() -> Self {
        Self {
            by: 0.1,
            patience: 10,
            cooldown: 0,
            better: Better { goal: Goal::Min, threshold: 1e-4, margin: 0.0 },
            average: Average::Off,
            to: Level::Relative(0.0),
            least: Level::Relative(0.0),
            rise: None,
        }
    }

    /// `greedy` with its defaults.
    pub fn greedy() -> Self {
        let better = Better { goal: Goal::Min, threshold: 0.0, margin: 1e-6 };
        Self { by: 0.95, better, rise: Some(Rise::default()), ..Self::plateau() }
    }

    pub(crate) fn read(args: &mut Args<'_>) -> Result<Self, Fault> {
        let d = match args.word() {
            "plateau" => Self::plateau(),
            "greedy" => Self::greedy(),
            other => {
                return Err(args
                    .fault(format!("`{other}` does not react to a metric"))
                    .expected("`plateau` or `greedy` as the last phase"));
            }
        };
        Ok(Self {
            by: args.one("by")?.unwrap_or(d.by),
            patience: args.one("patience")?.unwrap_or(d.patience),
            cooldown: args.one("cooldown")?.unwrap_or(d.cooldown),
            better: Better::read(args, d.better)?,
            average: Average::read(args)?,
            to: args.one("to")?.unwrap_or(d.to),
            least: args.one("least")?.unwrap_or(d.least),
            rise: d.rise.map(|d| Rise::read(args, d)).transpose()?,
        })
    }

    pub(crate) fn to_node(self) -> Node {
        let (word, d) = match self.rise {
            None => ("plateau", Self::plateau()),
            Some(_) => ("greedy", Self::greedy()),
        };
        let mut node = Node::new(word);
        node.set_unless("by", self.by, d.by);
        node.set_unless("patience", self.patience as f64, d.patience as f64);
        node.set_unless("cooldown", self.cooldown as f64, d.cooldown as f64);
        self.better.write(&mut node, d.better);
        self.average.write(&mut node);
        node.set_some("to", Some(self.to).filter(|to| *to != d.to));
        node.set_some("least", Some(self.least).filter(|least| *least != d.least));
        if let Some(rise) = self.rise {
            rise.write(&mut node);
        }
        node
    }

    pub(crate) fn check(self) -> Result<(), Problem> {
        check_levels("to", [&self.to])?;
        check_levels("least", [&self.least])?;
        check_factors("threshold", [&self.better.threshold])?;
        check_factors("margin", [&self.better.margin])?;
        self.average.check()?;
        if let Some(rise) = self.rise {
            check_levels("top", [&rise.top])?;
            if rise.reset == Some(0) {
                return Err(Problem::Settings("`reset` must be at least 1"));
            }
        }
        match self.by > 0.0 && self.by < 1.0 {
            true => Ok(()),
            false => Err(Problem::Range { setting: "by", rule: "above 0 and below 1", value: self.by }),
        }
    }
}

impl Rise {
    fn read(args: &mut Args<'_>, default: Self) -> Result<Self, Fault> {
        Ok(Self {
            wait: args.one("wait")?.unwrap_or(default.wait),
            top: args.one("top")?.unwrap_or(default.top),
            reset: args.one("reset")?,
        })
    }

    fn write(self, node: &mut Node) {
        let d = Self::default();
        node.set_unless("wait", self.wait as f64, d.wait as f64);
        node.set_some("top", Some(self.top).filter(|top| *top != d.top));
        node.set_some("reset", self.reset.map(|n| n as f64));
    }
}
