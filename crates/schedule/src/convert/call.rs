//! Reading a call as it stands in a Python program: names, literals and nested calls.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use crate::notation::node::Fault;

/// How deep calls and lists may nest.
const MAX_DEPTH: usize = 16;

/// A call: `torch.optim.lr_scheduler.StepLR(optimizer, step_size=30)`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    /// The name, with its dots.
    pub name: String,
    /// Arguments in the order they are written; `None` for those without a name.
    pub arguments: Vec<(Option<String>, Placed)>,
    /// Where the name stands.
    pub at: Range<usize>,
}

/// A value and its place in the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub value: Value,
    pub at: Range<usize>,
}

/// What an argument can be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Number(f64),
    Text(String),
    /// `[…]`, `(…, …)`.
    List(Vec<Placed>),
    /// `{key: value}`.
    Pairs(Vec<(Placed, Placed)>),
    /// `dict(…)`, or another schedule.
    Call(Call),
    /// A variable, such as `optimizer`.
    Name(String),
    /// `lambda …: value`.
    Lambda(alloc::boxed::Box<Placed>),
}

/// Reads one call and nothing after it.
pub(super) fn parse(text: &str) -> Result<Call, Fault> {
    let mut parser = Parser { text, next: 0, depth: 0 };
    let value = parser.value()?;
    parser.space();
    // A statement is often pasted whole: `scheduler = StepLR(...)`.
    if let (Value::Name(_), true) = (&value.value, parser.accept("=")) {
        let value = parser.value()?;
        return parser.only_call(value);
    }
    parser.only_call(value)
}

