//! Updates spent until the recommended rate is good, against Optuna and what practitioners do by hand, on live tasks.
//!
//! Python: full
//!
//! Arguments go to `python/tuning.py`, which drives the peers; this program trains for it and runs our strategies over its
//! standard input and output (`--serve FOLDER`). `--lab FOLDER REPEATS BUDGET TASK...` searches on tabulated runs instead,
//! without peers: a laboratory for changes of the strategy.

#[path = "tuning/lab.rs"]
mod lab;
#[path = "tuning/surface.rs"]
mod surface;
#[path = "tuning/task.rs"]
mod task;

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use lehr::schedule::Horizon;
use lehr::strategy::{Goal, Next, Record, RunState, Strategy, by_name};
use serde_json::{Value, json};
use task::{Bench, Cache, Truth};

type Result<T> = std::result::Result<T, String>;

/// Seeds of the truth.
const TRUTH_SEEDS: u64 = 24;
/// The schedule of all runs.
const SCHEDULE: &str = "linear";
/// A search of ours that is not over by then is given up.
const MOST_RUNS: usize = 120;

struct Server {
    folder: PathBuf,
    tasks: HashMap<String, (Bench, Cache)>,
}

impl Server {
    fn open(&mut self, name: &str) -> Result<&(Bench, Cache)> {
        if !self.tasks.contains_key(name) {
            let cache = Cache::open(&self.folder.join(format!("runs-{name}.tsv")))?;
            self.tasks.insert(name.to_owned(), (Bench::new(name)?, cache));
        }
        self.tasks.get(name).ok_or_else(|| "no such task".into())
    }

    /// `truth TASK`, `train TASK LR STEPS SEED EVERY`, `ours TASK STRATEGY SEED LOW HIGH`.
    fn answer(&mut self, line: &str) -> Result<Value> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |i: usize| -> Result<f64> {
            words.get(i).and_then(|w| w.parse().ok()).ok_or(format!("'{line}': no number at {i}"))
        };
        let name = words.get(1).copied().unwrap_or_default();
        match words.first().copied() {
            Some("truth") => {
                let folder = self.folder.clone();
                let (bench, _) = self.open(name)?;
                let truth = Truth::cached(bench, SCHEDULE, TRUTH_SEEDS, &folder)?;
                let finite = |l: &f64| if l.is_finite() { json!(l) } else { Value::Null };
                Ok(json!({
                    "steps": bench.plan.steps, "rates": truth.rates, "best": truth.best_rate, "noise": truth.noise,
                    "losses": truth.losses.iter().map(finite).collect::<Vec<_>>(),
                    "octave": truth.miss(1.0), "half": truth.miss(0.5),
                }))
            }
            Some("train") => {
                let (rate, steps, seed) = (number(2)?, number(3)? as u64, number(4)? as u64);
                let every = Some(number(5)? as u64).filter(|e| *e > 0);
                let (bench, cache) = self.open(name)?;
                let curve = cache.run(bench, SCHEDULE, rate, steps, seed, every)?;
                Ok(json!({ "points": curve.points, "diverged": curve.diverged }))
            }
            Some("ours") => {
                let strategy = words.get(2).copied().unwrap_or_default();
                let (seed, low, high) = (number(3)? as u64, number(4)?, number(5)?);
                let (bench, cache) = self.open(name)?;
                search(bench, cache, strategy, seed, low, high)
            }
            _ => Err(format!("cannot do '{line}'")),
        }
    }
}

/// One search, with what it would have recommended after each run.
fn search(bench: &Bench, cache: &Cache, strategy: &str, seed: u64, low: f64, high: f64) -> Result<Value> {
    let space = format!("lr=log {low:e}..{high:e}").parse().map_err(|e| format!("{e}"))?;
    let goal = Goal { seed, ..Goal::new(space, Horizon::steps(bench.plan.steps)) }.schedule(SCHEDULE);
    let strategy = by_name(strategy, None).map_err(|e| e.to_string())?;
    let mut record = Record::default();
    let (mut events, mut slowest) = (Vec::new(), 0.0f64);
    let mut stopped = String::new();
    while record.runs.len() < MOST_RUNS {
        let before = Instant::now();
        let next = strategy.next(&goal, &record).map_err(|e| e.to_string())?;
        slowest = slowest.max(before.elapsed().as_secs_f64());
        let plan = match next {
            Next::Run(plan) => plan,
            Next::Stop { reason } => {
                stopped = reason;
                break;
            }
            Next::Wait => return Err("it waits for nothing".into()),
        };
        let run = record.start(&plan);
        let rate = record.params[record.runs[run].trial].float("lr").unwrap_or(f64::NAN);
        let curve = cache.run(bench, SCHEDULE, rate, plan.horizon, plan.seed, None)?;
        let end = curve.diverged.map_or(RunState::Complete(curve.end()), |at| RunState::Diverged { at });
        record.finish(run, end);
        let found = strategy.result(&goal, &record).map_err(|e| e.to_string())?;
        events.push(json!([found.spent.full_runs, found.rate.map(|rate| rate.value)]));
    }
    let found = strategy.result(&goal, &record).map_err(|e| e.to_string())?;
    let range = |of: Option<lehr::strategy::Estimate>| of.and_then(|e| e.interval).map(|i| [i.low, i.high]);
    Ok(json!({
        "events": events, "stopped": stopped, "runs": record.runs.len(), "slowest_ms": 1000.0 * slowest,
        "rate": range(found.rate), "loss": range(found.loss), "noise": found.noise,
    }))
}

fn serve(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let mut server = Server { folder: folder.to_owned(), tasks: HashMap::new() };
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = server.answer(&line.map_err(|e| e.to_string())?)?;
        writeln!(out, "{answer}").and_then(|()| out.flush()).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let done = match &arguments[..] {
        [word, folder] if word == "--serve" => Some(serve(Path::new(folder))),
        [word, folder, rest @ ..] if word == "--lab" => Some(lab::run(Path::new(folder), rest)),
        _ => None,
    };
    match done {
        Some(Ok(())) => return ExitCode::SUCCESS,
        Some(Err(message)) => {
            eprintln!("{message}");
            return ExitCode::FAILURE;
        }
        None => {}
    }
    let (Ok(python), Ok(server)) = (std::env::var("LEHR_VENV_PYTHON"), std::env::current_exe()) else {
        eprintln!("start it with `cargo xtask bench tuning`, which provides the Python environment");
        return ExitCode::FAILURE;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/python/tuning.py");
    match Command::new(python).arg(script).arg("--server").arg(server).args(arguments).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
