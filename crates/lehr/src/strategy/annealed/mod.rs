//! `annealed`: complete short runs as cheap looks, a model of rate and horizon, the next run by expected gain per update.
//!
//! 1. *First look*: at the user's setting, or at the schedule that the theory likes best ([`start`]), at the cheapest rung, steps
//!    of two to three octaves until the best rate has a worse one on both sides.
//! 2. *Model*: see [`model`]; all runs of all rungs and settings enter one posterior. At first the rate alone is searched, at the
//!    first setting, until that is nearly done or a full run is spent; then other settings join ([`candidates`]).
//! 3. *Choice*: for every possible run (setting, rate, rung, seed), and for threes of paired runs around the best rate, the
//!    fall of the expected loss at the target is computed that knowing the ends would bring (knowledge gradient), divided by
//!    what they cost. Where the program can resume, a run that continues what another one has trained costs the rest alone.
//!    Another setting than the first is advised once it is better beyond what is not known of the difference ([`choose`]).
//! 4. *Stop*: when the expected regret of the best answer is below the tolerance, or the noise of one run (a quarter of it with
//!    other parameters), or what a third of an octave costs, where the rate alone is searched by the law that doubts itself, too
//!    ([`known`]), and a full run beside the answer has not shown otherwise.

mod bracket;
mod candidates;
mod choose;
mod conclude;
mod field;
mod gain;
mod known;
mod law;
mod lean;
mod model;
mod posterior;
mod question;
mod rungs;
mod seeds;
mod start;
mod surface;

use std::sync::Arc;

use lehr_search::pruner::Reason;
use lehr_search::{Direction, Params, Stream, Verdict};

use super::sampled::budget_spent;
use super::{Goal, Next, Recommendation, Record, RunPlan, Strategy, StrategyError, Trial};
use bracket::Look;
use candidates::add_places;
use choose::Option_;
use gain::Gains;
use known::{Known, Last};
use model::{Features, Model};
use question::{Question, Seen};

/// The strategy for learning rates: complete short runs as cheap looks, a model of rate and horizon over all runs, and the
/// next run by expected gain per update, until the expected regret is small enough. The book's page *The annealed strategy*
/// has its steps.
#[derive(Clone, Debug, Default)]
pub struct Annealed {
    last: Arc<Last>,
}

impl Annealed {
    /// Whether it can work on a goal with more than full runs: a rate on a logarithmic scale, runs of any length, one seed per
    /// run.
    pub fn fits(goal: &Goal) -> bool {
        goal.abilities.any_horizon && goal.seeds == 1 && question::limits(goal).is_ok()
    }
}

/// Where no tolerance is given, it stops when the expected regret is below the noise of one run, or this share of what an octave
/// costs: a third of an octave is a tenth of that.
const BEND_SHARE: f64 = 0.1;
/// Where other parameters are searched, the share of the noise, of its lower end as long as it is hardly known: the best of many
/// settings is nearer to the others than rates are.
const NOISE_SHARE: f64 = 0.25;
/// Of many options those are looked at with all draws that are worth most by one draw of so many.
const LOOKED_AT: usize = 60;
const STRIDE: usize = 3;
/// What starting a run costs, as a share of the target horizon.
const START_COST: f64 = 0.004;
/// A full run whose rate is within so many octaves of the answer shows what that gives.
const CONFIRMED: f64 = 1.0;
/// Rates that differ by less, in octaves, count as the same.
const SAME_RATE: f64 = 0.12;
/// The rate alone is looked for at the first setting until the regret there is below so many times the tolerance.
const ENOUGH: f64 = 3.0;
/// Full runs that this may take.
const FIRST: u64 = 1;
/// Losses that differ by less, relative to their size, do not vary.
const NO_VARIATION: f64 = 1e-8;
/// Where so many runs of the first look broke, a longer horizon is tried.
const BROKEN: usize = 3;
/// Runs of a setting to one horizon below the target at most: what so many do not show is not to be seen there, and where the law does
/// not fit it would go on asking.
const TOLD: usize = 12;
/// log₂ of the shortest horizon over the target at which other settings are tried: what is good for very short runs need not be so
/// for long ones.
const SHORTEST: f64 = -4.1;

