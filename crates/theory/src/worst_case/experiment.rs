//! The experiment on the worst case: the exponents of schedules beside the theory, computed and walked.

use lehr_schedule::{Curve, Horizon, Schedule};
use serde::Serialize;

use super::exponent::{Exponent, Options, WorstError, exponents, regression};
use super::simulation::{Cell, Simulated, simulate};
use super::{LONGEST_STEP, Shape};
use crate::error::{Error, require};
use crate::{Bound, Rates};

/// What is asked of the worst case.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// The schedules.
    pub schedules: Vec<Schedule>,
    /// Horizon T of the exponents, and the window of ρ. ρ counts from the best rate of the last-iterate bound at 10⁶
    /// steps, carried to the horizon by 1/√T.
    pub options: Options,
    /// Other horizons, to show the effect of a finite T, each as far as ρ fits.
    pub horizons: Vec<u64>,
    /// The walks that confirm the computation.
    pub walks: Option<Walks>,
}

/// A simulation of the worst cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walks {
    /// Steps of each walk.
    pub steps: u64,
    /// Walks per cell; rounded up to a multiple of 64.
    pub count: u64,
    /// Seed of the noise.
    pub seed: u64,
}

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The exponents at a horizon are computed.
    Computing(u64),
    /// The cells are walked, so many steps each.
    Walking(u64),
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Horizon T of the exponents.
    pub steps: u64,
    /// Lowest ρ.
    pub rho_low: f64,
    /// Highest ρ.
    pub rho_high: f64,
    /// One entry per schedule.
    pub rates: Vec<Rate>,
    /// The exponents at other horizons.
    pub horizons: Vec<AtHorizon>,
    /// Horizons at which the window of ρ has no room.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<u64>,
    /// The walked cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simulation: Option<Simulation>,
    /// What has to be said beside the numbers.
    pub caveats: [&'static str; 3],
}

/// The exponent of a schedule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rate {
    /// The schedule.
    pub schedule: String,
    /// Computed, with its interval and the worst error at each ρ.
    #[serde(flatten)]
    pub found: Exponent,
    /// Its limit for many steps and large ρ: 1/(2p+1) for decay to zero of degree p, else 1.
    pub theory: f64,
}

/// The exponents of all schedules at another horizon.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AtHorizon {
    /// The horizon.
    pub steps: u64,
    /// Lowest ρ.
    pub rho_low: f64,
    /// Highest ρ.
    pub rho_high: f64,
    /// One per schedule.
    pub exponents: Vec<f64>,
}

/// Walked beside computed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Simulation {
    /// Steps of each walk.
    pub steps: u64,
    /// Walks per cell.
    pub walks: u64,
    /// Seed of the noise.
    pub seed: u64,
    /// Lowest ρ.
    pub rho_low: f64,
    /// Highest ρ.
    pub rho_high: f64,
    /// Largest difference between walked and computed mean, in standard errors.
    pub largest_z: f64,
    /// Largest relative difference.
    pub largest_difference: f64,
    /// One entry per schedule.
    pub rates: Vec<Walked>,
}

/// A schedule's walks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Walked {
    /// The schedule.
    pub schedule: String,
    /// Least-squares slope of log error on log ρ.
    pub exponent: f64,
    /// Lower end of its interval (95 %, jackknife over blocks of walks).
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
    /// The computed exponent of the same cells.
    pub computed: f64,
    /// The cells.
    pub cells: Vec<WalkedCell>,
}

/// One ρ at its worst slope.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WalkedCell {
    /// Base rate over the best one.
    pub rho: f64,
    /// The slope ε, in units of G.
    pub slope: f64,
    /// ε·mean(D − x_T)·√T, in units of DG.
    pub error: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// The same, computed.
    pub computed: f64,
}

const CAVEATS: [&str; 3] = [
    "the worst case over slopes: a particular problem can be kinder",
    "rho counts from the best rate of the last-iterate bound at 10^6 steps, carried to the horizon by 1/√T",
    "theory is the limit for many steps and large rho; the exponent is that of the stated window",
];

/// Steps at which a schedule's own bound is computed.
const BOUND_STEPS: u64 = 1_000_000;
/// A narrower window of ρ says nothing of an exponent.
const NARROWEST: f64 = 3.0;
/// Values of ρ at other horizons, and of the walks.
const FEW: usize = 7;
const WALKED: usize = 5;

/// One schedule of the experiment.
struct Entrant<'a> {
    schedule: &'a Schedule,
    /// γ*·√T for D and G of the family, whose domain is 2D wide.
    factor: f64,
    theory: f64,
}

/// A resolved schedule as a function of the share of the horizon.
struct OnShare(Curve);

