//! Reading trials and runs: all at first, then what is new.
use std::collections::HashMap;

use lehr_search::{Domain, Key, Params, Seen};
use std::sync::Arc;

use super::driver::{Arg, Row, Tx};
use super::parts::value;
use super::stops;
use super::trials::fixed_params;
use crate::distribution::from_json;
use crate::error::StudyError;
use crate::records::{Changes, Records, RunRecord, TrialRecord};
use crate::run::{Branch, Checkpoint, StudyId};
use crate::state::{RunState, TrialState};

/// From how many new trials on whole tables are read in their own order, if these trials are most of them.
const MANY: usize = 1_000;

/// What changed since the records were read.
pub(super) fn changes(tx: &mut dyn Tx, study: StudyId, known: &Records) -> Result<Changes, StudyError> {
    let mut changes = Changes::default();
    let mut params = ParamReader::new(known);
    changes.new_trials = new_trials(tx, study, known, &mut params)?;
    runs(tx, study, known, &mut changes)?;
    reports_of_runs(tx, study, known, &mut changes)?;
    open_trials(tx, study, known, &mut params, &mut changes)?;
    changes.parameters = params.new;
    Ok(changes)
}

fn trial(row: &dyn Row, number: usize) -> Result<TrialRecord, StudyError> {
    Ok(TrialRecord {
        id: row.int(0)?,
        number,
        state: TrialState::read(row.text(1)?)?,
        values: Vec::new(),
        params: Params::new(),
        reports: Vec::new(),
        runs: Vec::new(),
        reason: None,
        started: row.time(2)?,
        ended: row.time(3)?,
    })
}

/// Parameters by the text of their distribution: parsing one JSON text for each row would take longer than reading it.
struct ParamReader<'k> {
    known: &'k Records,
    new: Vec<(String, Domain)>,
    names: HashMap<String, Name>,
}

/// A name, and the distributions that it had, by their text.
struct Name {
    shared: Arc<str>,
    domains: Vec<(String, Domain)>,
}

impl<'k> ParamReader<'k> {
    fn new(known: &'k Records) -> Self {
        ParamReader { known, new: Vec::new(), names: HashMap::new() }
    }

    /// Reads name, internal number and distribution from three neighbouring columns.
    fn read(&mut self, row: &dyn Row, column: usize, into: &mut Params) -> Result<(), StudyError> {
        let (name, json) = (row.text(column)?, row.text(column + 2)?);
        let raw = row.float_or_null(column + 1)?.unwrap_or(f64::NAN);
        if !self.names.contains_key(name) {
            self.names.insert(name.to_owned(), Name { shared: name.into(), domains: Vec::new() });
        }
        let Some(Name { shared, domains }) = self.names.get_mut(name) else { return Ok(()) };
        let place = match domains.iter().position(|(text, _)| text == json) {
            Some(place) => place,
            None => {
                let domain = from_json(json)?;
                let seen = |list: &[(String, Domain)]| list.iter().any(|(n, _)| n == name);
                if !seen(self.known.parameters()) && !seen(&self.new) {
                    self.new.push((name.to_owned(), domain.clone()));
                }
                domains.push((json.to_owned(), domain));
                domains.len() - 1
            }
        };
        into.set(shared.clone(), domains[place].1.value(raw));
        Ok(())
    }
}

