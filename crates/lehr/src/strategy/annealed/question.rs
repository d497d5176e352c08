//! The record as the model reads it: places, points, units.

use std::collections::HashMap;
use std::rc::Rc;

use lehr_search::Params;
use lehr_search::space::{Domain, Parameter, Scale};

use super::lean::{Lean, batch, decay, knows};
use super::model::Features;
use super::rungs;
use super::surface::{Number, surface};
use crate::strategy::{Goal, Record, RunState, StrategyError};

/// By how many octaves a choice, the line and the bow of a number move the best rate, as standard deviations.
const SHIFTS: (f64, f64, f64) = (0.8, 1.5, 1.0);
/// How many times a choice and the line of a number double the noise G.
const LOUDER: (f64, f64) = (0.7, 1.0);
/// How many times a choice, the line and the bow of a number double the cost of over-fitting.
const OVER: (f64, f64, f64) = (0.3, 1.5, 1.0);
/// Of a parameter of the schedule the theory has said the most: what it may do beyond that, as a share.
const UNKNOWN: f64 = 0.5;

/// A setting of everything but the rate.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Its parameters; the rate in them is that of the trial that brought it up.
    pub params: Params,
    /// What the model takes of it.
    pub features: Features,
    /// What its schedule says.
    pub shape: Rc<Shape>,
}

/// What a schedule says before anything is run.
#[derive(Debug)]
pub(super) struct Shape {
    /// Horizons at which it may be run, rising, the target last.
    pub rungs: Vec<u64>,
    /// What the theory says of it.
    pub lean: Lean,
}

/// What a run gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Seen {
    /// Its loss, small is good.
    Loss(f64),
    /// It diverged.
    Diverged,
    /// It is under way.
    Open,
}

/// A run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// Which place.
    pub place: usize,
    /// Which trial.
    pub trial: usize,
    /// log₂ of the rate.
    pub x: f64,
    /// log₂ of horizon over target.
    pub tau: f64,
    /// The horizon.
    pub horizon: u64,
    /// The seed.
    pub seed: u64,
    /// What came of it.
    pub seen: Seen,
}

/// The goal and the record in the terms of this strategy.
pub(super) struct Question<'a> {
    pub goal: &'a Goal,
    /// log₂ of the lowest and the highest rate.
    pub low: f64,
    pub high: f64,
    pub places: Vec<Place>,
    pub points: Vec<Point>,
    /// Runs that broke: they say nothing, and are not tried again as they were.
    pub broken: Vec<Point>,
    /// Places that differ from the first one in one number, by a wide step.
    pub steps: Vec<usize>,
    /// Places of the free parameters other than the rate in the space.
    others: Vec<usize>,
    shapes: HashMap<Option<String>, Rc<Shape>>,
    /// Features of the first place, from which those of all are counted.
    first: Option<Features>,
}

impl<'a> Question<'a> {
    pub fn new(goal: &'a Goal, record: &Record) -> Result<Self, StrategyError> {
        goal.check()?;
        record.check()?;
        let (low, high) = limits(goal)?;
        let others: Vec<usize> = goal
            .space
            .free()
            .into_iter()
            .filter(|&i| *goal.space.parameters()[i].name != *goal.rate)
            .collect();
        let mut question = Self {
            goal,
            low,
            high,
            places: Vec::new(),
            points: Vec::new(),
            broken: Vec::new(),
            steps: Vec::new(),
            others,
            shapes: HashMap::new(),
            first: None,
        };
        let mut of_trial = Vec::new();
        for params in &record.params {
            of_trial.push(question.place(params)?);
        }
        for run in &record.runs {
            let rate = record.params[run.trial].float(&goal.rate).unwrap_or(f64::NAN);
            let sign = match goal.direction {
                lehr_search::Direction::Minimize => 1.0,
                lehr_search::Direction::Maximize => -1.0,
            };
            let seen = match run.state {
                RunState::Complete(value) if value.is_finite() => Seen::Loss(sign * value),
                // Without end in the good direction is no better than without end in the bad one.
                RunState::Complete(_) | RunState::Diverged { .. } => Seen::Diverged,
                RunState::Running | RunState::Paused => Seen::Open,
                RunState::Failed => Seen::Open,
                RunState::Pruned => continue,
            };
            if run.horizon == 0 {
                continue;
            }
            let tau = rungs::tau(goal, run.horizon);
            let place = of_trial[run.trial];
            let into =
                if run.state == RunState::Failed { &mut question.broken } else { &mut question.points };
            into.push(Point {
                place,
                trial: run.trial,
                x: rate.log2(),
                tau,
                horizon: run.horizon,
                seed: run.seed,
                seen,
            });
        }
        Ok(question)
    }

