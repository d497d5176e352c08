//! Random streams: one per trial, derived from the study's seed and the trial's number.
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The random stream of one trial.
///
/// It depends on the study's seed and the trial's number alone, so that a suggestion can be replayed on its own, in any
/// order and on any machine. The generator is ChaCha with 8 rounds, the seed its key and the trial its stream number.
#[derive(Debug, Clone)]
pub struct Stream {
    seed: u64,
    trial: u64,
    rng: ChaCha8Rng,
    /// The second number of the last pair of normal ones.
    spare: Option<f64>,
}

impl Stream {
    /// The stream of trial number `trial` in a study seeded with `seed`.
    pub fn for_trial(seed: u64, trial: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(trial);
        Stream { seed, trial, rng, spare: None }
    }

    /// The seed of the study.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The number of the trial.
    pub fn trial(&self) -> u64 {
        self.trial
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// A uniform number in [0, 1), a multiple of 2⁻⁵³.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A uniform index in `0..n` (0 where `n` is 0). The bias is below n·2⁻⁶⁴.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }
}

impl Stream {
    /// A standard normal number (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sin);
        radius * cos
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ() {
        let draw = |seed, trial| {
            let mut s = Stream::for_trial(seed, trial);
            (0..4).map(|_| s.bits()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(2, 1));
        assert_ne!(draw(0, 0), draw(0, 1));
        assert_ne!(draw(0, 0), draw(1, 0));
    }

    #[test]
    fn uniform_is_uniform() {
        // Means over trials, not over one stream: neighbouring trials must not be correlated.
        let n = 20_000;
        let first: Vec<f64> = (0..n).map(|t| Stream::for_trial(7, t).uniform()).collect();
        let mean = first.iter().sum::<f64>() / n as f64;
        assert!((mean - 0.5).abs() < 4.0 * (1.0 / 12.0f64).sqrt() / (n as f64).sqrt(), "{mean}");
        let lag = first.windows(2).map(|w| (w[0] - 0.5) * (w[1] - 0.5)).sum::<f64>() / n as f64 * 12.0;
        assert!(lag.abs() < 4.0 / (n as f64).sqrt(), "{lag}");
        let mut s = Stream::for_trial(7, 0);
        let mut counts = [0usize; 5];
        (0..50_000).for_each(|_| counts[s.below(5)] += 1);
        assert!(counts.iter().all(|&c| c.abs_diff(10_000) < 400), "{counts:?}");
        assert_eq!(s.below(0), 0);
    }
}
