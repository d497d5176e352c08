//! Text to tokens: words, values with their units, commas and parentheses, each with its place.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use super::nearest::nearest;
use super::node::{Fault, Value};
use crate::measure::{Span, TOKEN_UNITS, Unit};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    Word(String),
    Value(Value),
    Comma,
    Open,
    Close,
}

/// The tokens of a text.
pub(crate) fn lex(text: &str) -> Result<Vec<(Token, Range<usize>)>, Fault> {
    let mut tokens = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((start, c)) = rest.next() {
        let single = match c {
            c if c.is_whitespace() => continue,
            ',' => Some(Token::Comma),
            '(' => Some(Token::Open),
            ')' => Some(Token::Close),
            _ => None,
        };
        if let Some(token) = single {
            tokens.push((token, start..start + 1));
            continue;
        }
        let mut end = start + c.len_utf8();
        while let Some((i, c)) = rest.peek().copied() {
            if c.is_whitespace() || matches!(c, ',' | '(' | ')') {
                break;
            }
            end = i + c.len_utf8();
            rest.next();
        }
        tokens.push((atom(&text[start..end], start)?, start..end));
    }
    join_rates(tokens)
}

/// A word or a value. Only what could not be a number is a word: `1-sqrt` is one, `1e-6` is not.
fn atom(text: &str, start: usize) -> Result<Token, Fault> {
    let looks_like_number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'));
    if !looks_like_number || text == "1-sqrt" {
        return word(text, start);
    }
    let (digits, unit) = split_number(text);
    let at = start..start + text.len();
    let Ok(number) = digits.replace('_', "").parse::<f64>() else {
        return Err(Fault::new(format!("`{text}` is neither a number nor a word"), at)
            .expected("a number such as 500, 0.1 or 1e-6, with %, ep or tok if it is a span"));
    };
    if !number.is_finite() {
        return Err(Fault::new(format!("`{text}` is too large for a number"), at));
    }
    let span = |unit, scale: f64| Token::Value(Value::Span(Span { amount: number * scale, unit }));
    match unit {
        "" => Ok(Token::Value(Value::Number(number))),
        "%" => Ok(span(Unit::Percent, 1.0)),
        "ep" => Ok(span(Unit::Epochs, 1.0)),
        unit => match TOKEN_UNITS.iter().find(|(name, _)| *name == unit) {
            Some((_, scale)) => Ok(span(Unit::Tokens, *scale)),
            None => {
                let mut fault = Fault::new(format!("unknown unit `{unit}`"), start + digits.len()..at.end)
                    .expected("no unit (steps), %, ep, tok, ktok, Mtok, Gtok or Ttok");
                let known = ["%", "ep", "tok", "ktok", "Mtok", "Gtok", "Ttok"];
                fault.nearest = match unit {
                    "epoch" | "epochs" | "e" => Some("`ep`".into()),
                    "token" | "tokens" => Some("`tok`".into()),
                    "step" | "steps" => Some("no unit: a plain number is in steps".into()),
                    _ => nearest(unit, known).map(|near| format!("`{near}`")),
                };
                Err(fault)
            }
        },
    }
}

fn word(text: &str, start: usize) -> Result<Token, Fault> {
    let strange = |c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    match text.char_indices().find(|(_, c)| strange(*c)) {
        None => Ok(Token::Word(text.into())),
        Some((i, c)) => {
            let at = start + i..start + i + c.len_utf8();
            Err(Fault::new(format!("`{c}` has no meaning here"), at)
                .expected("a word, a number, a comma or a parenthesis"))
        }
    }
}

/// The longest number at the front (with `_` between digits and an exponent), and the unit after it.
fn split_number(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let digits = |mut i: usize| {
        while i < bytes.len() && (bytes[i].is_ascii_digit() || bytes[i] == b'_') {
            i += 1;
        }
        i
    };
    let mut end = digits(usize::from(matches!(bytes.first(), Some(b'-' | b'+'))));
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
        if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
            end = digits(end + 1 + sign);
        }
    }
    text.split_at(end)
}

/// `lr 1e-6` is one value.
fn join_rates(tokens: Vec<(Token, Range<usize>)>) -> Result<Vec<(Token, Range<usize>)>, Fault> {
    let mut joined: Vec<(Token, Range<usize>)> = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.into_iter().peekable();
    while let Some((token, at)) = tokens.next() {
        if token != Token::Word("lr".into()) {
            joined.push((token, at));
            continue;
        }
        match tokens.next_if(|(next, _)| matches!(next, Token::Value(Value::Number(_)))) {
            Some((Token::Value(Value::Number(rate)), end)) => {
                joined.push((Token::Value(Value::Rate(rate)), at.start..end.end));
            }
            _ => {
                return Err(Fault::new("`lr` needs a rate after it", at).expected("a rate, as in `lr 1e-6`"));
            }
        }
    }
    Ok(joined)
}
