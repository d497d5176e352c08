//! Trials that somebody ends by hand.
use serde_json::Value as Json;

use super::driver::{Arg, Tx};
use super::parts::{clean, lock_study, trial_id};
use super::{runs, studies};
use crate::attribute::{self, Kind};
use crate::error::StudyError;
use crate::run::{Stopping, StudyId};
use crate::state::{RunState, TrialState};

/// The system attribute of a trial that is asked to end; its value says why.
const STOP: &str = "lehr:stop";

pub(super) fn stop(
    tx: &mut dyn Tx,
    study: StudyId,
    trial: usize,
    reason: &str,
) -> Result<Stopping, StudyError> {
    lock_study(tx, study)?;
    let id = trial_id(tx, study, trial)?;
    let state = runs::trial_state(tx, id)?;
    let refused = |message: String| Err(StudyError::state(format!("trial {trial}"), message));
    if state.is_finished() {
        return refused(format!("it is {state} already"));
    }
    let sql = "SELECT SUM(CASE WHEN state = 'running' THEN 1 ELSE 0 END), COUNT(*) FROM lehr_runs WHERE trial_id = $1";
    let counts = tx.row(sql, &[Arg::Int(id)], |row| Ok((row.int_or_null(0)?, row.int(1)?)))?;
    let (running, all) = counts.map_or((0, 0), |(running, all)| (running.unwrap_or(0), all));
    if running == 0 && all == 0 && state == TrialState::Running {
        return refused("another program trains it and does not listen: stop it there".into());
    }
    let reason = clean(reason);
    let json = Json::from(reason.as_str()).to_string();
    studies::set_attribute(tx, true, id, Kind::System, STOP, &json)?;
    if running > 0 {
        return Ok(Stopping::Asked);
    }
    Ok(Stopping::Ended(end(tx, id, &reason)?))
}

/// Ends a trial without a running run. What it has reported still counts, so that it is pruned then; otherwise it failed.
pub(super) fn end(tx: &mut dyn Tx, id: i64, reason: &str) -> Result<TrialState, StudyError> {
    let value = runs::last_report(tx, id)?;
    let (trial, run) = match value {
        Some(_) => (TrialState::Pruned, RunState::Pruned),
        None => (TrialState::Failed, RunState::Failed),
    };
    let sql =
        "UPDATE lehr_runs SET state = $1, reason = $2 WHERE trial_id = $3 AND state IN ('paused', 'queued')";
    tx.run(sql, &[Arg::Text(run.name()), Arg::Text(reason), Arg::Int(id)])?;
    let json = Json::from(reason).to_string();
    studies::set_attribute(tx, true, id, Kind::System, studies::REASON, &json)?;
    runs::finish_trial(tx, id, trial, value)?;
    Ok(trial)
}

/// Why a trial is asked to end, if it is.
pub(super) fn asked(tx: &mut dyn Tx, id: i64) -> Result<Option<String>, StudyError> {
    let sql = "SELECT value_json FROM trial_system_attributes WHERE trial_id = $1 AND key = $2";
    let json = tx.row(sql, &[Arg::Int(id), Arg::Text(STOP)], |row| Ok(row.text(0)?.to_owned()))?;
    Ok(json.map(|json| text(&json)))
}

/// The reason in an attribute.
pub(super) fn text(json: &str) -> String {
    match attribute::parse(json) {
        Json::String(text) => text,
        other => other.to_string(),
    }
}
