//! `lehr lab robustness`: what a coarse grid of rates costs under each schedule, trained.

use clap::Args;
use lehr::lab::{Model, Optimizer, Task, TrainPlan};
use lehr::robustness::{Experiment, synthetic};

use super::data::Data;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::robustness::{Measure, Source};
use crate::schedule::input::schedules;

/// What a coarse grid of rates costs under each schedule: trained on a fine grid with several seeds
///
/// Logistic regression on made data, in the manner of Attia and Koren, or a model on data of your own. Rates are
/// selected on some seeds and judged on the others; the loss is that of all training rows, which the theory speaks of.
#[derive(Args)]
pub struct Robustness {
    #[command(flatten)]
    data: Data,
    /// logistic, softmax, or mlp:64,64
    #[arg(long, default_value = "logistic")]
    model: Model,
    /// sgd, momentum, nesterov, adam or adamw
    #[arg(long, default_value = "sgd")]
    optimizer: Optimizer,
    /// Schedules, separated by semicolons
    #[arg(long, value_name = "'A; B'", default_value = SCHEDULES)]
    schedules: String,
    /// Updates of each run
    #[arg(long, value_name = "N", default_value_t = 4_000, value_parser = crate::count::steps, allow_negative_numbers = true)]
    steps: u64,
    /// Examples per update
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch: usize,
    /// Lowest peak rate [default: by optimizer]
    #[arg(long, value_name = "LR", allow_negative_numbers = true)]
    low: Option<f64>,
    /// Highest peak rate [default: by optimizer]
    #[arg(long, value_name = "LR", allow_negative_numbers = true)]
    high: Option<f64>,
    /// Peak rates of the fine grid
    #[arg(long, value_name = "N", default_value_t = 33, value_parser = clap::value_parser!(u64).range(3..=1000))]
    points: u64,
    /// Seeds
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,
    /// First seed; also that of the made data
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = crate::count::seed, allow_negative_numbers = true)]
    seed: u64,
    /// Judge by the validation loss instead
    #[arg(long)]
    held_out: bool,
    /// Threads [default: all]; the results do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    #[command(flatten)]
    measure: Measure,
}

const SCHEDULES: &str = "constant; inverse-sqrt timescale 1%; linear; cosine; poly power 2; step at 50% 75% by 0.1; \
     restarts every 33.4%; constant, linear 20%";

/// Rows and columns of the made data, and the share of its labels that are turned around.
const MADE: (usize, usize, f64) = (10_000, 50, 0.1);

/// Trains, measures and prints.
pub fn run(args: &Robustness) -> Result<(), Failure> {
    let (task, name) = task(args)?;
    let adaptive = matches!(args.optimizer, Optimizer::Adam(_) | Optimizer::AdamW(_));
    let (low, high) = if adaptive { (1e-5, 10.0) } else { (1e-2, 1e4) };
    let (low, high) = (args.low.unwrap_or(low), args.high.unwrap_or(high));
    if !(low > 0.0 && high > low && high.is_finite()) {
        return Err(Failure::usage(format!("rates from {low} to {high}: the range must rise from above 0")));
    }
    let ratio = (high / low).ln() / (args.points - 1) as f64;
    let schedules = schedules(&args.schedules)?;
    let training = TrainPlan {
        batch: args.batch,
        optimizer: args.optimizer,
        ..TrainPlan::new(args.model.clone(), args.steps)
    };
    let experiment = Experiment {
        task,
        training,
        schedules,
        rates: (0..args.points).map(|i| low * (ratio * i as f64).exp()).collect(),
        seeds: (args.seed..args.seed + args.seeds).collect(),
    };
    let runs = experiment.schedules.len() as u64 * args.points * args.seeds;
    let progress = std::sync::Mutex::new(Progress::new(runs, "runs"));
    let sweep = experiment
        .run(args.held_out, args.threads, &|done| {
            if let Ok(mut progress) = progress.lock() {
                progress.update(done as u64, String::new);
            }
        })
        .map_err(Failure::usage)?;
    if let Ok(progress) = progress.into_inner() {
        progress.finish();
    }
    let loss = if args.held_out { "validation" } else { "training" };
    let source = Source {
        what: format!(
            "{name}, {} with {}, {} steps of {}, {} seeds, {loss} loss",
            args.model, args.optimizer, args.steps, args.batch, args.seeds
        ),
        steps: args.steps,
        left_out: Vec::new(),
    };
    args.measure.present(&sweep, source, "lehr.lab.robustness/1")
}

fn task(args: &Robustness) -> Result<(Task, String), Failure> {
    if let Some(task) = args.data.task(args.seed)? {
        return Ok(task);
    }
    let (rows, columns, flipped) = MADE;
    let task = synthetic(rows, columns, flipped, args.seed).map_err(Failure::usage)?;
    Ok((task, format!("made data ({rows} rows, {columns} columns)")))
}
