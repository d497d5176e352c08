//! What was tried: an append-only, columnar record of trials and their observations.
use std::cmp::Ordering as Order;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::SearchError;
use crate::space::Space;
use crate::value::Params;

/// Whether a small or a large objective is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Small is good.
    Minimize,
    /// Large is good.
    Maximize,
}

/// Which observations may be compared with each other: those with equal keys.
///
/// The key is opaque here. Whoever records the observation sets it; for a training run whose rate is not annealed yet it
/// is made from schedule, rate and horizon, so that losses of different rates are never compared in mid-flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Key(pub u64);

impl Key {
    /// The key of observations that may be compared across trials: annealed losses, or any step of programs whose steps
    /// are declared comparable.
    pub const COMPARABLE: Key = Key(0);
}

/// An intermediate observation of a trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// The step (or epoch, or horizon) at which it was made.
    pub step: u64,
    /// The value, in the direction of the objective; may be NaN or infinite.
    pub value: f64,
    /// What it may be compared with.
    pub key: Key,
}

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// It reached its target with this objective. NaN is taken as [`Outcome::Diverged`].
    Complete(f64),
    /// It was stopped early as not promising; its last report stands for it.
    Pruned,
    /// Its objective ran away: it says that its parameters are bad.
    Diverged,
    /// It broke for a reason that says nothing about its parameters (a crash, a lost worker); samplers ignore it.
    Failed,
}

/// Where a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Running, or paused and open to be taken up again.
    Pending,
    /// Ended with an objective.
    Complete,
    /// Stopped early.
    Pruned,
    /// Ended by divergence.
    Diverged,
    /// Ended by a failure that says nothing about its parameters.
    Failed,
}

/// A pending trial as the suggestion of a later trial saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Number of the pending trial.
    pub trial: u32,
    /// How many reports it had made.
    pub reports: u32,
}

/// A read-only view of one trial.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'a> {
    history: &'a History,
    number: usize,
}

impl<'a> Trial<'a> {
    /// Its number: 0, 1, 2, … in the order in which trials were started.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.history.states[self.number]
    }

    /// Its objective, if it is complete.
    pub fn value(&self) -> Option<f64> {
        (self.state() == State::Complete).then(|| self.history.values[self.number])
    }

    /// Its reports, by rising step.
    pub fn reports(&self) -> &'a [Report] {
        &self.history.reports[self.number]
    }

    /// Its parameters.
    pub fn params(&self) -> Params {
        self.history.space.params(&self.raw())
    }

    /// Its internal numbers (see [`Space::raw`]).
    pub fn raw(&self) -> Vec<f64> {
        self.history.raw.iter().map(|column| column[self.number]).collect()
    }

    /// The pending trials that its suggestion saw; every other earlier trial was finished.
    pub fn saw(&self) -> &'a [Seen] {
        &self.history.saw[self.number]
    }

    /// The history that it belongs to.
    pub fn history(&self) -> &'a History {
        self.history
    }
}

/// Trials and their observations, in columns; nothing is ever taken out.
///
/// It keeps the finished trials in the order of their rank, so that no sampler has to sort. Each trial also stores which
/// trials were pending when it was started, so that every suggestion can be replayed with [`History::seen_by`].
///
/// **Rank.** Complete trials come first, by objective (an infinite one sorts as the number that it is). Pruned trials
/// follow: more steps are better; at equal steps the last report decides, if it is comparable ([`Key::COMPARABLE`]) and
/// not NaN; pruned trials without a report are behind those with one. Diverged trials come last. Ties go to the lower
/// number. Failed trials have no rank.
///
/// Cost: starting or reporting is O(parameters), finishing O(log n) comparisons and the move of at most 4n bytes.
/// Memory: 16 bytes per parameter, 24 per report and about 90 more per trial.
#[derive(Debug)]
pub struct History {
    /// Tells histories apart, so that samplers can remember what they computed from one.
    identity: u64,
    space: Space,
    direction: Direction,
    raw: Vec<Vec<f64>>,
    unit: Vec<Vec<f64>>,
    states: Vec<State>,
    values: Vec<f64>,
    reports: Vec<Vec<Report>>,
    saw: Vec<Box<[Seen]>>,
    ranked: Vec<u32>,
    informative: Vec<u32>,
    pending: Vec<u32>,
}

