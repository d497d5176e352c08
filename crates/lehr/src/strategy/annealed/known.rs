//! What follows from a record: the posterior, the settings that may be the best one, and the answers.

use std::cell::OnceCell;
use std::sync::Mutex;

use lehr_search::Stream;

use super::choose::{Answers, averaged};
use super::model::{Features, Model};
use super::question::{Point, Question, Seen};
use crate::strategy::{Goal, Record};

/// Places whose runs are weighed against each other.
const MOST_PLACES: usize = 10;
/// Of them, those that win most often; the others are drawn from all that win.
const SURE_PLACES: usize = 5;
/// What follows from a record, after the first look.
pub(super) struct Known {
    pub features: Vec<Features>,
    pub model: Model,
    /// Places that could be the answer.
    pub open: Vec<usize>,
    pub answers: Answers,
    doubts: OnceCell<Option<Doubts>>,
}

/// What the law makes of a record once it doubts itself.
pub(super) struct Doubts {
    pub model: Model,
    /// log₂ of the rate with the lowest expected loss by both laws, each weighed by its evidence.
    pub x: f64,
    /// The expected regret of that rate, by the law that doubts itself.
    pub regret: f64,
}

impl Known {
    /// The posterior of a question, the first `tried` of whose places are in the record; `None` if no run is complete.
    pub fn of(question: &Question<'_>, tried: usize) -> Option<Self> {
        let features: Vec<Features> = question.places.iter().map(|place| place.features.clone()).collect();
        let model = Model::fit(question, &features, question.goal.seed, false)?;
        let open = best_places(question, &model, &features, tried);
        let full = |p: &&Point| p.horizon == question.goal.target.steps && matches!(p.seen, Seen::Loss(_));
        let seen: Vec<usize> = question.points.iter().filter(full).map(|p| p.place).collect();
        let answers = Answers::new(&model, &features, &open, &seen, question.low, question.high);
        Some(Self { features, model, open, answers, doubts: OnceCell::new() })
    }

    /// Where the rate alone is searched, what a law that doubts itself says, made when it is asked for first: answer, intervals and the
    /// end of the search rest on it, which run is next does not.
    pub fn doubts(&self, question: &Question<'_>) -> Option<&Doubts> {
        let made = || {
            let model = Model::fit(question, &self.features, question.goal.seed, true)?;
            let features = &self.features[self.answers.at[self.answers.advised].0];
            let (x, regret) = averaged(&self.model, &model, features, question.low, question.high);
            Some(Doubts { model, x, regret })
        };
        self.doubts.get_or_init(|| (!question.has_others()).then(made).flatten()).as_ref()
    }
}

/// What followed from the last record that was looked at, since `next` and `result` ask about the same one.
#[derive(Default)]
pub(super) struct Last(Mutex<Option<(Goal, Record, Known)>>);

impl Last {
    pub fn take(&self, goal: &Goal, record: &Record) -> Option<Known> {
        let last = self.0.lock().ok()?.take()?;
        Some(last).filter(|last| last.0 == *goal && last.1 == *record).map(|last| last.2)
    }

    pub fn keep(&self, goal: &Goal, record: &Record, known: Known) {
        if let Ok(mut last) = self.0.lock() {
            *last = Some((goal.clone(), record.clone(), known));
        }
    }
}

impl std::fmt::Debug for Last {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Last")
    }
}

/// The places that are weighed against each other: the first one, those that are most often the best one among the draws, others
/// that are at times, and steps of one number from the first one that were not tried.
fn best_places(question: &Question<'_>, model: &Model, features: &[Features], tried: usize) -> Vec<usize> {
    if question.places.len() == 1 {
        return vec![0];
    }
    let mut wins = vec![0.0f64; question.places.len()];
    // Among many a part of the draws will do.
    let stride = if question.places.len() > 4 * MOST_PLACES { 3 } else { 1 };
    for draw in model.draws.iter().step_by(stride) {
        let loss = |place: usize| {
            let x = model.best(draw, &features[place], 0.0);
            model.expect(draw, &features[place], &model.spot(&features[place], x, 0.0, None)).mean()
        };
        let losses: Vec<f64> = (0..question.places.len()).map(loss).collect();
        if let Some(best) = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])) {
            wins[best] += 1.0;
        }
        // Among places that were tried the best one counts, too: an answer may be one of them.
        if let Some(best) = (0..tried).min_by(|&a, &b| losses[a].total_cmp(&losses[b])) {
            wins[best] += 0.5;
        }
    }
    let mut order: Vec<usize> = (1..wins.len()).filter(|&p| wins[p] > 0.0).collect();
    order.sort_by(|&a, &b| wins[b].total_cmp(&wins[a]).then(a.cmp(&b)));
    let mut open = vec![0];
    open.extend(order.drain(..order.len().min(SURE_PLACES)));
    // The others by lot.
    let mut stream = Stream::for_trial(question.goal.seed ^ 0x107, question.points.len() as u64);
    while open.len() < MOST_PLACES && !order.is_empty() {
        let all: f64 = order.iter().map(|&p| wins[p]).sum();
        let mut left = all * stream.uniform();
        let at = order.iter().position(|&p| {
            left -= wins[p];
            left <= 0.0
        });
        open.push(order.remove(at.unwrap_or(order.len() - 1)));
    }
    // What one step does is worth knowing, whatever the draws believe.
    open.extend(question.steps.iter().copied().filter(|&p| p >= tried));
    open.sort_unstable();
    open.dedup();
    open
}
