//! Bayesian optimisation with a Gaussian process.
mod acquisition;
mod freeze;
mod lbfgs;
mod linalg;
mod model;

use std::sync::{Arc, Mutex};

use super::sobol::sobol_point;
use super::{Sampler, Sobol, check_match};
use crate::error::SearchError;
use crate::history::{History, State};
use crate::space::{Domain, Space};
use crate::stream::Stream;
use crate::value::Params;
pub use freeze::{FreezeThaw, Next};
use model::{Kernel, Model, Points};

/// Bayesian optimisation: models the objective by a Gaussian process and takes the point with the largest expected
/// improvement (in logarithms).
///
/// - **Kernel**: Matérn 5/2 with a length scale per parameter (ARD), differing choices as distances, noise; the parameters
///   are the most probable ones under weak priors. They are fitted anew at each suggestion up to 20 trials, after that
///   each time the number of trials has grown by a tenth, on at most 128 trials.
/// - **Objective**: standardised, with values on the bad side of the median drawn in logarithmically, so that one bad region
///   does not flatten all others. Diverged trials and infinite values in the bad direction count as the worst finite one,
///   infinite ones in the good direction as the best; pruned trials as the median, or their last comparable report if that
///   is worse; failed ones are ignored.
/// - **Pending** trials are assumed to end at their predicted mean, which takes away what is to be learned there: parallel
///   suggestions spread.
/// - The improvement is over the best predicted mean at a trial, so that a lucky value under noise is not chased.
/// - Stepped, whole and ordinal parameters are moved to their values before they are judged; inactive ones count as the
///   middle of their range, inactive choices as a choice of their own. Constraints: only allowed points are candidates.
/// - The first trials (10 by default) come from [`Sobol`].
///
/// Cost: O(m³) with m the number of trials, at most 400 (the 100 best, the most recent, and others spread evenly over the
/// rest); it does not grow beyond that. Memory O(m²).
/// Source: Jones et al. 1998; Snoek et al. 2012; Ament et al. 2023 (log expected improvement); priors as in Optuna's
/// `GPSampler`.
#[derive(Debug)]
pub struct GaussianProcess {
    startup: usize,
    trials: usize,
    memory: Mutex<Option<Arc<Fit>>>,
}

/// Fitted parameters of the kernel and what they were fitted to: they follow from it, so keeping them changes no answer.
#[derive(Debug)]
struct Fit {
    history: u64,
    axes: Vec<usize>,
    trials: Vec<u32>,
    kernel: Kernel,
}

impl Default for GaussianProcess {
    fn default() -> Self {
        GaussianProcess { startup: 10, trials: 400, memory: Mutex::new(None) }
    }
}

/// Trials that the parameters of the kernel are fitted to, at most.
const MOST_FITTED: usize = 128;
/// Candidates that are judged before the best are improved: spread over the space, and around the best trials.
const SPREAD: usize = 384;
const NEARBY: usize = 192;
/// Candidates that are improved by a local search.
const IMPROVED: usize = 4;

impl GaussianProcess {
    /// How many finished trials come before the model is used (at least 2).
    pub fn startup(mut self, trials: usize) -> Self {
        self.startup = trials.max(2);
        self
    }

    /// How many trials the model holds at most (at least 20).
    pub fn trials(mut self, count: usize) -> Self {
        self.trials = count.max(20);
        self
    }

    /// The kernel for the history: fitted at growing numbers of trials, remembered between them.
    fn kernel(&self, view: &View, history: &History) -> Kernel {
        let informative = history.informative();
        let n = informative.len();
        let step = if n < 20 { 1 } else { n.ilog2().pow(2) as usize / 2 };
        let fitted = &informative[..n - n % step];
        let same =
            |f: &Arc<Fit>| f.history == history.identity() && f.axes == view.axes && f.trials == fitted;
        if let Ok(memory) = self.memory.lock()
            && let Some(fit) = memory.as_ref().filter(|f| same(f))
        {
            return fit.kernel.clone();
        }
        let mut ranked: Vec<u32> =
            history.ranked().iter().copied().filter(|t| fitted.binary_search(t).is_ok()).collect();
        thin(&mut ranked, MOST_FITTED, MOST_FITTED / 3);
        let (points, y, _) = view.observations(history, &ranked);
        let kernel = Kernel::new(view.categorical()).fit(&points, &y);
        let fit = Fit {
            history: history.identity(),
            axes: view.axes.clone(),
            trials: fitted.to_vec(),
            kernel: kernel.clone(),
        };
        if let Ok(mut memory) = self.memory.lock() {
            *memory = Some(Arc::new(fit));
        }
        kernel
    }

