//! Many learning rates trained as one.

mod buffer;
mod input;
mod kernel;
mod loss;
mod math;
mod network;
mod run;
mod update;

use crate::plan::{Control, Lane, LaneRun, TrainPlan};
use crate::{Error, Task};
use run::Tile;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Lanes that share a seed: its initial weights and its order of data.
#[derive(Debug, Clone)]
pub struct Group {
    /// The seed.
    pub seed: u64,
    /// The lanes.
    pub lanes: Vec<Lane>,
}

/// What a tile may take of memory.
const MAX_BYTES: u128 = 8 << 30;

/// Trains all `lanes` from the initial weights of `seed`, on the same minibatches; the runs come back in order.
///
/// A lane's result depends on the task, the plan, the seed and the lane alone, to the last bit: not on its neighbours,
/// their number, or the number of threads. (It does depend on the instruction set of the machine, in the last digits.)
///
/// # Errors
/// If plan, lanes and task do not fit together.
pub fn train_lanes(
    task: &Task,
    plan: &TrainPlan,
    lanes: &[Lane],
    seed: u64,
    control: &Control<'_>,
) -> Result<Vec<LaneRun>, Error> {
    let group = Group { seed, lanes: lanes.to_vec() };
    let runs = Mutex::new(Vec::new());
    train_groups(task, plan, std::slice::from_ref(&group), control, &|_, done| {
        *lock(&runs) = done;
    })?;
    Ok(runs.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Trains many groups over the working threads; `finished(group, runs)` is called from them as soon as all lanes of a
/// group are done, in any order of groups, with the runs in the order of the group's lanes.
///
/// # Errors
/// If plan, lanes and task do not fit together; nothing has been trained then.
pub fn train_groups(
    task: &Task,
    plan: &TrainPlan,
    groups: &[Group],
    control: &Control<'_>,
    finished: &(dyn Fn(usize, Vec<LaneRun>) + Sync),
) -> Result<(), Error> {
    plan.check()?;
    let widths = plan.model.widths(task.train().features().columns(), task.train().classes().len())?;
    let threads = match control.threads {
        Some(0) => return Err(Error::Plan("0 threads can do nothing; give at least 1".into())),
        Some(n) => n,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    for lane in groups.iter().flat_map(|g| &g.lanes) {
        lane.check(plan.steps)?;
    }
    let tile = run::tile_lanes(&widths, groups.iter().map(|g| g.lanes.len()).sum(), threads);
    let batch = run::working_rows(task, plan);
    let bytes = network::bytes_needed(&widths, tile, plan.optimizer.state(), batch);
    if bytes > MAX_BYTES {
        return Err(Error::Plan(format!(
            "training {} on {} columns in batches of {batch} rows takes {:.1} GB for {tile} lanes at a time, more than \
             the {} GB that are allowed; take a smaller model or batch",
            plan.model,
            widths[0],
            bytes as f64 / 1e9,
            MAX_BYTES >> 30
        )));
    }
    let queue = Queue::new(groups, tile);
    let work = || {
        while let Some((group, lanes, index)) = queue.next() {
            let Group { seed, lanes: all } = &groups[group];
            let runs = Tile { task, plan, lanes: &all[lanes], seed: *seed, control }.train();
            if let Some(runs) = queue.put(group, index, runs) {
                finished(group, runs);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(queue.units.len()) {
            scope.spawn(work);
        }
        work();
    });
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

type Unit = (usize, std::ops::Range<usize>, usize);

/// Tiles to be trained, and the tiles of each group that are done.
struct Queue {
    units: Vec<Unit>,
    next: AtomicUsize,
    done: Vec<Mutex<Vec<Option<Vec<LaneRun>>>>>,
}

impl Queue {
    fn new(groups: &[Group], tile: usize) -> Self {
        let (mut units, mut done) = (Vec::new(), Vec::new());
        for (g, group) in groups.iter().enumerate() {
            let count = group.lanes.len();
            let starts = (0..count).step_by(tile);
            done.push(Mutex::new(vec![None; starts.len()]));
            units.extend(starts.enumerate().map(|(i, start)| (g, start..(start + tile).min(count), i)));
        }
        Self { units, next: AtomicUsize::new(0), done }
    }

    fn next(&self) -> Option<Unit> {
        self.units.get(self.next.fetch_add(1, Ordering::Relaxed)).cloned()
    }

    /// Stores the runs of a tile; returns those of the whole group if it was the last one.
    fn put(&self, group: usize, index: usize, runs: Vec<LaneRun>) -> Option<Vec<LaneRun>> {
        let mut tiles = lock(&self.done[group]);
        tiles[index] = Some(runs);
        if tiles.iter().all(Option::is_some) {
            Some(tiles.drain(..).flatten().flatten().collect())
        } else {
            None
        }
    }
}
