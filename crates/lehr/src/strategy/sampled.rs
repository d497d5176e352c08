//! Any sampler with any pruner: every trial is one run to the target.

use lehr_search::pruner::Never;
use lehr_search::{
    Direction, History, Key, Outcome, Params, Pruner, Report, Sampler, SearchError, Stream, Value, Verdict,
};

use super::seeds::{self, Stand};
use super::{
    Estimate, Goal, Next, Recommendation, Record, Run, RunPlan, RunState, SearchState, Spent, Strategy,
    StrategyError, Trial,
};

/// A sampler and a pruner as they are known from other libraries: each trial is one run to the target horizon.
///
/// The losses of runs whose rate is not annealed yet are marked as not comparable ([`Key`]), so that pruners leave them
/// alone, unless [`Goal::comparable_reports`]; the loss at the end of a run always compares.
///
/// With several [`Goal::seeds`] a trial is that many runs; they follow one after the other, or side by side where no other trial
/// is to be started, and the pruner judges after each of them by the values of the same seeds.
///
/// It stops at [`Goal::max_trials`], at the end of a grid, or when another full run would go beyond [`Goal::budget`].
pub struct Sampled {
    sampler: Box<dyn Sampler>,
    pruner: Box<dyn Pruner>,
}

impl Sampled {
    /// A sampler with a pruner; `None` prunes nothing but what has diverged.
    pub fn new(sampler: Box<dyn Sampler>, pruner: Option<Box<dyn Pruner>>) -> Self {
        Self { sampler, pruner: pruner.unwrap_or_else(|| Box::new(Diverging)) }
    }
}

impl Sampled {
    /// A trial that was begun and needs another seed, and that seed. `aside`: also one that has a run under way.
    fn next_seed(
        &self,
        goal: &Goal,
        record: &Record,
        aside: bool,
    ) -> Result<Option<(usize, u64)>, StrategyError> {
        if goal.seeds < 2 {
            return Ok(None);
        }
        let history = history(goal, record)?;
        for trial in (0..record.params.len()).filter(|&trial| !record.is_closed(trial)) {
            let Stand::Open { started, busy } = seeds::stand(goal, record, trial) else { continue };
            let begun = started > 0 && started < goal.seeds && (aside || !busy);
            if begun && !history.trial(trial).is_some_and(|trial| self.pruner.judge(trial).prune) {
                return Ok(Some((trial, goal.seed.wrapping_add(started as u64))));
            }
        }
        Ok(None)
    }
}

/// Stops what has diverged and nothing else.
struct Diverging;

impl Pruner for Diverging {
    fn name(&self) -> &str {
        "diverging"
    }

    fn judge(&self, trial: lehr_search::Trial<'_>) -> Verdict {
        let bad = match trial.history().direction() {
            Direction::Minimize => f64::INFINITY,
            Direction::Maximize => f64::NEG_INFINITY,
        };
        match trial.reports().last() {
            Some(last) if last.value.is_nan() || last.value == bad => Verdict {
                prune: true,
                reason: lehr_search::pruner::Reason::NotFinite { step: last.step, value: last.value },
            },
            _ => Never::default().judge(trial),
        }
    }
}

impl Strategy for Sampled {
    fn name(&self) -> &str {
        self.sampler.name()
    }

    fn next(&self, goal: &Goal, record: &Record) -> Result<Next, StrategyError> {
        goal.check()?;
        record.check()?;
        let number = record.params.len();
        let stop = enough(goal, record).or_else(|| over_budget(goal, record));
        if let Some((trial, seed)) = self.next_seed(goal, record, stop.is_some())? {
            return Ok(Next::Run(RunPlan {
                trial: Trial::Known(trial),
                horizon: goal.target.steps,
                branch: None,
                checkpoints: Vec::new(),
                seed,
                reason: "another seed".into(),
            }));
        }
        if let Some(reason) = stop {
            return Ok(Next::Stop { reason });
        }
        let params = match &goal.baseline {
            Some(baseline) if number == 0 => Ok(baseline.clone()),
            _ => {
                let history = history(goal, record)?;
                let mut stream = Stream::for_trial(goal.seed, number as u64);
                self.sampler.suggest(&goal.space, &history, &mut stream)
            }
        };
        match params {
            Ok(params) => Ok(Next::Run(RunPlan {
                trial: Trial::New(params),
                horizon: goal.target.steps,
                branch: None,
                checkpoints: Vec::new(),
                seed: goal.seed,
                reason: format!("suggested by {}", self.sampler.name()),
            })),
            Err(error @ SearchError::Exhausted(_)) => Ok(Next::Stop { reason: error.to_string() }),
            Err(error) => Err(error.into()),
        }
    }

