//! Time of one suggestion (ask, 10 real parameters, tell) by size of the history, against Optuna and rustuna; memory.
//!
//! Python: full
//!
//! `--samplers tpe,gp` and `--sizes 1000,5000` narrow it, `--no-peers` leaves the peers out.
#![allow(clippy::unwrap_used)]
use std::process::{Command, ExitCode, Stdio};

use cpu_time::ProcessTime;
use lehr_search::sampler::{CmaEs, GaussianProcess, Random, Sobol, Tpe};
use lehr_search::{Direction, History, Key, Outcome, Params, Report, Sampler, Space, Stream};

const PARAMETERS: usize = 10;
/// Trials timed at each size; the mean of their processor time is printed, so that rare slow ones count.
const TIMED: u32 = 100;

fn objective(params: &Params) -> f64 {
    params.iter().enumerate().map(|(i, (_, v))| (v.as_f64().unwrap_or(0.0) - 0.1 * i as f64).powi(2)).sum()
}

/// A history of `n` finished trials from random search, `reports` each.
fn filled(space: &Space, n: usize, reports: u64) -> History {
    let mut history = History::new(space.clone(), Direction::Minimize);
    for t in 0..n {
        let params = Random::default().suggest(space, &history, &mut Stream::for_trial(1, t as u64)).unwrap();
        let value = objective(&params);
        let trial = history.start(&params).unwrap();
        for step in 0..reports {
            history.report(trial, Report { step, value: value + 1.0, key: Key::COMPARABLE }).unwrap();
        }
        history.finish(trial, Outcome::Complete(value)).unwrap();
    }
    history
}

/// Milliseconds of processor time of one ask and tell, on average.
fn time(sampler: &dyn Sampler, space: &Space, history: &mut History) -> f64 {
    let start = ProcessTime::now();
    for _ in 0..TIMED {
        let mut stream = Stream::for_trial(0, history.len() as u64);
        let params = sampler.suggest(space, history, &mut stream).unwrap();
        let trial = history.start(&params).unwrap();
        let value = objective(&params);
        history.finish(trial, Outcome::Complete(value)).unwrap();
    }
    start.elapsed().as_secs_f64() * 1e3 / f64::from(TIMED)
}

/// Peak memory of this process in MB, where the system tells it.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok()? / 1e3)
}

fn list(arguments: &[String], flag: &str, default: &str) -> Vec<String> {
    let given = arguments.iter().position(|a| a == flag).and_then(|i| arguments.get(i + 1));
    given.map_or(default, |v| v).split(',').map(str::to_owned).collect()
}

/// Milliseconds of the peers at a size: lines `name milliseconds` from the Python script.
fn peers(sampler: &str, n: usize) -> Vec<(String, f64)> {
    let Ok(python) = std::env::var("LEHR_VENV_PYTHON") else { return Vec::new() };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/python/search_speed.py");
    let output =
        Command::new(python).args([script, sampler, &n.to_string()]).stderr(Stdio::inherit()).output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    text.lines()
        .filter_map(|l| l.split_once(' '))
        .filter_map(|(n, t)| Some((n.to_owned(), t.parse().ok()?)))
        .collect()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let with_peers = !arguments.iter().any(|a| a == "--no-peers");
    if with_peers && std::env::var_os("LEHR_VENV_PYTHON").is_none() {
        eprintln!(
            "no Python environment: start it with `cargo xtask bench search_speed`, or give --no-peers"
        );
        return ExitCode::FAILURE;
    }
    let space = (0..PARAMETERS).fold(Space::new(), |s, i| {
        s.with(lehr_search::Parameter::float(&format!("x{i}"), -5.0, 5.0)).unwrap()
    });
    for name in list(&arguments, "--samplers", "random,sobol,tpe,cmaes,gp") {
        let (sampler, sizes): (Box<dyn Sampler>, &str) = match name.as_str() {
            "random" => (Box::new(Random::default()), "1000"),
            "sobol" => (Box::new(Sobol::default()), "1000"),
            "cmaes" => (Box::new(CmaEs::default()), "100,1000,5000"),
            "gp" => (Box::new(GaussianProcess::default()), "100,300"),
            "tpe" => (Box::new(Tpe::default()), "100,1000,5000,100000"),
            other => {
                eprintln!("no sampler '{other}'");
                return ExitCode::FAILURE;
            }
        };
        for size in list(&arguments, "--sizes", sizes) {
            let Ok(n) = size.parse::<usize>() else { return ExitCode::FAILURE };
            let mut history = filled(&space, n, 0);
            let ours = time(&*sampler, &space, &mut history);
            print!("{name:<8} n = {n:<7} {ours:.4} ms");
            if with_peers && n <= 5000 {
                for (peer, ms) in peers(&name, n) {
                    print!("   {peer} {ms:.3} ms ({:.0}×)", ms / ours);
                }
            }
            println!();
        }
    }
    let before = peak_memory();
    let history = filled(&space, 100_000, 10);
    if let (Some(before), Some(after)) = (before, peak_memory()) {
        println!(
            "memory   n = {} with 10 reports each: {:.0} MB (process before: {before:.0} MB)",
            history.len(),
            after
        );
    }
    ExitCode::SUCCESS
}
