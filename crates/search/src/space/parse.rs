//! Reading a space from text. The grammar is in the documentation of [`Space`].
use std::str::FromStr;

use crate::error::SearchError;
use crate::space::Space;
use crate::space::constraint::{Comparison, Constraint, Term};
use crate::space::domain::{Domain, Scale};
use crate::space::parameter::{Condition, Parameter, Suffix};
use crate::value::Value;

impl FromStr for Space {
    type Err = SearchError;

    fn from_str(text: &str) -> Result<Self, SearchError> {
        let mut reader = Reader { text: text.chars().collect(), at: 0 };
        let mut space = Space::new();
        loop {
            reader.skip_blanks();
            let start = reader.at;
            reader.item(&mut space).map_err(|e| match e {
                SearchError::Parse { .. } => e,
                other => SearchError::Parse { at: start, message: other.to_string() },
            })?;
            reader.skip_blanks();
            match reader.peek() {
                None => return Ok(space),
                Some(',') => reader.at += 1,
                Some(c) => {
                    return reader.fail(format!(
                        "expected ',' or the end, found '{c}'; texts with blanks or commas need quotes"
                    ));
                }
            }
        }
    }
}

fn is_atom_char(c: char) -> bool {
    c.is_alphanumeric() || "_.+-%:/@#".contains(c)
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || "_.-".contains(c)
}

/// Whether a text can stand without quotes and is read back as text.
pub(crate) fn is_plain_word(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(is_atom_char)
        && !text.contains("..")
        && !text.starts_with('.')
        && !text.ends_with('.')
        && matches!(scalar(text), Value::Text(_))
}

/// What an unquoted word means as a choice.
fn scalar(word: &str) -> Value {
    match word {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match (word.parse::<i64>(), Number::read(word)) {
            (Ok(i), _) => Value::Int(i),
            (_, Some(Number { value, suffix: None, .. })) => Value::Float(value),
            _ => Value::Text(word.to_owned()),
        },
    }
}

/// A number with its suffix, as written.
struct Number {
    value: f64,
    whole: bool,
    suffix: Option<Suffix>,
}

impl Number {
    fn read(word: &str) -> Option<Number> {
        let end = word.rfind(|c: char| c.is_ascii_digit() || c == '.').map_or(0, |i| i + 1);
        let (digits, suffix) = word.split_at(end);
        let starts_right = digits.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
        if !starts_right || !suffix.chars().all(|c| c.is_alphabetic() || c == '%') {
            return None;
        }
        let value: f64 = digits.parse().ok()?;
        let suffix = match suffix {
            "" => None,
            "%" => Some(Suffix::Percent),
            word if word.contains('%') => return None,
            word => Some(Suffix::Word(word.to_owned())),
        };
        let whole = digits.parse::<i64>().is_ok();
        let value = if suffix == Some(Suffix::Percent) { value / 100.0 } else { value };
        Some(Number { value, whole, suffix })
    }
}

struct Reader {
    text: Vec<char>,
    at: usize,
}

type Read<T> = Result<T, SearchError>;

impl Reader {
    fn fail<T>(&self, message: impl Into<String>) -> Read<T> {
        self.fail_at(self.at, message)
    }

    fn fail_at<T>(&self, at: usize, message: impl Into<String>) -> Read<T> {
        Err(SearchError::Parse { at, message: message.into() })
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn found(&self) -> String {
        self.peek().map_or("the end".into(), |c| format!("'{c}'"))
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek().is_some_and(&keep) {
            self.at += 1;
        }
        self.text[start..self.at].iter().collect()
    }

    /// Takes the text if it comes next, after blanks.
    fn take(&mut self, text: &str) -> bool {
        let before = self.at;
        self.skip_blanks();
        let n = text.chars().count();
        let hit = self.text[self.at..].iter().take(n).copied().eq(text.chars());
        self.at = if hit { self.at + n } else { before };
        hit
    }

    /// Takes the word if it comes next as a whole word and something follows that it can speak of.
    fn take_keyword(&mut self, word: &str) -> bool {
        let before = self.at;
        if self.take(word) && self.peek().is_some_and(char::is_whitespace) {
            self.skip_blanks();
            if self.peek().is_some_and(|c| !"|<,".contains(c)) {
                return true;
            }
        }
        self.at = before;
        false
    }

    fn name(&mut self) -> Read<String> {
        self.skip_blanks();
        let start = self.at;
        let name = self.take_while(is_name_char);
        if name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            return Ok(name);
        }
        self.at = start;
        self.fail(format!("expected the name of a parameter, found {}", self.found()))
    }

