//! `lehr rm`: removes a study.
use std::io::{IsTerminal, Write, stderr, stdin};

use clap::Args;
use serde_json::json;

use super::{Place, failure, shown};
use crate::failure::Failure;
use crate::output;

/// Removes a study with all of its trials
#[derive(Args)]
pub struct Rm {
    /// The study
    study: String,
    #[command(flatten)]
    place: Place,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Rm) -> Result<(), Failure> {
    let storage = args.place.open()?;
    let (id, _) = storage.find_study(&args.study).map_err(failure)?;
    let studies = storage.studies().map_err(failure)?;
    let trials: usize =
        studies.iter().find(|s| s.id == id).map_or(0, |s| s.trials.iter().map(|(_, n)| n).sum());
    let what = format!("study {} with {trials} trials from {}", shown(&args.study), storage.url());
    if !args.yes {
        if !stdin().is_terminal() {
            return Err(Failure::usage(format!("this removes {what} for good; say --yes to do so")));
        }
        eprint!("Remove {what} for good? [y/N] ");
        stderr().flush()?;
        let mut answer = String::new();
        stdin().read_line(&mut answer)?;
        if !["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
            return output::text("nothing was removed\n");
        }
    }
    storage.delete_study(id).map_err(failure)?;
    match args.json {
        true => output::json("lehr.rm/1", &json!({"study": args.study, "trials": trials})),
        false => output::text(&format!("removed {what}\n")),
    }
}
