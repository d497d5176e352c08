//! What it costs to be off the best rate.
use lehr::robustness::{GroupRobustness, Options, measure};
use lehr::sweep::Sweep;
use lehr_schedule::{Horizon, Schedule};
use serde::Serialize;

/// Factors at which the cost is tabled.
const FACTORS: [f64; 4] = [2.0, 3.0, 5.0, 10.0];

/// The picture and its table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Robustness {
    /// Factors by which a rate is too high.
    pub factors: Vec<f64>,
    /// One per schedule that can be measured.
    pub schedules: Vec<RobustnessCurve>,
    /// What is a small difference here.
    pub small: f64,
    /// What a reader has to know.
    pub caveats: Vec<String>,
}

/// One schedule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RobustnessCurve {
    /// The schedule.
    pub name: String,
    /// Its place in the palette.
    pub colour: usize,
    /// The best rate, between the points where a quadratic can tell.
    pub best: f64,
    /// Rates over the best one.
    pub factor: Vec<f64>,
    /// By how much the result is worse there; `null` where it diverged.
    pub excess: Vec<f64>,
    /// The cost at each of [`Robustness::factors`]: a number, "diverges", or nothing where it was not tried.
    pub cost: Vec<Option<Cost>>,
    /// The worst-case theory's R at each factor: by how much a bound on the excess loss grows.
    pub theory: Vec<Option<f64>>,
}

/// What a rate too high costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Cost {
    /// So much.
    Loss(f64),
    /// Everything.
    Diverges(&'static str),
}

impl Robustness {
    /// Of a sweep; `steps` is the horizon that the theory is asked about. `None` if nothing can be measured.
    pub fn of(sweep: &Sweep, steps: Option<u64>) -> Option<Self> {
        let options = Options { ratios: FACTORS.to_vec(), ..Options::default() };
        let measured = measure(sweep, &options).ok()?;
        let place = |name: &str| sweep.groups.iter().position(|group| group.schedule == name).unwrap_or(0);
        let schedules: Vec<RobustnessCurve> = measured
            .schedules
            .iter()
            .map(|group| curve(group, place(&group.schedule), steps.unwrap_or(10_000)))
            .collect();
        let small = measured.schedules.iter().map(|group| group.safe.epsilon).fold(0.0, f64::max);
        let mut caveats: Vec<String> = Vec::new();
        for caveat in measured.schedules.iter().flat_map(|group| &group.caveats) {
            if !caveats.contains(caveat) {
                caveats.push(caveat.clone());
            }
        }
        Some(Self { factors: FACTORS.to_vec(), schedules, small, caveats })
    }
}

fn curve(group: &GroupRobustness, colour: usize, steps: u64) -> RobustnessCurve {
    let best = group.optimum.as_ref().map_or(group.best_rate, |optimum| optimum.rate);
    let lowest = group.best_loss;
    let cost = |rho: f64| {
        let found = group.too_high.iter().find(|excess| excess.rho == rho)?;
        Some(found.excess.map_or(Cost::Diverges("diverges"), Cost::Loss))
    };
    RobustnessCurve {
        name: group.schedule.clone(),
        colour,
        best,
        factor: group.rates.iter().map(|rate| rate / best).collect(),
        excess: group.losses.iter().map(|loss| loss.map_or(f64::NAN, |loss| loss - lowest)).collect(),
        cost: FACTORS.iter().map(|&rho| cost(rho)).collect(),
        theory: theory(&group.schedule, steps).unwrap_or_else(|| vec![None; FACTORS.len()]),
    }
}

/// R(ρ) of a schedule, where its name reads as one.
fn theory(name: &str, steps: u64) -> Option<Vec<Option<f64>>> {
    let curve = name.parse::<Schedule>().ok()?.resolve(&Horizon::steps(steps.min(1_000_000))).ok()?;
    let rates = lehr::theory::Rates::of_curve(&curve).ok()?;
    let robustness = lehr::theory::Robustness::of(&rates);
    Some(FACTORS.iter().map(|&rho| robustness.at(rho).ok().map(|found| found.ratio)).collect())
}