fn new_trials(
    tx: &mut dyn Tx,
    study: StudyId,
    known: &Records,
    params: &mut ParamReader<'_>,
) -> Result<Vec<TrialRecord>, StudyError> {
    let last = known.trials().last().map_or(-1, |t| t.id);
    let mut place = known.trials().len();
    // The number of a trial is its place. Optuna can give one number twice on SQLite; a place never is.
    let sql = "SELECT trial_id, state, datetime_start, datetime_complete FROM trials \
               WHERE study_id = $1 AND trial_id > $2 ORDER BY trial_id";
    let mut new = tx.all(sql, &[Arg::Int(study.0), Arg::Int(last)], |row| {
        place += 1;
        trial(row, place - 1)
    })?;
    if new.is_empty() {
        return Ok(new);
    }
    let many = new.len() >= MANY
        && tx.row("SELECT COUNT(*) FROM trials", &[], |row| row.count(0))?.unwrap_or(0) < 3 * new.len();
    let mut fill = Filler { trials: &mut new, hint: 0, study, last, many };
    let sql = [
        "SELECT p.trial_id, p.param_name, p.param_value, p.distribution_json FROM trials t \
         JOIN trial_params p ON p.trial_id = t.trial_id WHERE t.study_id = $1 AND t.trial_id > $2 ORDER BY p.param_id",
        "SELECT trial_id, param_name, param_value, distribution_json FROM trial_params WHERE +trial_id > $1 \
         ORDER BY param_id",
    ];
    fill.from(tx, sql, &mut |row, trial| params.read(row, 1, &mut trial.params))?;
    let sql = [
        "SELECT v.trial_id, v.value, v.value_type FROM trials t JOIN trial_values v ON v.trial_id = t.trial_id \
         WHERE t.study_id = $1 AND t.trial_id > $2 ORDER BY v.trial_id, v.objective",
        "SELECT trial_id, value, value_type FROM trial_values WHERE +trial_id > $1 ORDER BY trial_value_id",
    ];
    fill.from(tx, sql, &mut |row, trial| {
        trial.values.push(value(row, 1)?);
        Ok(())
    })?;
    let sql = [
        "SELECT v.trial_id, v.step, v.intermediate_value, v.intermediate_value_type FROM trials t \
         JOIN trial_intermediate_values v ON v.trial_id = t.trial_id WHERE t.study_id = $1 AND t.trial_id > $2",
        "SELECT trial_id, step, intermediate_value, intermediate_value_type FROM trial_intermediate_values \
         WHERE +trial_id > $1",
    ];
    fill.from(tx, sql, &mut |row, trial| {
        trial.reports.push(report(row, 1)?);
        Ok(())
    })?;
    let sql = [
        "SELECT a.trial_id, a.value_json FROM trials t JOIN trial_system_attributes a ON a.trial_id = t.trial_id \
         WHERE t.study_id = $1 AND t.trial_id > $2 AND a.key = 'lehr:reason'",
        "SELECT trial_id, value_json FROM trial_system_attributes WHERE +trial_id > $1 AND key = 'lehr:reason'",
    ];
    if fill.trials.iter().any(|trial| matches!(trial.state, TrialState::Failed | TrialState::Pruned)) {
        fill.from(tx, sql, &mut |row, trial| {
            trial.reason = Some(stops::text(row.text(1)?));
            Ok(())
        })?;
    }
    for trial in &mut new {
        sort(&mut trial.reports);
        trial.reports.shrink_to_fit();
        if trial.params.is_empty() && (!trial.state.is_finished() || trial.reason.is_some()) {
            trial.params = fixed(tx, trial.id)?;
        }
    }
    Ok(new)
}

/// Spreads rows over new trials.
struct Filler<'a> {
    trials: &'a mut Vec<TrialRecord>,
    hint: usize,
    study: StudyId,
    last: i64,
    many: bool,
}

impl Filler<'_> {
    /// Reads rows whose first column is a trial's number: through the index of each new trial, or the whole table.
    fn from(
        &mut self,
        tx: &mut dyn Tx,
        [by_trial, whole]: [&'static str; 2],
        put: &mut dyn FnMut(&dyn Row, &mut TrialRecord) -> Result<(), StudyError>,
    ) -> Result<(), StudyError> {
        let args = [Arg::Int(self.study.0), Arg::Int(self.last)];
        let (sql, args) = if self.many { (whole, &args[1..]) } else { (by_trial, &args[..]) };
        tx.rows(sql, args, &mut |row| {
            let id = row.int(0)?;
            // Rows of one trial are neighbours; the trials of another study are passed over.
            if self.trials.get(self.hint).is_none_or(|t| t.id != id) {
                match self.trials.binary_search_by_key(&id, |t| t.id) {
                    Ok(place) => self.hint = place,
                    Err(_) => return Ok(()),
                }
            }
            put(row, &mut self.trials[self.hint])
        })
    }
}

fn report(row: &dyn Row, column: usize) -> Result<(u64, f64), StudyError> {
    Ok((row.int(column)?.max(0) as u64, value(row, column + 1)?))
}

fn sort(reports: &mut [(u64, f64)]) {
    if !reports.is_sorted_by_key(|(step, _)| *step) {
        reports.sort_by_key(|(step, _)| *step);
    }
}