    fn item(&mut self, space: &mut Space) -> Read<()> {
        let start = self.at;
        let declares = self.name().is_ok() && self.take("=");
        self.at = start;
        if declares {
            let parameter = self.parameter()?;
            space.add(parameter)
        } else {
            let constraint = self.constraint()?;
            space.constrain(constraint)
        }
    }

    fn parameter(&mut self) -> Read<Parameter> {
        let name = self.name()?;
        self.take("=");
        let (domain, suffix) = self.domain()?;
        let mut parameter = Parameter::new(&name, domain);
        parameter.suffix = suffix;
        if self.take_keyword("if") {
            parameter.conditions.push(self.condition()?);
            while self.take_keyword("and") {
                parameter.conditions.push(self.condition()?);
            }
        }
        Ok(parameter)
    }

    /// An unquoted word up to a delimiter or `..`.
    fn atom(&mut self) -> Read<String> {
        self.skip_blanks();
        let start = self.at;
        while self.peek().is_some_and(is_atom_char)
            && !(self.peek() == Some('.') && self.text.get(self.at + 1) == Some(&'.'))
        {
            self.at += 1;
        }
        if self.at == start {
            return self.fail(format!("expected a value, found {}", self.found()));
        }
        Ok(self.text[start..self.at].iter().collect())
    }

    fn choice(&mut self) -> Read<Value> {
        self.skip_blanks();
        let Some(quote @ ('"' | '\'')) = self.peek() else { return Ok(scalar(&self.atom()?)) };
        let start = self.at;
        self.at += 1;
        let text = self.take_while(|c| c != quote);
        if self.peek().is_none() {
            return self.fail_at(start, format!("the quote {quote} is not closed"));
        }
        self.at += 1;
        Ok(Value::Text(text))
    }

    fn domain(&mut self) -> Read<(Domain, Option<Suffix>)> {
        let log = self.take_keyword("log");
        let (float, int) = (self.take_keyword("float"), self.take_keyword("int"));
        self.skip_blanks();
        let start = self.at;
        let quoted = matches!(self.peek(), Some('"' | '\''));
        if !quoted {
            let low = self.atom()?;
            if self.take("..") {
                return self.range(start, &low, log, float, int);
            }
            self.at = start;
        }
        if log || float || int {
            return self.fail("expected a range such as 1e-5..1");
        }
        let first = self.choice()?;
        let mut choices = vec![first];
        let between = if self.take("|") {
            "|"
        } else if self.take("<") {
            "<"
        } else {
            ""
        };
        if between.is_empty() {
            return Ok((Domain::Categorical { choices }, None));
        }
        loop {
            choices.push(self.choice()?);
            if !self.take(between) {
                break;
            }
        }
        Ok((if between == "|" { Domain::Categorical { choices } } else { Domain::Ordinal { choices } }, None))
    }

    fn number(&mut self) -> Read<Number> {
        self.skip_blanks();
        let start = self.at;
        let word = self.atom()?;
        match Number::read(&word) {
            Some(n) if n.value.is_finite() => Ok(n),
            _ => self.fail_at(start, format!("expected a number, found '{word}'")),
        }
    }

