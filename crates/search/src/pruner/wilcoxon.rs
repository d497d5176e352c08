//! Pruning by a signed-rank test.
use crate::error::SearchError;
use crate::history::Trial;
use crate::pruner::guard::{Guard, last_finite, report_at};
use crate::pruner::{Pruner, Reason, Verdict};

/// Stops a trial that a Wilcoxon signed-rank test calls worse than the best complete trial, step by step.
///
/// For objectives that are an average over instances (folds, seeds, data sets), each reported as a step: the same step
/// must be the same instance in every trial, in any order. A trial is stopped if the one-sided p of the paired differences
/// is below the threshold, unless its average is still at least as good. Steps that only one has, or whose values may not
/// be compared, are left out; without any nothing is stopped. Zero differences are split between the signs.
///
/// Cost: independent of the number of trials; O(steps³) for the exact distribution of up to 50
/// steps, O(steps log steps) otherwise.
/// Source: Wilcoxon 1945; as in Optuna's `WilcoxonPruner`.
#[derive(Debug, Clone)]
pub struct Wilcoxon {
    threshold: f64,
    startup: usize,
    guard: Guard,
}

impl Default for Wilcoxon {
    fn default() -> Self {
        Wilcoxon { threshold: 0.1, startup: 2, guard: Guard::On }
    }
}

impl Wilcoxon {
    /// Stops below this p. Fails unless it lies between 0 and 1.
    pub fn new(threshold: f64) -> Result<Self, SearchError> {
        if !(0.0..=1.0).contains(&threshold) {
            return Err(SearchError::setting(
                "wilcoxon pruner",
                format!("needs a p between 0 and 1, not {threshold}"),
            ));
        }
        Ok(Wilcoxon { threshold, ..Wilcoxon::default() })
    }

    /// How many common steps are needed (default and least: 2).
    pub fn startup(mut self, steps: usize) -> Self {
        self.startup = steps.max(2);
        self
    }

    /// Compares values whatever their comparability keys.
    pub fn unguarded(mut self) -> Self {
        self.guard = Guard::Off;
        self
    }
}

impl Pruner for Wilcoxon {
    fn name(&self) -> &str {
        "wilcoxon"
    }

    fn judge(&self, trial: Trial<'_>) -> Verdict {
        let last = match last_finite(trial) {
            Ok(last) => last,
            Err(verdict) => return verdict,
        };
        let (history, step) = (trial.history(), last.step);
        let few = |found| Verdict::keep(Reason::TooFew { step, found, needed: self.startup });
        let Some(best) = history.best() else { return few(0) };
        if best.number() == trial.number() {
            return Verdict::keep(Reason::IsBest);
        }
        let mut differences = Vec::new();
        let mut incomparable = 0;
        for own in trial.reports() {
            match report_at(best, own.step) {
                Some(theirs) if !self.guard.allows(own, theirs) => incomparable += 1,
                Some(theirs) => {
                    let d = history.loss(own.value) - history.loss(theirs.value);
                    if d.is_finite() {
                        differences.push(d);
                    }
                }
                None => {}
            }
        }
        if differences.len() < self.startup {
            return match incomparable {
                0 => few(differences.len()),
                _ => Verdict::keep(Reason::NotComparable { step, others: 1 }),
            };
        }
        let p = p_greater(&differences);
        let mean = |t: Trial<'_>| {
            let reports = t.reports();
            reports.iter().map(|r| history.loss(r.value)).sum::<f64>() / reports.len() as f64
        };
        if p < self.threshold && mean(trial) <= mean(best) {
            return Verdict::keep(Reason::BetterOnAverage { p, best: best.number() });
        }
        Verdict {
            prune: p < self.threshold,
            reason: Reason::Wilcoxon { pairs: differences.len(), p, best: best.number() },
        }
    }
}

/// Exact up to so many differences.
const MOST_EXACT: usize = 50;

/// One-sided p of the signed-rank test that the differences are centred above 0; zeros are split between the signs.
///
/// Exact, given the ties and zeros, for up to 50 differences; beyond that the normal approximation with the correction for
/// ties, without one for continuity (as `scipy.stats.wilcoxon(…, alternative="greater", zero_method="zsplit")`).
fn p_greater(differences: &[f64]) -> f64 {
    let mut sorted: Vec<(f64, f64)> = differences.iter().map(|d| (d.abs(), d.signum())).collect();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let n = sorted.len();
    // Ranks are doubled, so that those of ties are whole numbers.
    let mut ranks = Vec::with_capacity(n);
    let (mut positive, mut ties, mut from) = (0, 0.0, 0);
    let (mut zeros, mut zero_ranks) = (0.0, 0.0);
    while from < n {
        let to = from + sorted[from..].partition_point(|x| x.0 <= sorted[from].0);
        let (count, rank) = ((to - from) as f64, from + to + 1);
        if sorted[from].0 == 0.0 {
            (zeros, zero_ranks) = (count, count * rank as f64);
        } else {
            positive += rank * sorted[from..to].iter().filter(|x| x.1 > 0.0).count();
            ranks.extend(std::iter::repeat_n(rank, to - from));
        }
        ties += count * (count * count - 1.0);
        from = to;
    }
    if n <= MOST_EXACT {
        return exact_survival(&ranks, positive);
    }
    let m = n as f64;
    let mean = m * (m + 1.0) / 4.0;
    let variance = m * (m + 1.0) * (2.0 * m + 1.0) / 24.0 - ties / 48.0;
    if variance <= 0.0 || zeros == m {
        return 0.5;
    }
    crate::special::normal_survival((0.5 * positive as f64 + 0.25 * zero_ranks - mean) / variance.sqrt())
}

