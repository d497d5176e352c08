//! What Optuna's own storage interface asks for: trials by the storage's number, attributes and distributions as text.
use lehr_search::Direction;

use super::Database;
use super::driver::{Arg, Driver, Kind, Row, Tx};
use super::parts::{check_name, lock_study, stored, value};
use super::{runs, stale, studies, trials};
use crate::attribute::Kind as AttributeKind;
use crate::distribution::from_json;
use crate::error::StudyError;
use crate::optuna::{Frozen, FrozenStudy, OptunaStorage};
use crate::run::StudyId;
use crate::state::TrialState;
use crate::time;

impl<D: Driver> OptunaStorage for Database<D> {
    fn url(&self) -> &str {
        &self.url
    }

    fn create_study(&self, name: &str, directions: &[Direction]) -> Result<StudyId, StudyError> {
        self.transact(Kind::Durable, "making a study", |tx| studies::add(tx, &self.url, name, directions))
    }

    fn delete_study(&self, study: StudyId) -> Result<(), StudyError> {
        self.transact(Kind::Durable, "removing a study", |tx| studies::delete(tx, study))
    }

    fn study_id(&self, name: &str) -> Result<StudyId, StudyError> {
        let found = self
            .transact(Kind::Read, "looking for a study", |tx| studies::find(tx, &self.url, name))
            .map(|(id, _)| id);
        found.map_err(|why| match why {
            StudyError::NoStudy { name, .. } => StudyError::absent(format!("study {name:?}")),
            other => other,
        })
    }

    fn studies(&self, study: Option<StudyId>) -> Result<Vec<FrozenStudy>, StudyError> {
        self.transact(Kind::Read, "reading studies", |tx| read_studies(tx, study))
    }

    fn set_study_attribute(
        &self,
        study: StudyId,
        kind: AttributeKind,
        key: &str,
        json: &str,
    ) -> Result<(), StudyError> {
        self.transact(Kind::Write, "writing an attribute", |tx| {
            lock_study(tx, study)?;
            studies::set_attribute(tx, false, study.0, kind, key, json)
        })
    }

    fn create_trial(&self, study: StudyId, like: &Frozen) -> Result<i64, StudyError> {
        let kind = if like.state.is_finished() { Kind::Durable } else { Kind::Write };
        self.transact(kind, "adding a trial", |tx| create_trial(tx, study, like))
    }

    fn set_param(&self, trial: i64, name: &str, value: f64, distribution: &str) -> Result<(), StudyError> {
        self.transact(Kind::Write, "setting a parameter", |tx| {
            let study = open_trial(tx, trial)?.study;
            set_param(tx, study, trial, name, value, distribution)
        })
    }

    fn set_state(&self, trial: i64, state: TrialState, values: Option<&[f64]>) -> Result<bool, StudyError> {
        let kind = if state.is_finished() { Kind::Durable } else { Kind::Write };
        self.transact(kind, "setting the state of a trial", |tx| set_state(tx, trial, state, values))
    }

    fn set_report(&self, trial: i64, step: i64, value: f64) -> Result<(), StudyError> {
        self.transact(Kind::Write, "writing a report", |tx| {
            open_trial(tx, trial)?;
            set_report(tx, trial, step, value)
        })
    }

    fn set_trial_attribute(
        &self,
        trial: i64,
        kind: AttributeKind,
        key: &str,
        json: &str,
    ) -> Result<(), StudyError> {
        self.transact(Kind::Write, "writing an attribute", |tx| {
            open_trial(tx, trial)?;
            studies::set_attribute(tx, true, trial, kind, key, json)
        })
    }

    fn trial(&self, trial: i64) -> Result<Frozen, StudyError> {
        let found = self
            .transact(Kind::Read, "reading a trial", |tx| read(tx, "t.trial_id = $1", &[Arg::Int(trial)]))?;
        found.into_iter().next().ok_or_else(|| no_trial(trial))
    }

    fn trials(&self, study: StudyId, after: i64, and: &[i64]) -> Result<Vec<Frozen>, StudyError> {
        self.transact(Kind::Read, "reading trials", |tx| {
            exists(tx, study)?;
            let mut found = Vec::new();
            for &id in and {
                found.extend(read(
                    tx,
                    "t.trial_id = $1 AND t.study_id = $2",
                    &[Arg::Int(id), Arg::Int(study.0)],
                )?);
            }
            let new = [Arg::Int(study.0), Arg::Int(after)];
            found.extend(read(tx, "t.study_id = $1 AND t.trial_id > $2", &new)?);
            Ok(found)
        })
    }

    fn sign(&self, trial: i64) -> Result<(), StudyError> {
        self.transact(Kind::Write, "giving a sign of life", |tx| runs::sign_of_life(tx, trial))
    }

    fn stale(&self, study: StudyId, seconds: f64) -> Result<Vec<i64>, StudyError> {
        self.transact(Kind::Read, "looking for dead workers", |tx| stale::of_optuna(tx, study, seconds))
    }
}

