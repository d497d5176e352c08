//! The recommendation.

use lehr_search::{Params, Value};
use lehr_theory::{Rates, Ratio, Robustness};

use super::Search;
use super::choose::{Answers, at_target, bests, expected};
use super::model::Model;
use super::question::{Point, Question, Seen};
use crate::strategy::{Estimate, Goal, Range, Recommendation, Record, SearchState, Spent, StrategyError};
use crate::sweep::simplicity;

/// The level of the intervals.
const CONFIDENCE: f64 = 0.9;
/// By which share the draws' intervals of the best rate are too wide where there is no noise: the law's errors are as large as the
/// worst tasks need. With much noise, beside which they hardly count, they are as they should be. Where the rate alone is searched
/// (doubts included), and where more is. Measured on live runs (`cargo xtask bench tuning -- --calibrate`).
const TOO_WIDE: (f64, f64) = (0.45, 0.3);
/// How wide the interval of the expected loss is, as a share of the draws' own: where noise is small beside what an octave costs, so
/// small that the law's errors decide, and where it is large, which few runs of one seed make out to be less than it is; the third
/// is where other parameters are searched, too. Measured on live runs.
const LOSS_WIDTH: (f64, f64, f64) = (0.25, 1.2, 1.4);
/// Noise that is neither small nor large, over what an octave costs.
const MODERATE: f64 = 0.4;
/// Horizons that count as long ones: within so many octaves of the longest.
const LONG: f64 = 2.0;
/// The factors at which R(ρ) is given.
const FACTORS: [f64; 4] = [2.0, 3.0, 5.0, 10.0];

/// What there is to say before a run is complete.
pub(super) fn nothing(goal: &Goal, record: &Record) -> Recommendation {
    let diverged = record.runs.iter().filter(|run| run.state.is_diverged()).count();
    let advice = match (record.runs.len(), diverged) {
        (0, _) => "Nothing can be recommended: nothing was run.".to_owned(),
        (_, 0) => "Nothing can be recommended: no run came to its end.".to_owned(),
        (_, n) => format!(
            "Nothing can be recommended: {n} runs diverged and none came to its end. Give '{}' a lower range.",
            goal.rate
        ),
    };
    Recommendation {
        strategy: "annealed".into(),
        params: None,
        schedule: None,
        rate: None,
        loss: None,
        safe: None,
        confidence: CONFIDENCE,
        noise: None,
        robustness: Vec::new(),
        spent: Spent::of(goal, record),
        grid_full_runs: None,
        state: SearchState::Empty,
        doubts: Vec::new(),
        advice,
    }
}

/// What the posterior says.
pub(super) fn conclude(search: &Search<'_>, record: &Record) -> Result<Recommendation, StrategyError> {
    let (question, model) = (&search.question, &search.known.model);
    let goal = question.goal;
    let Answer { place, x, simpler } = answer(search)?;
    let params = question.params(place, x);
    let features = &search.known.features[place];
    let sign = if goal.direction == lehr_search::Direction::Minimize { 1.0 } else { -1.0 };
    let tried: Vec<&Point> = question.points.iter().filter(|p| p.seen != Seen::Open).collect();
    let in_doubt = search.known.doubts(question);
    let (doubting, too_wide) = in_doubt.map_or((model, TOO_WIDE.1), |in_doubt| (&in_doubt.model, TOO_WIDE.0));
    let loudness = search.loudness(doubting);
    let narrow = 1.0 - too_wide / (1.0 + loudness);
    let (low, high) = interval(bests(doubting, features, 0.0), narrow);
    let range = rate_range(question.low, question.high, (low.min(x), high.max(x)));
    let rate = Estimate { value: question.rate(x), interval: Some(range) };
    let losses = |model: &Model| -> Vec<f64> {
        at_target(model, features, x).into_iter().map(|loss| model.loss(loss)).collect()
    };
    let expected = losses(model);
    let value = expected.iter().sum::<f64>() / expected.len() as f64;
    let (best, worst) = interval(losses(doubting), loss_width(loudness, question.has_others()));
    let (best, worst) = (best.min(value), worst.max(value));
    let bests = bests(model, features, 0.0);
    let (a, b) = (sign * best, sign * worst);
    let loss_range = Range { low: a.min(b), high: a.max(b), open_low: false, open_high: false };
    let mut doubts = doubts(search, place, x, &bests, &tried);
    doubts.extend(better_before(search, place, best, sign, &tried));
    let finished = search.finished();
    let flat = search.is_flat();
    if flat {
        doubts.insert(
            0,
            "the runs do not differ: the loss does not depend on what was varied, or not visibly".into(),
        );
    }
    if finished.is_none() {
        doubts.push(format!(
            "the search is not finished: the expected regret is {:.1e}",
            search.regret(search.tolerance()) * model.scale
        ));
    }
    let supported = !flat;
    let spec = goal.spec(&params)?;
    let advice = match supported {
        false => "Nothing can be recommended: the runs do not differ.".to_owned(),
        true => advice(goal, &params, spec.as_deref(), &rate, simpler.as_deref()),
    };
    let robustness = robustness(goal, &params)?;
    Ok(Recommendation {
        strategy: "annealed".into(),
        schedule: spec.filter(|_| supported),
        params: Some(params).filter(|_| supported),
        rate: Some(rate).filter(|_| supported),
        loss: Some(Estimate { value: sign * value, interval: Some(loss_range) }),
        safe: Some(safe(search, place, x, &tried)).filter(|_| supported),
        confidence: CONFIDENCE,
        noise: Some(search.noise() * model.scale),
        robustness,
        spent: Spent::of(goal, record),
        grid_full_runs: grid(search),
        state: finished.map_or(SearchState::Open, SearchState::Finished),
        doubts,
        advice,
    })
}

