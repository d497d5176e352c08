//! The live tasks: what is trained, and what is searched.

use std::path::{Path, PathBuf};

use lehr::lab::data::read_libsvm;
use lehr::lab::{Control, Lane, Model, Optimizer, Outcome, Task, TrainPlan, train_lanes};
use lehr::schedule::{Horizon, Schedule};
use lehr::strategy::Goal;
use lehr_search::space::Domain;
use lehr_search::{Params, Space, Stream};
use serde_json::{Value, json};

use super::program::Program;

pub type Result<T> = std::result::Result<T, String>;

pub fn message(error: impl ToString) -> String {
    error.to_string()
}

/// A training problem and a question about it.
pub struct Bench {
    pub name: String,
    pub target: u64,
    /// The rates on which the truth is known, or that are searched where other parameters are searched, too.
    pub range: (f64, f64),
    /// The other parameters, as text; nothing for the rate alone.
    others: &'static str,
    /// The schedule of all runs; may hold parameters.
    schedule: &'static str,
    /// Seeds of the truth on a fine grid of rates.
    pub truth_seeds: u64,
    trained: Trained,
}

/// Who trains.
enum Trained {
    Lab { task: Box<Task>, plan: Box<TrainPlan> },
    Program(Program),
}

struct Row {
    name: &'static str,
    data: &'static str,
    model: &'static str,
    optimizer: &'static str,
    batch: usize,
    steps: u64,
    range: (f64, f64),
    schedule: &'static str,
    others: &'static str,
    /// Seeds of the truth on a fine grid of rates; of no use where other parameters are searched, too.
    truth_seeds: u64,
}

/// Seeds of the truth: usually, and where half an octave costs a tenth of a run's noise.
const SEEDS: u64 = 24;
const MANY_SEEDS: u64 = 400;

