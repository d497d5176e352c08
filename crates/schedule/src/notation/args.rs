//! Typed reading of a node's values. What a form asks for is what it accepts: the rest is an error.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::nearest::advice;
use super::node::{Fault, Node, Placed, Setting, Value};
use crate::measure::{Level, Span};

pub(crate) struct Args<'n> {
    node: &'n Node,
    taken: Vec<bool>,
    asked: Vec<&'static str>,
    led: usize,
    parts_taken: bool,
}

impl<'n> Args<'n> {
    pub fn new(node: &'n Node) -> Self {
        Self { node, taken: vec![false; node.settings.len()], asked: Vec::new(), led: 0, parts_taken: false }
    }

    /// The word that the settings belong to.
    pub fn word(&self) -> &'n str {
        &self.node.word
    }

    pub fn fault(&self, problem: impl Into<String>) -> Fault {
        Fault::new(problem, self.node.word_at.clone())
    }

    /// The next leading value: by position in text, by name in data.
    pub fn lead<T: Read>(&mut self, name: &'static str) -> Result<Option<T>, Fault> {
        if !self.node.positional {
            return self.one(name);
        }
        let Some(setting) = self.node.lead.get(self.led) else { return Ok(None) };
        self.led += 1;
        match setting.values.first() {
            Some(value) => self.read(name, value).map(Some),
            None => Ok(None),
        }
    }

    /// Whether a setting is there, without asking for it.
    pub fn has(&self, name: &str) -> bool {
        self.node.has(name)
    }

    /// A setting with one value.
    pub fn one<T: Read>(&mut self, name: &'static str) -> Result<Option<T>, Fault> {
        let Some(setting) = self.find(name)? else { return Ok(None) };
        match setting.values.as_slice() {
            [value] => self.read(name, value).map(Some),
            values => {
                let fault =
                    Fault::new(format!("`{name}` takes one value, not {}", values.len()), setting.at.clone());
                Err(fault.expected(T::EXPECTED))
            }
        }
    }

    /// A setting with one or more values; empty if it is absent.
    pub fn many<T: Read>(&mut self, name: &'static str) -> Result<Vec<T>, Fault> {
        let Some(setting) = self.find(name)? else { return Ok(Vec::new()) };
        if setting.values.is_empty() {
            return Err(
                Fault::new(format!("`{name}` needs a value"), setting.at.clone()).expected(T::EXPECTED)
            );
        }
        setting.values.iter().map(|value| self.read(name, value)).collect()
    }

    /// The parts in parentheses.
    pub fn parts(&mut self) -> Result<&'n [Node], Fault> {
        self.parts_taken = true;
        match self.node.parts.as_deref() {
            Some(parts) if !parts.is_empty() => Ok(parts),
            _ => Err(self
                .fault(format!("`{}` needs phases in parentheses", self.node.word))
                .expected(format!("`{} (cosine)`, for example", self.node.word))),
        }
    }

    /// The parts in parentheses, if there are any.
    pub fn optional_parts(&mut self) -> Option<&'n [Node]> {
        self.parts_taken = true;
        self.node.parts.as_deref()
    }

    /// Refuses whatever was not asked for.
    pub fn finish(self) -> Result<(), Fault> {
        if let Some(extra) = self.node.lead.get(self.led).filter(|_| self.node.positional) {
            let written = extra.values.first().map(|v| v.value.to_string()).unwrap_or_default();
            let problem = format!("`{written}` is one value too many for `{}`", self.node.word);
            return Err(Fault::new(problem, extra.at.clone()).expected(self.settings_text()));
        }
        let mut untaken = self.node.settings.iter().zip(&self.taken).filter(|(_, taken)| !**taken);
        if let Some((setting, _)) = untaken.next() {
            let problem = format!("`{}` has no setting `{}`", self.node.word, setting.name);
            let name_at = setting.at.start..(setting.at.start + setting.name.len()).min(setting.at.end);
            let mut fault = Fault::new(problem, name_at).expected(self.settings_text());
            fault.nearest = advice(&setting.name, self.asked.iter().copied());
            return Err(fault);
        }
        if !self.parts_taken && self.node.parts.is_some() {
            return Err(self.fault(format!("`{}` takes no phases in parentheses", self.node.word)));
        }
        Ok(())
    }

    fn settings_text(&self) -> String {
        let names: Vec<String> =
            self.asked.iter().filter(|name| **name != "span").map(|name| format!("`{name}`")).collect();
        if names.is_empty() {
            return "no settings here: a comma, or the end".into();
        }
        format!("one of its settings: {}", names.join(", "))
    }

    fn find(&mut self, name: &'static str) -> Result<Option<&'n Setting>, Fault> {
        self.asked.push(name);
        let mut found = None;
        for (i, setting) in self.node.settings.iter().enumerate().filter(|(_, s)| s.name == name) {
            if found.is_some() {
                return Err(Fault::new(format!("`{name}` is given twice"), setting.at.clone()));
            }
            if let Some(taken) = self.taken.get_mut(i) {
                *taken = true;
            }
            found = Some(setting);
        }
        Ok(found)
    }

    fn read<T: Read>(&self, name: &str, placed: &Placed) -> Result<T, Fault> {
        T::read(&placed.value).ok_or_else(|| {
            let problem = format!("`{}` does not fit `{name}`", placed.value);
            Fault::new(problem, placed.at.clone()).expected(T::EXPECTED)
        })
    }
}

/// A type that a setting's value can have.
pub(crate) trait Read: Sized {
    const EXPECTED: &'static str;
    fn read(value: &Value) -> Option<Self>;
}

impl Read for f64 {
    const EXPECTED: &'static str = "a number";
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Number(x) => Some(*x),
            _ => None,
        }
    }
}

impl Read for u64 {
    const EXPECTED: &'static str = "a whole number, 0 or more";
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Number(x) if *x >= 0.0 && *x <= 9_007_199_254_740_992.0 && libm::trunc(*x) == *x => {
                Some(*x as u64)
            }
            _ => None,
        }
    }
}

impl Read for Span {
    const EXPECTED: &'static str = "a span: steps (500), a share (5%), epochs (10ep) or tokens (2Mtok)";
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Number(x) if *x >= 0.0 => Some(Self { amount: *x, unit: crate::measure::Unit::Steps }),
            Value::Span(span) if span.amount >= 0.0 => Some(*span),
            _ => None,
        }
    }
}

impl Read for Level {
    const EXPECTED: &'static str = "a level, 0 or more: a fraction of the peak (0.1) or a rate (lr 1e-6)";
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Number(x) if *x >= 0.0 => Some(Self::Relative(*x)),
            Value::Rate(x) if *x >= 0.0 => Some(Self::Absolute(*x)),
            _ => None,
        }
    }
}

impl Read for String {
    const EXPECTED: &'static str = "a word";
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Word(word) => Some(word.clone()),
            _ => None,
        }
    }
}
