//! What the experiments have in common.

use lehr_lab::{Control, Dataset, Features, Group, Lane, LaneRun, Outcome, Task, TrainPlan, train_groups};
use lehr_schedule::{Curve, Horizon, Schedule};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::EffectError;

/// Data and seeds of the experiments.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What the data are called.
    pub name: String,
    /// Training and validation rows.
    pub task: Task,
    /// How many seeds: each is its own initial weights and order of data.
    pub seeds: u64,
    /// The first of them.
    pub seed: u64,
    /// Working threads; all cores if not given. The results do not depend on it.
    pub threads: Option<usize>,
}

impl Setup {
    /// The data that the lab carries with it: red wine quality.
    ///
    /// # Errors
    /// None in practice.
    pub fn wine(seeds: u64, seed: u64) -> Result<Self, EffectError> {
        Ok(Self { name: "red wine quality".into(), task: Task::wine()?, seeds, seed, threads: None })
    }

    pub(super) fn check(&self) -> Result<(), EffectError> {
        match self.seeds {
            2..=10_000 if self.seed.checked_add(self.seeds).is_some() && self.threads != Some(0) => Ok(()),
            _ if self.threads == Some(0) => {
                Err(EffectError::Setup("0 threads can do nothing; give at least 1".into()))
            }
            seeds => Err(EffectError::Setup(format!(
                "{seeds} seeds from {}: intervals need 2 to 10000 of them",
                self.seed
            ))),
        }
    }

    /// The seeds.
    pub(super) fn seeds(&self) -> std::ops::Range<u64> {
        self.seed..self.seed + self.seeds
    }

    /// Calls `one` for every seed, on all threads; the results are in the order of the seeds.
    pub(super) fn each_seed<T: Send>(
        &self,
        one: impl Fn(u64) -> Result<T, EffectError> + Sync,
    ) -> Result<Vec<T>, EffectError> {
        let threads =
            self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let next = AtomicU64::new(self.seed);
        let found: Mutex<Vec<(u64, Result<T, EffectError>)>> = Mutex::new(Vec::new());
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if !self.seeds().contains(&seed) {
                    return;
                }
                let result = one(seed);
                found.lock().unwrap_or_else(PoisonError::into_inner).push((seed, result));
            }
        };
        std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.sort_by_key(|(seed, _)| *seed);
        found.into_iter().map(|(_, result)| result).collect()
    }

    pub(super) fn train_rows(&self) -> &Dataset {
        self.task.train()
    }

    /// Updates in so many epochs.
    pub(super) fn epochs(&self, batch: usize, epochs: u64) -> u64 {
        epochs * self.task.train().rows().div_ceil(batch).max(1) as u64
    }

    /// Trains every lane with every seed: the runs by lane, then by seed.
    pub(super) fn train(
        &self,
        task: &Task,
        plan: &TrainPlan,
        lanes: &[Lane],
    ) -> Result<Vec<Vec<LaneRun>>, EffectError> {
        let groups: Vec<Group> = self.seeds().map(|seed| Group { seed, lanes: lanes.to_vec() }).collect();
        let done: Mutex<Vec<Vec<LaneRun>>> = Mutex::new(vec![Vec::new(); groups.len()]);
        let control = Control { threads: self.threads, ..Control::default() };
        train_groups(task, plan, &groups, &control, &|group, runs| {
            done.lock().unwrap_or_else(PoisonError::into_inner)[group] = runs;
        })?;
        let by_seed = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut by_lane: Vec<Vec<LaneRun>> = lanes.iter().map(|_| Vec::new()).collect();
        for runs in by_seed {
            by_lane.iter_mut().zip(runs).for_each(|(lane, run)| lane.push(run));
        }
        Ok(by_lane)
    }

    /// A lane per rate under one schedule.
    pub(super) fn lanes(
        &self,
        plan: &TrainPlan,
        spec: &str,
        rates: &[f64],
    ) -> Result<Vec<Lane>, EffectError> {
        let per_epoch = plan.steps_per_epoch(&self.task) as f64;
        let horizon = Horizon { steps_per_epoch: Some(per_epoch), ..Horizon::steps(plan.steps) };
        let curve = resolve(spec, &horizon)?;
        Ok(rates.iter().map(|&peak| Lane { peak, curve: curve.clone() }).collect())
    }
}

/// A schedule over a horizon.
pub(super) fn resolve(spec: &str, horizon: &Horizon) -> Result<Curve, EffectError> {
    let fail = |why: String| EffectError::Schedule { spec: spec.to_owned(), why };
    let schedule: Schedule =
        spec.parse().map_err(|error: lehr_schedule::ParseError| fail(error.to_string()))?;
    schedule.resolve(horizon).map_err(|error| fail(error.to_string()))
}

/// The training loss at the end; infinite where the run diverged.
pub(super) fn training_end(run: &LaneRun) -> f64 {
    end(run).map_or(f64::INFINITY, |end| end.train_loss)
}

/// The losses at the end of a run that did not diverge.
pub(super) fn end(run: &LaneRun) -> Option<&lehr_lab::Evaluation> {
    if matches!(run.outcome, Outcome::Complete) { run.end() } else { None }
}

/// The training loss after this share of the way from the start to the lowest of all runs.
pub(super) fn way(runs: &[Vec<LaneRun>], share: f64) -> f64 {
    let all = || runs.iter().flatten();
    let start = all().filter_map(|run| run.history.first()).map(|at| at.train_loss).fold(0.0, f64::max);
    let lowest = all().flat_map(|run| &run.history).map(|at| at.train_loss).fold(f64::INFINITY, f64::min);
    start - share * (start - lowest)
}

/// Updates until the training loss is first at most `level`.
pub(super) fn arrival(run: &LaneRun, level: f64) -> Option<f64> {
    run.history.iter().find(|at| at.train_loss <= level).map(|at| at.step as f64)
}

/// The task with its columns multiplied by these factors.
pub(super) fn scaled(task: &Task, factor: impl Fn(usize) -> f32) -> Result<Task, EffectError> {
    let scale = |data: &Dataset| {
        let features = match data.features().clone() {
            Features::Dense { columns, mut values } => {
                values.iter_mut().enumerate().for_each(|(i, value)| *value *= factor(i % columns));
                Features::Dense { columns, values }
            }
            Features::Sparse { columns, starts, indices, mut values } => {
                values.iter_mut().zip(&indices).for_each(|(value, &c)| *value *= factor(c as usize));
                Features::Sparse { columns, starts, indices, values }
            }
        };
        Dataset::new(data.name(), features, data.labels().to_vec(), data.classes().to_vec())
    };
    Ok(Task::new(scale(task.train())?, scale(task.validation())?)?)
}
