//! Linear constraints between numeric parameters.
use std::fmt;
use std::sync::Arc;

use crate::space::Space;
use crate::value::Short;

/// How two numbers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Comparison {
    pub(crate) fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Comparison::Less => left < right,
            Comparison::AtMost => left <= right,
            Comparison::Greater => left > right,
            Comparison::AtLeast => left >= right,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::Greater => ">",
            Comparison::AtLeast => ">=",
        })
    }
}

/// A multiple of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// The factor.
    pub factor: f64,
    /// The parameter's name.
    pub name: Arc<str>,
}

/// A constraint: the sum of the terms compares so with the bound (`warmup - steps < 0`).
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    /// The terms at the left.
    pub terms: Vec<Term>,
    /// The comparison.
    pub comparison: Comparison,
    /// The number at the right.
    pub bound: f64,
}

impl Constraint {
    /// Whether internal numbers satisfy it; it holds if one of its parameters is inactive.
    pub fn holds(&self, space: &Space, raw: &[f64]) -> bool {
        let mut sum = 0.0;
        for term in &self.terms {
            let Some(i) = space.index_of(&term.name) else { return true };
            match raw.get(i).filter(|x| !x.is_nan()).and_then(|&x| space.parameters()[i].number(x)) {
                Some(x) => sum += term.factor * x,
                None => return true,
            }
        }
        self.comparison.holds(sum, self.bound)
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, term) in self.terms.iter().enumerate() {
            let sign = match (i, term.factor < 0.0) {
                (0, false) => "",
                (0, true) => "-",
                (_, false) => " + ",
                (_, true) => " - ",
            };
            f.write_str(sign)?;
            if term.factor.abs() != 1.0 {
                write!(f, "{}*", Short(term.factor.abs()))?;
            }
            f.write_str(&term.name)?;
        }
        write!(f, " {} {}", self.comparison, Short(self.bound))
    }
}
