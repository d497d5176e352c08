//! `lehr diagnose`: did that run train well?

use clap::Args;
use lehr::diagnose::{self, Diagnosis, Finding, Logged, Names, Run, Severity};
use lehr::studies;
use lehr_report::number::{loss as loss_text, significant};
use lehr_report::{Axis, Figure, Mark, Place, Series};
use lehr_schedule::Schedule;
use serde::Serialize;
use std::path::PathBuf;

use crate::failure::Failure;
use crate::output;

/// Validates finished runs with their schedule: converged or still falling, diverged and came back, restarts that
/// paid, better than a constant rate, over-fitting
///
/// Each FILE is a CSV with the columns step and loss, and where they are known lr and val_loss; with a column `run`,
/// each run of it is diagnosed. Or it is an event file of TensorBoard, or a folder with such files, in it or below: a
/// run for each folder; or the storage of a study (study.db, postgresql://…), whose runs' reports are the losses. Runs are held against each other.
#[derive(Args)]
pub struct Diagnose {
    /// Logs of runs: CSV files, event files, folders of event files, storages of studies
    #[arg(value_name = "FILE|STUDY", required = true)]
    files: Vec<PathBuf>,
    /// Column of the steps [default: step]
    #[arg(long, value_name = "COLUMN")]
    step: Option<String>,
    /// Column or tag of the (training) loss [default: loss, train/loss and the like]
    #[arg(long, value_name = "COLUMN")]
    loss: Option<String>,
    /// Column or tag of the validation loss [default: val_loss, eval/loss and the like, where there is one]
    #[arg(long, value_name = "COLUMN")]
    validation: Option<String>,
    /// Column or tag of the rates [default: lr, learning_rate and the like, where there is one]
    #[arg(long, value_name = "COLUMN")]
    rate: Option<String>,
    /// Column that names the run, where a file holds several [default: run]
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,
    /// The study, where a storage holds several
    #[arg(long, value_name = "NAME")]
    study: Option<String>,
    /// Only these runs
    #[arg(long, value_name = "RUN,…", value_delimiter = ',')]
    only: Vec<String>,
    /// The schedule of the runs, where the rates were not logged; its horizon is the last step
    #[arg(long, value_name = "SPEC")]
    schedule: Option<String>,
    /// Peak rate of that schedule
    #[arg(
        long,
        value_name = "LR",
        requires = "schedule",
        default_value_t = 1.0,
        allow_negative_numbers = true
    )]
    lr: f64,
    /// Save the picture; the ending says how: .svg or .png
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Answer {
    runs: Vec<Diagnosis>,
    /// Runs that cannot be judged, with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
    /// What was logged, thinned.
    curves: Vec<Curve>,
    /// Runs that logged steps twice, or whose logs are damaged.
    resumed: Vec<String>,
    caveats: [&'static str; 2],
}

/// The losses of a run.
#[derive(Serialize)]
struct Curve {
    run: String,
    steps: Vec<u64>,
    losses: Vec<f64>,
}

impl Curve {
    /// Points that are kept of a run.
    const POINTS: usize = 1200;

    fn of(run: &Run) -> Self {
        let points: Vec<(f64, f64)> = run.points().map(|(step, loss)| (step as f64, loss)).collect();
        let kept = lehr_page::thin(&points, Self::POINTS);
        let (steps, losses) = kept.into_iter().map(|(step, loss)| (step as u64, loss)).unzip();
        Self { run: run.name().to_owned(), steps, losses }
    }
}

const CAVEATS: [&str; 2] = [
    "the noise is that of logged points within a run; differences between runs also carry the noise between seeds",
    "longer horizons are predictions of the law fitted to these runs; its interval knows nothing of data that run out",
];

/// Reads, diagnoses and prints.
pub fn run(args: &Diagnose) -> Result<(), Failure> {
    let names = Names {
        step: args.step.clone(),
        loss: args.loss.clone(),
        validation: args.validation.clone(),
        rate: args.rate.clone(),
        by: args.by.clone(),
    };
    let mut logged = Vec::new();
    for file in &args.files {
        let text = file.to_string_lossy();
        if studies::is_storage(&text) {
            let study = studies::open(&text, args.study.as_deref()).map_err(Failure::usage)?;
            logged.extend(studies::logs(&study));
        } else {
            logged.extend(diagnose::read(file, &names).map_err(Failure::usage)?);
        }
    }
    if let Some(missing) = args.only.iter().find(|name| !logged.iter().any(|run| run.name == **name)) {
        let names: Vec<&str> = logged.iter().map(|run| run.name.as_str()).collect();
        return Err(Failure::usage(format!(
            "no run '{missing}' in the files; there are {}",
            names.join(", ")
        )));
    }
    logged.retain(|run| args.only.is_empty() || args.only.contains(&run.name));
    if logged.is_empty() {
        return Err(Failure::usage("the files hold no run"));
    }
    let schedule: Option<Schedule> =
        args.schedule.as_ref().map(|spec| spec.parse().map_err(Failure::usage)).transpose()?;
    let of = |run: &Logged| run.run(schedule.as_ref().map(|it| (it, args.lr)));
    let (mut runs, mut left_out) = (Vec::new(), Vec::new());
    for run in &logged {
        match of(run) {
            Ok(run) => runs.push(run),
            // Among many, a run that broke at its start must not hide the others.
            Err(why) if args.only.is_empty() && logged.len() > 1 => left_out.push(why.to_string()),
            Err(why) => return Err(Failure::usage(why)),
        }
    }
    if runs.is_empty() {
        return Err(Failure::usage(format!("no run can be judged: {}", left_out.join("; "))));
    }
    let resumed = logged.iter().flat_map(oddities).collect();
    let answer = Answer {
        runs: diagnose::diagnose(&runs),
        curves: runs.iter().map(Curve::of).collect(),
        left_out,
        resumed,
        caveats: CAVEATS,
    };
    let figure = picture(&runs, &answer);
    if let Some(path) = &args.plot {
        lehr_report::save(&figure, path).map_err(Failure::failed)?;
    }
    if args.json { output::json("lehr.diagnose/1", &answer) } else { human(&answer, &figure) }
}

/// What is odd about a log.
fn oddities(run: &Logged) -> Vec<String> {
    let mut found = Vec::new();
    if run.twice > 0 {
        let (name, twice) = (&run.name, run.twice);
        found.push(format!(
            "{name}: {twice} steps were logged twice (a run taken up again); the later line counts"
        ));
    }
    if run.unreadable > 0 {
        found.push(format!("{}: {} damaged records were passed over", run.name, run.unreadable));
    }
    found
}

/// Marks of findings are drawn for a few runs; with more they would hide the lines.
const MARKED: usize = 3;

fn picture(runs: &[Run], answer: &Answer) -> Figure {
    let mut figure = Figure::new("loss against step").x(Axis::linear("step")).y(Axis::linear("loss"));
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for (place, run) in runs.iter().enumerate() {
        let points: Vec<(f64, f64)> = run.points().map(|(step, loss)| (step as f64, loss)).collect();
        let mut sorted: Vec<f64> =
            points.iter().map(|point| point.1).filter(|loss| loss.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        // The steep start would flatten the rest.
        if let (Some(least), Some(most)) = (sorted.first(), sorted.get(sorted.len() * 97 / 100)) {
            (low, high) = (low.min(*least), high.max(*most));
        }
        figure = figure.series(Series::line(run.name(), points).colour(place));
        if !run.validation().is_empty() {
            let points = run.validation().iter().map(|&(step, loss)| (step as f64, loss)).collect();
            figure = figure
                .series(Series::line(format!("{}, validation", run.name()), points).colour(place).faded());
        }
    }
    if high > low {
        figure.y = figure.y.range(low - 0.05 * (high - low), high + 0.05 * (high - low));
    }
    if runs.len() <= MARKED {
        for (place, found) in answer.runs.iter().enumerate() {
            for finding in found.findings.iter().filter(|finding| finding.severity != Severity::Good) {
                if let Some(step) = finding.step {
                    let label = finding.code.replace('_', " ");
                    figure = figure.mark(Mark::new(Place::Vertical(step as f64), label).of(place));
                }
            }
        }
    }
    figure
}

fn human(answer: &Answer, figure: &Figure) -> Result<(), Failure> {
    let columns = u16::try_from(output::width()).unwrap_or(100).min(110);
    let mut text = lehr_report::terminal(figure, columns, 18, output::color());
    for run in &answer.runs {
        let end = run.end.map_or("not finite".to_owned(), loss_text);
        text += &format!("\n{}: loss {end} at the end\n", run.run);
        for Finding { code, severity, evidence, suggestion, .. } in &run.findings {
            let sign = match severity {
                Severity::Good => "+",
                Severity::Note => "·",
                Severity::Warning => "!",
            };
            text += &format!("{sign} {}: {evidence}\n  → {suggestion}\n", code.replace('_', " "));
        }
        for future in &run.longer {
            text += &format!(
                "· {}× as long ({} steps): {} [{}, {}] by the fitted law (R² {:.3} on this run)\n",
                significant(future.times, 2),
                future.steps,
                loss_text(future.loss),
                loss_text(future.low),
                loss_text(future.high),
                future.r_squared
            );
        }
    }
    if !answer.left_out.is_empty() {
        text += &format!("\nLeft out: {}\n", answer.left_out.join("; "));
    }
    text += "\nMind:\n";
    for caveat in answer.resumed.iter().map(String::as_str).chain(answer.caveats) {
        text += &format!("- {caveat}\n");
    }
    output::text(&text)
}
