//! `lehr diagnose`: did that run train well?

use clap::Args;
use lehr::diagnose::{Diagnosis, Finding, Run, Severity, diagnose};
use lehr_report::number::{loss as loss_text, significant};
use lehr_report::{Axis, Figure, Mark, Place, Series};
use lehr_schedule::{Curve, Horizon, Schedule};
use serde::Serialize;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::logs::{Line, Log};
use crate::output;

/// Validates finished runs with their schedule: converged or still falling, diverged and came back, restarts that
/// paid, better than a constant rate, over-fitting
///
/// Each FILE is a CSV with the columns step and loss, and where they are known lr and val_loss; with a column `run`,
/// each run of it is diagnosed, and runs are held against each other.
#[derive(Args)]
pub struct Diagnose {
    /// Logs of runs
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Column of the steps
    #[arg(long, value_name = "COLUMN", default_value = "step")]
    step: String,
    /// Column of the (training) loss
    #[arg(long, value_name = "COLUMN", default_value = "loss")]
    loss: String,
    /// Column of the validation loss, where there is one
    #[arg(long, value_name = "COLUMN", default_value = "val_loss")]
    validation: String,
    /// Column of the rates, where there is one
    #[arg(long, value_name = "COLUMN", default_value = "lr")]
    rate: String,
    /// Column that names the run, where a file holds several
    #[arg(long, value_name = "COLUMN", default_value = "run")]
    by: String,
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
    /// Runs that logged steps twice.
    resumed: Vec<String>,
    caveats: [&'static str; 2],
}

const CAVEATS: [&str; 2] = [
    "the noise is that of logged points within a run; differences between runs also carry the noise between seeds",
    "longer horizons are predictions of the law fitted to these runs; its interval knows nothing of data that run out",
];

/// Reads, diagnoses and prints.
pub fn run(args: &Diagnose) -> Result<(), Failure> {
    let (mut runs, mut resumed) = (Vec::new(), Vec::new());
    for file in &args.files {
        runs.extend(read(file, args, &mut resumed)?);
    }
    if let Some(missing) =
        args.only.iter().find(|name| !runs.iter().any(|run: &Run| run.name() == name.as_str()))
    {
        return Err(Failure::usage(format!("no run '{missing}' in the files")));
    }
    if runs.is_empty() {
        return Err(Failure::usage("the files hold no run"));
    }
    let answer = Answer { runs: diagnose(&runs), resumed, caveats: CAVEATS };
    let figure = picture(&runs, &answer);
    if let Some(path) = &args.plot {
        lehr_report::save(&figure, path).map_err(Failure::failed)?;
    }
    if args.json { output::json("lehr.diagnose/1", &answer) } else { human(&answer, &figure) }
}

/// One logged line of a run.
struct Point {
    step: u64,
    loss: Option<f64>,
    validation: Option<f64>,
    rate: Option<f64>,
}

/// Reads the runs of a file; runs that logged steps twice are named in `resumed`.
fn read(path: &Path, args: &Diagnose, resumed: &mut Vec<String>) -> Result<Vec<Run>, Failure> {
    let log = Log::read(path)?;
    let (step, loss) = (log.place(&args.step)?, log.place(&args.loss)?);
    let (validation, rate) =
        (log.find(&args.validation).filter(|&place| place != loss), log.find(&args.rate));
    let mut runs: Vec<(String, Vec<Point>)> = Vec::new();
    for (name, lines) in log.runs(&args.by) {
        let point = |line: &Line| {
            let optional = |column: Option<usize>| column.map_or(Ok(None), |column| log.value(line, column));
            let (validation, rate) = (optional(validation)?, optional(rate)?);
            Ok::<_, Failure>(Point {
                step: log.step(line, step)?,
                loss: log.value(line, loss)?,
                validation,
                rate,
            })
        };
        runs.push((name, lines.into_iter().map(point).collect::<Result<_, _>>()?));
    }
    runs.retain(|(name, _)| args.only.is_empty() || args.only.contains(name));
    for (name, points) in &mut runs {
        // A run that was taken up again logs some steps twice: the later line counts.
        let logged = points.len();
        points.reverse();
        points.sort_by_key(|point| point.step);
        points.dedup_by_key(|point| point.step);
        if points.len() < logged {
            let twice = logged - points.len();
            resumed.push(format!(
                "{name}: {twice} steps were logged twice (a run taken up again); the later line counts"
            ));
        }
    }
    runs.into_iter().map(|(name, points)| of_points(name, &points, args)).collect()
}

fn of_points(name: String, points: &[Point], args: &Diagnose) -> Result<Run, Failure> {
    let losses: Vec<(u64, f64)> = points.iter().filter_map(|point| Some((point.step, point.loss?))).collect();
    let validation = points.iter().filter_map(|point| Some((point.step, point.validation?))).collect();
    let logged: Option<Vec<f64>> =
        points.iter().filter(|point| point.loss.is_some()).map(|point| point.rate).collect();
    let rates = match (&args.schedule, losses.last()) {
        (Some(spec), Some(&(last, _))) => {
            let curve = curve(spec, last.max(1), args.lr)?;
            Some(losses.iter().map(|&(step, _)| curve.at(step.min(last.max(1) - 1))).collect())
        }
        _ => logged,
    };
    Run::new(name, &losses, validation, rates).map_err(Failure::usage)
}

fn curve(spec: &str, steps: u64, peak: f64) -> Result<Curve, Failure> {
    let schedule: Schedule = spec.parse().map_err(Failure::usage)?;
    schedule.resolve_with_peak(&Horizon::steps(steps), peak).map_err(Failure::usage)
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
    text += "\nMind:\n";
    for caveat in answer.resumed.iter().map(String::as_str).chain(answer.caveats) {
        text += &format!("- {caveat}\n");
    }
    output::text(&text)
}
