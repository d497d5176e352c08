//! What was spent.
use lehr::strategy::Recommendation;
use lehr_report::number;

use super::context::Context;
use super::curves;
use super::trials::Row;
use crate::thin::thin;
use crate::view::{Budget, tidy};

/// Points of the best value so far.
const POINTS: usize = 300;
/// So many lengths of run can be told apart in one bar.
const LENGTHS: usize = 12;

/// Spent in runs to the target horizon; `None` where no run says how much it trained.
pub(super) fn of(context: &Context<'_>, rows: &[Row<'_>], advice: Option<&Recommendation>) -> Option<Budget> {
    let target = context.target.filter(|steps| *steps > 0)? as f64;
    let mut parts: Vec<(String, f64)> = Vec::new();
    let mut runs: Vec<&lehr_study::RunRecord> = context.records.runs().iter().collect();
    let spent: f64 = runs.iter().map(|run| run.steps as f64).sum::<f64>() / target;
    if spent <= 0.0 {
        return None;
    }
    let mut lengths: Vec<u64> = runs.iter().map(|run| run.horizon).collect();
    lengths.sort_unstable();
    lengths.dedup();
    // Where runs have several lengths, that says more than how they ended.
    let by_length = lengths.len() > 1 && lengths.len() <= LENGTHS;
    for run in &runs {
        let name = match by_length {
            true => format!("to {} updates", number::count(run.horizon)),
            false => curves::state(run.state).to_owned(),
        };
        let cost = run.steps as f64 / target;
        match parts.iter_mut().find(|part| part.0 == name) {
            Some(part) => part.1 += cost,
            None => parts.push((name, cost)),
        }
    }
    match by_length {
        true => parts.sort_by_key(|part| {
            lengths.iter().position(|n| part.0.contains(&format!(" {} ", number::count(*n))))
        }),
        false => parts.sort_by(|a, b| b.1.total_cmp(&a.1)),
    }
    runs.sort_by_key(|run| (run.ended.unwrap_or(i64::MAX), run.number));
    let (mut sum, mut best, mut progress) = (0.0, f64::INFINITY, Vec::new());
    for run in runs {
        sum += run.steps as f64 / target;
        let complete = rows.get(run.trial).and_then(|row| row.value);
        let value = run.value.filter(|value| complete == Some(*value)).map(|value| context.sign() * value);
        if let Some(value) = value.filter(|value| *value < best) {
            best = value;
            progress.push((sum, context.sign() * value));
        }
    }
    if let Some(last) = progress.last().copied() {
        progress.push((spent, last.1));
    }
    let progress = thin(&progress, POINTS).into_iter().map(|(x, y)| (tidy(x), tidy(y))).collect();
    let grid = advice.and_then(|found| found.grid_full_runs).filter(|grid| grid.is_finite());
    let grid_note = "a full grid (every schedule at every octave of the range, run to the end)".to_owned();
    Some(Budget { spent, grid, grid_note, parts, progress })
}
