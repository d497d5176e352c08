//! Our samplers, served to a Python script over standard input and output.
use std::io::{BufRead, Write};
use std::process::{Command, ExitCode};

use lehr_search::sampler::{Auto, CmaEs, GaussianProcess, Random, Sobol, Tpe};
use lehr_search::{Direction, History, Outcome, Sampler, Space, Stream};

fn sampler(name: &str) -> Result<Box<dyn Sampler>, String> {
    Ok(match name {
        "random" => Box::new(Random::default()),
        "sobol" => Box::new(Sobol::default()),
        "auto" => Box::new(Auto::default()),
        "cmaes" => Box::new(CmaEs::default()),
        "gp" => Box::new(GaussianProcess::default()),
        "tpe" => Box::new(Tpe::default()),
        other => return Err(format!("no sampler '{other}'")),
    })
}

/// One study at a time: `new SAMPLER SEED SPACE`, then `ask` (answers the values) and `tell VALUE` in turn. `other` may
/// answer other lines.
fn serve(mut other: impl FnMut(&str) -> Option<Result<String, String>>) -> Result<(), String> {
    let mut study: Option<(Box<dyn Sampler>, u64, History)> = None;
    let mut out = std::io::stdout().lock();
    let mut say = |text: &str| writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|e| e.to_string());
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| e.to_string())?;
        let (command, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match (command, &mut study) {
            ("new", slot) => {
                let mut words = rest.splitn(3, ' ');
                let mut word = || words.next().ok_or("new SAMPLER SEED SPACE");
                let (name, seed, space) = (word()?, word()?, word()?);
                let space: Space = space.parse().map_err(|e| format!("{e}"))?;
                let seed = seed.parse().map_err(|e| format!("{e}"))?;
                *slot = Some((sampler(name)?, seed, History::new(space, Direction::Minimize)));
            }
            ("ask", Some((sampler, seed, history))) => {
                let mut stream = Stream::for_trial(*seed, history.len() as u64);
                let space = history.space().clone();
                let params = sampler.suggest(&space, history, &mut stream).map_err(|e| e.to_string())?;
                history.start(&params).map_err(|e| e.to_string())?;
                let values: Vec<String> = params.iter().map(|(_, v)| v.to_string()).collect();
                say(&values.join(" "))?;
            }
            ("tell", Some((_, _, history))) => {
                let value = rest.parse().map_err(|e| format!("{rest}: {e}"))?;
                let trial = history.len() - 1;
                history.finish(trial, Outcome::Complete(value)).map_err(|e| e.to_string())?;
            }
            _ => match other(&line) {
                Some(answer) => say(&answer?)?,
                None => return Err(format!("cannot do '{line}'")),
            },
        }
    }
    Ok(())
}

/// Serves if the first argument is `--serve`; else starts the script, which starts this program again.
pub fn main(name: &str, script: &str, other: impl FnMut(&str) -> Option<Result<String, String>>) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if arguments.first().is_some_and(|a| a == "--serve") {
        return match serve(other) {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => {
                eprintln!("{message}");
                ExitCode::FAILURE
            }
        };
    }
    let (Ok(python), Ok(server)) = (std::env::var("LEHR_VENV_PYTHON"), std::env::current_exe()) else {
        eprintln!("start it with `cargo xtask bench {name}`, which provides the Python environment");
        return ExitCode::FAILURE;
    };
    match Command::new(python).arg(script).arg("--server").arg(server).args(arguments).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