struct Parser<'t> {
    text: &'t str,
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    fn only_call(&mut self, value: Placed) -> Result<Call, Fault> {
        self.space();
        if self.next < self.text.len() {
            return Err(self.unexpected().expected("nothing after the call"));
        }
        match value.value {
            Value::Call(call) => Ok(call),
            // Without parentheses: a schedule that needs no argument.
            Value::Name(name) => Ok(Call { name, arguments: Vec::new(), at: value.at }),
            _ => Err(Fault::new("this is not a call", value.at)
                .expected("a schedule's class and its arguments: `torch.StepLR(step_size=30)`")),
        }
    }

    fn rest(&self) -> &str {
        self.text.get(self.next..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Skips white space and comments.
    fn space(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            let skipped = match trimmed.strip_prefix('#') {
                Some(comment) => comment.find('\n').unwrap_or(comment.len()) + 1,
                None => 0,
            };
            let step = rest.len() - trimmed.len() + skipped;
            if step == 0 {
                return;
            }
            self.next += step;
        }
    }

    fn accept(&mut self, token: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(token);
        self.next += if found { token.len() } else { 0 };
        found
    }

    fn unexpected(&self) -> Fault {
        match self.peek() {
            Some(c) => Fault::new(format!("`{c}` does not belong here"), self.next..self.next + c.len_utf8()),
            None => {
                let end = self.text.trim_end().len();
                Fault::new("the text ends too early", end..end)
            }
        }
    }

    /// value = product { ("+" | "-") product }; only numbers can be calculated with.
    fn value(&mut self) -> Result<Placed, Fault> {
        if self.depth >= MAX_DEPTH {
            return Err(Fault::new(
                format!("more than {MAX_DEPTH} calls and lists in one another"),
                self.here(),
            ));
        }
        self.depth += 1;
        let mut value = self.product()?;
        loop {
            value = if self.accept("+") {
                calculate(value, self.product()?, |a, b| a + b)?
            } else if self.accept("-") {
                calculate(value, self.product()?, |a, b| a - b)?
            } else {
                break;
            };
        }
        self.depth -= 1;
        Ok(value)
    }

    /// product = power { ("*" | "//" | "/") power }
    fn product(&mut self) -> Result<Placed, Fault> {
        let mut value = self.power()?;
        loop {
            value = if self.accept("*") {
                calculate(value, self.power()?, |a, b| a * b)?
            } else if self.accept("//") {
                calculate(value, self.power()?, |a, b| libm::floor(a / b))?
            } else if self.accept("/") {
                calculate(value, self.power()?, |a, b| a / b)?
            } else {
                return Ok(value);
            };
        }
    }

    /// power = atom [ "**" atom ]
    fn power(&mut self) -> Result<Placed, Fault> {
        let base = self.atom()?;
        match self.accept("**") {
            true => calculate(base, self.atom()?, libm::pow),
            false => Ok(base),
        }
    }

    fn here(&self) -> Range<usize> {
        self.next..self.next
    }

    fn atom(&mut self) -> Result<Placed, Fault> {
        self.space();
        let start = self.next;
        let value = match self.peek() {
            Some('[') => self.list("[", "]")?,
            Some('(') => self.list("(", ")")?,
            Some('{') => self.pairs()?,
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            Some(c) if c.is_ascii_digit() || matches!(c, '.' | '-' | '+') => self.number()?,
            Some(c) if c.is_alphabetic() || c == '_' => self.name()?,
            _ => return Err(self.unexpected().expected("a value")),
        };
        Ok(Placed { value, at: start..self.next })
    }

    fn list(&mut self, open: &str, close: &str) -> Result<Value, Fault> {
        self.accept(open);
        let (mut items, mut commas) = (Vec::new(), false);
        while !self.accept(close) {
            items.push(self.value()?);
            let comma = self.accept(",");
            commas |= comma;
            if !comma && !self.rest().trim_start().starts_with(close) {
                self.space();
                return Err(self.unexpected().expected(format!("a comma or `{close}`")));
            }
        }
        // `(x)` is x, as in Python.
        match (open, commas, items.len()) {
            ("(", false, 1) => Ok(items.remove(0).value),
            _ => Ok(Value::List(items)),
        }
    }

    fn pairs(&mut self) -> Result<Value, Fault> {
        self.accept("{");
        let mut pairs = Vec::new();
        while !self.accept("}") {
            let key = self.value()?;
            if !self.accept(":") {
                return Err(self.unexpected().expected("a `:` after the key"));
            }
            pairs.push((key, self.value()?));
            if !self.accept(",") && !self.rest().trim_start().starts_with('}') {
                self.space();
                return Err(self.unexpected().expected("a comma or `}`"));
            }
        }
        Ok(Value::Pairs(pairs))
    }

    fn quoted(&mut self, quote: char) -> Result<Value, Fault> {
        let start = self.next;
        self.next += 1;
        match self.rest().split_once(quote) {
            Some((text, _)) if !text.contains('\n') => {
                let text = String::from(text);
                self.next += text.len() + 1;
                Ok(Value::Text(text))
            }
            _ => {
                Err(Fault::new("this quote is not closed", start..start + 1).expected(format!("a `{quote}`")))
            }
        }
    }

    fn number(&mut self) -> Result<Value, Fault> {
        let start = self.next;
        let mut sign = 1.0;
        while let Some(c @ ('-' | '+')) = self.peek() {
            sign *= if c == '-' { -1.0 } else { 1.0 };
            self.next += 1;
        }
        let start = if self.next > start { self.next } else { start };
        let mut end = start;
        for c in self.rest().chars() {
            let exponent = self.text[start..end].ends_with(['e', 'E']) && matches!(c, '+' | '-');
            if !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_') || exponent) {
                break;
            }
            end += c.len_utf8();
        }
        self.next = end;
        let digits = &self.text[start..end];
        match digits.replace('_', "").parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Number(sign * number)),
            _ => Err(Fault::new(format!("`{digits}` is not a number"), start..end)),
        }
    }

    /// A name with dots; a literal, a lambda, or a call if parentheses follow.
    fn name(&mut self) -> Result<Value, Fault> {
        let start = self.next;
        let length = self.rest().find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.')));
        self.next = length.map_or(self.text.len(), |length| start + length);
        let at = start..self.next;
        match &self.text[at.clone()] {
            "None" | "null" => return Ok(Value::None),
            "True" | "true" => return Ok(Value::Bool(true)),
            "False" | "false" => return Ok(Value::Bool(false)),
            "lambda" => return self.lambda(),
            _ => {}
        }
        let name = String::from(&self.text[at.clone()]);
        if !self.accept("(") {
            return Ok(Value::Name(name));
        }
        Ok(Value::Call(Call { name, arguments: self.arguments()?, at }))
    }

    fn lambda(&mut self) -> Result<Value, Fault> {
        match self.rest().find(':') {
            Some(colon) => self.next += colon + 1,
            None => return Err(self.unexpected().expected("a `:` after the lambda's parameter")),
        }
        Ok(Value::Lambda(self.value()?.into()))
    }

    /// The arguments up to the closing parenthesis; the opening one is read already.
    fn arguments(&mut self) -> Result<Vec<(Option<String>, Placed)>, Fault> {
        let open = self.next - 1;
        let mut arguments: Vec<(Option<String>, Placed)> = Vec::new();
        loop {
            if self.accept(")") {
                return Ok(arguments);
            }
            if self.next >= self.text.len() {
                return Err(Fault::new("this parenthesis is not closed", open..open + 1).expected("a `)`"));
            }
            let value = self.value()?;
            let argument = match value.value {
                Value::Name(name) if self.accept("=") => {
                    if arguments.iter().any(|(given, _)| given.as_ref() == Some(&name)) {
                        return Err(Fault::new(format!("`{name}` is given twice"), value.at));
                    }
                    let of = self.value()?;
                    (Some(name), Placed { value: of.value, at: value.at.start..of.at.end })
                }
                _ if arguments.iter().any(|(name, _)| name.is_some()) => {
                    return Err(Fault::new("a value without a name after one with a name", value.at));
                }
                _ => (None, value),
            };
            arguments.push(argument);
            self.space();
            if !self.accept(",") && self.peek().is_some_and(|c| c != ')') {
                return Err(self.unexpected().expected("a comma or `)`"));
            }
        }
    }
}

