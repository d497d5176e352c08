//! `lehr schedule compare`: several schedules in one picture.

use clap::Args;
use lehr_report::{Align, Table, number};
use serde::Serialize;
use std::path::PathBuf;

use super::horizon::RunArgs;
use super::summary::Summary;
use super::{input, picture};
use crate::failure::Failure;
use crate::output;

/// Draws several schedules over each other, with a table of their numbers
#[derive(Args)]
pub struct Compare {
    /// Texts such as 'warmup 500, cosine to 0.1', several in one as 'linear; cosine', @FILEs, or - for stdin
    #[arg(value_name = "SCHEDULE", required = true)]
    schedules: Vec<String>,
    #[command(flatten)]
    run: RunArgs,
    /// Write the picture to this file (.svg, .png or .txt) instead of the terminal
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// One line above the picture
    #[arg(long, value_name = "TEXT", default_value = "")]
    title: String,
    /// One JSON object instead of the picture and the table
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Object {
    horizon: lehr_schedule::Horizon,
    /// `null`: rates are fractions of the peak.
    peak: Option<f64>,
    schedules: Vec<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Compare) -> Result<(), Failure> {
    picture::check(args.output.as_deref())?;
    let horizon = args.run.horizon()?;
    let mut figure = picture::of_rates(horizon.steps, args.run.peak().is_none());
    figure.title.clone_from(&args.title);
    figure.subtitle = picture::subtitle(&args.run, &horizon);
    let mut summaries = Vec::new();
    // Semicolons separate schedules as in `lehr tune --schedules`; the name of a file is what it is.
    let arguments = args.schedules.iter().flat_map(|argument| match argument.starts_with('@') {
        true => vec![argument.as_str()],
        false => input::parts(argument).collect(),
    });
    for argument in arguments {
        let schedule = input::schedule(argument)?;
        let curve = args.run.resolve(&schedule).map_err(|failure| about(failure, argument))?;
        let summary = Summary::new(&schedule, &curve)?;
        figure = figure.series(picture::line(&summary.schedule, &curve));
        summaries.push(summary);
    }
    let drawn = picture::deliver(&figure, args.output.as_deref(), 26)?;
    if args.json {
        let (peak, picture) = (args.run.peak(), args.output.clone());
        return output::json(
            "lehr.schedule.compare/1",
            &Object { horizon, peak, schedules: summaries, picture },
        );
    }
    output::text(&(drawn + "\n" + &table(&summaries)))
}

/// A failure that says which of the schedules it is about.
fn about(failure: Failure, argument: &str) -> Failure {
    match failure {
        Failure::Usage(message) => Failure::Usage(format!("'{argument}': {message}")),
        other => other,
    }
}

fn table(summaries: &[Summary]) -> String {
    let right = ["area", "highest", "at step", "first", "last"].map(|name| (name, Align::Right));
    let mut table = Table::new([("schedule", Align::Left)].into_iter().chain(right));
    for summary in summaries {
        let about = if summary.exact { "" } else { "~" };
        table.row([
            summary.schedule.clone(),
            format!("{about}{}", number::percent(summary.area)),
            number::rate(summary.highest.lr),
            number::count(summary.highest.step),
            number::rate(summary.first),
            number::rate(summary.last),
        ]);
    }
    table.text() + "area: under the curve, as a share of a constant rate at the peak\n"
}
