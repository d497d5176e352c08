//! Trials: how they are numbered, enqueued, taken, given their parameters.
use lehr_search::{Key, Params, Space, Value};
use serde_json::{Map, Value as Json};

use super::driver::{Arg, Tx};
use super::parts::{StoredParam, check_name, insert, lock_study, stored_params, values};
use super::runs::{self, RunRow};
use super::studies::set_attribute;
use crate::attribute::{self, Kind, bare_number};
use crate::distribution::{compatible, from_json, to_json};
use crate::error::StudyError;
use crate::run::{Branch, Checkpoint, Claim, Plan, StudyId, Waiting};
use crate::state::{RunState, TrialState};
use crate::time;

/// Adds a trial to a study that this transaction has locked. Returns the storage's number and the study's.
pub(super) fn add(tx: &mut dyn Tx, study: StudyId, state: TrialState) -> Result<(i64, usize), StudyError> {
    let last = "SELECT number FROM trials WHERE study_id = $1 ORDER BY trial_id DESC LIMIT 1";
    let number = match tx.row(last, &[Arg::Int(study.0)], |row| row.int_or_null(0))? {
        None => 0,
        Some(Some(last)) => last + 1,
        // A trial that Optuna made and was killed at: its number is the count of those before it.
        Some(None) => {
            let count = "SELECT COUNT(*) FROM trials WHERE study_id = $1";
            tx.row(count, &[Arg::Int(study.0)], |row| row.int(0))?.unwrap_or(0)
        }
    };
    let start = if state == TrialState::Running { Arg::Time(time::now()) } else { Arg::Null };
    let sql =
        "INSERT {or fail} INTO trials (number, study_id, state, datetime_start) VALUES ($1, $2, $3, $4)";
    let args = [Arg::Int(number), Arg::Int(study.0), Arg::Text(state.name()), start];
    Ok((tx.add(sql, "trial_id", &args)?, number as usize))
}

pub(super) fn enqueue(tx: &mut dyn Tx, study: StudyId, waiting: &Waiting) -> Result<usize, StudyError> {
    for (name, value) in waiting.fixed.iter() {
        check_name("the parameter", name)?;
        if value.as_f64().is_some_and(|x| !x.is_finite()) {
            return Err(StudyError::value(format!("{name}={value}"), "it must be finite"));
        }
    }
    lock_study(tx, study)?;
    let (id, number) = add(tx, study, TrialState::Waiting)?;
    let fixed: Map<String, Json> =
        waiting.fixed.iter().map(|(name, value)| (name.to_owned(), json(value))).collect();
    set_attribute(tx, true, id, Kind::System, "fixed_params", &Json::Object(fixed).to_string())?;
    for (key, value) in &waiting.user {
        set_attribute(tx, true, id, Kind::User, key, &value.to_string())?;
    }
    if let Some(plan) = &waiting.plan {
        runs::add_queued(tx, study, id, plan)?;
    }
    Ok(number)
}

fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(b) => (*b).into(),
        Value::Int(i) => (*i).into(),
        Value::Float(x) => (*x).into(),
        Value::Text(t) => t.as_str().into(),
    }
}

/// The parameters that were decided when a trial was enqueued.
pub(super) fn fixed_params(json: &str) -> Params {
    let Json::Object(map) = attribute::parse(json) else { return Params::new() };
    let value = |json: Json| match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(b),
        Json::Number(n) => {
            n.as_i64().map_or_else(|| Value::Float(n.as_f64().unwrap_or(f64::NAN)), Value::Int)
        }
        Json::String(t) => bare_number(&t).map_or(Value::Text(t), Value::Float),
        other => Value::Text(other.to_string()),
    };
    map.into_iter().map(|(name, json)| (name, value(json))).collect()
}

pub(super) fn claim(
    tx: &mut dyn Tx,
    study: StudyId,
    plan: &Plan,
    worker: &str,
    token: &str,
) -> Result<Option<Claim>, StudyError> {
    check_name("the worker", worker)?;
    lock_study(tx, study)?;
    let sql = "SELECT trial_id, number FROM trials WHERE study_id = $1 AND state IN ('RUNNING', 'WAITING') \
               AND state = 'WAITING' ORDER BY trial_id LIMIT 1 {skip locked}";
    let found = tx.row(sql, &[Arg::Int(study.0)], |row| Ok((row.int(0)?, row.count(1)?)))?;
    let Some((id, trial)) = found else { return Ok(None) };
    let sql = "UPDATE trials SET state = 'RUNNING', datetime_start = $1 WHERE trial_id = $2";
    tx.run(sql, &[Arg::Time(time::now()), Arg::Int(id)])?;
    let queued = queued_plan(tx, id)?;
    let (run_id, plan) = match queued {
        Some((run_id, plan)) => (Some(run_id), plan),
        None => (None, plan.clone()),
    };
    let row = RunRow { study, trial_id: id, plan: &plan, worker, token, saw: &[] };
    let (run_id, run) = runs::begin(tx, &row, run_id)?;
    let mut params = values(&stored_params(tx, id)?);
    let sql = "SELECT value_json FROM trial_system_attributes WHERE trial_id = $1 AND key = 'fixed_params'";
    if let Some(fixed) = tx.row(sql, &[Arg::Int(id)], |row| Ok(fixed_params(row.text(0)?)))? {
        for (name, value) in fixed.iter().filter(|(name, _)| params.get(name).is_none()).collect::<Vec<_>>() {
            params.set(name, value.clone());
        }
    }
    let token = token.to_owned();
    Ok(Some(Claim { study, trial, trial_id: id, run, run_id, token, attempt: 1, params, plan }))
}