/// The answer to give.
pub(super) struct Answer {
    pub place: usize,
    /// log₂ of its rate, of two digits.
    pub x: f64,
    /// The best schedule, where the answer is of a simpler one that cannot be told from it.
    pub simpler: Option<String>,
}

/// The answer to give: where the rate alone is searched, what the law and the one that doubts itself expect counts by how well each of
/// them foretold the runs.
pub(super) fn answer(search: &Search<'_>) -> Result<Answer, StrategyError> {
    let (question, known) = (&search.question, &search.known);
    let (answer, simpler) = choice(search)?;
    let (place, mut x) = known.answers.at[answer];
    if let Some(doubts) = known.doubts(question) {
        x = doubts.x;
    }
    Ok(Answer { place, x: rounded(x).clamp(question.low, question.high), simpler })
}

/// The best of the answers, or that of the simplest schedule that cannot be told from it; then also the best one's.
fn choice(search: &Search<'_>) -> Result<(usize, Option<String>), StrategyError> {
    let (answers, goal) = (&search.known.answers, search.question.goal);
    let best = answers.advised;
    let best_place = answers.at[best].0;
    let spec = |place: usize| goal.spec(&search.question.places[place].params);
    let Some(best_spec) = spec(best_place)? else { return Ok((best, None)) };
    let within = search.tolerance();
    let mut chosen = (simplicity(&best_spec), best, None);
    for &place in search.known.open.iter().filter(|&&p| p != best_place && tried(search, p)) {
        let Some(own) = (0..answers.at.len())
            .filter(|&a| answers.at[a].0 == place)
            .min_by(|&a, &b| answers.means[a].total_cmp(&answers.means[b]))
        else {
            continue;
        };
        let Some(spec) = spec(place)? else { continue };
        let simple = simplicity(&spec);
        if simple < chosen.0 && answers.means[own] - answers.means[best] <= within && like(answers, own, best)
        {
            chosen = (simple, own, Some(best_spec.clone()));
        }
    }
    Ok((chosen.1, chosen.2))
}

/// Whether a run of the place is complete.
fn tried(search: &Search<'_>, place: usize) -> bool {
    search.question.points.iter().any(|p| p.place == place && matches!(p.seen, Seen::Loss(_)))
}

/// Whether an answer is as good as the best one in a tenth of the draws or more.
fn like(answers: &Answers, own: usize, best: usize) -> bool {
    let (a, b) = (answers.draws(own), answers.draws(best));
    let good = a.iter().zip(b).filter(|(a, b)| a <= b).count();
    10 * good >= a.len()
}

/// Two digits are more than a rate is known to.
fn rounded(x: f64) -> f64 {
    let rate = x.exp2();
    let unit = 10f64.powf(rate.log10().floor() - 1.0);
    ((rate / unit).round() * unit).log2()
}

/// A rate in words, as a command has it.
fn digits(x: f64) -> String {
    format!("{:#}", Value::Float(rounded(x.log2()).exp2()))
}

