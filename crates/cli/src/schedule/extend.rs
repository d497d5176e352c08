//! `lehr schedule extend`: a new horizon for a run in progress, out loud.

use clap::Args;
use lehr_report::{Figure, Mark, Place};
use lehr_schedule::{Extension, Horizon};
use serde::Serialize;
use std::path::PathBuf;

use super::horizon::RunArgs;
use super::{input, picture};
use crate::count::count;
use crate::failure::Failure;
use crate::output;

/// Longer horizons are not compared update by update.
const MOST: u64 = 1 << 31;

/// Shows what changes when a run in progress gets another length, and the schedule to go on with
#[derive(Args)]
pub struct Extend {
    /// Text such as 'warmup 500, cosine to 0.1', @FILE, or - for stdin
    #[arg(value_name = "SCHEDULE")]
    schedule: String,
    #[command(flatten)]
    run: RunArgs,
    /// The new number of updates
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    to: u64,
    /// Updates done so far
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    done: u64,
    /// Write the picture to this file (.svg, .png or .txt) instead of the terminal
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// One JSON object instead of the picture and the words
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Object {
    /// The schedule to go on with.
    schedule: String,
    from: Horizon,
    to: Horizon,
    done: u64,
    /// `null`: rates are fractions of the peak.
    peak: Option<f64>,
    /// `null`: the rates are the same.
    first_change: Option<u64>,
    keeps_the_past: bool,
    jumps: bool,
    last: f64,
    next: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Extend) -> Result<(), Failure> {
    picture::check(args.output.as_deref())?;
    let schedule = input::schedule(&args.schedule)?;
    let from = args.run.horizon()?;
    let to = from.with_steps(args.to);
    if args.done > from.steps {
        let (done, steps) = (args.done, from.steps);
        return Err(Failure::usage(format!("--done {done} is more than the run's {steps} steps")));
    }
    if from.steps.max(to.steps) > MOST {
        return Err(Failure::usage(format!(
            "runs of more than {MOST} steps cannot be compared step by step"
        )));
    }
    let extension = schedule.extend(&from, &to, args.done, args.run.peak()).map_err(Failure::usage)?;
    let figure = figure(&extension, args);
    let drawn = picture::deliver(&figure, args.output.as_deref(), 22)?;
    if args.json {
        let (last, next) = extension.across();
        let object = Object {
            schedule: extension.schedule.to_string(),
            from,
            to,
            done: args.done,
            peak: args.run.peak(),
            first_change: extension.first_change,
            keeps_the_past: extension.keeps_the_past(),
            jumps: extension.jumps(),
            last,
            next,
            picture: args.output.clone(),
        };
        return output::json("lehr.schedule.extend/1", &object);
    }
    output::text(&format!("{drawn}\n{}\n", extension.to_string().trim_end()))
}

fn figure(extension: &Extension, args: &Extend) -> Figure {
    let steps = extension.old.steps().max(extension.new.steps());
    let mut figure = picture::of_rates(steps, args.run.peak().is_none());
    figure.title = extension.schedule.to_string();
    let number = lehr_report::number::count;
    let name = |steps: u64| format!("over {} steps", number(steps));
    figure
        .series(picture::line(&name(extension.old.steps()), &extension.old))
        .series(picture::line(&name(extension.new.steps()), &extension.new))
        .mark(Mark::new(Place::Vertical(args.done as f64), format!("{} steps done", number(args.done))))
}