/// The state of the search after the first look.
struct Search<'a> {
    question: Question<'a>,
    known: Known,
}

impl Strategy for Annealed {
    fn name(&self) -> &str {
        "annealed"
    }

    fn next(&self, goal: &Goal, record: &Record) -> Result<Next, StrategyError> {
        let mut question = Question::new(goal, record)?;
        if let Some(next) = first_look(&mut question, record)? {
            return Ok(next);
        }
        let Some(search) = Search::new(question, record, &self.last)? else {
            return Ok(hopeless(goal, record));
        };
        let next = search.next(record);
        self.last.keep(goal, record, search.known);
        next
    }

    fn judge(&self, goal: &Goal, record: &Record, run: usize) -> Result<Verdict, StrategyError> {
        record.check()?;
        let run =
            record.runs.get(run).ok_or_else(|| StrategyError::Record(format!("there is no run {run}")))?;
        let bad = match goal.direction {
            Direction::Minimize => f64::INFINITY,
            Direction::Maximize => f64::NEG_INFINITY,
        };
        // A loss that is not annealed yet says nothing against a rate, unless it is lost for good.
        Ok(match run.reports.last() {
            None => Verdict { prune: false, reason: Reason::NoReport },
            Some(&(step, value)) if value.is_nan() || value == bad => {
                Verdict { prune: true, reason: Reason::NotFinite { step, value } }
            }
            Some(&(step, _)) => Verdict { prune: false, reason: Reason::InRange { step } },
        })
    }

    fn checkpoints(&self, goal: &Goal, params: &Params, horizon: u64) -> Result<Vec<u64>, StrategyError> {
        rungs::checkpoints(goal, params, horizon)
    }

    fn result(&self, goal: &Goal, record: &Record) -> Result<Recommendation, StrategyError> {
        let question = Question::new(goal, record)?;
        match Search::new(question, record, &self.last)? {
            Some(search) => {
                let found = conclude::conclude(&search, record);
                self.last.keep(goal, record, search.known);
                found
            }
            None => Ok(conclude::nothing(goal, record)),
        }
    }
}

/// The first look at one place; `None` once it is over.
fn first_look(question: &mut Question<'_>, record: &Record) -> Result<Option<Next>, StrategyError> {
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
        Look::Wait | Look::Done => Ok(None),
    }
}

/// Why nothing more may be started, if that is so.
fn limit(goal: &Goal, record: &Record, cost: u64, new: bool) -> Option<String> {
    match goal.max_trials {
        Some(most) if new && record.params.len() >= most => Some(format!("{most} trials were asked for")),
        _ => budget_spent(goal, record, cost),
    }
}

/// What to do without a single complete run.
fn hopeless(goal: &Goal, record: &Record) -> Next {
    if record.is_busy() {
        return Next::Wait;
    }
    let reason = match record.runs.iter().any(|run| run.state.is_diverged()) {
        true => format!(
            "every run diverged, down to the lowest rate of the range: give '{}' a lower one",
            goal.rate
        ),
        false => "no run came to its end".to_owned(),
    };
    Next::Stop { reason }
}

/// The plan of a run. A run that continues another one has that one's seed.
fn plan(
    goal: &Goal,
    record: &Record,
    trial: Trial,
    horizon: u64,
    seed: u64,
    reason: String,
) -> Result<RunPlan, StrategyError> {
    let (params, branch) = match &trial {
        Trial::Known(number) => {
            (record.params[*number].clone(), rungs::branch(goal, record, *number, horizon)?)
        }
        Trial::New(params) => (params.clone(), None),
    };
    let seed = branch.map_or(seed, |branch| record.runs[branch.run].seed);
    let checkpoints = rungs::checkpoints(goal, &params, horizon)?;
    Ok(RunPlan { trial, horizon, branch, checkpoints, seed, reason })
}

