//! Cosine with warm restarts against a single cosine, in the manner of SGDR.

use lehr_lab::{LaneRun, Model, Optimizer, TrainPlan};

use super::measure::{Estimate, at_best, rates};
use super::setup::{Setup, training_end};
use super::{Axis, Cell, EffectError, Finding, Line, Plot, Table};

const BATCH: usize = 16;
const EPOCHS: u64 = 60;
/// Name, schedule and length of the first cycle in epochs. All end at the end of a cycle.
const VARIANTS: [(&str, &str, u64); 5] = [
    ("single cosine", "cosine", 60),
    ("T_0 = 10, T_mult = 1", "restarts every 10ep", 10),
    ("T_0 = 20, T_mult = 1", "restarts every 20ep", 20),
    ("T_0 = 4, T_mult = 2", "restarts every 4ep grow 2", 4),
    ("T_0 = 20, T_mult = 2", "restarts every 20ep grow 2", 20),
];

pub(super) fn measure(setup: &Setup) -> Result<Finding, EffectError> {
    let per_epoch = setup.epochs(BATCH, 1);
    let plan = TrainPlan {
        batch: BATCH,
        optimizer: Optimizer::Nesterov { momentum: 0.9 },
        weight_decay: 5e-4,
        evaluate_every: Some(per_epoch),
        ..TrainPlan::new(Model::Mlp(vec![32]), per_epoch * EPOCHS)
    };
    let rates = rates(0.003, 0.3, 7);
    let mut table = Table::new([
        "schedule",
        "best rate",
        "after 20 epochs",
        "at the end",
        "validation error",
        "snapshots",
    ]);
    let (mut lines, mut early, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for (name, spec, first) in VARIANTS {
        let runs = setup.train(&setup.task, &plan, &setup.lanes(&plan, spec, &rates)?)?;
        let losses: Vec<Vec<f64>> =
            runs.iter().map(|seeds| seeds.iter().map(training_end).collect()).collect();
        let (best, at_end) = at_best(&losses);
        let snapshots = cycle_ends(first, name.ends_with("T_mult = 2"));
        let last_by_20 = snapshots.iter().copied().filter(|&epoch| epoch <= 20).max();
        // Where no cycle has ended yet, the weights of epoch 20 are all there is.
        let twenty = |run: &LaneRun| at_epoch(run, per_epoch * last_by_20.unwrap_or(20));
        let after_20: Vec<f64> = runs[best].iter().map(twenty).collect();
        let errors: Vec<f64> =
            runs[best].iter().map(|run| 1.0 - run.end().map_or(0.0, |end| end.validation_accuracy)).collect();
        let trail: Vec<String> = snapshots
            .iter()
            .map(|epoch| {
                let losses: Vec<f64> =
                    runs[best].iter().map(|run| at_epoch(run, per_epoch * epoch)).collect();
                format!("{epoch}: {:.3}", Estimate::of(&losses).mean)
            })
            .collect();
        let row: [Cell; 6] = [
            name.into(),
            rates[best].into(),
            Estimate::of(&after_20).into(),
            Estimate::of(&at_end).into(),
            Estimate::of(&errors).into(),
            trail.join(", ").into(),
        ];
        table.rows.push(row.to_vec());
        let epochs = (1..=EPOCHS).map(|epoch| {
            let losses: Vec<f64> = runs[best].iter().map(|run| at_epoch(run, per_epoch * epoch)).collect();
            (epoch as f64, Estimate::of(&losses))
        });
        lines.push(Line::new(name, epochs));
        early.push(after_20);
        ends.push(at_end);
    }
    let against = |of: &[Vec<f64>], i: usize| Estimate::difference(&of[i], &of[0]);
    // Of those that are ahead early, the one with the best end.
    let sooner = (1..VARIANTS.len())
        .filter(|&i| against(&early, i).below(0.0))
        .min_by(|&a, &b| against(&ends, a).mean.total_cmp(&against(&ends, b).mean));
    let others = (1..VARIANTS.len()).filter(|&i| against(&ends, i).above(0.0)).count();
    let found = match sooner {
        None => {
            "no schedule with restarts is ahead of the single cosine after a third of the budget".to_owned()
        }
        Some(i) => format!(
            "after a third of the budget the last snapshot of {} stands {} from the single cosine's loss at that time, and at \
             the end {} from it; {others} of {} schedules with restarts end worse than the single cosine",
            VARIANTS[i].0,
            signed(&against(&early, i)),
            signed(&against(&ends, i)),
            VARIANTS.len() - 1
        ),
    };
    Ok(Finding {
        shown: sooner.is_some_and(|i| !against(&ends, i).above(0.0)),
        found,
        table,
        plot: Plot { x: Axis::linear("epoch"), y: Axis::linear("training loss"), lines, marks: Vec::new() },
        notes: vec![
            format!(
                "{} with {}, weight decay 5e-4, {EPOCHS} epochs in batches of {BATCH}; training losses, each schedule at its \
                 best of {} rates, chosen for each seed on the others",
                plan.model,
                plan.optimizer,
                rates.len()
            ),
            "snapshots: training loss at the end of each cycle, at the epoch before the colon".into(),
        ],
    })
}

/// The epochs at which cycles end.
fn cycle_ends(first: u64, doubling: bool) -> Vec<u64> {
    let (mut ends, mut length) = (vec![first], first);
    while let Some(&end) = ends.last().filter(|end| **end < EPOCHS) {
        length *= if doubling { 2 } else { 1 };
        ends.push(end + length);
    }
    ends
}

fn at_epoch(run: &LaneRun, step: u64) -> f64 {
    run.history.iter().find(|at| at.step == step).map_or(f64::INFINITY, |at| at.train_loss)
}

pub(super) fn signed(of: &Estimate) -> String {
    format!("{:+.4} [{:+.4}, {:+.4}]", of.mean, of.low, of.high)
}
