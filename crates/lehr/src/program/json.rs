//! Reports as JSON lines: `{"step": 100, "val_loss": 1.23}`.

use serde_json::{Map, Value};

/// The object in a line, if it is one. Python's `NaN`, `Infinity` and `-Infinity` are read as the texts of these names, and a
/// number beyond what a 64-bit float holds (`1e400`) as its text.
pub fn object(line: &[u8]) -> Option<Map<String, Value>> {
    let line = line.trim_ascii();
    if !(line.starts_with(b"{") && line.ends_with(b"}")) {
        return None;
    }
    serde_json::from_slice(line).ok().or_else(|| serde_json::from_slice(&quoted(line)?).ok())
}

/// The number of a field: a number, or a text or `null` that stands for one that is not finite.
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.parse::<f64>() {
            Ok(number) if !number.is_finite() => Some(number),
            _ => None,
        },
        Value::Null => Some(f64::NAN),
        _ => None,
    }
}

/// The step of a report.
pub fn step(object: &Map<String, Value>) -> Option<u64> {
    let step = object.get("step")?.as_f64()?;
    ((0.0..=9e15).contains(&step) && step.fract() == 0.0).then_some(step as u64)
}

/// The line with its bare NaN, infinities and numbers without a float in quotes; nothing if it has none.
fn quoted(line: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(line.len() + 8);
    let (mut i, mut in_text, mut found) = (0, false, false);
    while i < line.len() {
        let words = ["NaN", "-Infinity", "Infinity"];
        let word = words.iter().map(|word| word.as_bytes()).find(|word| line[i..].starts_with(word));
        let begins = !in_text && (i == 0 || !of_number(line[i - 1]));
        let bare = word.or_else(|| if begins { beyond(&line[i..]) } else { None });
        match (in_text, line[i], bare) {
            (true, b'\\', _) => {
                out.extend(&line[i..(i + 2).min(line.len())]);
                i += 2;
                continue;
            }
            (_, b'"', _) => in_text = !in_text,
            (false, _, Some(word)) => {
                out.push(b'"');
                out.extend(word);
                out.push(b'"');
                i += word.len();
                found = true;
                continue;
            }
            _ => {}
        }
        out.push(line[i]);
        i += 1;
    }
    found.then_some(out)
}

fn of_number(c: u8) -> bool {
    c.is_ascii_digit() || matches!(c, b'+' | b'-' | b'.' | b'e' | b'E')
}

/// The number that a text begins with, if no float is as large.
fn beyond(text: &[u8]) -> Option<&[u8]> {
    let length = text.iter().position(|c| !of_number(*c)).unwrap_or(text.len());
    let number: f64 = std::str::from_utf8(&text[..length]).ok()?.parse().ok()?;
    number.is_infinite().then_some(&text[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, name: &str) -> Option<(Option<u64>, Option<f64>)> {
        let object = object(line.as_bytes())?;
        Some((step(&object), object.get(name).and_then(number)))
    }

    #[test]
    fn reports_as_programs_write_them() {
        assert_eq!(read(r#" {"step": 100, "loss": 1.5} "#, "loss"), Some((Some(100), Some(1.5))));
        assert_eq!(read(r#"{"step": 1e3, "loss": 2}"#, "loss"), Some((Some(1000), Some(2.0))));
        assert_eq!(read(r#"{"loss": -Infinity}"#, "loss"), Some((None, Some(f64::NEG_INFINITY))));
        assert_eq!(read(r#"{"loss": "inf"}"#, "loss"), Some((None, Some(f64::INFINITY))));
        assert_eq!(read(r#"{"loss": 1e400, "step": 3}"#, "loss"), Some((Some(3), Some(f64::INFINITY))));
        assert_eq!(
            read(r#"{"a": "1e400", "loss":-1.5E+999}"#, "loss"),
            Some((None, Some(f64::NEG_INFINITY)))
        );
        assert_eq!(read(r#"{"loss": 1, "step": 1e400}"#, "loss"), Some((None, Some(1.0))));
        for nan in [r#"{"loss": NaN, "a": "NaN \" NaN"}"#, r#"{"loss": null}"#, r#"{"loss": "nan"}"#] {
            assert!(read(nan, "loss").unwrap().1.unwrap().is_nan(), "{nan}");
        }
    }

    #[test]
    fn what_is_not_a_report_is_none() {
        for line in ["", "{", "loss 1.5", "[1]", r#"{"loss": }"#, r#"{'loss': 1}"#, "{\"a\": NaN", "{NaN}"] {
            assert_eq!(read(line, "loss"), None, "{line}");
        }
        assert_eq!(object(b"{\"loss\": \xff}"), None);
        assert_eq!(read(r#"{"loss": "low", "step": -1}"#, "loss"), Some((None, None)));
        assert_eq!(read(r#"{"loss": true, "step": 1.5}"#, "loss"), Some((None, None)));
    }
}
