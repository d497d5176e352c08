//! What is known of a study: trials and runs, in memory, brought up to date by reading what is new.
use lehr_search::{Domain, Parameter};
use lehr_search::{Key, Params, Seen, Space};

use crate::error::StudyError;
use crate::run::{Branch, Checkpoint};
use crate::state::{RunState, TrialState};

/// A trial.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialRecord {
    /// The storage's number.
    pub id: i64,
    /// Its number in the study.
    pub number: usize,
    /// Where it stands.
    pub state: TrialState,
    /// Its values, one per objective; empty if it has none.
    pub values: Vec<f64>,
    /// Its parameters. Those of a waiting trial are the ones that were decided when it was enqueued.
    pub params: Params,
    /// Steps and values as Optuna sees them, by rising step: the reports of its run, or (horizon, final value) of each run
    /// where it had several.
    pub reports: Vec<(u64, f64)>,
    /// The numbers of its runs, in the order of their starts. A trial that Optuna ran has none.
    pub runs: Vec<usize>,
    /// Why it ended, if none of its runs says so: it was stopped, or lost, before there was one.
    pub reason: Option<String>,
    /// When it was started, in microseconds since 1970 (UTC).
    pub started: Option<i64>,
    /// When it ended, likewise.
    pub ended: Option<i64>,
}

/// A run that was started at least once.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    /// The storage's number.
    pub id: i64,
    /// Its number in the study, in the order of the starts.
    pub number: usize,
    /// The number of its trial.
    pub trial: usize,
    /// Where it stands.
    pub state: RunState,
    /// How many steps it is to have.
    pub horizon: u64,
    /// The seed that the program is given.
    pub seed: u64,
    /// What its reports may be compared with.
    pub key: Key,
    /// The run that it branched off.
    pub branch: Option<Branch>,
    /// Its last checkpoint, or the one that it started from.
    pub checkpoint: Option<Checkpoint>,
    /// Its final value, if it is complete.
    pub value: Option<f64>,
    /// Why it ended, where that is not plain.
    pub reason: Option<String>,
    /// Where its log lies.
    pub log: Option<String>,
    /// The worker that ran it last.
    pub worker: Option<String>,
    /// How often it was started.
    pub attempt: u32,
    /// How many steps were trained in all of its attempts.
    pub steps: u64,
    /// The pending trials that the suggestion of its trial saw.
    pub saw: Vec<Seen>,
    /// When it was started, in microseconds since 1970 (UTC).
    pub started: Option<i64>,
    /// When it ended, likewise.
    pub ended: Option<i64>,
    /// Its own reports, if its trial has several runs; use [`Records::reports_of`].
    pub(crate) reports: Vec<(u64, f64)>,
}

/// The trials and runs of a study as they were when [`crate::Storage::refresh`] last read them.
///
/// A refresh reads the trials and runs that are new, and those that were not finished; what is finished is never read again.
#[derive(Debug, Clone, Default)]
pub struct Records {
    trials: Vec<TrialRecord>,
    runs: Vec<RunRecord>,
    /// The places of the trials that are not finished, rising.
    open: Vec<usize>,
    /// The numbers of the runs that are not finished, rising.
    open_runs: Vec<usize>,
    /// The parameters that were seen, in the order of their first use.
    parameters: Vec<(String, Domain)>,
    /// Counts changes, so that what is derived knows what to look at.
    touched: Vec<usize>,
}

/// What a refresh has read.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) new_trials: Vec<TrialRecord>,
    /// Known trials, by place.
    pub(crate) trials: Vec<(usize, TrialRecord)>,
    pub(crate) new_runs: Vec<RunRecord>,
    /// Known runs, by number.
    pub(crate) runs: Vec<(usize, RunRecord)>,
    /// Reports that were added to a known trial, by place.
    pub(crate) reports: Vec<(usize, Vec<(u64, f64)>)>,
    pub(crate) parameters: Vec<(String, Domain)>,
}

impl Records {
    /// Nothing known yet.
    pub fn new() -> Self {
        Records::default()
    }

    /// The trials in the order of their numbers.
    pub fn trials(&self) -> &[TrialRecord] {
        &self.trials
    }

    /// The runs in the order of their starts.
    pub fn runs(&self) -> &[RunRecord] {
        &self.runs
    }

    /// The reports of a run, by rising step.
    pub fn reports_of(&self, run: usize) -> &[(u64, f64)] {
        let Some(run) = self.runs.get(run) else { return &[] };
        match self.trials.get(run.trial) {
            Some(trial) if trial.runs.len() == 1 => &trial.reports,
            _ => &run.reports,
        }
    }

    /// The parameters that trials had, each over the first domain that it had, in the order of their first use: the space
    /// of a study that was made by Optuna. Parameters that some finished trial does without are optional.
    pub fn space(&self) -> Result<Space, StudyError> {
        let mut space = Space::new();
        for (name, domain) in &self.parameters {
            let everywhere =
                self.trials.iter().filter(|t| t.state.is_finished()).all(|t| t.params.get(name).is_some());
            let parameter = Parameter::new(name, domain.clone());
            space.add(if everywhere { parameter } else { parameter.optional() })?;
        }
        Ok(space)
    }

    pub(crate) fn parameters(&self) -> &[(String, Domain)] {
        &self.parameters
    }

    pub(crate) fn open(&self) -> &[usize] {
        &self.open
    }

    pub(crate) fn open_runs(&self) -> &[usize] {
        &self.open_runs
    }

    /// The places of the trials that changed since this was last asked.
    pub(crate) fn take_touched(&mut self) -> Vec<usize> {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    pub(crate) fn apply(&mut self, changes: Changes) {
        self.parameters.extend(changes.parameters);
        for (place, trial) in changes.trials {
            self.touched.push(place);
            self.trials[place] = trial;
        }
        for (place, reports) in changes.reports {
            self.touched.push(place);
            self.trials[place].reports.extend(reports);
        }
        let first = self.trials.len();
        self.trials.extend(changes.new_trials);
        self.touched.extend(first..self.trials.len());
        for (number, run) in changes.runs {
            self.touched.push(run.trial);
            self.runs[number] = run;
        }
        let first_run = self.runs.len();
        for run in changes.new_runs {
            self.touched.push(run.trial);
            if let Some(trial) = self.trials.get_mut(run.trial) {
                trial.runs.push(run.number);
            }
            self.runs.push(run);
        }
        self.open.retain(|&place| !self.trials[place].state.is_finished());
        self.open.extend((first..self.trials.len()).filter(|&place| !self.trials[place].state.is_finished()));
        self.open_runs.retain(|&number| !self.runs[number].state.is_finished());
        let new = (first_run..self.runs.len()).filter(|&number| !self.runs[number].state.is_finished());
        self.open_runs.extend(new);
    }
}
