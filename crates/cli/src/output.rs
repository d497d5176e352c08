//! Results on stdout: text, or with `--json` one object that names its schema.

use serde::Serialize;
use std::io::{self, IsTerminal, Write};

use crate::failure::Failure;

/// Prints `text` as it is.
pub fn text(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Prints `result` as one JSON object whose first key is `schema`, for example `"lehr.tune/1"`: the result's
/// name and the version of its form. Non-finite numbers become `null`; the result says why beside them.
pub fn json(schema: &'static str, result: &impl Serialize) -> Result<(), Failure> {
    text(&object(schema, result)?)
}

/// The JSON object of [`json`], with a newline at its end.
pub fn object(schema: &'static str, result: &impl Serialize) -> Result<String, Failure> {
    #[derive(Serialize)]
    struct Envelope<'a, T> {
        schema: &'static str,
        #[serde(flatten)]
        result: &'a T,
    }
    let mut body = serde_json::to_string_pretty(&Envelope { schema, result }).map_err(Failure::failed)?;
    body.push('\n');
    Ok(body)
}

/// Whether stdout shows colours: a terminal, and `NO_COLOR` is not set.
pub fn color() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Width of the terminal in columns, 100 where there is none (`COLUMNS` overrides).
pub fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|value| value.parse().ok());
    columns.or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))).unwrap_or(100)
}
