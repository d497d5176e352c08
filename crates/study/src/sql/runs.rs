//! Runs: how they start, report and end, and what that means for their trial.
use lehr_search::{Seen, Space};

use super::driver::{Arg, Tx};
use super::parts::{
    check_name, clean, insert, lock_study, long, step, stored, stored_params, trial_id, value, values,
};
use super::{stops, trials};
use crate::error::StudyError;
use crate::run::{After, Claim, NewRun, Note, Plan, Reports, RunEnd, RunOutcome, Standing, StudyId, Target};
use crate::state::{RunState, TrialState};
use crate::time;

/// What a run that begins is made of.
pub(super) struct RunRow<'a> {
    pub(super) study: StudyId,
    pub(super) trial_id: i64,
    pub(super) plan: &'a Plan,
    pub(super) worker: &'a str,
    pub(super) token: &'a str,
    pub(super) saw: &'a [Seen],
}

impl RunRow<'_> {
    /// What it saw, as it is stored.
    fn saw(&self) -> Option<String> {
        let pairs: Vec<String> = self.saw.iter().map(|s| format!("[{},{}]", s.trial, s.reports)).collect();
        (!pairs.is_empty()).then(|| format!("[{}]", pairs.join(",")))
    }
}

pub(super) fn start(
    tx: &mut dyn Tx,
    study: StudyId,
    space: &Space,
    run: &NewRun,
    token: &str,
) -> Result<Claim, StudyError> {
    check_name("the worker", &run.worker)?;
    lock_study(tx, study)?;
    let started = next_number(tx, study)?;
    if let Some(expected) = run.after.filter(|&expected| expected != started) {
        return Err(StudyError::Outdated { expected, started });
    }
    let (trial_id, trial, saw, params) = match &run.target {
        Target::Paused(number) => return resume(tx, study, run, *number, token),
        Target::New { params, saw } => {
            let (id, trial) = trials::add(tx, study, TrialState::Running)?;
            let params = trials::first_params(tx, study, id, space, params)?;
            (id, trial, saw.as_slice(), params)
        }
        Target::Known(trial) => {
            let id = trial_id(tx, study, *trial)?;
            expect_running(tx, id, *trial)?;
            make_several(tx, id)?;
            (id, *trial, [].as_slice(), values(&stored_params(tx, id)?))
        }
    };
    let row = RunRow { study, trial_id, plan: &run.plan, worker: &run.worker, token, saw };
    let run_id = add(tx, study, trial_id, &run.plan, Some((&row, started)))?;
    let (token, plan) = (token.to_owned(), run.plan.clone());
    Ok(Claim { study, trial, trial_id, run: started, run_id, token, attempt: 1, params, plan })
}

/// How many runs were started: the number of the next one.
fn next_number(tx: &mut dyn Tx, study: StudyId) -> Result<usize, StudyError> {
    let sql = "SELECT number FROM lehr_runs WHERE study_id = $1 AND number IS NOT NULL ORDER BY number DESC LIMIT 1";
    Ok(tx.row(sql, &[Arg::Int(study.0)], |row| row.count(0))?.map_or(0, |last| last + 1))
}

pub(super) fn trial_state(tx: &mut dyn Tx, trial_id: i64) -> Result<TrialState, StudyError> {
    let sql = "SELECT state FROM trials WHERE trial_id = $1 {lock}";
    let state = tx.row(sql, &[Arg::Int(trial_id)], |row| TrialState::read(row.text(0)?))?;
    state.ok_or_else(|| StudyError::absent("such a trial"))
}

fn expect_running(tx: &mut dyn Tx, trial_id: i64, trial: usize) -> Result<(), StudyError> {
    match trial_state(tx, trial_id)? {
        TrialState::Running => Ok(()),
        state => Err(StudyError::state(
            format!("trial {trial}"),
            format!("it is {state}, so no run of it can start"),
        )),
    }
}