fn no_trial(trial: i64) -> StudyError {
    StudyError::absent(format!("trial with the id {trial}"))
}

fn exists(tx: &mut dyn Tx, study: StudyId) -> Result<(), StudyError> {
    let sql = "SELECT study_id FROM studies WHERE study_id = $1";
    let found = tx.row(sql, &[Arg::Int(study.0)], |row| row.int(0))?;
    found.map(|_| ()).ok_or_else(|| StudyError::absent(format!("study with the id {}", study.0)))
}

/// A trial that may be changed, locked.
struct OpenTrial {
    study: StudyId,
    state: TrialState,
}

fn open_trial(tx: &mut dyn Tx, trial: i64) -> Result<OpenTrial, StudyError> {
    let sql = "SELECT study_id, state, number FROM trials WHERE trial_id = $1 {lock}";
    let found = tx.row(sql, &[Arg::Int(trial)], |row| {
        Ok((StudyId(row.int(0)?), TrialState::read(row.text(1)?)?, row.int_or_null(2)?))
    })?;
    match found {
        None => Err(no_trial(trial)),
        Some((_, state, number)) if state.is_finished() => {
            Err(StudyError::Finished { trial: number.unwrap_or_default() as usize, state })
        }
        Some((study, state, _)) => Ok(OpenTrial { study, state }),
    }
}

fn create_trial(tx: &mut dyn Tx, study: StudyId, like: &Frozen) -> Result<i64, StudyError> {
    lock_study(tx, study)?;
    let (id, _) = trials::add(tx, study, like.state)?;
    let moment = |micros: Option<i64>| micros.map_or(Arg::Null, Arg::Time);
    if like.started.is_some() || like.ended.is_some() {
        let sql = "UPDATE trials SET datetime_start = $1, datetime_complete = $2 WHERE trial_id = $3";
        tx.run(sql, &[moment(like.started), moment(like.ended), Arg::Int(id)])?;
    }
    set_values(tx, id, &like.values)?;
    for (name, value, distribution) in &like.params {
        set_param(tx, study, id, name, *value, distribution)?;
    }
    for (kind, attributes) in [(AttributeKind::User, &like.user), (AttributeKind::System, &like.system)] {
        for (key, json) in attributes {
            studies::set_attribute(tx, true, id, kind, key, json)?;
        }
    }
    for &(step, value) in &like.reports {
        set_report(tx, id, step, value)?;
    }
    Ok(id)
}

fn set_param(
    tx: &mut dyn Tx,
    study: StudyId,
    trial: i64,
    name: &str,
    value: f64,
    distribution: &str,
) -> Result<(), StudyError> {
    check_name("the parameter", name)?;
    if !value.is_finite() {
        return Err(StudyError::value(format!("{name}={value}"), "it must be finite"));
    }
    trials::check_compatible(tx, study, None, name, &from_json(distribution)?)?;
    let sql = "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (trial_id, param_name) DO UPDATE SET param_value = excluded.param_value, \
               distribution_json = excluded.distribution_json";
    let args = [Arg::Int(trial), Arg::Text(name), Arg::Float(value), Arg::Text(distribution)];
    tx.run(sql, &args).map(|_| ())
}

fn set_values(tx: &mut dyn Tx, trial: i64, values: &[f64]) -> Result<(), StudyError> {
    for (objective, &given) in values.iter().enumerate() {
        if given.is_nan() {
            return Err(StudyError::value("a value that is NaN", "Optuna's format has no place for it"));
        }
        let (number, kind) = stored(given);
        let sql = "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (trial_id, objective) DO UPDATE SET value = excluded.value, value_type = excluded.value_type";
        tx.run(sql, &[Arg::Int(trial), Arg::Int(objective as i64), number, Arg::Text(kind)])?;
    }
    Ok(())
}

fn set_state(
    tx: &mut dyn Tx,
    trial: i64,
    state: TrialState,
    values: Option<&[f64]>,
) -> Result<bool, StudyError> {
    let now = open_trial(tx, trial)?.state;
    if state == TrialState::Running && now == TrialState::Running {
        return Ok(false);
    }
    set_values(tx, trial, values.unwrap_or_default())?;
    let args = [Arg::Text(state.name()), Arg::Time(time::now()), Arg::Int(trial)];
    match state {
        TrialState::Running => {
            tx.run("UPDATE trials SET state = $1, datetime_start = $2 WHERE trial_id = $3", &args)?
        }
        TrialState::Waiting => {
            tx.run("UPDATE trials SET state = $1 WHERE trial_id = $2", &[args[0], args[2]])?
        }
        _ => tx.run("UPDATE trials SET state = $1, datetime_complete = $2 WHERE trial_id = $3", &args)?,
    };
    Ok(true)
}

