//! Runs whose worker died.
use std::time::Duration;

use lehr_search::Key;
use serde_json::{Value as Json, json};

use super::driver::{Arg, Tx};
use super::parts::lock_study;
use super::{runs, stops, studies, trials};
use crate::attribute::{self, Kind};
use crate::error::StudyError;
use crate::run::{Branch, Checkpoint, Plan, Stale, StudyId};
use crate::state::{RunState, TrialState};

/// A run, or a trial of Optuna, that is RUNNING and gave a sign of life once.
struct Silent {
    trial_id: i64,
    trial: usize,
    age: f64,
    run: Option<Lost>,
}

struct Lost {
    id: i64,
    number: usize,
    worker: Option<String>,
    /// How many runs its trial has.
    runs: i64,
    /// How often it was started.
    attempt: usize,
    plan: Plan,
}

pub(super) fn fail(
    tx: &mut dyn Tx,
    study: StudyId,
    grace: Duration,
    retries: usize,
) -> Result<Vec<Stale>, StudyError> {
    lock_study(tx, study)?;
    let mut silent = lehr(tx, study)?;
    silent.extend(optuna(tx, study)?);
    silent.retain(|s| s.age > grace.as_secs_f64());
    silent.into_iter().map(|silent| give_up(tx, study, silent, retries)).collect()
}

fn lehr(tx: &mut dyn Tx, study: StudyId) -> Result<Vec<Silent>, StudyError> {
    let sql = "SELECT t.trial_id, t.number, {age}, h.run_id, h.number, h.worker, h.horizon, h.seed, h.comparability, \
               h.checkpoint, h.checkpoint_step, (SELECT COUNT(*) FROM lehr_runs o WHERE o.trial_id = t.trial_id), h.attempt \
               FROM trials t JOIN lehr_runs h ON h.trial_id = t.trial_id \
               WHERE t.study_id = $1 AND t.state IN ('RUNNING', 'WAITING') AND h.state = 'running' ORDER BY h.run_id";
    let found = tx.all(sql, &[Arg::Int(study.0)], |row| {
        let number = row.count(4)?;
        let checkpoint = row.text_or_null(9)?.map(str::to_owned).zip(row.int_or_null(10)?);
        let checkpoint = checkpoint.map(|(path, step)| Checkpoint { path, step: step as u64 });
        let plan = Plan {
            horizon: row.int(6)? as u64,
            seed: row.int(7)? as u64,
            key: Key(row.int(8)? as u64),
            branch: checkpoint.as_ref().map(|c| Branch { run: number, step: c.step }),
            checkpoint,
        };
        let worker = row.text_or_null(5)?.map(str::to_owned);
        let run = Lost { id: row.int(3)?, number, worker, runs: row.int(11)?, attempt: row.count(12)?, plan };
        let age = row.float_or_null(2)?.unwrap_or(0.0);
        Ok(Silent { trial_id: row.int(0)?, trial: row.count(1)?, age, run: Some(run) })
    })?;
    Ok(found)
}

/// The trials of Optuna's that gave no sign of life for longer than this many seconds.
pub(super) fn of_optuna(tx: &mut dyn Tx, study: StudyId, seconds: f64) -> Result<Vec<i64>, StudyError> {
    Ok(optuna(tx, study)?.iter().filter(|s| s.age > seconds).map(|s| s.trial_id).collect())
}

/// Trials that Optuna runs.
fn optuna(tx: &mut dyn Tx, study: StudyId) -> Result<Vec<Silent>, StudyError> {
    let sql = "SELECT t.trial_id, t.number, {age} FROM trials t JOIN trial_heartbeats h ON h.trial_id = t.trial_id \
               WHERE t.study_id = $1 AND t.state IN ('RUNNING', 'WAITING') AND t.state = 'RUNNING' \
               AND NOT EXISTS (SELECT 1 FROM lehr_runs r WHERE r.trial_id = t.trial_id AND r.state <> 'queued') \
               ORDER BY t.trial_id";
    tx.all(sql, &[Arg::Int(study.0)], |row| {
        let age = row.float_or_null(2)?.unwrap_or(0.0);
        Ok(Silent { trial_id: row.int(0)?, trial: row.count(1)?, age, run: None })
    })
}