    fn model(&self, view: &View, history: &History, trial: u64) -> Option<Conditioned> {
        let kernel = self.kernel(view, history);
        let mut ranked = history.ranked().to_vec();
        if ranked.len() > self.trials {
            let recent_from = history.informative()[history.informative().len() - self.trials / 4];
            let (mut recent, mut others): (Vec<u32>, Vec<u32>) =
                ranked.iter().partition(|&&t| t >= recent_from);
            thin(&mut others, self.trials - recent.len(), self.trials / 4);
            recent.append(&mut others);
            recent.sort_unstable_by(|&a, &b| history.compare(a as usize, b as usize));
            ranked = recent;
        }
        let (mut points, mut y, unit) = view.observations(history, &ranked);
        let mut model = Model::new(kernel.clone(), points.clone(), &y)?;
        let pending: Vec<u32> = history.pending_but(trial).collect();
        if !pending.is_empty() {
            for t in pending {
                let x = view.point(history, t);
                y.push(model.mean(&x));
                points.push(&x);
            }
            model = Model::new(kernel, points, &y)?;
        }
        let best = model.fitted(&y)[..ranked.len()].iter().copied().fold(f64::INFINITY, f64::min);
        Some(Conditioned { model, best, unit })
    }

    /// The candidate with the largest expected improvement; `None` if nothing can be modelled or is allowed.
    fn winner(
        &self,
        view: &View,
        history: &History,
        stream: &mut Stream,
    ) -> Option<(Candidate, Conditioned)> {
        let conditioned = self.model(view, history, stream.trial())?;
        let search = Search { view, model: &conditioned.model, best: conditioned.best };
        let mut top = search.judge(view.candidates(
            history,
            &history.ranked()[..history.ranked().len().min(5)],
            stream,
        ));
        top.truncate(IMPROVED);
        let climbed = top.into_iter().map(|c| search.climb(c, stream));
        let winner = climbed.max_by(|a, b| a.value.total_cmp(&b.value))?;
        Some((winner, conditioned))
    }

    /// What the best next trial is expected to gain, and the noise of single trials (see [`crate::stopping`]).
    pub(crate) fn outlook(&self, history: &History, stream: &mut Stream) -> Option<Outlook> {
        let view = View::new(history.space());
        if history.informative().len() < self.startup || history.space().free().is_empty() {
            return None;
        }
        let (winner, conditioned) = self.winner(&view, history, stream)?;
        let unit = conditioned.unit;
        Some(Outlook {
            improvement: winner.value.exp() * unit,
            noise: conditioned.model.noise().sqrt() * unit,
        })
    }
}

/// A model and what an improvement is measured against.
struct Conditioned {
    model: Model,
    /// Best predicted mean at a trial.
    best: f64,
    /// What one unit of the model is as a loss, near the best.
    unit: f64,
}

/// What a history promises, in units of the objective.
pub(crate) struct Outlook {
    /// Largest expected improvement.
    pub(crate) improvement: f64,
    /// Standard deviation of the noise.
    pub(crate) noise: f64,
}

/// Keeps the first `best` of a ranked list and an even selection of the rest, `most` in all.
fn thin(ranked: &mut Vec<u32>, most: usize, best: usize) {
    if ranked.len() <= most {
        return;
    }
    let rest = ranked.len() - best;
    let kept = most - best;
    let spread: Vec<u32> = (0..kept).map(|k| ranked[best + k * rest / kept]).collect();
    ranked.truncate(best);
    ranked.extend(spread);
}

/// The parameters with more than one value as coordinates of the model.
struct View<'a> {
    space: &'a Space,
    axes: Vec<usize>,
}

impl<'a> View<'a> {
    /// Fixed parameters are coordinates too: what is known of their other values helps.
    fn new(space: &'a Space) -> Self {
        let varies = |&i: &usize| space.parameters()[i].domain.levels() != Some(1);
        View { space, axes: (0..space.len()).filter(varies).collect() }
    }