    fn judge(&self, goal: &Goal, record: &Record, run: usize) -> Result<Verdict, StrategyError> {
        record.check()?;
        let missing = || StrategyError::Record(format!("there is no run {run}"));
        let trial = record.runs.get(run).ok_or_else(missing)?.trial;
        let history = history(goal, record)?;
        Ok(self.pruner.judge(history.trial(trial).ok_or_else(missing)?))
    }

    fn result(&self, goal: &Goal, record: &Record) -> Result<Recommendation, StrategyError> {
        record.check()?;
        let history = history(goal, record)?;
        let best = history.best();
        let params = best.map(|trial| trial.params());
        let spec = params.as_ref().map(|params| goal.spec(params)).transpose()?.flatten();
        let by_budget = || enough(goal, record).is_none() && over_budget(goal, record).is_some();
        let state = match self.next(goal, record) {
            Ok(Next::Stop { reason }) if !by_budget() => SearchState::Finished(reason),
            _ => SearchState::Open,
        };
        let mut doubts = Vec::new();
        let advice = match (&params, best.and_then(|trial| trial.value())) {
            (Some(params), Some(value)) => {
                doubts.push(
                    "the best of many noisy runs looks better than it is: a new run of it may come out worse"
                        .to_owned(),
                );
                let value = Value::Float(value);
                match goal.seeds {
                    1 => format!("Use {params:#}: its run ended at {value:#}."),
                    seeds => format!("Use {params:#}: its {seeds} seeds ended at {value:#} on average."),
                }
            }
            _ => "Nothing can be recommended: no run to the target came to its end.".to_owned(),
        };
        let plain = |value| Estimate { value, interval: None };
        Ok(Recommendation {
            strategy: self.name().to_owned(),
            rate: params.as_ref().and_then(|params| params.float(&goal.rate)).map(plain),
            params,
            schedule: spec,
            loss: best.and_then(|trial| trial.value()).map(plain),
            safe: None,
            confidence: 0.9,
            noise: None,
            robustness: Vec::new(),
            spent: Spent::of(goal, record),
            grid_full_runs: None,
            state,
            doubts,
            advice,
        })
    }
}

/// The reason to stop if there are as many configurations as were asked for.
fn enough(goal: &Goal, record: &Record) -> Option<String> {
    let most = goal.max_trials.filter(|&most| record.params.len() >= most)?;
    Some(format!("{most} trials were asked for"))
}

/// The reason to stop if one more configuration, with all its seeds, would go beyond the budget.
fn over_budget(goal: &Goal, record: &Record) -> Option<String> {
    let whole = goal.target.steps.saturating_mul(goal.seeds as u64);
    let cost = whole.saturating_add(seeds::reserved(goal, record));
    budget_spent(goal, record, if goal.seeds > 1 { cost } else { goal.target.steps })
}

/// The reason to stop if `cost` more updates would go beyond the budget.
pub(super) fn budget_spent(goal: &Goal, record: &Record, cost: u64) -> Option<String> {
    let budget = goal.budget?;
    let after = record.steps_committed().saturating_add(cost) as f64;
    // A hundredth of a step forgives rounding of shares.
    (after > budget * goal.target.steps as f64 + 0.01)
        .then(|| format!("the next run would go beyond the budget of {budget} full runs"))
}

