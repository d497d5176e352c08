//! The trials of a study, as rows.
use std::collections::HashMap;

use lehr_study::{RunState, TrialRecord, TrialState};
use serde_json::Value as Json;

use super::context::{Context, choices, is_log};
use super::spread;
use crate::view::parameters::Values;
use crate::view::{Axis, Kind, Parameters, Table, tidy};

/// Trials whose lines are drawn in parallel coordinates.
const LINES: usize = 600;

/// A trial.
pub(super) struct Row<'a> {
    pub record: &'a TrialRecord,
    pub state: &'static str,
    pub rate: Option<f64>,
    /// Its schedule as trials are grouped by it.
    pub schedule: String,
    /// Its schedule in full.
    pub spec: String,
    /// Its value at the end, if it came there.
    pub value: Option<f64>,
    pub reason: &'a str,
    pub worker: &'a str,
    pub steps: Option<u64>,
}

impl Row<'_> {
    pub fn is_open(&self) -> bool {
        matches!(self.state, "running" | "waiting" | "paused")
    }

    /// Seconds from start to end, or to now.
    pub fn took(&self, now: i64) -> Option<f64> {
        let end = self.record.ended.or((self.state == "running").then_some(now))?;
        Some((end - self.record.started?).max(0) as f64 / 1e6)
    }
}

/// The trials, in the order of their numbers.
pub(super) fn read<'a>(context: &'a Context<'_>) -> Vec<Row<'a>> {
    context.records.trials().iter().map(|record| row(context, record)).collect()
}

fn row<'a>(context: &'a Context<'_>, record: &'a TrialRecord) -> Row<'a> {
    let runs = || record.runs.iter().filter_map(|&run| context.records.runs().get(run));
    let last = runs().next_back();
    let (schedule, spec) = context.schedule_of(&record.params);
    let state = match record.state {
        TrialState::Waiting => "waiting",
        TrialState::Running if last.is_some_and(|run| run.state == RunState::Paused) => "paused",
        TrialState::Running => "running",
        TrialState::Complete => "complete",
        TrialState::Pruned => "pruned",
        TrialState::Failed if runs().any(|run| run.state == RunState::Diverged) => "diverged",
        TrialState::Failed => "failed",
    };
    let complete = record.state == TrialState::Complete;
    Row {
        rate: context.rate_of(&record.params),
        value: record.values.first().copied().filter(|_| complete),
        reason: record.reason.as_deref().or_else(|| last?.reason.as_deref()).unwrap_or(""),
        worker: last.and_then(|run| run.worker.as_deref()).unwrap_or(""),
        steps: last.is_some().then(|| runs().map(|run| run.steps).sum()),
        record,
        state,
        schedule,
        spec,
    }
}

/// The best complete trial.
pub(super) fn best<'a, 'b>(context: &Context<'_>, rows: &'b [Row<'a>]) -> Option<&'b Row<'a>> {
    let finite = |row: &&Row<'_>| row.value.is_some_and(f64::is_finite);
    let key = |row: &Row<'_>| context.sign() * row.value.unwrap_or(f64::INFINITY);
    rows.iter().filter(finite).min_by(|a, b| key(a).total_cmp(&key(b)))
}

/// The table.
pub(super) fn table(context: &Context<'_>, rows: &[Row<'_>], now: i64) -> Table {
    let mut table = Table::new(rows.len());
    let some = |value: Option<f64>| value.map_or(Json::Null, |value| Json::from(tidy(value)));
    table.column("trial", "trial", Kind::Count, rows.iter().map(|row| row.record.number));
    table.column("state", "state", Kind::State, rows.iter().map(|row| row.state));
    table.column("value", &context.metric, Kind::Value, rows.iter().map(|row| some(row.value)));
    table.column(
        "last",
        "last report",
        Kind::Value,
        rows.iter().map(|row| some(row.record.reports.last().map(|r| r.1))),
    );
    for parameter in context.space.parameters() {
        let kind = match (is_log(&parameter.domain), parameter.is_numeric()) {
            (true, _) => Kind::Rate,
            (false, true) => Kind::Number,
            _ => Kind::Text,
        };
        let cell = |row: &Row<'_>| match row.record.params.get(&parameter.name) {
            None => Json::Null,
            Some(value) if kind == Kind::Text => Json::from(value.to_string()),
            Some(value) => {
                value.as_f64().map_or_else(|| Json::from(value.to_string()), |v| Json::from(tidy(v)))
            }
        };
        table.column(format!("p:{}", parameter.name), &*parameter.name, kind, rows.iter().map(cell));
    }
    if context.schedule.as_ref().is_some_and(|text| text.contains('{')) {
        table.column("schedule", "schedule", Kind::Text, rows.iter().map(|row| row.spec.clone()));
    }
    let steps = |row: &Row<'_>| row.steps.map_or(Json::Null, Json::from);
    table.column("steps", "updates", Kind::Count, rows.iter().map(steps));
    let several = rows.iter().any(|row| row.record.runs.len() > 1);
    if several {
        table.column("runs", "runs", Kind::Count, rows.iter().map(|row| row.record.runs.len()));
    }
    table.column("took", "took", Kind::Duration, rows.iter().map(|row| some(row.took(now))));
    table.column("worker", "worker", Kind::Text, rows.iter().map(|row| row.worker));
    table.column("reason", "why it ended", Kind::Text, rows.iter().map(|row| row.reason));
    table
}