/// The central interval of draws, made so many times as wide on both sides of the median.
fn interval(mut draws: Vec<f64>, times: f64) -> (f64, f64) {
    draws.sort_by(f64::total_cmp);
    let at = |share: f64| draws[((draws.len() - 1) as f64 * share).round() as usize];
    let middle = at(0.5);
    let end = |share: f64| middle + times * (at(share) - middle);
    (end((1.0 - CONFIDENCE) / 2.0), end((1.0 + CONFIDENCE) / 2.0))
}

/// How many times as wide as the draws' own the interval of the expected loss is.
fn loss_width(loudness: f64, others: bool) -> f64 {
    let (quiet, loud, several) = LOSS_WIDTH;
    if others { several } else { loud - (loud - quiet) / (1.0 + (loudness / MODERATE).powi(8)) }
}

fn rate_range(low: f64, high: f64, (a, b): (f64, f64)) -> Range {
    Range { low: a.exp2(), high: b.exp2(), open_low: a <= low + 0.05, open_high: b >= high - 0.05 }
}

/// The rates around the answer whose expected loss at the target is within the tolerance or the noise of it.
fn safe(search: &Search<'_>, place: usize, x: f64, tried: &[&Point]) -> Range {
    const STEP: f64 = 0.125;
    let (model, features) = (&search.known.model, &search.known.features[place]);
    let within = match search.question.goal.tolerance {
        Some(tolerance) => tolerance / model.scale,
        None => search.noise(),
    };
    let mean = |x: f64| at_target(model, features, x).iter().sum::<f64>() / model.draws.len() as f64;
    let limit = mean(x) + within;
    let walk = |side: f64, end: f64| {
        let mut at = x;
        while (end - at) * side > 0.0 && mean(at + side * STEP) <= limit {
            at += side * STEP;
        }
        if (at - end) * side > 0.0 { end } else { at }
    };
    let (low, high) = (walk(-1.0, search.question.low), walk(1.0, search.question.high));
    // Rates at shorter horizons speak for lower ones at the target, by the drift.
    let at_target = |p: &&Point| p.x - (mean_best(search, place, p.tau) - mean_best(search, place, 0.0));
    let lowest = tried.iter().map(at_target).fold(f64::INFINITY, f64::min);
    let highest = tried.iter().map(at_target).fold(f64::NEG_INFINITY, f64::max);
    Range { low: low.exp2(), high: high.exp2(), open_low: low < lowest, open_high: high > highest }
}

/// Where the draws see the best rate of a place at a horizon in the mean, as log₂.
fn mean_best(search: &Search<'_>, place: usize, tau: f64) -> f64 {
    let bests = bests(&search.known.model, &search.known.features[place], tau);
    bests.iter().sum::<f64>() / bests.len() as f64
}

/// What speaks against relying on the answer; `bests` is where the draws see the best rate, rising.
fn doubts(search: &Search<'_>, place: usize, x: f64, bests: &[f64], tried: &[&Point]) -> Vec<String> {
    let (question, model) = (&search.question, &search.known.model);
    let features = &search.known.features[place];
    let mut doubts = Vec::new();
    let edge = |end: &str| {
        format!(
            "the best rate lies, or may lie, at the {end} end of the range: widen it before you rely on this"
        )
    };
    // One draw in four is enough to say so.
    if bests[3 * bests.len() / 4] >= question.high - 0.1 {
        doubts.push(edge("upper"));
    }
    if bests[bests.len() / 4] <= question.low + 0.1 {
        doubts.push(edge("lower"));
    }
    let longest = tried.iter().filter(|p| p.place == place).map(|p| p.tau).fold(f64::NEG_INFINITY, f64::max);
    if longest < -2.5 {
        doubts.push(format!(
            "the longest run had 1/{:.0} of the target horizon: how the best rate falls from there to the target is the \
             prior's word more than the data's",
            (-longest).exp2()
        ));
    }
    let near = tried.iter().filter(|p| p.place == place && p.tau >= longest - LONG);
    let sides = near.fold((false, false), |(below, above), p| {
        let best = mean_best(search, place, p.tau);
        (below || p.x < best, above || p.x > best)
    });
    if sides != (true, true) && !question.points.is_empty() {
        doubts.push(
            "at the longest horizons that were run, rates on one side of the best one only were tried".into(),
        );
    }
    let wrecked = expected(model, features, (x, 0.0, None), 1, |e| e.wrecked);
    let wreck = wrecked.iter().sum::<f64>() / wrecked.len() as f64;
    if wreck > 0.02 {
        doubts.push(format!("a run may diverge at this rate (probability {wreck:.2}): the cliff is near"));
    }
    doubts.extend(cut_off(question, place, longest));
    doubts
}

