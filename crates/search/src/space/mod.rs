//! What may be tried: parameters with their ranges, conditions between them, constraints.
mod constraint;
mod domain;
mod parameter;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

pub use constraint::{Comparison, Constraint, Term};
pub use domain::{Domain, Scale};
pub use parameter::{Condition, Parameter, Suffix};

use crate::error::SearchError;
use crate::value::{Params, Value};

/// A search space: an ordered list of parameters and the constraints between them.
///
/// It reads from and prints to text:
/// `lr=log 1e-5..1, layers=2..8, optimizer=sgd|adamw, momentum=0.5..0.99 if optimizer=sgd, warmup=0%..10%, batch=16<32<64`.
///
/// | text | meaning |
/// |---|---|
/// | `a..b` | a range, both ends included: whole numbers if both ends are written as such, otherwise real ones; `int a..b` and `float a..b` say it |
/// | `log a..b` | the same on a logarithmic scale |
/// | `a..b step s` | only a, a+s, a+2s, … |
/// | `a%..b%` | shares; the values are fractions, printed with their percent sign. Other suffixes (`5ep..20ep`) are kept as written |
/// | `x\|y\|z` | one of these, without order |
/// | `x<y<z` | one of these, in order |
/// | `x` | fixed |
/// | `… if other=x\|y`, `… if other>=3` | exists only if the (earlier) parameter has such a value; several with `and` |
/// | `2*a + b <= 1` | a constraint, as an item of its own |
///
/// Words and numbers may be quoted (`"a, b"|'c'`); then they are text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Space {
    parameters: Vec<Parameter>,
    constraints: Vec<Constraint>,
}

impl Space {
    /// An empty space.
    pub fn new() -> Self {
        Space::default()
    }

    /// Adds a parameter; see [`Space::add`].
    pub fn with(mut self, parameter: Parameter) -> Result<Self, SearchError> {
        self.add(parameter)?;
        Ok(self)
    }

    /// Adds a parameter at the end.
    ///
    /// Fails if the name is taken or empty, the domain contradicts itself, or a condition names a parameter that is not
    /// there yet (so that conditions cannot run in circles).
    pub fn add(&mut self, parameter: Parameter) -> Result<(), SearchError> {
        let name = parameter.name.clone();
        if name.is_empty() {
            return Err(SearchError::parameter("", "a parameter needs a name"));
        }
        if self.index_of(&name).is_some() {
            return Err(SearchError::parameter(&name, "declared twice; give it another name or drop one"));
        }
        parameter.check()?;
        for condition in &parameter.conditions {
            let Some(parent) = self.get(condition.parent()) else {
                let message =
                    format!("its condition names '{}', which is not declared before it", condition.parent());
                return Err(SearchError::parameter(&name, message));
            };
            condition.check(parent).map_err(|message| SearchError::parameter(&name, message))?;
        }
        self.parameters.push(parameter);
        Ok(())
    }

    /// Adds a constraint over numeric parameters that are already declared.
    pub fn constrain(&mut self, constraint: Constraint) -> Result<(), SearchError> {
        for term in &constraint.terms {
            match self.get(&term.name) {
                None => {
                    let message = "a constraint names it, but it is not declared before";
                    return Err(SearchError::parameter(&term.name, message));
                }
                Some(p) if !p.is_numeric() => {
                    return Err(SearchError::parameter(
                        &term.name,
                        "a constraint needs numbers; this one has words",
                    ));
                }
                Some(_) => {}
            }
        }
        self.constraints.push(constraint);
        Ok(())
    }

    /// Narrows a parameter to one value, keeping its domain, so that a history of the wider space still fits.
    pub fn fix(&mut self, name: &str, value: impl Into<Value>) -> Result<(), SearchError> {
        let value = value.into();
        let Some(i) = self.index_of(name) else {
            return Err(SearchError::parameter(
                name,
                "cannot be fixed: there is no such parameter in the space",
            ));
        };
        let parameter = &mut self.parameters[i];
        let raw = parameter.domain.raw(&value).ok_or_else(|| {
            SearchError::parameter(name, format!("cannot be fixed to {value}: not in {}", parameter.domain))
        })?;
        parameter.fixed = Some(parameter.domain.value(raw));
        Ok(())
    }

    /// The parameters in order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The constraints.
    pub fn constraints(&self) -> &[Constraint] {
        &self.constraints
    }

    /// How many parameters there are.
    pub fn len(&self) -> usize {
        self.parameters.len()
    }