/// Makes a run RUNNING: a new one, or one that was queued. The study is locked.
pub(super) fn begin(
    tx: &mut dyn Tx,
    run: &RunRow<'_>,
    queued: Option<i64>,
) -> Result<(i64, usize), StudyError> {
    let number = next_number(tx, run.study)?;
    let run_id = match queued {
        Some(run_id) => {
            let saw = run.saw();
            let sql = "UPDATE lehr_runs SET number = $1, state = 'running', token = $2, worker = $3, saw = $4, \
                       started = $5, heartbeat = {now} WHERE run_id = $6";
            let args = [
                Arg::Int(number as i64),
                Arg::Text(run.token),
                Arg::Text(run.worker),
                Arg::text(saw.as_deref()),
                Arg::Time(time::now()),
                Arg::Int(run_id),
            ];
            tx.run(sql, &args)?;
            run_id
        }
        None => add(tx, run.study, run.trial_id, run.plan, Some((run, number)))?,
    };
    Ok((run_id, number))
}

/// Adds a run that waits with its trial.
pub(super) fn add_queued(
    tx: &mut dyn Tx,
    study: StudyId,
    trial_id: i64,
    plan: &Plan,
) -> Result<(), StudyError> {
    add(tx, study, trial_id, plan, None).map(|_| ())
}

/// Adds a run: one that begins now under a number, or one that is queued.
fn add(
    tx: &mut dyn Tx,
    study: StudyId,
    trial_id: i64,
    plan: &Plan,
    begins: Option<(&RunRow<'_>, usize)>,
) -> Result<i64, StudyError> {
    let checkpoint = plan.checkpoint.as_ref();
    let branch_step = plan.branch.map(|b| long("a step", b.step)).transpose()?;
    let checkpoint_step = checkpoint.map(|c| long("a step", c.step)).transpose()?;
    let path = checkpoint.map(|c| clean(&c.path));
    let saw = begins.and_then(|(run, _)| run.saw());
    let sql = match begins {
        Some(_) => {
            "INSERT {or fail} INTO lehr_runs (study_id, trial_id, horizon, seed, comparability, parent, parent_step, checkpoint, \
             checkpoint_step, attempt, steps_before, steps_spent, state, number, token, worker, saw, started, heartbeat) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, 0, 0, 'running', $10, $11, $12, $13, $14, {now})"
        }
        None => {
            "INSERT {or fail} INTO lehr_runs (study_id, trial_id, horizon, seed, comparability, parent, parent_step, checkpoint, \
             checkpoint_step, attempt, steps_before, steps_spent, state) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, 0, 0, 'queued')"
        }
    };
    let mut args = vec![
        Arg::Int(study.0),
        Arg::Int(trial_id),
        Arg::Int(long("a horizon of", plan.horizon)?),
        // Seeds and keys have 64 bits; the column has their sign.
        Arg::Int(plan.seed as i64),
        Arg::Int(plan.key.0 as i64),
        Arg::int(plan.branch.map(|b| b.run as i64)),
        Arg::int(branch_step),
        Arg::text(path.as_deref()),
        Arg::int(checkpoint_step),
    ];
    if let Some((run, number)) = begins {
        args.extend([
            Arg::Int(number as i64),
            Arg::Text(run.token),
            Arg::Text(run.worker),
            Arg::text(saw.as_deref()),
            Arg::Time(time::now()),
        ]);
    }
    tx.add(sql, "run_id", &args)
}

/// Takes up a paused run again.
fn resume(
    tx: &mut dyn Tx,
    study: StudyId,
    run: &NewRun,
    number: usize,
    token: &str,
) -> Result<Claim, StudyError> {
    let sql = "SELECT r.run_id, r.trial_id, t.number, r.state, r.attempt FROM lehr_runs r JOIN trials t ON t.trial_id = r.trial_id \
               WHERE r.study_id = $1 AND r.number = $2";
    let args = [Arg::Int(study.0), Arg::Int(number as i64)];
    let found = tx.row(sql, &args, |row| {
        Ok((row.int(0)?, row.int(1)?, row.count(2)?, RunState::read(row.text(3)?)?, row.int(4)?))
    })?;
    let Some((run_id, trial_id, trial, state, attempt)) = found else {
        return Err(StudyError::absent(format!("run {number}")));
    };
    if state != RunState::Paused {
        return Err(StudyError::state(format!("run {number}"), format!("it is {state}, not paused")));
    }
    expect_running(tx, trial_id, trial)?;
    let plan = &run.plan;
    // A checkpoint may be newer than the last report that was written down: what led to it was spent, too.
    let made = "$5 - COALESCE(parent_step, 0)";
    let sql = format!(
        "UPDATE lehr_runs SET state = 'running', token = $1, worker = $2, horizon = $3, attempt = $4, ended = NULL, \
         steps_before = CASE WHEN steps_spent < {made} THEN {made} ELSE steps_spent END, heartbeat = {{now}} \
         WHERE run_id = $6"
    );
    let attempt = attempt + 1;
    let args = [
        Arg::Text(token),
        Arg::Text(&run.worker),
        Arg::Int(long("a horizon of", plan.horizon)?),
        Arg::Int(attempt),
        Arg::Int(long(
            "a checkpoint's step",
            plan.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.step),
        )?),
        Arg::Int(run_id),
    ];
    tx.run(&sql, &args)?;
    let params = values(&stored_params(tx, trial_id)?);
    let (token, plan, attempt) = (token.to_owned(), plan.clone(), attempt as u32);
    Ok(Claim { study, trial, trial_id, run: number, run_id, token, attempt, params, plan })
}