    /// Places in [0, 1] of all parameters: spread over the space, and around the leading trials.
    fn candidates(&self, history: &History, leaders: &[u32], stream: &mut Stream) -> Vec<Vec<f64>> {
        let shift = stream.bits();
        let mut units = Vec::with_capacity(SPREAD + NEARBY);
        let mut place = vec![0.0; self.axes.len()];
        for k in 0..SPREAD {
            let mut unit = vec![0.5; self.space.len()];
            sobol_point(shift, k as u64, stream, &mut place);
            self.axes.iter().zip(&place).for_each(|(&i, &u)| unit[i] = u);
            units.push(unit);
        }
        for k in 0..if leaders.is_empty() { 0 } else { NEARBY } {
            let leader = leaders[k % leaders.len()] as usize;
            // Steps from a fifth of the range down to a thousandth, in about two thirds of the parameters.
            let size = 0.2 * 0.005f64.powf(stream.uniform());
            let mut unit = vec![0.5; self.space.len()];
            for &i in &self.axes {
                let u = history.unit(i)[leader];
                unit[i] = match (u.is_nan(), stream.uniform() < 0.3) {
                    (true, _) => stream.uniform(),
                    (false, true) => u,
                    (false, false) if self.space.parameters()[i].domain.is_categorical() => {
                        if stream.uniform() < 0.3 { stream.uniform() } else { u }
                    }
                    (false, false) => (u + size * stream.normal()).clamp(0.0, 1.0),
                };
            }
            units.push(unit);
        }
        units
    }

    fn domain(&self, axis: usize) -> &Domain {
        &self.space.parameters()[self.axes[axis]].domain
    }

    fn is_fixed(&self, axis: usize) -> bool {
        self.space.parameters()[self.axes[axis]].fixed.is_some()
    }

    fn categorical(&self) -> Vec<bool> {
        (0..self.axes.len()).map(|a| self.domain(a).is_categorical()).collect()
    }

    /// A place in [0, 1] (NaN where inactive) as a coordinate.
    fn coordinate(&self, axis: usize, u: f64) -> f64 {
        match (u.is_nan(), self.domain(axis).is_categorical()) {
            (true, true) => -1.0,
            (true, false) => 0.5,
            _ => u,
        }
    }

    fn point(&self, history: &History, trial: u32) -> Vec<f64> {
        (0..self.axes.len()).map(|a| self.coordinate(a, history.unit(self.axes[a])[trial as usize])).collect()
    }

    /// Coordinates and standardised values of ranked trials, and what one unit of these is as a loss, near the best.
    fn observations(&self, history: &History, ranked: &[u32]) -> (Points, Vec<f64>, f64) {
        let mut points = Points::new(self.axes.len());
        ranked.iter().for_each(|&t| points.push(&self.point(history, t)));
        let (y, unit) = standardised(history, ranked);
        (points, y, unit)
    }

    /// Turns places in [0, 1] of all parameters into internal numbers and into coordinates of what they stand for.
    fn settle(&self, unit: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let raw = self.space.from_unit(unit);
        let place = |a: usize| self.coordinate(a, self.domain(a).to_unit(raw[self.axes[a]]));
        let point = (0..self.axes.len()).map(place).collect();
        (raw, point)
    }
}

/// Losses of ranked trials as the model sees them: finite, drawn in on the bad side, with mean 0 and variance 1.
fn standardised(history: &History, ranked: &[u32]) -> (Vec<f64>, f64) {
    let loss = |t: u32| history.trial(t as usize).and_then(|t| t.value()).map(|v| history.loss(v));
    let finite: Vec<f64> = ranked.iter().filter_map(|&t| loss(t)).filter(|l| l.is_finite()).collect();
    // Ranked: the first finite loss is the best, the last the worst.
    let (Some(&best), Some(&worst)) = (finite.first(), finite.last()) else {
        return (vec![0.0; ranked.len()], 0.0);
    };
    let median = finite[finite.len() / 2];
    let spread = (median - best).max(1e-12 * median.abs()).max(f64::MIN_POSITIVE);
    let clip = |l: f64| l.clamp(best, worst);
    let pruned = |t: u32| {
        let last = history.trial(t as usize).and_then(|t| t.reports().last().copied());
        let comparable = last.filter(|r| r.key == crate::history::Key::COMPARABLE && !r.value.is_nan());
        comparable.map_or(median, |r| clip(history.loss(r.value)).max(median))
    };
    let mut y: Vec<f64> = ranked
        .iter()
        .map(|&t| match (loss(t), history.states()[t as usize]) {
            (Some(l), _) => clip(l),
            (None, State::Pruned) => pruned(t),
            (None, _) => worst,
        })
        .map(|l| drawn_in((l - median) / spread))
        .collect();
    let unit = standardise(&mut y);
    (y, spread * unit)
}

