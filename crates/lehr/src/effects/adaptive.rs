//! How wide the range of good rates is, for Adam and for plain SGD.

use lehr_lab::{AdamSettings, Model, Optimizer, TrainPlan};

use super::measure::{Estimate, rates};
use super::restarts::signed;
use super::setup::{Setup, scaled, training_end};
use super::{Axis, EffectError, Finding, Line, Plot, Table};

const BATCH: usize = 16;
/// A rate is good if its training loss is at most so much above the best.
const GOOD: f64 = 0.02;

pub(super) fn measure(setup: &Setup) -> Result<Finding, EffectError> {
    let adam = Optimizer::Adam(AdamSettings::default());
    let optimizers = [("sgd", Optimizer::Sgd, 3e-3), ("adam", adam, 1e-4)];
    // Factors a constant factor apart.
    let columns = setup.train_rows().features().columns().max(2) - 1;
    let uneven = scaled(&setup.task, |c| 10f64.powf(2.0 * c as f64 / columns as f64 - 1.0) as f32)?;
    let tasks = [("as it is", &setup.task), ("columns scaled from 0.1 to 10", &uneven)];
    let mut table = Table::new(["data", "optimizer", "best rate", "octaves of good rates", "training loss"]);
    let mut lines = Vec::new();
    let mut widths: Vec<Vec<f64>> = Vec::new();
    let mut bests = Vec::new();
    for (data, task) in tasks {
        for (name, optimizer, low) in optimizers {
            let plan = TrainPlan {
                batch: BATCH,
                optimizer,
                ..TrainPlan::new(Model::Mlp(vec![32]), setup.epochs(BATCH, 15))
            };
            let rates = rates(low, low * 4096.0, 37);
            let runs = setup.train(task, &plan, &setup.lanes(&plan, "linear", &rates)?)?;
            let losses: Vec<Vec<f64>> =
                runs.iter().map(|seeds| seeds.iter().map(training_end).collect()).collect();
            let means: Vec<Estimate> = losses.iter().map(|of| Estimate::of(of)).collect();
            let best = (0..rates.len()).min_by(|&a, &b| means[a].mean.total_cmp(&means[b].mean)).unwrap_or(0);
            let width: Vec<f64> =
                (0..setup.seeds as usize).map(|k| good_octaves(&rates, &losses, k)).collect();
            table.rows.push(vec![
                data.into(),
                name.into(),
                rates[best].into(),
                Estimate::of(&width).into(),
                means[best].into(),
            ]);
            let points = rates.iter().zip(&means).map(|(&rate, mean)| (rate / rates[best], *mean));
            lines.push(Line::new(format!("{name}, {data}"), points.filter(|point| point.1.mean.is_finite())));
            widths.push(width);
            bests.push(means[best].mean);
        }
    }
    let plain = Estimate::difference(&widths[1], &widths[0]);
    let scaled = Estimate::difference(&widths[3], &widths[2]);
    let lowest = bests.iter().copied().fold(f64::INFINITY, f64::min);
    Ok(Finding {
        shown: plain.above(0.0) && scaled.above(0.0),
        found: format!(
            "Adam's range of good rates differs from SGD's by {} octaves on the data as they are, and by {} where the \
             columns have different scales",
            signed(&plain),
            signed(&scaled)
        ),
        table,
        plot: Plot {
            x: Axis::log("rate over the best one"),
            y: Axis::linear("training loss at the end").range(lowest - 0.01, lowest + 0.3),
            lines,
            marks: Vec::new(),
        },
        notes: vec![format!(
            "mlp:32, linear decay, {} updates in batches of {BATCH}; good: training loss within {GOOD} of that optimizer's \
             best with the same seed",
            setup.epochs(BATCH, 15)
        )],
    })
}

/// Octaves of rates around the best whose loss is good, for one seed.
fn good_octaves(rates: &[f64], losses: &[Vec<f64>], k: usize) -> f64 {
    let best = (0..rates.len()).min_by(|&a, &b| losses[a][k].total_cmp(&losses[b][k])).unwrap_or(0);
    let good = |i: &usize| losses[*i][k] <= losses[best][k] + GOOD;
    let low = (0..=best).rev().take_while(good).last().unwrap_or(best);
    let high = (best..rates.len()).take_while(good).last().unwrap_or(best);
    (rates[high] / rates[low]).log2()
}