    /// The number of the place of some parameters; a new one is added.
    pub fn place(&mut self, params: &Params) -> Result<usize, StrategyError> {
        let rate = params.float(&self.goal.rate).filter(|rate| *rate > 0.0 && rate.is_finite());
        if rate.is_none() {
            let name = &self.goal.rate;
            return Err(StrategyError::Record(format!("a trial has no rate '{name}' above 0: {params}")));
        }
        let same = |params: &Params, other: &Params| {
            let counts = |(name, _): &(&str, _)| *name != self.goal.rate;
            params.iter().filter(counts).eq(other.iter().filter(counts))
        };
        if let Some(found) = self.places.iter().position(|place| same(&place.params, params)) {
            return Ok(found);
        }
        let spec = self.goal.spec(params)?;
        let shape = match self.shapes.get(&spec) {
            Some(shape) => Rc::clone(shape),
            None => {
                let shape =
                    Shape { rungs: rungs::rungs(self.goal, params)?, lean: Lean::of(self.goal, params)? };
                let shape = Rc::new(shape);
                self.shapes.insert(spec, Rc::clone(&shape));
                shape
            }
        };
        let own = features(self.goal, &self.others, params);
        let features = Features {
            lean: shape.lean.with_others(params, self.places.first().map_or(params, |first| &first.params)),
            ..own.less(self.first.get_or_insert_with(|| own.clone()))
        };
        self.places.push(Place { params: params.clone(), features, shape });
        Ok(self.places.len() - 1)
    }

    /// The free parameters other than the rate.
    pub fn others(&self) -> impl Iterator<Item = &Parameter> {
        self.others.iter().map(|&i| &self.goal.space.parameters()[i])
    }

    /// The parameters of a place with another rate, as the space rounds it.
    pub fn params(&self, place: usize, x: f64) -> Params {
        let mut params = self.places[place].params.clone();
        params.set(self.goal.rate.as_str(), self.rate(x));
        params
    }

    /// A rate of the range from its log₂, as a decimal; rounding may have left the range by a digit.
    pub fn rate(&self, x: f64) -> f64 {
        let rate = decimal(x.clamp(self.low, self.high).exp2());
        match self.goal.space.get(&self.goal.rate).map(|parameter| &parameter.domain) {
            Some(Domain::Float { low, high, .. }) => rate.clamp(*low, *high),
            _ => rate,
        }
    }

    /// Whether anything but the rate is searched.
    pub fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// Whether every other parameter is a choice out of a list, so that all places can be listed.
    pub fn choices(&self) -> Option<Vec<Vec<u64>>> {
        let levels = |&i: &usize| match &self.goal.space.parameters()[i].domain {
            Domain::Categorical { choices } | Domain::Ordinal { choices } => Some(choices.len() as u64),
            _ => None,
        };
        let counts: Vec<u64> = self.others.iter().map(levels).collect::<Option<_>>()?;
        let total = counts.iter().try_fold(1u64, |product, n| product.checked_mul(*n))?;
        if total > 64 {
            return None;
        }
        let digits = |mut number: u64| {
            counts
                .iter()
                .map(|n| {
                    let digit = number % n;
                    number /= n;
                    digit
                })
                .collect()
        };
        Some((0..total).map(digits).collect())
    }

    /// Parameters from one number in [0, 1] for each other parameter; `None` where constraints forbid them.
    pub fn make(&self, unit: &[f64], x: f64) -> Option<Params> {
        let space = &self.goal.space;
        let mut whole = vec![0.5; space.len()];
        for (&place, &u) in self.others.iter().zip(unit) {
            whole[place] = u;
        }
        let raw = space.from_unit(&whole);
        if !space.allows(&raw) {
            return None;
        }
        let mut params = space.params(&raw);
        params.set(self.goal.rate.as_str(), self.rate(x));
        Some(params)
    }

