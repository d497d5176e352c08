//! Learning curves of a study's runs.
use lehr_schedule::{Horizon, Schedule};
use lehr_study::RunState;

use super::context::Context;
use super::spread;
use super::trials::{Row, best_and_others};
use crate::thin::thin;
use crate::view::{Curve, Curves, tidy};

/// Curves that are drawn.
const SHOWN: usize = 240;
/// Points of all of them together.
const POINTS: usize = 30_000;
/// Points of a schedule under them.
const UNDER: usize = 36;

/// The picture; `None` if nothing was reported on the way.
pub(super) fn of(context: &Context<'_>, rows: &[Row<'_>]) -> Option<Curves> {
    let reported: Vec<usize> =
        (0..rows.len()).filter(|&i| rows[i].record.reports.len() > 1 || several(rows, i)).collect();
    let open: Vec<usize> = reported.iter().copied().filter(|&i| rows[i].is_open()).collect();
    let ended: Vec<usize> = reported.iter().copied().filter(|&i| !rows[i].is_open()).collect();
    let open = spread(&open, SHOWN / 4);
    let mut places = best_and_others(context, rows, &ended, SHOWN - open.len());
    places.extend(open);
    places.sort_unstable();
    let best = super::trials::best(context, rows).map(|row| row.record.number);
    let each = (POINTS / places.len().max(1)).clamp(40, 400);
    let shown: Vec<Curve> =
        places.iter().flat_map(|&place| curves(context, rows, place, best, each)).collect();
    if shown.is_empty() {
        return None;
    }
    let total: usize = reported.iter().map(|&i| rows[i].record.runs.len().max(1)).sum();
    let (low, high) = range(&shown, context.sign());
    let choice = match places.len() < reported.len() {
        true => "those under way, the best, and a spread of the others".into(),
        false => String::new(),
    };
    // A trial's runs without reports are no curves.
    let total = if choice.is_empty() { shown.len() } else { total };
    Some(Curves { shown, total, choice, low, high })
}

fn several(rows: &[Row<'_>], place: usize) -> bool {
    rows[place].record.runs.len() > 1
}

/// The curves of a trial: one per run, or its own where it has no runs.
fn curves(
    context: &Context<'_>,
    rows: &[Row<'_>],
    place: usize,
    best: Option<usize>,
    each: usize,
) -> Vec<Curve> {
    let row = &rows[place];
    let number = row.record.number;
    let base = Curve {
        row: place,
        id: number,
        best: best == Some(number),
        name: format!("trial {number}"),
        spec: row.spec.clone(),
        rate: row.rate.map(tidy),
        state: row.state.to_owned(),
        reason: row.reason.to_owned(),
        step: Vec::new(),
        value: Vec::new(),
        schedule: None,
    };
    let drawn = |curve: Curve, reports: &[(u64, f64)]| {
        let points: Vec<(f64, f64)> = reports.iter().map(|&(step, value)| (step as f64, value)).collect();
        let (step, value) = thin(&points, each).into_iter().map(|(x, y)| (x as u64, tidy(y))).unzip();
        Curve { step, value, ..curve }
    };
    if row.record.runs.is_empty() {
        let horizon = context.target.unwrap_or(0);
        let curve = Curve { schedule: under(row, horizon), id: usize::MAX - number, ..base };
        return vec![drawn(curve, &row.record.reports)];
    }
    let runs = row.record.runs.iter().filter_map(|&run| context.records.runs().get(run));
    runs.enumerate()
        .filter_map(|(i, run)| {
            let reports = context.records.reports_of(run.number);
            let name = match row.record.runs.len() {
                1 => base.name.clone(),
                _ => format!("trial {number}, run {} to {} updates", i + 1, run.horizon),
            };
            let curve = Curve {
                id: run.number,
                name,
                state: state(run.state).to_owned(),
                reason: run.reason.clone().unwrap_or_default(),
                schedule: under(row, run.horizon),
                ..base.clone()
            };
            (!reports.is_empty()).then(|| drawn(curve, reports))
        })
        .collect()
}

/// Where a run stands, in the page's words.
pub(super) fn state(state: RunState) -> &'static str {
    state.name()
}

/// The schedule of a run, in updates and absolute rates.
fn under(row: &Row<'_>, horizon: u64) -> Option<(Vec<f64>, Vec<f64>)> {
    let horizon = Some(horizon).filter(|steps| *steps > 1)?;
    let schedule = row.spec.parse::<Schedule>().ok()?;
    let curve = schedule.resolve_with_peak(&Horizon::steps(horizon), row.rate?).ok()?;
    let looked = horizon.min(2000);
    let update = |i: u64| (u128::from(i) * u128::from(horizon) / u128::from(looked)) as u64;
    let points: Vec<(f64, f64)> = (0..looked).map(update).map(|t| (t as f64, curve.at(t))).collect();
    Some(thin(&points, UNDER).into_iter().map(|(x, y)| (x, tidy(y))).unzip())
}

/// The range in which curves tell something: from the best value to where nine tenths of the values lie.
fn range(shown: &[Curve], sign: f64) -> (f64, f64) {
    let values = shown.iter().flat_map(|curve| &curve.value).map(|value| sign * value);
    let mut losses: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    losses.sort_by(f64::total_cmp);
    let (Some(&best), Some(&worst)) = (losses.first(), losses.last()) else { return (0.0, 1.0) };
    let most = losses[(losses.len() - 1) * 9 / 10].max(best + 0.2 * (worst - best).min(best.abs()));
    let room = if most > best { 0.05 * (most - best) } else { (0.05 * best.abs()).max(1e-12) };
    let (a, b) = (sign * (best - room), sign * (most + room));
    (tidy(a.min(b)), tidy(a.max(b)))
}
