//! `lehr studies`: the studies of a storage.
use clap::Args;
use lehr_report::{Align, Table, number};
use lehr_study::{StudySummary, TrialState};
use serde_json::{Map, Value as Json, json};

use super::{Place, direction_word, failure, moment, put, shown};
use crate::failure::Failure;
use crate::output;

/// Lists the studies of a storage
#[derive(Args)]
pub struct Studies {
    #[command(flatten)]
    place: Place,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Studies) -> Result<(), Failure> {
    let storage = args.place.open()?;
    let studies = storage.studies().map_err(failure)?;
    if args.json {
        let list: Vec<Json> = studies.iter().map(object).collect();
        return output::json("lehr.studies/1", &json!({"storage": storage.url(), "studies": list}));
    }
    if studies.is_empty() {
        return output::text(&format!("{} has no study yet\n", storage.url()));
    }
    let mut table = Table::new([
        ("study", Align::Left),
        ("goal", Align::Left),
        ("trials", Align::Right),
        ("complete", Align::Right),
        ("pruned", Align::Right),
        ("failed", Align::Right),
        ("running", Align::Right),
        ("waiting", Align::Right),
        ("runs", Align::Right),
        ("best", Align::Right),
        ("last finished", Align::Left),
    ]);
    for study in &studies {
        let total: usize = study.trials.iter().map(|(_, n)| n).sum();
        let states = [
            TrialState::Complete,
            TrialState::Pruned,
            TrialState::Failed,
            TrialState::Running,
            TrialState::Waiting,
        ];
        let goals: Vec<&str> = study.directions.iter().map(|&d| direction_word(d)).collect();
        let mut row = vec![shown(&study.name), goals.join(", "), total.to_string()];
        row.extend(states.iter().map(|&state| count(study, state).to_string()));
        row.push(study.runs.to_string());
        row.push(study.best.map(|b| number::significant(b, 5)).unwrap_or_default());
        row.push(moment(study.ended).unwrap_or_default());
        table.row(row);
    }
    output::text(&table.text())
}

fn count(study: &StudySummary, state: TrialState) -> usize {
    study.trials.iter().find(|(s, _)| *s == state).map_or(0, |(_, n)| *n)
}

fn object(study: &StudySummary) -> Json {
    let mut object = Map::new();
    object.insert("name".into(), json!(study.name));
    object.insert("directions".into(), study.directions.iter().map(|&d| direction_word(d)).collect());
    let counts: Map<String, Json> = study.trials.iter().map(|(s, n)| (s.name().into(), json!(n))).collect();
    object.insert("trials".into(), counts.into());
    object.insert("runs".into(), json!(study.runs));
    match study.best {
        Some(best) => put(&mut object, "best", best),
        None => drop(object.insert("best".into(), Json::Null)),
    }
    object.insert("started".into(), json!(moment(study.started)));
    object.insert("ended".into(), json!(moment(study.ended)));
    object.into()
}
