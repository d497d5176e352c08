//! The rules by which a rate reacts to a metric.
use crate::error::Problem;
use crate::measure::Level;
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};
use crate::shape::{check_factors, check_levels};

/// How the rate reacts to a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// `plateau`: down when the metric has stopped improving.
    Plateau(Plateau),
    /// `greedy`: up while the metric improves, down while it does not.
    Greedy(Greedy),
}

/// `plateau by 0.1 patience 10`: when the metric has not improved for more than `patience` observations, the rate is
/// multiplied by `by`.
///
/// The first rate is the level where the lead ended, or the peak. After a cut, `cooldown` observations are not counted
/// as bad. The defaults are those of PyTorch's ReduceLROnPlateau. Not for runs with a fixed budget: a schedule that
/// ends low at a known time needs no metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plateau {
    /// The factor of a cut, default 0.1.
    pub by: f64,
    /// How many observations without improvement are borne, default 10; the next one cuts.
    pub patience: u64,
    /// How many observations after a cut do not count as bad, default 0.
    pub cooldown: u64,
    /// Which metrics are better.
    pub better: Better,
    /// The lowest level, default 0.
    pub to: Level,
}

/// `greedy by 0.95 patience 10`: when the metric has improved more than `patience` times in a row, the rate is divided
/// by `by`; when it has not, that often in a row, it is multiplied.
///
/// The first rate is the level where the lead ended, or the peak. Source: GreedyLR, arXiv 2512.14527; `patience` and
/// `by` default to those of transformers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Greedy {
    /// The factor, below 1, default 0.95.
    pub by: f64,
    /// How many observations of one kind in a row are let pass, default 10; the next one acts.
    pub patience: u64,
    /// How many observations after a cut are passed over, default 0.
    pub cooldown: u64,
    /// How many observations after a rise are passed over, default 0.
    pub wait: u64,
    /// Which metrics are better.
    pub better: Better,
    /// The lowest level, default 0.
    pub to: Level,
    /// The highest level, default the peak.
    pub top: Level,
    /// After this many cuts at the lowest level everything starts over; `None`: never.
    pub reset: Option<u64>,
}

/// Which of two metrics is better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Better {
    /// The direction.
    pub goal: Goal,
    /// How much better the new one must be: as a share of the best one's size (`threshold`), or in the metric's own
    /// units (`margin`).
    pub threshold: f64,
    /// Whether `threshold` is in the metric's own units.
    pub absolute: bool,
}

/// The direction in which a metric improves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Down, as a loss. The default.
    Min,
    /// Up, as an accuracy.
    Max,
}

impl Better {
    /// Whether `metric` is better than `best`. A share of a negative best is taken of its size, so that a worse metric
    /// never counts as better.
    pub(crate) fn than(&self, metric: f64, best: f64) -> bool {
        let margin = match self.absolute {
            true => self.threshold,
            false => self.threshold * if best < 0.0 { -best } else { best },
        };
        match self.goal {
            Goal::Min => metric < best - margin,
            Goal::Max => metric > best + margin,
        }
    }

    fn read(args: &mut Args<'_>, default: Self) -> Result<Self, Fault> {
        let goal = match args.one::<alloc::string::String>("goal")?.as_deref() {
            None | Some("min") => Goal::Min,
            Some("max") => Goal::Max,
            Some(other) => {
                return Err(args
                    .fault(alloc::format!("`{other}` is not a goal"))
                    .expected("`goal min` or `goal max`"));
            }
        };
        match (args.one("threshold")?, args.one("margin")?) {
            (None, None) => Ok(Self { goal, ..default }),
            (Some(threshold), None) => Ok(Self { goal, threshold, absolute: false }),
            (None, Some(threshold)) => Ok(Self { goal, threshold, absolute: true }),
            _ => Err(args.fault("give either `threshold` or `margin`, not both")),
        }
    }

    fn write(self, node: &mut Node, default: Self) {
        if (self.threshold, self.absolute) != (default.threshold, default.absolute) {
            node.set(if self.absolute { "margin" } else { "threshold" }, self.threshold);
        }
        if self.goal == Goal::Max {
            node.set("goal", "max");
        }
    }
}

