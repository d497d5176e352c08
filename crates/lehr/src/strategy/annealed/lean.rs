//! What the theory says of a schedule before anything is run.

use lehr_search::Params;
use lehr_theory::{Bound, Rates};

use crate::strategy::{Goal, StrategyError};

/// With this much momentum m an update counts 1/(1 − m) times.
const MOMENTUM: &str = "momentum";
/// What is called so shrinks the weights by its product with the rate at every update.
pub(super) const WEIGHT_DECAY: [&str; 2] = ["wd", "weight_decay"];
/// What is called so divides the noise of an update.
const BATCH: [&str; 2] = ["batch", "batch_size"];
/// Of noise the theory gives the direction and the size, not the digits.
const TRUST: f64 = 0.7;
/// Updates at which a curve is read, whatever its horizon.
const POINTS: u64 = 512;
/// The last part of a run, which says how much of the noise is left.
const LAST: u64 = 10;

/// A schedule beside `linear`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lean {
    /// By how many octaves its peak has to be higher for the same sum of rates.
    pub shift: f64,
    /// How many times it doubles the noise, at the same sum of rates.
    pub louder: f64,
    /// Which part of the noise annealing takes away.
    pub quiet: f64,
    /// The bound at its best peak, as a multiple of that of `linear`.
    pub bound: f64,
}

impl Default for Lean {
    fn default() -> Self {
        Self::NONE
    }
}

impl Lean {
    /// That of `linear`, and of a schedule that is not known.
    pub const NONE: Self = Self { shift: 0.0, louder: 0.0, quiet: 1.0, bound: 1.0 };

    pub fn of(goal: &Goal, params: &Params) -> Result<Self, StrategyError> {
        let Some(curve) = goal.curve(params, goal.target.steps)? else { return Ok(Self::NONE) };
        let peak = curve.peak().unwrap_or(1.0);
        let at = |t: u64| (curve.at(t) / peak).max(0.0);
        let rates: Vec<f64> = (0..POINTS).map(|i| at((i * curve.steps()) / POINTS)).collect();
        let line: Vec<f64> = (0..POINTS).map(|i| (POINTS - i) as f64 / POINTS as f64).collect();
        let left = |rates: &[f64]| {
            let last = &rates[rates.len() - rates.len() / LAST as usize..];
            last.iter().sum::<f64>() / last.len() as f64
        };
        let quiet = (1.0 - left(&rates)) / (1.0 - left(&line));
        let bound = |rates, end| Rates::with_end(rates, end).map(|rates| Bound::of(&rates));
        let (Ok(own), Ok(line)) = (bound(rates, at(curve.steps())), bound(line, 0.0)) else {
            return Ok(Self::NONE);
        };
        let shift = (own.distance / line.distance).log2();
        let louder = TRUST * ((own.noise + own.last_iterate) / (line.noise + line.last_iterate)).log2()
            + TRUST * shift;
        let best = |bound: &Bound| bound.best_value(1.0, 1.0).unwrap_or(f64::NAN);
        let bound = best(&own) / best(&line);
        let known = [shift, louder, quiet, bound].iter().all(|x| x.is_finite());
        Ok(if known { Self { shift, louder, quiet: quiet.clamp(0.0, 1.05), bound } } else { Self::NONE })
    }

    /// The same with the momentum and the batch of some parameters, if they have them; the batch counts beside that of `first`.
    pub fn with_others(self, params: &Params, first: &Params) -> Self {
        let momentum = params.float(MOMENTUM).filter(|m| (0.0..1.0).contains(m));
        let smaller = match (batch(params), batch(first)) {
            (Some(own), Some(first)) => (first / own).log2(),
            _ => 0.0,
        };
        Self {
            shift: self.shift + momentum.map_or(0.0, |m| (1.0 - m).log2()),
            louder: self.louder + TRUST * smaller,
            ..self
        }
    }
}

/// Whether the strategy knows by name what a parameter does.
pub(super) fn knows(name: &str) -> bool {
    name == MOMENTUM || WEIGHT_DECAY.contains(&name) || BATCH.contains(&name)
}

/// log₂ of the weight decay of some parameters times half of the updates to the target: with the rate of `linear`, by how much
/// the weights shrink (SGD's L2 term and AdamW's decay alike).
pub(super) fn decay(goal: &Goal, params: &Params) -> Option<f64> {
    let wd = WEIGHT_DECAY.iter().find_map(|name| params.float(name))?;
    Some((wd.max(0.0) * goal.target.steps as f64 / 2.0).log2())
}

/// The batch of some parameters, if they have one.
pub(super) fn batch(params: &Params) -> Option<f64> {
    BATCH.iter().find_map(|name| params.float(name)).filter(|batch| *batch > 0.0)
}
