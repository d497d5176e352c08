//! Covariance matrix adaptation.
mod strategy;

use std::sync::Mutex;

use super::{Sampler, Tpe, check_match};
use crate::error::SearchError;
use crate::history::{History, State};
use crate::space::Space;
use crate::stream::Stream;
use crate::value::Params;
use strategy::{Strategy, default_population};

/// CMA-ES: a normal distribution over the unit cube that moves to, and takes the shape of, where the good trials are.
///
/// It works on the numeric parameters (stepped, whole and ordinal ones with a margin, so that they never freeze);
/// categorical ones are chosen by [`Tpe`]. The state is a function of the history: trials in the order of their numbers form
/// generations, and each complete generation before the one of the suggested trial updates the distribution by the ranks
/// of its trials ([`History::ranked`]): so diverged, pruned and infinite trials are simply ranked last, failed and pending
/// ones are left out, and trials that other samplers suggested are taken in as injected points (their steps shortened).
///
/// The points of a generation come in pairs that lie opposite to each other, and the pairs' directions are orthogonal, as far
/// as there are dimensions: the same distribution, more evenly drawn. A point outside the cube, or one that the constraints
/// forbid, is drawn anew on its own.
///
/// A spent distribution (no spread left, or no progress for long) restarts at a random place with twice the population
/// (IPOP). What is still outside the cube after 100 draws is clipped. A conditional parameter that was inactive in a trial says nothing about its coordinate.
///
/// Cost: O(d²) per suggestion and O(d³) per generation for d parameters, whatever the number of trials (the generations
/// before are remembered; a fresh process replays them once, about 10 µs each at d = 10).
/// Source: Hansen and Ostermeier 2001, Hansen 2016 (active update), Auger and Hansen 2005 (restarts), Wang,
/// Emmerich and Bäck 2019 (mirrored orthogonal directions), Hamano et al. 2022
/// (margin), Nomura et al. 2021 (warm start).
#[derive(Debug)]
pub struct CmaEs {
    sigma: f64,
    population: Option<usize>,
    source: Vec<Vec<f64>>,
    memory: Mutex<Option<Memory>>,
}

/// The state after the generations whose trials are all finished: it can never change.
#[derive(Debug, Clone)]
struct Memory {
    history: u64,
    seed: u64,
    axes: Vec<usize>,
    from: usize,
    restarts: u64,
    strategy: Strategy,
}

impl Default for CmaEs {
    fn default() -> Self {
        CmaEs { sigma: 1.0 / 6.0, population: None, source: Vec::new(), memory: Mutex::new(None) }
    }
}

/// Where the streams begin that the directions of a generation are drawn from.
const DIRECTIONS: u64 = 1 << 62;

impl CmaEs {
    /// The spread at the start, in units of each parameter's range. Fails unless it lies in (0, 1].
    pub fn sigma(mut self, sigma: f64) -> Result<Self, SearchError> {
        if !(sigma > 0.0 && sigma <= 1.0) {
            return Err(SearchError::setting(
                "cma-es",
                format!("sigma must lie above 0 and up to 1, not {sigma}"),
            ));
        }
        self.sigma = sigma;
        Ok(self)
    }

    /// Trials per generation (default 4 + ⌊3 ln d⌋, at least 4).
    pub fn population(mut self, trials: usize) -> Self {
        self.population = Some(trials.max(4));
        self
    }

    /// Starts from the promising region of another study over the same parameters (warm start).
    ///
    /// Of its ranked trials the best tenth counts; with none the start is as usual.
    pub fn warm_start(mut self, other: &History) -> Self {
        let point = |&t: &u32| (0..other.space().len()).map(|i| other.unit(i)[t as usize]).collect();
        self.source = other.ranked().iter().map(point).collect();
        self
    }