/// Notes for Optuna that whoever runs a trial lives; Lehr itself looks at the heartbeat of the run. The first one comes with the
/// first reports, or within a second: most short trials end without a row for it.
pub(super) fn sign_of_life(tx: &mut dyn Tx, trial_id: i64) -> Result<(), StudyError> {
    let sql = "INSERT INTO trial_heartbeats (trial_id, heartbeat) VALUES ($1, {now}) \
               ON CONFLICT (trial_id) DO UPDATE SET heartbeat = excluded.heartbeat";
    tx.run(sql, &[Arg::Int(trial_id)]).map(|_| ())
}

/// Before a second run of a trial starts: the reports of the first one make room for one value per run.
fn make_several(tx: &mut dyn Tx, trial_id: i64) -> Result<(), StudyError> {
    let sql = "SELECT run_id FROM lehr_runs WHERE trial_id = $1";
    let runs = tx.all(sql, &[Arg::Int(trial_id)], |row| row.int(0))?;
    let [run_id] = runs.as_slice() else { return Ok(()) };
    let sql = "INSERT INTO lehr_reports (run_id, step, value, value_type) SELECT CAST($1 AS INTEGER), step, \
               intermediate_value, CAST(intermediate_value_type AS VARCHAR(7)) FROM trial_intermediate_values \
               WHERE trial_id = $2 ON CONFLICT DO NOTHING";
    tx.run(sql, &[Arg::Int(*run_id), Arg::Int(trial_id)])?;
    write_ends(tx, trial_id)
}

/// A run of a trial: its horizon, and its value if it is complete.
type RunEnded = (u64, Option<f64>);

fn ends(tx: &mut dyn Tx, trial_id: i64) -> Result<Vec<RunEnded>, StudyError> {
    let sql = "SELECT horizon, value, value_type FROM lehr_runs WHERE trial_id = $1 AND state <> 'queued' ORDER BY run_id";
    tx.all(sql, &[Arg::Int(trial_id)], |row| {
        let end = if row.text_or_null(2)?.is_some() { Some(value(row, 1)?) } else { None };
        Ok((row.int(0)? as u64, end))
    })
}

