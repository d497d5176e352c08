//! A loss with two basins, started in the poorer one.

use lehr_lab::basins::Basins;
use lehr_schedule::Horizon;

use super::measure::{Estimate, rates};
use super::setup::{Setup, resolve};
use super::{Axis, EffectError, Finding, Line, Plot, Table};

const LOSS: Basins = Basins { tilt: 0.3, noise: 3.0 };
const STEPS: u64 = 10_000;
/// Walks per seed.
const WALKS: u64 = 50;
const SMALL: f64 = 0.003;
const LARGE: f64 = 0.06;
/// Schedule and peak rate.
const RUNS: [(&str, f64); 6] = [
    ("constant", SMALL),
    ("cosine", SMALL),
    ("constant", LARGE),
    ("linear", LARGE),
    ("cosine", LARGE),
    ("restarts every 25%", LARGE),
];

pub(super) fn measure(setup: &Setup) -> Result<Finding, EffectError> {
    let floor = LOSS.loss(LOSS.stationary(-1.0));
    let poorer = LOSS.loss(LOSS.stationary(1.0)) - floor;
    let mut table = Table::new(["schedule", "peak rate", "left the poorer basin", "loss above the best"]);
    let mut found = Vec::new();
    for (spec, rate) in RUNS {
        let ends = ends(setup, spec, rate)?;
        let left = left(&ends);
        let losses: Vec<f64> = ends.iter().map(|&x| LOSS.loss(x) - floor).collect();
        let loss = Estimate::of(&losses);
        table.rows.push(vec![spec.into(), rate.into(), left.into(), loss.into()]);
        found.push((left, loss));
    }
    let rates = rates(0.001, 0.08, 13);
    let mut lines = Vec::new();
    for spec in ["constant", "linear", "restarts every 25%"] {
        let points: Result<Vec<_>, EffectError> =
            rates.iter().map(|&rate| Ok((rate, left(&ends(setup, spec, rate)?)))).collect();
        lines.push(Line::new(spec, points?));
    }
    let (small, large) = (&found[0], &found[2..]);
    let annealed = &found[3];
    Ok(Finding {
        shown: large.iter().all(|of| of.0.low > small.0.high) && annealed.1.high < found[2].1.low,
        found: format!(
            "{:.0} % of the walks at the small rate leave the poorer basin, {:.0} % at the large one, {:.0} % annealed and \
             {:.0} % restarted; the annealed end {:.3} above the best loss, the constant {:.3}",
            100.0 * small.0.mean,
            100.0 * large[0].0.mean,
            100.0 * annealed.0.mean,
            100.0 * large[3].0.mean,
            annealed.1.mean,
            found[2].1.mean
        ),
        table,
        plot: Plot {
            x: Axis::log("peak rate"),
            y: Axis::linear("share that ends in the better basin").range(0.0, 1.0),
            lines,
            marks: vec![(SMALL, "small".to_owned()), (LARGE, "large".to_owned())],
        },
        notes: vec![format!(
            "f(x) = (x² − 1)² + 0.3·x with gradient noise of deviation 3, {STEPS} updates from the poorer minimum ({poorer:.3} \
             above the better one), {} walks; shares have Wilson's intervals. A loss made for this, not real data",
            setup.seeds * WALKS
        )],
    })
}

/// Where the walks end.
fn ends(setup: &Setup, spec: &str, rate: f64) -> Result<Vec<f64>, EffectError> {
    let curve = resolve(spec, &Horizon::steps(STEPS))?;
    let rates: Vec<f64> = (0..STEPS).map(|step| rate * curve.at(step)).collect();
    let start = LOSS.stationary(1.0);
    let walks = setup.seeds().flat_map(|seed| (0..WALKS).map(move |walk| seed.wrapping_mul(WALKS) + walk));
    Ok(walks.map(|walk| LOSS.walk(start, &rates, walk)).collect())
}

/// The share on the better side of the hill.
fn left(ends: &[f64]) -> Estimate {
    let hill = LOSS.stationary(0.0);
    Estimate::share(ends.iter().filter(|x| **x < hill).count(), ends.len())
}
