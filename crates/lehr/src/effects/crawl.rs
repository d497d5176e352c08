//! Too low a rate: how long it takes.

use lehr_lab::{Model, TrainPlan};

use super::measure::{Estimate, log_slope, rates};
use super::setup::{Setup, arrival, way};
use super::{Axis, Cell, EffectError, Finding, Line, Plot, Table};

const BATCH: usize = 16;
const EPOCHS: u64 = 30;
/// Share of the way from the start to the lowest loss.
const SHARE: f64 = 0.9;

pub(super) fn measure(setup: &Setup) -> Result<Finding, EffectError> {
    let plan = TrainPlan {
        batch: BATCH,
        evaluate_every: Some(4),
        ..TrainPlan::new(Model::Softmax, setup.epochs(BATCH, EPOCHS))
    };
    let rates = rates(1e-4, 0.1, 13);
    let runs = setup.train(&setup.task, &plan, &setup.lanes(&plan, "constant", &rates)?)?;
    let level = way(&runs, SHARE);
    // Steps by rate and seed; none where a run never arrived.
    let steps: Vec<Option<Vec<f64>>> =
        runs.iter().map(|seeds| seeds.iter().map(|run| arrival(run, level)).collect()).collect();
    let mut table = Table::new(["rate", "updates to nine tenths of the way", "training loss at the end"]);
    let mut points = Vec::new();
    for ((rate, steps), runs) in rates.iter().zip(&steps).zip(&runs) {
        let ends: Vec<f64> = runs.iter().map(super::setup::training_end).collect();
        let cell: Cell = match steps {
            Some(steps) => {
                points.push((*rate, Estimate::geometric(steps)));
                Estimate::geometric(steps).into()
            }
            None => format!("more than {} with some seed", plan.steps).into(),
        };
        table.rows.push(vec![(*rate).into(), cell, Estimate::of(&ends).into()]);
    }
    // The low side only: up to the rate that arrives first.
    let fastest = (0..rates.len())
        .filter(|&i| steps[i].is_some())
        .min_by(|&a, &b| mean(&steps[a]).total_cmp(&mean(&steps[b])));
    let arrived = |i: &usize| steps[*i].is_some();
    let side: Vec<usize> = (0..fastest.unwrap_or(0)).filter(arrived).collect();
    let slope = |k: usize| log_slope(side.iter().filter_map(|&i| Some((rates[i], steps[i].as_ref()?[k]))));
    let slopes: Vec<f64> =
        if side.len() < 2 { Vec::new() } else { (0..setup.seeds as usize).map(slope).collect() };
    let slope = Estimate::of(&slopes);
    let never = rates.len() - steps.iter().filter(|steps| steps.is_some()).count();
    let shown = !slopes.is_empty() && slope.above(-1.25) && slope.below(-0.75);
    Ok(Finding {
        shown,
        found: match slopes.is_empty() {
            true => "too few rates arrive to say how the time depends on the rate".to_owned(),
            false => format!(
                "the updates needed grow like rate^{:.2} [{:.2}, {:.2}] as the rate falls, and {never} of {} rates never \
                 arrive within {} updates",
                slope.mean,
                slope.low,
                slope.high,
                rates.len(),
                plan.steps
            ),
        },
        table,
        plot: Plot {
            x: Axis::log("rate"),
            y: Axis::log("updates to nine tenths of the way"),
            lines: vec![Line::new("softmax, constant rate", points)],
            marks: Vec::new(),
        },
        notes: vec![format!(
            "softmax regression in batches of {BATCH}; the way is from the initial training loss to the lowest of all runs"
        )],
    })
}

fn mean(steps: &Option<Vec<f64>>) -> f64 {
    steps.as_ref().map_or(f64::INFINITY, |steps| steps.iter().sum::<f64>() / steps.len() as f64)
}
