//! A named parameter: its domain, when it exists, how it is written.
use std::fmt;
use std::sync::Arc;

use crate::error::SearchError;
use crate::space::Space;
use crate::space::constraint::Comparison;
use crate::space::domain::{Domain, Scale, quoted};
use crate::value::{Short, Value};

/// What is written after the numbers of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suffix {
    /// `%`: the value is a fraction of 1, written as a hundred times that.
    Percent,
    /// Any other letters (`ep`, `Mtok`): the value is the number in front of them.
    Word(String),
}

/// When a conditional parameter exists.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The earlier parameter has one of these values.
    In {
        /// Name of the earlier parameter.
        parent: Arc<str>,
        /// The values.
        values: Vec<Value>,
    },
    /// The earlier, numeric parameter compares so with a number.
    Compare {
        /// Name of the earlier parameter.
        parent: Arc<str>,
        /// The comparison.
        comparison: Comparison,
        /// The number at its right.
        number: f64,
    },
}

impl Condition {
    /// Name of the parameter that it asks about.
    pub fn parent(&self) -> &str {
        match self {
            Condition::In { parent, .. } | Condition::Compare { parent, .. } => parent,
        }
    }

    pub(crate) fn check(&self, parent: &Parameter) -> Result<(), String> {
        match self {
            Condition::In { values, .. } => match values.iter().find(|v| parent.domain.raw(v).is_none()) {
                Some(v) => {
                    Err(format!("its condition {}={v} can never hold: not in {}", parent.name, parent.domain))
                }
                None if values.is_empty() => {
                    Err(format!("its condition on '{}' lists no value", parent.name))
                }
                None => Ok(()),
            },
            Condition::Compare { number, .. } if number.is_nan() => {
                Err("its condition compares with NaN".into())
            }
            Condition::Compare { .. } if !parent.is_numeric() => {
                Err(format!("its condition compares '{}', which has words, with a number", parent.name))
            }
            Condition::Compare { .. } => Ok(()),
        }
    }

    fn holds(&self, parent: &Parameter, raw: f64) -> bool {
        if raw.is_nan() {
            return false;
        }
        match self {
            Condition::In { values, .. } => values.iter().any(|v| parent.domain.raw(v) == Some(raw)),
            Condition::Compare { comparison, number, .. } => {
                parent.number(raw).is_some_and(|x| comparison.holds(x, *number))
            }
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::In { parent, values } => {
                write!(f, "{parent}={}", values.iter().map(quoted).collect::<Vec<_>>().join("|"))
            }
            Condition::Compare { parent, comparison, number } => {
                write!(f, "{parent} {comparison} {}", Short(*number))
            }
        }
    }
}

/// A named parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: Arc<str>,
    /// Its values.
    pub domain: Domain,
    /// What is written after its numbers.
    pub suffix: Option<Suffix>,
    /// When it exists: if all of these hold.
    pub conditions: Vec<Condition>,
    /// The one value to which it is narrowed.
    pub fixed: Option<Value>,
    /// Whether a trial may do without it although its conditions hold (define-by-run).
    pub optional: bool,
}

impl Parameter {
    /// A parameter over a domain.
    pub fn new(name: &str, domain: Domain) -> Self {
        Parameter {
            name: name.into(),
            domain,
            suffix: None,
            conditions: Vec::new(),
            fixed: None,
            optional: false,
        }
    }

    /// Real numbers from `low` to `high`.
    pub fn float(name: &str, low: f64, high: f64) -> Self {
        Self::new(name, Domain::Float { low, high, scale: Scale::Linear, step: None })
    }

    /// Real numbers from `low` to `high` on a logarithmic scale.
    pub fn log_float(name: &str, low: f64, high: f64) -> Self {
        Self::new(name, Domain::Float { low, high, scale: Scale::Log, step: None })
    }

    /// The real numbers low, low + step, … up to `high`.
    pub fn stepped(name: &str, low: f64, high: f64, step: f64) -> Self {
        Self::new(name, Domain::Float { low, high, scale: Scale::Linear, step: Some(step) })
    }

