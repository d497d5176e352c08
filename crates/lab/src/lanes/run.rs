//! The training of one tile from its first update to its last.

use super::buffer::Buffer;
use super::network::{Network, Score};
use super::update::{Update, rate_divisor};
use crate::order::BatchOrder;
use crate::plan::{
    Control, Divergence, EXPLOSION, Evaluation, Lane, LaneRun, Outcome, Part, TrainPlan, VALIDATION_EXPLOSION,
};
use crate::{Optimizer, Task};
use pulp::{Arch, Simd, WithSimd};
use std::sync::atomic::Ordering;

/// Rates are computed, and the stop flag is read, for so many steps at a time.
const CHUNK: u64 = 64;

/// The most rows that are evaluated at a time.
const LOOK: usize = 128;

/// SIMD vectors in a tile at most, for models with one layer.
const MAX_VECTORS: usize = 4;

/// Lanes of one group that are trained side by side on one thread.
pub(super) struct Tile<'a> {
    pub task: &'a Task,
    pub plan: &'a TrainPlan,
    pub lanes: &'a [Lane],
    pub seed: u64,
    pub control: &'a Control<'a>,
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// How many lanes a tile takes. Speed alone depends on it.
pub(super) fn tile_lanes(widths: &[usize], lanes: usize, threads: usize) -> usize {
    let width = Arch::new().dispatch(Lanes);
    if widths.len() > 2 {
        return width;
    }
    let share = lanes.div_ceil(width).div_ceil(threads).next_power_of_two();
    width * share.clamp(1, MAX_VECTORS)
}

/// Rows that a tile holds at a time.
pub(super) fn working_rows(task: &Task, plan: &TrainPlan) -> usize {
    plan.batch.min(task.train().rows()).max(LOOK)
}

impl Tile<'_> {
    pub(super) fn train(self) -> Vec<LaneRun> {
        Arch::new().dispatch(self)
    }
}

impl WithSimd for Tile<'_> {
    type Output = Vec<LaneRun>;

    fn with_simd<S: Simd>(self, simd: S) -> Vec<LaneRun> {
        Run::new(simd, self).train()
    }
}

/// What is known of a lane while it is trained.
struct Watch {
    history: Vec<Evaluation>,
    lost: Option<(u64, Divergence)>,
    /// The first update of the latest stretch of losses above the bound.
    above_since: Option<u64>,
}

struct Run<'a, S: Simd> {
    tile: Tile<'a>,
    vectors: usize,
    rows: usize,
    network: Network<S>,
    order: BatchOrder,
    watches: Vec<Watch>,
    rates: Buffer,
    keep: Buffer,
}

impl<'a, S: Simd> Run<'a, S> {
    fn new(simd: S, tile: Tile<'a>) -> Self {
        let (plan, train) = (tile.plan, tile.task.train());
        let vectors = tile.lanes.len().div_ceil(S::F32_LANES).next_power_of_two();
        let rows = working_rows(tile.task, plan);
        // The plan was checked against the task before.
        let initial = plan
            .model
            .initial_weights(train.features().columns(), train.classes().len(), tile.seed)
            .unwrap_or_default();
        let network = Network::new(simd, &initial, plan.optimizer, vectors, rows, train);
        let table = || Buffer::new::<S>(CHUNK as usize * vectors);
        let watch = |_: &Lane| Watch { history: Vec::new(), lost: None, above_since: None };
        Self {
            vectors,
            rows,
            network,
            order: BatchOrder::new(tile.seed, train.rows(), plan.batch),
            watches: tile.lanes.iter().map(watch).collect(),
            rates: table(),
            keep: table(),
            tile,
        }
    }

