//! The value that everything is about: a schedule, its phases, and what goes along with the rate.
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::error::Problem;
use crate::measure::Span;
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};
use crate::shape::Shape;

/// A schedule as data: phases in sequence, relative to a peak rate of 1, and what goes `with` the rate.
///
/// Read one from text (`"warmup 5%, cosine to 0.1".parse()`), from JSON or TOML through serde, or build it from
/// [`Phase`]s. All three notations are the same value: printing and reading round-trip.
/// [`resolve`](Schedule::resolve) turns it into a [`Curve`](crate::Curve).
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The phases, one after the other; at least one.
    pub phases: Vec<Phase>,
    /// Other quantities that go along with the rate, and rates of parameter groups.
    pub with: Vec<With>,
}

impl Schedule {
    /// A schedule of these phases.
    pub fn new(phases: impl Into<Vec<Phase>>) -> Self {
        Self { phases: phases.into(), with: Vec::new() }
    }

    /// The same schedule followed by one more phase.
    #[must_use]
    pub fn then(mut self, phase: impl Into<Phase>) -> Self {
        self.phases.push(phase.into());
        self
    }

    /// The same schedule with one more companion of the rate.
    #[must_use]
    pub fn with(mut self, with: With) -> Self {
        self.with.push(with);
        self
    }
}

impl From<Phase> for Schedule {
    fn from(phase: Phase) -> Self {
        Self::new(vec![phase])
    }
}

impl<S: Into<Shape>> From<S> for Phase {
    fn from(shape: S) -> Self {
        Self { shape: shape.into(), span: None }
    }
}

/// One phase: a shape over a span.
///
/// A phase of n updates has the value shape(k/n) at its k-th update, k = 0 … n − 1: its end level belongs to the
/// update after it. A warm-up is the exception, see [`Warmup`](crate::shape::Warmup).
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// What the rate does.
    pub shape: Shape,
    /// For how long; `None` takes what the other phases leave. At most one phase in a row may have none.
    pub span: Option<Span>,
}

impl Phase {
    /// A shape over what the other phases leave.
    pub fn new(shape: impl Into<Shape>) -> Self {
        shape.into().into()
    }

    /// The same phase over this span.
    #[must_use]
    pub fn over(mut self, span: impl Into<Span>) -> Self {
        self.span = Some(span.into());
        self
    }

    /// The same phase followed by another one.
    #[must_use]
    pub fn then(self, phase: impl Into<Phase>) -> Schedule {
        Schedule::from(self).then(phase)
    }

    pub(crate) fn to_node(&self) -> Node {
        let mut node = Node::new(self.shape.word());
        self.shape.write_lead(&mut node);
        if let Some(span) = self.span {
            node.lead("span", span);
        }
        self.shape.write(&mut node);
        node
    }

    pub(crate) fn from_node(node: &Node) -> Result<Self, Fault> {
        let mut args = Args::new(node);
        let lead = Shape::read_lead(&mut args)?;
        let span = args.lead("span")?;
        let shape = Shape::read(&mut args, lead)?;
        args.finish()?;
        shape.check().map_err(|problem| Fault::new(problem.to_string(), node.at.clone()))?;
        Ok(Self { shape, span })
    }
}

/// Something that goes along with the rate of a schedule.
#[derive(Debug, Clone, PartialEq)]
pub enum With {
    /// Another quantity, such as momentum or weight decay: `with momentum from 0.95 to 0.85`.
    Channel {
        /// Its name: `momentum`, `weight-decay`, or any other word.
        name: String,
        /// Its values.
        course: Course,
    },
    /// The rate of a named parameter group: `with group head by 0.1`.
    Group {
        /// The group's name.
        name: String,
        /// Its rate.
        rate: GroupRate,
    },
    /// Layer-wise decay: `with layers 12 by 0.75` makes the groups `layer-0` (nearest to the input) … `layer-11`;
    /// layer i has the rate times by^(count − 1 − i).
    Layers {
        /// How many layers.
        count: u64,
        /// The factor from one layer to the one below it.
        by: f64,
    },
}

/// The values of a [`With::Channel`], in its own units.
#[derive(Debug, Clone, PartialEq)]
pub enum Course {
    /// Follows the rate on a straight line: `from` where the rate is 0, `to` where it is at the peak.
    Follow {
        /// Value at rate 0.
        from: f64,
        /// Value at the peak rate.
        to: f64,
    },
    /// Its own phases; levels are the quantity's values.
    Own(Vec<Phase>),
}

