//! The lab's own random numbers: small, and the same for ever, so that a seed keeps its meaning.

/// What a stream of random numbers is for: streams of one seed are independent of one another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    /// Which rows are held out for validation.
    Split,
    /// The initial weights of one layer.
    Weights(u64),
    /// The order of the rows in one epoch.
    Order(u64),
    /// The noise of a walk.
    Walk,
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64, stream: Stream) -> Self {
        let (kind, index) = match stream {
            Stream::Split => (1, 0),
            Stream::Weights(layer) => (2, layer),
            Stream::Order(epoch) => (3, epoch),
            Stream::Walk => (4, 0),
        };
        // Each word is mixed before the next one is added, so that neighbouring seeds, kinds and indices share nothing.
        let mut state = 0;
        for word in [seed, kind, index] {
            state = Self(state ^ word).next();
        }
        Self(state)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1), 53 bits.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in 0..bound without bias (Lemire's method); bound > 0.
    fn below(&mut self, bound: u64) -> u64 {
        loop {
            let wide = u128::from(self.next()) * u128::from(bound);
            let low = wide as u64;
            if low >= bound || low >= bound.wrapping_neg() % bound {
                return (wide >> 64) as u64;
            }
        }
    }

    /// Fisher–Yates.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i as u64 + 1) as usize;
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_reference_values() {
        // First outputs of the reference implementation for state 1234567.
        let mut random = Random(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
        assert_eq!(random.next(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn streams_of_a_seed_differ() {
        let mut seen: Vec<u64> = (0..100)
            .flat_map(|seed| {
                [Stream::Split, Stream::Weights(0), Stream::Weights(1), Stream::Order(0), Stream::Order(1)]
                    .map(|stream| Random::new(seed, stream).next())
            })
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 500);
    }

    #[test]
    fn a_shuffle_reaches_every_order_about_equally_often() {
        let mut counts = std::collections::BTreeMap::new();
        let mut random = Random::new(3, Stream::Order(0));
        for _ in 0..6000 {
            let mut items = [0, 1, 2];
            random.shuffle(&mut items);
            *counts.entry(items).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|&n| (850..1150).contains(&n)), "{counts:?}");
    }
}
