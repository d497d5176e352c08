//! What could be answered, and what could be run next.

use super::model::{Expected, Features, Model};

/// Rates that are looked at for the answer: at the only place, and at each of several.
const GRID: (usize, usize) = (25, 13);
/// Another place than the first is advised by its expected loss and so many standard deviations of what is not known of the
/// difference: the best of many that were never run is a matter of luck.
const CAUTION: f64 = 1.5;
/// The same where a run to the target was made.
const SEEN_CAUTION: f64 = 0.25;
/// An answer is at most so many octaves above the highest rate of a run that came to its end.
const BEYOND: f64 = 1.5;
/// Draws further from their median are pulled in to so many times the usual distance, so that a few that see a cliff everywhere do not
/// decide.
const WINSOR: f64 = 3.0;

/// What could be answered, and what each draw expects of it at the target.
pub(super) struct Answers {
    /// Place and log₂ rate of each possible answer.
    pub at: Vec<(usize, f64)>,
    /// Expected loss of each answer (outer) under each draw (inner).
    losses: Vec<Vec<f64>>,
    /// Mean over draws of each answer's expected loss.
    pub means: Vec<f64>,
    /// The best answer at the first place.
    pub home: usize,
    /// How many standard deviations of what is not known of its difference to that one are held against an answer.
    pub cautions: Vec<f64>,
    /// The answer to give: the one with the lowest mean, cautions added.
    pub advised: usize,
    /// By how much it is expected to be worse than the best one that exists.
    pub regret: f64,
}

/// A run that could be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Option_ {
    pub place: usize,
    pub x: f64,
    pub tau: f64,
    pub horizon: u64,
    /// The trial, if it is one of the record.
    pub trial: Option<usize>,
    /// Its seed.
    pub seed: u64,
    /// Updates to be paid.
    pub cost: f64,
}

impl Answers {
    /// The answers at these places, of which the first one is where the search began, within `low..high`.
    pub fn new(
        model: &Model,
        features: &[Features],
        places: &[usize],
        seen: &[usize],
        low: f64,
        high: f64,
    ) -> Self {
        let mut at = Vec::new();
        let grid = if places.len() > 1 { GRID.1 } else { GRID.0 };
        for &place in places {
            let rates = possible(&[model], &features[place], low, high, grid);
            at.extend(rates.into_iter().map(|x| (place, x)));
        }
        let losses: Vec<Vec<f64>> =
            at.iter().map(|&(place, x)| at_target(model, &features[place], x)).collect();
        let means: Vec<f64> = losses.iter().map(|of| moments(of.clone()).0).collect();
        let of_first = at.iter().take_while(|answer| answer.0 == places[0]).count();
        let home = lowest(&means[..of_first]);
        let caution = |place: usize| if seen.contains(&place) { SEEN_CAUTION } else { CAUTION };
        let cautions: Vec<f64> =
            (0..at.len()).map(|a| if a < of_first { 0.0 } else { caution(at[a].0) }).collect();
        let apart = |a: usize| moments(losses[a].iter().zip(&losses[home]).map(|(a, b)| a - b).collect()).1;
        let scores: Vec<f64> = (0..at.len()).map(|a| means[a] + cautions[a] * apart(a)).collect();
        let advised = lowest(&scores);
        let regret = regret(&losses, advised);
        Self { at, advised, home, cautions, losses, means, regret }
    }

    /// The expected loss of an answer under each draw.
    pub fn draws(&self, answer: usize) -> &[f64] {
        &self.losses[answer]
    }
}

/// Rates at a place that may be the answer by any of these posteriors of the same runs.
fn possible(models: &[&Model], features: &Features, low: f64, high: f64, count: usize) -> Vec<f64> {
    let (mut a, mut b) = (f64::INFINITY, f64::NEG_INFINITY);
    for model in models {
        let bests = bests(model, features, 0.0);
        a = a.min(bests[bests.len() / 50]);
        b = b.max(bests[bests.len() - 1 - bests.len() / 50]);
    }
    let spare = 0.1 * (b - a) + 0.1;
    let most = models[0].most + features.lean.shift + BEYOND;
    let b = (b + spare).min(high).min(most.max(low));
    let a = (a - spare).max(low).min(b);
    (0..count).map(|i| a + (b - a) * i as f64 / (count - 1) as f64).collect()
}

