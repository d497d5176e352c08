//! The live tasks: what is trained, and the truth about them.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Mutex;

use lehr::lab::data::read_libsvm;
use lehr::lab::{Control, Lane, Model, Outcome, Task, TrainPlan, train_lanes};
use lehr::schedule::{Horizon, Schedule};

type Result<T> = std::result::Result<T, String>;

/// A training problem.
pub struct Bench {
    pub name: String,
    pub task: Task,
    pub plan: TrainPlan,
    /// The rates on which the truth is known.
    pub range: (f64, f64),
}

type Row = (&'static str, &'static str, &'static str, &'static str, usize, u64, (f64, f64));

/// Names of the tasks, their data, models, optimisers, batches, horizons, ranges of rates.
const TASKS: [Row; 7] = [
    ("a9a-sgd", "a9a", "logistic", "sgd", 16, 2000, (0.001, 100.0)),
    ("a9a-momentum", "a9a", "mlp:16", "momentum", 16, 1600, (0.0001, 10.0)),
    ("a9a-adamw", "a9a", "mlp:16", "adamw", 16, 1600, (1e-05, 1.0)),
    ("wine-softmax", "wine", "softmax", "momentum", 8, 2000, (0.0001, 10.0)),
    ("wine-softmax-adamw", "wine", "softmax", "adamw", 8, 2000, (0.00001, 10.0)),
    ("wine-mlp-momentum", "wine", "mlp:16", "momentum", 8, 2000, (0.0001, 10.0)),
    ("wine-mlp-adamw", "wine", "mlp:16", "adamw", 8, 2000, (0.00001, 10.0)),
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
        let &(name, data, model, optimizer, batch, steps, range) =
            TASKS.iter().find(|t| t.0 == name).ok_or(format!("no task '{name}'"))?;
        let task = match data {
            "wine" => Task::wine().map_err(|e| e.to_string())?,
            _ => {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/a9a");
                let train = read_libsvm(folder.join("a9a"), None).map_err(|e| e.to_string())?;
                let test = read_libsvm(folder.join("a9a.t"), Some(&train)).map_err(|e| e.to_string())?;
                Task::new(train, test).map_err(|e| e.to_string())?
            }
        };
        let model: Model = model.parse().map_err(|e| format!("{e}"))?;
        let optimizer = optimizer.parse().map_err(|e| format!("{e}"))?;
        let weight_decay = if name.ends_with("adamw") { 0.01 } else { 0.0 };
        let plan = TrainPlan { optimizer, batch, weight_decay, ..TrainPlan::new(model, steps) };
        Ok(Self { name: name.to_owned(), task, plan, range })
    }

    /// Trains lanes of one seed to a horizon.
    pub fn train(
        &self,
        spec: &str,
        rates: &[f64],
        steps: u64,
        seed: u64,
        every: Option<u64>,
    ) -> Result<Vec<Curve>> {
        let plan = TrainPlan { steps, evaluate_every: every, ..self.plan.clone() };
        let horizon = Horizon::steps(steps).with_steps_per_epoch(plan.steps_per_epoch(&self.task) as f64);
        let schedule: Schedule = spec.parse().map_err(|e| format!("{e}"))?;
        let curve = schedule.resolve(&horizon).map_err(|e| format!("{e}"))?;
        let lanes: Vec<Lane> = rates.iter().map(|&peak| Lane { peak, curve: curve.clone() }).collect();
        let control = Control { threads: Some(1), ..Control::default() };
        let runs = train_lanes(&self.task, &plan, &lanes, seed, &control).map_err(|e| e.to_string())?;
        Ok(runs
            .into_iter()
            .map(|run| Curve {
                points: run.history.iter().skip(1).map(|e| (e.step, e.validation_loss)).collect(),
                diverged: match run.outcome {
                    Outcome::Diverged { step, .. } => Some(step),
                    _ => None,
                },
            })
            .collect())
    }
}

/// Single runs, kept in a file, so that an interrupted benchmark goes on and methods share what they have in common.
pub struct Cache {
    known: Mutex<HashMap<String, Curve>>,
    file: Mutex<File>,
}