/// Where at the longest horizon at which rates diverged, short of the target, losses fell up to the highest one that did not, and no longer
/// run at that rate or above it has shown what is there.
fn cut_off(question: &Question<'_>, place: usize, longest: f64) -> Option<String> {
    let here = || question.points.iter().filter(|p| p.place == place && p.tau >= longest - LONG);
    let lost =
        here().filter(|p| p.seen == Seen::Diverged && p.tau < 0.0).max_by(|a, b| a.tau.total_cmp(&b.tau))?;
    let mut ends: Vec<(f64, f64)> = here()
        .filter(|p| p.horizon == lost.horizon)
        .filter_map(|p| if let Seen::Loss(loss) = p.seen { Some((p.x, loss)) } else { None })
        .collect();
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (highest, lower) = ends.split_last()?;
    let falls = !lower.is_empty() && lower.iter().all(|end| end.1 > highest.1);
    let known = here().any(|p| p.tau > lost.tau && p.x >= highest.0 && p.seen != Seen::Open);
    (falls && lost.x > highest.0 && !known).then(|| {
        format!(
            "at {} steps losses fall up to {}, above which rates diverge: the target may stand a higher rate, and be better there",
            lost.horizon,
            digits(highest.0.exp2())
        )
    })
}

/// A run at the place that ended better, beyond its noise, than `best`, the better end of what is expected at the target.
fn better_before(
    search: &Search<'_>,
    place: usize,
    best: f64,
    sign: f64,
    tried: &[&Point],
) -> Option<String> {
    const NOISES: f64 = 3.0;
    let ends = tried.iter().filter(|p| p.place == place).filter_map(|p| match p.seen {
        Seen::Loss(loss) => Some((loss, *p)),
        _ => None,
    });
    let (loss, run) = ends.min_by(|a, b| a.0.total_cmp(&b.0))?;
    let noise = search.noise_at(&search.known.features[place], run.tau, 0.5) * search.known.model.scale;
    (loss < best - NOISES * noise).then(|| {
        format!(
            "a run of {} steps at a peak rate of {} ended at {:#}, better than what is expected here: longer runs over-fit, or the \
             model does not describe these runs",
            run.horizon,
            digits(run.x.exp2()),
            Value::Float(sign * loss)
        )
    })
}

/// One sentence.
fn advice(goal: &Goal, params: &Params, spec: Option<&str>, rate: &Estimate, best: Option<&str>) -> String {
    let mut text = match spec {
        Some(spec) => format!("Use '{spec}' with a peak rate of {}", digits(rate.value)),
        None => format!("Use a peak rate of {}", digits(rate.value)),
    };
    if let Some(range) = rate.interval {
        text += &format!(" (90 % interval {} to {})", digits(range.low), digits(range.high));
    }
    let spec_has = |name: &str| goal.schedule.as_deref().is_some_and(|s| s.contains(&format!("{{{name}}}")));
    let others: Vec<String> = params
        .iter()
        .filter(|(name, _)| *name != goal.rate && !spec_has(name))
        .filter(|(name, _)| goal.space.get(name).is_some_and(|p| p.fixed.is_none()))
        .map(|(name, value)| format!("{name}={value:#}"))
        .collect();
    if !others.is_empty() {
        text += &format!(", {}", others.join(", "));
    }
    text += &format!(" for {} steps.", goal.target.steps);
    if let Some(best) = best {
        text += &format!(" '{best}' cannot be told from it and is less simple.");
    }
    text
}

/// R(ρ) of a configuration's schedule at the target.
fn robustness(goal: &Goal, params: &Params) -> Result<Vec<Ratio>, StrategyError> {
    let Some(curve) = goal.curve(params, goal.target.steps)? else { return Ok(Vec::new()) };
    // A schedule that the theory cannot read (too long, all at zero) has no ratio.
    let Ok(rates) = Rates::of_curve(&curve) else { return Ok(Vec::new()) };
    let of = Robustness::of(&rates);
    Ok(FACTORS.iter().filter_map(|&rho| of.at(rho).ok()).collect())
}

/// Full runs of a grid with a point per octave for every listed setting; `None` where settings cannot be listed.
fn grid(search: &Search<'_>) -> Option<f64> {
    let question = &search.question;
    let settings = match question.has_others() {
        true => question.choices()?.len(),
        false => 1,
    };
    Some(settings as f64 * ((question.high - question.low).ceil() + 1.0))
}
