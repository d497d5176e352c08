//! A resolved phase.
use alloc::sync::Arc;

use super::slope::Slope;
use super::track::Track;

/// A resolved phase: its rate at the k-th of its updates, and the level where it ends.
pub(crate) trait Eval: Send + Sync {
    /// The rate at the k-th update of the phase; k is below its length.
    fn at(&self, k: u64) -> f64;

    /// The level that the phase approaches at its end, where the next one starts.
    fn end(&self) -> f64;

    /// Of a phase of cycles with this many updates: which share of the last cycle its end cuts off.
    fn cut_off(&self, _updates: u64) -> f64 {
        0.0
    }

    /// The rates from the k-th update on, bit for bit those of `at`.
    fn fill(&self, k: u64, out: &mut [f64]) {
        for (t, rate) in (k..).zip(out) {
            *rate = self.at(t);
        }
    }
}

/// A resolved phase: the common ones by value, the others behind a pointer.
#[derive(Clone)]
pub(crate) enum Piece {
    Hold(f64),
    /// `ahead` is 1 where progress is counted from 1, as in a warm-up.
    Ramp {
        slope: Slope,
        steps: f64,
        ahead: u64,
    },
    Track(Track),
    Other(Arc<dyn Eval>),
}

impl Piece {
    pub fn ramp(slope: Slope, steps: u64, ahead: u64) -> Self {
        Self::Ramp { slope, steps: steps as f64, ahead }
    }

    pub fn other(eval: impl Eval + 'static) -> Self {
        Self::Other(Arc::new(eval))
    }

    #[inline]
    pub fn at(&self, k: u64) -> f64 {
        match self {
            Self::Hold(level) => *level,
            Self::Ramp { slope, steps, ahead } => {
                // Below 2^53, where the signed conversion is one instruction.
                let gone = (k + ahead) as i64 as f64;
                slope.at(gone, steps - gone, *steps)
            }
            Self::Track(track) => track.at(k),
            Self::Other(eval) => eval.at(k),
        }
    }

    pub fn end(&self) -> f64 {
        match self {
            Self::Hold(level) => *level,
            Self::Ramp { slope, .. } => slope.end(),
            Self::Track(track) => track.end(),
            Self::Other(eval) => eval.end(),
        }
    }

    pub fn cut_off(&self, updates: u64) -> f64 {
        match self {
            Self::Other(eval) if updates > 0 => eval.cut_off(updates),
            _ => 0.0,
        }
    }

    pub fn fill(&self, k: u64, out: &mut [f64]) {
        match self {
            Self::Hold(level) => out.fill(*level),
            Self::Ramp { slope, steps, ahead } => slope.fill(k + ahead, *steps, out),
            Self::Track(track) => track.fill(k, out),
            Self::Other(eval) => eval.fill(k, out),
        }
    }
}