/// A number that no other history of this process has.
fn new_identity() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Clone for History {
    /// The copy goes its own way, so it has its own identity.
    fn clone(&self) -> Self {
        History {
            identity: new_identity(),
            space: self.space.clone(),
            direction: self.direction,
            raw: self.raw.clone(),
            unit: self.unit.clone(),
            states: self.states.clone(),
            values: self.values.clone(),
            reports: self.reports.clone(),
            saw: self.saw.clone(),
            ranked: self.ranked.clone(),
            informative: self.informative.clone(),
            pending: self.pending.clone(),
        }
    }
}

impl History {
    /// An empty history of trials over a space.
    pub fn new(space: Space, direction: Direction) -> Self {
        let columns = vec![Vec::new(); space.len()];
        History {
            identity: new_identity(),
            raw: columns.clone(),
            unit: columns,
            space,
            direction,
            states: Vec::new(),
            values: Vec::new(),
            reports: Vec::new(),
            saw: Vec::new(),
            ranked: Vec::new(),
            informative: Vec::new(),
            pending: Vec::new(),
        }
    }

    /// Records the start of the next trial and returns its number.
    ///
    /// Fails if the parameters do not fit the space.
    pub fn start(&mut self, params: &Params) -> Result<usize, SearchError> {
        let seen = |&trial: &u32| Seen { trial, reports: self.reports[trial as usize].len() as u32 };
        let saw = self.pending.iter().map(seen).collect();
        self.start_seeing(params, saw)
    }

    /// Records the start of a trial whose suggestion saw these pending trials, when a history is read back.
    ///
    /// Fails if the parameters do not fit the space, or a trial that was seen is not an earlier one.
    pub fn start_seeing(&mut self, params: &Params, saw: Vec<Seen>) -> Result<usize, SearchError> {
        let raw = self.space.raw(params)?;
        let number = self.states.len();
        if let Some(later) = saw.iter().find(|seen| seen.trial as usize >= number) {
            let message =
                format!("its suggestion cannot have seen trial {}, which is not an earlier one", later.trial);
            return Err(SearchError::trial(number, message));
        }
        let Ok(short) = u32::try_from(number) else {
            return Err(SearchError::trial(number, "a history holds at most 2^32 trials"));
        };
        let unit = self.space.to_unit(&raw);
        self.raw.iter_mut().zip(raw).for_each(|(column, x)| column.push(x));
        self.unit.iter_mut().zip(unit).for_each(|(column, u)| column.push(u));
        self.states.push(State::Pending);
        self.values.push(f64::NAN);
        self.saw.push(saw.into_boxed_slice());
        self.reports.push(Vec::new());
        self.pending.push(short);
        Ok(number)
    }

    /// Adds parameters to a pending trial, and to the space those that are new (see [`crate::Ask`]).
    ///
    /// `space` is the history's own with optional parameters added at the end. Fails if it is not, if the trial is not
    /// pending, or if the values do not fit.
    pub fn learn(&mut self, trial: usize, space: Space, params: &Params) -> Result<(), SearchError> {
        self.expect_pending(trial, "cannot learn its parameters")?;
        let (old, new) = (self.space.parameters(), space.parameters());
        let extends = new.len() >= old.len()
            && old.iter().zip(new).all(|(a, b)| a.name == b.name && a.domain == b.domain)
            && new[old.len()..].iter().all(|p| p.optional);
        if !extends {
            return Err(SearchError::Mismatch(
                "the new space must add optional parameters at the end of the old one".into(),
            ));
        }
        let mut merged = space.params(&self.raw.iter().map(|c| c[trial]).collect::<Vec<_>>());
        params.iter().for_each(|(name, value)| merged.set(name, value.clone()));
        let raw = space.raw(&merged)?;
        let unit = space.to_unit(&raw);
        let absent = vec![f64::NAN; self.len()];
        self.raw.resize(space.len(), absent.clone());
        self.unit.resize(space.len(), absent);
        self.space = space;
        self.raw.iter_mut().zip(raw).for_each(|(column, x)| column[trial] = x);
        self.unit.iter_mut().zip(unit).for_each(|(column, u)| column[trial] = u);
        Ok(())
    }

