//! One search of ours, with what it would have recommended after each run.

use std::time::Instant;

use lehr::strategy::{Goal, Next, Range, Record, RunPlan, RunState, Strategy};
use lehr_search::Params;

use super::task::{Result, message};

/// A search that is not over by then is given up.
const MOST_RUNS: usize = 300;

/// What came of one search.
pub struct Search {
    /// Full runs spent, and what is recommended, after every run.
    pub events: Vec<(f64, Option<Params>)>,
    /// How many of them there were when it stopped by itself, and why it did.
    pub own: usize,
    pub stopped: String,
    /// 90 % intervals of the best rate and of the expected loss at that stop.
    pub rate: Option<Range>,
    pub loss: Option<Range>,
    pub noise: Option<f64>,
    pub slowest_ms: f64,
}

/// Searches until the strategy stops, and if it is to go on then, until the budget is spent; `train` makes a run.
pub fn search(
    strategy: &dyn Strategy,
    goal: &Goal,
    go_on: bool,
    mut train: impl FnMut(&Params, &RunPlan) -> Result<RunState>,
) -> Result<Search> {
    let (mut goal, mut record) = (goal.clone(), Record::default());
    let (mut events, mut slowest_ms) = (Vec::new(), 0.0f64);
    let (mut own, mut stopped) = (None, format!("given up after {MOST_RUNS} runs"));
    while record.runs.len() < MOST_RUNS {
        let before = Instant::now();
        let next = strategy.next(&goal, &record).map_err(message)?;
        slowest_ms = slowest_ms.max(1e3 * before.elapsed().as_secs_f64());
        let plan = match next {
            Next::Run(plan) => plan,
            Next::Stop { reason } if own.is_none() => {
                own = Some((events.len(), strategy.result(&goal, &record).map_err(message)?));
                stopped = reason;
                if !go_on {
                    break;
                }
                goal.tolerance = Some(0.0);
                continue;
            }
            Next::Stop { .. } => break,
            Next::Wait => return Err("it waits for nothing".into()),
        };
        let run = record.start(&plan);
        let end = train(&record.params[record.runs[run].trial], &plan)?;
        record.finish(run, end);
        let found = strategy.result(&goal, &record).map_err(message)?;
        let params = found.params.map(|mut params| {
            if let Some(rate) = found.rate {
                params.set(goal.rate.as_str(), rate.value);
            }
            params
        });
        events.push((found.spent.full_runs, params));
    }
    let (own, found) = match own {
        Some(own) => own,
        None => (events.len(), strategy.result(&goal, &record).map_err(message)?),
    };
    Ok(Search {
        events,
        own,
        stopped,
        rate: found.rate.and_then(|e| e.interval),
        loss: found.loss.and_then(|e| e.interval),
        noise: found.noise,
        slowest_ms,
    })
}

impl Search {
    /// What it recommended when it stopped by itself.
    pub fn last(&self) -> Option<&(f64, Option<Params>)> {
        self.events.get(self.own.checked_sub(1)?)
    }
}

/// Whether an interval holds the truth, its width, and its interval score at 90 %.
pub fn score(low: f64, high: f64, truth: f64) -> (bool, f64, f64) {
    let outside = (low - truth).max(0.0) + (truth - high).max(0.0);
    (outside == 0.0, high - low, (high - low) + 20.0 * outside)
}