impl Default for Plateau {
    fn default() -> Self {
        let better = Better { goal: Goal::Min, threshold: 1e-4, absolute: false };
        Self { by: 0.1, patience: 10, cooldown: 0, better, to: Level::Relative(0.0) }
    }
}

impl Default for Greedy {
    fn default() -> Self {
        let better = Better { goal: Goal::Min, threshold: 1e-6, absolute: true };
        let (to, top) = (Level::Relative(0.0), Level::Relative(1.0));
        Self { by: 0.95, patience: 10, cooldown: 0, wait: 0, better, to, top, reset: None }
    }
}

impl Rule {
    /// The words of the rules.
    pub(crate) const WORDS: [&'static str; 2] = ["plateau", "greedy"];

    pub(crate) fn read(args: &mut Args<'_>) -> Result<Self, Fault> {
        match args.word() {
            "plateau" => {
                let d = Plateau::default();
                Ok(Self::Plateau(Plateau {
                    by: args.one("by")?.unwrap_or(d.by),
                    patience: args.one("patience")?.unwrap_or(d.patience),
                    cooldown: args.one("cooldown")?.unwrap_or(d.cooldown),
                    better: Better::read(args, d.better)?,
                    to: args.one("to")?.unwrap_or(d.to),
                }))
            }
            "greedy" => {
                let d = Greedy::default();
                Ok(Self::Greedy(Greedy {
                    by: args.one("by")?.unwrap_or(d.by),
                    patience: args.one("patience")?.unwrap_or(d.patience),
                    cooldown: args.one("cooldown")?.unwrap_or(d.cooldown),
                    wait: args.one("wait")?.unwrap_or(d.wait),
                    better: Better::read(args, d.better)?,
                    to: args.one("to")?.unwrap_or(d.to),
                    top: args.one("top")?.unwrap_or(d.top),
                    reset: args.one("reset")?,
                }))
            }
            other => Err(args
                .fault(alloc::format!("`{other}` does not react to a metric"))
                .expected("`plateau` or `greedy` as the last phase")),
        }
    }

    pub(crate) fn to_node(self) -> Node {
        let count = |node: &mut Node, name, value: u64, default: u64| {
            node.set_unless(name, value as f64, default as f64);
        };
        let level = |node: &mut Node, name, value: Level, default: Level| {
            node.set_some(name, Some(value).filter(|value| *value != default));
        };
        match self {
            Self::Plateau(rule) => {
                let (mut node, d) = (Node::new("plateau"), Plateau::default());
                node.set_unless("by", rule.by, d.by);
                count(&mut node, "patience", rule.patience, d.patience);
                count(&mut node, "cooldown", rule.cooldown, d.cooldown);
                rule.better.write(&mut node, d.better);
                level(&mut node, "to", rule.to, d.to);
                node
            }
            Self::Greedy(rule) => {
                let (mut node, d) = (Node::new("greedy"), Greedy::default());
                node.set_unless("by", rule.by, d.by);
                count(&mut node, "patience", rule.patience, d.patience);
                count(&mut node, "cooldown", rule.cooldown, d.cooldown);
                count(&mut node, "wait", rule.wait, d.wait);
                rule.better.write(&mut node, d.better);
                level(&mut node, "to", rule.to, d.to);
                level(&mut node, "top", rule.top, d.top);
                node.set_some("reset", rule.reset.map(|n| n as f64));
                node
            }
        }
    }

    pub(crate) fn check(self) -> Result<(), Problem> {
        let (by, better, to) = match self {
            Self::Plateau(rule) => (rule.by, rule.better, rule.to),
            Self::Greedy(rule) => {
                check_levels("top", [&rule.top])?;
                if rule.reset == Some(0) {
                    return Err(Problem::Settings("`reset` must be at least 1"));
                }
                (rule.by, rule.better, rule.to)
            }
        };
        check_levels("to", [&to])?;
        check_factors("threshold", [&better.threshold])?;
        match by > 0.0 && by < 1.0 {
            true => Ok(()),
            false => Err(Problem::Range { setting: "by", rule: "above 0 and below 1", value: by }),
        }
    }

    pub(crate) fn better(self) -> Better {
        match self {
            Self::Plateau(rule) => rule.better,
            Self::Greedy(rule) => rule.better,
        }
    }
}
