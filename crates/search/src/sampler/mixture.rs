//! Samplers made of samplers.
use super::Sampler;
use crate::error::SearchError;
use crate::history::History;
use crate::space::Space;
use crate::stream::Stream;
use crate::value::Params;

/// One sampler for the start, another one after a number of finished trials.
///
/// Counted are the trials that say something about their parameters ([`History::informative`]).
pub struct Switch {
    first: Box<dyn Sampler>,
    trials: usize,
    then: Box<dyn Sampler>,
}

impl Switch {
    /// `first` until `trials` are finished, `then` after that.
    pub fn new(first: Box<dyn Sampler>, trials: usize, then: Box<dyn Sampler>) -> Self {
        Switch { first, trials, then }
    }
}

impl Sampler for Switch {
    fn name(&self) -> &str {
        "switch"
    }

    fn suggest(&self, space: &Space, history: &History, stream: &mut Stream) -> Result<Params, SearchError> {
        let sampler = if history.informative().len() < self.trials { &self.first } else { &self.then };
        sampler.suggest(space, history, stream)
    }
}

/// A sampler drawn by lot for each trial, with given weights: for example one trial in ten by [`super::Random`], so that no
/// region is given up for good.
pub struct Mixture {
    parts: Vec<(f64, Box<dyn Sampler>)>,
}

impl Mixture {
    /// Samplers with their weights. Fails if there is none, or a weight is negative, not finite, or all are 0.
    pub fn new(parts: Vec<(f64, Box<dyn Sampler>)>) -> Result<Self, SearchError> {
        let total: f64 = parts.iter().map(|p| p.0).sum();
        if parts.iter().any(|p| p.0.is_nan() || p.0 < 0.0) || total <= 0.0 || !total.is_finite() {
            let message = "needs at least one sampler and weights of 0 or more, not all 0";
            return Err(SearchError::setting("mixture of samplers", message));
        }
        Ok(Mixture { parts })
    }
}

impl Sampler for Mixture {
    fn name(&self) -> &str {
        "mixture"
    }

    fn suggest(&self, space: &Space, history: &History, stream: &mut Stream) -> Result<Params, SearchError> {
        let total: f64 = self.parts.iter().map(|p| p.0).sum();
        let mut place = stream.uniform() * total;
        let mut chosen = self.parts.iter().filter(|p| p.0 > 0.0);
        let mut last = chosen.next();
        for next in chosen {
            let Some((weight, _)) = last.filter(|(weight, _)| place >= *weight) else { break };
            place -= weight;
            last = Some(next);
        }
        match last {
            Some((_, sampler)) => sampler.suggest(space, history, stream),
            None => super::Random::default().suggest(space, history, stream),
        }
    }
}

/// A sampler over the rest of the space, with some parameters fixed.
///
/// The history may be one of the whole space: what was learned there is used. The same as handing a sampler a space with
/// [`Space::fix`].
pub struct PartialFixed<S> {
    inner: S,
    fixed: Params,
}

impl<S: Sampler> PartialFixed<S> {
    /// Fixes these parameters for `inner`.
    pub fn new(inner: S, fixed: Params) -> Self {
        PartialFixed { inner, fixed }
    }
}

impl<S: Sampler> Sampler for PartialFixed<S> {
    fn name(&self) -> &str {
        "partial-fixed"
    }

    fn suggest(&self, space: &Space, history: &History, stream: &mut Stream) -> Result<Params, SearchError> {
        let mut space = space.clone();
        for (name, value) in self.fixed.iter() {
            space.fix(name, value.clone())?;
        }
        self.inner.suggest(&space, history, stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, Outcome};
    use crate::sampler::{GaussianProcess, Grid, Random, Sobol, Tpe};

    #[test]
    fn lots_are_drawn_by_weight() {
        struct Named(&'static str);
        impl Sampler for Named {
            fn name(&self) -> &str {
                self.0
            }
            fn suggest(&self, _: &Space, _: &History, _: &mut Stream) -> Result<Params, SearchError> {
                Ok([("who", self.0)].into_iter().collect())
            }
        }
        let parts: Vec<(f64, Box<dyn Sampler>)> =
            vec![(0.0, Box::new(Named("never"))), (3.0, Box::new(Named("a"))), (1.0, Box::new(Named("b")))];
        let mixture = Mixture::new(parts).unwrap();
        let history = History::new(Space::new(), Direction::Minimize);
        let mut counts = std::collections::BTreeMap::new();
        for t in 0..4000 {
            let p = mixture.suggest(&Space::new(), &history, &mut Stream::for_trial(1, t)).unwrap();
            *counts.entry(p.text("who").unwrap().to_owned()).or_insert(0) += 1;
        }
        assert!(!counts.contains_key("never") && (counts["a"] - 3000i32).abs() < 150, "{counts:?}");
        assert!(Mixture::new(vec![]).is_err());
        assert!(Mixture::new(vec![(-1.0, Box::new(Random::default()) as Box<dyn Sampler>)]).is_err());
        assert!(Mixture::new(vec![(f64::NAN, Box::new(Random::default()) as Box<dyn Sampler>)]).is_err());
    }

    #[test]
    fn switches_after_the_start() {
        let space: Space = "x=0.0..1.0".parse().unwrap();
        let switch = Switch::new(Box::new(Grid::new(&space, 3).unwrap()), 3, Box::new(Tpe::default()));
        let mut history = History::new(space.clone(), Direction::Minimize);
        let mut found = Vec::new();
        for t in 0..6 {
            let p = switch.suggest(&space, &history, &mut Stream::for_trial(1, t)).unwrap();
            let trial = history.start(&p).unwrap();
            history.finish(trial, Outcome::Complete(1.0)).unwrap();
            found.push(p.float("x").unwrap());
        }
        assert_eq!(found[..3], [0.0, 0.5, 1.0]);
    }

    /// With one parameter fixed, what the history knows about the others at that value is used.
    #[test]
    fn fixing_conditions_on_the_value() {
        let space: Space = "x=0.0..1.0, y=0.0..1.0".parse().unwrap();
        let mut history = History::new(space.clone(), Direction::Minimize);
        for t in 0..60 {
            let p = Sobol::default().suggest(&space, &history, &mut Stream::for_trial(1, t)).unwrap();
            let trial = history.start(&p).unwrap();
            let value = (p.float("x").unwrap() - p.float("y").unwrap()).powi(2);
            history.finish(trial, Outcome::Complete(value)).unwrap();
        }
        let fixed: Params = [("x", 0.8)].into_iter().collect();
        let sampler = PartialFixed::new(GaussianProcess::default(), fixed.clone());
        let p = sampler.suggest(&space, &history, &mut Stream::for_trial(1, 60)).unwrap();
        assert_eq!(p.float("x"), Some(0.8));
        assert!((p.float("y").unwrap() - 0.8).abs() < 0.1, "{p}");
        let wrong: Params = [("z", 0.8)].into_iter().collect();
        let sampler = PartialFixed::new(Random::default(), wrong);
        assert!(sampler.suggest(&space, &history, &mut Stream::for_trial(1, 60)).is_err());
    }
}
