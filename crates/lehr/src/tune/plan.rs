//! What a tuning run trains.

use lehr_lab::{Features, Lane, Model, Optimizer, Task, TrainPlan};
use lehr_schedule::{Horizon, Schedule};
use lehr_search::sampler::{Random, log_grid};
use lehr_search::{Direction, History, Parameter, Sampler as _, Space, Stream};
use serde_json::{Value, json};

use super::{RateRange, TuneError};

/// How the peak rates are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// The same rates for every schedule, evenly spaced on a log scale, both ends included.
    Grid,
    /// `points × schedules` trials: each draws its schedule, and its rate evenly on a log scale.
    Random,
}

/// A sweep of peak rates × schedules × seeds on a built-in model.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The data.
    pub task: Task,
    /// The model.
    pub model: Model,
    /// The optimiser.
    pub optimizer: Optimizer,
    /// The schedules; at least one, none twice.
    pub schedules: Vec<Schedule>,
    /// The range of peak rates.
    pub rates: RateRange,
    /// How the rates are chosen in it.
    pub search: Search,
    /// Rates per schedule (random search: on average).
    pub points: usize,
    /// Runs per trial. Run `k` has the seed `seed + k`.
    pub seeds: usize,
    /// Updates per run.
    pub steps: u64,
    /// Examples per update.
    pub batch: usize,
    /// Weight decay.
    pub weight_decay: f64,
    /// Seed of the random search and of the first run of each trial.
    pub seed: u64,
}

/// A configuration to be run.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Number of the trial.
    pub number: usize,
    /// The schedule's spec.
    pub schedule: String,
    /// Peak rate.
    pub rate: f64,
    /// The same, resolved.
    pub lane: Lane,
}

impl Plan {
    /// What the lab needs to know of the plan.
    pub(super) fn training(&self) -> TrainPlan {
        TrainPlan {
            optimizer: self.optimizer,
            batch: self.batch,
            weight_decay: self.weight_decay,
            ..TrainPlan::new(self.model.clone(), self.steps)
        }
    }

    /// Length of each run, in updates and in epochs.
    pub fn horizon(&self) -> Horizon {
        let per_epoch = self.training().steps_per_epoch(&self.task);
        Horizon::steps(self.steps).with_steps_per_epoch(per_epoch as f64)
    }

    /// The seeds of each trial's runs.
    pub(super) fn run_seeds(&self) -> Vec<u64> {
        (0..self.seeds as u64).map(|k| self.seed.wrapping_add(k)).collect()
    }

    /// The trials, in their order. The same plan always gives the same ones.
    pub(super) fn candidates(&self) -> Result<Vec<Candidate>, TuneError> {
        let specs: Vec<String> = self.schedules.iter().map(Schedule::to_string).collect();
        self.check(&specs)?;
        let pairs = match self.search {
            Search::Grid => {
                let rates = log_grid(self.rates.low(), self.rates.high(), self.points)?;
                (0..specs.len()).flat_map(|i| rates.iter().map(move |&rate| (i, rate))).collect()
            }
            Search::Random => self.draw(&specs)?,
        };
        let horizon = self.horizon();
        let candidate = |(number, (i, rate)): (usize, (usize, f64))| {
            let resolved = self.schedules[i].resolve_with_peak(&horizon, rate);
            let curve = resolved.map_err(|error| TuneError::Schedule {
                schedule: specs[i].clone(),
                problem: error.to_string(),
            })?;
            // The curve's rates are absolute.
            let lane = Lane { peak: 1.0, curve };
            Ok(Candidate { number, schedule: specs[i].clone(), rate, lane })
        };
        pairs.into_iter().enumerate().map(candidate).collect()
    }

    fn draw(&self, specs: &[String]) -> Result<Vec<(usize, f64)>, TuneError> {
        let space = Space::new()
            .with(Parameter::categorical("schedule", specs.iter().map(String::as_str)))?
            .with(Parameter::log_float("lr", self.rates.low(), self.rates.high()))?;
        // Random search looks at no history.
        let history = History::new(space.clone(), Direction::Minimize);
        let draw = |number| {
            let mut stream = Stream::for_trial(self.seed, number as u64);
            let params = Random::default().suggest(&space, &history, &mut stream)?;
            let schedule =
                params.text("schedule").and_then(|text| specs.iter().position(|spec| spec == text));
            // Both parameters are always there.
            Ok((schedule.unwrap_or(0), params.float("lr").unwrap_or(self.rates.low())))
        };
        (0..self.points.saturating_mul(specs.len())).map(draw).collect()
    }

    fn check(&self, specs: &[String]) -> Result<(), TuneError> {
        let wrong = |problem: &str| Err(TuneError::Plan(problem.to_owned()));
        if specs.is_empty() {
            return wrong("no schedule is given: name at least one, for example 'cosine'");
        }
        if let Some(i) = (1..specs.len()).find(|&i| specs[..i].contains(&specs[i])) {
            return Err(TuneError::Plan(format!("the schedule '{}' is given twice", specs[i])));
        }
        if let Some(schedule) = self.schedules.iter().find(|schedule| !schedule.with.is_empty()) {
            let problem = "the built-in models take the rate alone: leave out what stands behind `with`";
            return Err(TuneError::Schedule { schedule: schedule.to_string(), problem: problem.to_owned() });
        }
        match () {
            () if self.points == 0 => wrong("points: at least one rate per schedule is needed"),
            () if self.seeds == 0 => wrong("seeds: at least one run per trial is needed"),
            () if self.points.saturating_mul(specs.len()).saturating_mul(self.seeds) > MAX_RUNS => {
                Err(TuneError::Plan(format!("points × schedules × seeds is more than {MAX_RUNS} runs")))
            }
            () => Ok(()),
        }
    }

    /// The plan as data: what is run, on what. Two plans that train the same have the same description.
    pub fn describe(&self) -> Value {
        let data = |data: &lehr_lab::Dataset| {
            json!({
                "name": data.name(),
                "rows": data.rows(),
                "features": data.features().columns(),
                "checksum": format!("{:016x}", checksum(data)),
            })
        };
        json!({
            "schema": "lehr.tune.plan/1",
            "lehr": env!("CARGO_PKG_VERSION"),
            "train": data(self.task.train()),
            "validation": data(self.task.validation()),
            "classes": self.task.train().classes().len(),
            "model": self.model.to_string(),
            "optimizer": self.optimizer.to_string(),
            "schedules": self.schedules.iter().map(Schedule::to_string).collect::<Vec<_>>(),
            "lr": self.rates,
            "search": match self.search { Search::Grid => "grid", Search::Random => "random" },
            "points": self.points,
            "seeds": self.run_seeds(),
            "steps": self.steps,
            "batch": self.batch,
            "weight_decay": self.weight_decay,
            "seed": self.seed,
        })
    }
}

/// More runs than this in one plan are a mistake.
const MAX_RUNS: usize = 10_000_000;

/// FNV-1a over classes and features, to tell a changed file of the same size.
fn checksum(data: &lehr_lab::Dataset) -> u64 {
    let (values, places): (&[f32], &[u32]) = match data.features() {
        Features::Dense { values, .. } => (values, &[]),
        Features::Sparse { values, indices, .. } => (values, indices),
    };
    let words = data.labels().iter().chain(places).copied().chain(values.iter().map(|value| value.to_bits()));
    words.fold(0xcbf2_9ce4_8422_2325, |hash, word| (hash ^ u64::from(word)).wrapping_mul(0x0100_0000_01b3))
}
