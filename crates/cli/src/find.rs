//! `lehr find`: where sane rates are, from one short run with a rising rate.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use lehr::find::{Command, FindError, Found, Ramp, Readings, of_program, range_test, read};
use lehr::lab::data::{CsvFormat, read_csv, read_libsvm};
use lehr::lab::{Model, Optimizer, Task, TrainPlan};
use lehr::logs::Log;
use lehr::program::{Metric, MetricFile, Reads, Scrape, Template};
use lehr::tune::RateRange;
use lehr_report::number::{loss, rate};
use lehr_report::{Axis, Figure, Series, terminal};
use serde::Serialize;

use crate::failure::Failure;
use crate::output;

/// Where sane learning rates are: one short run with an exponentially rising rate, read with fastai's suggestions and ours
///
/// Trains a built-in model from its initial weights and keeps nothing of it; or runs a program once, with the rising rate as its
/// schedule: `lehr find --lr 1e-6..10 -- python train.py --steps {steps} --schedule {schedule_file}`; or reads the log of such a
/// run. A program reports the training loss of every update, and is ended as soon as it has run away.
/// It shows where rates begin to act and where they break, not which rate is best at the end of an annealed run: that is
/// what `lehr tune` is for.
#[derive(Args)]
pub struct Find {
    /// Log of a run with a rising rate: CSV with a column for the rate and one for the loss
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "target"])]
    log: Option<PathBuf>,
    /// Column of the rate in the log
    #[arg(long, value_name = "COLUMN", default_value = "lr")]
    rate: String,
    /// Column of the loss in the log; its name in the reports of a program
    #[arg(long, value_name = "COLUMN", default_value = "loss")]
    loss: String,
    /// Data file: LIBSVM text, or CSV with a header and --target [default: the embedded red-wine quality]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// The column of a CSV file that holds the class
    #[arg(long, value_name = "COLUMN", requires = "data")]
    target: Option<String>,
    /// logistic, softmax, or mlp:64,64 (the sizes of the hidden layers)
    #[arg(long, default_value = "mlp:32")]
    model: Model,
    /// sgd, momentum, nesterov, adam or adamw
    #[arg(long, default_value = "sgd")]
    optimizer: Optimizer,
    /// Range of rates, low..high
    #[arg(long, value_name = "LOW..HIGH", default_value = "1e-6..100", allow_hyphen_values = true)]
    lr: RateRange,
    /// Updates of the run
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = crate::count::steps, allow_negative_numbers = true)]
    steps: u64,
    /// Examples per update
    #[arg(long, value_name = "N", default_value_t = 32)]
    batch: usize,
    /// Seed of split, weights and order of data
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = crate::count::seed, allow_negative_numbers = true)]
    seed: u64,
    /// Save the picture; the ending says how: .svg or .png
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    program: Program,
}

/// What only a program has.
#[derive(Args)]
#[command(next_help_heading = "Programs")]
struct Program {
    /// Finds the loss in lines of output: the group `value`, else the first group; a group `step` is the step
    #[arg(long, value_name = "REGEX", requires = "command")]
    metric_regex: Option<String>,
    /// A log of the program that holds the loss
    #[arg(long, value_name = "FILE:COLUMN", requires = "command")]
    metric_file: Option<MetricFile>,
    /// The program takes the schedule from LEHR_SCHEDULE_FILE: --reads schedule
    #[arg(long, value_name = "WHAT", requires = "command", value_delimiter = ',')]
    reads: Vec<Reads>,
    /// Longest time that the program may take, in seconds
    #[arg(long, value_name = "SECONDS", requires = "command")]
    timeout: Option<f64>,
    /// Folder of its schedule, its log and its checkpoints
    #[arg(long, value_name = "DIR", default_value = "lehr-out/find")]
    out: PathBuf,
    /// The program, with placeholders: {schedule_file}, {schedule}, {steps}, {seed}, {lr} (the highest rate), …
    #[arg(last = true, value_name = "COMMAND", conflicts_with_all = ["log", "data", "target", "model", "optimizer", "batch"])]
    command: Vec<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    readings: &'a Readings,
    #[serde(flatten)]
    found: &'a Found,
}

/// Runs the command.
pub fn run(args: &Find) -> Result<(), Failure> {
    if let Some(file) = &args.output {
        lehr_report::Picture::of(file).map_err(Failure::usage)?;
    }
    let own = !args.program.command.is_empty();
    let readings = match &args.log {
        Some(file) => of_log(file, &args.rate, &args.loss)?,
        None if own => of_command(args)?,
        None => of_model(args)?,
    };
    // Losses of minibatches are noisy; those on all rows are not.
    let found = read(&readings, own || args.log.is_some()).map_err(Failure::failed)?;
    let figure = figure(&readings, &found);
    if let Some(file) = &args.output {
        lehr_report::save(&figure, file).map_err(Failure::failed)?;
    }
    if args.json {
        return output::json("lehr.find/1", &Answer { readings: &readings, found: &found });
    }
    let width = u16::try_from(output::width().clamp(60, 140)).unwrap_or(100);
    output::text(&format!("{}\n{}", terminal(&figure, width, 20, output::color()), text(&found)))
}

