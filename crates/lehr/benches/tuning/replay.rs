//! Ours on recorded runs: a suggested rate is replaced by the recorded one that is nearest.

use lehr::schedule::Horizon;
use lehr::strategy::{Abilities, Annealed, Goal, Next, Record, RunState, Strategy, Trial};
use serde::Deserialize;
use serde_json::{Value, json};

use super::task::{Result, message};

/// Suggestions in a row of cells that were run already, after which the data have nothing more to say.
const REPEATS: usize = 3;

/// What the driver asks: the cells of one schedule.
#[derive(Deserialize)]
struct Asked {
    spec: String,
    steps: u64,
    rates: Vec<f64>,
    ends: Vec<f64>,
    low: f64,
    high: f64,
    seed: u64,
}

/// Full runs spent and the cell that is recommended, after each run.
///
/// The data have no complete runs that are shorter, so that full runs are all that is asked for. A cell that was run before
/// costs nothing again and gives the same loss.
pub fn replay(asked: &Value) -> Result<Value> {
    let asked = Asked::deserialize(asked).map_err(message)?;
    let space = format!("lr=log {:e}..{:e}", asked.low, asked.high).parse().map_err(message)?;
    let abilities = Abilities { any_horizon: false, any_schedule: true, resume: false };
    let goal = Goal { seed: asked.seed, abilities, ..Goal::new(space, Horizon::steps(asked.steps)) };
    let goal = goal.schedule(&asked.spec);
    let nearest = |rate: f64| {
        let far = |i: &usize| (asked.rates[*i] / rate).ln().abs();
        (0..asked.rates.len()).min_by(|a, b| far(a).total_cmp(&far(b))).ok_or("no cells")
    };
    let strategy = Annealed::default();
    let (mut record, mut events) = (Record::default(), Vec::new());
    let (mut made, mut repeats) = (vec![false; asked.rates.len()], 0);
    let stopped = loop {
        let mut plan = match strategy.next(&goal, &record).map_err(message)? {
            Next::Run(plan) => plan,
            Next::Stop { reason } => break reason,
            Next::Wait => return Err("it waits for nothing".into()),
        };
        let params = match &plan.trial {
            Trial::Known(trial) => &record.params[*trial],
            Trial::New(params) => params,
        };
        let cell = nearest(params.float("lr").ok_or("no rate")?)?;
        repeats = if made[cell] { repeats + 1 } else { 0 };
        if repeats >= REPEATS || made.iter().all(|made| *made) {
            break "it asks for nothing that the data do not have already".into();
        }
        made[cell] = true;
        let mut params = params.clone();
        params.set("lr", asked.rates[cell]);
        plan.trial = Trial::New(params);
        let run = record.start(&plan);
        record.finish(run, RunState::Complete(asked.ends[cell]));
        let found = strategy.result(&goal, &record).map_err(message)?;
        let named = found.rate.map(|rate| nearest(rate.value)).transpose()?;
        events.push(json!([made.iter().filter(|made| **made).count(), named]));
    };
    Ok(json!({ "events": events, "stopped": stopped }))
}
