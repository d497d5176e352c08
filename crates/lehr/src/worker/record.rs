//! A study as strategies read it.

use lehr_search::{Direction, History, Params, Sampler, Space, Stream, sampler};
use lehr_study::{Records, RunRecord, RunState as Stands, TrialRecord, TrialState};

use crate::strategy::{Branch, Record, Run, RunState};

/// The record of a study. Its runs are the study's, by number; those of trials that Optuna ran, which have none, follow.
///
/// Trials whose parameters do not fit the space (or that wait and are not decided yet) keep their number, with drawn
/// parameters and no result.
pub fn record(records: &Records, space: &Space, target: u64) -> Record {
    let params = records.trials().iter().map(|trial| fitting(trial, space)).collect();
    let mut runs: Vec<Run> = records.runs().iter().map(|found| run(found, records)).collect();
    for trial in records.trials().iter().filter(|trial| trial.runs.is_empty()) {
        if space.raw(&trial.params).is_ok() {
            runs.extend(foreign(trial, target));
        }
    }
    let ended = |trial: &&TrialRecord| trial.state.is_finished();
    let closed = records.trials().iter().filter(ended).map(|trial| trial.number).collect();
    Record { params, runs, closed }
}

fn fitting(trial: &TrialRecord, space: &Space) -> Params {
    if space.raw(&trial.params).is_ok() {
        return trial.params.clone();
    }
    let empty = History::new(space.clone(), Direction::Minimize);
    let mut stream = Stream::for_trial(0, trial.number as u64);
    sampler::Random::default().suggest(space, &empty, &mut stream).unwrap_or_default()
}

fn run(run: &RunRecord, records: &Records) -> Run {
    let reports = records.reports_of(run.number).to_vec();
    let state = match run.state {
        Stands::Queued | Stands::Running => RunState::Running,
        Stands::Paused => RunState::Paused,
        Stands::Complete => RunState::Complete(run.value.unwrap_or(f64::NAN)),
        Stands::Pruned => RunState::Pruned,
        Stands::Failed => RunState::Failed,
        Stands::Diverged => {
            RunState::Diverged { at: reports.last().map_or(run.steps, |last| last.0).min(run.horizon) }
        }
    };
    // A retry starts from a checkpoint of another trial's run: to the strategy it is a run like any other.
    let same_trial = |branch: &lehr_study::Branch| {
        branch.run < run.number && records.runs().get(branch.run).is_some_and(|from| from.trial == run.trial)
    };
    Run {
        trial: run.trial,
        horizon: run.horizon,
        branch: run.branch.filter(same_trial).map(|b| Branch { run: b.run, step: b.step }),
        seed: run.seed,
        state,
        reports,
        steps_spent: run.steps,
    }
}

/// The run of a trial that another program made.
fn foreign(trial: &TrialRecord, target: u64) -> Option<Run> {
    let state = match trial.state {
        // One that another program has under way is pending, and nobody here waits for it.
        TrialState::Waiting | TrialState::Running => return None,
        TrialState::Complete => RunState::Complete(*trial.values.first()?),
        TrialState::Pruned => RunState::Pruned,
        TrialState::Failed => RunState::Failed,
    };
    let reports = trial.reports.clone();
    Some(Run {
        trial: trial.number,
        horizon: target,
        branch: None,
        seed: 0,
        state,
        reports,
        steps_spent: target,
    })
}
