//! The view of a study.
mod budget;
mod context;
mod curves;
mod horizons;
mod rates;
mod tiles;
mod trials;
mod workers;

use lehr::strategy::Recommendation;
use lehr::worker::{Spec, record};
use lehr_study::{Study, StudyError};

use crate::view::{Importance, Objective, SCHEMA, Schedules, View};
use context::Context;

/// The view of a study as it was when it was last refreshed. `now` is in microseconds since 1970.
///
/// # Errors
/// [`StudyError`] if its settings or its workers cannot be read.
pub fn of_study(study: &Study, now: i64) -> Result<View, StudyError> {
    let context = Context::new(study)?;
    let workers = study.storage().workers(study.id())?;
    let trials = trials::read(&context);
    let found = rates::Found::of(&context, &trials);
    let tried = trials::tried(&context, &trials);
    let values: Vec<f64> = trials.iter().map(|trial| trial.value.unwrap_or(f64::NAN)).collect();
    let advice = advice(study);
    let budget = budget::of(&context, &trials, advice.as_ref());
    let words = tiles::words(&context, &trials, &found, &workers, advice.as_ref());
    let horizons = context.target.filter(|steps| *steps > 1);
    let charts = horizons::of(&context, &trials, &found.ends, advice.as_ref());
    // Where a few runs went to the end, the pictures of all lengths hold these as well, and say more.
    let rates = found
        .rates(&context)
        .filter(|rates| charts.is_empty() || rates.schedules.iter().any(|s| s.fit.is_some()));
    Ok(View {
        schema: SCHEMA,
        name: study.name().to_owned(),
        about: context.about(),
        objective: Objective { name: context.metric.clone(), maximize: context.maximize },
        tiles: tiles::tiles(&context, &trials, &found, budget.as_ref(), &workers),
        running: trials.iter().any(|trial| trial.is_open()),
        rates,
        robustness: found.robustness(&context),
        charts,
        curves: curves::of(&context, &trials),
        schedules: Schedules::of(found.named(), horizons),
        parameters: trials::parameters(&context, &trials),
        importance: Importance::of(&tried, &values),
        workers: workers::of(&context, &trials, &workers, now),
        trials: trials::table(&context, &trials, now),
        budget,
        words,
    })
}

/// What the study's own strategy concludes, where the study says what it trains and how it is searched.
fn advice(study: &Study) -> Option<Recommendation> {
    let job = Spec::load(study).ok()??.job().ok()?;
    let known = record(study.records(), &job.goal.space, job.goal.target.steps);
    job.strategy.result(&job.goal, &known).ok()
}

/// At most `most` of `all` places, evenly spread.
fn spread(all: &[usize], most: usize) -> Vec<usize> {
    match all.len() <= most {
        true => all.to_vec(),
        false => (0..most).map(|i| all[i * all.len() / most.max(1)]).collect(),
    }
}
