//! Studies as input: the runs of a study of Lehr or Optuna as a sweep, and as logs.

use std::collections::{BTreeMap, BTreeSet};

use lehr_schedule::{Curve, Horizon, Schedule};
use lehr_search::{Direction, Params};
use lehr_study::{OpenOptions, RunState, Study, StudyError, TrialState, open_with};

use crate::diagnose::{Logged, Point};
use crate::robustness::{Columns, RobustnessError};
use crate::sweep::{Row, Sweep};

/// Why a study cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StudiesError {
    /// The storage refuses.
    #[error(transparent)]
    Study(#[from] StudyError),
    /// The storage holds no study, or several of which none was named.
    #[error("{0}")]
    Which(String),
}

/// Whether a text names a storage (a URL, or a path that ends in `.db`) and no plain file.
pub fn is_storage(text: &str) -> bool {
    text.ends_with(".db") || text.starts_with("sqlite:") || text.starts_with("postgres")
}

/// Opens a study of a storage that exists; without a name, the only one.
///
/// # Errors
/// If there is no such storage or study, or no name and several studies.
pub fn open(url: &str, name: Option<&str>) -> Result<Study, StudiesError> {
    let storage = open_with(url, &OpenOptions { create: false, ..OpenOptions::default() })?;
    let names: Vec<String> = storage.studies()?.into_iter().map(|study| study.name).collect();
    let name = match (name, names.as_slice()) {
        (Some(name), _) => name.to_owned(),
        (None, [only]) => only.clone(),
        (None, []) => return Err(StudiesError::Which(format!("{url} holds no study"))),
        (None, _) => {
            let list = names.join(", ");
            return Err(StudiesError::Which(format!(
                "{url} holds several studies; name one with --study: {list}"
            )));
        }
    };
    let mut study = Study::open(storage.into(), &name)?;
    study.refresh()?;
    Ok(study)
}

/// The runs of a study at its longest horizon as a sweep: the parameter `columns.rate` is the peak rate, those in
/// `columns.by` name the schedule. Runs with the same rate and schedule count as seeds: by the parameter `columns.seed`
/// where every run has it, else in their order. Diverged runs count as such; runs that were pruned, broke, are at work or
/// had a shorter horizon are left out, which the second part says.
///
/// # Errors
/// Several objectives, no parameter of the rate's name, or no finished run.
pub fn sweep(study: &Study, columns: &Columns) -> Result<(Sweep, Vec<String>), RobustnessError> {
    let fail = |why: String| RobustnessError::Input(format!("study '{}': {why}", study.name()));
    let [direction] = study.directions() else {
        return Err(fail(format!("{} objectives; a sweep has one", study.directions().len())));
    };
    let mut notes = Vec::new();
    let sign = if *direction == Direction::Maximize { -1.0 } else { 1.0 };
    if sign < 0.0 {
        notes.push("its objective is maximised: what stands here as the loss is minus its value".to_owned());
    }
    let (records, mut left_out) = (study.records(), BTreeMap::<String, usize>::new());
    let longest = records.runs().iter().map(|run| run.horizon).max();
    let mut losses: Vec<(&Params, f64)> = Vec::new();
    for trial in records.trials() {
        let mut skip = |why: String| *left_out.entry(why).or_default() += 1;
        if trial.runs.is_empty() {
            match (trial.state, trial.values.first()) {
                (TrialState::Complete, Some(&value)) => losses.push((&trial.params, sign * value)),
                (state, _) => skip(format!("trials that are {state}")),
            }
        }
        for run in trial.runs.iter().filter_map(|&run| records.runs().get(run)) {
            match (run.state, run.value) {
                _ if Some(run.horizon) < longest => skip(format!("runs to {} steps", run.horizon)),
                (RunState::Complete, Some(value)) => losses.push((&trial.params, sign * value)),
                (RunState::Diverged, _) => losses.push((&trial.params, f64::NAN)),
                (state, _) => skip(format!("runs that are {state}")),
            }
        }
    }
    notes.extend(left_out.into_iter().map(|(why, count)| format!("{count} {why}")));
    let mut rows = Vec::new();
    for (params, loss) in &losses {
        let Some(rate) = params.float(&columns.rate) else {
            let names: BTreeSet<&str> = params.iter().map(|(name, _)| name).collect();
            let names: Vec<&str> = names.into_iter().collect();
            return Err(fail(format!(
                "no parameter '{}' that is a number; there are {}",
                columns.rate,
                names.join(", ")
            )));
        };
        let by: Vec<String> =
            columns.by.iter().filter_map(|name| Some(params.get(name)?.to_string())).collect();
        let schedule = if by.is_empty() { "all runs".to_owned() } else { by.join(" ") };
        let seed = params.get(&columns.seed).and_then(|seed| seed.to_string().parse().ok());
        rows.push((Row { schedule, rate, seed: 0, loss: *loss }, seed));
    }
    let (rows, by_seed) = with_seeds(rows);
    let named = |name: &str| {
        name == columns.rate || columns.by.iter().any(|by| by == name) || by_seed && name == columns.seed
    };
    let others: BTreeSet<&str> = losses
        .iter()
        .flat_map(|(params, _)| params.iter())
        .map(|(name, _)| name)
        .filter(|name| !named(name))
        .collect();
    if !others.is_empty() {
        let others: Vec<&str> = others.into_iter().collect();
        notes.push(format!("{} vary beside the rate; --by tells runs apart by them", others.join(", ")));
    }
    if rows.is_empty() {
        return Err(fail(format!("no finished run ({})", notes.join("; "))));
    }
    Ok((Sweep::new(rows)?, notes))
}

