//! A period that repeats: which cycle an update lies in, exactly.
use super::context::MOST_STEPS;
use crate::math::floor;

/// The length of equal cycles, in steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Period {
    /// `over`/`under` steps, exactly.
    Ratio { over: u64, under: u64 },
    /// Any other number of steps.
    Real(f64),
}

/// A place within a cycle; `gone` + `left` = `length`, in units of which only the ratios matter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    pub index: u64,
    pub gone: f64,
    pub left: f64,
    pub length: f64,
}

impl Period {
    /// A period of at least one step.
    pub fn new(steps: f64) -> Self {
        match floor(steps) == steps && steps <= MOST_STEPS as f64 {
            true => Self::Ratio { over: steps as u64, under: 1 },
            false => Self::Real(steps),
        }
    }

    /// `amount` per cent of `steps`.
    pub fn percent(amount: f64, steps: u64) -> Self {
        let whole = floor(amount) == amount && (1.0..=1e6).contains(&amount);
        match (amount as u64).checked_mul(steps).filter(|_| whole) {
            Some(over) if over.is_multiple_of(100) => Self::Ratio { over: over / 100, under: 1 },
            Some(over) => Self::Ratio { over, under: 100 },
            None => Self::new(amount * steps as f64 / 100.0),
        }
    }

    /// `steps` divided into equal cycles.
    pub fn share(steps: u64, cycles: u64) -> Self {
        match steps.is_multiple_of(cycles.max(1)) {
            true => Self::Ratio { over: (steps / cycles.max(1)).max(1), under: 1 },
            false => Self::Ratio { over: steps.max(1), under: cycles.max(1) },
        }
    }

    pub fn steps(&self) -> f64 {
        match self {
            Self::Ratio { over, under } => *over as f64 / *under as f64,
            Self::Real(steps) => *steps,
        }
    }

    /// How many whole periods are over at update k.
    pub fn index(&self, k: u64) -> u64 {
        match self {
            Self::Ratio { over, under: 1 } => k / over,
            Self::Ratio { over, under } => (u128::from(k) * u128::from(*under) / u128::from(*over)) as u64,
            Self::Real(period) => {
                let k = k as f64;
                let guess = floor(k / period);
                match (guess * period > k, (guess + 1.0) * period <= k) {
                    (true, _) => guess as u64 - 1,
                    (_, true) => guess as u64 + 1,
                    _ => guess as u64,
                }
            }
        }
    }

    /// Which share of the last cycle `updates` updates leave out.
    pub fn cut_off(&self, updates: u64) -> f64 {
        let place = self.place(updates.saturating_sub(1));
        (place.left / place.length - 1.0 / self.steps()).max(0.0)
    }

    /// The first update of the cycle of this index.
    pub fn first_update(&self, index: u64) -> u64 {
        match self {
            Self::Ratio { over, under } => {
                (u128::from(index) * u128::from(*over)).div_ceil(u128::from(*under)) as u64
            }
            Self::Real(period) => libm::ceil(index as f64 * period) as u64,
        }
    }

    /// The cycle that update k lies in, and where in it.
    pub fn place(&self, k: u64) -> Place {
        let index = self.index(k);
        match self {
            Self::Ratio { over, under: 1 } => {
                let gone = k - index * over;
                Place { index, gone: gone as f64, left: (over - gone) as f64, length: *over as f64 }
            }
            Self::Ratio { over, under } => {
                let gone = u128::from(k) * u128::from(*under) - u128::from(index) * u128::from(*over);
                let left = u128::from(*over) - gone;
                Place { index, gone: gone as f64, left: left as f64, length: *over as f64 }
            }
            Self::Real(period) => {
                let gone = (k as f64 - index as f64 * period).max(0.0);
                let left = ((index + 1) as f64 * period - k as f64).max(0.0);
                Place { index, gone, left, length: *period }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_are_exact() {
        for (steps, cycles) in [(1000, 3), (1000, 7), (1 << 40, 49), (10, 10)] {
            let period = Period::share(steps, cycles);
            for i in 0..cycles {
                // The first update at or after i·steps/cycles.
                let k = (i * steps).div_ceil(cycles);
                assert_eq!(period.index(k), i, "{steps}/{cycles}, cycle {i}");
                assert_eq!(period.index(k.max(1) - 1), i.max(1) - 1);
            }
        }
        let real = Period::new(7.5);
        assert_eq!([0, 7, 8, 14, 15, 22, 23].map(|k| real.index(k)), [0, 0, 1, 1, 2, 2, 3]);
        assert_eq!(real.place(15), Place { index: 2, gone: 0.0, left: 7.5, length: 7.5 });
        assert_eq!(Period::percent(25.0, 10).index(5), 2);
    }
}
