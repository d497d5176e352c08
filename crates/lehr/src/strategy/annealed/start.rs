//! The setting to begin with, whose rate is looked for first.

use lehr_search::space::Domain;
use lehr_search::{Params, SearchError, Stream};

use super::lean::Lean;
use super::question::{Question, of_schedule};
use crate::strategy::StrategyError;

/// Settings of a schedule that are compared at most.
const MOST: usize = 256;

/// The user's own setting; else that of the first trial; else, of the schedules and their settings, the one that the theory likes
/// best, with everything else in the middle of its range.
pub(super) fn place(question: &mut Question<'_>) -> Result<usize, StrategyError> {
    let goal = question.goal;
    if let Some(baseline) = &goal.baseline {
        return question.place(baseline);
    }
    if !question.places.is_empty() {
        return Ok(0);
    }
    let middle = (question.low + question.high) / 2.0;
    let mut best: Option<(f64, Params)> = None;
    for unit in settings(question) {
        if let Some(params) = question.make(&unit, middle) {
            let bound = Lean::of(goal, &params)?.bound;
            if best.as_ref().is_none_or(|(lowest, _)| bound < *lowest - 1e-9) {
                best = Some((bound, params));
            }
        }
    }
    if let Some((_, params)) = best {
        return question.place(&params);
    }
    // Constraints forbid all of them.
    let mut stream = Stream::for_trial(goal.seed, 0);
    for _ in 0..10_000 {
        let unit: Vec<f64> = (0..question.dimensions()).map(|_| stream.uniform()).collect();
        if let Some(params) = question.make(&unit, middle) {
            return question.place(&params);
        }
    }
    Err(SearchError::Infeasible { attempts: 10_000 }.into())
}

/// The middle of everything, with every choice, the middle and both ends of what the schedule is made of.
fn settings(question: &Question<'_>) -> Vec<Vec<f64>> {
    let mut all = vec![Vec::new()];
    for parameter in question.others() {
        let mut levels = match &parameter.domain {
            Domain::Categorical { choices } | Domain::Ordinal { choices } => {
                let count = choices.len() as f64;
                (0..choices.len()).map(|k| (k as f64 + 0.5) / count).collect()
            }
            _ => vec![0.5, 0.0, 1.0],
        };
        if !of_schedule(question.goal, &parameter.name) || all.len() * levels.len() > MOST {
            levels.truncate(1);
        }
        all = levels
            .iter()
            .flat_map(|level| all.iter().map(move |unit: &Vec<f64>| [&unit[..], &[*level]].concat()))
            .collect();
    }
    all
}
