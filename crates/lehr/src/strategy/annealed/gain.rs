//! What knowing the ends of runs is worth: the knowledge gradient with correlated beliefs (Frazier, Powell and Dayanik 2009).
//!
//! The draws give how what is believed of a run and of each answer vary together. Taken as jointly normal, the runs' ends move
//! each answer's expected loss by W·z with z standard normal, and the gain is how far the lowest score falls on average: the
//! expected loss, and for other settings than the first a caution that is less, the more is known.
//! Weighing the draws by how well they foretell an imagined end instead would leave few of them that count, and the best of
//! many answers by few draws looks good by luck: the cheapest runs seemed worth most.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use lehr_search::Stream;
use statrs::distribution::{ContinuousCDF, Normal};

use super::choose::{Answers, Option_, expected, winsorize};
use super::field::dot;
use super::model::{Expected, Features, Model};
use super::question::Point;

/// Runs that are weighed together at most.
const TOGETHER: usize = 3;
/// Imagined ends.
const ENDS: usize = 64;
/// What is explained of an answer by chance, in units of the expected share: so much is taken off.
const CHANCE: f64 = 1.0;

/// A possible run: place, rate, horizon and seed.
type Run = (usize, u64, u64, u64);

/// The gains of runs in the light of a posterior.
pub(super) struct Gains<'a> {
    model: &'a Model,
    features: &'a [Features],
    behind: Vec<Behind>,
    /// The lowest score of all as things are.
    lowest: f64,
    ends: Vec<[f64; TOGETHER]>,
    /// What is believed of runs under way, with an end for each draw: orthogonal and of unit length.
    known: Vec<Vec<f64>>,
    stride: usize,
    beliefs: RefCell<HashMap<Run, Rc<Belief>>>,
}

/// By how much an answer is worse than the best one at home: the mean, the draws around it, and the caution.
struct Behind {
    mean: f64,
    around: Vec<f64>,
    caution: f64,
}

impl Behind {
    fn variance(&self) -> f64 {
        dot(&self.around, &self.around) / self.around.len() as f64
    }
}

/// What the draws believe of a run: around its mean, and the mean variance of its noise.
struct Belief {
    around: Vec<f64>,
    noise: f64,
}

impl Belief {
    fn of(all: &[Expected]) -> Self {
        let count = all.len() as f64;
        // A wreck shows as a loss far above the others. It is the same one in all draws: that a run is wrecked says nothing of levels.
        let wreck = all.iter().map(Expected::wreck).sum::<f64>() / count;
        let mut around: Vec<f64> = all.iter().map(|e| e.mean_with(wreck)).collect();
        winsorize(&mut around);
        center(&mut around);
        let noise = |e: &Expected| {
            let height = wreck - e.loss;
            e.noise * e.noise + e.wrecked * (1.0 - e.wrecked) * height * height
        };
        Self { around, noise: all.iter().map(noise).sum::<f64>() / count }
    }
}

fn center(of: &mut [f64]) {
    let mean = of.iter().sum::<f64>() / of.len() as f64;
    of.iter_mut().for_each(|x| *x -= mean);
}

impl<'a> Gains<'a> {
    /// With the runs of `open` under way, by one draw of so many.
    pub fn new(
        model: &'a Model,
        features: &'a [Features],
        answers: &Answers,
        open: &[Point],
        stride: usize,
        stream: &mut Stream,
    ) -> Self {
        let home = answers.draws(answers.home);
        let behind = (0..answers.at.len()).map(|a| {
            let mut around: Vec<f64> =
                answers.draws(a).iter().zip(home).step_by(stride).map(|(a, b)| a - b).collect();
            winsorize(&mut around);
            let mean = around.iter().sum::<f64>() / around.len() as f64;
            center(&mut around);
            Behind { mean, around, caution: answers.cautions[a] }
        });
        let behind: Vec<Behind> = behind.collect();
        let mut gains = Self {
            model,
            features,
            behind,
            lowest: 0.0,
            ends: ends(stream),
            known: Vec::new(),
            stride,
            beliefs: RefCell::default(),
        };
        for run in open {
            let of = expected(model, &features[run.place], (run.x, run.tau, Some(run.seed)), stride, |e| *e);
            gains.await_end(Belief::of(&of), stream);
        }
        let score = |of: &Behind| of.mean + of.caution * of.variance().sqrt();
        gains.lowest = gains.behind.iter().map(score).fold(f64::INFINITY, f64::min);
        gains
    }