fn calculate(left: Placed, right: Placed, with: impl Fn(f64, f64) -> f64) -> Result<Placed, Fault> {
    let at = left.at.start..right.at.end;
    match (left.value, right.value) {
        (Value::Number(a), Value::Number(b)) => Ok(Placed { value: Value::Number(with(a, b)), at }),
        _ => Err(Fault::new("only numbers can be calculated with", at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(call: &Call, i: usize) -> &Value {
        &call.arguments[i].1.value
    }

    #[test]
    fn a_pasted_statement_is_read() {
        let text = "scheduler = torch.optim.lr_scheduler.StepLR(\n  optimizer,\n  step_size=30,  # epochs\n  gamma=1e-1,\n)";
        let call = parse(text).unwrap();
        assert_eq!(call.name, "torch.optim.lr_scheduler.StepLR");
        assert_eq!(*number(&call, 0), Value::Name("optimizer".into()));
        assert_eq!(call.arguments[1].0.as_deref(), Some("step_size"));
        assert_eq!(*number(&call, 2), Value::Number(0.1));
    }

    #[test]
    fn values_of_every_kind() {
        let call = parse("f(-1_000, 2 * 2 ** 3 / 8, 7 // 2 + -1 + 1, [1, (2,)], {5: 'x'}, None, True, lambda e: .5, g(h=()))").unwrap();
        assert_eq!(*number(&call, 0), Value::Number(-1000.0));
        assert_eq!(*number(&call, 1), Value::Number(2.0));
        assert_eq!(*number(&call, 2), Value::Number(3.0));
        let Value::List(list) = number(&call, 3) else { panic!() };
        assert!(matches!(&list[1].value, Value::List(inner) if inner.len() == 1));
        let Value::Pairs(pairs) = number(&call, 4) else { panic!() };
        assert_eq!(pairs[0].1.value, Value::Text("x".into()));
        assert!(matches!(number(&call, 7), Value::Lambda(_)));
        assert!(matches!(number(&call, 8), Value::Call(inner) if inner.name == "g"));
    }

    #[test]
    fn faults_point_at_their_place() {
        for (text, at) in [
            ("f(1, a=2, 3)", 10..11),
            ("f(a=1, a=2)", 7..8),
            ("f(1", 1..2),
            ("f(1) 2", 5..6),
            ("f(1.2.3)", 2..7),
            ("f('x)", 2..3),
            ("12", 0..2),
            ("", 0..0),
            ("f(nan * inf)", 2..11),
            ("f(1e999)", 2..7),
        ] {
            assert_eq!(parse(text).unwrap_err().at, at, "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(parse(&deep).is_err());
        assert!(parse(&format!("f({})", "-".repeat(100_000))).is_err());
    }
}