    fn range(
        &mut self,
        start: usize,
        low: &str,
        log: bool,
        float: bool,
        int: bool,
    ) -> Read<(Domain, Option<Suffix>)> {
        let Some(low) = Number::read(low).filter(|n| n.value.is_finite()) else {
            return self.fail_at(start, format!("expected a number before '..', found '{low}'"));
        };
        self.skip_blanks();
        let high_at = self.at;
        let high = self.number()?;
        if low.suffix != high.suffix {
            return self.fail_at(high_at, "both ends of a range need the same suffix");
        }
        let step_at = self.at;
        let step = if self.take_keyword("step") { Some(self.number()?) } else { None };
        if step.as_ref().is_some_and(|s| s.suffix != low.suffix) {
            return self.fail_at(step_at, "the step needs the same suffix as the ends of its range");
        }
        let percent = low.suffix == Some(Suffix::Percent);
        let whole = low.whole && high.whole && step.as_ref().is_none_or(|s| s.whole);
        if int && (!whole || percent) {
            return self.fail_at(start, "'int' needs whole numbers");
        }
        let scale = if log { Scale::Log } else { Scale::Linear };
        let domain = if whole && !percent && !float {
            let step = step.map_or(1, |s| s.value as i64);
            Domain::Int { low: low.value as i64, high: high.value as i64, scale, step }
        } else {
            Domain::Float { low: low.value, high: high.value, scale, step: step.map(|s| s.value) }
        };
        Ok((domain, low.suffix))
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let all = [
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        all.into_iter().find(|(text, _)| self.take(text)).map(|(_, c)| c)
    }

    fn condition(&mut self) -> Read<Condition> {
        let parent = self.name()?.into();
        if let Some(comparison) = self.comparison() {
            return Ok(Condition::Compare { parent, comparison, number: self.number()?.value });
        }
        if !self.take("=") {
            self.skip_blanks();
            return self.fail(format!("expected '=' or a comparison, found {}", self.found()));
        }
        let mut values = vec![self.choice()?];
        while self.take("|") {
            values.push(self.choice()?);
        }
        Ok(Condition::In { parent, values })
    }

    fn constraint(&mut self) -> Read<Constraint> {
        let mut terms: Vec<Term> = Vec::new();
        let left = self.sum(1.0, &mut terms)?;
        let Some(comparison) = self.comparison() else {
            self.skip_blanks();
            let message =
                format!("expected name=values, or a constraint such as a <= b; found {}", self.found());
            return self.fail(message);
        };
        let right = self.sum(-1.0, &mut terms)?;
        if terms.is_empty() {
            return self.fail("a constraint needs at least one parameter");
        }
        Ok(Constraint { terms, comparison, bound: 0.0 - left - right })
    }

    /// Reads a sum of multiples and numbers, adds `sign` times its multiples to `terms` and returns `sign` times the numbers.
    fn sum(&mut self, sign: f64, terms: &mut Vec<Term>) -> Read<f64> {
        let mut constant = 0.0;
        let mut sign_here = if self.take("-") { -sign } else { sign };
        loop {
            self.skip_blanks();
            if self.peek().is_some_and(|c| c.is_ascii_digit() || c == '.') {
                let start = self.at;
                let word = self.take_while(|c| c.is_ascii_alphanumeric() || c == '.' || c == '%');
                // An exponent's sign belongs to the number.
                let word = if word.ends_with(['e', 'E']) && self.peek().is_some_and(|c| "+-".contains(c)) {
                    let sign_of_exponent = self.text[self.at];
                    self.at += 1;
                    format!("{word}{sign_of_exponent}{}", self.take_while(|c| c.is_ascii_digit()))
                } else {
                    word
                };
                let Some(number) = Number::read(&word).filter(|n| n.value.is_finite()) else {
                    return self.fail_at(start, format!("expected a number, found '{word}'"));
                };
                if self.take("*") {
                    terms.push(Term { factor: sign_here * number.value, name: self.name()?.into() });
                } else {
                    constant += sign_here * number.value;
                }
            } else {
                terms.push(Term { factor: sign_here, name: self.name()?.into() });
            }
            sign_here = if self.take("+") {
                sign
            } else if self.take("-") {
                -sign
            } else {
                return Ok(constant);
            };
        }
    }
}

#[cfg(test)]
mod tests;
