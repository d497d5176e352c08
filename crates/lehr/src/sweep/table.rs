//! The table of a sweep: one loss per (schedule, rate, seed).

use std::collections::{BTreeMap, BTreeSet};

/// One run of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The schedule's name or spec: rows with the same text belong together.
    pub schedule: String,
    /// Peak rate of the run, > 0.
    pub rate: f64,
    /// Seed of the run. Runs with the same seed under different rates are compared as pairs.
    pub seed: u64,
    /// Final loss; NaN or infinite if the run diverged.
    pub loss: f64,
}

/// Why rows do not make a sweep.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SweepError {
    /// There is no row.
    #[error("the sweep has no runs")]
    Empty,
    /// A rate is not a positive finite number.
    #[error("the rate {rate} of schedule '{schedule}' is not a positive number")]
    Rate {
        /// The row's schedule.
        schedule: String,
        /// The row's rate.
        rate: f64,
    },
    /// The same run twice.
    #[error("schedule '{schedule}', rate {rate:e}, seed {seed} occurs twice: give each run its own seed")]
    Twice {
        /// The row's schedule.
        schedule: String,
        /// The row's rate.
        rate: f64,
        /// The row's seed.
        seed: u64,
    },
}

/// The runs of one schedule: a matrix of losses, rates × seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The schedule's name.
    pub schedule: String,
    /// The peak rates, ascending.
    pub rates: Vec<f64>,
    /// `losses[i][k]` is the loss at `rates[i]` with the sweep's `seeds[k]`: infinite if the run diverged, `None` if
    /// there is no such run.
    pub losses: Vec<Vec<Option<f64>>>,
}

impl Group {
    /// Losses at rate `i` if every seed has a run there: finite or infinite (diverged), in the order of the seeds.
    pub fn complete(&self, i: usize) -> Option<Vec<f64>> {
        self.losses.get(i)?.iter().copied().collect()
    }
}

/// A sweep's losses by schedule, rate and seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// The seeds, ascending.
    pub seeds: Vec<u64>,
    /// One group per schedule, in the order in which the schedules first occur.
    pub groups: Vec<Group>,
}

impl Sweep {
    /// Builds the table. Rows may come in any order; a NaN loss counts as diverged (infinite).
    ///
    /// # Errors
    /// [`SweepError`] if there is no row, a rate is not positive and finite, or a run occurs twice.
    pub fn new(rows: impl IntoIterator<Item = Row>) -> Result<Self, SweepError> {
        // Positive floats order like their bits, which makes them keys of an ordered map.
        let mut order: Vec<String> = Vec::new();
        let mut cells: BTreeMap<(usize, u64), BTreeMap<u64, f64>> = BTreeMap::new();
        let mut seeds = BTreeSet::new();
        for Row { schedule, rate, seed, loss } in rows {
            if !(rate > 0.0 && rate.is_finite()) {
                return Err(SweepError::Rate { schedule, rate });
            }
            let group = order.iter().position(|name| *name == schedule).unwrap_or_else(|| {
                order.push(schedule.clone());
                order.len() - 1
            });
            let loss = if loss.is_finite() { loss } else { f64::INFINITY };
            if cells.entry((group, rate.to_bits())).or_default().insert(seed, loss).is_some() {
                return Err(SweepError::Twice { schedule, rate, seed });
            }
            seeds.insert(seed);
        }
        if order.is_empty() {
            return Err(SweepError::Empty);
        }
        let seeds: Vec<u64> = seeds.into_iter().collect();
        let mut groups: Vec<Group> = order
            .into_iter()
            .map(|schedule| Group { schedule, rates: Vec::new(), losses: Vec::new() })
            .collect();
        for ((group, rate), by_seed) in cells {
            let group = &mut groups[group];
            group.rates.push(f64::from_bits(rate));
            group.losses.push(seeds.iter().map(|seed| by_seed.get(seed).copied()).collect());
        }
        Ok(Self { seeds, groups })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(schedule: &str, rate: f64, seed: u64, loss: f64) -> Row {
        Row { schedule: schedule.into(), rate, seed, loss }
    }

    #[test]
    fn rows_in_any_order_make_an_ordered_table() {
        let sweep = Sweep::new([
            row("b", 0.1, 2, 3.0),
            row("a", 1.0, 1, f64::NAN),
            row("b", 0.01, 1, 5.0),
            row("b", 0.1, 1, 2.0),
        ])
        .unwrap();
        assert_eq!(sweep.seeds, [1, 2]);
        assert_eq!(sweep.groups[0].schedule, "b");
        assert_eq!(sweep.groups[0].rates, [0.01, 0.1]);
        assert_eq!(sweep.groups[0].complete(1), Some(vec![2.0, 3.0]));
        assert_eq!(sweep.groups[0].complete(0), None, "seed 2 is missing");
        assert_eq!(sweep.groups[1].losses, [[Some(f64::INFINITY), None]]);
    }

    #[test]
    fn wrong_rows_are_refused() {
        assert_eq!(Sweep::new([]), Err(SweepError::Empty));
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(Sweep::new([row("a", rate, 0, 1.0)]), Err(SweepError::Rate { .. })));
        }
        let twice = Sweep::new([row("a", 1.0, 0, 1.0), row("a", 1.0, 0, 2.0)]);
        assert_eq!(twice, Err(SweepError::Twice { schedule: "a".into(), rate: 1.0, seed: 0 }));
    }
}
