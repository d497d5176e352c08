//! Where too high a rate begins, held against the curvature.

use lehr_lab::{Landscape, LaneRun, Model, Task, TrainPlan};

use super::measure::{Estimate, rates};
use super::setup::Setup;
use super::{Axis, EffectError, Finding, Line, Plot, Table};

/// Updates of full-batch gradient descent.
const STEPS: u64 = 3000;
/// A run has settled if its loss ends within this share of the lowest one.
const SETTLED: f64 = 1e-4;
/// Rates of the network, in units of 2 over the sharpness at its start.
const NETWORK: [f64; 3] = [0.125, 0.25, 0.5];

/// Rounds of the power iteration on the network, enough for a percent.
const ROUNDS: usize = 40;

/// What one choice of rows shows.
struct One {
    /// 2 over the largest eigenvalue at the minimum.
    predicted: f64,
    /// Between the highest rate that settles and the lowest that does not.
    edge: f64,
    /// Rate over `predicted`, and the loss at the end.
    curve: Vec<(f64, f64)>,
    /// Sharpness at the end over 2/rate, for each rate of [`NETWORK`]; none where the run diverged.
    network: Vec<Option<f64>>,
}

pub(super) fn measure(setup: &Setup) -> Result<Finding, EffectError> {
    let all = setup.each_seed(|seed| one(setup, seed))?;
    let column = |of: fn(&One) -> f64| all.iter().map(of).collect::<Vec<_>>();
    let predicted = Estimate::geometric(&column(|one| one.predicted));
    let edge = Estimate::geometric(&column(|one| one.edge));
    let ratio = Estimate::geometric(&column(|one| one.edge / one.predicted));
    let mut table = Table::new(["quantity", "value"]);
    table.rows.push(vec!["softmax regression: 2/λ at the minimum".into(), predicted.into()]);
    table.rows.push(vec!["softmax regression: highest rate that settles".into(), edge.into()]);
    table.rows.push(vec!["softmax regression: the one over the other".into(), ratio.into()]);
    for (place, share) in NETWORK.iter().enumerate() {
        let ends: Vec<f64> = all.iter().filter_map(|one| one.network[place]).collect();
        let text = format!("mlp:16 at {share} × 2/λ of its start: λ at the end, over 2/rate");
        let cell = if ends.len() < 2 { "diverged".into() } else { Estimate::geometric(&ends).into() };
        table.rows.push(vec![text.into(), cell]);
    }
    let points = (0..all[0].curve.len()).map(|i| {
        let losses: Vec<f64> = all.iter().map(|one| one.curve[i].1).collect();
        (all[0].curve[i].0, Estimate::geometric(&losses))
    });
    let shown = (ratio.mean - 1.0).abs() < 0.05;
    Ok(Finding {
        shown,
        found: format!(
            "gradient descent on softmax regression settles up to {:.4} times 2/λ_max at the minimum [{:.4}, {:.4}], and \
             not above",
            ratio.mean, ratio.low, ratio.high
        ),
        table,
        plot: Plot {
            x: Axis::log("rate over 2/λ"),
            y: Axis::log("training loss after 3000 updates"),
            lines: vec![Line::new("softmax, full batch", points)],
            marks: vec![(1.0, "2/λ".to_owned())],
        },
        notes: vec![
            "each seed trains on another four fifths of the rows; λ by power iteration on differences of gradients; around the \
             edge the rates are 1.1 % apart"
                .into(),
            "with cross-entropy a rate above the edge does not run off to infinity: it swings for ever at a high loss".into(),
            "a network has no fixed edge: its curvature changes in training and comes to about 2/rate, where it is held"
                .into(),
        ],
    })
}

fn one(setup: &Setup, seed: u64) -> Result<One, EffectError> {
    let task = Task::split(setup.train_rows(), 0.2, seed)?;
    let plan = TrainPlan { batch: usize::MAX, keep_weights: true, ..TrainPlan::new(Model::Softmax, STEPS) };
    let landscape = Landscape::new(&plan.model, task.train())?;
    let start = landscape.sharpness(&vec![0.0; landscape.weights()], 300).eigenvalue;
    let alone = Setup { seeds: 1, seed, threads: Some(1), ..setup.clone() };
    let run = |plan: &TrainPlan, rates: &[f64]| {
        let lanes = alone.lanes(plan, "constant", rates)?;
        Ok::<_, EffectError>(alone.train(&task, plan, &lanes)?.into_iter().flatten().collect::<Vec<_>>())
    };
    let settled = run(&plan, &[1.0 / start])?;
    let weights = settled[0].weights.as_deref().map(Landscape::flatten).unwrap_or_default();
    let predicted = 2.0 / landscape.sharpness(&weights, 500).eigenvalue;
    let wide = rates(1e-4, 30.0, 23);
    let narrow = rates(0.8, 1.25, 41);
    let scaled: Vec<f64> = wide.iter().chain(&narrow).map(|share| share * predicted).collect();
    let losses: Vec<f64> = run(&plan, &scaled)?
        .iter()
        .map(|run| run.history.last().map_or(f64::NAN, |end| end.train_loss))
        .collect();
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let around = &losses[wide.len()..];
    let first = around.iter().position(|loss| loss - best > SETTLED * best).unwrap_or(around.len());
    let edge = match first {
        0 => narrow[0],
        first if first == narrow.len() => narrow[first - 1],
        first => (narrow[first - 1] * narrow[first]).sqrt(),
    };
    let mut curve: Vec<(f64, f64)> = wide.into_iter().chain(narrow).zip(losses).collect();
    curve.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(One { predicted, edge: edge * predicted, curve, network: network(&task, seed, run)? })
}

/// How far the sharpness of a network has come towards 2/rate at the end.
fn network(
    task: &Task,
    seed: u64,
    run: impl Fn(&TrainPlan, &[f64]) -> Result<Vec<LaneRun>, EffectError>,
) -> Result<Vec<Option<f64>>, EffectError> {
    let model = Model::Mlp(vec![16]);
    let plan = TrainPlan { batch: usize::MAX, keep_weights: true, ..TrainPlan::new(model.clone(), STEPS) };
    let landscape = Landscape::new(&model, task.train())?;
    let data = task.train();
    let initial = model.initial_weights(data.features().columns(), data.classes().len(), seed)?;
    let start = landscape.sharpness(&Landscape::flatten(&initial), ROUNDS).eigenvalue;
    let rates = NETWORK.map(|share| share * 2.0 / start);
    let ends = run(&plan, &rates)?;
    let share = |(rate, run): (&f64, &LaneRun)| {
        let weights = Landscape::flatten(run.weights.as_deref()?);
        Some(landscape.sharpness(&weights, ROUNDS).eigenvalue * rate / 2.0)
    };
    Ok(rates.iter().zip(&ends).map(share).collect())
}
