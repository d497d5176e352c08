//! Loss against rate at every length of run, for studies that train short runs first.
use std::collections::BTreeMap;

use lehr::strategy::Recommendation;
use lehr::sweep::smooth;
use lehr_report::number;

use super::context::Context;
use super::rates::End;
use super::trials::Row;
use crate::view::{Chart, ChartAxis, ChartLine, Draw, Rule};
use crate::words::counted;

/// Schedules that get a picture of their own.
const PICTURES: usize = 3;
/// Places of a fitted curve.
const PLACES: usize = 120;

/// Values by rate, by horizon.
type Cells = BTreeMap<u64, Vec<(f64, f64)>>;

/// One picture per schedule that was trained at several horizons, the one with most runs first.
pub(super) fn of(
    context: &Context<'_>,
    rows: &[Row<'_>],
    ends: &[End],
    advice: Option<&Recommendation>,
) -> Vec<Chart> {
    let mut groups: Vec<(&str, Cells)> = Vec::new();
    for end in ends {
        let name = rows.get(end.place).map_or("", |row| row.schedule.as_str());
        let place = groups.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            groups.push((name, Cells::new()));
            groups.len() - 1
        });
        groups[place].1.entry(end.horizon).or_default().push((end.rate, context.sign() * end.loss));
    }
    let trained = |cells: &Cells| {
        cells.values().filter(|points| points.iter().any(|point| point.1.is_finite())).count()
    };
    groups.retain(|(_, cells)| trained(cells) > 1);
    groups.sort_by_key(|(_, cells)| std::cmp::Reverse(cells.values().map(Vec::len).sum::<usize>()));
    let single = groups.len() == 1;
    let shown = groups.into_iter().take(PICTURES).enumerate();
    let advised =
        advice.and_then(|advice| advice.params.as_ref()).map(|params| context.schedule_of(params).0);
    shown
        .map(|(place, (name, cells))| {
            let rules = match advised.as_deref() == Some(name) {
                true => advice.map(best).unwrap_or_default(),
                false => Vec::new(),
            };
            Chart { rules, ..chart(context, place, name, cells, single) }
        })
        .collect()
}

/// The best rate at the longest horizon, as the strategy sees it.
fn best(advice: &Recommendation) -> Vec<Rule> {
    let Some(rate) = advice.rate else { return Vec::new() };
    let line = Rule { at: rate.value, to: None, label: format!("best {}", number::rate(rate.value)) };
    let range = rate.interval.map(|range| {
        let label = format!("{:.0} %", 100.0 * advice.confidence);
        Rule { at: range.low, to: Some(range.high), label }
    });
    [line].into_iter().chain(range).collect()
}

fn chart(context: &Context<'_>, place: usize, schedule: &str, cells: Cells, single: bool) -> Chart {
    let longest = cells.keys().next_back().copied().unwrap_or(0);
    let runs: usize = cells.values().map(Vec::len).sum();
    let title = match single {
        true => "Every length of run".to_owned(),
        false => format!("Every length of run: {schedule}"),
    };
    let lengths = cells.len() as u64;
    let lines = cells
        .into_iter()
        .enumerate()
        .flat_map(|(colour, (horizon, points))| lines(colour, horizon, horizon == longest, points));
    Chart {
        id: format!("horizons-{place}"),
        title,
        lead: format!(
            "{} of {} lengths. Short runs are whole annealed runs, too, and cheap: they show where the longest ones \
             (thick) are worth training. Values of different lengths are not compared.",
            counted(runs, "run"),
            number::count(lengths),
        ),
        x: ChartAxis::log("peak rate"),
        y: ChartAxis::linear(&context.metric),
        lines: lines.collect(),
        ..Chart::default()
    }
}

/// The runs of one horizon as marks, with a fitted curve where there are enough.
fn lines(colour: usize, horizon: u64, strong: bool, mut points: Vec<(f64, f64)>) -> Vec<ChartLine> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let name = counted_updates(horizon);
    let lost = points.iter().filter(|point| !point.1.is_finite()).map(|point| point.0).collect();
    points.retain(|point| point.1.is_finite());
    let fit = smooth(&points, PLACES);
    let draw = if fit.is_some() { Draw::Points } else { Draw::Both };
    let marks = ChartLine { strong, lost, ..ChartLine::new(&name, colour, draw, points) };
    let curve = fit.map(|fit| {
        let line = ChartLine::new(&name, colour, Draw::Line, fit.rates.into_iter().zip(fit.losses));
        ChartLine { strong, ..line }
    });
    curve.into_iter().chain([marks]).collect()
}

/// `1 update`, `2,000 updates`.
fn counted_updates(horizon: u64) -> String {
    format!("{} update{}", number::count(horizon), if horizon == 1 { "" } else { "s" })
}
