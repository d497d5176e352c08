//! Which horizons are worth a run: those at which a short run is the long one in small.

use lehr_schedule::Curve;
use lehr_search::Params;

use crate::strategy::{Branch, Goal, Record, Run, RunState, StrategyError};

/// Halvings of the target at most.
const HALVINGS: u32 = 6;
/// A run of fewer updates tells of the start of training, where what learns the frequencies of the classes soonest looks best.
const FEW_STEPS: u64 = 60;
/// Where the target is short itself: a run of so many halvings is made with fewer, and one of fewer than these tells nothing.
const SURE_HALVINGS: u32 = 3;
const FEWEST_STEPS: u64 = 16;
/// Mean distance of two relative curves over relative time up to which they count as the same shape. A warm-up of 5 % against
/// one of 20 % is just within.
const ALIKE: f64 = 0.12;
/// Points at which curves are compared.
const POINTS: u64 = 64;

/// log₂ of a horizon over the target.
pub(super) fn tau(goal: &Goal, horizon: u64) -> f64 {
    (horizon as f64 / goal.target.steps as f64).log2()
}

/// Horizons at which a configuration may be run, rising, the target last.
///
/// They are the target over powers of two, as long as the schedule keeps its shape there (a warm-up of a fixed number of
/// updates does not, once the horizon is short); a schedule whose cycles have a fixed length is cut at ends of cycles.
pub(super) fn rungs(goal: &Goal, params: &Params) -> Result<Vec<u64>, StrategyError> {
    let target = goal.target.steps;
    let whole = goal.curve(params, target)?;
    let fewest = FEW_STEPS.min(target >> SURE_HALVINGS).max(FEWEST_STEPS);
    let mut found = vec![target];
    if goal.abilities.any_horizon {
        for halvings in 1..=HALVINGS {
            let steps = (target as f64 / f64::from(1u32 << halvings)).round() as u64;
            if steps < fewest {
                break;
            }
            match &whole {
                None => found.push(steps),
                Some(whole) => found.extend(near(goal, params, whole, steps)),
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// `steps`, if the schedule keeps its shape over it, else the nearest end of a cycle within half an octave.
fn near(goal: &Goal, params: &Params, whole: &Curve, steps: u64) -> Option<u64> {
    if let Ok(Some(short)) = goal.curve(params, steps)
        && distance(whole, &short) <= ALIKE
    {
        return Some(steps);
    }
    let half = std::f64::consts::SQRT_2;
    let ratio = |end: u64| (end as f64 / steps as f64).ln().abs();
    ends_of_cycles(whole)
        .into_iter()
        .filter(|&end| ratio(end) <= half.ln())
        .filter(|&end| {
            goal.curve(params, end).is_ok_and(|short| short.is_some_and(|short| shared(whole, &short) == end))
        })
        .min_by(|&a, &b| ratio(a).total_cmp(&ratio(b)))
}

/// Mean distance of two curves over relative time, in units of the peak.
fn distance(a: &Curve, b: &Curve) -> f64 {
    let at = |curve: &Curve, i: u64| {
        curve.at((i * curve.steps() + curve.steps() / 2) / POINTS) / curve.peak().unwrap_or(1.0)
    };
    (0..POINTS).map(|i| (at(a, i) - at(b, i)).abs()).sum::<f64>() / POINTS as f64
}

/// Updates after which the rate jumps up from less than half of its peak.
fn ends_of_cycles(curve: &Curve) -> Vec<u64> {
    let peak = curve.peak().unwrap_or(1.0);
    let rates: Vec<f64> = curve.iter().collect();
    (1..rates.len())
        .filter(|&t| rates[t - 1] < 0.5 * peak && rates[t] > 1.5 * rates[t - 1] && rates[t] > 0.3 * peak)
        .map(|t| t as u64)
        .collect()
}

/// How many updates two curves have in common from the first on.
fn shared(a: &Curve, b: &Curve) -> u64 {
    let steps = a.steps().min(b.steps());
    let same = |t: &u64| (a.at(*t) - b.at(*t)).abs() <= 1e-9 * a.at(*t).abs();
    (0..steps).find(|t| !same(t)).unwrap_or(steps)
}

/// Where a run of `trial` to `horizon` can start from what another run of the trial has left. A second run to a horizon with
/// the same seed would tell nothing, so that there must be none yet but such that broke.
pub(super) fn branch(
    goal: &Goal,
    record: &Record,
    trial: usize,
    horizon: u64,
) -> Result<Option<Branch>, StrategyError> {
    if !goal.abilities.resume {
        return Ok(None);
    }
    let Some(curve) = goal.curve(&record.params[trial], horizon)? else { return Ok(None) };
    let mut best: Option<Branch> = None;
    for (number, run) in record.runs.iter().enumerate() {
        let usable = run.trial == trial && run.horizon < horizon;
        let done = |other: &Run| {
            other.horizon == horizon && other.seed == run.seed && other.state != RunState::Failed
        };
        if !usable
            || record.runs_of(trial).any(done)
            || !matches!(run.state, RunState::Complete(_))
            || run.state.is_diverged()
        {
            continue;
        }
        let Some(other) = goal.curve(&record.params[trial], run.horizon)? else { continue };
        let step = shared(&curve, &other);
        if step > 0 && best.is_none_or(|best| best.step < step) {
            best = Some(Branch { run: number, step });
        }
    }
    Ok(best)
}

/// Updates of a run to `horizon` after which runs to the longer rungs could branch off.
pub(super) fn checkpoints(goal: &Goal, params: &Params, horizon: u64) -> Result<Vec<u64>, StrategyError> {
    if !goal.abilities.resume {
        return Ok(Vec::new());
    }
    let Some(curve) = goal.curve(params, horizon)? else { return Ok(Vec::new()) };
    let mut steps = Vec::new();
    for longer in rungs(goal, params)?.into_iter().filter(|&longer| longer > horizon) {
        if let Some(other) = goal.curve(params, longer)? {
            steps.extend(Some(shared(&curve, &other)).filter(|&step| step > 0));
        }
    }
    steps.sort_unstable();
    steps.dedup();
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::Abilities;
    use lehr_schedule::Horizon;

    fn of(spec: &str, steps: u64) -> Vec<u64> {
        let goal = Goal::new("lr=log 1e-4..1".parse().unwrap(), Horizon::steps(steps)).schedule(spec);
        rungs(&goal, &[("lr", 0.1)].into_iter().collect()).unwrap()
    }

    #[test]
    fn shapes_that_scale_run_at_every_octave() {
        for spec in
            ["linear", "cosine to 0.1", "warmup 5%, constant, 1-sqrt 20%", "constant", "restarts every 25%"]
        {
            assert_eq!(of(spec, 6400), [100, 200, 400, 800, 1600, 3200, 6400], "{spec}");
        }
        assert_eq!(of("linear", 3200), [100, 200, 400, 800, 1600, 3200]);
        assert_eq!(of("linear", 320), [40, 80, 160, 320]);
        assert_eq!(of("linear", 100), [25, 50, 100]);
        assert_eq!(of("linear", 10), [10]);
    }

    #[test]
    fn a_fixed_warmup_leaves_out_the_horizons_that_it_would_fill() {
        let found = of("warmup 160, cosine", 3200);
        assert!(found.contains(&1600) && !found.contains(&100) && !found.contains(&200), "{found:?}");
    }

    #[test]
    fn cycles_of_fixed_length_end_on_their_ends() {
        assert_eq!(of("restarts every 100 grow 2", 3100), [100, 300, 700, 1500, 3100]);
        // Cycles that all have the same length end at their multiples.
        assert_eq!(of("restarts every 150", 3000), [150, 450, 750, 1500, 3000]);
    }

    #[test]
    fn programs_without_horizons_or_schedules() {
        let goal = Goal::new("lr=log 1e-4..1".parse().unwrap(), Horizon::steps(320));
        let params: Params = [("lr", 0.1)].into_iter().collect();
        assert_eq!(rungs(&goal, &params).unwrap(), [40, 80, 160, 320]);
        let fixed = Goal { abilities: Abilities::RATE_ONLY, ..goal };
        assert_eq!(rungs(&fixed, &params).unwrap(), [320]);
    }

    #[test]
    fn cooldowns_branch_off_the_trunk() {
        let goal = Goal::new("lr=log 1e-4..1".parse().unwrap(), Horizon::steps(3200))
            .schedule("constant, linear 20%");
        let goal = Goal { abilities: Abilities::ALL, ..goal };
        let params: Params = [("lr", 0.1)].into_iter().collect();
        // The first update of a cooldown is still at the peak.
        assert_eq!(checkpoints(&goal, &params, 800).unwrap(), [641]);
        let mut record = Record { params: vec![params.clone()], ..Record::default() };
        let plan = crate::strategy::RunPlan {
            trial: crate::strategy::Trial::Known(0),
            horizon: 800,
            branch: None,
            checkpoints: vec![641],
            seed: 1,
            reason: String::new(),
        };
        let run = record.start(&plan);
        assert_eq!(branch(&goal, &record, 0, 3200).unwrap(), None, "not finished");
        record.finish(run, RunState::Complete(1.0));
        assert_eq!(branch(&goal, &record, 0, 3200).unwrap(), Some(Branch { run: 0, step: 641 }));
        let linear = goal.clone().schedule("linear");
        assert_eq!(branch(&linear, &record, 0, 3200).unwrap(), Some(Branch { run: 0, step: 1 }));
        let longer = record.start(&crate::strategy::RunPlan { horizon: 3200, ..plan });
        assert_eq!(branch(&goal, &record, 0, 3200).unwrap(), None, "that seed has been there");
        record.finish(longer, RunState::Failed);
        assert_eq!(branch(&goal, &record, 0, 3200).unwrap(), Some(Branch { run: 0, step: 641 }), "it broke");
    }
}