/// A loss in units of the distance from the best to the median, logarithmic beyond the median.
fn drawn_in(z: f64) -> f64 {
    if z > 0.0 { z.ln_1p() } else { z }
}

/// Shifts and scales to mean 0 and variance 1; returns what one unit was before.
fn standardise(y: &mut [f64]) -> f64 {
    let n = y.len() as f64;
    let mean = y.iter().sum::<f64>() / n;
    let deviation = (y.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / n).sqrt();
    let unit = if deviation > 1e-12 { deviation } else { 1.0 };
    y.iter_mut().for_each(|y| *y = (*y - mean) / unit);
    unit
}

/// A candidate: its value, its internal numbers, its places in [0, 1].
struct Candidate {
    value: f64,
    raw: Vec<f64>,
    unit: Vec<f64>,
}

struct Search<'a> {
    view: &'a View<'a>,
    model: &'a Model,
    best: f64,
}

impl Search<'_> {
    /// Judges candidates at once and returns them best first.
    fn judge(&self, units: Vec<Vec<f64>>) -> Vec<Candidate> {
        let mut points = Points::new(self.view.axes.len());
        let mut settled = Vec::with_capacity(units.len());
        for unit in units {
            let (raw, point) = self.view.settle(&unit);
            if self.view.space.allows(&raw) {
                points.push(&point);
                settled.push((raw, unit));
            }
        }
        let values = self.model.log_improvements(&points, self.best);
        let join = |(value, (raw, unit)): (f64, (Vec<f64>, Vec<f64>))| Candidate { value, raw, unit };
        let mut all: Vec<Candidate> = values.into_iter().zip(settled).map(join).collect();
        all.sort_by(|a, b| b.value.total_cmp(&a.value));
        all
    }

    /// Climbs from a candidate: by gradient in the continuous parameters, by trying in the countable ones.
    fn climb(&self, mut candidate: Candidate, stream: &mut Stream) -> Candidate {
        for _ in 0..2 {
            let before = candidate.value;
            candidate = self.climb_continuous(candidate);
            candidate = self.try_levels(candidate, stream);
            if candidate.value <= before + 1e-3 {
                break;
            }
        }
        candidate
    }

    fn climb_continuous(&self, candidate: Candidate) -> Candidate {
        let (_, base) = self.view.settle(&candidate.unit);
        let continuous =
            |&a: &usize| self.view.domain(a).levels().is_none() && !candidate.raw[self.view.axes[a]].is_nan();
        let moving: Vec<usize> = (0..base.len()).filter(continuous).collect();
        if moving.is_empty() {
            return candidate;
        }
        let mut x: Vec<f64> = moving.iter().map(|&a| base[a]).collect();
        let mut full = base.clone();
        let mut full_gradient = vec![0.0; base.len()];
        minimize_negative(&mut x, |x, g| {
            moving.iter().zip(x).for_each(|(&a, &x)| full[a] = x);
            let value = self.model.log_improvement(&full, self.best, &mut full_gradient);
            moving.iter().zip(g).for_each(|(&a, g)| *g = full_gradient[a]);
            value
        });
        let mut unit = candidate.unit.clone();
        moving.iter().zip(&x).for_each(|(&a, &x)| unit[self.view.axes[a]] = x);
        self.better(candidate, vec![unit])
    }

    /// Other levels of each countable parameter: all of a few, else neighbours and random ones.
    fn try_levels(&self, mut candidate: Candidate, stream: &mut Stream) -> Candidate {
        for a in 0..self.view.axes.len() {
            let Some(levels) = self.view.domain(a).levels().filter(|_| !self.view.is_fixed(a)) else {
                continue;
            };
            let i = self.view.axes[a];
            let n = levels as f64;
            let here = (candidate.unit[i] * n).floor();
            let others: Vec<f64> = if levels <= 12 {
                (0..levels).map(|k| k as f64).collect()
            } else {
                let mut near: Vec<f64> = [-3.0, -2.0, -1.0, 1.0, 2.0, 3.0].iter().map(|d| here + d).collect();
                near.extend((0..6).map(|_| (stream.uniform() * n).floor()));
                near
            };
            let moved = others.into_iter().filter(|&k| k != here && (0.0..n).contains(&k)).map(|k| {
                let mut unit = candidate.unit.clone();
                unit[i] = (k + 0.5) / n;
                unit
            });
            let moved = moved.collect();
            candidate = self.better(candidate, moved);
        }
        candidate
    }

    fn better(&self, candidate: Candidate, units: Vec<Vec<f64>>) -> Candidate {
        match self.judge(units).into_iter().next() {
            Some(other) if other.value > candidate.value => other,
            _ => candidate,
        }
    }
}