/// What each parameter was, for complete trials and the others.
pub(super) fn tried(context: &Context<'_>, rows: &[Row<'_>]) -> Vec<(String, Values)> {
    let free = context.space.free();
    let parameters = context.space.parameters().iter().enumerate().filter(|(i, _)| free.contains(i));
    parameters
        .map(|(_, parameter)| {
            let values = rows.iter().map(|row| row.record.params.get(&parameter.name));
            let column = match choices(&parameter.domain) {
                None => Values::Numbers(
                    values.map(|value| value.and_then(|v| v.as_f64()).unwrap_or(f64::NAN)).collect(),
                ),
                Some(choices) => {
                    let places: HashMap<&str, usize> =
                        choices.iter().enumerate().map(|(i, choice)| (choice.as_str(), i)).collect();
                    let place = |value: Option<&lehr::search::Value>| {
                        places.get(value?.to_string().as_str()).copied()
                    };
                    Values::Choices(values.map(place).collect())
                }
            };
            (parameter.name.to_string(), column)
        })
        .collect()
}

/// Parallel coordinates: with two parameters or more, one of them no schedule.
pub(super) fn parameters(context: &Context<'_>, rows: &[Row<'_>]) -> Option<Parameters> {
    let free = context.space.free();
    let axes: Vec<Axis> = context
        .space
        .parameters()
        .iter()
        .enumerate()
        .filter(|(i, _)| free.contains(i))
        .map(|(_, parameter)| Axis {
            key: format!("p:{}", parameter.name),
            label: parameter.name.to_string(),
            log: is_log(&parameter.domain),
            choices: choices(&parameter.domain),
        })
        .collect();
    let finished: Vec<usize> = (0..rows.len()).filter(|&i| rows[i].value.is_some()).collect();
    if axes.len() < 2 || finished.len() < 2 {
        return None;
    }
    let shown = best_and_others(context, rows, &finished, LINES);
    let choice = match shown.len() < finished.len() {
        true => format!("Shown: the best {} of {} and a spread of the others.", LINES / 2, finished.len()),
        false => String::new(),
    };
    Some(Parameters { axes, rows: shown, choice })
}

/// Half of them the best ones, the others evenly spread.
pub(super) fn best_and_others(
    context: &Context<'_>,
    rows: &[Row<'_>],
    places: &[usize],
    most: usize,
) -> Vec<usize> {
    if places.len() <= most {
        return places.to_vec();
    }
    let key = |&i: &usize| {
        let value = context.sign() * rows[i].value.unwrap_or(f64::INFINITY);
        if value.is_nan() { f64::INFINITY } else { value }
    };
    let mut order = places.to_vec();
    order.sort_by(|a, b| key(a).total_cmp(&key(b)));
    let mut others = order.split_off(most / 2);
    others.sort_unstable();
    order.extend(spread(&others, most - most / 2));
    order.sort_unstable();
    order
}