    /// Number of other parameters.
    pub fn dimensions(&self) -> usize {
        self.others.len()
    }

    /// The number in [0, 1] of each other parameter at a place (½ where it is inactive).
    pub fn unit(&self, place: usize) -> Vec<f64> {
        let space = &self.goal.space;
        match space.raw(&self.places[place].params) {
            Ok(raw) => {
                let unit = space.to_unit(&raw);
                self.others.iter().map(|&i| if unit[i].is_nan() { 0.5 } else { unit[i] }).collect()
            }
            Err(_) => vec![0.5; self.others.len()],
        }
    }

    /// The middle of a choice's share of [0, 1].
    pub fn middle(&self, digits: &[u64]) -> Vec<f64> {
        let levels = |i: usize| self.goal.space.parameters()[i].domain.levels().unwrap_or(1) as f64;
        self.others.iter().zip(digits).map(|(&i, &digit)| (digit as f64 + 0.5) / levels(i)).collect()
    }
}

/// A number without the last digits, in which powers and logarithms err: 0.0062 for 0.0062000000000000015.
fn decimal(x: f64) -> f64 {
    format!("{x:.11e}").parse().unwrap_or(x)
}

/// log₂ of the range of rates.
pub(super) fn limits(goal: &Goal) -> Result<(f64, f64), StrategyError> {
    let wrong = |problem: String| StrategyError::Goal(problem);
    let name = &goal.rate;
    let parameter = goal.space.get(name).ok_or_else(|| {
        wrong(format!(
            "the strategy 'annealed' searches a rate, and the space has no '{name}'; add {name}=log LOW..HIGH"
        ))
    })?;
    match parameter.domain {
        Domain::Float { low, high, scale: Scale::Log, step: None } if parameter.fixed.is_none() => {
            Ok((low.log2(), high.log2()))
        }
        _ => Err(wrong(format!(
            "the strategy 'annealed' needs the rate on a logarithmic scale: write {name}=log LOW..HIGH, not {parameter}"
        ))),
    }
}

/// Whether a parameter is part of the schedule.
pub(super) fn of_schedule(goal: &Goal, name: &str) -> bool {
    goal.schedule.as_ref().is_some_and(|schedule| schedule.contains(&format!("{{{name}}}")))
}

/// What level, best rate, noise and over-fitting may depend on: a line and a bow in each number, one weight for each choice.
fn features(goal: &Goal, others: &[usize], params: &Params) -> Features {
    let space = &goal.space;
    let Ok(raw) = space.raw(params) else { return Features::default() };
    let unit = space.to_unit(&raw);
    let (mut lines, mut choices) = (Vec::new(), Vec::new());
    for &i in others {
        let parameter = &space.parameters()[i];
        let known = of_schedule(goal, &parameter.name) || knows(&parameter.name);
        let unknown = if known { UNKNOWN } else { 1.0 };
        match &parameter.domain {
            Domain::Categorical { choices: all } => {
                let chosen = if raw[i].is_nan() { usize::MAX } else { raw[i] as usize };
                choices.extend((0..all.len()).map(|k| (f64::from(u8::from(k == chosen)), unknown)));
            }
            _ => lines.push((if unit[i].is_nan() { 0.0 } else { 2.0 * unit[i] - 1.0 }, unknown)),
        }
    }
    let bows: Vec<_> = lines.iter().map(|(line, unknown)| (line * line - 1.0 / 3.0, *unknown)).collect();
    let times =
        |of: &[(f64, f64)], by: f64| of.iter().map(|(x, unknown)| by * x * unknown).collect::<Vec<f64>>();
    let numbers: Vec<Number> =
        lines.iter().map(|&(line, unknown)| Number { unit: (line + 1.0) / 2.0, unknown }).collect();
    Features {
        level: surface(&numbers, &choices),
        shift: [times(&choices, SHIFTS.0), times(&lines, SHIFTS.1), times(&bows, SHIFTS.2)].concat(),
        louder: [times(&choices, LOUDER.0), times(&lines, LOUDER.1)].concat(),
        over: [times(&choices, OVER.0), times(&lines, OVER.1), times(&bows, OVER.2)].concat(),
        decay: decay(goal, params),
        order: batch(params).map_or(0, f64::to_bits),
        lean: Lean::NONE,
    }
}
