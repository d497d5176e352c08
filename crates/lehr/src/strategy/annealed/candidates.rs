//! Settings that could be tried next: near those that were tried, since most parameters are good enough as they are.

use lehr_search::Stream;
use lehr_search::space::Parameter;

use super::lean::WEIGHT_DECAY;
use super::question::{Point, Question, Seen};
use crate::strategy::{Record, StrategyError};

/// Where a number is looked at alone, as shares of its range, unless it is that near.
const STEPS: [f64; 3] = [0.2, 0.5, 0.8];
const NEAR: f64 = 0.25;
/// By how much weights are shrunk over a run to the target where a weight decay is looked at alone.
const SHRINKAGES: [f64; 3] = [0.2, 0.8, 3.0];
/// New places that are drawn when the other parameters cannot be listed.
const DRAWN_PLACES: usize = 256;

/// Adds settings that could be tried: all, where they can be listed, else wide steps of one number, and others drawn at random.
pub(super) fn add_places(question: &mut Question<'_>, record: &Record) -> Result<(), StrategyError> {
    if !question.has_others() {
        return Ok(());
    }
    let middle = (question.low + question.high) / 2.0;
    for unit in steps(question) {
        if let Some(params) = question.make(&unit, middle) {
            let place = question.place(&params)?;
            question.steps.push(place);
        }
    }
    let units: Vec<Vec<f64>> = match question.choices() {
        Some(all) => all.iter().map(|digits| question.middle(digits)).collect(),
        None => {
            let mut stream = Stream::for_trial(question.goal.seed ^ 0x91ace, record.runs.len() as u64);
            let tried: Vec<Vec<f64>> = (0..question.places.len()).map(|p| question.unit(p)).collect();
            (0..DRAWN_PLACES)
                .map(|k| {
                    neighbour(&tried[if k % 2 == 0 { 0 } else { stream.below(tried.len()) }], &mut stream)
                })
                .collect()
        }
    };
    for unit in units {
        if let Some(params) = question.make(&unit, middle) {
            question.place(&params)?;
        }
    }
    Ok(())
}

/// The first setting with one number changed by a wide step.
fn steps(question: &Question<'_>) -> Vec<Vec<f64>> {
    let home = question.unit(0);
    let mut all = Vec::new();
    for (i, parameter) in question.others().enumerate() {
        let number = parameter.domain.levels().is_none_or(|levels| levels > 8);
        let decays = WEIGHT_DECAY.contains(&&*parameter.name);
        let shares = if decays { decay_shares(question, parameter) } else { STEPS.to_vec() };
        let far = shares.into_iter().filter(|step| number && (step - home[i]).abs() >= NEAR);
        all.extend(far.map(|step| {
            let mut unit = home.clone();
            unit[i] = step;
            unit
        }));
    }
    all
}

/// Weight decays at which something may happen, as shares of their range: those that shrink the weights so many times over a run
/// to the target.
fn decay_shares(question: &Question<'_>, parameter: &Parameter) -> Vec<f64> {
    let progress = |p: &Point| match p.seen {
        Seen::Loss(loss) => Some((p.x - question.places[p.place].features.lean.shift + p.tau, loss)),
        _ => None,
    };
    let best = question.points.iter().filter_map(progress).min_by(|a, b| a.1.total_cmp(&b.1));
    let Some((progress, _)) = best else { return STEPS.to_vec() };
    let sum = progress.exp2() * question.goal.target.steps as f64 / 2.0;
    let share = |shrinkage: f64| parameter.domain.to_unit(shrinkage / sum).clamp(0.0, 1.0);
    SHRINKAGES.into_iter().map(share).collect()
}

/// A setting with one or a few parameters changed: by a little, or to anything.
fn neighbour(centre: &[f64], stream: &mut Stream) -> Vec<f64> {
    let certain = stream.below(centre.len());
    let share = 1.0 / centre.len() as f64;
    let changed = centre.iter().enumerate().map(|(i, &u)| match i == certain || stream.uniform() < share {
        true if stream.uniform() < 0.5 => (u + 0.15 * stream.normal()).clamp(0.0, 1.0),
        true => stream.uniform(),
        false => u,
    });
    changed.collect()
}