impl<'a> Search<'a> {
    /// The posterior of a record, `last` if it is the same; `None` if no run of it is complete.
    fn new(mut question: Question<'a>, record: &Record, last: &Last) -> Result<Option<Self>, StrategyError> {
        let tried = question.places.len();
        if !question.points.iter().any(|p| matches!(p.seen, Seen::Loss(_))) {
            return Ok(None);
        }
        if let Some(known) = last.take(question.goal, record) {
            if known.features.len() > tried {
                add_places(&mut question, record)?;
            }
            return Ok(Some(Self { question, known }));
        }
        if question.has_others() && tried == 1 && record.steps_spent() < FIRST * question.goal.target.steps {
            let Some(known) = Known::of(&question, tried) else { return Ok(None) };
            let search = Self { question, known };
            if search.known.answers.regret > ENOUGH * search.tolerance() {
                return Ok(Some(search));
            }
            question = search.question;
        }
        add_places(&mut question, record)?;
        let known = Known::of(&question, tried);
        Ok(known.map(|known| Self { question, known }))
    }

    /// The regret that is good enough, in units of the model.
    fn tolerance(&self) -> f64 {
        if let Some(tolerance) = self.question.goal.tolerance {
            return tolerance / self.known.model.scale;
        }
        let noise = match self.question.has_others() {
            true => NOISE_SHARE * self.noise_at(self.features_of_answer(), 0.0, 0.1),
            false => self.noise(),
        };
        noise.max(BEND_SHARE * self.bend())
    }

    /// The noise of one run at the target: the median of the posterior.
    fn noise(&self) -> f64 {
        self.noise_at(self.features_of_answer(), 0.0, 0.5)
    }

    /// A quantile of the posterior of the noise of one run, at a place and horizon.
    fn noise_at(&self, features: &Features, tau: f64, share: f64) -> f64 {
        noise_in(&self.known.model, features, tau, share)
    }

    /// What an octave below the best rate costs at the target: the median of the posterior.
    fn bend(&self) -> f64 {
        bend_in(&self.known.model, self.features_of_answer())
    }

    /// The noise of one run over what an octave costs, both the medians of a posterior.
    fn loudness(&self, model: &Model) -> f64 {
        let features = self.features_of_answer();
        noise_in(model, features, 0.0, 0.5) / bend_in(model, features).max(1e-300)
    }

    fn features_of_answer(&self) -> &Features {
        &self.known.features[self.known.answers.at[self.known.answers.advised].0]
    }

    fn next(&self, record: &Record) -> Result<Next, StrategyError> {
        let goal = self.question.goal;
        if let Some(reason) = self.finished() {
            return Ok(self.confirm(record)?.unwrap_or(Next::Stop { reason }));
        }
        let mut stream = Stream::for_trial(goal.seed ^ 0x5eed, record.runs.len() as u64);
        let under_way: Vec<_> =
            self.question.points.iter().filter(|p| p.seen == Seen::Open).copied().collect();
        let known = &self.known;
        let start = START_COST * goal.target.steps as f64;
        // By what they are worth per update, the most first.
        let mut ranked = |options: Vec<Vec<Option_>>, stride| {
            let gains =
                Gains::new(&known.model, &known.features, &known.answers, &under_way, stride, &mut stream);
            let per_update =
                |runs: &[Option_]| gains.of(runs) / runs.iter().map(|run| run.cost + start).sum::<f64>();
            let mut all: Vec<_> = options.into_iter().map(|runs| (per_update(&runs), runs)).collect();
            all.sort_by(|a, b| b.0.total_cmp(&a.0));
            all
        };
        let mut options = self.options(record)?;
        if options.len() > 4 * LOOKED_AT {
            options = ranked(options, STRIDE).into_iter().take(LOOKED_AT).map(|(_, runs)| runs).collect();
        }
        let Some((gain, option)) = ranked(options, 1).first().map(|(gain, runs)| (*gain, runs[0])) else {
            return Ok(Next::Stop { reason: "nothing is left to try within the budget".into() });
        };
        let reason = format!(
            "the expected loss at the target falls most per update, by {:.1e}",
            gain * (option.cost + start) * self.known.model.scale
        );
        self.run(record, &option, reason)
    }

