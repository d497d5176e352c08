//! `lehr trials`: the trials of a study.
use clap::Args;
use lehr_report::{Align, Table, number};
use lehr_study::{Records, TrialRecord};
use serde_json::json;

use super::{Place, export, shown, shown_params};
use crate::failure::Failure;
use crate::output;

/// Lists the trials of a study
#[derive(Args)]
pub struct Trials {
    /// The study; may be left out where the storage has only one
    study: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Only the last N trials
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Trials) -> Result<(), Failure> {
    let study = args.place.study(args.study.as_deref())?;
    let records = study.records();
    let all = records.trials();
    let trials = &all[all.len().saturating_sub(args.last.unwrap_or(usize::MAX))..];
    if args.json {
        let list: Vec<_> = trials.iter().map(|trial| export::trial(records, trial)).collect();
        return output::json("lehr.trials/1", &json!({"study": study.name(), "trials": list}));
    }
    if trials.is_empty() {
        return output::text(&format!("study {} has no trial yet\n", shown(study.name())));
    }
    let mut table = Table::new([
        ("trial", Align::Right),
        ("state", Align::Left),
        ("value", Align::Right),
        ("runs", Align::Right),
        ("steps", Align::Right),
        ("parameters", Align::Left),
        ("why", Align::Left),
    ]);
    for trial in trials {
        let values: Vec<String> = trial.values.iter().map(|&v| number::significant(v, 5)).collect();
        let steps: u64 = trial.runs.iter().filter_map(|&r| records.runs().get(r)).map(|r| r.steps).sum();
        table.row([
            trial.number.to_string(),
            trial.state.to_string(),
            values.join(", "),
            trial.runs.len().to_string(),
            steps.to_string(),
            shown_params(&trial.params),
            why(records, trial),
        ]);
    }
    output::text(&table.text())
}

/// Why the last run of a trial ended, and where it stands if the trial's state does not say it.
fn why(records: &Records, trial: &TrialRecord) -> String {
    let run = trial.runs.last().and_then(|&run| records.runs().get(run));
    let reason = trial.reason.as_deref().or_else(|| run?.reason.as_deref()).unwrap_or_default();
    let reason: String = shown(reason).chars().take(80).collect();
    let state = match run.map(|run| run.state) {
        Some(lehr_study::RunState::Diverged) => "diverged",
        Some(lehr_study::RunState::Paused) => "paused",
        _ => "",
    };
    [state, &reason].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(": ")
}
