//! How good the samplers' points are, against Optuna, on real tuning tasks of the lab (paired seeds, intervals, resumable).
//!
//! Python: full
//!
//! Arguments go to `python/search_tasks.py`, which runs Optuna; this program trains for it, and serves our samplers to it over
//! its standard input and output (`--serve`).

#[path = "../../search/benches/serve/mod.rs"]
mod serve;
#[path = "search/task.rs"]
mod task;

use std::collections::HashMap;
use std::process::ExitCode;

use task::{Result, Tuning};

/// `space TASK` answers the task's space, `train TASK SEED VALUES…` the loss.
fn answer(tasks: &mut HashMap<String, Tuning>, line: &str) -> Option<Result<String>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (&[command, name], rest) = (words.get(..2)?, words.get(2..)?) else { return None };
    if !["space", "train"].contains(&command) {
        return None;
    }
    if !tasks.contains_key(name) {
        match Tuning::new(name) {
            Ok(task) => drop(tasks.insert(name.to_owned(), task)),
            Err(error) => return Some(Err(error)),
        }
    }
    let task = tasks.get(name)?;
    if command == "space" {
        return Some(Ok(task.space.to_string()));
    }
    let seed = rest.first()?.parse().map_err(|e| format!("{line}: {e}"));
    Some(
        seed.and_then(|seed| task.train(&task::read(&task.space, rest[1..].iter().copied()), seed, 1))
            .map(|losses| losses[0].to_string()),
    )
}

fn main() -> ExitCode {
    let mut tasks = HashMap::new();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/python/search_tasks.py");
    serve::main("search_tasks", script, move |line| answer(&mut tasks, line))
}
