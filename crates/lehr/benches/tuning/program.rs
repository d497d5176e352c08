//! A character model in PyTorch, trained through the contract with programs as any user's would be.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use lehr::program::{Metric, Outcome, Start, Watch, Wish, run, write_schedule};
use lehr::schedule::Curve as Rates;
use serde_json::Value;

use super::task::{Curve, Result, message, shared};

pub struct Program {
    python: String,
    script: &'static str,
    text: PathBuf,
}

/// Keeps the reports of a run.
#[derive(Default)]
struct Kept(Vec<(u64, f64)>);

impl Watch for Kept {
    fn report(&mut self, step: u64, value: f64) -> Wish {
        self.0.push((step, value));
        Wish::Go
    }
}

impl Program {
    pub fn new() -> Result<Self> {
        let python = std::env::var("LEHR_VENV_PYTHON").map_err(|_| {
            "the character model needs a Python with torch: start with `cargo xtask bench tuning`".to_owned()
        })?;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/python/characters.py");
        Ok(Self { python, script, text: shared("text/tinyshakespeare.txt") })
    }

    fn words(&self, steps: u64, schedule: &std::path::Path, seed: u64) -> Vec<String> {
        let (steps, seed) = (steps.to_string(), seed.to_string());
        let (text, schedule) = (self.text.to_string_lossy(), schedule.to_string_lossy());
        let words =
            [self.script, "--text", &text, "--steps", &steps, "--schedule", &schedule, "--seed", &seed];
        words.map(str::to_owned).to_vec()
    }

    /// The first updates of a run of the program, up to `until`.
    pub fn run(&self, rates: &Rates, seed: u64, every: Option<u64>, until: u64) -> Result<Curve> {
        let folder = tempfile::tempdir().map_err(message)?;
        let schedule = folder.path().join("schedule.csv");
        write_schedule(rates, &schedule).map_err(message)?;
        let mut words = vec![self.python.clone()];
        words.extend(self.words(until.min(rates.steps()), &schedule, seed));
        words.extend(["--every".to_owned(), every.unwrap_or(rates.steps()).to_string()]);
        let start = Start {
            words,
            environment: BTreeMap::from([("OMP_NUM_THREADS".to_owned(), "1".into())]),
            folder: None,
            log: folder.path().join("log.txt"),
            report: folder.path().join("report.jsonl"),
            source: None,
            after: None,
            timeout: None,
            grace: Duration::from_secs(5),
        };
        let mut kept = Kept::default();
        let ended = run(&start, &Metric::new("val_loss", true), &mut kept).map_err(message)?;
        match ended.outcome {
            Outcome::Complete(_) => Ok(Curve { points: kept.0, diverged: None }),
            Outcome::Diverged { step, .. } => Ok(Curve { points: kept.0, diverged: Some(step) }),
            _ => Err(format!("the character model broke: {:?}\n{}", ended.reason(), ended.tail.join("\n"))),
        }
    }

    /// Many rates of one seed, side by side in one process; only for the truth.
    pub fn rates(&self, relative: &Rates, rates: &[f64], seed: u64) -> Result<Vec<Curve>> {
        let folder = tempfile::tempdir().map_err(message)?;
        let schedule = folder.path().join("schedule.csv");
        write_schedule(relative, &schedule).map_err(message)?;
        let peaks: Vec<String> = rates.iter().map(|rate| format!("{rate:e}")).collect();
        let mut command = Command::new(&self.python);
        command.args(self.words(relative.steps(), &schedule, seed)).arg("--peaks").arg(peaks.join(","));
        let output = command.env("OMP_NUM_THREADS", "1").output().map_err(message)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line: Value =
            text.lines().last().and_then(|line| serde_json::from_str(line).ok()).ok_or_else(|| {
                format!("the character model says nothing: {}", String::from_utf8_lossy(&output.stderr))
            })?;
        let ends = line["ends"].as_array().filter(|ends| ends.len() == rates.len()).ok_or("no ends")?;
        let curve = |end: &Value| match end.as_f64() {
            Some(loss) => Curve { points: vec![(relative.steps(), loss)], diverged: None },
            None => Curve { points: Vec::new(), diverged: Some(relative.steps()) },
        };
        Ok(ends.iter().map(curve).collect())
    }
}