/// The record as samplers and pruners read it: one run per trial, the last that was started at the longest horizon.
pub(super) fn history(goal: &Goal, record: &Record) -> Result<History, StrategyError> {
    let mut history = History::new(goal.space.clone(), goal.direction);
    for params in &record.params {
        history.start(params)?;
    }
    for (trial, params) in record.params.iter().enumerate() {
        if goal.seeds > 1 {
            seeds::observe(&mut history, goal, record, trial)?;
            let outcome = match seeds::stand(goal, record, trial) {
                Stand::Complete(mean) => Outcome::Complete(mean),
                Stand::Diverged => Outcome::Diverged,
                Stand::Failed => Outcome::Failed,
                Stand::Pruned => Outcome::Pruned,
                // It was given up before its last seed.
                Stand::Open { busy: false, .. } if record.is_closed(trial) => Outcome::Pruned,
                Stand::Open { .. } => continue,
            };
            history.finish(trial, outcome)?;
            continue;
        }
        // The longest run speaks for a trial.
        let Some(run) = record.runs_of(trial).max_by_key(|run| run.horizon) else { continue };
        let key = key(goal, params, run.horizon)?;
        let mut last = None;
        for &(step, value) in run.reports.iter().filter(|(step, _)| *step <= run.horizon) {
            if last.is_some_and(|last| last >= step) {
                continue;
            }
            last = Some(step);
            let annealed = step == goal.target.steps;
            let key = if annealed || goal.comparable_reports { Key::COMPARABLE } else { key };
            history.report(trial, Report { step, value, key })?;
        }
        if let Some(outcome) = outcome(goal, run) {
            history.finish(trial, outcome)?;
        }
    }
    Ok(history)
}

/// What a sampler learns of a run's end; `None` while it is under way.
fn outcome(goal: &Goal, run: &Run) -> Option<Outcome> {
    match run.state {
        RunState::Running | RunState::Paused => None,
        RunState::Complete(value) if run.horizon == goal.target.steps => Some(Outcome::Complete(value)),
        // A shorter run is no value of the objective at the target.
        RunState::Complete(_) | RunState::Pruned => Some(Outcome::Pruned),
        RunState::Diverged { .. } => Some(Outcome::Diverged),
        RunState::Failed => Some(Outcome::Failed),
    }
}