const fn rate_alone(
    name: &'static str,
    [data, model, optimizer]: [&'static str; 3],
    batch: usize,
    steps: u64,
    range: (f64, f64),
) -> Row {
    Row {
        name,
        data,
        model,
        optimizer,
        batch,
        steps,
        range,
        schedule: "linear",
        others: "",
        truth_seeds: SEEDS,
    }
}

/// Data, models, optimisers, batches, horizons, ranges of rates, schedules, other parameters.
const TASKS: [Row; 13] = [
    rate_alone("a9a-sgd", ["a9a", "logistic", "sgd"], 16, 2000, (0.001, 100.0)),
    Row {
        truth_seeds: MANY_SEEDS,
        ..rate_alone("a9a-momentum", ["a9a", "mlp:16", "momentum"], 16, 1600, (1e-4, 10.0))
    },
    Row {
        truth_seeds: MANY_SEEDS,
        ..rate_alone("a9a-adamw", ["a9a", "mlp:16", "adamw"], 16, 1600, (1e-5, 1.0))
    },
    Row {
        truth_seeds: MANY_SEEDS,
        ..rate_alone("a9a-adamw-64", ["a9a", "mlp:16", "adamw"], 64, 1600, (1e-5, 1.0))
    },
    rate_alone("letters-adamw", ["letters", "mlp:16", "adamw"], 64, 1600, (1e-5, 1.0)),
    rate_alone("wine-softmax", ["wine", "softmax", "momentum"], 8, 2000, (1e-4, 10.0)),
    rate_alone("wine-softmax-adamw", ["wine", "softmax", "adamw"], 8, 2000, (1e-5, 10.0)),
    rate_alone("wine-mlp-momentum", ["wine", "mlp:16", "momentum"], 8, 2000, (1e-4, 10.0)),
    rate_alone("wine-mlp-adamw", ["wine", "mlp:16", "adamw"], 8, 2000, (1e-5, 10.0)),
    Row {
        name: "a9a-schedules",
        data: "a9a",
        model: "logistic",
        optimizer: "sgd",
        batch: 16,
        steps: 2000,
        range: (0.001, 100.0),
        schedule: "{schedule}",
        others: "schedule=constant|linear|cosine|'constant, linear 20%'|'warmup 5%, cosine to 0.1'|'step at 50% 75% by 0.1'",
        truth_seeds: SEEDS,
    },
    Row {
        name: "a9a-restarts",
        data: "a9a",
        model: "logistic",
        optimizer: "sgd",
        batch: 16,
        steps: 2000,
        range: (0.001, 100.0),
        schedule: "restarts every {period} grow {grow} to {floor}",
        others: "period=10%..100%, grow=1.0..3.0, floor=0.0..0.5",
        truth_seeds: SEEDS,
    },
    Row {
        name: "wine-five",
        data: "wine",
        model: "mlp:16",
        optimizer: "momentum",
        batch: 8,
        steps: 2000,
        range: (1e-4, 10.0),
        schedule: "{schedule}",
        others: "schedule=linear|cosine|'warmup 10%, linear', momentum=0.0..0.98, wd=log 1e-6..0.1, batch=log 2..32",
        truth_seeds: SEEDS,
    },
    Row { truth_seeds: 12, ..rate_alone("characters", ["text", "", "adamw"], 32, 800, (1e-4, 1.0)) },
];

/// What was trained: the end of a run, and what it was on the way.
#[derive(Clone, Debug)]
pub struct Curve {
    /// `(update, validation loss)`, the last one at the end; empty if it was lost.
    pub points: Vec<(u64, f64)>,
    /// The update at which it was lost.
    pub diverged: Option<u64>,
}

impl Curve {
    pub fn end(&self) -> f64 {
        match self.diverged {
            Some(_) => f64::NAN,
            None => self.points.last().map_or(f64::NAN, |p| p.1),
        }
    }
}

impl Bench {
    pub fn new(name: &str) -> Result<Self> {
        let row = TASKS.iter().find(|t| t.name == name).ok_or(format!("no task '{name}'"))?;
        let trained = match row.data {
            "text" => Trained::Program(Program::new()?),
            data => {
                let model: Model = row.model.parse().map_err(message)?;
                let optimizer: Optimizer = row.optimizer.parse().map_err(message)?;
                let weight_decay = if row.optimizer == "adamw" { 0.01 } else { 0.0 };
                let plan = TrainPlan {
                    optimizer,
                    batch: row.batch,
                    weight_decay,
                    ..TrainPlan::new(model, row.steps)
                };
                Trained::Lab { task: Box::new(read_data(data)?), plan: Box::new(plan) }
            }
        };
        Ok(Self {
            name: row.name.to_owned(),
            target: row.steps,
            range: row.range,
            others: row.others,
            schedule: row.schedule,
            truth_seeds: row.truth_seeds,
            trained,
        })
    }

    /// Whether the rate is all that is searched.
    pub fn rate_alone(&self) -> bool {
        self.others.is_empty()
    }

    /// Whether a program trains.
    pub fn is_program(&self) -> bool {
        matches!(self.trained, Trained::Program(_))
    }

    /// What is searched, with rates of this range.
    pub fn space(&self, low: f64, high: f64) -> Result<Space> {
        let comma = if self.rate_alone() { "" } else { ", " };
        format!("lr=log {low:e}..{high:e}{comma}{}", self.others).parse().map_err(message)
    }

    /// The question to our strategies.
    pub fn goal(&self, seed: u64, low: f64, high: f64) -> Result<Goal> {
        let target = match &self.trained {
            Trained::Lab { task, plan } => {
                Horizon::steps(self.target).with_steps_per_epoch(plan.steps_per_epoch(task) as f64)
            }
            Trained::Program(_) => Horizon::steps(self.target),
        };
        Ok(Goal { seed, ..Goal::new(self.space(low, high)?, target) }.schedule(self.schedule))
    }

    /// The space as the peers' driver reads it.
    pub fn describe(&self) -> Result<Value> {
        let (low, high) = self.range;
        let parameters: Vec<Value> = self
            .space(low, high)?
            .parameters()
            .iter()
            .map(|p| match &p.domain {
                Domain::Float { low, high, scale, .. } => {
                    json!({"name": &*p.name, "low": low, "high": high, "log": *scale == lehr_search::space::Scale::Log})
                }
                Domain::Int { low, high, scale, .. } => {
                    json!({"name": &*p.name, "low": low, "high": high, "log": *scale == lehr_search::space::Scale::Log, "whole": true})
                }
                Domain::Categorical { choices } | Domain::Ordinal { choices } => {
                    json!({"name": &*p.name, "choices": choices})
                }
            })
            .collect();
        // Starting a program costs more than training it: it is run once and not in growing pieces.
        let pieces = matches!(self.trained, Trained::Lab { .. });
        Ok(
            json!({ "steps": self.target, "low": low, "high": high, "parameters": parameters, "pieces": pieces }),
        )
    }

    /// A configuration out of the whole space.
    pub fn random(&self, number: u64) -> Result<Params> {
        let space = self.space(self.range.0, self.range.1)?;
        let mut stream = Stream::for_trial(500, number);
        let unit: Vec<f64> = (0..space.len()).map(|_| stream.uniform()).collect();
        Ok(space.params(&space.from_unit(&unit)))
    }

    /// Trains one configuration to a horizon.
    pub fn train(&self, params: &Params, steps: u64, seed: u64) -> Result<Curve> {
        self.course(params, steps, seed, None, steps)
    }

    /// The first updates of a run, up to `until`, with a look every so many of them. The rates are those of the whole run.
    pub fn course(
        &self,
        params: &Params,
        steps: u64,
        seed: u64,
        every: Option<u64>,
        until: u64,
    ) -> Result<Curve> {
        let goal = self.goal(0, self.range.0, self.range.1)?;
        // The curve's rates are absolute.
        let curve = goal.curve(params, steps).map_err(message)?.ok_or("no schedule")?;
        match &self.trained {
            Trained::Program(program) => program.run(&curve, seed, every, until),
            Trained::Lab { task, plan } => {
                let momentum = params.float("momentum").map(|momentum| Optimizer::Momentum { momentum });
                let plan = TrainPlan {
                    steps: until.min(steps),
                    evaluate_every: every,
                    optimizer: momentum.unwrap_or(plan.optimizer),
                    weight_decay: params.float("wd").unwrap_or(plan.weight_decay),
                    batch: params.int("batch").map_or(plan.batch, |batch| batch as usize),
                    ..(**plan).clone()
                };
                let curve = if until < steps { beginning(&curve, until)? } else { curve };
                let mut curves = lanes(task, &plan, &[Lane { peak: 1.0, curve }], seed)?;
                curves.pop().ok_or_else(|| "no run came back".into())
            }
        }
    }

    /// Trains many rates of one seed to a horizon; only the ends are looked at.
    pub fn train_rates(&self, rates: &[f64], steps: u64, seed: u64) -> Result<Vec<Curve>> {
        let schedule: Schedule = self.schedule.parse().map_err(message)?;
        match &self.trained {
            Trained::Program(program) => {
                program.rates(&schedule.resolve(&Horizon::steps(steps)).map_err(message)?, rates, seed)
            }
            Trained::Lab { task, plan } => {
                let horizon = Horizon::steps(steps).with_steps_per_epoch(plan.steps_per_epoch(task) as f64);
                let curve = schedule.resolve(&horizon).map_err(message)?;
                let all: Vec<Lane> = rates.iter().map(|&peak| Lane { peak, curve: curve.clone() }).collect();
                lanes(task, &TrainPlan { steps, ..(**plan).clone() }, &all, seed)
            }
        }
    }
}

/// The first rates of a curve, as a curve of its own.
fn beginning(curve: &lehr::schedule::Curve, steps: u64) -> Result<lehr::schedule::Curve> {
    let rates: Vec<String> = (0..steps).map(|t| format!("{:e}", curve.at(t))).collect();
    let table: Schedule = format!("table levels {}", rates.join(" ")).parse().map_err(message)?;
    table.resolve(&Horizon::steps(steps)).map_err(message)
}

fn read_data(data: &str) -> Result<Task> {
    match data {
        "wine" => return Task::wine().map_err(message),
        "letters" => return super::letters::read(),
        _ => {}
    }
    let folder = shared("a9a");
    let train = read_libsvm(folder.join("a9a"), None).map_err(message)?;
    let test = read_libsvm(folder.join("a9a.t"), Some(&train)).map_err(message)?;
    Task::new(train, test).map_err(message)
}

/// A folder of the real data beside the repository.
pub fn shared(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(folder)
}

fn lanes(task: &Task, plan: &TrainPlan, lanes: &[Lane], seed: u64) -> Result<Vec<Curve>> {
    let control = Control { threads: Some(1), ..Control::default() };
    let runs = train_lanes(task, plan, lanes, seed, &control).map_err(message)?;
    let curves = runs.into_iter().map(|run| Curve {
        points: run.history.iter().skip(1).map(|e| (e.step, e.validation_loss)).collect(),
        diverged: match run.outcome {
            Outcome::Diverged { step, .. } => Some(step),
            _ => None,
        },
    });
    Ok(curves.collect())
}