    /// Takes off what a run under way will tell, whatever its end.
    fn await_end(&mut self, mut belief: Belief, stream: &mut Stream) {
        self.less_known(&mut belief.around);
        let sd = belief.noise.sqrt();
        let mut seen: Vec<f64> = belief.around.iter().map(|x| x + sd * stream.normal()).collect();
        center(&mut seen);
        let size = dot(&seen, &seen).sqrt().max(1e-300);
        seen.iter_mut().for_each(|x| *x /= size);
        for behind in &mut self.behind {
            take_off(&mut behind.around, &seen);
        }
        self.known.push(seen);
    }

    fn less_known(&self, around: &mut [f64]) {
        self.known.iter().for_each(|seen| take_off(around, seen));
    }

    fn belief(&self, run: &Option_) -> Rc<Belief> {
        let key = (run.place, run.x.to_bits(), run.horizon, run.seed);
        let known = self.beliefs.borrow().get(&key).map(Rc::clone);
        known.unwrap_or_else(|| {
            let at = (run.x, run.tau, Some(run.seed));
            let of = expected(self.model, &self.features[run.place], at, self.stride, |e| *e);
            let mut belief = Belief::of(&of);
            self.less_known(&mut belief.around);
            let made = Rc::new(belief);
            self.beliefs.borrow_mut().insert(key, Rc::clone(&made));
            made
        })
    }

    /// By how much knowing the ends of runs is expected to lower the loss of the answer.
    pub fn of(&self, runs: &[Option_]) -> f64 {
        let beliefs: Vec<Rc<Belief>> = runs.iter().map(|run| self.belief(run)).collect();
        let axes = axes(&beliefs);
        let count = self.behind.first().map_or(1, |b| b.around.len()) as f64;
        let chance = CHANCE * runs.len() as f64 / count;
        let moves: Vec<(f64, [f64; TOGETHER])> = self
            .behind
            .iter()
            .map(|behind| {
                let mut along = [0.0; TOGETHER];
                along.iter_mut().zip(&axes).for_each(|(w, axis)| *w = dot(&behind.around, axis) / count);
                let (explained, all) = (dot(&along, &along), behind.variance());
                let sure = (1.0 - chance * all / explained.max(1e-300)).max(0.0).sqrt();
                // What is known then needs no caution any more.
                let left = (all - sure * sure * explained).max(0.0).sqrt();
                (behind.mean + behind.caution * left, along.map(|w| sure * w))
            })
            .collect();
        let lowest = |z: &[f64; TOGETHER]| {
            let at = |(mean, w): &(f64, [f64; TOGETHER])| mean + w[0] * z[0] + w[1] * z[1] + w[2] * z[2];
            moves.iter().map(at).fold(f64::INFINITY, f64::min)
        };
        // Never below zero but for rounding.
        (self.lowest - self.ends.iter().map(lowest).sum::<f64>() / self.ends.len() as f64).max(0.0)
    }
}

fn take_off(around: &mut [f64], unit: &[f64]) {
    let along = dot(around, unit);
    around.iter_mut().zip(unit).for_each(|(x, u)| *x -= along * u);
}

/// Directions in the draws along which the ends of runs, noise included, are independent and of unit variance.
fn axes(beliefs: &[Rc<Belief>]) -> Vec<Vec<f64>> {
    let m = beliefs.len();
    let mut factor = [[0.0f64; TOGETHER]; TOGETHER];
    let mut axes: Vec<Vec<f64>> = Vec::new();
    for i in 0..m {
        let around = &beliefs[i].around;
        let mut axis = around.clone();
        let mut own = dot(around, around) / around.len() as f64 + beliefs[i].noise;
        for j in 0..i {
            // Cholesky's factor of the covariance of the ends, and the axes that it makes of the beliefs.
            let shared = dot(around, &beliefs[j].around) / around.len() as f64;
            let before: f64 = (0..j).map(|k| factor[i][k] * factor[j][k]).sum();
            factor[i][j] = (shared - before) / factor[j][j];
            let by = factor[i][j];
            axis.iter_mut().zip(&axes[j]).for_each(|(x, other)| *x -= by * other);
            own -= by * by;
        }
        factor[i][i] = own.max(1e-300).sqrt();
        axis.iter_mut().for_each(|x| *x /= factor[i][i]);
        axes.push(axis);
    }
    axes
}

/// Standard normal numbers in pairs of opposite sign, the first of each spread evenly.
fn ends(stream: &mut Stream) -> Vec<[f64; TOGETHER]> {
    let half = ENDS / 2;
    (0..half)
        .flat_map(|k| {
            let share = 0.5 + 0.5 * (k as f64 + 0.5) / half as f64;
            let z = [Normal::standard().inverse_cdf(share), stream.normal(), stream.normal()];
            [z, z.map(|x| -x)]
        })
        .collect()
}
