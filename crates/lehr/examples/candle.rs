//! A network in candle on red-wine quality (compiled in), under any schedule, by itself or tuned by Lehr.
//!
//! ```sh
//! cargo run --release -p lehr --features candle --example candle -- --lr 0.1 --schedule 'warmup 5%, cosine'
//!
//! cargo build --release -p lehr --features candle --example candle
//! lehr tune --lr 1e-3..3 --steps 1000 --schedules 'linear; warmup 5%, cosine' -- target/release/examples/candle \
//!   --steps {steps} --seed {seed} --schedule-file {schedule_file} --checkpoint {checkpoint} --resume {resume}
//! ```
//!
//! It prints the validation loss as JSON lines, and keeps no SIGTERM handler: a run that is stopped goes on from its last
//! checkpoint.
use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{Linear, Module, Optimizer, SGD, loss::cross_entropy};
use lehr::lab::{BatchOrder, Dataset, Features, Task};
use lehr::prelude::*;
use lehr::program::read_schedule;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const HIDDEN: usize = 32;
const BATCH: usize = 16;
const NAMES: [&str; 4] = ["hidden.weight", "hidden.bias", "output.weight", "output.bias"];
const CPU: Device = Device::Cpu;

type Outcome<T> = Result<T, Box<dyn Error>>;

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
    let mut scheduler = match &args.schedule_file {
        Some(file) => read_schedule(file)?.into(),
        None => Scheduler::new(&args.schedule, &Horizon::steps(args.steps), args.lr)?,
    };
    let task = Task::wine()?;
    let (features, labels) = tensors(task.train())?;
    let validation = tensors(task.validation())?;
    let mut weights = begin(args.seed, features.dim(1)?, task.train().classes().len())?;
    if let Some(checkpoint) = &args.resume {
        load(checkpoint, &mut weights, &mut scheduler)?;
    }
    let model = Model::of(&weights);
    let mut optimizer = SGD::new(weights.clone(), 0.0)?;
    let mut order = BatchOrder::new(args.seed, features.dim(0)?, BATCH);
    while scheduler.updates() < args.steps {
        // The batch of an update does not depend on where the run started.
        let rows = order.batch(scheduler.updates());
        let rows = Tensor::new(rows, &CPU)?;
        let scores = model.forward(&features.index_select(&rows, 0)?)?;
        let loss = cross_entropy(&scores, &labels.index_select(&rows, 0)?)?;
        let rate = scheduler.drive(&mut optimizer);
        optimizer.backward_step(&loss)?;
        let done = scheduler.updates();
        let report = done.is_multiple_of(args.every) || done == args.steps;
        if let Some(folder) = args.checkpoint.as_ref().filter(|_| report || args.keep.contains(&done)) {
            save(folder, &weights, &scheduler)?;
        }
        if report {
            let loss = cross_entropy(&model.forward(&validation.0)?, &validation.1)?.to_scalar::<f32>()?;
            println!("{}", serde_json::json!({"step": done, "val_loss": loss, "lr": rate}));
        }
        std::thread::sleep(args.pause);
    }
    Ok(())
}

/// Features and classes of a data set.
fn tensors(data: &Dataset) -> Outcome<(Tensor, Tensor)> {
    let Features::Dense { columns, values } = data.features() else {
        return Err("the data is sparse".into());
    };
    let labels = Tensor::new(data.labels(), &CPU)?;
    Ok((Tensor::from_slice(values, (data.rows(), *columns), &CPU)?, labels))
}

struct Model {
    hidden: Linear,
    output: Linear,
}

impl Model {
    /// The layers share the weights, so they follow what the optimiser does to them.
    fn of(weights: &[Var]) -> Self {
        let layer =
            |i: usize| Linear::new(weights[i].as_tensor().clone(), Some(weights[i + 1].as_tensor().clone()));
        Self { hidden: layer(0), output: layer(2) }
    }

    fn forward(&self, features: &Tensor) -> candle_core::Result<Tensor> {
        self.output.forward(&self.hidden.forward(features)?.relu()?)
    }
}

/// Weights to start from: uniform within 1/√inputs, drawn from the seed (candle's own generator on the CPU has none).
fn begin(seed: u64, inputs: usize, classes: usize) -> Outcome<Vec<Var>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut weights = Vec::new();
    for (inputs, outputs) in [(inputs, HIDDEN), (HIDDEN, classes)] {
        let bound = 1.0 / (inputs as f32).sqrt();
        let drawn: Vec<f32> = (0..inputs * outputs).map(|_| random.random_range(-bound..bound)).collect();
        weights.push(Var::from_vec(drawn, (outputs, inputs), &CPU)?);
        weights.push(Var::zeros(outputs, DType::F32, &CPU)?);
    }
    Ok(weights)
}

/// Writes a checkpoint `step-N`, which is there as a whole or not at all.
fn save(folder: &Path, weights: &[Var], scheduler: &Scheduler) -> Outcome<()> {
    let (part, whole) = (folder.join(".part"), folder.join(format!("step-{}", scheduler.updates())));
    if whole.exists() {
        return Ok(());
    }
    if part.exists() {
        std::fs::remove_dir_all(&part)?; // of a run that was stopped while it wrote
    }
    std::fs::create_dir_all(&part)?;
    let named = NAMES.into_iter().zip(weights.iter().map(|weight| weight.as_tensor().clone()));
    candle_core::safetensors::save(&named.collect::<HashMap<_, _>>(), part.join("weights.safetensors"))?;
    std::fs::write(part.join("scheduler.json"), serde_json::to_vec(&scheduler.state())?)?;
    Ok(std::fs::rename(part, whole)?)
}

fn load(checkpoint: &Path, weights: &mut [Var], scheduler: &mut Scheduler) -> Outcome<()> {
    let saved = candle_core::safetensors::load(checkpoint.join("weights.safetensors"), &CPU)?;
    for (name, weight) in NAMES.into_iter().zip(weights) {
        weight.set(saved.get(name).ok_or("the checkpoint is of another model")?)?;
    }
    let state = std::fs::read(checkpoint.join("scheduler.json"))?;
    Ok(scheduler.restore(serde_json::from_slice(&state)?)?)
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
            lr: take("lr").unwrap_or("0.1").parse()?,
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