/// The rows with their seeds: those that they name, if all do and no run stands twice, else their place among the runs
/// with the same rate and schedule. The second part says which.
fn with_seeds(rows: Vec<(Row, Option<u64>)>) -> (Vec<Row>, bool) {
    let place = |row: &Row| (row.schedule.clone(), row.rate.to_bits());
    let named: BTreeSet<_> = rows.iter().filter_map(|(row, seed)| Some((place(row), (*seed)?))).collect();
    let by_seed = !rows.is_empty() && named.len() == rows.len();
    let mut counts: BTreeMap<(String, u64), u64> = BTreeMap::new();
    let numbered = rows.into_iter().map(|(row, seed)| {
        let count = counts.entry(place(&row)).or_default();
        *count += 1;
        Row { seed: seed.filter(|_| by_seed).unwrap_or(*count - 1), ..row }
    });
    (numbered.collect(), by_seed)
}

/// The reports of every run of a study as logs; the rates are those of the parameters `lr` and `schedule`, where it has
/// them.
pub fn logs(study: &Study) -> Vec<Logged> {
    let records = study.records();
    let mut logs = Vec::new();
    for trial in records.trials() {
        if trial.runs.is_empty() {
            logs.push(log(format!("trial {}", trial.number), &trial.params, None, &trial.reports));
        }
        for &number in &trial.runs {
            let Some(run) = records.runs().get(number) else { continue };
            let name = format!("trial {}, run {number}", trial.number);
            logs.push(log(name, &trial.params, Some(run.horizon), records.reports_of(number)));
        }
    }
    logs
}

fn log(name: String, params: &Params, horizon: Option<u64>, reports: &[(u64, f64)]) -> Logged {
    let steps = horizon.or(reports.last().map(|report| report.0)).unwrap_or(1).max(1);
    let curve = curve(params, steps);
    let rate = |step: u64| curve.as_ref().map(|curve| curve.at(step.min(steps - 1)));
    let point =
        |&(step, loss): &(u64, f64)| Point { step, loss: Some(loss), validation: None, rate: rate(step) };
    Logged::new(name, reports.iter().map(point).collect())
}

fn curve(params: &Params, steps: u64) -> Option<Curve> {
    let peak = params.float("lr")?;
    let spec = params.get("schedule").map_or_else(|| "constant".to_owned(), ToString::to_string);
    spec.parse::<Schedule>().ok()?.resolve_with_peak(&Horizon::steps(steps), peak).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lehr_search::{Space, sampler::Grid};
    use lehr_study::{Plan, RunEnd, RunOutcome, open_shared};

    /// Nine rates under two schedules; the highest rate diverges.
    fn filled(url: &str) {
        let space: Space = "lr=log 0.01..1, schedule=linear|constant".parse().unwrap();
        let storage = open_shared(url).unwrap();
        let mut study = Study::open_or_create(storage, "demo", Direction::Minimize, &space).unwrap();
        let grid = Grid::new(&space, 9).unwrap();
        for _ in 0..18 {
            let attempt = study.ask(&grid, 1, &Plan::to(100), "worker").unwrap();
            let lr = attempt.params().float("lr").unwrap();
            let loss = 1.0 + lr.log10().powi(2) + 2.0 * lr.log10();
            for step in 1..=20 {
                attempt.report(5 * step, loss + 1.0 / step as f64).unwrap();
            }
            let outcome = if lr > 0.9 { RunOutcome::Diverged } else { RunOutcome::Complete(loss) };
            attempt.finish(&RunEnd::new(outcome, 100)).unwrap();
        }
    }

    #[test]
    fn a_study_is_a_sweep_and_a_set_of_logs() {
        let folder = tempfile::tempdir().unwrap();
        let url = folder.path().join("study.db").display().to_string();
        assert!(is_storage(&url) && !is_storage("sweep.csv"));
        assert!(open(&url, None).is_err(), "nothing is made by looking");
        filled(&url);
        let study = open(&url, None).unwrap();
        let (sweep, notes) = sweep(&study, &Columns::default()).unwrap();
        assert_eq!((sweep.groups.len(), sweep.groups[0].rates.len()), (2, 9), "{notes:?}");
        assert!(sweep.groups[0].losses[8][0].unwrap().is_infinite());
        let logs = logs(&study);
        assert_eq!((logs.len(), logs[0].points.len()), (18, 20));
        assert!(logs[0].points[0].rate.unwrap() > 0.0);
        let wrong = Columns { rate: "eta".into(), ..Columns::default() };
        assert!(super::sweep(&study, &wrong).unwrap_err().to_string().contains("there are lr, schedule"));
        assert!(open(&url, Some("other")).is_err());
    }
}