    fn run(&self, record: &Record, option: &Option_, reason: String) -> Result<Next, StrategyError> {
        let trial = match option.trial {
            Some(number) => Trial::Known(number),
            None => Trial::New(self.question.params(option.place, option.x)),
        };
        Ok(Next::Run(plan(self.question.goal, record, trial, option.horizon, option.seed, reason)?))
    }

    /// The run to the target that shows what the answer gives, unless there is one near by or the limits forbid it. What it
    /// shows enters the posterior, so that the search goes on where the answer was wrong.
    fn confirm(&self, record: &Record) -> Result<Option<Next>, StrategyError> {
        let goal = self.question.goal;
        let conclude::Answer { place, x, .. } = conclude::answer(self)?;
        let full = self.question.points.iter().filter(|p| p.place == place && p.horizon == goal.target.steps);
        // Where the runs do not differ any of them shows it.
        let within = if self.is_flat() { f64::INFINITY } else { CONFIRMED };
        let near = |p: &&question::Point| p.seen != Seen::Diverged && (p.x - x).abs() <= within;
        match full.filter(near).map(|p| p.seen).next() {
            Some(Seen::Open) if record.is_busy() => return Ok(Some(Next::Wait)),
            Some(_) => return Ok(None),
            None => {}
        }
        let (x, trial) = self.with_tried(place, &[x])[0];
        let seed = seeds::first(goal, goal.target.steps);
        let Some(option) = self.option(record, place, (x, trial), goal.target.steps, seed)? else {
            return Ok(None);
        };
        self.run(record, &option, "shows what the answer gives at the target".to_owned()).map(Some)
    }

    /// The expected regret of the answer, in units of the model: by the law, and once that is within the tolerance by the one that
    /// doubts itself, too.
    fn regret(&self, tolerance: f64) -> f64 {
        let regret = self.known.answers.regret;
        if regret > tolerance {
            return regret;
        }
        self.known.doubts(&self.question).map_or(regret, |doubts| doubts.regret.max(regret))
    }

    /// Whether the runs do not differ.
    fn is_flat(&self) -> bool {
        let (zero, scale) = (self.known.model.zero, self.known.model.scale);
        let tried = self.question.points.iter().filter(|p| p.seen != Seen::Open).count();
        tried > 2 && scale <= NO_VARIATION * zero.abs().max(f64::MIN_POSITIVE)
    }

    /// Why the search is over, if it is.
    fn finished(&self) -> Option<String> {
        if self.is_flat() {
            return Some("the runs do not differ".into());
        }
        let tolerance = self.tolerance();
        let regret = self.regret(tolerance);
        if regret > tolerance {
            return None;
        }
        let against = match self.question.goal.tolerance {
            Some(tolerance) => format!("the tolerance of {tolerance}"),
            None => format!(
                "what a third of an octave costs or {}the noise of one run, {:.1e}",
                if self.question.has_others() { "a quarter of " } else { "" },
                tolerance * self.known.model.scale
            ),
        };
        Some(format!("the expected regret is {:.1e}, below {against}", regret * self.known.model.scale))
    }

