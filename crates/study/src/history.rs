//! The records of a study as the history that samplers and pruners read.
use std::collections::BTreeSet;

use lehr_search::{Direction, History, Key, Outcome, Params, Report, Space, State};

use crate::error::StudyError;
use crate::records::{Records, TrialRecord};
use crate::state::{RunState, TrialState};

/// A history that follows the records.
///
/// It is a function of the space and the records alone, however it came about: whole or step by step, in one process or
/// after a restart. Where all trials fit the space, it is the history over that space. Otherwise (a trial waits without its
/// parameters, was run by Optuna without some, or outside of today's ranges) all parameters are optional in it, and a
/// trial has those of its parameters that fit.
#[derive(Debug)]
pub(crate) struct Mirror {
    history: History,
    space: Space,
    /// The places of the trials that do not fit the space.
    misfits: BTreeSet<usize>,
}

impl Mirror {
    pub(crate) fn new(space: &Space, direction: Direction) -> Self {
        let history = History::new(space.clone(), direction);
        Mirror { history, space: space.clone(), misfits: BTreeSet::new() }
    }

    pub(crate) fn is_over(&self, space: &Space) -> bool {
        self.space == *space
    }

    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// Takes over what changed in these trials, and what is new.
    pub(crate) fn follow(&mut self, records: &Records, touched: &[usize]) -> Result<(), StudyError> {
        let trials = records.trials();
        let was_loose = !self.misfits.is_empty();
        for &place in touched {
            if self.space.raw(&trials[place].params).is_ok() {
                self.misfits.remove(&place);
            } else {
                self.misfits.insert(place);
            }
        }
        let loose = !self.misfits.is_empty();
        let known = self.history.len();
        let early = touched.iter().copied().take_while(|&place| place < known);
        let mut again = loose != was_loose;
        for place in early {
            again = again || !self.advance(records, place)?;
        }
        let mut first = known;
        if again {
            let space = if loose { all_optional(&self.space)? } else { self.space.clone() };
            self.history = History::new(space, self.history.direction());
            first = 0;
        }
        for (place, trial) in trials.iter().enumerate().skip(first) {
            self.start(records, trial)?;
            self.advance(records, place)?;
        }
        Ok(())
    }

    fn start(&mut self, records: &Records, trial: &TrialRecord) -> Result<(), StudyError> {
        let fitting = self.fitting(&trial.params);
        let params = fitting.as_ref().unwrap_or(&trial.params);
        match trial.runs.first().and_then(|&run| records.runs().get(run)) {
            Some(run) => self.history.start_seeing(params, run.saw.clone())?,
            None => self.history.start(params)?,
        };
        Ok(())
    }

    /// The parameters of a trial that fit the space, if not all do.
    fn fitting(&self, params: &Params) -> Option<Params> {
        let space = self.history.space();
        if space.raw(params).is_ok() {
            return None;
        }
        let mut fitting = Params::new();
        for parameter in space.parameters() {
            if let Some(value) = params.get(&parameter.name) {
                let mut more = fitting.clone();
                more.set(parameter.name.clone(), value.clone());
                if space.raw(&more).is_ok() {
                    fitting = more;
                }
            }
        }
        Some(fitting)
    }

    /// Adds reports and the end of a trial that is there. False if what is there is no longer right.
    fn advance(&mut self, records: &Records, place: usize) -> Result<bool, StudyError> {
        let trial = &records.trials()[place];
        let Some(mine) = self.history.trial(place) else { return Ok(false) };
        if mine.state() != State::Pending {
            return Ok(true);
        }
        let wanted = self.fitting(&trial.params);
        if self
            .history
            .space()
            .raw(wanted.as_ref().unwrap_or(&trial.params))?
            .iter()
            .zip(mine.raw())
            .any(|(a, b)| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan()))
        {
            return Ok(false);
        }
        let key = match trial.runs.as_slice() {
            [run] => records.runs().get(*run).map_or(Key::COMPARABLE, |r| r.key),
            _ => Key::COMPARABLE,
        };
        let had = mine.reports();
        let same = had.len() <= trial.reports.len()
            && had.last().is_none_or(|last| last.key == key && trial.reports[had.len() - 1].0 == last.step);
        if !same {
            return Ok(false);
        }
        // Optuna may report earlier steps later, so the reports of its trials are taken over at the end.
        if !trial.runs.is_empty() || trial.state.is_finished() {
            for &(step, value) in &trial.reports[had.len()..] {
                self.history.report(place, Report { step, value, key })?;
            }
        }
        let outcome = match trial.state {
            TrialState::Running | TrialState::Waiting => return Ok(true),
            TrialState::Complete => Outcome::Complete(trial.values.first().copied().unwrap_or(f64::NAN)),
            TrialState::Pruned => Outcome::Pruned,
            TrialState::Failed => match trial.runs.last().and_then(|&run| records.runs().get(run)) {
                Some(run) if run.state == RunState::Diverged => Outcome::Diverged,
                _ => Outcome::Failed,
            },
        };
        self.history.finish(place, outcome)?;
        Ok(true)
    }
}

fn all_optional(space: &Space) -> Result<Space, StudyError> {
    let mut loose = Space::new();
    for parameter in space.parameters() {
        loose.add(parameter.clone().optional())?;
    }
    for constraint in space.constraints() {
        loose.constrain(constraint.clone())?;
    }
    Ok(loose)
}