/// What Optuna sees of a trial with several runs in place of their reports. Runs to several horizons: the horizon and the
/// value there. Runs to one horizon, which differ in their seeds: the place of the run among them and its value, as Optuna's
/// Wilcoxon pruner wants it.
fn write_ends(tx: &mut dyn Tx, trial_id: i64) -> Result<(), StudyError> {
    let runs = ends(tx, trial_id)?;
    let seeds = runs.len() > 1 && runs.windows(2).all(|pair| pair[0].0 == pair[1].0);
    let mut horizons: Vec<u64> = runs.iter().filter(|run| run.1.is_some()).map(|run| run.0).collect();
    horizons.sort_unstable();
    horizons.dedup();
    let shown: Vec<(u64, f64)> = match seeds {
        true => (0..).zip(&runs).filter_map(|(place, run)| Some((place, run.1?))).collect(),
        false => horizons.iter().filter_map(|&horizon| Some((horizon, mean(&runs, horizon)?))).collect(),
    };
    tx.run("DELETE FROM trial_intermediate_values WHERE trial_id = $1", &[Arg::Int(trial_id)])?;
    write_intermediate(tx, trial_id, &shown)
}

/// The mean of the values of the complete runs to a horizon.
fn mean(runs: &[RunEnded], horizon: u64) -> Option<f64> {
    let values: Vec<f64> = runs.iter().filter(|run| run.0 == horizon).filter_map(|run| run.1).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// What a claim holds.
pub(super) struct Held {
    /// Whether its trial has several runs.
    several: bool,
    /// Why somebody asked for its end.
    stop: Option<String>,
}

/// Locks a run and makes sure that the claim still holds.
pub(super) fn hold(tx: &mut dyn Tx, claim: &Claim) -> Result<Held, StudyError> {
    let taken = |message: String| Err(StudyError::Taken { what: claim.what(), message });
    let sql = "SELECT r.token, r.state, (SELECT COUNT(*) FROM lehr_runs o WHERE o.trial_id = r.trial_id), r.reason, \
               (SELECT a.value_json FROM trial_system_attributes a WHERE a.trial_id = r.trial_id AND a.key = 'lehr:stop') \
               FROM lehr_runs r WHERE r.run_id = $1 AND r.trial_id = $2 {lock}";
    let args = [Arg::Int(claim.run_id), Arg::Int(claim.trial_id)];
    let found = tx.row(sql, &args, |row| {
        let same = row.text_or_null(0)? == Some(&claim.token);
        let text = |column: usize| Ok::<_, StudyError>(row.text_or_null(column)?.map(str::to_owned));
        Ok((same, RunState::read(row.text(1)?)?, row.int(2)?, text(3)?, text(4)?))
    })?;
    match found {
        Some((true, RunState::Running, runs, _, stop)) => {
            Ok(Held { several: runs > 1, stop: stop.map(|json| stops::text(&json)) })
        }
        Some((true, state, _, reason, _)) => {
            let reason = reason.map(|r| format!(" ({r})")).unwrap_or_default();
            taken(format!("it is {state}{reason}"))
        }
        Some((false, ..)) => taken("it was given to another worker".into()),
        None => taken("it was removed".into()),
    }
}

pub(super) fn report_all(tx: &mut dyn Tx, reports: &[Reports]) -> Result<Vec<Standing>, StudyError> {
    // In one order, so that two who report on the same runs do not wait for each other.
    let mut order: Vec<usize> = (0..reports.len()).collect();
    order.sort_by_key(|&i| reports[i].claim.run_id);
    let mut standing = vec![Standing::Lost; reports.len()];
    for i in order {
        let Reports { claim, values } = &reports[i];
        match hold(tx, claim) {
            Ok(held) => {
                write(tx, claim, &held, values)?;
                tx.run(
                    "UPDATE lehr_runs SET heartbeat = {now} WHERE run_id = $1",
                    &[Arg::Int(claim.run_id)],
                )?;
                sign_of_life(tx, claim.trial_id)?;
                standing[i] = held.stop.map_or(Standing::Holds, Standing::Stopped);
            }
            Err(StudyError::Taken { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(standing)
}

fn write(tx: &mut dyn Tx, claim: &Claim, held: &Held, reports: &[(u64, f64)]) -> Result<(), StudyError> {
    let reports = without_twins(reports);
    if !held.several {
        return write_intermediate(tx, claim.trial_id, &reports);
    }
    let mut cells = Vec::with_capacity(reports.len() * 4);
    for &(at, value) in reports.iter() {
        let (number, kind) = stored(value);
        cells.extend([
            Arg::Int(claim.run_id),
            Arg::Int(long("a report of step", at)?),
            number,
            Arg::Text(kind),
        ]);
    }
    let head = "INSERT {or fail} INTO lehr_reports (run_id, step, value, value_type)";
    let tail =
        "ON CONFLICT (run_id, step) DO UPDATE SET value = excluded.value, value_type = excluded.value_type";
    insert(tx, head, 4, tail, &cells)
}

fn write_intermediate(tx: &mut dyn Tx, trial_id: i64, reports: &[(u64, f64)]) -> Result<(), StudyError> {
    let mut cells = Vec::with_capacity(reports.len() * 4);
    for &(at, value) in reports {
        let (number, kind) = stored(value);
        cells.extend([Arg::Int(trial_id), Arg::Int(step(at)?), number, Arg::Text(kind)]);
    }
    let head = "INSERT {or fail} INTO trial_intermediate_values \
                (trial_id, step, intermediate_value, intermediate_value_type)";
    let tail = "ON CONFLICT (trial_id, step) DO UPDATE SET intermediate_value = excluded.intermediate_value, \
                intermediate_value_type = excluded.intermediate_value_type";
    insert(tx, head, 4, tail, &cells)
}

/// Of several reports of one step, the last.
fn without_twins(reports: &[(u64, f64)]) -> std::borrow::Cow<'_, [(u64, f64)]> {
    if reports.windows(2).all(|pair| pair[0].0 < pair[1].0) {
        return reports.into();
    }
    let last: std::collections::BTreeMap<u64, f64> = reports.iter().copied().collect();
    last.into_iter().collect::<Vec<_>>().into()
}

pub(super) fn note(tx: &mut dyn Tx, claim: &Claim, note: &Note) -> Result<(), StudyError> {
    hold(tx, claim)?;
    let log = note.log.as_deref().map(clean);
    if let Some(log) = &log {
        tx.run("UPDATE lehr_runs SET log = $1 WHERE run_id = $2", &[Arg::Text(log), Arg::Int(claim.run_id)])?;
    }
    if let Some(steps) = note.steps {
        spend(tx, claim, steps)?;
    }
    set_checkpoint(tx, claim, note.checkpoint.as_ref())
}

fn spend(tx: &mut dyn Tx, claim: &Claim, steps: u64) -> Result<(), StudyError> {
    let sql = "UPDATE lehr_runs SET steps_spent = steps_before + $1 WHERE run_id = $2";
    tx.run(sql, &[Arg::Int(long("a number of steps", steps)?), Arg::Int(claim.run_id)]).map(|_| ())
}

fn set_checkpoint(
    tx: &mut dyn Tx,
    claim: &Claim,
    checkpoint: Option<&crate::run::Checkpoint>,
) -> Result<(), StudyError> {
    let Some(checkpoint) = checkpoint else { return Ok(()) };
    let sql = "UPDATE lehr_runs SET checkpoint = $1, checkpoint_step = $2 WHERE run_id = $3";
    let path = clean(&checkpoint.path);
    let args = [Arg::Text(&path), Arg::Int(long("a step", checkpoint.step)?), Arg::Int(claim.run_id)];
    tx.run(sql, &args).map(|_| ())
}

/// The state and the value of a run that ends so.
fn ended(outcome: RunOutcome) -> (RunState, Option<f64>) {
    match outcome {
        RunOutcome::Complete(value) if !value.is_nan() => (RunState::Complete, Some(value)),
        RunOutcome::Complete(_) | RunOutcome::Diverged => (RunState::Diverged, None),
        RunOutcome::Pruned => (RunState::Pruned, None),
        RunOutcome::Failed => (RunState::Failed, None),
        RunOutcome::Paused => (RunState::Paused, None),
    }
}

pub(super) fn end(
    tx: &mut dyn Tx,
    claim: &Claim,
    last: &[(u64, f64)],
    end: &RunEnd,
) -> Result<(), StudyError> {
    let (state, value) = ended(end.outcome);
    let held = match hold(tx, claim) {
        Ok(held) => held,
        Err(taken) => return if ended_so(tx, claim, state)? { Ok(()) } else { Err(taken) },
    };
    let trial = trial_state(tx, claim.trial_id)?;
    if trial != TrialState::Running {
        let message = format!("its trial was ended as {trial} by another program");
        return Err(StudyError::Taken { what: claim.what(), message });
    }
    write(tx, claim, &held, last)?;
    set_checkpoint(tx, claim, end.checkpoint.as_ref())?;
    let steps = Some(long("a number of steps", end.steps)?);
    finish_run(tx, claim.run_id, state, value, end.reason.as_deref(), steps)?;
    if held.several && value.is_some() {
        write_ends(tx, claim.trial_id)?;
    }
    let close = match end.after {
        After::Close(state) => Some(state),
        After::Open => None,
        After::AsRun => match state {
            RunState::Complete => Some(TrialState::Complete),
            RunState::Pruned => Some(TrialState::Pruned),
            RunState::Failed | RunState::Diverged => Some(TrialState::Failed),
            RunState::Paused | RunState::Queued | RunState::Running => None,
        },
    };
    match close {
        Some(close) => {
            let others = held.several || state == RunState::Paused;
            close_as(tx, claim.trial, claim.trial_id, close, value, others)
        }
        // An open trial without a running run is not stale: it waits, unless it was to end.
        None => {
            if let Some(reason) = &held.stop {
                stops::end(tx, claim.trial_id, reason)?;
            }
            rest(tx, claim.trial_id)
        }
    }
}

/// Whether this very claim ended the run like that before.
fn ended_so(tx: &mut dyn Tx, claim: &Claim, state: RunState) -> Result<bool, StudyError> {
    let sql = "SELECT run_id FROM lehr_runs WHERE run_id = $1 AND token = $2 AND state = $3";
    let args = [Arg::Int(claim.run_id), Arg::Text(&claim.token), Arg::Text(state.name())];
    Ok(tx.row(sql, &args, |row| row.int(0))?.is_some())
}

/// Writes the end of a run, and how many steps it had where that is known.
pub(super) fn finish_run(
    tx: &mut dyn Tx,
    run_id: i64,
    state: RunState,
    value: Option<f64>,
    reason: Option<&str>,
    steps: Option<i64>,
) -> Result<(), StudyError> {
    let (number, kind) = value.map_or((Arg::Null, Arg::Null), |v| {
        let (number, kind) = stored(v);
        (number, Arg::Text(kind))
    });
    let reason = reason.map(clean);
    let sql = "UPDATE lehr_runs SET state = $1, value = $2, value_type = $3, reason = $4, ended = $5, \
               steps_spent = COALESCE(steps_before + $6, steps_spent) WHERE run_id = $7";
    let args = [
        Arg::Text(state.name()),
        number,
        kind,
        Arg::text(reason.as_deref()),
        Arg::Time(time::now()),
        Arg::int(steps),
        Arg::Int(run_id),
    ];
    tx.run(sql, &args).map(|_| ())
}

/// Takes the sign of life away from an open trial none of whose runs is running.
pub(super) fn rest(tx: &mut dyn Tx, trial_id: i64) -> Result<(), StudyError> {
    let sql = "DELETE FROM trial_heartbeats WHERE trial_id = $1 AND NOT EXISTS \
               (SELECT 1 FROM lehr_runs r WHERE r.trial_id = trial_heartbeats.trial_id AND r.state = 'running')";
    tx.run(sql, &[Arg::Int(trial_id)]).map(|_| ())
}

pub(super) fn close(
    tx: &mut dyn Tx,
    study: StudyId,
    trial: usize,
    state: TrialState,
) -> Result<(), StudyError> {
    let id = trial_id(tx, study, trial)?;
    let what = || format!("trial {trial}");
    match trial_state(tx, id)? {
        now if now == state => return Ok(()),
        TrialState::Running | TrialState::Waiting => {}
        now => {
            return Err(StudyError::state(
                what(),
                format!("it is {now} already, so it cannot become {state}"),
            ));
        }
    }
    let sql = "SELECT number FROM lehr_runs WHERE trial_id = $1 AND state = 'running'";
    if let Some(run) = tx.row(sql, &[Arg::Int(id)], |row| row.int_or_null(0))? {
        let run = run.unwrap_or(0);
        return Err(StudyError::state(what(), format!("its run {run} is running; end that first")));
    }
    close_as(tx, trial, id, state, None, true)
}

/// Ends a trial, and where it may have runs that wait (`others`) these too. Without a value of its own a complete one takes that of
/// its longest complete run; of several as long, their mean.
fn close_as(
    tx: &mut dyn Tx,
    trial: usize,
    id: i64,
    state: TrialState,
    value: Option<f64>,
    others: bool,
) -> Result<(), StudyError> {
    let value = match state {
        TrialState::Complete => match value.map_or_else(|| longest(tx, id), |v| Ok(Some(v)))? {
            Some(value) => Some(value),
            None => {
                let message = "it has no value, so it cannot be complete: none of its runs is";
                return Err(StudyError::state(format!("trial {trial}"), message));
            }
        },
        TrialState::Pruned => last_report(tx, id)?,
        TrialState::Failed => None,
        TrialState::Running | TrialState::Waiting => {
            return Err(StudyError::state(format!("trial {trial}"), format!("{state} is not an end")));
        }
    };
    finish_trial(tx, id, state, value)?;
    if !others {
        return Ok(());
    }
    let sql = "UPDATE lehr_runs SET state = 'pruned', reason = 'its trial was closed' \
               WHERE trial_id = $1 AND state IN ('paused', 'queued')";
    tx.run(sql, &[Arg::Int(id)]).map(|_| ())
}

/// Writes the end of a trial.
pub(super) fn finish_trial(
    tx: &mut dyn Tx,
    id: i64,
    state: TrialState,
    value: Option<f64>,
) -> Result<(), StudyError> {
    if let Some(value) = value {
        let (number, kind) = stored(value);
        let sql = "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES ($1, 0, $2, $3) \
                   ON CONFLICT (trial_id, objective) DO UPDATE SET value = excluded.value, value_type = excluded.value_type";
        tx.run(sql, &[Arg::Int(id), number, Arg::Text(kind)])?;
    }
    let sql = "UPDATE trials SET state = $1, datetime_complete = $2 WHERE trial_id = $3";
    tx.run(sql, &[Arg::Text(state.name()), Arg::Time(time::now()), Arg::Int(id)]).map(|_| ())
}

fn longest(tx: &mut dyn Tx, trial_id: i64) -> Result<Option<f64>, StudyError> {
    let runs = ends(tx, trial_id)?;
    let horizon = runs.iter().filter(|run| run.1.is_some()).map(|run| run.0).max();
    Ok(horizon.and_then(|horizon| mean(&runs, horizon)))
}

/// The value that Optuna gives a pruned trial: its last report, unless that is NaN.
pub(super) fn last_report(tx: &mut dyn Tx, trial_id: i64) -> Result<Option<f64>, StudyError> {
    let sql = "SELECT intermediate_value, intermediate_value_type FROM trial_intermediate_values WHERE trial_id = $1 \
               ORDER BY step DESC LIMIT 1";
    Ok(tx.row(sql, &[Arg::Int(trial_id)], |row| value(row, 0))?.filter(|v| !v.is_nan()))
}
