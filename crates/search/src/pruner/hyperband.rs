//! Hyperband.
use crate::error::SearchError;
use crate::history::Trial;
use crate::pruner::{Pruner, SuccessiveHalving, Verdict};

/// Hyperband: several brackets of asynchronous successive halving side by side, from one that stops early to one that
/// hardly stops at all, so that no early step has to be trusted alone.
///
/// With steps from r to R there are ⌊log_η(R/r)⌋ + 1 = s + 1 brackets; bracket b has its first rung at r·η^b. A trial's
/// bracket follows from its number alone (a hash), in proportion to ⌈(s + 1)·η^(s−b)/(s − b + 1)⌉. Trials are compared only
/// within their bracket, and only where their reports may be compared.
///
/// Cost: as [`SuccessiveHalving`].
/// Source: Li et al., "Hyperband", JMLR 2018; asynchronous, as in Optuna's `HyperbandPruner`.
#[derive(Debug, Clone)]
pub struct Hyperband {
    brackets: Vec<SuccessiveHalving>,
    /// Cumulated shares of the brackets.
    shares: Vec<u64>,
}

impl Hyperband {
    /// Steps from `first` (a trial may be stopped there) to `last` (a whole trial), η = `factor`.
    ///
    /// Fails unless 1 ≤ first ≤ last and η ≥ 2.
    pub fn new(first: u64, last: u64, factor: u64) -> Result<Self, SearchError> {
        if first > last {
            let message = format!("the first rung {first} lies beyond the last step {last}");
            return Err(SearchError::setting("hyperband", message));
        }
        let mut brackets = vec![SuccessiveHalving::new(first, factor)?];
        let mut rung = first;
        while let Some(next) = rung.checked_mul(factor).filter(|&next| next <= last) {
            brackets.push(SuccessiveHalving::new(next, factor)?);
            rung = next;
        }
        let count = brackets.len() as u64;
        let mut total = 0u64;
        let share =
            |b: u64| count.saturating_mul(factor.saturating_pow((count - 1 - b) as u32)).div_ceil(count - b);
        let shares = (0..count)
            .map(|b| {
                total = total.saturating_add(share(b));
                total
            })
            .collect();
        Ok(Hyperband { brackets, shares })
    }

    /// Compares values whatever their comparability keys.
    pub fn unguarded(mut self) -> Self {
        self.brackets = self.brackets.into_iter().map(SuccessiveHalving::unguarded).collect();
        self
    }

    /// The bracket of a trial.
    pub fn bracket(&self, trial: usize) -> usize {
        let total = self.shares.last().copied().unwrap_or(1).max(1);
        let place = mix(trial as u64) % total;
        self.shares.partition_point(|&s| s <= place).min(self.brackets.len() - 1)
    }
}

/// One round of SplitMix64 (Steele, Lea and Flood 2014): spreads every bit.
fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Pruner for Hyperband {
    fn name(&self) -> &str {
        "hyperband"
    }

    fn judge(&self, trial: Trial<'_>) -> Verdict {
        let bracket = self.bracket(trial.number());
        self.brackets[bracket]
            .judge_among(trial, bracket as u32, |other| self.bracket(other.number()) == bracket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, Key};
    use crate::pruner::testing::{curves, running};

    #[test]
    fn brackets_and_shares() {
        let h = Hyperband::new(1, 81, 3).unwrap();
        assert_eq!(h.brackets.len(), 5);
        // ⌈5·81/5⌉, ⌈5·27/4⌉, ⌈5·9/3⌉, ⌈5·3/2⌉, ⌈5·1/1⌉, as Optuna's _calculate_trial_allocation_budget.
        assert_eq!(h.shares, [81, 81 + 34, 81 + 34 + 15, 81 + 34 + 15 + 8, 81 + 34 + 15 + 8 + 5]);
        let mut counts = [0; 5];
        (0..14_300).for_each(|t| counts[h.bracket(t)] += 1);
        for (count, share) in counts.iter().zip([81, 34, 15, 8, 5]) {
            assert!((*count - share * 100i32).abs() < 5 * 100, "{counts:?}");
        }
        assert_eq!(Hyperband::new(4, 4, 2).unwrap().brackets.len(), 1);
        assert!(
            Hyperband::new(5, 4, 2).is_err()
                && Hyperband::new(0, 4, 2).is_err()
                && Hyperband::new(1, 4, 1).is_err()
        );
        assert!(Hyperband::new(1, u64::MAX, 2).unwrap().bracket(7) < 64);
    }

    #[test]
    fn competes_within_the_bracket() {
        let pruner = Hyperband::new(1, 9, 3).unwrap();
        let others: Vec<Vec<f64>> = (0..40).map(|_| vec![1.0; 2]).collect();
        let h = running(curves(&others, Direction::Minimize), &[0.0, 5.0], Key::COMPARABLE);
        let own = pruner.bracket(40);
        let verdict = pruner.judge(h.trial(40).unwrap());
        let peers = (0..40).filter(|&t| pruner.bracket(t) == own).count();
        if own == 0 {
            assert!(verdict.prune, "{verdict}");
            assert!(verdict.to_string().contains(&format!("of {} trials", peers + 1)), "{verdict}");
        } else {
            assert!(!verdict.prune, "{verdict}");
        }
    }
}
