//! What can be wrong with a schedule: in its text, or against a horizon.
use alloc::string::String;
use core::fmt;
use core::ops::Range;

use crate::measure::{Level, Span};
use crate::number::Shortest;

/// A schedule's text that cannot be read: where, what was expected, and the nearest known word.
///
/// `Display` prints the problem, the text with a line of carets under the place, and the advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong, in one sentence.
    pub problem: String,
    /// The bytes of `text` that it is about; empty at the place where something is missing.
    pub at: Range<usize>,
    /// What would have been right there.
    pub expected: Option<String>,
    /// The known word that the unknown one resembles most.
    pub nearest: Option<String>,
    /// The whole text.
    pub text: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.text.get(..self.at.start).unwrap_or("");
        let marked = self.text.get(self.at.clone()).unwrap_or("");
        let (line_start, column) = match before.rfind('\n') {
            Some(i) => (i + 1, before[i + 1..].chars().count()),
            None => (0, before.chars().count()),
        };
        let line = self.text[line_start..].lines().next().unwrap_or("");
        let width = marked.lines().next().unwrap_or("").chars().count().max(1);
        writeln!(f, "{}", self.problem)?;
        writeln!(f, "  {line}")?;
        write!(f, "  {:column$}{:^<width$}", "", "^")?;
        if let Some(expected) = &self.expected {
            write!(f, "\nexpected {expected}")?;
        }
        if let Some(nearest) = &self.nearest {
            write!(f, "\ndid you mean {nearest}?")?;
        }
        Ok(())
    }
}

impl core::error::Error for ParseError {}

/// Everything that this crate can refuse, and why.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not a schedule.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// A horizon of no steps.
    #[error("a horizon needs at least one step")]
    NoSteps,
    /// A horizon too long for exact arithmetic on steps.
    #[error("a horizon may have at most 2^53 steps, not {0}")]
    TooManySteps(u64),
    /// A unit of the horizon that is not a positive number.
    #[error("the horizon's {what} must be a finite number above 0, not {value}")]
    HorizonUnit {
        /// Which one.
        what: &'static str,
        /// What it was.
        value: f64,
    },
    /// A peak rate that is not a positive number.
    #[error("the peak rate must be a finite number above 0, not {0}")]
    Peak(f64),
    /// A schedule without phases.
    #[error("a schedule needs at least one phase")]
    Empty,
    /// A phase that cannot be resolved.
    #[error("`{phase}`: {problem}")]
    Phase {
        /// The phase as text.
        phase: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// The same channel or group twice.
    #[error("`{0}` is given twice: keep one of the two")]
    Twice(String),
}

/// What is wrong with one phase.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A span in epochs, and a horizon that does not know them.
    #[error("`{0}` is in epochs: give the horizon its steps per epoch")]
    NeedsEpochs(Span),
    /// A span in tokens, and a horizon that does not know them.
    #[error("`{0}` is in tokens: give the horizon its tokens per step")]
    NeedsTokens(Span),
    /// An absolute level, and no peak rate to relate it to.
    #[error("`{0}` is an absolute rate: give the peak rate, or write the level as a fraction of the peak")]
    NeedsPeak(Level),
    /// An absolute level where only a factor makes sense.
    #[error("`{0}` is an absolute rate, but only a fraction makes sense here")]
    NotAbsolute(Level),
    /// A span that rounds to 0 steps.
    #[error("`{0}` is {steps} steps of this horizon and rounds to 0: write 0 to leave the phase out", steps = Shortest(*.1))]
    RoundsToZero(Span, f64),
    /// The phases need more steps than there are.
    #[error("the phases need {needed} steps up to here, but there are only {available}")]
    Overfull {
        /// Steps needed.
        needed: f64,
        /// Steps there are.
        available: u64,
    },
    /// Nothing is left for the phase without a span.
    #[error("the other phases take all {0} steps and leave none for this one")]
    NothingLeft(u64),
    /// A second phase without a span.
    #[error("only one phase may go without a span, and `{0}` does already")]
    TwoOpen(String),
    /// A setting whose value is out of range.
    #[error("`{setting}` must be {rule}, not {}", Shortest(*.value))]
    Range {
        /// The setting.
        setting: &'static str,
        /// What it must be.
        rule: &'static str,
        /// What it was.
        value: f64,
    },
    /// Settings that do not go together, or one that is missing.
    #[error("{0}")]
    Settings(&'static str),
    /// A period or time that is too short.
    #[error("`{setting} {span}` is {} steps of this horizon: it must be at least 1", Shortest(*.steps))]
    TooShort {
        /// The setting.
        setting: &'static str,
        /// As written.
        span: Span,
        /// In steps.
        steps: f64,
    },
}

/// What goes wrong while a phase is resolved: here, or in a phase inside it.
#[derive(Debug)]
pub(crate) enum Trouble {
    Here(Problem),
    Inner(Error),
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self::Here(problem)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Inner(error)
    }
}

impl Trouble {
    /// The error, where no phase is known that a problem belongs to.
    pub fn into_error(self) -> Error {
        match self {
            Self::Inner(error) => error,
            Self::Here(problem) => Error::Phase { phase: String::new(), problem },
        }
    }
}
