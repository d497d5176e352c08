//! Eases: the ways from one level to another.
use alloc::string::String;

use crate::error::Problem;
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};

/// The way from one level to another.
///
/// At progress u = k/n of the phase, the rate is `from`·r(u) + `to`·(1 − r(u)), where r falls from 1 to 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ease {
    /// The form of r(u).
    pub form: EaseForm,
    /// Bends time: u^bend takes the place of u. 1 leaves it straight; timm calls it `k_decay`. Not for `log`.
    pub bend: f64,
}

/// The forms of r(u), the share of `from` that is left at progress u.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EaseForm {
    /// `linear`: r = 1 − u.
    Linear,
    /// `poly power p`: r = (1 − u)^p.
    Poly {
        /// p > 0, default 1.
        power: f64,
    },
    /// `cosine power p waves w`: r = cos²(π·w·u)^p.
    Cosine {
        /// p > 0, default 1 (optax calls it `exponent`).
        power: f64,
        /// Whole waves over the phase, default ½: from the crest down to the trough once. With more, the rate
        /// rises again.
        waves: f64,
    },
    /// `exponential`: the rate is `from`^(1−u)·`to`^u (both above 0); with `base B`, r = (B^u − B)/(1 − B).
    Exponential {
        /// What is left of an exponential decay at its end, before it is shifted to reach `to`. `None`: `to`/`from`.
        base: Option<f64>,
    },
    /// `1-sqrt`: r = 1 − √u.
    OneMinusSqrt,
    /// `tanh left l right r`: the part of −tanh(x) between x = l and x = r, scaled to reach both levels.
    Tanh {
        /// Where on the tanh the phase begins, default −7.
        left: f64,
        /// Where it ends, default 3.
        right: f64,
    },
    /// `log`: r = 1 − ln(1 + k)/ln(1 + n). It depends on the number of updates n, not only on u.
    Log,
}

/// The words of the eases.
pub(crate) const EASES: [&str; 7] = ["linear", "poly", "cosine", "exponential", "1-sqrt", "tanh", "log"];

impl EaseForm {
    /// The half cosine.
    pub const COSINE: Self = Self::Cosine { power: 1.0, waves: 0.5 };

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Poly { .. } => "poly",
            Self::Cosine { .. } => "cosine",
            Self::Exponential { .. } => "exponential",
            Self::OneMinusSqrt => "1-sqrt",
            Self::Tanh { .. } => "tanh",
            Self::Log => "log",
        }
    }
}

impl From<EaseForm> for Ease {
    fn from(form: EaseForm) -> Self {
        Self { form, bend: 1.0 }
    }
}

impl Ease {
    /// A straight line.
    pub const LINEAR: Self = Self { form: EaseForm::Linear, bend: 1.0 };
    /// The half cosine.
    pub const COSINE: Self = Self { form: EaseForm::COSINE, bend: 1.0 };

    /// The settings of the ease named `word`.
    pub(crate) fn read(word: &str, args: &mut Args<'_>) -> Result<Option<Self>, Fault> {
        let form = match word {
            "linear" => EaseForm::Linear,
            "poly" => EaseForm::Poly { power: args.one("power")?.unwrap_or(1.0) },
            "cosine" => EaseForm::Cosine {
                power: args.one("power")?.unwrap_or(1.0),
                waves: args.one("waves")?.unwrap_or(0.5),
            },
            "exponential" => EaseForm::Exponential { base: args.one("base")? },
            "1-sqrt" => EaseForm::OneMinusSqrt,
            "tanh" => EaseForm::Tanh {
                left: args.one("left")?.unwrap_or(-7.0),
                right: args.one("right")?.unwrap_or(3.0),
            },
            "log" => EaseForm::Log,
            _ => return Ok(None),
        };
        let bend = if form == EaseForm::Log { None } else { args.one("bend")? };
        Ok(Some(Self { form, bend: bend.unwrap_or(1.0) }))
    }

    /// The ease of the setting `along`, or the default.
    pub(crate) fn read_along(args: &mut Args<'_>, default: Self) -> Result<Self, Fault> {
        let Some(word) = args.one::<String>("along")? else { return Ok(default) };
        Self::read(&word, args)?.ok_or_else(|| {
            let mut fault = args
                .fault(alloc::format!("`{word}` is not a shape that a rate can go along"))
                .expected("linear, poly, cosine, exponential, 1-sqrt, tanh or log");
            fault.nearest = crate::notation::nearest::advice(&word, EASES);
            fault
        })
    }

    pub(crate) fn write(self, node: &mut Node) {
        match self.form {
            EaseForm::Linear | EaseForm::OneMinusSqrt | EaseForm::Log => {}
            EaseForm::Poly { power } => node.set_unless("power", power, 1.0),
            EaseForm::Cosine { power, waves } => {
                node.set_unless("power", power, 1.0);
                node.set_unless("waves", waves, 0.5);
            }
            EaseForm::Exponential { base } => node.set_some("base", base),
            EaseForm::Tanh { left, right } => {
                node.set_unless("left", left, -7.0);
                node.set_unless("right", right, 3.0);
            }
        }
        node.set_unless("bend", self.bend, 1.0);
    }

    /// Writes `along`, unless it is the default.
    pub(crate) fn write_along(self, node: &mut Node, default: Self) {
        if self != default {
            node.set("along", self.form.word());
            self.write(node);
        }
    }

    pub(crate) fn check(self) -> Result<(), Problem> {
        let positive = |setting, value: f64, most: f64, rule| match value > 0.0 && value <= most {
            true => Ok(()),
            false => Err(Problem::Range { setting, rule, value }),
        };
        positive("bend", self.bend, 100.0, "above 0 and at most 100")?;
        match self.form {
            EaseForm::Linear | EaseForm::OneMinusSqrt => Ok(()),
            EaseForm::Log if self.bend != 1.0 => Err(Problem::Settings("`log` cannot be bent")),
            EaseForm::Log => Ok(()),
            EaseForm::Poly { power } => positive("power", power, 100.0, "above 0 and at most 100"),
            EaseForm::Cosine { power, waves } => {
                positive("power", power, 100.0, "above 0 and at most 100")?;
                positive("waves", waves, 1e9, "above 0 and at most 1e9")
            }
            EaseForm::Exponential { base: Some(value) }
                if !(1e-12..=1e12).contains(&value) || value == 1.0 =>
            {
                Err(Problem::Range { setting: "base", rule: "between 1e-12 and 1e12, and not 1", value })
            }
            EaseForm::Exponential { .. } => Ok(()),
            EaseForm::Tanh { left, right } => {
                let rule = "between -20 and 20, `left` below `right`";
                for (setting, value) in [("left", left), ("right", right)] {
                    if !(-20.0..=20.0).contains(&value) || right <= left {
                        return Err(Problem::Range { setting, rule, value });
                    }
                }
                Ok(())
            }
        }
    }
}