    /// The pending trials but one: the one whose parameters are being suggested may already be there, still without them.
    pub fn pending_but(&self, trial: u64) -> impl Iterator<Item = u32> {
        self.pending.iter().copied().filter(move |&t| u64::from(t) != trial)
    }

    /// Records an intermediate observation of a pending trial; steps must rise.
    pub fn report(&mut self, trial: usize, report: Report) -> Result<(), SearchError> {
        self.expect_pending(trial, "cannot report")?;
        if let Some(last) = self.reports[trial].last().filter(|last| last.step >= report.step) {
            let message = format!("reported step {} after step {}; steps must rise", report.step, last.step);
            return Err(SearchError::trial(trial, message));
        }
        self.reports[trial].push(report);
        Ok(())
    }

    /// Records the end of a pending trial.
    pub fn finish(&mut self, trial: usize, outcome: Outcome) -> Result<(), SearchError> {
        self.expect_pending(trial, "cannot be finished")?;
        let (state, value) = match outcome {
            Outcome::Complete(value) if !value.is_nan() => (State::Complete, value),
            Outcome::Complete(_) | Outcome::Diverged => (State::Diverged, f64::NAN),
            Outcome::Pruned => (State::Pruned, f64::NAN),
            Outcome::Failed => (State::Failed, f64::NAN),
        };
        self.states[trial] = state;
        self.values[trial] = value;
        self.reports[trial].shrink_to_fit();
        let short = trial as u32;
        self.pending.retain(|&t| t != short);
        if state != State::Failed {
            let place = self.ranked.partition_point(|&t| self.rank(t as usize) < self.rank(trial));
            self.ranked.insert(place, short);
            let place = self.informative.partition_point(|&t| t < short);
            self.informative.insert(place, short);
        }
        Ok(())
    }

    fn expect_pending(&self, trial: usize, what: &str) -> Result<(), SearchError> {
        match self.states.get(trial) {
            Some(State::Pending) => Ok(()),
            Some(state) => Err(SearchError::trial(trial, format!("{what}: it is finished ({state:?})"))),
            None => Err(SearchError::trial(trial, format!("{what}: there are only {} trials", self.len()))),
        }
    }

    /// The sort key of a finished trial: smaller is better, and no two trials are equal.
    fn rank(&self, trial: usize) -> Rank {
        let (class, steps, loss) = match self.states[trial] {
            State::Complete => (0, 0, self.loss(self.values[trial])),
            State::Pruned => match self.reports[trial].last() {
                Some(last) if last.key == Key::COMPARABLE && !last.value.is_nan() => {
                    (1, !last.step, self.loss(last.value))
                }
                Some(last) => (1, !last.step, f64::INFINITY),
                None => (2, 0, 0.0),
            },
            _ => (3, 0, 0.0),
        };
        Rank { class, steps, loss, trial }
    }

    /// The reports of a trial, by rising step.
    pub(crate) fn reports_of(&self, trial: usize) -> &[Report] {
        &self.reports[trial]
    }

    /// Orders two finished, ranked trials: the better one is less.
    pub(crate) fn compare(&self, a: usize, b: usize) -> Order {
        self.rank(a).partial_cmp(&self.rank(b)).unwrap_or(Order::Equal)
    }

    /// Whether a trial has a rank: finished, and not failed.
    pub(crate) fn is_ranked(&self, trial: usize) -> bool {
        !matches!(self.states[trial], State::Pending | State::Failed)
    }

    /// A number that no other history of this process has; what was finished under it stays as it is.
    pub(crate) fn identity(&self) -> u64 {
        self.identity
    }

    /// An objective turned so that small is good.
    pub fn loss(&self, value: f64) -> f64 {
        match self.direction {
            Direction::Minimize => value,
            Direction::Maximize => -value,
        }
    }

