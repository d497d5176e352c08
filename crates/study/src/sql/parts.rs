//! Small parts that several statements need.
use std::fmt::Write;

use lehr_search::{Direction, Domain, Params};

use super::driver::{Arg, Row, Tx};
use crate::distribution;
use crate::error::StudyError;
use crate::run::StudyId;

/// What tells an attempt from any other: 128 random bits.
pub(super) fn token() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// A value as Optuna stores it: the number where it is finite, and its kind.
pub(super) fn stored(value: f64) -> (Arg<'static>, &'static str) {
    match value {
        x if x.is_nan() => (Arg::Null, "NAN"),
        f64::INFINITY => (Arg::Null, "INF_POS"),
        f64::NEG_INFINITY => (Arg::Null, "INF_NEG"),
        x => (Arg::Float(x), "FINITE"),
    }
}

/// A value from its number and its kind, in two neighbouring columns.
pub(super) fn value(row: &dyn Row, column: usize) -> Result<f64, StudyError> {
    match row.text(column + 1)? {
        "INF_POS" => Ok(f64::INFINITY),
        "INF_NEG" => Ok(f64::NEG_INFINITY),
        "NAN" => Ok(f64::NAN),
        // SQLite has no NaN and stores NULL for it.
        _ => Ok(row.float_or_null(column)?.unwrap_or(f64::NAN)),
    }
}

/// A step as Optuna's column holds it.
pub(crate) fn step(step: u64) -> Result<i64, StudyError> {
    i32::try_from(step).map(i64::from).map_err(|_| {
        StudyError::value(
            format!("a report of step {step}"),
            "Optuna's format has room for steps up to 2147483647",
        )
    })
}

/// A number as a column of 64 bits holds it.
pub(super) fn long(what: &str, number: u64) -> Result<i64, StudyError> {
    i64::try_from(number)
        .map_err(|_| StudyError::value(format!("{what} {number}"), "it must be at most 9223372036854775807"))
}

/// Checks a name that goes into a column of 512 characters.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), StudyError> {
    let shown = || format!("{what} {:?}", name.chars().take(60).collect::<String>());
    if name.contains('\0') {
        return Err(StudyError::value(shown(), "it contains a NUL character, which no database keeps"));
    }
    if name.chars().count() > 512 {
        return Err(StudyError::value(shown(), "it is longer than 512 characters"));
    }
    Ok(())
}

/// A free text with NUL, which no database keeps, replaced.
pub(super) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

pub(super) fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Minimize => "MINIMIZE",
        Direction::Maximize => "MAXIMIZE",
    }
}

/// Optuna's `NOT_SET` is minimised, as Optuna itself does.
pub(super) fn direction(name: &str) -> Direction {
    if name == "MAXIMIZE" { Direction::Maximize } else { Direction::Minimize }
}

/// Locks a study until the end of the transaction, so that numbers given in it stay dense. Optuna takes the same lock.
pub(super) fn lock_study(tx: &mut dyn Tx, study: StudyId) -> Result<(), StudyError> {
    let sql = "SELECT study_id FROM studies WHERE study_id = $1 {lock}";
    let found = tx.row(sql, &[Arg::Int(study.0)], |row| row.int(0))?;
    found.map(|_| ()).ok_or_else(|| StudyError::absent(format!("study {} (it was removed)", study.0)))
}

/// The storage's number of a trial.
pub(super) fn trial_id(tx: &mut dyn Tx, study: StudyId, trial: usize) -> Result<i64, StudyError> {
    let sql = "SELECT trial_id FROM trials WHERE study_id = $1 AND number = $2 ORDER BY trial_id LIMIT 1";
    let number = long("trial", trial as u64)?;
    let found = tx.row(sql, &[Arg::Int(study.0), Arg::Int(number)], |row| row.int(0))?;
    found.ok_or_else(|| StudyError::absent(format!("trial {trial}")))
}

/// A parameter as it is stored: name, internal number, distribution.
pub(super) struct StoredParam {
    pub(super) name: String,
    pub(super) raw: f64,
    pub(super) domain: Domain,
}

/// The parameters of a trial in the order in which they were stored.
pub(super) fn stored_params(tx: &mut dyn Tx, trial_id: i64) -> Result<Vec<StoredParam>, StudyError> {
    let sql = "SELECT param_name, param_value, distribution_json FROM trial_params WHERE trial_id = $1 ORDER BY param_id";
    tx.all(sql, &[Arg::Int(trial_id)], |row| {
        Ok(StoredParam {
            name: row.text(0)?.to_owned(),
            raw: row.float_or_null(1)?.unwrap_or(f64::NAN),
            domain: distribution::from_json(row.text(2)?)?,
        })
    })
}

/// Their values.
pub(super) fn values(params: &[StoredParam]) -> Params {
    params.iter().map(|p| (p.name.as_str(), p.domain.value(p.raw))).collect()
}

/// Inserts rows, some hundred at a time. `head` ends before VALUES, `tail` is what follows the rows.
pub(super) fn insert(
    tx: &mut dyn Tx,
    head: &str,
    width: usize,
    tail: &str,
    cells: &[Arg<'_>],
) -> Result<(), StudyError> {
    for rows in cells.chunks(width * 200) {
        tx.run(&insertion(head, width, tail, rows.len() / width), rows)?;
    }
    Ok(())
}

fn insertion(head: &str, width: usize, tail: &str, rows: usize) -> String {
    let mut sql = String::with_capacity(head.len() + tail.len() + 16 + rows * width * 6);
    sql.push_str(head);
    sql.push_str(" VALUES ");
    for cell in 0..rows * width {
        sql.push_str(match (cell, cell % width) {
            (0, _) => "($",
            (_, 0) => "), ($",
            _ => ", $",
        });
        // Writing to a text cannot fail.
        let _ = write!(sql, "{}", cell + 1);
    }
    sql.push_str(") ");
    sql.push_str(tail);
    sql
}

#[cfg(test)]
mod tests {
    #[test]
    fn rows_are_numbered_through() {
        let sql = super::insertion("INSERT INTO t (a, b)", 2, "ON CONFLICT DO NOTHING", 3);
        assert_eq!(sql, "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4), ($5, $6) ON CONFLICT DO NOTHING");
    }
}
