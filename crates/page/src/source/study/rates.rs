//! Loss against rate, of a study's complete runs.
use std::collections::HashMap;

use lehr::sweep::{Analysis, Row as SweepRow, Sweep, analyse};
use lehr_study::{RunState, TrialState};

use super::context::Context;
use super::trials::Row;
use crate::view::{Rates, Robustness};

/// Groups that are drawn; more cannot be told apart.
const GROUPS: usize = 12;

/// What trained to its end, grouped by schedule, at the longest horizon that has results.
pub(super) struct Found {
    sweep: Option<(Sweep, Analysis)>,
    /// The rows of the trials, by group and bits of the rate.
    rows: HashMap<(usize, u64), usize>,
    /// Runs at shorter horizons than the one that is shown.
    pub shorter: usize,
    /// The horizon that is shown.
    pub horizon: Option<u64>,
    /// All finished runs with a rate.
    pub ends: Vec<End>,
    /// A spec of each group, to draw.
    specs: Vec<(String, String)>,
}

/// A finished run with a rate.
pub(super) struct End {
    /// The row of its trial.
    pub place: usize,
    pub horizon: u64,
    pub rate: f64,
    /// Low is good; NaN where it diverged.
    pub loss: f64,
}

impl Found {
    pub fn of(context: &Context<'_>, rows: &[Row<'_>]) -> Self {
        let ends: Vec<End> =
            rows.iter().enumerate().flat_map(|(place, row)| ends(context, place, row)).collect();
        let horizon = ends.iter().filter(|end| end.loss.is_finite()).map(|end| end.horizon).max();
        let shown: Vec<&End> = ends.iter().filter(|end| Some(end.horizon) == horizon).collect();
        let mut specs: Vec<(String, String)> = Vec::new();
        for row in rows {
            if row.rate.is_some()
                && specs.len() < GROUPS
                && !specs.iter().any(|(name, _)| *name == row.schedule)
            {
                specs.push((row.schedule.clone(), row.spec.clone()));
            }
        }
        let kept = |end: &&&End| specs.iter().any(|(name, _)| *name == rows[end.place].schedule);
        let mut cells: HashMap<(&str, u64), Vec<&End>> = HashMap::new();
        let mut order: Vec<(&str, u64)> = Vec::new();
        for end in shown.iter().filter(kept) {
            let key = (rows[end.place].schedule.as_str(), end.rate.to_bits());
            cells.entry(key).or_insert_with(|| {
                order.push(key);
                Vec::new()
            });
            if let Some(cell) = cells.get_mut(&key) {
                cell.push(end);
            }
        }
        let sweep = sweep(&order, &cells);
        let mut places = HashMap::new();
        if let Some((sweep, _)) = &sweep {
            for ((name, bits), cell) in &cells {
                if let Some(group) = sweep.groups.iter().position(|group| group.schedule == *name) {
                    places.insert((group, *bits), cell[0].place);
                }
            }
        }
        let shorter = ends.iter().filter(|end| Some(end.horizon) != horizon).count();
        Self { sweep, rows: places, shorter, horizon, ends, specs }
    }

    /// What the results say.
    pub fn analysis(&self) -> Option<&Analysis> {
        self.sweep.as_ref().map(|(_, analysis)| analysis)
    }

    /// The picture.
    pub fn rates(&self, context: &Context<'_>) -> Option<Rates> {
        let (sweep, analysis) = self.sweep.as_ref()?;
        let row = |group: usize, rate: f64| self.rows.get(&(group, rate.to_bits())).copied();
        Rates::of(sweep, analysis, context.sign(), row)
    }

    /// What being off costs.
    pub fn robustness(&self, context: &Context<'_>) -> Option<Robustness> {
        // With other parameters in play, differences between rates are not the rate's alone.
        match context.others().is_empty() {
            true => Robustness::of(&self.sweep.as_ref()?.0, context.target),
            false => None,
        }
    }

    /// The schedules with their places and best rates.
    pub fn named(&self) -> Vec<(String, usize, Option<f64>)> {
        let place = |name: &str| {
            let groups = self.sweep.as_ref().map_or(&[][..], |(sweep, _)| &sweep.groups);
            groups.iter().position(|group| group.schedule == name)
        };
        let best = |place: usize| Some(self.analysis()?.schedules.get(place)?.best.as_ref()?.rate);
        let mut next = self.sweep.as_ref().map_or(0, |(sweep, _)| sweep.groups.len());
        self.specs
            .iter()
            .map(|(name, spec)| match place(name) {
                Some(place) => (spec.clone(), place, best(place)),
                None => {
                    next += 1;
                    (spec.clone(), next - 1, None)
                }
            })
            .collect()
    }
}

/// The finished runs of a trial; a trial of Optuna's, which has none, is one itself.
fn ends(context: &Context<'_>, place: usize, row: &Row<'_>) -> Vec<End> {
    let Some(rate) = row.rate else { return Vec::new() };
    let sign = context.sign();
    if row.record.runs.is_empty() {
        let loss = match row.record.state {
            TrialState::Complete => row.value.unwrap_or(f64::NAN),
            _ => return Vec::new(),
        };
        return vec![End { place, horizon: context.target.unwrap_or(0), rate, loss: sign * loss }];
    }
    let runs = row.record.runs.iter().filter_map(|&run| context.records.runs().get(run));
    runs.filter_map(|run| {
        let loss = match run.state {
            RunState::Complete => sign * run.value.unwrap_or(f64::NAN),
            RunState::Diverged => f64::NAN,
            _ => return None,
        };
        Some(End { place, horizon: run.horizon, rate, loss })
    })
    .collect()
}

/// Repeated runs at a rate count as seeds where every rate has as many, otherwise as their mean.
fn sweep(order: &[(&str, u64)], cells: &HashMap<(&str, u64), Vec<&End>>) -> Option<(Sweep, Analysis)> {
    let counts: Vec<usize> = cells.values().map(Vec::len).collect();
    let even = counts.iter().all(|count| Some(count) == counts.first());
    let mut rows = Vec::new();
    for key in order {
        let cell = &cells[key];
        let mut push = |seed: u64, loss: f64| {
            rows.push(SweepRow { schedule: key.0.to_owned(), rate: f64::from_bits(key.1), seed, loss });
        };
        match even {
            true => cell.iter().enumerate().for_each(|(seed, end)| push(seed as u64, end.loss)),
            false => push(0, cell.iter().map(|end| end.loss).sum::<f64>() / cell.len() as f64),
        }
    }
    let sweep = Sweep::new(rows).ok()?;
    let analysis = analyse(&sweep);
    Some((sweep, analysis))
}