    /// What could be made next: single runs, and runs that are weighed together, of which the first is made.
    fn options(&self, record: &Record) -> Result<Vec<Vec<Option_>>, StrategyError> {
        let (question, model) = (&self.question, &self.known.model);
        let (low, high) = (question.low, question.high);
        let mut options = Vec::new();
        for &place in &self.known.open {
            for &horizon in &question.places[place].shape.rungs {
                let tau = rungs::tau(question.goal, horizon);
                let here =
                    question.points.iter().filter(|p| p.place == place && p.horizon == horizon).count();
                if place != 0 && tau < SHORTEST || tau < 0.0 && here >= TOLD {
                    continue;
                }
                let bests = choose::bests(model, &self.known.features[place], tau);
                let singles = choose::rates(&bests, low, high);
                let mut sets: Vec<Vec<f64>> = singles.into_iter().map(|x| vec![x]).collect();
                for [middle, below, above] in choose::spans(&bests, low, high) {
                    sets.push(vec![middle, below, above]);
                    sets.push(vec![below, above]);
                }
                for set in sets {
                    let set = self.with_tried(place, &set);
                    for seed in seeds::offered(question, horizon) {
                        let mut runs = Vec::new();
                        for &one in &set {
                            runs.extend(self.option(record, place, one, horizon, seed)?);
                        }
                        options.extend(Some(runs).filter(|runs| !runs.is_empty()));
                    }
                }
            }
        }
        Ok(options)
    }

    /// Rates, moved to those of trials of the place that are as good as the same, so that trials are continued.
    fn with_tried(&self, place: usize, rates: &[f64]) -> Vec<(f64, Option<usize>)> {
        let mut found: Vec<(f64, Option<usize>)> = Vec::new();
        for &x in rates {
            let tried = self.question.points.iter().filter(|p| p.place == place && p.seen != Seen::Diverged);
            let near = tried.min_by(|a, b| (a.x - x).abs().total_cmp(&(b.x - x).abs()));
            let one = match near.filter(|p| (p.x - x).abs() < SAME_RATE) {
                Some(point) => (point.x, Some(point.trial)),
                None => (x, None),
            };
            if !found.contains(&one) {
                found.push(one);
            }
        }
        found
    }

    /// A run that could be made, if the limits allow it and it has not been made.
    fn option(
        &self,
        record: &Record,
        place: usize,
        (x, trial): (f64, Option<usize>),
        horizon: u64,
        seed: u64,
    ) -> Result<Option<Option_>, StrategyError> {
        let goal = self.question.goal;
        let (mut cost, mut seed) = (horizon, seed);
        // Of a trial that was closed nothing more can be trained: another one takes up its rate.
        let trial = trial.filter(|&trial| !record.is_closed(trial));
        if let Some(trial) = trial
            && let Some(branch) = rungs::branch(goal, record, trial, horizon)?
        {
            cost -= branch.step;
            seed = record.runs[branch.run].seed;
        }
        let same = |p: &question::Point| {
            let now = p.seed == seed || p.seen == Seen::Open;
            p.place == place && p.horizon == horizon && now && (p.x - x).abs() < SAME_RATE
        };
        let broken = |p: &question::Point| p.seed == seed && same(p);
        let question = &self.question;
        if question.points.iter().any(same)
            || question.broken.iter().any(broken)
            || limit(goal, record, cost, trial.is_none()).is_some()
        {
            return Ok(None);
        }
        let tau = rungs::tau(goal, horizon);
        Ok(Some(Option_ { place, x, tau, horizon, trial, seed, cost: cost as f64 }))
    }
}

fn noise_in(model: &Model, features: &Features, tau: f64, share: f64) -> f64 {
    quantile(model.draws.iter().map(|d| model.noise(d, features, tau)).collect(), share)
}

fn bend_in(model: &Model, features: &Features) -> f64 {
    quantile(model.draws.iter().map(|d| model.bend(d, features)).collect(), 0.5)
}

fn quantile(mut of: Vec<f64>, share: f64) -> f64 {
    of.sort_by(f64::total_cmp);
    of[((of.len() - 1) as f64 * share) as usize]
}

#[cfg(test)]
mod tests;