    fn start(&self, axes: &[usize], restarts: u64, seed: u64) -> Strategy {
        let population = self.population.unwrap_or_else(|| default_population(axes.len()).max(4));
        let population = population.saturating_mul(1 << restarts.min(10));
        if restarts == 0 {
            let project = |p: &Vec<f64>| -> Vec<f64> {
                axes.iter().map(|&i| p.get(i).copied().filter(|u| !u.is_nan()).unwrap_or(0.5)).collect()
            };
            let source: Vec<Vec<f64>> = self.source.iter().map(project).collect();
            return Strategy::from_points(&source, population)
                .unwrap_or_else(|| Strategy::new(vec![0.5; axes.len()], self.sigma, population));
        }
        // Restarts draw from a stream of their own, which no trial has.
        let mut stream = Stream::for_trial(seed, u64::MAX - restarts);
        Strategy::new(axes.iter().map(|_| stream.uniform()).collect(), self.sigma, population)
    }

    /// The distribution for a trial, for which all generations before its own are taken in, and the first trial of its
    /// generation.
    fn strategy(
        &self,
        space: &Space,
        history: &History,
        axes: &[usize],
        stream: &Stream,
    ) -> (Strategy, usize) {
        let (seed, identity) = (stream.seed(), history.identity());
        let fresh = || Memory {
            history: identity,
            seed,
            axes: axes.to_vec(),
            from: 0,
            restarts: 0,
            strategy: self.start(axes, 0, seed),
        };
        let target = (stream.trial() as usize).min(history.len());
        let known = self.memory.lock().ok().and_then(|m| m.clone());
        let fits = |m: &Memory| m.history == identity && m.seed == seed && m.axes == axes && m.from <= target;
        let mut state = known.filter(fits).unwrap_or_else(fresh);
        let levels: Vec<u64> =
            axes.iter().map(|&i| space.parameters()[i].domain.levels().unwrap_or(0)).collect();
        let mut settled = true;
        loop {
            let to = state.from + state.strategy.population;
            if to > target {
                break;
            }
            settled &= (state.from..to).all(|t| history.states()[t] != State::Pending);
            if !settled {
                // What follows can still change: it is computed, but not remembered.
                self.remember(&state);
                while state.from + state.strategy.population <= target {
                    self.advance(&mut state, history, &levels);
                }
                return (state.strategy, state.from);
            }
            self.advance(&mut state, history, &levels);
        }
        self.remember(&state);
        (state.strategy, state.from)
    }

    fn remember(&self, state: &Memory) {
        if let Ok(mut memory) = self.memory.lock() {
            *memory = Some(state.clone());
        }
    }

    fn advance(&self, state: &mut Memory, history: &History, levels: &[u64]) {
        let block = state.from..state.from + state.strategy.population;
        state.from = block.end;
        let mut trials: Vec<usize> = block.filter(|&t| history.is_ranked(t)).collect();
        trials.sort_unstable_by(|&a, &b| history.compare(a, b));
        let point = |&t: &usize| state.axes.iter().map(|&i| history.unit(i)[t]).collect();
        let points: Vec<Vec<f64>> = trials.iter().map(point).collect();
        let best = trials
            .first()
            .and_then(|&t| history.trial(t)?.value())
            .map_or(f64::INFINITY, |v| history.loss(v));
        state.strategy.update(&points, best);
        state.strategy.keep_margin(levels);
        if state.strategy.is_spent() {
            state.restarts += 1;
            state.strategy = self.start(&state.axes, state.restarts, state.seed);
        }
    }
}

impl Sampler for CmaEs {
    fn name(&self) -> &str {
        "cmaes"
    }

