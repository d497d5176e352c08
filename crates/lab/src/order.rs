use crate::random::{Random, Stream};

/// The order in which a seed reads the training rows.
///
/// Every epoch is a fresh permutation of all rows, drawn from the seed and the number of the epoch and cut into
/// batches in order; the last batch of an epoch holds what is left and may be smaller (torch's `drop_last=False`).
/// A batch size of at least the number of rows means full batches.
#[derive(Debug, Clone)]
pub struct BatchOrder {
    seed: u64,
    batch: usize,
    epoch: Option<u64>,
    rows: Vec<u32>,
}

impl BatchOrder {
    /// The order of `seed` over `rows` rows in batches of `batch` (both at least 1).
    pub fn new(seed: u64, rows: usize, batch: usize) -> Self {
        Self { seed, batch: batch.clamp(1, rows.max(1)), epoch: None, rows: vec![0; rows] }
    }

    /// Updates per epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        self.rows.len().div_ceil(self.batch) as u64
    }

    /// The rows of the update number `step`, counted from 0.
    pub fn batch(&mut self, step: u64) -> &[u32] {
        let per_epoch = self.steps_per_epoch().max(1);
        let (epoch, within) = (step / per_epoch, (step % per_epoch) as usize);
        if self.epoch != Some(epoch) {
            for (i, row) in self.rows.iter_mut().enumerate() {
                *row = i as u32;
            }
            Random::new(self.seed, Stream::Order(epoch)).shuffle(&mut self.rows);
            self.epoch = Some(epoch);
        }
        let start = within * self.batch;
        &self.rows[start..(start + self.batch).min(self.rows.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_reads_every_row_once_and_the_last_batch_is_what_is_left() {
        let mut order = BatchOrder::new(5, 10, 4);
        assert_eq!(order.steps_per_epoch(), 3);
        let mut epochs = Vec::new();
        for epoch in 0..2 {
            let mut rows = Vec::new();
            for (step, size) in [4, 4, 2].into_iter().enumerate() {
                let batch = order.batch(epoch * 3 + step as u64);
                assert_eq!(batch.len(), size);
                rows.extend_from_slice(batch);
            }
            let mut sorted = rows.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
            epochs.push(rows);
        }
        assert_ne!(epochs[0], epochs[1]);
        // Any step can be asked for, in any order.
        assert_eq!(order.batch(1), &epochs[0][4..8]);
        assert_eq!(BatchOrder::new(5, 10, 100).steps_per_epoch(), 1);
    }
}