    /// The space of the trials.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// Which objectives are good.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// How many trials were started.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether no trial was started.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// A trial by number.
    pub fn trial(&self, number: usize) -> Option<Trial<'_>> {
        (number < self.len()).then_some(Trial { history: self, number })
    }

    /// All trials in the order of their numbers.
    pub fn trials(&self) -> impl ExactSizeIterator<Item = Trial<'_>> {
        (0..self.len()).map(|number| Trial { history: self, number })
    }

    /// The numbers of the finished trials that say something about their parameters, best first.
    pub fn ranked(&self) -> &[u32] {
        &self.ranked
    }

    /// The same trials in the order of their numbers.
    pub fn informative(&self) -> &[u32] {
        &self.informative
    }

    /// The numbers of the pending trials, rising.
    pub fn pending(&self) -> &[u32] {
        &self.pending
    }

    /// The best complete trial.
    pub fn best(&self) -> Option<Trial<'_>> {
        self.ranked.first().and_then(|&t| self.trial(t as usize)).filter(|t| t.state() == State::Complete)
    }

    /// The places in [0, 1] of one parameter over all trials; NaN where it is inactive.
    pub fn unit(&self, parameter: usize) -> &[f64] {
        &self.unit[parameter]
    }

    /// The internal numbers of one parameter over all trials; NaN where it is inactive.
    pub fn raw(&self, parameter: usize) -> &[f64] {
        &self.raw[parameter]
    }

    /// The states of all trials.
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// The history as the suggestion of a trial saw it: the trials before it, finished or pending as they were then.
    pub fn seen_by(&self, trial: usize) -> Result<History, SearchError> {
        let Some(saw) = self.saw.get(trial) else {
            return Err(SearchError::trial(
                trial,
                format!("cannot be replayed: there are only {} trials", self.len()),
            ));
        };
        let mut past = History::new(self.space.clone(), self.direction);
        for (old, new) in self.raw.iter().zip(&mut past.raw).chain(self.unit.iter().zip(&mut past.unit)) {
            new.extend_from_slice(&old[..trial]);
        }
        past.states.extend_from_slice(&self.states[..trial]);
        past.values.extend_from_slice(&self.values[..trial]);
        past.reports.extend_from_slice(&self.reports[..trial]);
        past.saw.extend_from_slice(&self.saw[..trial]);
        past.pending = saw.iter().map(|s| s.trial).collect();
        for s in saw {
            let t = s.trial as usize;
            past.states[t] = State::Pending;
            past.values[t] = f64::NAN;
            past.reports[t].truncate(s.reports as usize);
        }
        let keep = |list: &[u32]| -> Vec<u32> {
            list.iter().copied().filter(|&t| (t as usize) < trial && !past.pending.contains(&t)).collect()
        };
        past.ranked = keep(&self.ranked);
        past.informative = keep(&self.informative);
        Ok(past)
    }
}

#[derive(PartialEq, PartialOrd)]
struct Rank {
    class: u8,
    steps: u64,
    loss: f64,
    trial: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn history(direction: Direction) -> History {
        History::new("x=0.0..1.0".parse().unwrap(), direction)
    }

    fn start(h: &mut History, x: f64) -> usize {
        h.start(&[("x", x)].into_iter().collect()).unwrap()
    }

    fn comparable(step: u64, value: f64) -> Report {
        Report { step, value, key: Key::COMPARABLE }
    }

    #[test]
    fn ranks_as_documented() {
        let mut h = history(Direction::Minimize);
        for _ in 0..10 {
            start(&mut h, 0.5);
        }
        h.report(1, comparable(5, 1.0)).unwrap();
        h.report(2, comparable(9, 7.0)).unwrap();
        h.report(3, comparable(9, 6.0)).unwrap();
        h.report(4, Report { step: 9, value: 0.1, key: Key(17) }).unwrap();
        h.report(9, comparable(9, f64::NAN)).unwrap();
        let ends = [
            (8, Outcome::Diverged),
            (0, Outcome::Pruned),
            (1, Outcome::Pruned),
            (2, Outcome::Pruned),
            (3, Outcome::Pruned),
            (4, Outcome::Pruned),
            (9, Outcome::Pruned),
            (5, Outcome::Complete(f64::INFINITY)),
            (6, Outcome::Complete(f64::NAN)),
            (7, Outcome::Failed),
        ];
        ends.into_iter().for_each(|(t, o)| h.finish(t, o).unwrap());
        assert_eq!(h.ranked(), [5, 3, 2, 4, 9, 1, 0, 6, 8]);
        assert_eq!(h.informative(), [0, 1, 2, 3, 4, 5, 6, 8, 9]);
        assert_eq!(h.best().unwrap().number(), 5);
        assert_eq!(h.trial(6).unwrap().state(), State::Diverged);
    }

