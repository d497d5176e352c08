//! Points that are given beforehand: which of them may be tried, and which have been.
use std::collections::HashSet;

use crate::history::History;
use crate::space::Space;

/// Points that are taken, by their internal numbers.
pub(super) struct Taken(HashSet<Vec<u64>>);

impl Taken {
    /// Those of all trials, whatever their state.
    pub(super) fn new(history: &History) -> Taken {
        let width = history.space().len();
        Taken((0..history.len()).map(|t| lookup((0..width).map(|i| history.raw(i)[t]))).collect())
    }

    pub(super) fn has(&self, raw: &[f64]) -> bool {
        self.0.contains(&lookup(raw.iter().copied()))
    }

    /// Takes a point; false if it was taken.
    pub(super) fn take(&mut self, raw: &[f64]) -> bool {
        self.0.insert(lookup(raw.iter().copied()))
    }
}

/// A point as something that can be looked up: numbers to nine digits (values pass through text on their way).
fn lookup(raw: impl Iterator<Item = f64>) -> Vec<u64> {
    raw.map(|x| if x == 0.0 || x.is_nan() { x.abs().to_bits() } else { (x.to_bits() + (1 << 21)) >> 22 })
        .collect()
}

/// Whether the fixed values and the constraints of a space allow a point.
pub(super) fn fits(space: &Space, raw: &[f64]) -> bool {
    let fixed = space
        .parameters()
        .iter()
        .zip(raw)
        .all(|(p, x)| x.is_nan() || p.fixed.as_ref().is_none_or(|v| p.domain.raw(v) == Some(*x)));
    fixed && space.allows(raw)
}