fn give_up(tx: &mut dyn Tx, study: StudyId, silent: Silent, retries: usize) -> Result<Stale, StudyError> {
    let Silent { trial_id, trial, age, run } = silent;
    let who = run.as_ref().and_then(|r| r.worker.as_ref()).map(|w| format!(" {w}")).unwrap_or_default();
    let reason = format!("its worker{who} gave no sign of life for {age:.0} s");
    let stopped = stops::asked(tx, trial_id)?;
    let alone = run.as_ref().is_none_or(|r| r.runs == 1);
    let (mut retry, mut paused) = (None, false);
    if let Some(run) = &run {
        // The trial has other runs and cannot be made anew: this one is to be taken up again by another worker.
        paused = !alone && stopped.is_none() && run.attempt <= retries;
        let state = if paused { RunState::Paused } else { RunState::Failed };
        runs::finish_run(tx, run.id, state, None, Some(&reason), None)?;
    } else {
        let reason = Json::from(reason.as_str()).to_string();
        studies::set_attribute(tx, true, trial_id, Kind::System, studies::REASON, &reason)?;
    }
    if let Some(stopped) = stopped {
        stops::end(tx, trial_id, &stopped)?;
    } else if alone {
        runs::finish_trial(tx, trial_id, TrialState::Failed, None)?;
        retry = again(tx, study, trial_id, trial, run.as_ref().map(|r| &r.plan), retries)?;
    } else {
        runs::rest(tx, trial_id)?;
    }
    let (number, worker) = run.map_or((None, None), |r| (Some(r.number), r.worker));
    Ok(Stale { trial, run: number, worker, silent: age, retry, paused })
}

/// Enqueues a copy of a failed trial, as Optuna's RetryHeartbeatStaleTrialCallback does.
fn again(
    tx: &mut dyn Tx,
    study: StudyId,
    failed_id: i64,
    failed: usize,
    plan: Option<&Plan>,
    retries: usize,
) -> Result<Option<usize>, StudyError> {
    let sql = "SELECT key, value_json FROM trial_system_attributes WHERE trial_id = $1 \
               AND key IN ('failed_trial', 'retry_history')";
    let known = tx.all(sql, &[Arg::Int(failed_id)], |row| {
        Ok((row.text(0)?.to_owned(), attribute::parse(row.text(1)?)))
    })?;
    let get = |key: &str| known.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
    let first = get("failed_trial").unwrap_or_else(|| json!(failed));
    let mut history = get("retry_history").and_then(|h| h.as_array().cloned()).unwrap_or_default();
    history.push(json!(failed));
    if history.len() > retries {
        return Ok(None);
    }
    let (id, number) = trials::add(tx, study, TrialState::Waiting)?;
    for sql in [
        "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) \
         SELECT CAST($1 AS INTEGER), param_name, param_value, distribution_json FROM trial_params WHERE trial_id = $2 \
         ORDER BY param_id",
        "INSERT INTO trial_user_attributes (trial_id, key, value_json) \
         SELECT CAST($1 AS INTEGER), key, value_json FROM trial_user_attributes WHERE trial_id = $2",
        "INSERT INTO trial_system_attributes (trial_id, key, value_json) \
         SELECT CAST($1 AS INTEGER), key, value_json FROM trial_system_attributes WHERE trial_id = $2 \
         AND key NOT IN ('failed_trial', 'retry_history', 'lehr:reason')",
    ] {
        tx.run(sql, &[Arg::Int(id), Arg::Int(failed_id)])?;
    }
    studies::set_attribute(tx, true, id, Kind::System, "failed_trial", &first.to_string())?;
    studies::set_attribute(tx, true, id, Kind::System, "retry_history", &Json::Array(history).to_string())?;
    if let Some(plan) = plan {
        runs::add_queued(tx, study, id, plan)?;
    }
    Ok(Some(number))
}