    #[test]
    fn direction_turns_the_rank() {
        let mut h = history(Direction::Maximize);
        for v in [1.0, 3.0, 2.0, f64::NEG_INFINITY] {
            let t = start(&mut h, 0.0);
            h.finish(t, Outcome::Complete(v)).unwrap();
        }
        assert_eq!(h.ranked(), [1, 2, 0, 3]);
    }

    #[test]
    fn misuse_is_refused() {
        let mut h = history(Direction::Minimize);
        let t = start(&mut h, 0.5);
        assert!(h.report(1, comparable(0, 0.0)).unwrap_err().to_string().contains("only 1 trials"));
        h.report(t, comparable(3, 0.0)).unwrap();
        assert!(h.report(t, comparable(3, 0.0)).unwrap_err().to_string().contains("steps must rise"));
        h.finish(t, Outcome::Complete(1.0)).unwrap();
        assert!(h.finish(t, Outcome::Pruned).unwrap_err().to_string().contains("finished (Complete)"));
        assert!(h.report(t, comparable(4, 0.0)).is_err());
        assert!(h.start(&Params::new()).is_err());
        assert_eq!(h.len(), 1);
        assert!(h.seen_by(1).is_err());
    }

    proptest! {
        /// Whatever the order of starts, reports and ends: ranks are sorted, lists are complete, and a replayed view is
        /// what the trial saw.
        #[test]
        fn views_replay(moves in prop::collection::vec((0u8..3, 0usize..6, -1.0f64..1.0), 1..60)) {
            let mut h = history(Direction::Minimize);
            let mut snapshots = Vec::new();
            for (kind, which, value) in moves {
                let pending = h.pending().to_vec();
                match (kind, pending.get(which)) {
                    (1, Some(&t)) => {
                        let step = h.trial(t as usize).unwrap().reports().len() as u64;
                        h.report(t as usize, comparable(step, value)).unwrap();
                    }
                    (2, Some(&t)) => {
                        let outcome = [Outcome::Complete(value), Outcome::Pruned, Outcome::Diverged, Outcome::Failed];
                        h.finish(t as usize, outcome[which % 4]).unwrap();
                    }
                    _ => {
                        snapshots.push(h.clone());
                        start(&mut h, value.abs());
                    }
                }
                prop_assert!(h.ranked().windows(2).all(|w| h.rank(w[0] as usize) < h.rank(w[1] as usize)));
                let mut sorted = h.ranked().to_vec();
                sorted.sort_unstable();
                prop_assert_eq!(&sorted, h.informative());
            }
            for (t, then) in snapshots.iter().enumerate() {
                let now = h.seen_by(t).unwrap();
                prop_assert_eq!(now.ranked(), then.ranked());
                prop_assert_eq!(now.informative(), then.informative());
                prop_assert_eq!(now.pending(), then.pending());
                prop_assert_eq!(&now.reports, &then.reports);
                prop_assert_eq!(&now.states, &then.states);
            }
            let mut read_back = History::new(h.space().clone(), Direction::Minimize);
            for trial in h.trials() {
                read_back.start_seeing(&trial.params(), trial.saw().to_vec()).unwrap();
            }
            prop_assert_eq!(&read_back.saw, &h.saw);
            let later = vec![Seen { trial: 1000, reports: 0 }];
            let refused = read_back.start_seeing(&[("x", 0.5)].into_iter().collect(), later);
            prop_assert!(refused.is_err());
        }
    }
}