impl Cache {
    pub fn open(path: &Path) -> Result<Self> {
        let mut known = HashMap::new();
        if let Ok(file) = File::open(path) {
            for line in BufReader::new(file).lines().map_while(std::result::Result::ok) {
                // A line that a crash has torn is trained again.
                let Some((key, curve)) = line.split_once('\t').and_then(|(k, c)| Some((k, read(c)?))) else {
                    continue;
                };
                known.insert(key.to_owned(), curve);
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        Ok(Self { known: Mutex::new(known), file: Mutex::new(file) })
    }

    /// One run, from the cache or trained now.
    pub fn run(
        &self,
        bench: &Bench,
        spec: &str,
        rate: f64,
        steps: u64,
        seed: u64,
        every: Option<u64>,
    ) -> Result<Curve> {
        let key = format!("{} {spec} {rate:?} {steps} {seed} {every:?}", bench.name);
        if let Some(curve) = self.known.lock().map_err(|e| e.to_string())?.get(&key) {
            return Ok(curve.clone());
        }
        let curve = bench.train(spec, &[rate], steps, seed, every)?.remove(0);
        let line = format!("{key}\t{}\n", write(&curve));
        self.file.lock().map_err(|e| e.to_string())?.write_all(line.as_bytes()).map_err(|e| e.to_string())?;
        self.known.lock().map_err(|e| e.to_string())?.insert(key, curve.clone());
        Ok(curve)
    }
}

fn write(curve: &Curve) -> String {
    let points: Vec<String> = curve.points.iter().map(|(s, v)| format!("{s}:{v:?}")).collect();
    format!("{} {}", curve.diverged.map_or(-1, |s| s as i64), points.join(" "))
}

fn read(text: &str) -> Option<Curve> {
    let mut words = text.split_whitespace();
    let diverged: i64 = words.next()?.parse().ok()?;
    let point = |w: &str| w.split_once(':').and_then(|(s, v)| Some((s.parse().ok()?, v.parse().ok()?)));
    Some(Curve { points: words.map(point).collect::<Option<_>>()?, diverged: u64::try_from(diverged).ok() })
}

/// The mean loss at the target on a fine grid of rates, over fresh seeds.
pub struct Truth {
    pub rates: Vec<f64>,
    /// Mean over seeds; infinite where a seed diverged.
    pub losses: Vec<f64>,
    /// Index of the best rate, from a parabola through the neighbours.
    pub best: usize,
    pub best_rate: f64,
    /// Standard deviation between seeds at the best rate.
    pub noise: f64,
}

/// Points per octave of the fine grid.
pub const PER_OCTAVE: usize = 8;
/// Seeds of the truth; those of the searches are far from them.
const TRUTH_SEEDS: u64 = 1_000_000;

impl Truth {
    /// The truth, from `folder` if it has been there before.
    pub fn cached(bench: &Bench, spec: &str, seeds: u64, folder: &Path) -> Result<Self> {
        let (steps, (low, high)) = (bench.plan.steps, bench.range);
        let path =
            folder.join(format!("truth-{}-{}-{seeds}.txt", bench.name, spec.replace([' ', ',', '%'], "")));
        let numbers = |line: Option<&str>| -> Option<Vec<f64>> {
            line?.split(' ').map(|word| word.parse().ok()).collect()
        };
        if let Ok(text) = std::fs::read_to_string(&path) {
            let mut lines = text.lines();
            let read = (numbers(lines.next()), numbers(lines.next()), numbers(lines.next()));
            if let (Some(rates), Some(losses), Some(rest)) = read
                && let [best, noise] = rest[..]
            {
                let best = best as usize;
                return Ok(Self { best_rate: rates[best], rates, losses, best, noise });
            }
        }
        let truth = Self::of(bench, spec, low, high, seeds, steps)?;
        let line = |of: &[f64]| of.iter().map(|x| format!("{x:?}")).collect::<Vec<_>>().join(" ");
        let rest = [truth.best as f64, truth.noise];
        let text = format!("{}\n{}\n{}\n", line(&truth.rates), line(&truth.losses), line(&rest));
        std::fs::write(&path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        Ok(truth)
    }

    fn of(bench: &Bench, spec: &str, low: f64, high: f64, seeds: u64, steps: u64) -> Result<Self> {
        let count = ((high / low).log2() * PER_OCTAVE as f64).ceil() as usize;
        let rates: Vec<f64> = (0..=count).map(|i| low * 2f64.powf(i as f64 / PER_OCTAVE as f64)).collect();
        let mut all = vec![Vec::new(); rates.len()];
        for seed in 0..seeds {
            let curves = bench.train(spec, &rates, steps, TRUTH_SEEDS + seed, None)?;
            curves.iter().zip(&mut all).for_each(|(curve, of)| of.push(curve.end()));
        }
        let mean = |of: &Vec<f64>| of.iter().sum::<f64>() / of.len() as f64;
        let losses: Vec<f64> =
            all.iter().map(mean).map(|l| if l.is_nan() { f64::INFINITY } else { l }).collect();
        // A running mean over half an octave: the minimum of noisy neighbours is biased.
        let smooth = |i: usize| {
            let near = i.saturating_sub(2)..(i + 3).min(losses.len());
            losses[near.clone()].iter().sum::<f64>() / near.len() as f64
        };
        let best = (0..losses.len()).min_by(|&a, &b| smooth(a).total_cmp(&smooth(b))).unwrap_or(0);
        let center = mean(&all[best]);
        let squares: f64 = all[best].iter().map(|l| (l - center).powi(2)).sum();
        let noise = (squares / (seeds as f64 - 1.0).max(1.0)).sqrt();
        let smoothed = (0..losses.len()).map(smooth).collect::<Vec<_>>();
        Ok(Self { best_rate: rates[best], rates, losses: smoothed, best, noise })
    }

    /// The loss at a rate, between those of the grid on a line.
    pub fn loss(&self, rate: f64) -> f64 {
        let at =
            ((rate / self.rates[0]).log2() * PER_OCTAVE as f64).clamp(0.0, (self.rates.len() - 1) as f64);
        let (i, j) = (at.floor() as usize, at.ceil() as usize);
        self.losses[i] + if i == j { 0.0 } else { (at - at.floor()) * (self.losses[j] - self.losses[i]) }
    }

    /// By how much the loss at a rate is above the lowest one.
    pub fn regret(&self, rate: f64) -> f64 {
        self.loss(rate) - self.losses.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The regret of a miss by so many octaves, on the side where it costs less.
    pub fn miss(&self, octaves: f64) -> f64 {
        let by = (octaves * PER_OCTAVE as f64) as usize;
        let low = self.best.checked_sub(by).map(|i| self.losses[i]);
        let high = self.losses.get(self.best + by).copied();
        let side = low.into_iter().chain(high).fold(f64::INFINITY, f64::min);
        (side - self.losses[self.best]).max(0.0)
    }
}