/// The rate at a place with the lowest expected loss, averaged over two posteriors of the same runs, each of them weighed by its
/// evidence, and its expected regret by the second one.
pub(super) fn averaged(law: &Model, other: &Model, features: &Features, low: f64, high: f64) -> (f64, f64) {
    let rates = possible(&[law, other], features, low, high, GRID.0);
    let share = 1.0 / (1.0 + (law.evidence - other.evidence).exp());
    let losses =
        |model: &Model| -> Vec<Vec<f64>> { rates.iter().map(|&x| at_target(model, features, x)).collect() };
    let (by_law, by_other) = (losses(law), losses(other));
    let mean = |of: &[f64]| moments(of.to_vec()).0;
    let means: Vec<f64> =
        by_law.iter().zip(&by_other).map(|(a, b)| (1.0 - share) * mean(a) + share * mean(b)).collect();
    let best = lowest(&means);
    (rates[best], regret(&by_other, best))
}

/// By how much an answer (outer) is expected to be worse than the best one of each draw (inner).
fn regret(losses: &[Vec<f64>], answer: usize) -> f64 {
    let draws = losses[answer].len();
    let floor = |j: usize| losses.iter().map(|of| of[j]).fold(f64::INFINITY, f64::min);
    (0..draws).map(|j| losses[answer][j] - floor(j)).sum::<f64>() / draws as f64
}

fn lowest(scores: &[f64]) -> usize {
    (0..scores.len()).min_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap_or(0)
}

/// Pulls in what is far from the median.
pub(super) fn winsorize(of: &mut [f64]) {
    let middle = |mut of: Vec<f64>| {
        of.sort_by(f64::total_cmp);
        of[of.len() / 2]
    };
    let median = middle(of.to_vec());
    let usual = 1.48 * middle(of.iter().map(|x| (x - median).abs()).collect());
    let reach = WINSOR * usual.max(1e-12);
    of.iter_mut().for_each(|x| *x = x.max(median - reach).min(median + reach));
}

/// Mean and standard deviation, with what is far from the median pulled in.
fn moments(mut of: Vec<f64>) -> (f64, f64) {
    winsorize(&mut of);
    let count = of.len() as f64;
    let mean = of.iter().sum::<f64>() / count;
    (mean, (of.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt())
}

/// Where the draws see the best rate at a horizon, rising.
pub(super) fn bests(model: &Model, features: &Features, tau: f64) -> Vec<f64> {
    let mut bests: Vec<f64> = model.draws.iter().map(|d| model.best(d, features, tau)).collect();
    bests.sort_by(f64::total_cmp);
    bests
}

/// What each draw, or one of so many, expects of a run: its rate, horizon and seed.
pub(super) fn expected<T>(
    model: &Model,
    features: &Features,
    (x, tau, seed): (f64, f64, Option<u64>),
    stride: usize,
    what: impl Fn(&Expected) -> T,
) -> Vec<T> {
    let spot = model.spot(features, x, tau, seed);
    model.draws.iter().step_by(stride).map(|draw| what(&model.expect(draw, features, &spot))).collect()
}

/// The loss that each draw expects of a rate at the target, wrecks included.
pub(super) fn at_target(model: &Model, features: &Features, x: f64) -> Vec<f64> {
    expected(model, features, (x, 0.0, None), 1, Expected::mean)
}

/// Half widths of what runs that are weighed together span, in octaves.
const SPANS: [f64; 3] = [0.8, 1.4, 2.2];

/// Rates worth being run together at a horizon: the ends of a span around the middle of where the draws see the best one,
/// and the middle itself. One run at a new horizon says little, since the level there is not known: the runs that would be
/// compared have to be weighed together.
pub(super) fn spans(bests: &[f64], low: f64, high: f64) -> Vec<[f64; 3]> {
    let middle = bests[bests.len() / 2];
    SPANS.iter().map(|w| [middle, middle - w, middle + w].map(|x| x.clamp(low, high))).collect()
}

/// Rates worth a run at a horizon: spread over where the draws see the best one, and beside it.
pub(super) fn rates(bests: &[f64], low: f64, high: f64) -> Vec<f64> {
    let quantile = |share: f64| bests[((bests.len() - 1) as f64 * share) as usize];
    let middle = quantile(0.5);
    let mut found: Vec<f64> = [0.05, 0.25, 0.5, 0.75, 0.95].into_iter().map(quantile).collect();
    found.extend([-2.0, -1.3, -0.7, 0.7, 1.3, 2.0].map(|d| middle + d));
    found.iter_mut().for_each(|x| *x = x.clamp(low, high));
    found.sort_by(f64::total_cmp);
    found.dedup_by(|a, b| (*a - *b).abs() < 0.15);
    found
}