    /// Whole numbers from `low` to `high`.
    pub fn int(name: &str, low: i64, high: i64) -> Self {
        Self::new(name, Domain::Int { low, high, scale: Scale::Linear, step: 1 })
    }

    /// Whole numbers from `low` to `high` on a logarithmic scale.
    pub fn log_int(name: &str, low: i64, high: i64) -> Self {
        Self::new(name, Domain::Int { low, high, scale: Scale::Log, step: 1 })
    }

    /// One of these, without order.
    pub fn categorical<V: Into<Value>>(name: &str, choices: impl IntoIterator<Item = V>) -> Self {
        Self::new(name, Domain::Categorical { choices: choices.into_iter().map(Into::into).collect() })
    }

    /// One of these, in order.
    pub fn ordinal<V: Into<Value>>(name: &str, choices: impl IntoIterator<Item = V>) -> Self {
        Self::new(name, Domain::Ordinal { choices: choices.into_iter().map(Into::into).collect() })
    }

    /// Makes the parameter exist only if an earlier one has one of these values (and earlier conditions hold).
    pub fn only_if<V: Into<Value>>(mut self, parent: &str, values: impl IntoIterator<Item = V>) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.conditions.push(Condition::In { parent: parent.into(), values });
        self
    }

    /// Lets trials do without it.
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Whether a trial can be without it.
    pub(crate) fn can_be_absent(&self) -> bool {
        self.optional || !self.conditions.is_empty()
    }

    pub(crate) fn check(&self) -> Result<(), SearchError> {
        self.domain.check(&self.name)?;
        match &self.fixed {
            Some(value) if self.domain.raw(value).is_none() => {
                let message = format!("is fixed to {value}, which is not in {}", self.domain);
                Err(SearchError::parameter(&self.name, message))
            }
            _ => Ok(()),
        }
    }

    /// Whether all of its values are numbers.
    pub fn is_numeric(&self) -> bool {
        match &self.domain {
            Domain::Float { .. } | Domain::Int { .. } => true,
            Domain::Categorical { choices } | Domain::Ordinal { choices } => {
                choices.iter().all(|c| c.as_f64().is_some())
            }
        }
    }

    /// The number that an internal number stands for: itself, or the number of a numeric choice.
    pub(crate) fn number(&self, raw: f64) -> Option<f64> {
        self.domain.value(raw).as_f64()
    }

    /// Whether it exists, given the internal numbers of the parameters before it.
    pub(crate) fn is_active(&self, space: &Space, before: &[f64]) -> bool {
        self.conditions.iter().all(|condition| {
            let parent = space.index_of(condition.parent());
            parent.is_some_and(|i| i < before.len() && condition.holds(&space.parameters()[i], before[i]))
        })
    }

    /// A value as a program or a schedule is to read it: with the suffix, shares in percent.
    pub fn show(&self, value: &Value) -> String {
        match (&self.suffix, value.as_f64()) {
            (Some(Suffix::Percent), Some(x)) => format!("{}%", percent(x)),
            (Some(Suffix::Word(word)), Some(_)) => format!("{value}{word}"),
            _ => value.to_string(),
        }
    }
}

/// The shortest number whose hundredth is exactly `x`, or x·100.
fn percent(x: f64) -> String {
    let plain = x * 100.0;
    let rounded = (plain * 1e12).round() / 1e12;
    Short(if rounded / 100.0 == x { rounded } else { plain }).to_string()
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.name)?;
        match (&self.fixed, &self.suffix) {
            (Some(value), Some(_)) => write!(f, "{}", self.show(value))?,
            (Some(value), None) => write!(f, "{}", quoted(value))?,
            (None, None) => write!(f, "{}", self.domain)?,
            (None, Some(_)) => write!(f, "{}", self.domain.show(&|x| self.show(x)))?,
        }
        for (i, condition) in self.conditions.iter().enumerate() {
            write!(f, " {} {condition}", if i == 0 { "if" } else { "and" })?;
        }
        Ok(())
    }
}