fn fixed(tx: &mut dyn Tx, trial_id: i64) -> Result<Params, StudyError> {
    let sql = "SELECT value_json FROM trial_system_attributes WHERE trial_id = $1 AND key = 'fixed_params'";
    Ok(tx.row(sql, &[Arg::Int(trial_id)], |row| Ok(fixed_params(row.text(0)?)))?.unwrap_or_default())
}

const RUN: &str = "SELECT r.run_id, r.trial_id, r.number, r.state, r.horizon, r.seed, r.comparability, r.parent, \
    r.parent_step, r.checkpoint, r.checkpoint_step, r.value, r.value_type, r.reason, r.log, r.worker, r.attempt, \
    r.steps_spent, r.saw, r.started, r.ended FROM lehr_runs r";

fn run(row: &dyn Row, place: impl Fn(i64) -> Option<usize>) -> Result<RunRecord, StudyError> {
    let text = |column: usize| Ok::<_, StudyError>(row.text_or_null(column)?.map(str::to_owned));
    let trial_id = row.int(1)?;
    let trial = place(trial_id)
        .ok_or_else(|| StudyError::content("a run", format!("its trial {trial_id} is not there")))?;
    let branch = row.int_or_null(7)?.zip(row.int_or_null(8)?);
    let checkpoint = text(9)?.zip(row.int_or_null(10)?);
    Ok(RunRecord {
        id: row.int(0)?,
        number: row.count(2)?,
        trial,
        state: RunState::read(row.text(3)?)?,
        horizon: row.int(4)? as u64,
        seed: row.int(5)? as u64,
        key: Key(row.int(6)? as u64),
        branch: branch.map(|(run, step)| Branch { run: run as usize, step: step as u64 }),
        checkpoint: checkpoint.map(|(path, step)| Checkpoint { path, step: step as u64 }),
        value: if row.text_or_null(12)?.is_some() { Some(value(row, 11)?) } else { None },
        reason: text(13)?,
        log: text(14)?,
        worker: text(15)?,
        attempt: row.int(16)? as u32,
        steps: row.int(17)? as u64,
        saw: row.text_or_null(18)?.map(saw).unwrap_or_default(),
        started: row.time(19)?,
        ended: row.time(20)?,
        reports: Vec::new(),
    })
}

fn saw(json: &str) -> Vec<Seen> {
    let pairs: Vec<(u32, u32)> = serde_json::from_str(json).unwrap_or_default();
    pairs.into_iter().map(|(trial, reports)| Seen { trial, reports }).collect()
}

fn runs(tx: &mut dyn Tx, study: StudyId, known: &Records, changes: &mut Changes) -> Result<(), StudyError> {
    let new = &changes.new_trials;
    let place = |id: i64| {
        let old = known.trials();
        old.binary_search_by_key(&id, |t| t.id)
            .or_else(|_| new.binary_search_by_key(&id, |t| t.id).map(|i| old.len() + i))
            .ok()
    };
    let sql = format!("{RUN} WHERE r.study_id = $1 AND r.number >= $2 ORDER BY r.number");
    let args = [Arg::Int(study.0), Arg::Int(known.runs().len() as i64)];
    let found = tx.all(&sql, &args, |row| run(row, place))?;
    let sql = format!("{RUN} WHERE r.run_id = $1");
    for old in known.open_runs().iter().map(|&number| &known.runs()[number]) {
        if let Some(now) = tx.row(&sql, &[Arg::Int(old.id)], |row| run(row, place))? {
            changes.runs.push((old.number, now));
        }
    }
    changes.new_runs = found;
    Ok(())
}

