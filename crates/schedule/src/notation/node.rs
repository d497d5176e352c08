//! The common form between the notations: a word, its leading values, its named settings, its parts.
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::measure::{Level, Span, Unit};
use crate::number::Shortest;

/// A value as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// A number without a unit: a factor, a level, or a span in steps.
    Number(f64),
    /// A span with a unit.
    Span(Span),
    /// An absolute rate, `lr 1e-6`.
    Rate(f64),
    /// A word, such as the shape after `along`.
    Word(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(x) => write!(f, "{}", Shortest(*x)),
            Self::Span(span) => write!(f, "{span}"),
            Self::Rate(x) => write!(f, "lr {}", Shortest(*x)),
            Self::Word(word) => f.write_str(word),
        }
    }
}

impl From<Span> for Value {
    fn from(span: Span) -> Self {
        match span.unit {
            Unit::Steps => Self::Number(span.amount),
            _ => Self::Span(span),
        }
    }
}

impl From<Level> for Value {
    fn from(level: Level) -> Self {
        match level {
            Level::Relative(x) => Self::Number(x),
            Level::Absolute(x) => Self::Rate(x),
        }
    }
}

/// A value and where it stands in the text.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub value: Value,
    pub at: Range<usize>,
}

/// A named setting with its values.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub name: String,
    pub values: Vec<Placed>,
    pub at: Range<usize>,
}

/// A phase (or a `with` clause) before it has a meaning.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    pub word: String,
    /// Values between the word and the first setting: in text by position only, in data by name.
    pub lead: Vec<Setting>,
    pub settings: Vec<Setting>,
    /// The phases in parentheses, `of` in data.
    pub parts: Option<Vec<Node>>,
    /// Whether it was read from text, where leading values have no names.
    pub positional: bool,
    pub at: Range<usize>,
    pub word_at: Range<usize>,
}

impl Node {
    pub fn new(word: &str) -> Self {
        Self { word: word.into(), ..Self::default() }
    }

    /// How many nodes lie in one another, this one included.
    pub fn depth(&self) -> usize {
        1 + self.parts.iter().flatten().map(Self::depth).max().unwrap_or(0)
    }

    /// Whether a setting is there.
    pub fn has(&self, name: &str) -> bool {
        self.settings.iter().any(|setting| setting.name == name)
    }

    /// Adds a leading value, which has a name in data only.
    pub fn lead(&mut self, name: &str, value: impl Into<Value>) {
        self.lead.push(setting(name, [value.into()]));
    }

    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.settings.push(setting(name, [value.into()]));
    }

    pub fn set_some(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// Adds a list, unless it is empty.
    pub fn set_all<V: Into<Value> + Clone>(&mut self, name: &str, values: &[V]) {
        if !values.is_empty() {
            self.settings.push(setting(name, values.iter().cloned().map(Into::into)));
        }
    }

    /// Adds a number, unless it is the default.
    pub fn set_unless(&mut self, name: &str, number: f64, default: f64) {
        if number != default {
            self.set(name, number);
        }
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Self::Number(x)
    }
}

impl From<&str> for Value {
    fn from(word: &str) -> Self {
        Self::Word(word.into())
    }
}

fn setting(name: &str, values: impl IntoIterator<Item = Value>) -> Setting {
    let values = values.into_iter().map(|value| Placed { value, at: 0..0 }).collect();
    Setting { name: name.into(), values, at: 0..0 }
}

/// The words that are written close to their parenthesis, like functions.
const FUNCTIONS: [&str; 4] = ["min", "max", "product", "sum"];

/// Text: the word, the values, the settings, the parts in parentheses.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = self.word == "sequence" && self.lead.is_empty();
        if !bare {
            f.write_str(&self.word)?;
        }
        for value in self.lead.iter().flat_map(|lead| &lead.values) {
            write!(f, " {}", value.value)?;
        }
        for setting in &self.settings {
            write!(f, " {}", setting.name)?;
            for value in &setting.values {
                write!(f, " {}", value.value)?;
            }
        }
        if let Some(parts) = &self.parts {
            let space = if bare || FUNCTIONS.contains(&self.word.as_str()) { "" } else { " " };
            write!(f, "{space}({})", Sequence(parts))?;
        }
        Ok(())
    }
}

/// Text of phases in sequence: separated by commas.
pub(crate) struct Sequence<'a>(pub &'a [Node]);

impl fmt::Display for Sequence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, node) in self.0.iter().enumerate() {
            write!(f, "{}{node}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// What is wrong with a node, and where.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub problem: String,
    pub at: Range<usize>,
    pub expected: Option<String>,
    pub nearest: Option<String>,
}

impl Fault {
    pub fn new(problem: impl Into<String>, at: Range<usize>) -> Self {
        Self { problem: problem.into(), at, expected: None, nearest: None }
    }

    pub fn expected(mut self, what: impl Into<String>) -> Self {
        self.expected = Some(what.into());
        self
    }
}
