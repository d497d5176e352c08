//! Freeze-thaw on recorded learning curves of real models, against Optuna's TPE with Hyperband (paired seeds, intervals).
//!
//! Python: light
//!
//! Arguments go to `python/search_curves.py`, which replays the curves; this program records them once
//! (`--record FILE TASK SEED STEPS COUNT`), and serves our method over its standard input and output
//! (`--serve SEED STEPS SPACE COUNT`; the first COUNT lines are the configurations that it may start, 0: any).
#![allow(clippy::unwrap_used)]

#[path = "search/task.rs"]
mod task;

use std::fs::{OpenOptions, read_to_string};
use std::io::{BufRead, Write};
use std::process::{Command, ExitCode};

use lehr_search::sampler::{FreezeThaw, Next, Random};
use lehr_search::{Direction, History, Key, Outcome, Report, Sampler, Space, Stream, Value};
use serde_json::{Map, json};
use task::{Tuning, read};

fn serve(seed: u64, steps: u64, space: Space, count: usize) {
    let mut method = FreezeThaw::new(steps).unwrap();
    let mut history = History::new(space.clone(), Direction::Minimize);
    let mut lines = std::io::stdin().lock().lines().map_while(Result::ok);
    let mut out = std::io::stdout().lock();
    if count > 0 {
        let list = lines.by_ref().take(count).map(|line| read(&space, line.split_whitespace()));
        method = method.among(list.collect()).unwrap();
    }
    for decision in 0.. {
        let next = method.choose(&space, &history, &[], &mut Stream::for_trial(seed, decision)).unwrap();
        let trial = match next {
            Next::Start(params) => {
                let values: Vec<String> = params.iter().map(|(_, v)| v.to_string()).collect();
                writeln!(out, "start {}", values.join(" ")).unwrap();
                out.flush().unwrap();
                let Some(line) = lines.next() else { return };
                history.start(&read(&space, line.split_whitespace())).unwrap()
            }
            Next::Advance(trial) => {
                writeln!(out, "advance {trial}").unwrap();
                out.flush().unwrap();
                trial
            }
        };
        let Some(line) = lines.next() else { return };
        let value: f64 = line.trim().parse().unwrap();
        let step = history.trial(trial).unwrap().reports().last().map_or(0, |r| r.step) + 1;
        history.report(trial, Report { step, value, key: Key::COMPARABLE }).unwrap();
        if step == steps {
            history.finish(trial, Outcome::Complete(value)).unwrap();
        }
    }
}

/// Appends the curves of the random configurations that the file lacks, one JSON object a line.
fn record(path: &str, task: &str, seed: u64, steps: u64, count: usize) {
    let task = Tuning::new(task).unwrap();
    let done = read_to_string(path).map_or(0, |text| text.lines().count());
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let none = History::new(task.space.clone(), Direction::Minimize);
    for i in done..count {
        let mut stream = Stream::for_trial(seed, i as u64);
        let params = Random::default().suggest(&task.space, &none, &mut stream).unwrap();
        let curve = task.train(&params, 1_000_000 * seed + i as u64, steps).unwrap();
        let value = |v: &Value| match v {
            Value::Int(i) => json!(i),
            Value::Float(x) => json!(x),
            other => json!(other.to_string()),
        };
        let config: Map<_, _> = params.iter().map(|(n, v)| (n.to_owned(), value(v))).collect();
        writeln!(file, "{}", json!({ "config": config, "curve": curve })).unwrap();
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [flag, seed, steps, space, count] = &arguments[..]
        && flag == "--serve"
    {
        serve(seed.parse().unwrap(), steps.parse().unwrap(), space.parse().unwrap(), count.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    if let [flag, path, task, seed, steps, count] = &arguments[..]
        && flag == "--record"
    {
        record(path, task, seed.parse().unwrap(), steps.parse().unwrap(), count.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    let (Ok(python), Ok(server)) = (std::env::var("LEHR_VENV_PYTHON"), std::env::current_exe()) else {
        eprintln!("start it with `cargo xtask bench search_curves`, which provides the Python environment");
        return ExitCode::FAILURE;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/python/search_curves.py");
    match Command::new(python).arg(script).arg("--server").arg(server).args(arguments).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