/// The reports of runs whose trial has several.
fn reports_of_runs(
    tx: &mut dyn Tx,
    study: StudyId,
    known: &Records,
    changes: &mut Changes,
) -> Result<(), StudyError> {
    // A trial that gets its second run now: the reports of its first one have moved.
    for new in &changes.new_runs {
        let Some(trial) = known.trials().get(new.trial) else { continue };
        for &number in &trial.runs {
            if !changes.runs.iter().any(|(n, _)| *n == number) {
                changes.runs.push((number, known.runs()[number].clone()));
            }
        }
    }
    for (_, run) in &mut changes.runs {
        let sql = "SELECT step, value, value_type FROM lehr_reports WHERE run_id = $1 ORDER BY step";
        run.reports = tx.all(sql, &[Arg::Int(run.id)], |row| report(row, 0))?;
    }
    // Only trials with several runs have their reports there. Runs of rising trials are no two of one.
    let had = |run: &RunRecord| known.trials().get(run.trial).is_some_and(|trial| !trial.runs.is_empty());
    let rising = changes.new_runs.is_sorted_by(|a, b| a.trial < b.trial);
    if rising && !changes.new_runs.iter().any(had) {
        return Ok(());
    }
    let sql = "SELECT r.number, p.step, p.value, p.value_type FROM lehr_runs r JOIN lehr_reports p ON p.run_id = r.run_id \
               WHERE r.study_id = $1 AND r.number >= $2 ORDER BY p.run_id, p.step";
    let first = known.runs().len();
    tx.rows(sql, &[Arg::Int(study.0), Arg::Int(first as i64)], &mut |row| {
        if let Some(run) = changes.new_runs.get_mut(row.count(0)? - first) {
            run.reports.push(report(row, 1)?);
        }
        Ok(())
    })
}

/// The trials that were not finished when they were read last.
fn open_trials(
    tx: &mut dyn Tx,
    study: StudyId,
    known: &Records,
    params: &mut ParamReader<'_>,
    changes: &mut Changes,
) -> Result<(), StudyError> {
    if known.open().is_empty() {
        return Ok(());
    }
    let sql = "SELECT trial_id, state FROM trials WHERE study_id = $1 AND state IN ('RUNNING', 'WAITING')";
    let still: HashMap<i64, TrialState> = tx
        .all(sql, &[Arg::Int(study.0)], |row| Ok((row.int(0)?, TrialState::read(row.text(1)?)?)))?
        .into_iter()
        .collect();
    for &place in known.open() {
        let old = &known.trials()[place];
        let got_run = changes.new_runs.iter().any(|r| r.trial == place);
        let several = old.runs.len() + usize::from(got_run) > 1;
        let whole = still.get(&old.id) != Some(&old.state) || got_run || several || old.params.is_empty();
        if whole {
            let now = one_trial(tx, old, params)?;
            if now != *old {
                changes.trials.push((place, now));
            }
        } else if old.state == TrialState::Running {
            // Its reports come from one writer, by rising step.
            let sql = "SELECT step, intermediate_value, intermediate_value_type FROM trial_intermediate_values \
                       WHERE trial_id = $1 AND step > $2 ORDER BY step";
            let last = old.reports.last().map_or(-1, |(step, _)| *step as i64);
            let new = tx.all(sql, &[Arg::Int(old.id), Arg::Int(last)], |row| report(row, 0))?;
            if !new.is_empty() {
                changes.reports.push((place, new));
            }
        }
    }
    Ok(())
}

fn one_trial(
    tx: &mut dyn Tx,
    old: &TrialRecord,
    params: &mut ParamReader<'_>,
) -> Result<TrialRecord, StudyError> {
    let id = [Arg::Int(old.id)];
    let sql = "SELECT trial_id, state, datetime_start, datetime_complete FROM trials WHERE trial_id = $1";
    let found = tx.row(sql, &id, |row| trial(row, old.number))?;
    let mut now = found.ok_or_else(|| StudyError::absent(format!("trial {} any more", old.number)))?;
    now.runs = old.runs.clone();
    let sql = "SELECT param_name, param_value, distribution_json FROM trial_params WHERE trial_id = $1 ORDER BY param_id";
    tx.rows(sql, &id, &mut |row| params.read(row, 0, &mut now.params))?;
    let sql = "SELECT value_json FROM trial_system_attributes WHERE trial_id = $1 AND key = 'lehr:reason'";
    now.reason = tx.row(sql, &id, |row| Ok(stops::text(row.text(0)?)))?;
    if now.params.is_empty() && (!now.state.is_finished() || now.reason.is_some()) {
        now.params = fixed(tx, now.id)?;
    }
    let sql = "SELECT value, value_type FROM trial_values WHERE trial_id = $1 ORDER BY objective";
    now.values = tx.all(sql, &id, |row| value(row, 0))?;
    let sql = "SELECT step, intermediate_value, intermediate_value_type FROM trial_intermediate_values \
               WHERE trial_id = $1 ORDER BY step";
    now.reports = tx.all(sql, &id, |row| report(row, 0))?;
    Ok(now)
}