impl Shape for OnShare {
    fn at(&self, u: f64) -> f64 {
        self.0.at((u * self.0.steps() as f64).round() as u64)
    }
}

impl Experiment {
    /// Computes and walks. `progress` is told what is done next.
    ///
    /// # Errors
    /// No schedule, one that cannot be resolved, a window or horizon out of range (see [`exponents`]), or too few steps
    /// for the walks.
    pub fn run(&self, progress: &dyn Fn(Stage)) -> Result<Outcome, Error> {
        let options = self.options;
        let entrants: Vec<Entrant<'_>> = self.schedules.iter().map(Entrant::new).collect::<Result<_, _>>()?;
        if entrants.is_empty() {
            return Err(Error::Data("the experiment needs a schedule".into()));
        }
        progress(Stage::Computing(options.steps as u64));
        let found = compute(&entrants, options)?;
        let (mut horizons, mut left_out) = (Vec::new(), Vec::new());
        for &steps in &self.horizons {
            let Some(fitting) = self.fitting(&entrants, steps, FEW) else {
                left_out.push(steps);
                continue;
            };
            progress(Stage::Computing(steps));
            let exponents = compute(&entrants, fitting)?.iter().map(|found| found.exponent).collect();
            let Options { rho_low, rho_high, .. } = fitting;
            horizons.push(AtHorizon { steps, rho_low, rho_high, exponents });
        }
        let simulation = match self.walks {
            Some(walks) => {
                progress(Stage::Walking(walks.steps));
                Some(self.walk(&entrants, walks)?)
            }
            None => None,
        };
        let rate = |(entrant, found): (&Entrant<'_>, Exponent)| Rate {
            schedule: entrant.schedule.to_string(),
            found,
            theory: entrant.theory,
        };
        Ok(Outcome {
            steps: options.steps as u64,
            rho_low: options.rho_low,
            rho_high: options.rho_high,
            rates: entrants.iter().zip(found).map(rate).collect(),
            horizons,
            left_out,
            simulation,
            caveats: CAVEATS,
        })
    }

