//! Updates spent until the recommendation is good, against Optuna, Ray's ASHA and what practitioners do by hand, on live tasks.
//!
//! Python: full
//! Ray: where it installs
//!
//! Arguments go to `python/tuning.py`, which drives the peers; this program trains for it and runs our strategies over its
//! standard input and output (`--serve FOLDER`). Without peers:
//!
//! - `--calibrate FOLDER REPEATS TASK...`: how often our intervals hold the truth, on live training;
//! - `--replay`: the strategy and early-stopping peers on recorded language-model runs;
//! - `--lab FOLDER REPEATS BUDGET TASK...`: searches on tabulated runs, a laboratory for changes of the strategy.

#[path = "tuning/cache.rs"]
mod cache;
#[path = "tuning/calibrate.rs"]
mod calibrate;
#[path = "tuning/lab.rs"]
mod lab;
#[path = "tuning/letters.rs"]
mod letters;
#[path = "tuning/program.rs"]
mod program;
#[path = "tuning/replay.rs"]
mod replay;
#[path = "tuning/search.rs"]
mod search;
#[path = "tuning/serve.rs"]
mod serve;
#[path = "tuning/surface.rs"]
mod surface;
#[path = "tuning/task.rs"]
mod task;
#[path = "tuning/truth.rs"]
mod truth;

use std::path::Path;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let done = match &arguments[..] {
        [word, folder] if word == "--serve" => Some(serve::serve(Path::new(folder))),
        [word, folder, rest @ ..] if word == "--lab" => Some(lab::run(Path::new(folder), rest)),
        [word, folder, rest @ ..] if word == "--calibrate" => Some(calibrate::run(Path::new(folder), rest)),
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
