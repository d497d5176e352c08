//! `lehr export`: a study as CSV, one row per run, or as JSON.
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lehr_study::{Records, RunRecord, Study, TrialRecord};
use serde_json::{Map, Value as Json, json};

use super::{Place, direction_word, failure, moment, put};
use crate::failure::Failure;
use crate::output;

/// Exports a study as CSV (one row per run, as `lehr robustness` reads it) or JSON
#[derive(Args)]
pub struct Export {
    /// The study; may be left out where the storage has only one
    study: Option<String>,
    #[command(flatten)]
    place: Place,
    /// The form
    #[arg(long, value_enum, default_value_t = Form::Csv)]
    format: Form,
    /// The same as --format json
    #[arg(long)]
    json: bool,
    /// The file to write [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Form {
    Csv,
    Json,
}

pub fn run(args: &Export) -> Result<(), Failure> {
    let study = args.place.study(args.study.as_deref())?;
    let text = match args.format {
        Form::Csv if !args.json => csv(study.records())?,
        _ => output::object("lehr.study/1", &whole(&study)?)?,
    };
    match &args.output {
        Some(path) => std::fs::write(path, text)
            .map_err(|why| Failure::failed(format!("cannot write {}: {why}", path.display()))),
        None => output::text(&text),
    }
}

const COLUMNS: [&str; 8] = ["trial", "run", "state", "loss", "horizon", "steps", "seed", "reason"];

/// One row per run. A trial that Optuna ran is its own run. A parameter with the name of a column is `param.NAME`.
fn csv(records: &Records) -> Result<String, Failure> {
    let mut names: Vec<&str> = Vec::new();
    for name in records.trials().iter().flat_map(|t| t.params.iter().map(|(name, _)| name)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let header =
        |name: &&str| if COLUMNS.contains(name) { format!("param.{name}") } else { (*name).to_owned() };
    let mut writer = csv::Writer::from_writer(Vec::new());
    let columns = COLUMNS.iter().map(|c| (*c).to_owned()).chain(names.iter().map(header));
    writer.write_record(columns).map_err(Failure::failed)?;
    for trial in records.trials() {
        let params =
            names.iter().map(|name| trial.params.get(name).map(ToString::to_string).unwrap_or_default());
        let params: Vec<String> = params.collect();
        let rows: Vec<[String; 8]> = match trial.runs.as_slice() {
            [] => vec![without_run(trial)],
            runs => {
                runs.iter().filter_map(|&run| records.runs().get(run)).map(|run| row(trial, run)).collect()
            }
        };
        for row in rows {
            writer.write_record(row.iter().chain(&params)).map_err(Failure::failed)?;
        }
    }
    let bytes = writer.into_inner().map_err(Failure::failed)?;
    String::from_utf8(bytes).map_err(Failure::failed)
}

fn row(trial: &TrialRecord, run: &RunRecord) -> [String; 8] {
    [
        trial.number.to_string(),
        run.number.to_string(),
        run.state.to_string(),
        run.value.map(|v| v.to_string()).unwrap_or_default(),
        run.horizon.to_string(),
        run.steps.to_string(),
        run.seed.to_string(),
        run.reason.clone().unwrap_or_default(),
    ]
}

fn without_run(trial: &TrialRecord) -> [String; 8] {
    let value = trial.values.first().map(ToString::to_string).unwrap_or_default();
    let state = trial.state.name().to_lowercase();
    [
        trial.number.to_string(),
        String::new(),
        state,
        value,
        String::new(),
        String::new(),
        String::new(),
        String::new(),
    ]
}

fn whole(study: &Study) -> Result<Json, Failure> {
    let directions: Vec<&str> = study.directions().iter().map(|&d| direction_word(d)).collect();
    let trials: Vec<Json> = study.records().trials().iter().map(|t| trial(study.records(), t)).collect();
    let space = study.space().map_err(failure)?.to_string();
    Ok(json!({"study": study.name(), "directions": directions, "space": space, "trials": trials}))
}

/// A trial with its runs and their reports.
pub fn trial(records: &Records, trial: &TrialRecord) -> Json {
    let mut object = Map::new();
    object.insert("number".into(), json!(trial.number));
    object.insert("state".into(), json!(trial.state.name()));
    match trial.values.as_slice() {
        [value] => put(&mut object, "value", *value),
        [] => drop(object.insert("value".into(), Json::Null)),
        values => drop(object.insert("values".into(), json!(values))),
    }
    let params: Map<String, Json> =
        trial.params.iter().map(|(name, value)| (name.into(), json!(value))).collect();
    object.insert("params".into(), params.into());
    object.insert("started".into(), json!(moment(trial.started)));
    object.insert("ended".into(), json!(moment(trial.ended)));
    object.insert("reports".into(), trial.reports.iter().map(|&r| report(r)).collect());
    let runs = trial.runs.iter().filter_map(|&run| records.runs().get(run));
    object.insert("runs".into(), runs.map(|run| self::run_object(records, trial, run)).collect());
    object.into()
}

fn report((step, value): (u64, f64)) -> Json {
    let mut object = Map::new();
    object.insert("step".into(), json!(step));
    put(&mut object, "value", value);
    object.into()
}

fn run_object(records: &Records, trial: &TrialRecord, run: &RunRecord) -> Json {
    let mut object = Map::new();
    object.insert("number".into(), json!(run.number));
    object.insert("state".into(), json!(run.state.name()));
    object.insert("horizon".into(), json!(run.horizon));
    object.insert("steps".into(), json!(run.steps));
    object.insert("seed".into(), json!(run.seed));
    object.insert("attempts".into(), json!(run.attempt));
    if let Some(value) = run.value {
        put(&mut object, "value", value);
    }
    if let Some(branch) = run.branch {
        object.insert("branch".into(), json!({"run": branch.run, "step": branch.step}));
    }
    if let Some(checkpoint) = &run.checkpoint {
        object.insert("checkpoint".into(), json!({"path": checkpoint.path, "step": checkpoint.step}));
    }
    for (name, text) in [("reason", &run.reason), ("log", &run.log), ("worker", &run.worker)] {
        if let Some(text) = text {
            object.insert(name.into(), json!(text));
        }
    }
    // Where there is one run, its reports are those of the trial.
    if trial.runs.len() > 1 {
        object.insert("reports".into(), records.reports_of(run.number).iter().map(|&r| report(r)).collect());
    }
    object.into()
}