    fn suggest(&self, space: &Space, history: &History, stream: &mut Stream) -> Result<Params, SearchError> {
        check_match(space, history)?;
        let free = space.free();
        let numeric = |&i: &usize| !space.parameters()[i].domain.is_categorical();
        let axes: Vec<usize> = free.iter().copied().filter(numeric).collect();
        if axes.is_empty() {
            return Tpe::default().suggest(space, history, stream);
        }
        let (strategy, from) = self.strategy(space, history, &axes, stream);
        let mut unit = vec![0.5; space.len()];
        if axes.len() < free.len() {
            let params = Tpe::default().suggest(space, history, stream)?;
            let chosen = space.to_unit(&space.raw(&params)?);
            unit.iter_mut().zip(chosen).for_each(|(u, c)| *u = if c.is_nan() { stream.uniform() } else { c });
        }
        let mut point = vec![0.0; axes.len()];
        let place = (stream.trial() as usize).saturating_sub(from) % strategy.population;
        // The directions of a generation come from a stream of their own, which no trial has.
        let mut directions = Stream::for_trial(stream.seed(), DIRECTIONS + from as u64);
        let planned = strategy.direction(place, &mut directions);
        let raw = super::draw_allowed(space, |attempt, out| {
            strategy.draw(Some(&planned).filter(|_| attempt == 0), stream, &mut point);
            out.copy_from_slice(&unit);
            axes.iter().zip(&point).for_each(|(&i, &x)| out[i] = x);
        });
        match raw {
            Ok(raw) => Ok(space.params(&raw)),
            // The distribution lies where nothing is allowed.
            Err(_) => super::Random::default().suggest(space, history, stream),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, Outcome};

    fn run(sampler: &CmaEs, space: &Space, trials: usize, f: impl Fn(&Params) -> f64) -> History {
        let mut history = History::new(space.clone(), Direction::Minimize);
        for t in 0..trials {
            let params = sampler.suggest(space, &history, &mut Stream::for_trial(5, t as u64)).unwrap();
            let value = f(&params);
            let trial = history.start(&params).unwrap();
            history.finish(trial, Outcome::Complete(value)).unwrap();
        }
        history
    }

    fn sphere(params: &Params) -> f64 {
        params.iter().map(|(_, v)| (v.as_f64().unwrap() - 1.0).powi(2)).sum()
    }

    #[test]
    fn finds_the_minimum_and_replays() {
        let space: Space = "a=-5.0..5.0, b=-5.0..5.0, c=-5.0..5.0".parse().unwrap();
        let sampler = CmaEs::default();
        let history = run(&sampler, &space, 400, sphere);
        assert!(history.best().unwrap().value().unwrap() < 1e-6);
        // A sampler without memory gives the same suggestion.
        let ask = |s: &CmaEs| s.suggest(&space, &history, &mut Stream::for_trial(5, 400)).unwrap();
        assert_eq!(ask(&sampler), ask(&CmaEs::default()));
        assert_eq!(ask(&sampler), ask(&sampler));
    }

    #[test]
    fn whole_numbers_are_found() {
        let space: Space = "a=-50..50, b=-50..50, k=-5.0..5.0".parse().unwrap();
        let history = run(&CmaEs::default(), &space, 400, |p| {
            (p.float("a").unwrap() - 17.0).powi(2)
                + (p.float("b").unwrap() + 31.0).powi(2)
                + p.float("k").unwrap().powi(2)
        });
        assert!(history.best().unwrap().value().unwrap() < 0.01, "{}", history.best().unwrap().params());
    }

    #[test]
    fn a_warm_start_is_better_at_first() {
        let space: Space = "a=-5.0..5.0, b=-5.0..5.0, c=-5.0..5.0, d=-5.0..5.0".parse().unwrap();
        let source = run(&CmaEs::default(), &space, 100, sphere);
        let cold = run(&CmaEs::default(), &space, 20, sphere);
        let warm = run(&CmaEs::default().warm_start(&source), &space, 20, sphere);
        assert!(warm.best().unwrap().value() < cold.best().unwrap().value());
        assert!(CmaEs::default().sigma(0.0).is_err() && CmaEs::default().sigma(f64::NAN).is_err());
    }

    #[test]
    fn restarts_when_spent() {
        let space: Space = "a=-5.0..5.0, b=-5.0..5.0".parse().unwrap();
        let history = run(&CmaEs::default(), &space, 900, |_| 1.0);
        let last: Vec<f64> = (850..900).map(|t| history.raw(0)[t]).collect();
        let spread =
            last.iter().copied().fold(f64::MIN, f64::max) - last.iter().copied().fold(f64::MAX, f64::min);
        assert!(spread > 0.01, "{spread}");
    }
}
