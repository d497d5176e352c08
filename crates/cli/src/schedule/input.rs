//! Schedules as arguments: text, a file in one of three notations, or stdin.

use lehr_schedule::{ParseError, Schedule, Spec};
use serde::de::DeserializeOwned;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use crate::failure::Failure;

/// The three notations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Notation {
    /// As one would say it: `warmup 500, cosine to 0.1`
    Text,
    /// TOML
    Toml,
    /// JSON
    Json,
}

/// Reads a schedule from an argument: text, `@FILE` or `-`.
pub fn schedule(argument: &str) -> Result<Schedule, Failure> {
    read(argument)
}

/// The same for a schedule that may react to a metric.
pub fn spec(argument: &str) -> Result<Spec, Failure> {
    read(argument)
}

/// The schedules of `A; B; C`, at least one.
pub fn schedules(text: &str) -> Result<Vec<Schedule>, Failure> {
    let schedules: Vec<Schedule> =
        parts(text).map(|part| part.parse().map_err(Failure::usage)).collect::<Result<_, _>>()?;
    if schedules.is_empty() {
        return Err(Failure::usage(
            "--schedules: name at least one schedule, for example 'constant; cosine'",
        ));
    }
    Ok(schedules)
}

/// The parts of `A; B; C`; empty ones do not count.
pub fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(';').map(str::trim).filter(|part| !part.is_empty())
}

fn read<T: FromStr<Err = ParseError> + DeserializeOwned>(argument: &str) -> Result<T, Failure> {
    if argument == "-" {
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        read.map_err(|error| Failure::failed(format!("cannot read the schedule from stdin: {error}")))?;
        return parse(&text, guess(&text)).map_err(|why| Failure::usage(format!("stdin: {why}")));
    }
    let Some(name) = argument.strip_prefix('@') else {
        return parse(argument, Notation::Text).map_err(Failure::Usage);
    };
    let text = std::fs::read_to_string(name).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    let ending = Path::new(name).extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let notation = match ending.as_deref() {
        Some("toml") => Notation::Toml,
        Some("json") => Notation::Json,
        _ => guess(&text),
    };
    parse(&text, notation).map_err(|why| Failure::usage(format!("{name}: {why}")))
}

/// Reads one notation.
fn parse<T: FromStr<Err = ParseError> + DeserializeOwned>(
    text: &str,
    notation: Notation,
) -> Result<T, String> {
    match notation {
        Notation::Text => text.trim_end().parse().map_err(|error: ParseError| error.to_string()),
        Notation::Json => serde_json::from_str(text).map_err(|error| error.to_string()),
        Notation::Toml => toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned()),
    }
}

/// Tells the notation from the text: JSON begins with a brace or a quote, TOML has an equals sign.
fn guess(text: &str) -> Notation {
    match text.trim_start().chars().next() {
        Some('{' | '"') => Notation::Json,
        _ if text.contains('=') => Notation::Toml,
        _ => Notation::Text,
    }
}
