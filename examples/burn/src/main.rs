//! A network in burn on red-wine quality (compiled in), under any schedule, by itself or tuned by Lehr.
//!
//! ```sh
//! cargo run --release --manifest-path examples/burn/Cargo.toml -- --lr 0.01 --schedule 'warmup 5%, cosine'
//!
//! lehr tune --lr 1e-4..1 --steps 1000 --schedules 'linear; warmup 5%, cosine' -- examples/burn/target/release/lehr-burn-example \
//!   --steps {steps} --seed {seed} --schedule-file {schedule_file} --checkpoint {checkpoint} --resume {resume}
//! ```
//!
//! It prints the validation loss as JSON lines, and keeps no SIGTERM handler: a run that is stopped goes on from its last
//! checkpoint. `cargo xtask burn` builds it and runs its tests.
use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::nn::loss::CrossEntropyLoss;
use burn::nn::{Linear, LinearConfig, Relu};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use burn::tensor::TensorData;
use lehr::lab::{BatchOrder, Dataset, Features, Task};
use lehr::prelude::{Horizon, Scheduler};
use lehr::program::read_schedule;

const HIDDEN: usize = 32;
const BATCH: usize = 16;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Module, Debug)]
struct Net {
    hidden: Linear,
    relu: Relu,
    output: Linear,
}

impl Net {
    fn new(inputs: usize, classes: usize, device: &Device) -> Self {
        Self {
            hidden: LinearConfig::new(inputs, HIDDEN).init(device),
            relu: Relu::new(),
            output: LinearConfig::new(HIDDEN, classes).init(device),
        }
    }

    fn loss(&self, features: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
        let scores = self.output.forward(self.relu.forward(self.hidden.forward(features)));
        CrossEntropyLoss::new(None, &scores.device()).forward(scores, labels)
    }
}

fn main() -> ExitCode {
    match train() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn train() -> Outcome<()> {
    let args = Args::read()?;
    let mut scheduler: Scheduler = match &args.schedule_file {
        Some(file) => read_schedule(file)?.into(),
        None => Scheduler::new(&args.schedule, &Horizon::steps(args.steps), args.lr)?,
    };
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    device.seed(args.seed);
    let task = Task::wine()?;
    let (features, labels) = tensors(task.train(), &device)?;
    let validation = tensors(task.validation(), &plain)?;
    let mut model = Net::new(features.dims()[1], task.train().classes().len(), &device);
    let mut optimizer = AdamWConfig::new().init();
    if let Some(checkpoint) = &args.resume {
        (model, optimizer) = load(checkpoint, model, optimizer, &mut scheduler)?;
    }
    let mut order = BatchOrder::new(args.seed, features.dims()[0], BATCH);
    while scheduler.updates() < args.steps {
        // The batch of an update does not depend on where the run started.
        let rows: Vec<i64> = order.batch(scheduler.updates()).iter().map(|row| i64::from(*row)).collect();
        let rows = Tensor::<1, Int>::from_data(rows.as_slice(), &device);
        let loss = model.loss(features.clone().select(0, rows.clone()), labels.clone().select(0, rows));
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        let rate = scheduler.step();
        model = optimizer.step(rate, model, gradients);
        let done = scheduler.updates();
        let report = done.is_multiple_of(args.every) || done == args.steps;
        if let Some(folder) = args.checkpoint.as_ref().filter(|_| report || args.keep.contains(&done)) {
            save(folder, &model, &optimizer, &scheduler)?;
        }
        if report {
            let loss = model.valid().loss(validation.0.clone(), validation.1.clone()).into_scalar::<f32>();
            println!("{}", serde_json::json!({"step": done, "val_loss": loss, "lr": rate}));
        }
        std::thread::sleep(args.pause);
    }
    Ok(())
}

/// Features and classes of a data set.
fn tensors(data: &Dataset, device: &Device) -> Outcome<(Tensor<2>, Tensor<1, Int>)> {
    let Features::Dense { columns, values } = data.features() else {
        return Err("the data is sparse".into());
    };
    let labels: Vec<i64> = data.labels().iter().map(|label| i64::from(*label)).collect();
    let features = TensorData::new(values.clone(), [data.rows(), *columns]);
    Ok((Tensor::from_data(features, device), Tensor::from_data(labels.as_slice(), device)))
}

/// Writes a checkpoint `step-N`, which is there as a whole or not at all: weights, moments, and how far the schedule is.
fn save(folder: &Path, model: &Net, optimizer: &ModuleOptimizer, scheduler: &Scheduler) -> Outcome<()> {
    let (part, whole) = (folder.join(".part"), folder.join(format!("step-{}", scheduler.updates())));
    if whole.exists() {
        return Ok(());
    }
    if part.exists() {
        std::fs::remove_dir_all(&part)?; // of a run that was stopped while it wrote
    }
    std::fs::create_dir_all(&part)?;
    model.clone().save_file(part.join("model.bpk"))?;
    optimizer.save(part.join("optimizer.bpk"))?;
    scheduler.to_record().save(part.join("scheduler.bpk"))?;
    Ok(std::fs::rename(part, whole)?)
}

fn load(
    checkpoint: &Path,
    model: Net,
    optimizer: ModuleOptimizer,
    scheduler: &mut Scheduler,
) -> Outcome<(Net, ModuleOptimizer)> {
    scheduler.load_burn_record(&LrSchedulerRecord::load(checkpoint.join("scheduler.bpk"))?)?;
    let model = model.try_load_file(checkpoint.join("model.bpk"))?;
    Ok((model, optimizer.load(checkpoint.join("optimizer.bpk"))?))
}

struct Args {
    lr: f64,
    steps: u64,
    seed: u64,
    schedule: String,
    schedule_file: Option<PathBuf>,
    checkpoint: Option<PathBuf>,
    resume: Option<PathBuf>,
    /// Updates between two reports.
    every: u64,
    /// How long each update takes at least: `--pause` in milliseconds.
    pause: std::time::Duration,
    /// Updates after which Lehr may want a checkpoint.
    keep: Vec<u64>,
}

impl Args {
    fn read() -> Outcome<Self> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let mut given = HashMap::new();
        for pair in words.chunks(2) {
            let [name, value] = pair else { return Err(format!("{} needs a value", pair[0]).into()) };
            let name = name.strip_prefix("--").ok_or_else(|| format!("{name} is not an option"))?;
            given.insert(name, value.as_str());
        }
        let mut take = |name: &str| given.remove(name).filter(|value| !value.is_empty());
        let keep = std::env::var("LEHR_CHECKPOINTS").unwrap_or_default();
        let args = Self {
            lr: take("lr").unwrap_or("0.01").parse()?,
            steps: take("steps").unwrap_or("1000").parse()?,
            seed: take("seed").unwrap_or("0").parse()?,
            schedule: take("schedule").unwrap_or("warmup 5%, cosine").to_owned(),
            schedule_file: take("schedule-file").map(PathBuf::from),
            checkpoint: take("checkpoint").map(PathBuf::from),
            resume: take("resume").map(PathBuf::from),
            every: take("every").unwrap_or("100").parse::<u64>()?.max(1),
            pause: std::time::Duration::from_millis(take("pause").unwrap_or("0").parse()?),
            keep: keep.split(',').filter_map(|step| step.parse().ok()).collect(),
        };
        match given.keys().next() {
            Some(name) => Err(format!("there is no option --{name}").into()),
            None => Ok(args),
        }
    }
}
