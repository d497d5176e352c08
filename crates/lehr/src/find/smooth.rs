//! fastai's smoothing of losses, and its rule for when a run is lost.

/// Weight of the past in the running mean.
const MEMORY: f64 = 0.98;
/// A smoothed loss beyond this multiple of the lowest one is lost.
const LOST: f64 = 4.0;

/// Losses as they come.
#[derive(Clone, Debug)]
pub(super) struct Smoother {
    smooth: bool,
    mean: f64,
    count: i32,
    lowest: f64,
    lost: bool,
}

impl Smoother {
    /// With a running mean, or with the losses as they are.
    pub fn new(smooth: bool) -> Self {
        Self { smooth, mean: 0.0, count: 0, lowest: f64::INFINITY, lost: false }
    }

    /// The smoothed loss after one more.
    pub fn push(&mut self, loss: f64) -> f64 {
        self.count += 1;
        self.mean = MEMORY * self.mean + (1.0 - MEMORY) * loss;
        let now = if self.smooth { self.mean / (1.0 - MEMORY.powi(self.count)) } else { loss };
        self.lowest = now.min(self.lowest);
        // Four times a loss below zero is lower still.
        self.lost |= !now.is_finite() || (self.lowest > 0.0 && now > LOST * self.lowest);
        now
    }

    /// Whether the run is lost: a loss was no number, or the smoothed one left four times its lowest value.
    pub fn is_lost(&self) -> bool {
        self.lost
    }
}