/// The rate of a [`With::Group`].
#[derive(Debug, Clone, PartialEq)]
pub enum GroupRate {
    /// The schedule's rate times a factor.
    By(f64),
    /// Phases of its own, relative to the same peak.
    Own(Vec<Phase>),
}

impl With {
    pub(crate) fn to_node(&self) -> Node {
        let parts = |phases: &[Phase]| Some(phases.iter().map(Phase::to_node).collect());
        match self {
            Self::Channel { name, course } => {
                let mut node = Node::new(name);
                match course {
                    Course::Follow { from, to } => {
                        node.set("from", *from);
                        node.set("to", *to);
                    }
                    Course::Own(phases) => node.parts = parts(phases),
                }
                node
            }
            Self::Group { name, rate } => {
                let mut node = Node::new("group");
                node.lead("name", name.as_str());
                match rate {
                    GroupRate::By(by) => node.set("by", *by),
                    GroupRate::Own(phases) => node.parts = parts(phases),
                }
                node
            }
            Self::Layers { count, by } => {
                let mut node = Node::new("layers");
                node.lead("count", *count as f64);
                node.set("by", *by);
                node
            }
        }
    }

    pub(crate) fn check(&self) -> Result<(), Problem> {
        let number = |setting, value: f64| match (0.0..=f64::MAX).contains(&value) {
            true => Ok(()),
            false => Err(Problem::Range { setting, rule: "a finite number, 0 or more", value }),
        };
        let word = |name: &str| {
            let letters = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
            let reserved = ["with", "lr", "group", "layers", "sequence"].contains(&name);
            match letters && !reserved && name.starts_with(char::is_alphabetic) {
                true => Ok(()),
                false => Err(Problem::Settings(
                    "the name must be a word of letters, digits, `-`, `_` and `.`, and not `with`, `lr`, `group`, \
                     `layers` or `sequence`",
                )),
            }
        };
        match self {
            Self::Channel { name, course: Course::Follow { from, to } } => {
                word(name)?;
                number("from", *from)?;
                number("to", *to)
            }
            Self::Group { name, rate: GroupRate::By(by) } => {
                word(name)?;
                number("by", *by)
            }
            Self::Channel { name, .. } | Self::Group { name, .. } => word(name),
            Self::Layers { count, .. } if !(1..=10_000).contains(count) => {
                let rule = "between 1 and 10000";
                Err(Problem::Range { setting: "layers", rule, value: *count as f64 })
            }
            Self::Layers { by, .. } => number("by", *by),
        }
    }

    pub(crate) fn from_node(node: &Node) -> Result<Self, Fault> {
        let mut args = Args::new(node);
        let own = |args: &mut Args<'_>| -> Result<Option<Vec<Phase>>, Fault> {
            args.optional_parts().map(|parts| parts.iter().map(Phase::from_node).collect()).transpose()
        };
        let with = match args.word() {
            "group" => {
                let name: Option<String> = args.lead("name")?;
                let name = name.ok_or_else(|| {
                    args.fault("`group` needs a name").expected("`group head by 0.1`, for example")
                })?;
                let rate = match (args.one("by")?, own(&mut args)?) {
                    (Some(by), None) => GroupRate::By(by),
                    (None, Some(phases)) => GroupRate::Own(phases),
                    _ => return Err(args.fault("a group needs either `by` or phases in parentheses")),
                };
                Self::Group { name, rate }
            }
            "layers" => {
                let count = args.lead("count")?;
                match (count, args.one("by")?) {
                    (Some(count), Some(by)) => Self::Layers { count, by },
                    _ => {
                        return Err(args
                            .fault("`layers` needs their number and `by`")
                            .expected("`layers 12 by 0.75`, for example"));
                    }
                }
            }
            name => {
                let name = String::from(name);
                let course = match (args.one("from")?, args.one("to")?, own(&mut args)?) {
                    (Some(from), Some(to), None) => Course::Follow { from, to },
                    (None, None, Some(phases)) => Course::Own(phases),
                    _ => {
                        return Err(args
                            .fault("a channel needs either `from` and `to`, or phases in parentheses")
                            .expected("`momentum from 0.95 to 0.85`, for example"));
                    }
                };
                Self::Channel { name, course }
            }
        };
        args.finish()?;
        with.check().map_err(|problem| Fault::new(problem.to_string(), node.at.clone()))?;
        Ok(with)
    }
}
