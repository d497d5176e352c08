//! Speed against stability under a constant rate.

use lehr_lab::{LaneRun, Model, TrainPlan};

use super::measure::{Estimate, log_slope, rates};
use super::setup::{Setup, arrival, way};
use super::{Axis, Cell, EffectError, Finding, Line, Plot, Table};

const BATCH: usize = 4;
const EPOCHS: u64 = 20;

pub(super) fn measure(setup: &Setup) -> Result<Finding, EffectError> {
    let plan = TrainPlan {
        batch: BATCH,
        evaluate_every: Some(16),
        ..TrainPlan::new(Model::Softmax, setup.epochs(BATCH, EPOCHS))
    };
    let rates = rates(0.01, 1.0, 9);
    let runs = setup.train(&setup.task, &plan, &setup.lanes(&plan, "constant", &rates)?)?;
    let floor = optimum(setup)?;
    let level = way(&runs, 0.8);
    let mut table =
        Table::new(["rate", "updates to four fifths of the way", "loss above the optimum, last third"]);
    let (mut fast, mut noisy) = (Vec::new(), Vec::new());
    for (rate, runs) in rates.iter().zip(&runs) {
        let arrivals: Option<Vec<f64>> = runs.iter().map(|run| arrival(run, level)).collect();
        let excess: Vec<f64> = runs.iter().map(|run| last_third(run) - floor).collect();
        let arrival: Cell = match &arrivals {
            Some(steps) => {
                fast.push((*rate, Estimate::geometric(steps)));
                Estimate::geometric(steps).into()
            }
            None => "not with every seed".into(),
        };
        noisy.push((*rate, Estimate::geometric(&excess)));
        table.rows.push(vec![(*rate).into(), arrival, Estimate::geometric(&excess).into()]);
    }
    let per_seed =
        |k: usize| log_slope(rates.iter().zip(&runs).map(|(&r, runs)| (r, last_third(&runs[k]) - floor)));
    let slopes: Vec<f64> = (0..setup.seeds as usize).map(per_seed).collect();
    let slope = Estimate::of(&slopes);
    let fastest = fast.iter().min_by(|a, b| a.1.mean.total_cmp(&b.1.mean));
    let (at, times) = match (fast.first(), fastest) {
        (Some(slowest), Some(fastest)) => (fastest.0, slowest.1.mean / fastest.1.mean),
        _ => (f64::NAN, f64::NAN),
    };
    Ok(Finding {
        shown: slope.above(0.0) && times > 1.0,
        found: format!(
            "the rate {at:.3} arrives {times:.1} times sooner than {:.3}, and a constant rate's loss stays above the optimum by \
             an excess that grows like rate^{}",
            rates[0],
            slope.text(2)
        ),
        table,
        plot: Plot {
            x: Axis::log("rate"),
            y: Axis::log("training loss above the optimum, last third"),
            lines: vec![Line::new("softmax, constant rate", noisy)],
            marks: Vec::new(),
        },
        notes: vec![format!(
            "softmax regression in batches of {BATCH}, {EPOCHS} epochs; the optimum ({floor:.5}) by full-batch Nesterov"
        )],
    })
}

/// The lowest training loss of softmax regression.
fn optimum(setup: &Setup) -> Result<f64, EffectError> {
    let plan = TrainPlan {
        batch: usize::MAX,
        optimizer: lehr_lab::Optimizer::Nesterov { momentum: 0.9 },
        ..TrainPlan::new(Model::Softmax, 5000)
    };
    let one = Setup { seeds: 1, ..setup.clone() };
    let runs = one.train(&setup.task, &plan, &one.lanes(&plan, "constant", &rates(0.01, 0.3, 8))?)?;
    Ok(runs.iter().flatten().map(super::setup::training_end).fold(f64::INFINITY, f64::min))
}

/// Mean training loss over the last third of a run.
fn last_third(run: &LaneRun) -> f64 {
    let history = &run.history[run.history.len() * 2 / 3..];
    history.iter().map(|at| at.train_loss).sum::<f64>() / history.len() as f64
}
