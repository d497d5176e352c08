//! The first look at one place: a bracket of the best rate at the cheapest rung, and how much its best run differs by chance.

use super::bracket::{self, Look};
use super::question::{self, Question, Seen};
use super::{limit, plan, rungs, seeds, start};
use crate::strategy::{Next, Record, StrategyError, Trial};

/// Where so many runs of the first look broke, a longer horizon is tried.
const BROKEN: usize = 3;
/// How often the best run of the first look is made with another seed.
const REPEATS: usize = 2;
/// Only if that horizon is so many times shorter than the target.
const CHEAP: u64 = 8;
/// Where trials are limited to fewer than this, none is spent on that.
const MANY: usize = 20;

/// The first look at one place; `None` once it is over.
pub(super) fn look(question: &mut Question<'_>, record: &Record) -> Result<Option<Next>, StrategyError> {
    let goal = question.goal;
    let middle = (question.low + question.high) / 2.0;
    let place = start::place(question)?;
    let start = question.places[place].params.float(&goal.rate).map_or(middle, f64::log2);
    let start = if goal.baseline.is_some() { start } else { middle };
    let broken = |h: u64| question.broken.iter().filter(|p| p.place == place && p.horizon == h).count();
    let Some(horizon) = question.places[place].shape.rungs.iter().copied().find(|&h| broken(h) < BROKEN)
    else {
        return Ok(None);
    };
    let points: Vec<_> =
        question.points.iter().filter(|p| p.place == place && p.horizon == horizon).collect();
    match bracket::look(&points, question.low, question.high, start) {
        Look::At(x) => {
            let cost = horizon;
            if let Some(reason) = limit(goal, record, cost, true) {
                return Ok(Some(Next::Stop { reason }));
            }
            let params = match (&goal.baseline, record.params.is_empty()) {
                (Some(baseline), true) => baseline.clone(),
                _ => question.params(place, x),
            };
            let reason = "first look: a wide step at the cheapest horizon".to_owned();
            Ok(Some(Next::Run(plan(
                goal,
                record,
                Trial::New(params),
                horizon,
                seeds::first(goal, horizon),
                reason,
            )?)))
        }
        Look::Wait if record.is_busy() => Ok(Some(Next::Wait)),
        Look::Wait => Ok(None),
        Look::Done => repeat(question, record, place, horizon),
    }
}

/// The best run of the first look once more with a fresh seed, until other seeds have been run there a few times: runs that differ
/// in the seed alone are what tells noise from all else.
fn repeat(
    question: &Question<'_>,
    record: &Record,
    place: usize,
    horizon: u64,
) -> Result<Option<Next>, StrategyError> {
    let goal = question.goal;
    let of_look = || question.points.iter().filter(|p| p.place == place && p.horizon == horizon);
    let loss = |p: &question::Point| match p.seen {
        Seen::Loss(loss) => Some((loss, *p)),
        _ => None,
    };
    let best = of_look().filter_map(loss).min_by(|a, b| a.0.total_cmp(&b.0));
    let Some((_, best)) = best else { return Ok(None) };
    let first = seeds::first(goal, horizon);
    let others: Vec<u64> =
        of_look().chain(&question.broken).map(|p| p.seed).filter(|&seed| seed != first).collect();
    let dear = CHEAP * horizon > goal.target.steps;
    if dear || others.len() >= REPEATS || limit(goal, record, horizon, true).is_some() {
        return Ok(None);
    }
    let Some(seed) = seeds::fresh(goal, horizon).find(|seed| !others.contains(seed)) else { return Ok(None) };
    let trial = match rungs::branch(goal, record, best.trial, horizon)? {
        None if !record.is_closed(best.trial) => Trial::Known(best.trial),
        // Of few trials none is to spare.
        _ if goal.max_trials.is_some_and(|most| most < MANY) => return Ok(None),
        _ => Trial::New(record.params[best.trial].clone()),
    };
    let reason =
        "the best run of the first look with another seed: how much runs differ by chance".to_owned();
    Ok(Some(Next::Run(plan(goal, record, trial, horizon, seed, reason)?)))
}