    /// The window of ρ at another horizon: the asked one, as far as no step is too long.
    fn fitting(&self, entrants: &[Entrant<'_>], steps: u64, points: usize) -> Option<Options> {
        let largest = entrants.iter().map(|entrant| entrant.factor).fold(0.0, f64::max);
        let longest = 0.999 * LONGEST_STEP * (steps as f64).sqrt() / largest;
        let rho_high = self.options.rho_high.min(longest);
        let fitting = Options { steps: steps as f64, rho_high, points, ..self.options };
        (rho_high / fitting.rho_low >= NARROWEST).then_some(fitting)
    }

    /// The computed worst cases again, walked.
    fn walk(&self, entrants: &[Entrant<'_>], walks: Walks) -> Result<Simulation, Error> {
        let Walks { steps, seed, .. } = walks;
        let low = self.options.rho_low;
        let fitting = self.fitting(entrants, steps, WALKED).ok_or_else(|| {
            Error::Data(format!(
                "walks of {steps} steps are too short for rho from {low}: no step may be longer than half of D"
            ))
        })?;
        let computed = compute(entrants, fitting)?;
        let tables: Vec<Vec<f64>> =
            resolve(entrants, steps)?.iter().map(|shape| shape.0.iter().collect()).collect();
        let of_shape = |(shape, found): (usize, &Exponent)| {
            let cell = move |at: &WorstError| Cell { shape, rate: at.rate, slope: at.slope };
            found.points.iter().map(cell).collect::<Vec<_>>()
        };
        let cells: Vec<Cell> = computed.iter().enumerate().flat_map(of_shape).collect();
        let blocks = walks.count.div_ceil(64) as usize;
        let walked = simulate(&tables, &cells, blocks, seed, self.options.threads)?;
        let root = (steps as f64).sqrt();
        let rates: Vec<Walked> = (entrants.iter().zip(&computed).zip(walked.chunks(WALKED)))
            .map(|((entrant, found), walked)| Walked::new(entrant.schedule.to_string(), found, walked, root))
            .collect();
        let over = |measure: &dyn Fn(&WalkedCell) -> f64| {
            rates.iter().flat_map(|walked| &walked.cells).map(measure).fold(0.0, f64::max)
        };
        Ok(Simulation {
            steps,
            walks: blocks as u64 * 64,
            seed,
            rho_low: fitting.rho_low,
            rho_high: fitting.rho_high,
            largest_z: over(&|cell| (cell.error - cell.computed).abs() / cell.standard_error),
            largest_difference: over(&|cell| (cell.error / cell.computed - 1.0).abs()),
            rates,
        })
    }
}

impl<'a> Entrant<'a> {
    fn new(schedule: &'a Schedule) -> Result<Self, Error> {
        let rates = Rates::of_curve(&resolved(schedule, BOUND_STEPS)?)?;
        Ok(Self {
            schedule,
            factor: 2.0 * Bound::of(&rates).shape_factor(),
            theory: rates.end_degree().map_or(1.0, |degree| 1.0 / (2.0 * degree + 1.0)),
        })
    }
}

impl Walked {
    fn new(schedule: String, found: &Exponent, walked: &[Simulated], root: f64) -> Self {
        let cell = |(at, walked): (&WorstError, &Simulated)| WalkedCell {
            rho: at.rho,
            slope: at.slope,
            error: at.slope * walked.mean * root,
            standard_error: at.slope * walked.standard_error * root,
            computed: at.error,
        };
        let of = |means: &dyn Fn(&Simulated) -> f64| {
            let at = |(at, walked): (&WorstError, &Simulated)| (at.rho.ln(), (at.slope * means(walked)).ln());
            regression(&found.points.iter().zip(walked).map(at).collect::<Vec<_>>()).0
        };
        let exponent = of(&|walked| walked.mean);
        // Jackknife over blocks, whose noise is common to all cells.
        let blocks = walked.first().map_or(0, |walked| walked.blocks.len());
        let rest = |walked: &Simulated, block: usize| {
            (walked.blocks.iter().sum::<f64>() - walked.blocks[block]) / (blocks - 1) as f64
        };
        let spread: f64 =
            (0..blocks).map(|block| (of(&|walked| rest(walked, block)) - exponent).powi(2)).sum();
        let half = 2.4 * (spread * (blocks - 1) as f64 / blocks as f64).sqrt();
        Self {
            schedule,
            exponent,
            low: exponent - half,
            high: exponent + half,
            computed: found.exponent,
            cells: found.points.iter().zip(walked).map(cell).collect(),
        }
    }
}

fn compute(entrants: &[Entrant<'_>], options: Options) -> Result<Vec<Exponent>, Error> {
    require(options.steps >= 1.0, "the horizon", options.steps, "at least 1")?;
    let shapes = resolve(entrants, options.steps as u64)?;
    let root = options.steps.sqrt();
    let schedules: Vec<(&dyn Shape, f64)> = (shapes.iter().zip(entrants))
        .map(|(shape, entrant)| (shape as &dyn Shape, entrant.factor / root))
        .collect();
    exponents(&schedules, options)
}

fn resolve(entrants: &[Entrant<'_>], steps: u64) -> Result<Vec<OnShare>, Error> {
    entrants.iter().map(|entrant| resolved(entrant.schedule, steps).map(OnShare)).collect()
}

fn resolved(schedule: &Schedule, steps: u64) -> Result<Curve, Error> {
    let curve = schedule.resolve(&Horizon::steps(steps));
    curve.map_err(|why| Error::Data(format!("schedule `{schedule}` at {steps} steps: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(schedules: &[&str]) -> Experiment {
        Experiment {
            schedules: schedules.iter().map(|spec| spec.parse().unwrap()).collect(),
            options: Options { steps: 1e6, rho_low: 4.0, rho_high: 100.0, points: 4, threads: 2 },
            horizons: vec![1_000, 100_000],
            walks: Some(Walks { steps: 20_000, count: 130, seed: 1 }),
        }
    }

    #[test]
    fn walks_agree_with_the_computation_and_short_horizons_are_left_out() {
        let outcome = small(&["linear", "constant"]).run(&|_| ()).unwrap();
        assert_eq!(outcome.left_out, [1_000]);
        assert_eq!(outcome.horizons.len(), 1);
        let theory: Vec<f64> = outcome.rates.iter().map(|rate| rate.theory).collect();
        assert!((theory[0] - 1.0 / 3.0).abs() < 0.01 && theory[1] == 1.0, "{theory:?}");
        let simulation = outcome.simulation.unwrap();
        assert_eq!(simulation.walks, 192, "whole blocks of 64");
        assert!(simulation.largest_z < 4.0, "{simulation:?}");
        for walked in &simulation.rates {
            assert!(walked.low < walked.computed && walked.computed < walked.high, "{walked:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |experiment: Experiment, part: &str| {
            let error = experiment.run(&|_| ()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        refused(small(&[]), "needs a schedule");
        refused(small(&["warmup 2000000, linear"]), "at 1000000 steps");
        let with = |walks| Experiment { walks: Some(walks), ..small(&["linear"]) };
        refused(with(Walks { steps: 200, count: 128, seed: 0 }), "too short");
        refused(with(Walks { steps: 20_000, count: 0, seed: 0 }), "blocks");
        let mut none = small(&["linear"]);
        none.options.steps = f64::NAN;
        refused(none, "horizon");
    }
}
