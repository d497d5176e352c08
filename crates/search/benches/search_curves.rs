//! Freeze-thaw on recorded learning curves of real models, against Optuna's TPE with Hyperband (paired seeds, intervals).
//!
//! Python: light
//!
//! Arguments go to `python/search_curves.py`, which records the curves once and replays them; this program serves our method
//! to it over its standard input and output (`--serve SEED STEPS SPACE`).
#![allow(clippy::unwrap_used)]
use std::io::{BufRead, Write};
use std::process::{Command, ExitCode};

use lehr_search::sampler::{FreezeThaw, Next};
use lehr_search::{Direction, History, Key, Outcome, Params, Report, Space, Stream, Value};

/// Reads values in the order of the space.
fn read(space: &Space, line: &str) -> Params {
    let value = |word: &str| match (word.parse::<i64>(), word.parse::<f64>()) {
        (Ok(i), _) => Value::Int(i),
        (_, Ok(x)) => Value::Float(x),
        _ => Value::from(word),
    };
    space.parameters().iter().zip(line.split_whitespace()).map(|(p, w)| (p.name.clone(), value(w))).collect()
}

fn serve(seed: u64, steps: u64, space: Space) {
    let method = FreezeThaw::new(steps).unwrap();
    let mut history = History::new(space.clone(), Direction::Minimize);
    let mut lines = std::io::stdin().lock().lines().map_while(Result::ok);
    let mut out = std::io::stdout().lock();
    for decision in 0.. {
        let next = method.choose(&space, &history, &[], &mut Stream::for_trial(seed, decision)).unwrap();
        let trial = match next {
            Next::Start(params) => {
                let values: Vec<String> = params.iter().map(|(_, v)| v.to_string()).collect();
                writeln!(out, "start {}", values.join(" ")).unwrap();
                out.flush().unwrap();
                let Some(line) = lines.next() else { return };
                history.start(&read(&space, &line)).unwrap()
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

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [flag, seed, steps, space] = &arguments[..]
        && flag == "--serve"
    {
        serve(seed.parse().unwrap(), steps.parse().unwrap(), space.parse().unwrap());
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
