//! The shapes that a phase can have. One file per shape; this one lists them.
mod combine;
mod constant;
mod cyclic;
mod decay;
mod modify;
mod one_cycle;
mod part;
mod power_law;
mod ramp;
mod repeat;
mod restarts;
mod sequence;
mod step;
mod table;
mod warmup;

use alloc::format;

pub use combine::{Combine, How};
pub use constant::Constant;
pub use cyclic::Cyclic;
pub use decay::Decay;
pub use modify::{Change, Modify};
pub use one_cycle::OneCycle;
pub use part::Part;
pub use power_law::PowerLaw;
pub use ramp::Ramp;
pub use repeat::{Repeat, Times};
pub use restarts::{Cycles, Restarts};
pub use sequence::Sequence;
pub use step::{Jump, Step, When};
pub use table::Table;
pub use warmup::Warmup;

use crate::curve::{Context, Piece};
use crate::ease::EASES;
use crate::error::{Problem, Trouble};
use crate::feedback::Rule;
use crate::notation::args::Args;
use crate::notation::nearest::advice;
use crate::notation::node::{Fault, Node};
use crate::schedule::Phase;

/// What the rate does during a phase.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Shape {
    /// `constant`.
    Constant(Constant),
    /// `warmup`.
    Warmup(Warmup),
    /// `linear`, `poly`, `cosine`, `exponential … to`, `1-sqrt`, `tanh`, `log`: from one level to another.
    Ramp(Ramp),
    /// `exponential every … by …`.
    Decay(Decay),
    /// `inverse-sqrt`, `inverse-time`, `power-law`.
    PowerLaw(PowerLaw),
    /// `step`.
    Step(Step),
    /// `restarts`.
    Restarts(Restarts),
    /// `cyclic`.
    Cyclic(Cyclic),
    /// `one-cycle`.
    OneCycle(OneCycle),
    /// `table`.
    Table(Table),
    /// Phases in parentheses.
    Sequence(Sequence),
    /// `repeat`.
    Repeat(Repeat),
    /// `min`, `max`, `product`, `sum`.
    Combine(Combine),
    /// `clamp`, `scale`, `shift`, `stretch`, `stairs`, `noise`.
    Modify(Modify),
    /// `part`.
    Part(Part),
}

/// What every shape can do; the methods of [`Shape`] pass on to it.
pub(crate) trait Form: Sized {
    /// Reads the settings. `lead` is the value before the span, for shapes that have one.
    fn read(args: &mut Args<'_>, lead: Option<f64>) -> Result<Self, Fault>;
    /// Writes the settings, and the parts in parentheses.
    fn write(&self, node: &mut Node);
    /// Whether the numbers make sense, whatever the horizon.
    fn check(&self) -> Result<(), Problem>;
    /// The shape over the updates of the context.
    fn resolve(&self, cx: &Context<'_>) -> Result<Piece, Trouble>;
}

/// All words that begin a phase.
pub(crate) const WORDS: &[&str] = &[
    "constant",
    "warmup",
    "linear",
    "poly",
    "cosine",
    "exponential",
    "1-sqrt",
    "tanh",
    "log",
    "inverse-sqrt",
    "inverse-time",
    "power-law",
    "step",
    "restarts",
    "cyclic",
    "one-cycle",
    "table",
    "sequence",
    "repeat",
    "min",
    "max",
    "product",
    "sum",
    "clamp",
    "scale",
    "shift",
    "stretch",
    "stairs",
    "noise",
    "part",
];

macro_rules! each {
    ($self:expr, $form:ident => $body:expr) => {
        match $self {
            Shape::Constant($form) => $body,
            Shape::Warmup($form) => $body,
            Shape::Ramp($form) => $body,
            Shape::Decay($form) => $body,
            Shape::PowerLaw($form) => $body,
            Shape::Step($form) => $body,
            Shape::Restarts($form) => $body,
            Shape::Cyclic($form) => $body,
            Shape::OneCycle($form) => $body,
            Shape::Table($form) => $body,
            Shape::Sequence($form) => $body,
            Shape::Repeat($form) => $body,
            Shape::Combine($form) => $body,
            Shape::Modify($form) => $body,
            Shape::Part($form) => $body,
        }
    };
}

macro_rules! from_forms {
    ($($form:ident),*) => {
        $(impl From<$form> for Shape {
            fn from(form: $form) -> Self {
                Self::$form(form)
            }
        })*
    };
}

from_forms!(
    Constant, Warmup, Ramp, Decay, PowerLaw, Step, Restarts, Cyclic, OneCycle, Table, Sequence, Repeat,
    Combine, Modify, Part
);

impl Shape {
    /// The word that begins the phase.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Constant(_) => "constant",
            Self::Warmup(_) => "warmup",
            Self::Ramp(ramp) => ramp.ease.form.word(),
            Self::Decay(_) => "exponential",
            Self::PowerLaw(law) => law.word(),
            Self::Step(_) => "step",
            Self::Restarts(_) => "restarts",
            Self::Cyclic(_) => "cyclic",
            Self::OneCycle(_) => "one-cycle",
            Self::Table(_) => "table",
            Self::Sequence(_) => "sequence",
            Self::Repeat(_) => "repeat",
            Self::Combine(combine) => combine.how.word(),
            Self::Modify(modify) => modify.change.word(),
            Self::Part(_) => "part",
        }
    }

