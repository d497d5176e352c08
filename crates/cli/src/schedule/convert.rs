//! `lehr schedule convert`: from another library's call, and between the three notations.

use clap::Args;
use lehr_schedule::Spec;
use lehr_schedule::convert::{Converted, Surroundings, parse_call};
use serde::Serialize;
use std::path::PathBuf;

use super::input::{self, Notation};
use crate::count::count;
use crate::failure::Failure;
use crate::output;

/// Writes another library's call as a schedule, or a schedule in another notation
///
/// A call is written as in Python, such as 'torch.StepLR(step_size=30, gamma=0.1)' or
/// 'transformers.get_cosine_schedule_with_warmup(num_warmup_steps=500, num_training_steps=10000)'. The schedule goes to
/// stdout; peak rate, steps and what to mind go to stderr.
#[derive(Args)]
pub struct Convert {
    /// A call, or text such as 'warmup 500, cosine to 0.1', @FILE, or - for stdin
    #[arg(value_name = "CALL|SCHEDULE")]
    schedule: String,
    /// The optimiser's learning rate, for calls that take it from there
    #[arg(long, value_name = "LR", allow_negative_numbers = true)]
    lr: Option<f64>,
    /// Updates of the run, for calls that do not say
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    steps: Option<u64>,
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
    data: &'a Spec,
    /// `null`: neither the call nor --lr says.
    peak: Option<f64>,
    /// `null`: the call goes on for good, or this is a schedule.
    steps: Option<u64>,
    /// What to mind.
    notes: &'a [String],
}

/// Runs the command.
pub fn run(args: &Convert) -> Result<(), Failure> {
    if let Some(lr) = args.lr.filter(|lr| !(*lr > 0.0 && *lr <= f64::MAX)) {
        return Err(Failure::usage(format!("--lr must be a finite number above 0, not {lr}")));
    }
    let Converted { schedule, peak, steps, notes } = read(args)?;
    let text = match args.json {
        true => {
            let text = schedule.to_string();
            let object = Object { text, data: &schedule, peak, steps, notes: &notes };
            output::object("lehr.schedule.convert/1", &object)?
        }
        false => {
            if let Some(peak) = peak {
                eprintln!("peak rate: {peak:?}");
            }
            if let Some(steps) = steps {
                eprintln!("steps: {steps}");
            }
            notes.iter().for_each(|note| eprintln!("note: {note}"));
            written(&schedule, args.to)?
        }
    };
    match &args.output {
        None => output::text(&text),
        Some(path) => std::fs::write(path, text).map_err(|error| {
            Failure::failed(format!("{}: cannot write the schedule: {error}", path.display()))
        }),
    }
}

/// A schedule, or a call if the argument is no schedule and looks like one.
fn read(args: &Convert) -> Result<Converted, Failure> {
    let argument = &args.schedule;
    if looks_like_call(argument) && argument.parse::<Spec>().is_err() {
        let around = Surroundings { lr: args.lr, steps: args.steps };
        return parse_call(argument, &around).map_err(Failure::usage);
    }
    let schedule = input::spec(argument)?;
    Ok(Converted { schedule, peak: args.lr, steps: args.steps, notes: Vec::new() })
}

/// A name as programs have them (a dot, an underscore or a capital), and a parenthesis.
fn looks_like_call(text: &str) -> bool {
    // A whole statement, `scheduler = StepLR(…)`, is a call too.
    let call = match text.split_once('=') {
        Some((name, call)) if !name.contains('(') && !call.starts_with('=') => call,
        _ => text,
    };
    let Some((name, _)) = call.split_once('(') else { return false };
    let name = name.trim();
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(word)
        && name.contains(|c: char| c.is_ascii_uppercase() || matches!(c, '_' | '.'))
}

/// A schedule in a notation, with a newline at its end.
fn written(schedule: &Spec, notation: Notation) -> Result<String, Failure> {
    match notation {
        Notation::Text => Ok(format!("{schedule}\n")),
        Notation::Json => {
            serde_json::to_string_pretty(schedule).map(|text| text + "\n").map_err(Failure::failed)
        }
        Notation::Toml => toml::to_string(schedule).map_err(Failure::failed),
    }
}