    /// Whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty()
    }

    /// The place of a name.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.parameters.iter().position(|p| &*p.name == name)
    }

    /// The parameter of a name.
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.index_of(name).map(|i| &self.parameters[i])
    }

    /// Whether `other` is this space, up to fixed values and constraints.
    pub fn same_domains(&self, other: &Space) -> bool {
        self.len() == other.len()
            && self
                .parameters
                .iter()
                .zip(&other.parameters)
                .all(|(a, b)| a.name == b.name && a.domain == b.domain && a.conditions == b.conditions)
    }

    /// The internal numbers of a set of values, in the order of the parameters: the number itself, the index of a choice,
    /// NaN for an inactive parameter.
    ///
    /// Fails if a value is missing, unknown, outside its domain, or given for an inactive parameter. Constraints are not
    /// checked: what was run, was run.
    pub fn raw(&self, params: &Params) -> Result<Vec<f64>, SearchError> {
        let mut raw = Vec::with_capacity(self.len());
        let mut used = 0;
        for parameter in &self.parameters {
            let active = parameter.is_active(self, &raw);
            raw.push(match (params.get(&parameter.name), active) {
                (Some(value), true) => {
                    used += 1;
                    parameter.domain.raw(value).ok_or_else(|| {
                        SearchError::Params(format!(
                            "{}={value} is not in {}",
                            parameter.name, parameter.domain
                        ))
                    })?
                }
                (None, false) => f64::NAN,
                (None, true) if parameter.optional => f64::NAN,
                (Some(value), false) => {
                    let message =
                        format!("{}={value} is given although its condition does not hold", parameter.name);
                    return Err(SearchError::Params(message));
                }
                (None, true) => {
                    return Err(SearchError::Params(format!("'{}' has no value", parameter.name)));
                }
            });
        }
        if used != params.len() {
            let unknown: Vec<&str> =
                params.iter().map(|(n, _)| n).filter(|n| self.index_of(n).is_none()).collect();
            return Err(SearchError::Params(format!("no such parameter: {}", unknown.join(", "))));
        }
        Ok(raw)
    }

    /// The named values of internal numbers; NaN is an inactive parameter and left out.
    pub fn params(&self, raw: &[f64]) -> Params {
        let mut params = Params::new();
        for (parameter, &x) in self.parameters.iter().zip(raw) {
            if !x.is_nan() {
                params.push(parameter.name.clone(), parameter.domain.value(x));
            }
        }
        params
    }

    /// The internal numbers of a point of the unit cube: fixed values put in, inactive parameters NaN.
    pub fn from_unit(&self, unit: &[f64]) -> Vec<f64> {
        let mut raw = Vec::with_capacity(self.len());
        self.fill_from_unit(unit, &mut raw);
        raw
    }

    /// The same as [`Space::from_unit`], into a vector that is cleared first.
    pub(crate) fn fill_from_unit(&self, unit: &[f64], raw: &mut Vec<f64>) {
        raw.clear();
        for (parameter, &u) in self.parameters.iter().zip(unit) {
            let active = parameter.is_active(self, raw);
            let fixed = parameter.fixed.as_ref().and_then(|v| parameter.domain.raw(v));
            raw.push(if active { fixed.unwrap_or_else(|| parameter.domain.from_unit(u)) } else { f64::NAN });
        }
    }

    /// The point of the unit cube of internal numbers; NaN stays NaN.
    pub fn to_unit(&self, raw: &[f64]) -> Vec<f64> {
        self.parameters.iter().zip(raw).map(|(p, &x)| p.domain.to_unit(x)).collect()
    }

    /// Whether internal numbers satisfy every constraint. A constraint over an inactive parameter holds.
    pub fn allows(&self, raw: &[f64]) -> bool {
        self.constraints.iter().all(|c| c.holds(self, raw))
    }

    /// The places of the parameters with anything to choose: not fixed, and more than one value.
    pub fn free(&self) -> Vec<usize> {
        let free = |p: &Parameter| p.fixed.is_none() && p.domain.levels() != Some(1);
        (0..self.len()).filter(|&i| free(&self.parameters[i])).collect()
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for parameter in &self.parameters {
            write!(f, "{separator}{parameter}")?;
            separator = ", ";
        }
        for constraint in &self.constraints {
            write!(f, "{separator}{constraint}")?;
            separator = ", ";
        }
        Ok(())
    }
}