/// Maximises within the unit cube.
fn minimize_negative(x: &mut [f64], mut f: impl FnMut(&[f64], &mut [f64]) -> f64) {
    lbfgs::minimize(x, (0.0, 1.0), 25, 1e-3, |x, g| {
        let value = -f(x, g);
        g.iter_mut().for_each(|g| *g = -*g);
        value
    });
}

impl Sampler for GaussianProcess {
    fn name(&self) -> &str {
        "gp"
    }

    fn suggest(&self, space: &Space, history: &History, stream: &mut Stream) -> Result<Params, SearchError> {
        check_match(space, history)?;
        let view = View::new(space);
        if history.informative().len() < self.startup || space.free().is_empty() {
            return Sobol::default().suggest(space, history, stream);
        }
        match self.winner(&view, history, stream) {
            Some((winner, _)) => Ok(space.params(&winner.raw)),
            None => Sobol::default().suggest(space, history, stream),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, Outcome};

    fn run(space: &Space, trials: usize, f: impl Fn(&Params) -> f64) -> History {
        let sampler = GaussianProcess::default();
        let mut history = History::new(space.clone(), Direction::Minimize);
        for t in 0..trials {
            let params = sampler.suggest(space, &history, &mut Stream::for_trial(5, t as u64)).unwrap();
            let value = f(&params);
            let trial = history.start(&params).unwrap();
            history.finish(trial, Outcome::Complete(value)).unwrap();
        }
        history
    }

    #[test]
    fn finds_the_minimum_of_branin() {
        let space: Space = "x=-5.0..10.0, y=0.0..15.0".parse().unwrap();
        let history = run(&space, 45, |p| {
            let (x, y) = (p.float("x").unwrap(), p.float("y").unwrap());
            let pi = std::f64::consts::PI;
            (y - 5.1 / (4.0 * pi * pi) * x * x + 5.0 / pi * x - 6.0).powi(2)
                + 10.0 * (1.0 - 1.0 / (8.0 * pi)) * x.cos()
                + 10.0
        });
        let best = history.best().unwrap().value().unwrap();
        assert!(best < 0.397_887 + 0.01, "{best}");
    }

    #[test]
    fn mixed_and_conditional_parameters() {
        let space: Space = "o=a|b|c, n=1..20, m=0.0..1.0 if o=b".parse().unwrap();
        let history = run(&space, 40, |p| {
            let o = match p.text("o").unwrap() {
                "b" => (p.float("m").unwrap() - 0.7).abs(),
                _ => 1.0,
            };
            o + (p.float("n").unwrap() - 13.0).powi(2) / 50.0
        });
        let best = history.best().unwrap();
        assert!(best.value().unwrap() < 0.05, "{}", best.params());
    }

    #[test]
    fn pending_trials_push_suggestions_apart() {
        let space: Space = "x=0.0..1.0, y=0.0..1.0".parse().unwrap();
        let mut history =
            run(&space, 25, |p| (p.float("x").unwrap() - 0.3).powi(2) + (p.float("y").unwrap() * 7.0).sin());
        let sampler = GaussianProcess::default();
        let mut seen: Vec<(f64, f64)> = Vec::new();
        for _ in 0..6 {
            let mut stream = Stream::for_trial(1, history.len() as u64);
            let params = sampler.suggest(&space, &history, &mut stream).unwrap();
            let here = (params.float("x").unwrap(), params.float("y").unwrap());
            let near = seen.iter().map(|s| (s.0 - here.0).hypot(s.1 - here.1)).fold(1.0, f64::min);
            assert!(near > 1e-4, "{here:?} again");
            seen.push(here);
            history.start(&params).unwrap();
        }
    }
}