/// The run that was planned when a trial was enqueued.
fn queued_plan(tx: &mut dyn Tx, trial_id: i64) -> Result<Option<(i64, Plan)>, StudyError> {
    let sql = "SELECT run_id, horizon, seed, comparability, parent, parent_step, checkpoint, checkpoint_step FROM lehr_runs \
               WHERE trial_id = $1 AND state = $2 ORDER BY run_id LIMIT 1";
    tx.row(sql, &[Arg::Int(trial_id), Arg::Text(RunState::Queued.name())], |row| {
        let branch = row.int_or_null(4)?.zip(row.int_or_null(5)?);
        let checkpoint = row.text_or_null(6)?.zip(row.int_or_null(7)?);
        let plan = Plan {
            horizon: row.int(1)? as u64,
            seed: row.int(2)? as u64,
            key: Key(row.int(3)? as u64),
            branch: branch.map(|(run, step)| Branch { run: run as usize, step: step as u64 }),
            checkpoint: checkpoint.map(|(path, step)| Checkpoint { path: path.into(), step: step as u64 }),
        };
        Ok((row.int(0)?, plan))
    })
}

/// Stores the parameters that a trial does not have yet. Those that it has must agree, and so must the distributions with
/// those that the study had first.
pub(super) fn set_params(
    tx: &mut dyn Tx,
    study: StudyId,
    trial_id: i64,
    space: &Space,
    params: &Params,
) -> Result<(), StudyError> {
    let had = stored_params(tx, trial_id)?;
    add_params(tx, study, trial_id, space, params, &had)
}

/// Stores the parameters of a trial that was just made, and returns them as they are stored.
pub(super) fn first_params(
    tx: &mut dyn Tx,
    study: StudyId,
    trial_id: i64,
    space: &Space,
    params: &Params,
) -> Result<Params, StudyError> {
    add_params(tx, study, trial_id, space, params, &[])?;
    let raw = space.raw(params)?;
    let given = space.parameters().iter().zip(raw).filter(|(_, raw)| !raw.is_nan());
    Ok(given.map(|(parameter, raw)| (parameter.name.clone(), parameter.domain.value(raw))).collect())
}

fn add_params(
    tx: &mut dyn Tx,
    study: StudyId,
    trial_id: i64,
    space: &Space,
    params: &Params,
    had: &[StoredParam],
) -> Result<(), StudyError> {
    let raw = space.raw(params)?;
    let neighbours = neighbours(tx, study, trial_id)?;
    let mut new = Vec::new();
    for (parameter, raw) in space.parameters().iter().zip(raw).filter(|(_, raw)| !raw.is_nan()) {
        let name = &*parameter.name;
        if let Some(old) = had.iter().find(|p| p.name == name) {
            if !old.domain.value(old.raw).same(&parameter.domain.value(raw)) {
                let message = format!("the trial has {name}={} already", old.domain.value(old.raw));
                return Err(StudyError::value(format!("{name}={}", parameter.domain.value(raw)), message));
            }
            continue;
        }
        check_name("the parameter", name)?;
        let json = to_json(&parameter.domain);
        match neighbours.iter().find(|(other, _)| other == name) {
            Some((_, same)) if *same == json => {}
            neighbour => {
                let neighbour = neighbour.map(|(_, json)| from_json(json)).transpose()?;
                check_compatible(tx, study, neighbour, name, &parameter.domain)?;
            }
        }
        new.push((name, raw, json));
    }
    let cells: Vec<Arg<'_>> = new
        .iter()
        .flat_map(|(name, raw, json)| {
            [Arg::Int(trial_id), Arg::Text(name), Arg::Float(*raw), Arg::Text(json)]
        })
        .collect();
    insert(
        tx,
        "INSERT {or fail} INTO trial_params (trial_id, param_name, param_value, distribution_json)",
        4,
        "",
        &cells,
    )
}

/// Names and distributions of the parameters of the trial before this one.
fn neighbours(tx: &mut dyn Tx, study: StudyId, trial_id: i64) -> Result<Vec<(String, String)>, StudyError> {
    let sql = "SELECT param_name, distribution_json FROM trial_params WHERE trial_id = \
               (SELECT MAX(trial_id) FROM trials WHERE study_id = $1 AND trial_id < $2)";
    tx.all(sql, &[Arg::Int(study.0), Arg::Int(trial_id)], |row| {
        Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()))
    })
}

/// A parameter's distribution must stay compatible with the first one in the study, or Optuna refuses to go on. The trial
/// before this one most often tells; otherwise the study is searched.
pub(super) fn check_compatible(
    tx: &mut dyn Tx,
    study: StudyId,
    neighbour: Option<lehr_search::Domain>,
    name: &str,
    domain: &lehr_search::Domain,
) -> Result<(), StudyError> {
    let sql = "SELECT p.distribution_json FROM trials t JOIN trial_params p ON p.trial_id = t.trial_id \
               WHERE t.study_id = $1 AND p.param_name = $2 LIMIT 1";
    let first = match neighbour {
        Some(neighbour) => Some(neighbour),
        None => tx.row(sql, &[Arg::Int(study.0), Arg::Text(name)], |row| from_json(row.text(0)?))?,
    };
    match first {
        Some(first) if !compatible(&first, domain) => {
            let message = format!(
                "the study has it over {first}; a change of kind, of scale or of choices needs another name or a new study"
            );
            Err(StudyError::value(format!("parameter '{name}' over {domain}"), message))
        }
        _ => Ok(()),
    }
}
