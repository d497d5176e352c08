//! From a point where the gradient vanishes.

use lehr_lab::{Landscape, Model, Task};
use lehr_schedule::Horizon;

use super::measure::Estimate;
use super::setup::{Setup, resolve};
use super::{Axis, EffectError, Finding, Line, Plot, Table};

/// Updates from the stationary point.
const STEPS: u64 = 200;
const SPECS: [&str; 4] = ["constant", "linear", "cosine", "restarts every 25%"];
/// L2 penalty: it makes the solution one point, which is reached quickly.
const PENALTY: f64 = 0.01;

/// Changes of the loss under each schedule, from the stationary point and from zero.
struct One {
    norm: f64,
    from_solution: Vec<f64>,
    from_zero: Vec<f64>,
    /// Losses above the solution's, from zero and from the solution, under the constant rate.
    trail: Vec<f64>,
    still: Vec<f64>,
}

pub(super) fn measure(setup: &Setup) -> Result<Finding, EffectError> {
    let all = setup.each_seed(|seed| one(setup, seed))?;
    let norm = Estimate::geometric(&all.iter().map(|one| one.norm).collect::<Vec<_>>());
    let mut table = Table::new(["schedule", "change of the loss from the solution", "from zero"]);
    let mut largest = 0.0f64;
    for (place, spec) in SPECS.iter().enumerate() {
        let still: Vec<f64> = all.iter().map(|one| one.from_solution[place]).collect();
        let moved: Vec<f64> = all.iter().map(|one| one.from_zero[place]).collect();
        largest = still.iter().fold(largest, |most, change| most.max(change.abs()));
        table.rows.push(vec![(*spec).into(), Estimate::of(&still).into(), Estimate::of(&moved).into()]);
    }
    let from_zero: Vec<f64> = all.iter().flat_map(|one| one.from_zero.iter().copied()).collect();
    let least = from_zero.iter().fold(f64::INFINITY, |least, change| least.min(change.abs()));
    let looks = |of: fn(&One) -> &Vec<f64>| {
        let at = |i: usize| Estimate::of(&all.iter().map(|one| of(one)[i]).collect::<Vec<_>>());
        (0..=STEPS as usize).step_by(10).map(|i| (i as f64, at(i))).collect::<Vec<_>>()
    };
    let lines = vec![
        Line::new("from zero, constant rate", looks(|one| &one.trail)),
        Line::new("from the solution, constant rate", looks(|one| &one.still)),
    ];
    Ok(Finding {
        shown: largest < 1e-9 * least,
        found: format!(
            "from the solution (gradient norm {:.1e}) no schedule changes the loss by more than {largest:.1e}; from zero \
             every one changes it by at least {least:.3}",
            norm.mean
        ),
        table,
        plot: Plot {
            x: Axis::linear("update"),
            y: Axis::linear("penalised loss above the solution's"),
            lines,
            marks: Vec::new(),
        },
        notes: vec![
            format!(
                "softmax regression with the penalty {PENALTY}/2·|w|², full-batch gradient descent in double precision at the \
                 peak rate 1/λ, {STEPS} updates; each seed has another four fifths of the rows"
            ),
            "with minibatches a solution is not stationary: the gradient of a batch does not vanish there"
                .into(),
        ],
    })
}

fn one(setup: &Setup, seed: u64) -> Result<One, EffectError> {
    let task = Task::split(setup.train_rows(), 0.2, seed)?;
    let landscape = Landscape::new(&Model::Softmax, task.train())?;
    let zero = vec![0.0; landscape.weights()];
    let rate = 1.0 / (landscape.sharpness(&zero, 200).eigenvalue + PENALTY);
    let mut solution = zero.clone();
    let mut norm = f64::INFINITY;
    // Nesterov's method for strongly convex losses.
    let root = (PENALTY * rate).sqrt();
    let momentum = (1.0 - root) / (1.0 + root);
    let mut before = solution.clone();
    for _ in 0..5000 {
        let ahead: Vec<f64> = solution.iter().zip(&before).map(|(w, b)| w + momentum * (w - b)).collect();
        let gradient = penalised(&landscape, &ahead).1;
        norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        before = solution;
        solution = ahead.iter().zip(&gradient).map(|(w, g)| w - rate * g).collect();
        if norm < 1e-13 {
            break;
        }
    }
    let floor = penalised(&landscape, &solution).0;
    let (mut from_solution, mut from_zero) = (Vec::new(), Vec::new());
    let mut trails = None;
    for spec in SPECS {
        let curve = resolve(spec, &Horizon::steps(STEPS))?;
        let rates: Vec<f64> = (0..STEPS).map(|step| rate * curve.at(step)).collect();
        let still = descend(&landscape, &solution, &rates);
        let moved = descend(&landscape, &zero, &rates);
        from_solution.push(still[still.len() - 1] - still[0]);
        from_zero.push(moved[moved.len() - 1] - moved[0]);
        let above = |losses: &[f64]| losses.iter().map(|loss| loss - floor).collect::<Vec<f64>>();
        trails.get_or_insert_with(|| (above(&moved), above(&still)));
    }
    let (trail, still) = trails.unwrap_or_default();
    Ok(One { norm, from_solution, from_zero, trail, still })
}

/// Losses before the first update and after each.
fn descend(landscape: &Landscape<'_>, start: &[f64], rates: &[f64]) -> Vec<f64> {
    let mut weights = start.to_vec();
    let mut losses = Vec::with_capacity(rates.len() + 1);
    for rate in rates {
        let (loss, gradient) = penalised(landscape, &weights);
        losses.push(loss);
        weights.iter_mut().zip(&gradient).for_each(|(w, g)| *w -= rate * g);
    }
    losses.push(penalised(landscape, &weights).0);
    losses
}

fn penalised(landscape: &Landscape<'_>, weights: &[f64]) -> (f64, Vec<f64>) {
    let (loss, mut gradient) = landscape.loss_and_gradient(weights);
    gradient.iter_mut().zip(weights).for_each(|(g, w)| *g += PENALTY * w);
    (loss + 0.5 * PENALTY * weights.iter().map(|w| w * w).sum::<f64>(), gradient)
}
