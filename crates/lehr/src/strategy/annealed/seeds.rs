//! Seeds of runs: the runs of one rung share theirs, so that their differences are free of what a seed does to all of them.

use super::model::{RUNGS, rung};
use super::question::Question;
use super::rungs::tau;
use crate::strategy::Goal;

/// Seeds that are kept apart for one rung; after so many they repeat the numbers of others.
const APART: u64 = 16;
/// Runs that a seed has to have at a rung before another one is looked at.
const FEW: usize = 6;

fn of(goal: &Goal, rung: usize, replicate: u64) -> u64 {
    goal.seed.wrapping_add(rung as u64 + APART * replicate)
}

/// The seed of the first runs to a horizon. Rungs have different ones, so that what a seed does to the best rate averages out
/// between them.
pub(super) fn first(goal: &Goal, horizon: u64) -> u64 {
    of(goal, rung(tau(goal, horizon)), 0)
}

/// Seeds of the next run to a horizon: the one in use there, and a fresh one once that has had a few runs.
pub(super) fn offered(question: &Question<'_>, horizon: u64) -> Vec<u64> {
    let at = |h: u64| rung(tau(question.goal, h));
    let own = at(horizon);
    let all = || question.points.iter().chain(&question.broken);
    let runs = |seed: u64| all().filter(|p| at(p.horizon) == own && p.seed == seed).count();
    let mut replicate = 0;
    while runs(of(question.goal, own, replicate + 1)) > 0 {
        replicate += 1;
    }
    let now = of(question.goal, own, replicate);
    let mut seeds = vec![now];
    if runs(now) >= FEW {
        seeds.push(of(question.goal, own, replicate + 1));
    }
    seeds
}

const _: () = assert!(RUNGS as u64 <= APART);
