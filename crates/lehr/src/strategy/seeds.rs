//! Trials with several seeds: one run to the target for each, the value of the trial is their mean.

use lehr_search::{History, Key, Report};

use super::{Goal, Record, Run, RunState, StrategyError};

/// Where a trial with several seeds stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stand {
    /// Runs are under way, or more seeds are to be trained.
    Open {
        /// Runs that were started.
        started: usize,
        /// Whether one of them is under way.
        busy: bool,
    },
    /// Every seed came to its end: the mean of their values.
    Complete(f64),
    /// A seed diverged: so has the trial, and the other seeds are not trained.
    Diverged,
    /// A run broke: nothing is known of the trial.
    Failed,
    /// A run was stopped as not promising.
    Pruned,
}

/// Where a trial of a record stands.
pub fn stand(goal: &Goal, record: &Record, trial: usize) -> Stand {
    let runs: Vec<&Run> = runs(goal, record, trial).collect();
    let is = |is: fn(&RunState) -> bool| runs.iter().any(|run| is(&run.state));
    let values: Vec<f64> = runs.iter().filter_map(|run| run.state.value()).collect();
    match () {
        () if is(|state| state.is_diverged()) => Stand::Diverged,
        () if is(|state| *state == RunState::Failed) => Stand::Failed,
        () if is(|state| *state == RunState::Pruned) => Stand::Pruned,
        () if values.len() >= goal.seeds => Stand::Complete(values.iter().sum::<f64>() / values.len() as f64),
        () => Stand::Open { started: runs.len(), busy: is(|state| state.is_open()) },
    }
}

/// The runs of a trial that count: shorter ones than the target say nothing of its value.
fn runs<'a>(goal: &Goal, record: &'a Record, trial: usize) -> impl Iterator<Item = &'a Run> {
    let target = goal.target.steps;
    record.runs_of(trial).filter(move |run| run.horizon == target)
}

/// What a history learns of a trial: one report per seed, its place among them and its value. The same place is the same seed
/// in all trials, so that pruners compare them in pairs.
pub(super) fn observe(
    history: &mut History,
    goal: &Goal,
    record: &Record,
    trial: usize,
) -> Result<(), StrategyError> {
    for (place, run) in runs(goal, record, trial).enumerate() {
        if let Some(value) = run.state.value() {
            history.report(trial, Report { step: place as u64, value, key: Key::COMPARABLE })?;
        }
    }
    Ok(())
}

/// Updates that trials under way still need beyond the runs that were started.
pub(super) fn reserved(goal: &Goal, record: &Record) -> u64 {
    let missing = |trial: usize| match stand(goal, record, trial) {
        // One without a run waits for a worker or is another program's.
        Stand::Open { started, .. } if started > 0 && !record.is_closed(trial) => {
            goal.seeds.saturating_sub(started)
        }
        _ => 0,
    };
    let runs: usize = (0..record.params.len()).map(missing).sum();
    goal.target.steps.saturating_mul(runs as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::{Next, Sampled, Strategy};
    use lehr_schedule::Horizon;
    use lehr_search::{pruner, sampler};

    fn goal(trials: usize) -> Goal {
        let goal = Goal::new("lr=log 1e-4..1".parse().unwrap(), Horizon::steps(100)).max_trials(trials);
        Goal { seeds: 5, ..goal }
    }

    /// Trains as it is told: trial t ends at t, plus a little that its seed decides.
    fn train(strategy: &Sampled, goal: &Goal, record: &mut Record) -> String {
        loop {
            match strategy.next(goal, record).unwrap() {
                Next::Run(plan) => {
                    let run = record.start(&plan);
                    let value = record.runs[run].trial as f64 + 0.01 * plan.seed as f64;
                    record.finish(run, RunState::Complete(value));
                }
                Next::Wait => unreachable!("nothing is under way"),
                Next::Stop { reason } => return reason,
            }
        }
    }

    #[test]
    fn every_trial_gets_all_seeds_and_their_mean() {
        let (strategy, goal) = (Sampled::new(Box::new(sampler::Random::default()), None), goal(3));
        let mut record = Record::default();
        train(&strategy, &goal, &mut record);
        let seeds: Vec<(usize, u64)> = record.runs.iter().map(|run| (run.trial, run.seed)).collect();
        let all: Vec<(usize, u64)> = (0..3).flat_map(|t| (0..5).map(move |s| (t, s))).collect();
        assert_eq!(seeds, all, "one trial after the other");
        assert_eq!(stand(&goal, &record, 1), Stand::Complete(1.02));
        let found = strategy.result(&goal, &record).unwrap();
        assert_eq!((found.loss.unwrap().value, found.spent.full_runs), (0.02, 15.0));
        assert!(found.advice.contains("5 seeds"), "{}", found.advice);
        // Only whole trials are begun within a budget.
        let mut record = Record::default();
        train(&strategy, &Goal { budget: Some(14.0), ..goal }, &mut record);
        assert_eq!(record.runs.len(), 10);
    }

    #[test]
    fn the_pruner_judges_between_seeds() {
        let wilcoxon = Some(Box::new(pruner::Wilcoxon::default()) as Box<dyn lehr_search::Pruner>);
        let (strategy, goal) = (Sampled::new(Box::new(sampler::Random::default()), wilcoxon), goal(3));
        let mut record = Record::default();
        train(&strategy, &goal, &mut record);
        let runs = |trial| record.runs_of(trial).count();
        // One-sided p of 4 pairs that all say the same: 1/16.
        assert_eq!([runs(0), runs(1), runs(2)], [5, 4, 4]);
    }

    #[test]
    fn a_seed_that_diverges_or_breaks_ends_its_trial() {
        let (strategy, goal) = (Sampled::new(Box::new(sampler::Random::default()), None), goal(2));
        for (end, expected) in
            [(RunState::Diverged { at: 3 }, Stand::Diverged), (RunState::Failed, Stand::Failed)]
        {
            let mut record = Record::default();
            for state in [RunState::Complete(1.0), end] {
                let Next::Run(plan) = strategy.next(&goal, &record).unwrap() else { unreachable!() };
                let run = record.start(&plan);
                record.finish(run, state);
            }
            assert_eq!(stand(&goal, &record, 0), expected);
            let Next::Run(plan) = strategy.next(&goal, &record).unwrap() else { unreachable!() };
            assert!(matches!(plan.trial, crate::strategy::Trial::New(_)), "the next trial");
        }
    }

    #[test]
    fn seeds_run_side_by_side_once_no_other_trial_is_to_be_started() {
        let (strategy, goal) = (Sampled::new(Box::new(sampler::Random::default()), None), goal(2));
        let mut record = Record::default();
        let mut started = Vec::new();
        while let Next::Run(plan) = strategy.next(&goal, &record).unwrap() {
            let run = record.start(&plan);
            started.push((record.runs[run].trial, plan.seed));
        }
        assert_eq!(started[..4], [(0, 0), (1, 0), (0, 1), (0, 2)]);
        assert_eq!((started.len(), stand(&goal, &record, 1)), (10, Stand::Open { started: 5, busy: true }));
    }
}
