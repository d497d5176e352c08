//! Text to nodes, and the [`FromStr`] and [`Display`](fmt::Display) of schedules.
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use core::str::FromStr;

use super::lexer::{Token, lex};
use super::node::{Fault, Node, Placed, Sequence, Setting, Value};
use crate::error::ParseError;
use crate::schedule::{Phase, Schedule, With};

/// How deep parentheses may nest: far more than anyone writes, little enough for any stack.
pub(crate) const MAX_DEPTH: usize = 32;

impl FromStr for Schedule {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        schedule(text).map_err(|fault| *fault.into_parse_error(text))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phases: Vec<Node> = self.phases.iter().map(Phase::to_node).collect();
        write!(f, "{}", Sequence(&phases))?;
        for with in &self.with {
            write!(f, " with {}", with.to_node())?;
        }
        Ok(())
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_node().fmt(f)
    }
}

impl fmt::Display for With {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "with {}", self.to_node())
    }
}

impl Fault {
    pub(crate) fn into_parse_error(self, text: &str) -> Box<ParseError> {
        let Self { problem, at, expected, nearest } = self;
        Box::new(ParseError { problem, at, expected, nearest, text: text.into() })
    }
}

pub(crate) fn schedule(text: &str) -> Result<Schedule, Fault> {
    let mut parser = Parser::new(text)?;
    let phases = parser.sequence(0)?.iter().map(Phase::from_node).collect::<Result<_, _>>()?;
    let mut with = Vec::new();
    while parser.accept(&Token::Word("with".into())) {
        with.push(With::from_node(&parser.phase(0)?)?);
    }
    parser.end()?;
    Ok(Schedule { phases, with })
}

/// Phases and nothing else.
pub(crate) fn sequence(text: &str) -> Result<Vec<Node>, Fault> {
    let mut parser = Parser::new(text)?;
    let nodes = parser.sequence(0)?;
    parser.end()?;
    Ok(nodes)
}

/// One phase, for data notations that give a phase as a string. Several become a sequence.
pub(crate) fn phase(text: &str) -> Result<Node, Fault> {
    let mut nodes = sequence(text)?;
    match nodes.len() {
        1 => Ok(nodes.remove(0)),
        _ => Ok(Node { word: "sequence".into(), parts: Some(nodes), positional: true, ..Node::default() }),
    }
}

/// One value, for data notations that give a value as a string.
pub(crate) fn value(text: &str) -> Result<Value, Fault> {
    let mut tokens = lex(text)?.into_iter();
    match (tokens.next(), tokens.next()) {
        (Some((Token::Value(value), _)), None) => Ok(value),
        (Some((Token::Word(word), _)), None) => Ok(Value::Word(word)),
        _ => Err(Fault::new(format!("`{text}` is not a value"), 0..text.len())),
    }
}

