//! Generalisation at equal training loss.

use lehr_lab::{LaneRun, Model, TrainPlan};

use super::measure::Estimate;
use super::restarts::signed;
use super::setup::Setup;
use super::{Axis, EffectError, Finding, Line, Plot, Table};

const BATCH: usize = 16;
const EPOCHS: u64 = 80;
/// Name, schedule, peak rate.
const RUNS: [(&str, &str, f64); 4] = [
    ("constant, low rate", "constant", 0.03),
    ("constant, high rate", "constant", 0.3),
    ("linear, high rate", "linear", 0.3),
    ("cosine, high rate", "cosine", 0.3),
];

pub(super) fn measure(setup: &Setup) -> Result<Finding, EffectError> {
    let per_epoch = setup.epochs(BATCH, 1);
    let plan = TrainPlan {
        batch: BATCH,
        evaluate_every: Some(per_epoch.div_ceil(2)),
        ..TrainPlan::new(Model::Mlp(vec![64]), per_epoch * EPOCHS)
    };
    let mut all: Vec<Vec<LaneRun>> = Vec::new();
    for (_, spec, rate) in RUNS {
        all.extend(setup.train(&setup.task, &plan, &setup.lanes(&plan, spec, &[rate])?)?);
    }
    // A level that every run reaches, as low as possible.
    let lowest = |run: &LaneRun| run.history.iter().map(|at| at.train_loss).fold(f64::INFINITY, f64::min);
    let level = 1.002 * all.iter().flatten().map(lowest).fold(0.0, f64::max);
    let gaps: Vec<Vec<f64>> =
        all.iter().map(|seeds| seeds.iter().map(|run| gap_at(run, level)).collect()).collect();
    let mut table =
        Table::new(["schedule", "updates to that loss", "gap there", "against the low rate, paired"]);
    let mut lines = Vec::new();
    for (place, (name, ..)) in RUNS.iter().enumerate() {
        let steps: Vec<f64> = all[place].iter().filter_map(|run| super::setup::arrival(run, level)).collect();
        table.rows.push(vec![
            (*name).into(),
            Estimate::geometric(&steps).into(),
            Estimate::of(&gaps[place]).into(),
            if place == 0 { "".into() } else { Estimate::difference(&gaps[place], &gaps[0]).into() },
        ]);
        lines.push(Line::new(*name, trail(&all[place])));
    }
    let differences: Vec<Estimate> = gaps[1..].iter().map(|of| Estimate::difference(of, &gaps[0])).collect();
    let far = (0..differences.len())
        .max_by(|&a, &b| score(&differences[a]).total_cmp(&score(&differences[b])))
        .unwrap_or(0);
    let chosen = &differences[far];
    // Three comparisons: the intervals of the best of them are a little too narrow, so a third is added.
    let margin = (chosen.high - chosen.low) / 6.0;
    Ok(Finding {
        shown: chosen.low - margin > 0.0 || chosen.high + margin < 0.0,
        found: format!(
            "at the training loss {level:.3}, the gap of '{}' is {} from that of '{}'",
            RUNS[1 + far].0,
            signed(chosen),
            RUNS[0].0
        ),
        table,
        plot: Plot {
            x: Axis::linear("training loss"),
            y: Axis::linear("validation loss minus training loss"),
            lines,
            marks: vec![(level, "held equal".to_owned())],
        },
        notes: vec![format!(
            "{} with sgd, {EPOCHS} epochs in batches of {BATCH}; gap: validation minus training loss, where the training \
             loss first reaches {level:.4}, the lowest that every run reaches",
            plan.model
        )],
    })
}

/// How surely a difference is not zero.
fn score(of: &Estimate) -> f64 {
    of.mean.abs() / (of.high - of.low)
}

/// The gap where the training loss first reaches a level, between the two looks around it.
fn gap_at(run: &LaneRun, level: f64) -> f64 {
    let Some(after) = run.history.iter().position(|at| at.train_loss <= level) else { return f64::NAN };
    let gap = |i: usize| run.history[i].validation_loss - run.history[i].train_loss;
    let Some(before) = after.checked_sub(1) else { return gap(after) };
    let (high, low) = (run.history[before].train_loss, run.history[after].train_loss);
    let share = if high > low { (high - level) / (high - low) } else { 1.0 };
    gap(before) + share * (gap(after) - gap(before))
}

/// The gap against the training loss along the mean run.
fn trail(seeds: &[LaneRun]) -> Vec<(f64, Estimate)> {
    let looks = seeds.iter().map(|run| run.history.len()).min().unwrap_or(0);
    (1..looks)
        .step_by(4)
        .map(|i| {
            let mean = seeds.iter().map(|run| run.history[i].train_loss).sum::<f64>() / seeds.len() as f64;
            let gaps: Vec<f64> =
                seeds.iter().map(|run| run.history[i].validation_loss - run.history[i].train_loss).collect();
            (mean, Estimate::of(&gaps))
        })
        .collect()
}