/// Reports of two runs compare where rate, schedule and horizon are the same (FNV-1a).
pub(super) fn key(goal: &Goal, params: &Params, horizon: u64) -> Result<Key, StrategyError> {
    let rate = params.float(&goal.rate).unwrap_or(f64::NAN);
    let spec = goal.spec(params)?.unwrap_or_default();
    let bytes = spec.bytes().chain(rate.to_bits().to_le_bytes()).chain(horizon.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // The comparable key is taken.
    Ok(Key(hash.max(1)))
}

#[cfg(test)]
mod tests {
    use super::super::by_name;
    use super::*;
    use lehr_schedule::Horizon;

    fn goal() -> Goal {
        let space = "lr=log 1e-4..1, schedule=linear|cosine".parse().unwrap();
        Goal::new(space, Horizon::steps(100)).max_trials(12)
    }

    fn value(params: &Params) -> f64 {
        (params.float("lr").unwrap().ln() + 4.0).powi(2)
            + f64::from(params.text("schedule") == Some("cosine"))
    }

    fn drive(strategy: &dyn Strategy, goal: &Goal, record: &mut Record) -> String {
        loop {
            match strategy.next(goal, record).unwrap() {
                Next::Run(plan) => {
                    let run = record.start(&plan);
                    let value = value(&record.params[record.runs[run].trial]);
                    record.finish(run, RunState::Complete(value));
                }
                Next::Wait => unreachable!(),
                Next::Stop { reason } => return reason,
            }
        }
    }

    #[test]
    fn every_name_searches_and_resumes_in_the_middle() {
        for name in ["auto", "gp", "tpe", "random", "sobol", "cmaes", "grid"] {
            let strategy = by_name(name, None).unwrap();
            let goal = Goal { abilities: super::super::Abilities::RATE_ONLY, ..goal() };
            let mut whole = Record::default();
            let reason = drive(&*strategy, &goal, &mut whole);
            assert!(reason.contains("12 trials"), "{name}: {reason}");
            let found = strategy.result(&goal, &whole).unwrap();
            let best = whole.params.iter().map(value).fold(f64::INFINITY, f64::min);
            assert_eq!(found.loss.unwrap().value, best, "{name}");
            assert_eq!(found.spent.full_runs, 12.0);
            assert_eq!(found.state, SearchState::Finished(reason), "{name}");
            assert!(found.schedule.is_some());
            let mut cut = Record {
                params: whole.params[..5].to_vec(),
                runs: whole.runs[..5].to_vec(),
                ..Record::default()
            };
            drive(&*by_name(name, None).unwrap(), &goal, &mut cut);
            assert_eq!(cut, whole, "{name}");
        }
    }

    #[test]
    fn the_users_setting_comes_first_and_limits_hold() {
        let params: Params =
            [("lr", lehr_search::Value::Float(0.5)), ("schedule", "cosine".into())].into_iter().collect();
        let goal = Goal { baseline: Some(params.clone()), ..goal() }.budget(3.0);
        let strategy = by_name("random", None).unwrap();
        let mut record = Record::default();
        let reason = drive(&*strategy, &goal, &mut record);
        assert_eq!(record.params[0], params);
        assert_eq!(record.params.len(), 3);
        assert!(reason.contains("budget of 3 full runs"), "{reason}");
        let found = strategy.result(&goal, &record).unwrap();
        assert_eq!(found.state, SearchState::Open, "only the budget ended it");
        let wrong = Goal { baseline: Some(Params::new()), ..goal };
        assert!(strategy.next(&wrong, &Record::default()).is_err());
    }

    #[test]
    fn runs_under_way_and_runs_that_broke_are_no_values() {
        let (goal, strategy) = (goal(), by_name("tpe", None).unwrap());
        let mut record = Record::default();
        for state in
            [RunState::Running, RunState::Failed, RunState::Diverged { at: 7 }, RunState::Complete(f64::NAN)]
        {
            let Next::Run(plan) = strategy.next(&goal, &record).unwrap() else { unreachable!() };
            let run = record.start(&plan);
            record.finish(run, state);
        }
        let found = strategy.result(&goal, &record).unwrap();
        assert_eq!((found.params, found.loss), (None, None));
        assert!(found.advice.contains("Nothing can be recommended"));
        assert_eq!(record.steps_spent(), 107);
        assert_eq!(record.steps_committed(), 207);
    }

    #[test]
    fn unannealed_losses_prune_nothing_and_divergence_does() {
        let goal = goal();
        let pruner = lehr_search::pruner::Percentile::new(50.0).unwrap().startup(1).needed(1);
        let strategy =
            Sampled::new(Box::new(lehr_search::sampler::Random::default()), Some(Box::new(pruner)));
        let mut record = Record::default();
        for number in 0..4 {
            let Next::Run(plan) = strategy.next(&goal, &record).unwrap() else { unreachable!() };
            let run = record.start(&plan);
            record.runs[run].reports = vec![(50, f64::from(number)), (100, f64::from(number))];
            if number < 3 {
                record.finish(run, RunState::Complete(f64::from(number)));
            }
        }
        record.runs[3].reports.truncate(1);
        assert!(!strategy.judge(&goal, &record, 3).unwrap().prune);
        let comparable = Goal { comparable_reports: true, ..goal.clone() };
        assert!(strategy.judge(&comparable, &record, 3).unwrap().prune);
        record.runs[3].reports.push((60, f64::NAN));
        let plain = by_name("random", None).unwrap();
        assert!(plain.judge(&goal, &record, 3).unwrap().prune);
        assert!(plain.judge(&goal, &record, 4).is_err());
    }

    #[test]
    fn placeholders_are_filled_in() {
        let space = "lr=log 1e-4..1, w=0%..10%, schedule='warmup {w}, linear'|'cosine'".parse().unwrap();
        let goal = Goal::new(space, Horizon::steps(100));
        let params: Params = [
            ("lr", lehr_search::Value::Float(0.1)),
            ("w", 0.05.into()),
            ("schedule", "warmup {w}, linear".into()),
        ]
        .into_iter()
        .collect();
        assert_eq!(goal.spec(&params).unwrap().unwrap(), "warmup 5%, linear");
        assert_eq!(goal.curve(&params, 100).unwrap().unwrap().at(4), 0.1);
        let error = goal.clone().schedule("linear {x}").spec(&params).unwrap_err().to_string();
        assert!(error.contains("`{x}` is no parameter"), "{error}");
        let error = goal.schedule("linear {x").spec(&params).unwrap_err().to_string();
        assert!(error.contains("not closed"), "{error}");
    }
}
