//! Studies and attributes.
use std::collections::BTreeMap;

use lehr_search::Direction;
use serde_json::Value as Json;

use super::driver::{Arg, Tx};
use super::parts::{check_name, direction, direction_name, trial_id};
use crate::attribute::{self, Attributes, Kind, Owner};
use crate::error::StudyError;
use crate::run::{StudyId, StudySummary};
use crate::state::TrialState;

pub(super) fn create(
    tx: &mut dyn Tx,
    url: &str,
    name: &str,
    directions: &[Direction],
) -> Result<StudyId, StudyError> {
    if name.is_empty() {
        return Err(StudyError::value("a study without a name", "give it one"));
    }
    add(tx, url, name, directions)
}

/// Makes a study, whose name may be empty as Optuna's may.
pub(super) fn add(
    tx: &mut dyn Tx,
    url: &str,
    name: &str,
    directions: &[Direction],
) -> Result<StudyId, StudyError> {
    check_name("the name of a study", name)?;
    if directions.is_empty() {
        return Err(StudyError::value(format!("study {name:?}"), "it needs at least one direction"));
    }
    let sql = "INSERT INTO studies (study_name) VALUES ($1) ON CONFLICT DO NOTHING RETURNING study_id";
    let Some(id) = tx.row(sql, &[Arg::Text(name)], |row| row.int(0))? else {
        return Err(StudyError::Exists { name: name.into(), url: url.into() });
    };
    for (objective, &direction) in directions.iter().enumerate() {
        let sql = "INSERT INTO study_directions (direction, study_id, objective) VALUES ($1, $2, $3)";
        tx.run(sql, &[Arg::Text(direction_name(direction)), Arg::Int(id), Arg::Int(objective as i64)])?;
    }
    Ok(StudyId(id))
}

pub(super) fn find(tx: &mut dyn Tx, url: &str, name: &str) -> Result<(StudyId, Vec<Direction>), StudyError> {
    // A text with NUL cannot even be asked for.
    let id = match name.contains('\0') {
        true => None,
        false => {
            tx.row("SELECT study_id FROM studies WHERE study_name = $1", &[Arg::Text(name)], |r| r.int(0))?
        }
    };
    let Some(id) = id else {
        let sql = "SELECT study_name FROM studies ORDER BY study_id LIMIT 10";
        let known = tx.all(sql, &[], |row| Ok(format!("{:?}", row.text(0)?)))?;
        let known = if known.is_empty() {
            "; it has none".into()
        } else {
            format!("; there are: {}", known.join(", "))
        };
        return Err(StudyError::NoStudy { name: name.into(), url: url.into(), known });
    };
    let sql = "SELECT direction FROM study_directions WHERE study_id = $1 ORDER BY objective";
    let directions = tx.all(sql, &[Arg::Int(id)], |row| Ok(direction(row.text(0)?)))?;
    Ok((StudyId(id), directions))
}

pub(super) fn delete(tx: &mut dyn Tx, study: StudyId) -> Result<(), StudyError> {
    super::parts::lock_study(tx, study)?;
    // Whole statements, so that each is one that the database knows already at the second time. Lehr's own tables follow
    // by triggers and cascades.
    for sql in [
        "DELETE FROM trial_heartbeats WHERE trial_id IN (SELECT trial_id FROM trials WHERE study_id = $1)",
        "DELETE FROM trial_intermediate_values WHERE trial_id IN (SELECT trial_id FROM trials WHERE study_id = $1)",
        "DELETE FROM trial_values WHERE trial_id IN (SELECT trial_id FROM trials WHERE study_id = $1)",
        "DELETE FROM trial_params WHERE trial_id IN (SELECT trial_id FROM trials WHERE study_id = $1)",
        "DELETE FROM trial_user_attributes WHERE trial_id IN (SELECT trial_id FROM trials WHERE study_id = $1)",
        "DELETE FROM trial_system_attributes WHERE trial_id IN (SELECT trial_id FROM trials WHERE study_id = $1)",
        "DELETE FROM trials WHERE study_id = $1",
        "DELETE FROM study_user_attributes WHERE study_id = $1",
        "DELETE FROM study_system_attributes WHERE study_id = $1",
        "DELETE FROM study_directions WHERE study_id = $1",
        "DELETE FROM studies WHERE study_id = $1",
    ] {
        tx.run(sql, &[Arg::Int(study.0)])?;
    }
    Ok(())
}

/// The number of an owner, and whether it is a trial.
fn owner(tx: &mut dyn Tx, of: Owner) -> Result<(bool, i64), StudyError> {
    match of {
        Owner::Study(study) => Ok((false, study.0)),
        Owner::Trial(study, trial) => Ok((true, trial_id(tx, study, trial)?)),
    }
}

pub(super) fn attributes(tx: &mut dyn Tx, of: Owner, kind: Kind) -> Result<Attributes, StudyError> {
    let (is_trial, id) = owner(tx, of)?;
    let sql = match (is_trial, kind) {
        (false, Kind::User) => "SELECT key, value_json FROM study_user_attributes WHERE study_id = $1",
        (false, Kind::System) => "SELECT key, value_json FROM study_system_attributes WHERE study_id = $1",
        (true, Kind::User) => "SELECT key, value_json FROM trial_user_attributes WHERE trial_id = $1",
        (true, Kind::System) => "SELECT key, value_json FROM trial_system_attributes WHERE trial_id = $1",
    };
    let pairs =
        tx.all(sql, &[Arg::Int(id)], |row| Ok((row.text(0)?.to_owned(), attribute::parse(row.text(1)?))))?;
    Ok(pairs.into_iter().collect())
}

