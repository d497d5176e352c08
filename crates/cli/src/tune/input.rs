//! From the arguments of `lehr tune` to a plan.

use std::path::Path;

use lehr::lab::data::{CsvFormat, read_csv, read_libsvm};
use lehr::lab::{Dataset, Error, Optimizer, Task, TrainPlan};
use lehr::schedule::Schedule;
use lehr::tune::{Plan, RateRange, Search};

use super::args::{Sampler, Tune};
use crate::failure::Failure;

/// Share of the data that is held out for validation where no file for it is given.
const HELD_OUT: f64 = 0.2;
/// Length of a run where none is given.
const DEFAULT_EPOCHS: f64 = 8.0;

/// The plan that the arguments name.
pub fn plan(args: &Tune) -> Result<Plan, Failure> {
    let schedules = schedules(&args.schedules)?;
    let built_in = args.data.is_none();
    let batch = args.batch.unwrap_or(if built_in { 4 } else { 32 });
    if batch == 0 {
        return Err(Failure::usage("--batch: at least one example per update is needed"));
    }
    if !(args.weight_decay >= 0.0 && args.weight_decay.is_finite()) {
        let value = args.weight_decay;
        return Err(Failure::usage(format!("--weight-decay: a finite number of at least 0, not {value}")));
    }
    if args.threads == Some(0) {
        return Err(Failure::usage("--threads: at least one is needed"));
    }
    let epochs = match (args.steps, args.epochs) {
        (Some(0), _) => return Err(Failure::usage("--steps: a run needs at least one update")),
        (_, Some(epochs)) if !(epochs > 0.0 && epochs.is_finite()) => {
            return Err(Failure::usage(format!("--epochs: a number above 0, not {epochs}")));
        }
        (_, epochs) => epochs.unwrap_or(DEFAULT_EPOCHS),
    };
    let task = task(args)?;
    let training = TrainPlan { batch, ..TrainPlan::new(args.model.clone(), 1) };
    let per_epoch = training.steps_per_epoch(&task) as f64;
    Ok(Plan {
        steps: args.steps.unwrap_or_else(|| (epochs * per_epoch).round().max(1.0) as u64),
        task,
        model: args.model.clone(),
        optimizer: args.optimizer,
        schedules,
        rates: args.lr.map_or_else(|| default_rates(args.optimizer), Ok)?,
        search: match args.sampler {
            Sampler::Grid => Search::Grid,
            Sampler::Random => Search::Random,
        },
        points: args.points,
        seeds: args.seeds.unwrap_or(if built_in { 20 } else { 5 }),
        batch,
        weight_decay: args.weight_decay,
        seed: args.seed,
    })
}

/// Reads `a; b; c`; empty parts do not count.
fn schedules(text: &str) -> Result<Vec<Schedule>, Failure> {
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    let schedules: Vec<Schedule> =
        parts.map(|part| part.parse().map_err(Failure::usage)).collect::<Result<_, _>>()?;
    if schedules.is_empty() {
        return Err(Failure::usage(
            "--schedules: name at least one schedule, for example 'constant; cosine'",
        ));
    }
    Ok(schedules)
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
    let task = match &args.data {
        None => Task::wine(),
        Some(data) => user_task(args, data),
    };
    task.map_err(|error| match error {
        Error::Read { .. } | Error::Data { .. } | Error::Task(_) => Failure::failed(error),
        _ => Failure::usage(error),
    })
}

fn user_task(args: &Tune, path: &Path) -> Result<Task, Error> {
    let read = |path: &Path, like: Option<&Dataset>| match &args.target {
        Some(target) => read_csv(path, CsvFormat { target }, like),
        None => read_libsvm(path, like),
    };
    let data = read(path, None)?;
    let task = match &args.validation {
        Some(path) => {
            let validation = read(path, Some(&data))?;
            Task::new(data, validation)?
        }
        None => Task::split(&data, HELD_OUT, args.seed)?,
    };
    Ok(task.standardised())
}