fn set_report(tx: &mut dyn Tx, trial: i64, step: i64, given: f64) -> Result<(), StudyError> {
    if i32::try_from(step).is_err() {
        let why = "Optuna's format has room for steps up to 2147483647";
        return Err(StudyError::value(format!("a report of step {step}"), why));
    }
    let (number, kind) = stored(given);
    let sql = "INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type) \
               VALUES ($1, $2, $3, $4) ON CONFLICT (trial_id, step) DO UPDATE SET \
               intermediate_value = excluded.intermediate_value, \
               intermediate_value_type = excluded.intermediate_value_type";
    tx.run(sql, &[Arg::Int(trial), Arg::Int(step), number, Arg::Text(kind)]).map(|_| ())
}

fn read_studies(tx: &mut dyn Tx, study: Option<StudyId>) -> Result<Vec<FrozenStudy>, StudyError> {
    let mut found = tx.all("SELECT study_id, study_name FROM studies ORDER BY study_id", &[], |row| {
        let (id, name) = (StudyId(row.int(0)?), row.text(1)?.to_owned());
        Ok(FrozenStudy { id, name, directions: Vec::new(), user: Vec::new(), system: Vec::new() })
    })?;
    if let Some(study) = study {
        found.retain(|s| s.id == study);
        if found.is_empty() {
            return Err(StudyError::absent(format!("study with the id {}", study.0)));
        }
    }
    for study in &mut found {
        let id = [Arg::Int(study.id.0)];
        let sql = "SELECT direction FROM study_directions WHERE study_id = $1 ORDER BY objective";
        study.directions = tx.all(sql, &id, |row| Ok(super::parts::direction(row.text(0)?)))?;
        let sql = "SELECT key, value_json FROM study_user_attributes WHERE study_id = $1";
        study.user = tx.all(sql, &id, pair)?;
        let sql = "SELECT key, value_json FROM study_system_attributes WHERE study_id = $1";
        study.system = tx.all(sql, &id, pair)?;
    }
    Ok(found)
}

fn pair(row: &dyn Row) -> Result<(String, String), StudyError> {
    Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()))
}

/// The trials that fulfil a condition on `trials t`, by their number in the storage.
fn read(tx: &mut dyn Tx, condition: &str, args: &[Arg<'_>]) -> Result<Vec<Frozen>, StudyError> {
    let sql = format!(
        "SELECT t.trial_id, t.number, t.state, t.datetime_start, t.datetime_complete FROM trials t \
         WHERE {condition} ORDER BY t.trial_id"
    );
    let mut found = tx.all(&sql, args, |row| {
        let mut trial = Frozen::new(TrialState::read(row.text(2)?)?);
        trial.id = row.int(0)?;
        trial.number = row.int_or_null(1)?.unwrap_or_default() as usize;
        (trial.started, trial.ended) = (row.time(3)?, row.time(4)?);
        Ok(trial)
    })?;
    if found.is_empty() {
        return Ok(found);
    }
    let mut of = |columns: &str, table: &str, order: &str, put: &mut Put<'_>| -> Result<(), StudyError> {
        let sql = format!(
            "SELECT t.trial_id, {columns} FROM trials t JOIN {table} v ON v.trial_id = t.trial_id \
             WHERE {condition} ORDER BY v.trial_id, v.{order}"
        );
        tx.rows(&sql, args, &mut |row| {
            let id = row.int(0)?;
            found.binary_search_by_key(&id, |t| t.id).map_or(Ok(()), |place| put(row, &mut found[place]))
        })
    };
    of("v.value, v.value_type", "trial_values", "objective", &mut |row, trial| {
        trial.values.push(value(row, 1)?);
        Ok(())
    })?;
    of("v.param_name, v.param_value, v.distribution_json", "trial_params", "param_id", &mut |row, trial| {
        let number = row.float_or_null(2)?.unwrap_or(f64::NAN);
        trial.params.push((row.text(1)?.to_owned(), number, row.text(3)?.to_owned()));
        Ok(())
    })?;
    let attribute = |row: &dyn Row| Ok::<_, StudyError>((row.text(1)?.to_owned(), row.text(2)?.to_owned()));
    of("v.key, v.value_json", "trial_user_attributes", "trial_user_attribute_id", &mut |row, trial| {
        trial.user.push(attribute(row)?);
        Ok(())
    })?;
    of("v.key, v.value_json", "trial_system_attributes", "trial_system_attribute_id", &mut |row, trial| {
        trial.system.push(attribute(row)?);
        Ok(())
    })?;
    let columns = "v.step, v.intermediate_value, v.intermediate_value_type";
    of(columns, "trial_intermediate_values", "step", &mut |row, trial| {
        trial.reports.push((row.int(1)?, value(row, 2)?));
        Ok(())
    })?;
    Ok(found)
}

type Put<'a> = dyn FnMut(&dyn Row, &mut Frozen) -> Result<(), StudyError> + 'a;
