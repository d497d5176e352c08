//! Trains and searches for the driver: a JSON object a line, an answer a line.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use lehr::strategy::{RunState, by_name};
use lehr_search::Params;
use serde_json::{Value, json};

use super::cache::Cache;
use super::search::search;
use super::task::{Bench, Result, message};
use super::truth::{FRESH, Truth, configurations, expected};

struct Server {
    folder: PathBuf,
    tasks: HashMap<String, Known>,
}

/// A task with what is known of it.
struct Known {
    bench: Bench,
    cache: Cache,
    truth: Option<Truth>,
}

impl Server {
    fn open(&mut self, name: &str) -> Result<&mut Known> {
        if !self.tasks.contains_key(name) {
            let bench = Bench::new(name)?;
            let cache = Cache::open(&bench, &self.folder)?;
            self.tasks.insert(name.to_owned(), Known { bench, cache, truth: None });
        }
        self.tasks.get_mut(name).ok_or_else(|| "no such task".into())
    }

    fn answer(&mut self, line: &str) -> Result<Value> {
        let asked: Value = serde_json::from_str(line).map_err(message)?;
        let number = |name: &str| asked[name].as_f64().ok_or(format!("no number '{name}' in {line}"));
        let whole = |name: &str| asked[name].as_u64().ok_or(format!("no number '{name}' in {line}"));
        let params = || Params::deserialize(&asked["params"]);
        if asked["do"] == "replay" {
            return super::replay::replay(&asked);
        }
        let folder = self.folder.clone();
        let known = self.open(asked["task"].as_str().unwrap_or_default())?;
        match asked["do"].as_str() {
            Some("describe") => known.bench.describe(),
            Some("truth") => known.truth(&folder),
            Some("loss") => known.loss(&params()?, &folder),
            Some("train") => {
                let every = Some(whole("every")?).filter(|e| *e > 0);
                let Known { bench, cache, .. } = known;
                let curve = cache.course(
                    bench,
                    (&params()?, whole("steps")?, whole("seed")?),
                    every,
                    whole("until")?,
                )?;
                Ok(json!({ "points": curve.points, "diverged": curve.diverged }))
            }
            Some("ours") => {
                let strategy = asked["strategy"].as_str().unwrap_or_default();
                known.ours(strategy, whole("seed")?, number("low")?, number("high")?, number("budget")?)
            }
            _ => Err(format!("cannot do {line}")),
        }
    }
}

/// Reads parameters.
trait Read: Sized {
    fn deserialize(value: &Value) -> Result<Self>;
}

impl Read for Params {
    fn deserialize(value: &Value) -> Result<Self> {
        serde_json::from_value(value.clone()).map_err(message)
    }
}

impl Known {
    fn grid(&mut self, folder: &Path) -> Result<&Truth> {
        if self.truth.is_none() {
            self.truth = Some(Truth::cached(&self.bench, folder)?);
        }
        self.truth.as_ref().ok_or_else(|| "no truth".into())
    }

    /// The losses that are the marks, the lowest one, the noise of a run.
    fn truth(&mut self, folder: &Path) -> Result<Value> {
        if self.bench.rate_alone() {
            let truth = self.grid(folder)?;
            let lowest = truth.lowest();
            return Ok(json!({
                "lowest": lowest, "noise": truth.noise, "best": truth.best_rate,
                "marks": [["octave", lowest + truth.miss(1.0)], ["half", lowest + truth.miss(0.5)]],
            }));
        }
        let (losses, noise) = configurations(&self.bench, folder)?;
        let best = |share: f64| losses[(share * losses.len() as f64) as usize - 1];
        Ok(json!({
            "lowest": losses[0], "noise": noise,
            "marks": [["best 5 %", best(0.05)], ["best 1 %", best(0.01)]],
        }))
    }

    /// The true expected loss of a recommendation.
    fn loss(&mut self, params: &Params, folder: &Path) -> Result<Value> {
        let loss = if self.bench.rate_alone() {
            let rate = params.float("lr").ok_or("no rate")?;
            self.grid(folder)?.loss(rate)
        } else {
            expected(&self.bench, params)?.0
        };
        Ok(json!({ "loss": if loss.is_finite() { json!(loss) } else { Value::Null }, "seeds": FRESH }))
    }

    fn ours(&mut self, strategy: &str, seed: u64, low: f64, high: f64, budget: f64) -> Result<Value> {
        let Self { bench, cache, .. } = self;
        let goal = bench.goal(seed, low, high)?.budget(budget);
        let strategy = by_name(strategy, None).map_err(message)?;
        let found = search(&*strategy, &goal, true, |params, plan| {
            let curve = cache.course(bench, (params, plan.horizon, plan.seed), None, plan.horizon)?;
            Ok(curve.diverged.map_or(RunState::Complete(curve.end()), |at| RunState::Diverged { at }))
        })?;
        let range = |of: Option<lehr::strategy::Range>| of.map(|i| [i.low, i.high]);
        Ok(json!({
            "events": found.events, "own": found.own, "stopped": found.stopped, "slowest_ms": found.slowest_ms,
            "rate": range(found.rate), "loss": range(found.loss), "noise": found.noise,
        }))
    }
}

/// Answers until the input ends.
pub fn serve(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let mut server = Server { folder: folder.to_owned(), tasks: HashMap::new() };
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = server.answer(&line.map_err(message)?)?;
        writeln!(out, "{answer}").and_then(|()| out.flush()).map_err(message)?;
    }
    Ok(())
}
