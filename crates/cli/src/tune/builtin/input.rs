//! From the arguments of `lehr tune` to a plan.

use std::path::Path;

use lehr::lab::data::{CsvFormat, read_csv, read_libsvm};
use lehr::lab::{Dataset, Error, Optimizer, Task, TrainPlan};
use lehr::tune::{Plan, RateRange, Search};

use super::super::args::Tune;
use crate::failure::Failure;
use crate::schedule::input::schedules;

/// Share of the data that is held out for validation where no file for it is given.
const HELD_OUT: f64 = 0.2;
/// Length of a run where none is given.
const DEFAULT_EPOCHS: f64 = 8.0;
/// The model where none is named.
const DEFAULT_MODEL: &str = "mlp:32";
/// Peak rates per schedule where their number is not given.
const DEFAULT_POINTS: usize = 16;

/// Schedules that `lehr tune` compares where none are named: the simplest, and what people use most.
const DEFAULT_SCHEDULES: &str = "constant; linear; cosine; warmup 5%, cosine; warmup 5%, constant, 1-sqrt 20%; \
     step at 50% 75% by 0.1; restarts every 25%";

/// The plan that the arguments name.
pub fn plan(args: &Tune) -> Result<Plan, Failure> {
    let schedules = schedules(args.schedules.as_deref().unwrap_or(DEFAULT_SCHEDULES))?;
    let optimizer = args.builtin.optimizer.unwrap_or(Optimizer::Sgd);
    let weight_decay = args.builtin.weight_decay.unwrap_or(0.0);
    let model =
        args.builtin.model.clone().map_or_else(|| DEFAULT_MODEL.parse().map_err(Failure::usage), Ok)?;
    let built_in = args.builtin.data.is_none();
    let batch = args.builtin.batch.unwrap_or(if built_in { 4 } else { 32 });
    if batch == 0 {
        return Err(Failure::usage("--batch: at least one example per update is needed"));
    }
    if !(weight_decay >= 0.0 && weight_decay.is_finite()) {
        let value = weight_decay;
        return Err(Failure::usage(format!("--weight-decay: a finite number of at least 0, not {value}")));
    }
    if args.builtin.threads == Some(0) {
        return Err(Failure::usage("--threads: at least one is needed"));
    }
    let epochs = match (args.steps, args.builtin.epochs) {
        (Some(0), _) => return Err(Failure::usage("--steps: a run needs at least one update")),
        (_, Some(epochs)) if !(epochs > 0.0 && epochs.is_finite()) => {
            return Err(Failure::usage(format!("--epochs: a number above 0, not {epochs}")));
        }
        (_, epochs) => epochs.unwrap_or(DEFAULT_EPOCHS),
    };
    let task = task(args)?;
    let training = TrainPlan { batch, ..TrainPlan::new(model.clone(), 1) };
    let per_epoch = training.steps_per_epoch(&task) as f64;
    Ok(Plan {
        steps: args.steps.unwrap_or_else(|| (epochs * per_epoch).round().max(1.0) as u64),
        task,
        model,
        optimizer,
        schedules,
        rates: args.lr.map_or_else(|| default_rates(optimizer), Ok)?,
        search: match args.sampler.as_deref() {
            None | Some("grid") => Search::Grid,
            Some("random") => Search::Random,
            Some(other) => {
                let message =
                    format!("--sampler: the built-in models are searched by grid or random, not '{other}'");
                return Err(Failure::usage(message));
            }
        },
        points: args.builtin.points.unwrap_or(DEFAULT_POINTS),
        seeds: args.seeds.unwrap_or(if built_in { 20 } else { 5 }),
        batch,
        weight_decay,
        seed: args.seed.unwrap_or(0),
    })
}

/// Four to five decades that hold the best rate and the edge of stability of common problems.
fn default_rates(optimizer: Optimizer) -> Result<RateRange, Failure> {
    let (low, high) = match optimizer {
        Optimizer::Sgd => (1e-3, 10.0),
        Optimizer::Momentum { .. } | Optimizer::Nesterov { .. } => (1e-4, 1.0),
        Optimizer::Adam(_) | Optimizer::AdamW(_) => (1e-5, 0.1),
    };
    RateRange::new(low, high).map_err(Failure::usage)
}

fn task(args: &Tune) -> Result<Task, Failure> {
    let task = match &args.builtin.data {
        None => Task::wine(),
        Some(data) => user_task(args, data),
    };
    task.map_err(|error| match error {
        Error::Read { .. } | Error::Data { .. } | Error::Task(_) => Failure::failed(error),
        _ => Failure::usage(error),
    })
}

fn user_task(args: &Tune, path: &Path) -> Result<Task, Error> {
    let read = |path: &Path, like: Option<&Dataset>| match &args.builtin.target {
        Some(target) => read_csv(path, CsvFormat { target }, like),
        None => read_libsvm(path, like),
    };
    let data = read(path, None)?;
    let task = match &args.builtin.validation {
        Some(path) => {
            let validation = read(path, Some(&data))?;
            Task::new(data, validation)?
        }
        None => Task::split(&data, HELD_OUT, args.seed.unwrap_or(0))?,
    };
    Ok(task.standardised())
}
