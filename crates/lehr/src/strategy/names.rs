//! Strategies by name.

use lehr_search::pruner::{Hyperband, Median, Patient, SuccessiveHalving, Wilcoxon};
use lehr_search::sampler::{Auto, CmaEs, GaussianProcess, Grid, Random, Sobol, Tpe};
use lehr_search::{History, Params, Pruner, Sampler, SearchError, Space, Stream};

use super::{Annealed, Goal, Sampled, Strategy, StrategyError};

/// The names that [`by_name`] knows.
pub const NAMES: [&str; 8] = ["annealed", "auto", "gp", "tpe", "cmaes", "random", "sobol", "grid"];

/// The strategy of a name, with a pruner for those that take one.
///
/// # Errors
/// [`StrategyError::Unknown`]; a pruner for `annealed`, whose runs are all complete.
pub fn by_name(name: &str, pruner: Option<Box<dyn Pruner>>) -> Result<Box<dyn Strategy>, StrategyError> {
    let sampler: Box<dyn Sampler> = match name {
        "annealed" if pruner.is_some() => {
            let text =
                "the strategy 'annealed' saves by short runs, each annealed to its end: leave the pruner out";
            return Err(StrategyError::Goal(text.into()));
        }
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

/// The names that [`pruner_by_name`] knows.
pub const PRUNERS: [&str; 6] = ["none", "median", "halving", "hyperband", "patient", "wilcoxon"];

/// The pruner of a name for reports up to `steps`; `None` for `none`.
///
/// # Errors
/// [`StrategyError::UnknownPruner`].
pub fn pruner_by_name(name: &str, steps: u64) -> Result<Option<Box<dyn Pruner>>, StrategyError> {
    // Five rungs or so, whatever the unit of the steps.
    let first = (steps / 64).max(1);
    Ok(Some(match name {
        "none" => return Ok(None),
        "median" => Box::new(Median::default()),
        "halving" => Box::new(SuccessiveHalving::new(first, 3)?),
        "hyperband" => Box::new(Hyperband::new(first, steps.max(1), 3)?),
        "patient" => Box::new(Patient::new(10)),
        "wilcoxon" => Box::new(Wilcoxon::default()),
        _ => return Err(StrategyError::UnknownPruner { name: name.to_owned() }),
    }))
}

/// Parameters beside the rate that `annealed` takes along where no strategy is named; schedule and its settings count.
const RIDE_ALONG: usize = 5;

/// Trials that `annealed` has to be allowed where no strategy is named: most of them are short looks.
const FEWEST_TRIALS: usize = 12;

/// The strategy that is used where none is named: `annealed` where it can work, few other parameters are searched and it is
/// not held to few trials, else `auto`.
pub fn usual(goal: &Goal) -> &'static str {
    let others = goal.space.free().len().saturating_sub(1);
    let enough = goal.max_trials.is_none_or(|most| most >= FEWEST_TRIALS);
    if Annealed::fits(goal) && others <= RIDE_ALONG && enough { "annealed" } else { "auto" }
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
        let fits = |goal: &Goal| usual(goal) == "annealed" && Annealed::fits(goal);
        assert!(fits(&goal("lr=log 1e-4..1, depth=2..4")));
        assert!(!fits(&goal("lr=log 1e-4..1, a=2..4, b=2..4, c=2..4, d=2..4, e=2..4, f=2..4")));
        for other in ["lr=0.1..1", "depth=2..4"] {
            assert!(!fits(&goal(other)), "{other}");
        }
        assert!(!fits(&goal("lr=log 1e-4..1").max_trials(3)));
        assert!(!fits(&Goal { seeds: 2, ..goal("lr=log 1e-4..1") }));
        assert!(!fits(&Goal { abilities: crate::strategy::Abilities::RATE_ONLY, ..goal("lr=log 1e-4..1") }));
        for name in PRUNERS {
            let pruner = pruner_by_name(name, 100).unwrap();
            assert_eq!(pruner.is_none(), name == "none");
            assert!(by_name("tpe", pruner).is_ok());
        }
        let error = pruner_by_name("medium", 100).err().unwrap().to_string();
        assert!(error.contains("no pruner 'medium'") && error.contains("none, median"), "{error}");
        let error = by_name("annealed", pruner_by_name("median", 100).unwrap()).err().unwrap().to_string();
        assert!(error.contains("leave the pruner out"), "{error}");
        let error = by_name("tpee", None).err().unwrap().to_string();
        assert!(error.contains("no strategy 'tpee'") && error.contains("tpe, cmaes"), "{error}");
    }
}
