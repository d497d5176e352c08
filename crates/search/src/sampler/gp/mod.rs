//! Bayesian optimisation with a Gaussian process.
mod acquisition;
mod freeze;
mod lbfgs;
mod linalg;
mod list;
mod model;
mod search;
mod values;
mod view;

use std::sync::{Arc, Mutex};

use super::{Sampler, Sobol, check_match};
use crate::error::SearchError;
use crate::history::History;
use crate::space::Space;
use crate::stream::Stream;
use crate::value::Params;
pub use freeze::{FreezeThaw, Next};
use model::{Kernel, Model, Points};
use search::{Candidate, Search};
use view::View;

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
/// - **Closer look**: from some number of trials on (2·(10 + 5d), at most 128), trials with odd numbers are chosen by a
///   second process that sees only the neighbours of the best trial (half as many, and what else lies between them), in a box
///   around the better half of these, standardised anew. It follows what the process over the whole space cannot resolve, and it is cheaper.
/// - The improvement is over the best predicted mean at a trial, so that a lucky value under noise is not chased.
/// - Stepped, whole and ordinal parameters are moved to their values before they are judged; inactive ones count as the
///   middle of their range, inactive choices as a choice of their own. Constraints: only allowed points are candidates.
/// - The first trials (10 by default) come from [`Sobol`].
///
/// Cost: O(m³) with m the number of trials, at most 400 (the 100 best, the most recent, and others spread evenly over the
/// rest); it does not grow beyond that. Memory O(m²).
/// Source: Jones et al. 1998; Snoek et al. 2012; Ament et al. 2023 (log expected improvement); Eriksson et al. 2019 (the local
/// process; here without its book-keeping of trust regions); priors as in Optuna's
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
/// Every other suggestion of a longer history looks at the neighbours of the best trial alone: so many, and half as many more
/// per parameter, up to the most.
const NEIGHBOURS: usize = 10;
const MOST_NEIGHBOURS: usize = 64;
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
        Conditioned::new(view, history, ranked, trial, |_, _| self.kernel(view, history))
    }

    /// The trials next to the best one, in the metric of the kernel, if it is this trial's turn to look at them alone.
    fn neighbours(&self, view: &View, history: &History, trial: u64) -> Option<Vec<u32>> {
        let count = (NEIGHBOURS + NEIGHBOURS / 2 * view.axes.len()).min(MOST_NEIGHBOURS);
        let ranked = history.ranked();
        let due = trial % 2 == 1 && ranked.len() >= 2 * count;
        if !due || (0..view.axes.len()).any(|a| view.is_fixed(a)) {
            return None;
        }
        let metric = self.kernel(view, history);
        let best = view.point(history, ranked[0]);
        let mut near: Vec<(f64, u32)> =
            ranked.iter().map(|&t| (metric.square(&best, &view.point(history, t)), t)).collect();
        near.select_nth_unstable_by(count - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut near: Vec<u32> = near[..count].iter().map(|n| n.1).collect();
        near.sort_unstable_by(|&a, &b| history.compare(a as usize, b as usize));
        Some(near)
    }

    /// The candidate with the largest expected improvement; `None` if nothing can be modelled or is allowed.
    fn winner(&self, view: &View, history: &History, stream: &mut Stream) -> Option<Candidate> {
        if let Some(near) = self.neighbours(view, history, stream.trial()) {
            let view = view.around(history, &near[..near.len().div_ceil(2)]);
            let leaders = near[..5.min(near.len())].to_vec();
            // Whatever else lies in the box is known, too.
            let most = 2 * near.len();
            let mut near: Vec<u32> = history
                .ranked()
                .iter()
                .copied()
                .filter(|t| near.contains(t) || view.holds(history, *t))
                .collect();
            thin(&mut near, most, most / 2);
            let fit = |points: &Points, y: &[f64]| Kernel::new(view.categorical()).fit(points, y);
            let conditioned = Conditioned::new(&view, history, near, stream.trial(), fit);
            if let Some(found) = conditioned.and_then(|c| c.winner(&view, history, &leaders, stream)) {
                return Some(found);
            }
        }
        let leaders = &history.ranked()[..history.ranked().len().min(5)];
        self.model(view, history, stream.trial())?.winner(view, history, leaders, stream)
    }

    /// What the best next trial is expected to gain, and the noise of single trials (see [`crate::stopping`]).
    pub(crate) fn outlook(&self, history: &History, stream: &mut Stream) -> Option<Outlook> {
        let view = View::new(history.space());
        if history.informative().len() < self.startup || history.space().free().is_empty() {
            return None;
        }
        let conditioned = self.model(&view, history, stream.trial())?;
        let leaders = &history.ranked()[..history.ranked().len().min(5)];
        let winner = conditioned.winner(&view, history, leaders, stream)?;
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

impl Conditioned {
    /// Conditions on ranked trials and what is pending, with the kernel that `kernel` makes of the former.
    fn new(
        view: &View,
        history: &History,
        ranked: Vec<u32>,
        trial: u64,
        kernel: impl FnOnce(&Points, &[f64]) -> Kernel,
    ) -> Option<Conditioned> {
        let (mut points, mut y, unit) = view.observations(history, &ranked);
        let kernel = kernel(&points, &y);
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

    /// The candidate with the largest expected improvement.
    fn winner(
        &self,
        view: &View,
        history: &History,
        leaders: &[u32],
        stream: &mut Stream,
    ) -> Option<Candidate> {
        let search = Search { view, model: &self.model, best: self.best };
        let mut top = search.judge(view.candidates(history, leaders, stream));
        top.truncate(IMPROVED);
        let climbed = top.into_iter().map(|c| search.climb(c, stream));
        climbed.max_by(|a, b| a.value.total_cmp(&b.value))
    }
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
            Some(winner) => Ok(space.params(&winner.raw)),
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

    /// The process over the whole space alone stops near 10⁻³ of the spread of its values.
    #[test]
    fn the_closer_look_refines() {
        let space: Space = "x=-5.0..5.0, y=-5.0..5.0".parse().unwrap();
        let history = run(&space, 90, |p| {
            let (x, y) = (p.float("x").unwrap() - 1.234_567, p.float("y").unwrap() + 2.345_678);
            x * x + 5.0 * y * y + x * y
        });
        let best = history.best().unwrap().value().unwrap();
        assert!(best < 1e-7, "{best}");
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