pub(super) fn set_attributes(
    tx: &mut dyn Tx,
    of: Owner,
    kind: Kind,
    values: &[(&str, Json)],
) -> Result<(), StudyError> {
    let (is_trial, id) = owner(tx, of)?;
    if let Owner::Study(study) = of {
        super::parts::lock_study(tx, study)?;
    }
    for (key, value) in values {
        set_attribute(tx, is_trial, id, kind, key, &value.to_string())?;
    }
    Ok(())
}

/// The system attribute that says why a trial without a run has ended.
pub(super) const REASON: &str = "lehr:reason";

/// Sets one attribute to a JSON text.
pub(super) fn set_attribute(
    tx: &mut dyn Tx,
    is_trial: bool,
    id: i64,
    kind: Kind,
    key: &str,
    json: &str,
) -> Result<(), StudyError> {
    check_name("the attribute", key)?;
    let sql = match (is_trial, kind) {
        (false, Kind::User) => {
            "INSERT INTO study_user_attributes (study_id, key, value_json) VALUES ($1, $2, $3) \
             ON CONFLICT (study_id, key) DO UPDATE SET value_json = excluded.value_json"
        }
        (false, Kind::System) => {
            "INSERT INTO study_system_attributes (study_id, key, value_json) VALUES ($1, $2, $3) \
             ON CONFLICT (study_id, key) DO UPDATE SET value_json = excluded.value_json"
        }
        (true, Kind::User) => {
            "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES ($1, $2, $3) \
             ON CONFLICT (trial_id, key) DO UPDATE SET value_json = excluded.value_json"
        }
        (true, Kind::System) => {
            "INSERT INTO trial_system_attributes (trial_id, key, value_json) VALUES ($1, $2, $3) \
             ON CONFLICT (trial_id, key) DO UPDATE SET value_json = excluded.value_json"
        }
    };
    tx.run(sql, &[Arg::Int(id), Arg::Text(key), Arg::Text(json)]).map(|_| ())
}

pub(super) fn list(tx: &mut dyn Tx) -> Result<Vec<StudySummary>, StudyError> {
    let mut studies = BTreeMap::new();
    tx.rows("SELECT study_id, study_name FROM studies", &[], &mut |row| {
        let id = StudyId(row.int(0)?);
        let summary = StudySummary {
            id,
            name: row.text(1)?.to_owned(),
            directions: Vec::new(),
            trials: Vec::new(),
            runs: 0,
            best: None,
            started: None,
            ended: None,
        };
        studies.insert(id.0, summary);
        Ok(())
    })?;
    let sql = "SELECT study_id, direction FROM study_directions ORDER BY objective";
    tx.rows(sql, &[], &mut |row| {
        let found = (row.int(0)?, direction(row.text(1)?));
        studies.entry(found.0).and_modify(|s| s.directions.push(found.1));
        Ok(())
    })?;
    let sql = "SELECT study_id, state, COUNT(*), MIN(datetime_start), MAX(datetime_complete) FROM trials \
               GROUP BY study_id, state";
    tx.rows(sql, &[], &mut |row| {
        let (id, state, count) =
            (row.int_or_null(0)?.unwrap_or(-1), TrialState::read(row.text(1)?)?, row.count(2)?);
        let (started, ended) = (row.time(3)?, row.time(4)?);
        studies.entry(id).and_modify(|s| {
            s.trials.push((state, count));
            s.started = s.started.into_iter().chain(started).min();
            s.ended = s.ended.into_iter().chain(ended).max();
        });
        Ok(())
    })?;
    let sql = "SELECT study_id, COUNT(*) FROM lehr_runs WHERE number IS NOT NULL GROUP BY study_id";
    tx.rows(sql, &[], &mut |row| {
        let (id, count) = (row.int(0)?, row.count(1)?);
        studies.entry(id).and_modify(|s| s.runs = count);
        Ok(())
    })?;
    best_values(tx, &mut studies)?;
    let mut studies: Vec<StudySummary> = studies.into_values().collect();
    studies.iter_mut().for_each(|s| s.trials.sort_unstable_by_key(|(state, _)| *state));
    Ok(studies)
}

fn best_values(tx: &mut dyn Tx, studies: &mut BTreeMap<i64, StudySummary>) -> Result<(), StudyError> {
    let sql = "SELECT t.study_id, v.value_type, MIN(v.value), MAX(v.value) FROM trials t \
               JOIN trial_values v ON v.trial_id = t.trial_id WHERE t.state = 'COMPLETE' AND v.objective = 0 \
               GROUP BY t.study_id, v.value_type";
    tx.rows(sql, &[], &mut |row| {
        let kind = row.text(1)?;
        let ends = match kind {
            "INF_POS" => Some((f64::INFINITY, f64::INFINITY)),
            "INF_NEG" => Some((f64::NEG_INFINITY, f64::NEG_INFINITY)),
            _ => row.float_or_null(2)?.zip(row.float_or_null(3)?),
        };
        if let (Some((low, high)), Some(study)) = (ends, studies.get_mut(&row.int(0)?)) {
            study.best = match study.directions.as_slice() {
                [Direction::Minimize] => Some(study.best.map_or(low, |best| best.min(low))),
                [Direction::Maximize] => Some(study.best.map_or(high, |best| best.max(high))),
                _ => None,
            };
        }
        Ok(())
    })
}
