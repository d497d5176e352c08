//! Domains of single parameters and their maps to and from the unit interval (the only place where these are).
use std::fmt;

use crate::error::SearchError;
use crate::space::parse::is_plain_word;
use crate::value::{Short, Value};

/// Whole numbers beyond this cannot be told apart as `f64`.
const LARGEST_INT: i64 = 1 << 53;

/// How a range is spread over the unit interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// Evenly in the logarithm.
    Log,
}

/// The values that a parameter may take.
#[derive(Debug, Clone, PartialEq)]
pub enum Domain {
    /// Real numbers from `low` to `high`, both included; with a step only low, low + step, …
    Float {
        /// Smallest value.
        low: f64,
        /// Largest value.
        high: f64,
        /// Linear or logarithmic.
        scale: Scale,
        /// Distance of neighbouring values, counted from `low` (linear scale only).
        step: Option<f64>,
    },
    /// Whole numbers from `low` to `high`, both included.
    Int {
        /// Smallest value.
        low: i64,
        /// Largest value.
        high: i64,
        /// Linear or logarithmic.
        scale: Scale,
        /// Distance of neighbouring values, counted from `low` (1 on a logarithmic scale).
        step: i64,
    },
    /// One of these, without order.
    Categorical {
        /// The choices.
        choices: Vec<Value>,
    },
    /// One of these, in order.
    Ordinal {
        /// The choices, smallest first.
        choices: Vec<Value>,
    },
}

impl Domain {
    pub(crate) fn check(&self, name: &str) -> Result<(), SearchError> {
        let fail = |message: String| Err(SearchError::parameter(name, message));
        match self {
            Domain::Float { low, high, scale, step } => {
                if !(low.is_finite() && high.is_finite() && (high - low).is_finite()) {
                    return fail(format!("the range {low}..{high} is not finite"));
                }
                if low > high {
                    return fail(format!("the range {low}..{high} is reversed; write {high}..{low}"));
                }
                if *scale == Scale::Log && *low <= 0.0 {
                    return fail(format!("a logarithmic range must be above 0, not from {low}"));
                }
                match step {
                    Some(_) if *scale == Scale::Log => {
                        fail("a logarithmic range cannot have a step; drop one".into())
                    }
                    Some(s) if !(s.is_finite() && *s > 0.0) => {
                        fail(format!("the step must be above 0, not {s}"))
                    }
                    Some(s) if (high - low) / s >= LARGEST_INT as f64 => {
                        fail(format!("the step {s} is too small"))
                    }
                    _ => Ok(()),
                }
            }
            Domain::Int { low, high, scale, step } => {
                if low > high {
                    return fail(format!("the range {low}..{high} is reversed; write {high}..{low}"));
                }
                if *low < -LARGEST_INT || *high > LARGEST_INT {
                    return fail(format!("whole numbers must lie within ±2^53, not {low}..{high}"));
                }
                if *scale == Scale::Log && *low < 1 {
                    return fail(format!(
                        "a logarithmic range of whole numbers must start at 1 or above, not {low}"
                    ));
                }
                match step {
                    s if *s < 1 => fail(format!("the step must be 1 or more, not {s}")),
                    s if *s > 1 && *scale == Scale::Log => {
                        fail("a logarithmic range cannot have a step; drop one".into())
                    }
                    _ => Ok(()),
                }
            }
            Domain::Categorical { choices } | Domain::Ordinal { choices } => {
                if choices.is_empty() {
                    return fail("needs at least one choice".into());
                }
                for (i, a) in choices.iter().enumerate() {
                    if a.as_f64().is_some_and(|x| !x.is_finite()) {
                        return fail(format!("the choice {a} is not a finite number"));
                    }
                    if choices[..i].iter().any(|b| a.same(b)) {
                        return fail(format!("the choice {a} is given twice"));
                    }
                }
                Ok(())
            }
        }
    }

    /// How many values there are, if they can be counted.
    pub fn levels(&self) -> Option<u64> {
        match self {
            Domain::Float { low, high, step: None, .. } => (low == high).then_some(1),
            Domain::Float { low, high, step: Some(step), .. } => {
                Some(((high - low) / step + 1e-9).floor() as u64 + 1)
            }
            Domain::Int { low, high, step, .. } => Some(((high - low) / step) as u64 + 1),
            Domain::Categorical { choices } | Domain::Ordinal { choices } => Some(choices.len() as u64),
        }
    }

    /// Whether the values have no order.
    pub fn is_categorical(&self) -> bool {
        matches!(self, Domain::Categorical { .. })
    }

    /// The ends of a whole-number range on its scale: half a step is added at each side, so that each number gets its share.
    fn int_ends(low: i64, high: i64, scale: Scale) -> (f64, f64) {
        match scale {
            Scale::Linear => (low as f64 - 0.5, high as f64 + 0.5),
            Scale::Log => ((low as f64 - 0.5).ln(), (high as f64 + 0.5).ln()),
        }
    }

