//! The registry of workers.
use super::driver::{Arg, Tx};
use super::parts::{check_name, lock_study};
use crate::error::StudyError;
use crate::run::{StudyId, Worker};

pub(super) fn enter(
    tx: &mut dyn Tx,
    study: StudyId,
    name: &str,
    host: &str,
    pid: u32,
) -> Result<i64, StudyError> {
    check_name("the worker", name)?;
    check_name("the host", host)?;
    lock_study(tx, study)?;
    let sql = "INSERT INTO lehr_workers (study_id, name, host, pid, started, heartbeat) \
               VALUES ($1, $2, $3, $4, {now}, {now}) RETURNING worker_id";
    let args = [Arg::Int(study.0), Arg::Text(name), Arg::Text(host), Arg::Int(pid.into())];
    let id = tx.row(sql, &args, |row| row.int(0))?;
    id.ok_or_else(|| StudyError::content("a new worker", "it was given no number"))
}

pub(super) fn sign(tx: &mut dyn Tx, worker: i64, ended: bool) -> Result<(), StudyError> {
    let sql = match ended {
        false => "UPDATE lehr_workers SET heartbeat = {now} WHERE worker_id = $1",
        true => "UPDATE lehr_workers SET heartbeat = {now}, ended = {now} WHERE worker_id = $1",
    };
    match tx.run(sql, &[Arg::Int(worker)])? {
        0 => Err(StudyError::absent(format!("worker {worker}"))),
        _ => Ok(()),
    }
}

pub(super) fn list(tx: &mut dyn Tx, study: StudyId) -> Result<Vec<Worker>, StudyError> {
    let sql = "SELECT h.worker_id, h.name, h.host, h.pid, {age}, h.ended FROM lehr_workers h WHERE h.study_id = $1 \
               ORDER BY h.worker_id";
    tx.all(sql, &[Arg::Int(study.0)], |row| {
        Ok(Worker {
            id: row.int(0)?,
            name: row.text(1)?.to_owned(),
            host: row.text(2)?.to_owned(),
            pid: row.int(3)? as u32,
            silent: row.float_or_null(4)?.unwrap_or(0.0),
            ended: row.time(5)?.is_some(),
        })
    })
}