/// The probability that the sum of the positive ranks is at least `sum`, each sign equally likely.
fn exact_survival(ranks: &[usize], sum: usize) -> f64 {
    let most: usize = ranks.iter().sum();
    let mut chances = vec![0.0; most + 1];
    chances[0] = 1.0;
    for &rank in ranks {
        for s in (0..=most).rev() {
            chances[s] = 0.5 * (chances[s] + if s >= rank { chances[s - rank] } else { 0.0 });
        }
    }
    chances[sum.min(most)..].iter().sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, Key};
    use crate::pruner::testing::{curves, running};

    #[test]
    fn p_agrees_with_scipy() {
        // scipy.stats.wilcoxon(d, alternative="greater", zero_method="zsplit").pvalue, SciPy 1.17.
        for (d, p) in CASES {
            assert!((p_greater(d) - p).abs() < 1e-9, "{d:?}: {} instead of {p}", p_greater(d));
        }
    }

    #[test]
    fn stops_what_is_worse_on_the_same_steps() {
        let best: Vec<f64> = (0..10).map(|i| (i as f64 * 1.7).sin()).collect();
        let h = || curves(std::slice::from_ref(&best), Direction::Minimize);
        let worse: Vec<f64> = best.iter().enumerate().map(|(i, x)| x + 3.0 + 0.01 * i as f64).collect();
        let better: Vec<f64> = best.iter().map(|x| x - 0.1).collect();
        let judge = |values: &[f64], key| {
            let h = running(h(), values, key);
            Wilcoxon::default().judge(h.trial(1).unwrap())
        };
        assert!(!judge(&worse[..3], Key::COMPARABLE).prune, "p = 1/8");
        assert!(judge(&worse[..4], Key::COMPARABLE).prune, "p = 1/16");
        assert!(!judge(&better, Key::COMPARABLE).prune);
        assert_eq!(judge(&worse, Key(9)).reason, Reason::NotComparable { step: 9, others: 1 });
        // Worse on the common steps, but better than the average of the best trial: kept.
        let early: Vec<f64> = vec![0.0, 0.0, 0.0, 0.0, 9.0, 9.0];
        let h = running(curves(&[early], Direction::Minimize), &[0.1, 0.2, 0.3, 0.4], Key::COMPARABLE);
        assert!(matches!(
            Wilcoxon::default().judge(h.trial(1).unwrap()).reason,
            Reason::BetterOnAverage { .. }
        ));
        assert!(Wilcoxon::new(1.5).is_err() && Wilcoxon::new(f64::NAN).is_err());
    }

    #[allow(clippy::excessive_precision)]
    const CASES: &[(&[f64], f64)] = &[
        (&[0.5, 1.0, -0.25, 2.0], 0.125),
        (&[1.0, 2.0, 3.0], 0.125),
        (&[-1.0, -2.0, -3.0], 1.0),
        (&[1.0, 1.0, -1.0, 2.0], 0.25),
        (&[0.0, 0.0, 1.0, 2.0, -3.0], 0.5),
        (&[0.0, 0.0], 1.0),
        (&[0.0, 1.0], 0.5),
        (
            &[2.341, -2.256, 0.718, -0.268, -0.153, 0.084, -1.72, 0.068, -0.565, 3.623, 0.526, -0.053],
            0.425048828125,
        ),
        (
            &[
                0.02, -0.37, -0.76, -0.09, 0.78, 0.06, 1.26, 0.1, 0.32, 1.85, 0.85, -0.21, 0.12, 0.84, 2.24,
                0.03, 0.06, 1.3, -0.59, 0.01, 1.18, 0.88, 0.39, 0.97, -2.53, 1.32, -0.66, -1.37, 0.58, 1.0,
                -0.14, -0.78, 0.33, 0.25, 1.71, 1.05, 0.49, 1.41, 0.09, -0.63, 0.88, 0.88, 0.09, -0.48, 0.53,
                -2.19, 0.99, 0.79, -1.34, 0.36, -0.66, 1.06, -1.73, -0.61, 1.01, 1.46, -1.86, -0.2, 0.63,
                -0.31,
            ],
            0.01794629567115624,
        ),
    ];
}