struct Parser<'t> {
    tokens: Vec<(Token, Range<usize>)>,
    next: usize,
    text: &'t str,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Result<Self, Fault> {
        Ok(Self { tokens: lex(text)?, next: 0, text })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    /// Where the next token is; an empty place at the end if there is none.
    fn here(&self) -> Range<usize> {
        let end = self.text.trim_end().len();
        self.tokens.get(self.next).map_or(end..end, |(_, at)| at.clone())
    }

    fn accept(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.next += usize::from(found);
        found
    }

    fn end(&self) -> Result<(), Fault> {
        match self.peek() {
            None => Ok(()),
            Some(Token::Close) => Err(Fault::new("this parenthesis closes nothing", self.here())),
            Some(_) => Err(self.unexpected().expected("a comma, a setting, or the end")),
        }
    }

    fn unexpected(&self) -> Fault {
        let at = self.here();
        match self.text.get(at.clone()).filter(|text| !text.is_empty()) {
            Some(text) => Fault::new(format!("`{text}` does not belong here"), at),
            None => Fault::new("the text ends too early", at),
        }
    }

    /// sequence = phase { "," phase }
    fn sequence(&mut self, depth: usize) -> Result<Vec<Node>, Fault> {
        let mut phases = Vec::new();
        loop {
            phases.push(self.phase(depth)?);
            if !self.accept(&Token::Comma) {
                return Ok(phases);
            }
        }
    }

    /// phase = word { value } { setting } [ "(" sequence ")" ] | "(" sequence ")"
    fn phase(&mut self, depth: usize) -> Result<Node, Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::new(format!("more than {MAX_DEPTH} parentheses in one another"), self.here()));
        }
        let mut node = Node { positional: true, at: self.here(), word_at: self.here(), ..Node::default() };
        match self.peek() {
            Some(Token::Word(word)) if word != "with" => {
                node.word = word.clone();
                self.next += 1;
                node.lead = self.lead(&node.word).into_iter().map(unnamed).collect();
                while let Some(setting) = self.setting()? {
                    node.settings.push(setting);
                }
            }
            Some(Token::Open) => node.word = "sequence".into(),
            _ => return Err(self.unexpected().expected("a shape, such as `cosine` or `warmup 5%`")),
        }
        let open = self.here();
        if self.accept(&Token::Open) {
            node.parts = Some(self.sequence(depth + 1)?);
            if !self.accept(&Token::Close) {
                return Err(match self.peek() {
                    None => Fault::new("this parenthesis is not closed", open).expected("a `)`"),
                    Some(_) => self.unexpected().expected("a comma or `)`"),
                });
            }
        }
        node.at.end = self.tokens.get(self.next.wrapping_sub(1)).map_or(node.at.end, |(_, at)| at.end);
        Ok(node)
    }

    /// The values right after the word; `group` is followed by a name.
    fn lead(&mut self, word: &str) -> Vec<Placed> {
        match self.tokens.get(self.next) {
            Some((Token::Word(name), at)) if word == "group" => {
                self.next += 1;
                [Placed { value: Value::Word(name.clone()), at: at.clone() }].into()
            }
            _ => self.values(),
        }
    }

    fn values(&mut self) -> Vec<Placed> {
        let mut values = Vec::new();
        while let Some((Token::Value(value), at)) = self.tokens.get(self.next) {
            values.push(Placed { value: value.clone(), at: at.clone() });
            self.next += 1;
        }
        values
    }

    /// setting = word { value }, and `along` takes a word.
    fn setting(&mut self) -> Result<Option<Setting>, Fault> {
        let Some((Token::Word(name), at)) = self.tokens.get(self.next).cloned() else { return Ok(None) };
        if name == "with" {
            return Ok(None);
        }
        self.next += 1;
        let mut values = self.values();
        if values.is_empty() && TAKES_WORD.contains(&name.as_str()) {
            match self.tokens.get(self.next).cloned() {
                Some((Token::Word(word), at)) => {
                    values.push(Placed { value: Value::Word(word), at });
                    self.next += 1;
                }
                _ => {
                    return Err(Fault::new(format!("`{name}` needs a word after it"), at)
                        .expected("a word, as in `along cosine` or `goal max`"));
                }
            }
        }
        let end = values.last().map_or(at.end, |value| value.at.end);
        Ok(Some(Setting { name, values, at: at.start..end }))
    }
}

/// The settings whose value is a word.
const TAKES_WORD: &[&str] = &["along", "goal"];

fn unnamed(value: Placed) -> Setting {
    let at = value.at.clone();
    Setting { name: String::new(), values: [value].into(), at }
}

impl Fault {
    /// In one line, for notations without a text to point at.
    pub(crate) fn in_one_line(&self) -> String {
        let mut line = self.problem.to_string();
        if let Some(expected) = &self.expected {
            line += &format!("; expected {expected}");
        }
        if let Some(nearest) = &self.nearest {
            line += &format!("; did you mean {nearest}?");
        }
        line
    }
}