    fn train(mut self) -> Vec<LaneRun> {
        let plan = self.tile.plan;
        self.evaluate(0);
        let mut step = 0;
        while step < plan.steps {
            if self.tile.control.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return self.results(Some(step));
            }
            if self.watches.iter().all(|w| w.lost.is_some()) {
                self.report(plan.steps - step);
                break;
            }
            let end = (step + CHUNK).min(plan.steps);
            self.fill_rates(step, end);
            for now in step..end {
                self.update(now, (now - step) as usize);
                let done = now + 1;
                if done == plan.steps || plan.evaluate_every.is_some_and(|every| done % every == 0) {
                    self.evaluate(done);
                }
            }
            self.report(end - step);
            step = end;
        }
        self.results(None)
    }

    fn report(&self, steps: u64) {
        if let Some(progress) = self.tile.control.progress {
            progress(steps * self.tile.lanes.len() as u64);
        }
    }

    /// The rates of the updates `start..end`, one row of lanes per update.
    fn fill_rates(&mut self, start: u64, end: u64) {
        let plan = self.tile.plan;
        let width = self.vectors * S::F32_LANES;
        let mut rates = vec![0.0; (end - start) as usize];
        for (l, lane) in self.tile.lanes.iter().enumerate() {
            lane.rates(start..end, &mut rates);
            for (i, &rate) in rates.iter().enumerate() {
                let divisor = rate_divisor(plan.optimizer, start + i as u64 + 1);
                self.rates.floats_mut()[i * width + l] = (rate / divisor) as f32;
                self.keep.floats_mut()[i * width + l] = (1.0 - rate * plan.weight_decay) as f32;
            }
        }
    }

    /// The update number `step`, whose rates stand at `row` of the table.
    fn update(&mut self, step: u64, row: usize) {
        let plan = self.tile.plan;
        let range = row * self.vectors..(row + 1) * self.vectors;
        let update = Update {
            optimizer: plan.optimizer,
            rates: &self.rates.vectors::<S>()[range.clone()],
            keep: &self.keep.vectors::<S>()[range],
            weight_decay: if matches!(plan.optimizer, Optimizer::AdamW(_)) {
                0.0
            } else {
                plan.weight_decay as f32
            },
            count: step + 1,
        };
        let (loss, taint) = self.network.train(self.tile.task.train(), self.order.batch(step), &update);
        for ((watch, loss), taint) in self.watches.iter_mut().zip(loss).zip(taint) {
            if watch.lost.is_some() {
                continue;
            }
            if !loss.is_finite() {
                watch.lost = Some((step, Divergence::Loss));
            } else if !taint.is_finite() {
                watch.lost = Some((step, Divergence::Weights));
            }
            let bound = watch.history.first().map_or(f64::INFINITY, |first| EXPLOSION * first.train_loss);
            if f64::from(*loss) <= bound {
                watch.above_since = None;
            } else if watch.above_since.is_none() {
                watch.above_since = Some(step);
            }
        }
    }

    fn evaluate(&mut self, step: u64) {
        let rows = self.rows.min(LOOK);
        let train = self.network.score(self.tile.task.train(), rows);
        let validation: Score = self.network.score(self.tile.task.validation(), rows);
        for (l, watch) in self.watches.iter_mut().enumerate() {
            if watch.lost.is_some() {
                continue;
            }
            if !train.loss[l].is_finite() || !validation.loss[l].is_finite() {
                watch.lost = Some((step.saturating_sub(1), Divergence::Loss));
                continue;
            }
            watch.history.push(Evaluation {
                step,
                train_loss: train.loss[l],
                validation_loss: validation.loss[l],
                validation_accuracy: validation.accuracy[l],
            });
        }
    }

    fn results(self, stopped: Option<u64>) -> Vec<LaneRun> {
        let Self { tile, network, watches, .. } = self;
        let finish = |(l, watch): (usize, Watch)| {
            let outcome = match (watch.lost, stopped) {
                (Some((step, reason)), _) => Outcome::Diverged { step, reason },
                (None, Some(step)) => Outcome::Interrupted { step },
                (None, None) => judge(&watch, tile.plan.steps),
            };
            let weights = (tile.plan.keep_weights && watch.lost.is_none()).then(|| network.layers(l));
            LaneRun { outcome, history: watch.history, weights }
        };
        watches.into_iter().enumerate().map(finish).collect()
    }
}

/// Complete or exploded: the losses at the end against those of the initial weights.
fn judge(watch: &Watch, steps: u64) -> Outcome {
    let (Some(first), Some(last)) = (watch.history.first(), watch.history.last()) else {
        return Outcome::Complete;
    };
    let parts = [
        (Part::Training, last.train_loss, first.train_loss, EXPLOSION),
        (Part::Validation, last.validation_loss, first.validation_loss, VALIDATION_EXPLOSION),
    ];
    match parts.into_iter().find(|(_, loss, initial, times)| loss > &(times * initial)) {
        Some((of, loss, initial, _)) => Outcome::Diverged {
            step: watch.above_since.unwrap_or(steps - 1),
            reason: Divergence::Exploded { of, loss, initial },
        },
        None => Outcome::Complete,
    }
}
