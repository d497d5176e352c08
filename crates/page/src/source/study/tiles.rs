//! What a study says, in words and numbers.
use lehr::strategy::{Estimate, Recommendation};
use lehr_report::number::{self, rate};
use lehr_study::Worker;

use super::context::Context;
use super::rates::Found;
use super::trials::{Row, best};
use super::workers::alive;
use crate::view::{Budget, Tile, Words};
use crate::words::{self, counted, sentence};

/// The summary.
pub(super) fn words(
    context: &Context<'_>,
    rows: &[Row<'_>],
    found: &Found,
    workers: &[Worker],
    advice: Option<&Recommendation>,
) -> Words {
    let advised = advice.filter(|advice| advice.params.is_some());
    let mut words = match (best(context, rows), found.analysis()) {
        _ if advised.is_some() => advised.map(advised_words).unwrap_or_default(),
        (_, Some(analysis)) if context.others().is_empty() && analysis.recommendation.is_some() => {
            words::of(analysis)
        }
        (Some(best), _) => of_best(context, rows, best),
        (None, _) => nothing(rows),
    };
    words.cost = cost(context, rows);
    let open = rows.iter().filter(|row| row.is_open()).count();
    if open > 0 {
        let text = match alive(workers) {
            0 => format!("{} unfinished and no worker gives a sign of life.", are(open)),
            n => format!(
                "{} unfinished, {} at work: the answer may still change.",
                are(open),
                counted(n, "worker")
            ),
        };
        words.doubts.insert(0, text);
        words.next.clear();
    }
    if found.shorter > 0 && found.analysis().is_some() {
        let horizon = number::count(found.horizon.unwrap_or(0));
        let runs = counted(found.shorter, "shorter run");
        words.reasons.push(format!("Losses are of runs to {horizon} updates; {runs} led there."));
    }
    words
}

/// The conclusion of the study's strategy.
fn advised_words(found: &Recommendation) -> Words {
    let mut reasons = Vec::new();
    let mut interval = |what: &str, estimate: Option<Estimate>, text: fn(f64) -> String| {
        if let Some(range) = estimate.and_then(|estimate| estimate.interval) {
            let share = 100.0 * found.confidence;
            reasons.push(format!(
                "{what}: {} to {} ({share:.0} % interval).",
                text(range.low),
                text(range.high)
            ));
        }
    };
    interval("The best rate", found.rate, rate);
    interval("What to expect", found.loss, number::loss);
    reasons.push(sentence(&found.state.to_string()));
    let next = vec!["Train with it to the full length, with other seeds, before you rely on it.".to_owned()];
    Words {
        headline: found.advice.clone(),
        reasons,
        doubts: found.doubts.iter().map(|doubt| sentence(doubt)).collect(),
        next,
        ..Words::default()
    }
}

fn are(n: usize) -> String {
    format!("{} {}", counted(n, "trial"), if n == 1 { "is" } else { "are" })
}

fn of_best(context: &Context<'_>, rows: &[Row<'_>], best: &Row<'_>) -> Words {
    let value = number::loss(best.value.unwrap_or(f64::NAN));
    let headline = match best.rate {
        Some(lr) => format!("Best so far: {} {value}, with a peak rate of {}.", context.metric, rate(lr)),
        None => format!("Best so far: {} {value}, trial {}.", context.metric, best.record.number),
    };
    let rate_name = context.rate.as_deref();
    let others: Vec<String> = best
        .record
        .params
        .iter()
        .filter(|(name, _)| Some(*name) != rate_name)
        .map(|(name, value)| match (value.as_f64(), context.space.get(name)) {
            (Some(x), _) if x.fract() != 0.0 => format!("{name} {}", number::significant(x, 3)),
            (_, Some(parameter)) => format!("{name} {}", parameter.show(value)),
            _ => format!("{name} {value}"),
        })
        .collect();
    let mut reasons = Vec::new();
    if !others.is_empty() {
        reasons.push(format!("Trial {}: {}.", best.record.number, others.join(", ")));
    }
    let complete = rows.iter().filter(|row| row.value.is_some()).count();
    reasons.push(format!("It is the best of {}.", counted(complete, "complete trial")));
    let mut words = Words { headline, reasons, ..Words::default() };
    if complete < 10 {
        words.doubts.push("Few trials are complete: the best one may be so by luck.".into());
    }
    words.next.push("Repeat the best trials with other seeds before you rely on the order.".into());
    words
}

fn nothing(rows: &[Row<'_>]) -> Words {
    let count = |state: &str| rows.iter().filter(|row| row.state == state).count();
    let (diverged, failed) = (count("diverged"), count("failed"));
    let (headline, next) = match rows.len() {
        0 => ("No trial has been started yet.", "Start a worker: the page follows."),
        n if diverged == n => ("Every trial diverged.", "Try lower rates."),
        n if failed == n => ("Every trial failed.", "Open a trial below to see why."),
        _ => ("No trial is complete yet.", ""),
    };
    let next = Some(next.to_owned()).filter(|text| !text.is_empty()).into_iter().collect();
    Words { headline: headline.into(), next, ..Words::default() }
}

fn cost(context: &Context<'_>, rows: &[Row<'_>]) -> String {
    let runs: usize = rows.iter().map(|row| row.record.runs.len().max(1)).sum();
    let steps: u64 = rows.iter().filter_map(|row| row.steps).sum();
    let mut text = format!("{}, {}", counted(rows.len(), "trial"), counted(runs, "run"));
    if steps > 0 {
        text += &format!(", {} updates", number::count(steps));
        if let Some(target) = context.target.filter(|target| *target > 1) {
            text +=
                &format!(": as many as {} full runs", number::significant(steps as f64 / target as f64, 3));
        }
    }
    text + "."
}

/// The numbers that matter most.
pub(super) fn tiles(
    context: &Context<'_>,
    rows: &[Row<'_>],
    found: &Found,
    budget: Option<&Budget>,
    workers: &[Worker],
) -> Vec<Tile> {
    let mut tiles = Vec::new();
    if let Some(best) = best(context, rows) {
        let value = number::loss(best.value.unwrap_or(f64::NAN));
        let note = format!("trial {}", best.record.number);
        tiles.push(Tile::new(format!("Best {}", context.metric), value, note));
    }
    let recommended = found.analysis().and_then(|analysis| {
        let chosen = analysis.recommendation.as_ref()?;
        analysis.schedules.iter().find(|report| report.schedule == chosen.schedule)
    });
    if let Some(safe) = recommended.and_then(|report| report.safe).filter(|_| context.others().is_empty()) {
        tiles.push(Tile::new("Safe rates", words::interval(safe), "not told from the best by the noise"));
    }
    let count = |state: &str| rows.iter().filter(|row| row.state == state).count();
    let states: Vec<String> = ["complete", "running", "waiting", "paused", "pruned", "diverged", "failed"]
        .into_iter()
        .filter(|state| count(state) > 0)
        .map(|state| format!("{} {state}", number::count(count(state) as u64)))
        .collect();
    tiles.push(Tile::new("Trials", number::count(rows.len() as u64), states.join(", ")));
    if let Some(budget) = budget {
        let note = match budget.grid {
            Some(grid) => format!("full runs; a grid takes {}", number::significant(grid, 3)),
            None => "full runs".into(),
        };
        tiles.push(Tile::new("Spent", number::significant(budget.spent, 3), note));
    }
    if !workers.is_empty() {
        let alive = alive(workers);
        let note = format!("of {} that joined", counted(workers.len(), "worker"));
        tiles.push(Tile::new("At work", number::count(alive as u64), note));
    }
    tiles
}