    /// The value at `u` in [0, 1] as an internal number. First value at 0, last at 1; each of k countable values has a
    /// share of 1/k (whole numbers on a logarithmic scale: their share of the logarithm). NaN counts as ½.
    #[allow(clippy::wrong_self_convention)]
    pub fn from_unit(&self, u: f64) -> f64 {
        let u = if u.is_nan() { 0.5 } else { u.clamp(0.0, 1.0) };
        let level = |n: u64| ((u * n as f64) as u64).min(n - 1) as f64;
        match self {
            Domain::Float { low, high, scale, step: None } => {
                let x = match scale {
                    Scale::Linear => low + u * (high - low),
                    Scale::Log if u == 0.0 => *low,
                    Scale::Log if u == 1.0 => *high,
                    Scale::Log => (low.ln() + u * (high.ln() - low.ln())).exp(),
                };
                x.clamp(*low, *high)
            }
            Domain::Float { low, high, step: Some(step), .. } => {
                (low + level(self.levels().unwrap_or(1)) * step).min(*high)
            }
            Domain::Int { low, high, scale: Scale::Log, .. } => {
                let (a, b) = Self::int_ends(*low, *high, Scale::Log);
                (a + u * (b - a)).exp().round().clamp(*low as f64, *high as f64)
            }
            Domain::Int { low, step, .. } => *low as f64 + level(self.levels().unwrap_or(1)) * *step as f64,
            Domain::Categorical { choices } | Domain::Ordinal { choices } => level(choices.len() as u64),
        }
    }

    /// The place in [0, 1] of an internal number: the middle of the share of a countable value. A constant is at ½, NaN
    /// stays NaN.
    pub fn to_unit(&self, raw: f64) -> f64 {
        let middle = |level: f64, n: u64| (level + 0.5) / n as f64;
        match self {
            Domain::Float { low, high, step: None, .. } if low == high => {
                if raw.is_nan() {
                    raw
                } else {
                    0.5
                }
            }
            Domain::Float { low, high, scale: Scale::Linear, step: None } => (raw - low) / (high - low),
            Domain::Float { low, high, scale: Scale::Log, .. } => {
                (raw.ln() - low.ln()) / (high.ln() - low.ln())
            }
            Domain::Float { low, step: Some(step), .. } => {
                middle(((raw - low) / step).round(), self.levels().unwrap_or(1))
            }
            Domain::Int { low, high, scale: Scale::Log, .. } => {
                let (a, b) = Self::int_ends(*low, *high, Scale::Log);
                (raw.ln() - a) / (b - a)
            }
            Domain::Int { low, step, .. } => {
                middle((raw - *low as f64) / *step as f64, self.levels().unwrap_or(1))
            }
            Domain::Categorical { choices } | Domain::Ordinal { choices } => {
                middle(raw, choices.len() as u64)
            }
        }
    }

    /// The internal number of a value, if the value belongs to the domain. A stepped real number is moved to its level if
    /// it is within a millionth of a step of it.
    pub fn raw(&self, value: &Value) -> Option<f64> {
        match self {
            Domain::Float { low, high, step, .. } => {
                let x = value.as_f64().filter(|x| (*low..=*high).contains(x))?;
                let Some(step) = step else { return Some(x) };
                let level = ((x - low) / step).round();
                ((x - low) / step - level).abs().lt(&1e-6).then_some((low + level * step).min(*high))
            }
            Domain::Int { low, high, step, .. } => {
                let x = match value {
                    Value::Int(i) => *i,
                    Value::Float(x) if x.fract() == 0.0 && x.abs() <= LARGEST_INT as f64 => *x as i64,
                    _ => return None,
                };
                ((*low..=*high).contains(&x) && (x - low) % step == 0).then_some(x as f64)
            }
            Domain::Categorical { choices } | Domain::Ordinal { choices } => {
                choices.iter().position(|c| c.same(value)).map(|i| i as f64)
            }
        }
    }

    /// The value of an internal number that belongs to the domain.
    pub fn value(&self, raw: f64) -> Value {
        match self {
            Domain::Float { .. } => Value::Float(raw),
            Domain::Int { .. } => Value::Int(raw as i64),
            Domain::Categorical { choices } | Domain::Ordinal { choices } => {
                choices.get(raw as usize).cloned().unwrap_or(Value::Null)
            }
        }
    }
}

/// Prints a choice so that it reads back as the same value.
pub(crate) fn quoted(value: &Value) -> String {
    match value {
        Value::Text(t) if !is_plain_word(t) => {
            let quote = if t.contains('"') { '\'' } else { '"' };
            format!("{quote}{t}{quote}")
        }
        Value::Float(x) if x.fract() == 0.0 && Short(*x).to_string().parse::<i64>().is_ok() => {
            format!("{x:.1}")
        }
        other => other.to_string(),
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.show(&|x: &Value| x.to_string()))
    }
}

impl Domain {
    /// The text of the domain, with `number` printing the ends and the step of a real range.
    pub(crate) fn show(&self, number: &dyn Fn(&Value) -> String) -> String {
        let log = |scale: &Scale| if *scale == Scale::Log { "log " } else { "" };
        let list =
            |choices: &[Value], between: &str| choices.iter().map(quoted).collect::<Vec<_>>().join(between);
        match self {
            Domain::Float { low, high, scale, step } => {
                let (a, b) = (number(&Value::Float(*low)), number(&Value::Float(*high)));
                let whole = |x: &f64| x.fract() == 0.0 && Short(*x).to_string().parse::<i64>().is_ok();
                let percent = a.ends_with('%');
                let kind = if whole(low) && whole(high) && step.is_none_or(|s| whole(&s)) && !percent {
                    "float "
                } else {
                    ""
                };
                let step = step.map(|s| format!(" step {}", number(&Value::Float(s)))).unwrap_or_default();
                format!("{}{kind}{a}..{b}{step}", log(scale))
            }
            Domain::Int { low, high, scale, step } => {
                let (a, b) = (number(&Value::Int(*low)), number(&Value::Int(*high)));
                let step =
                    if *step == 1 { String::new() } else { format!(" step {}", number(&Value::Int(*step))) };
                format!("{}{a}..{b}{step}", log(scale))
            }
            Domain::Categorical { choices } => list(choices, "|"),
            Domain::Ordinal { choices } if choices.len() == 1 => list(choices, "|"),
            Domain::Ordinal { choices } => list(choices, "<"),
        }
    }
}
