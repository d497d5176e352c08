//! `lehr schedule show`: one schedule as a picture, with its numbers.

use clap::Args;
use lehr_report::{Figure, Mark, Place};
use lehr_schedule::{Curve, Feedback, Spec};
use serde::Serialize;
use std::path::PathBuf;

use super::horizon::RunArgs;
use super::replay::{MetricArgs, Replay};
use super::summary::Summary;
use super::{input, picture};
use crate::failure::Failure;
use crate::output;

/// More parameter groups are not drawn.
const MOST_GROUPS: usize = 8;

/// Draws a schedule, with the rates of its first, highest and last update and its phases
#[derive(Args)]
pub struct Show {
    /// Text such as 'warmup 500, cosine to 0.1', @FILE, or - for stdin
    #[arg(value_name = "SCHEDULE")]
    schedule: String,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    metric: MetricArgs,
    /// Write the picture to this file (.svg, .png or .txt) instead of the terminal
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// One JSON object instead of the picture and the tables
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Object {
    horizon: lehr_schedule::Horizon,
    /// `null`: rates are fractions of the peak.
    peak: Option<f64>,
    #[serde(flatten)]
    summary: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Show) -> Result<(), Failure> {
    picture::check(args.output.as_deref())?;
    let schedule = match input::spec(&args.schedule)? {
        Spec::Schedule(schedule) => schedule,
        Spec::Feedback(feedback) => return replay(&feedback, args),
    };
    args.metric.refuse()?;
    let curve = args.run.resolve(&schedule)?;
    let summary = Summary::new(&schedule, &curve)?;
    let figure = rates(&curve, &summary, args);
    let drawn = picture::deliver(&figure, args.output.as_deref(), 22)?;
    if args.json {
        let (horizon, peak) = (curve.horizon(), args.run.peak());
        let object = Object { horizon, peak, summary, picture: args.output.clone() };
        return output::json("lehr.schedule.show/1", &object);
    }
    let mut text = drawn;
    if args.output.is_none() {
        for (name, channel) in curve.channels() {
            text += "\n";
            text += &picture::in_terminal(&channel_figure(name, channel), 14);
        }
    }
    text += "\n";
    output::text(&(text + &summary.text() + "\n" + &summary.phase_table()))
}

/// A schedule that reacts to a metric, over a recorded one.
fn replay(feedback: &Feedback, args: &Show) -> Result<(), Failure> {
    let replay = Replay::new(feedback, &args.metric, &args.run)?;
    let figure = match args.output {
        Some(_) => replay.figure_of_both(&args.run),
        None => replay.figure(&args.run),
    };
    let mut text = picture::deliver(&figure, args.output.as_deref(), 20)?;
    if args.json {
        let object = replay.object(&args.run, args.output.as_deref());
        return output::json("lehr.schedule.replay/1", &object);
    }
    if args.output.is_none() {
        text += "\n";
        text += &picture::in_terminal(&replay.metric_figure(), 14);
    }
    output::text(&(text + "\n" + &replay.text()))
}

/// The rate, the rates of groups, and a line at each border between phases.
fn rates(curve: &Curve, summary: &Summary, args: &Show) -> Figure {
    let mut figure = picture::of_rates(curve.steps(), args.run.peak().is_none());
    figure.title.clone_from(&summary.schedule);
    figure.subtitle = picture::subtitle(&args.run, &curve.horizon());
    let groups: Vec<_> = curve.groups().collect();
    figure = figure.series(picture::line(if groups.is_empty() { "" } else { "rate" }, curve));
    for (name, group) in some(&groups) {
        figure = figure.series(picture::line(&format!("group {name}"), group));
    }
    if groups.len() > MOST_GROUPS {
        figure.subtitle += &format!("; {MOST_GROUPS} of {} groups drawn", groups.len());
    }
    for phase in summary.phases.iter().skip(1).filter(|phase| phase.last_step.is_some()) {
        figure = figure.mark(Mark::new(Place::Vertical(phase.first_step as f64), ""));
    }
    figure
}

/// All groups, or an even choice of [`MOST_GROUPS`] with the first and the last.
fn some<T>(groups: &[T]) -> Vec<&T> {
    if groups.len() <= MOST_GROUPS {
        return groups.iter().collect();
    }
    (0..MOST_GROUPS).filter_map(|i| groups.get(i * (groups.len() - 1) / (MOST_GROUPS - 1))).collect()
}

fn channel_figure(name: &str, channel: &Curve) -> Figure {
    let mut figure = picture::of_rates(channel.steps(), false).series(picture::line("", channel).colour(1));
    name.clone_into(&mut figure.y.label);
    figure
}
