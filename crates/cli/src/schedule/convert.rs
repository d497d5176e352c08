//! `lehr schedule convert`: between the three notations.

use clap::Args;
use lehr_schedule::Schedule;
use serde::Serialize;
use std::path::PathBuf;

use super::input::{self, Notation};
use crate::failure::Failure;
use crate::output;

/// Writes a schedule in another notation
#[derive(Args)]
pub struct Convert {
    /// Text such as 'warmup 500, cosine to 0.1', @FILE, or - for stdin
    #[arg(value_name = "SCHEDULE")]
    schedule: String,
    /// The notation to write
    #[arg(long, value_enum, default_value = "text")]
    to: Notation,
    /// Write to this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// One JSON object with the schedule as text and as data
    #[arg(long, conflicts_with = "to")]
    json: bool,
}

#[derive(Serialize)]
struct Object<'a> {
    text: String,
    data: &'a Schedule,
}

/// Runs the command.
pub fn run(args: &Convert) -> Result<(), Failure> {
    let schedule = input::schedule(&args.schedule)?;
    let text = match args.json {
        true => {
            let object = Object { text: schedule.to_string(), data: &schedule };
            output::object("lehr.schedule.convert/1", &object)?
        }
        false => written(&schedule, args.to)?,
    };
    match &args.output {
        None => output::text(&text),
        Some(path) => std::fs::write(path, text).map_err(|error| {
            Failure::failed(format!("{}: cannot write the schedule: {error}", path.display()))
        }),
    }
}

/// A schedule in a notation, with a newline at its end.
fn written(schedule: &Schedule, notation: Notation) -> Result<String, Failure> {
    match notation {
        Notation::Text => Ok(format!("{schedule}\n")),
        Notation::Json => {
            serde_json::to_string_pretty(schedule).map(|text| text + "\n").map_err(Failure::failed)
        }
        Notation::Toml => toml::to_string(schedule).map_err(Failure::failed),
    }
}
