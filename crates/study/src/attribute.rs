//! Attributes: JSON as Python writes it.
use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::run::StudyId;

/// Whose attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A study's.
    Study(StudyId),
    /// Those of a trial, by its number.
    Trial(StudyId, usize),
}

/// Which attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Those of the user.
    User,
    /// Those of Optuna and Lehr; Lehr's begin with `lehr:`.
    System,
}

/// Attributes by name.
///
/// Numbers that JSON does not have (Python writes `Infinity`, `-Infinity` and `NaN`) are texts here; what is no JSON at all is
/// the text itself. In the database they stay as they are.
pub type Attributes = BTreeMap<String, Json>;

/// Reads JSON as Python's json module writes it.
pub(crate) fn parse(text: &str) -> Json {
    serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(&quote_bare_words(text)))
        .unwrap_or_else(|_| Json::String(text.to_owned()))
}

/// Puts `Infinity`, `-Infinity` and `NaN` outside of strings in quotes.
pub(crate) fn quote_bare_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut inside = false;
    while let Some(first) = rest.chars().next() {
        if inside && first == '\\' {
            let end = rest.char_indices().nth(2).map_or(rest.len(), |(i, _)| i);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        if first == '"' {
            inside = !inside;
        } else if !inside
            && let Some(word) = ["-Infinity", "Infinity", "NaN"].iter().find(|w| rest.starts_with(**w))
        {
            out.push('"');
            out.push_str(word);
            out.push('"');
            rest = &rest[word.len()..];
            continue;
        }
        out.push(first);
        rest = &rest[first.len_utf8()..];
    }
    out
}

/// The number of one of the bare words.
pub(crate) fn bare_number(word: &str) -> Option<f64> {
    match word {
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn python_json_is_read() {
        assert_eq!(parse("[Infinity, -Infinity, NaN, 1]"), json!(["Infinity", "-Infinity", "NaN", 1]));
        assert_eq!(parse(r#"{"a \" NaN": "Infinity \\"}"#), json!({"a \" NaN": "Infinity \\"}));
        assert_eq!(parse(r#"["x\\", NaN]"#), json!(["x\\", "NaN"]));
        assert_eq!(parse("not json"), json!("not json"));
        assert_eq!(
            parse(r#""\ud800""#),
            json!(r#""\ud800""#),
            "a lone surrogate, which no Rust text can hold"
        );
        assert_eq!(quote_bare_words("\"\\"), "\"\\");
    }
}
