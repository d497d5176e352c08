//! Strategies by name.

use lehr_search::sampler::{Auto, CmaEs, GaussianProcess, Grid, Random, Sobol, Tpe};
use lehr_search::{History, Params, Pruner, Sampler, SearchError, Space, Stream};

use super::{Annealed, Goal, Sampled, Strategy, StrategyError};

/// The names that [`by_name`] knows.
pub const NAMES: [&str; 8] = ["annealed", "auto", "gp", "tpe", "cmaes", "random", "sobol", "grid"];

/// The strategy of a name, with a pruner for those that take one.
///
/// # Errors
/// [`StrategyError::Unknown`].
pub fn by_name(name: &str, pruner: Option<Box<dyn Pruner>>) -> Result<Box<dyn Strategy>, StrategyError> {
    let sampler: Box<dyn Sampler> = match name {
        "annealed" => return Ok(Box::new(Annealed::default())),
        "auto" => Box::new(Auto::default()),
        "gp" => Box::new(GaussianProcess::default()),
        "tpe" => Box::new(Tpe::default()),
        "cmaes" => Box::new(CmaEs::default()),
        "random" => Box::new(Random::default()),
        "sobol" => Box::new(Sobol::default()),
        "grid" => Box::new(Points),
        _ => return Err(StrategyError::Unknown { name: name.to_owned() }),
    };
    Ok(Box::new(Sampled::new(sampler, pruner)))
}

/// Whether `annealed` is what is used where it can be and no strategy is named.
const ANNEALED_IS_USUAL: bool = false;

/// The strategy that is used where none is named.
pub fn usual(goal: &Goal) -> &'static str {
    if ANNEALED_IS_USUAL && Annealed::fits(goal) { "annealed" } else { "auto" }
}

/// A grid made for whatever space it meets: 16 values of each parameter that has more.
struct Points;

/// As many as `lehr tune` takes per schedule.
const POINTS: usize = 16;

impl Sampler for Points {
    fn name(&self) -> &str {
        "grid"
    }

    fn suggest(&self, space: &Space, history: &History, stream: &mut Stream) -> Result<Params, SearchError> {
        Grid::new(space, POINTS)?.suggest(space, history, stream)
    }
}

/// How many trials the strategy `grid` has for a space: each allowed combination of at most 16 values per parameter.
///
/// # Errors
/// A space with nothing to try, or more than ten million combinations.
pub fn grid_size(space: &Space) -> Result<usize, StrategyError> {
    Ok(Grid::new(space, POINTS)?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_and_others_are_refused() {
        for name in NAMES {
            assert!(by_name(name, None).is_ok(), "{name}");
        }
        let goal = |space: &str| Goal::new(space.parse().unwrap(), lehr_schedule::Horizon::steps(100));
        let fits = |goal: &Goal| Annealed::fits(goal) && by_name(usual(goal), None).is_ok();
        assert!(fits(&goal("lr=log 1e-4..1, depth=2..4")));
        for other in ["lr=0.1..1", "depth=2..4"] {
            assert!(!fits(&goal(other)), "{other}");
        }
        assert!(!fits(&Goal { seeds: 2, ..goal("lr=log 1e-4..1") }));
        assert!(!fits(&Goal { abilities: crate::strategy::Abilities::RATE_ONLY, ..goal("lr=log 1e-4..1") }));
        let error = by_name("tpee", None).err().unwrap().to_string();
        assert!(error.contains("no strategy 'tpee'") && error.contains("tpe, cmaes"), "{error}");
    }
}