fn of_log(file: &Path, rate: &str, loss: &str) -> Result<Readings, Failure> {
    let log = Log::read(file).map_err(Failure::failed)?;
    let (rate, loss) = (log.place(rate).map_err(Failure::usage)?, log.place(loss).map_err(Failure::usage)?);
    let mut readings = Readings::default();
    for line in log.runs("").iter().flat_map(|(_, lines)| lines) {
        readings.rates.push(log.number(line, rate).map_err(Failure::failed)?);
        readings.losses.push(log.value(line, loss).map_err(Failure::failed)?.unwrap_or(f64::NAN));
    }
    Ok(readings)
}

fn of_model(args: &Find) -> Result<Readings, Failure> {
    let task = match &args.data {
        None => Task::wine(),
        Some(path) => {
            let data = match &args.target {
                Some(target) => read_csv(path, CsvFormat { target }, None),
                None => read_libsvm(path, None),
            };
            data.and_then(|data| Task::split(&data, 0.2, args.seed)).map(Task::standardised)
        }
    };
    let task = task.map_err(Failure::failed)?;
    let plan = TrainPlan {
        optimizer: args.optimizer,
        batch: args.batch,
        ..TrainPlan::new(args.model.clone(), args.steps)
    };
    range_test(&task, &plan, &ramp(args), args.seed).map_err(refused)
}

fn of_command(args: &Find) -> Result<Readings, Failure> {
    let program = &args.program;
    let regex = program.metric_regex.as_deref().map(Scrape::new).transpose().map_err(Failure::usage)?;
    let timeout = match program.timeout.map(Duration::try_from_secs_f64) {
        Some(Ok(time)) if !time.is_zero() => Some(time),
        None => None,
        Some(_) => return Err(Failure::usage("--timeout must be a number of seconds above 0")),
    };
    let command = Command {
        template: Template::new(&program.command).map_err(Failure::usage)?,
        metric: Metric { regex, ..Metric::new(&args.loss, true) },
        metric_file: program.metric_file.clone(),
        reads_schedule: program.reads.contains(&Reads::Schedule),
        folder: program.out.clone(),
        timeout,
    };
    of_program(&command, &ramp(args), args.seed).map_err(refused)
}

fn ramp(args: &Find) -> Ramp {
    Ramp { low: args.lr.low(), high: args.lr.high(), steps: args.steps }
}

fn refused(error: FindError) -> Failure {
    match error {
        FindError::Readings(_) | FindError::Ended(_) => Failure::failed(error),
        _ => Failure::usage(error),
    }
}

fn figure(readings: &Readings, found: &Found) -> Figure {
    let zip = |r: &Readings| r.rates.iter().copied().zip(r.losses.iter().copied()).collect::<Vec<_>>();
    let made = found.smoothed.rates.len().min(readings.rates.len());
    let raw = zip(readings)[..made].to_vec();
    let curve = zip(&found.smoothed);
    let at = |x: f64| {
        curve.iter().min_by(|a, b| (a.0 / x).ln().abs().total_cmp(&(b.0 / x).ln().abs())).map(|p| p.1)
    };
    let lowest = curve.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
    let first = curve.first().map_or(1.0, |p| p.1);
    let spare = 0.1 * (first - lowest).abs().max(1e-9);
    let mut figure = Figure::new("loss under a rising rate")
        .x(Axis::log("rate"))
        .y(Axis::linear("training loss").range(lowest - spare, first + 5.0 * spare))
        .series(Series::points("", raw).faded())
        .series(Series::line("smoothed", curve.clone()));
    let s = found.suggestions;
    let mut marks =
        vec![("valley", s.valley), ("slide", s.slide), ("steep", s.steep), ("minimum/10", s.minimum)];
    if let Some(fit) = &found.fit {
        marks.push(("ours", fit.steepest));
    }
    for (name, x) in marks {
        if let Some(y) = at(x) {
            figure = figure.series(Series::points(name, vec![(x, y)]));
        }
    }
    figure
}

fn text(found: &Found) -> String {
    let s = found.suggestions;
    let mut text = format!(
        "fastai's suggestions: valley {}, slide {}, steep {}, minimum/10 {}\n",
        rate(s.valley),
        rate(s.slide),
        rate(s.steep),
        rate(s.minimum)
    );
    match &found.fit {
        Some(fit) => {
            text += &format!(
                "Ours: the loss falls fastest at {} (90 % interval {} to {}) and is lowest at {}.\nSearch from {} to {}: \
                 lehr tune --lr {}..{}\n",
                rate(fit.steepest),
                rate(fit.interval.0),
                rate(fit.interval.1),
                rate(fit.lowest),
                rate(fit.interval.0 / 8.0),
                rate(fit.lowest * 4.0),
                rate(fit.interval.0 / 8.0),
                rate(fit.lowest * 4.0)
            );
        }
        None => text += "Ours: none.\n",
    }
    match found.diverged {
        Some(at) => text += &format!("The loss was lost at {}.\n", rate(at)),
        None => text += &format!("The loss was never lost; its lowest value was {}.\n", loss(lowest(found))),
    }
    found.warnings.iter().for_each(|warning| text += &format!("Warning: {warning}.\n"));
    text
}

fn lowest(found: &Found) -> f64 {
    found.smoothed.losses.iter().copied().fold(f64::INFINITY, f64::min)
}
