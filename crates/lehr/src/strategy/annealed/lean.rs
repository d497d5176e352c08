//! What the theory says of a schedule's best rate.

use lehr_search::Params;

use crate::strategy::{Goal, StrategyError};

/// The theory gives the direction and the size, not the digits.
const TRUST: f64 = 0.7;
/// Updates at which a curve is read, whatever its horizon.
const POINTS: u64 = 512;

/// By how many octaves the theory moves the best rate of a schedule, from where `linear` has it.
pub(super) fn lean(goal: &Goal, params: &Params) -> Result<f64, StrategyError> {
    let Some(curve) = goal.curve(params, goal.target.steps)? else { return Ok(0.0) };
    let peak = curve.peak().unwrap_or(1.0);
    let at = |t: u64| (curve.at(t) / peak).max(0.0);
    let rates = (0..POINTS).map(|i| at((i * curve.steps()) / POINTS)).collect();
    let end = at(curve.steps());
    let Ok(rates) = lehr_theory::Rates::with_end(rates, end) else { return Ok(0.0) };
    let line: Vec<f64> = (0..POINTS).map(|i| (POINTS - i) as f64 / POINTS as f64).collect();
    let Ok(line) = lehr_theory::Rates::with_end(line, 0.0) else { return Ok(0.0) };
    let factor = |rates: &lehr_theory::Rates| lehr_theory::Bound::of(rates).shape_factor();
    let lean = (factor(&rates) / factor(&line)).log2();
    Ok(if lean.is_finite() { TRUST * lean } else { 0.0 })
}