    /// The phases in parentheses.
    pub fn parts(&self) -> &[Phase] {
        match self {
            Self::Sequence(shape) => &shape.of,
            Self::Repeat(shape) => &shape.of,
            Self::Combine(shape) => &shape.of,
            Self::Modify(shape) => &shape.of,
            Self::Part(shape) => &shape.of,
            _ => &[],
        }
    }

    /// The number that stands before the span, for the shapes that have one.
    pub(crate) fn write_lead(&self, node: &mut Node) {
        match self {
            Self::Repeat(Repeat { times: Times::Count(count), .. }) => node.lead("count", *count as f64),
            Self::Modify(Modify { change: Change::Stretch { factor }, .. }) => node.lead("factor", *factor),
            _ => {}
        }
    }

    pub(crate) fn read_lead(args: &mut Args<'_>) -> Result<Option<f64>, Fault> {
        match args.word() {
            "repeat" if !args.has("every") => args.lead("count"),
            "stretch" => args.lead("factor"),
            _ => Ok(None),
        }
    }

    pub(crate) fn read(args: &mut Args<'_>, lead: Option<f64>) -> Result<Self, Fault> {
        Ok(match args.word() {
            "constant" => Constant::read(args, lead)?.into(),
            "warmup" => Warmup::read(args, lead)?.into(),
            "exponential" if args.has("every") || args.has("by") => Decay::read(args, lead)?.into(),
            "inverse-sqrt" | "inverse-time" | "power-law" => PowerLaw::read(args, lead)?.into(),
            "step" => Step::read(args, lead)?.into(),
            "restarts" => Restarts::read(args, lead)?.into(),
            "cyclic" => Cyclic::read(args, lead)?.into(),
            "one-cycle" => OneCycle::read(args, lead)?.into(),
            "table" => Table::read(args, lead)?.into(),
            "repeat" => Repeat::read(args, lead)?.into(),
            "min" | "max" | "product" | "sum" => Combine::read(args, lead)?.into(),
            "clamp" | "scale" | "shift" | "stretch" | "stairs" | "noise" => Modify::read(args, lead)?.into(),
            "sequence" => Sequence::read(args, lead)?.into(),
            "part" => Part::read(args, lead)?.into(),
            word if EASES.contains(&word) => Ramp::read(args, lead)?.into(),
            word if Rule::WORDS.contains(&word) => {
                return Err(args
                    .fault(format!(
                        "`{word}` reacts to a metric, so that no curve can be drawn before the run"
                    ))
                    .expected("a shape without feedback here; in a program, read this text as `Feedback`"));
            }
            word => {
                let mut fault = args
                    .fault(format!("unknown shape `{word}`"))
                    .expected(format!("a shape: {}", WORDS.join(", ")));
                fault.nearest = advice(word, WORDS.iter().copied());
                return Err(fault);
            }
        })
    }

    pub(crate) fn write(&self, node: &mut Node) {
        each!(self, form => form.write(node));
    }

    pub(crate) fn check(&self) -> Result<(), Problem> {
        each!(self, form => form.check())
    }

    pub(crate) fn resolve(&self, cx: &Context<'_>) -> Result<Piece, Trouble> {
        each!(self, form => form.resolve(cx))
    }
}

/// `from`, `to` and the like must be finite and not negative; parsing ensures it, building by hand may not.
pub(crate) fn check_levels<'a>(
    setting: &'static str,
    levels: impl IntoIterator<Item = &'a crate::measure::Level>,
) -> Result<(), Problem> {
    let rule = "a finite number, 0 or more";
    match levels.into_iter().map(|level| level.value()).find(|x| !(*x >= 0.0 && *x <= f64::MAX)) {
        None => Ok(()),
        Some(value) => Err(Problem::Range { setting, rule, value }),
    }
}

/// The same for the amounts of spans.
pub(crate) fn check_spans<'a>(
    setting: &'static str,
    spans: impl IntoIterator<Item = &'a crate::measure::Span>,
) -> Result<(), Problem> {
    let rule = "a finite number, 0 or more";
    match spans.into_iter().map(|span| span.amount).find(|x| !(*x >= 0.0 && *x <= f64::MAX)) {
        None => Ok(()),
        Some(value) => Err(Problem::Range { setting, rule, value }),
    }
}

/// The same for factors.
pub(crate) fn check_factors<'a>(
    setting: &'static str,
    factors: impl IntoIterator<Item = &'a f64>,
) -> Result<(), Problem> {
    let rule = "a finite number, 0 or more";
    match factors.into_iter().find(|x| !(**x >= 0.0 && **x <= f64::MAX)) {
        None => Ok(()),
        Some(value) => Err(Problem::Range { setting, rule, value: *value }),
    }
}
