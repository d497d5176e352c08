//! What the next reports of a trial will bring, learnt from the curves of this search.
use super::super::linalg::Cholesky;

/// Reports ahead of which the smallest loss is predicted.
pub(super) const HORIZONS: [usize; 4] = [1, 2, 4, 8];
/// First ages, in reports, of groups of trials that are predicted alike.
const AGES: [usize; 4] = [1, 2, 4, 7];
/// Ages of a curve that are learnt from, at most.
const MOST_AGES: usize = 64;
/// How many observations a prior weight counts as.
const PRIOR: f64 = 3.0;
/// Bounds of a predicted deviation.
const DEVIATIONS: (f64, f64) = (0.02, 3.0);

/// What is known of a trial: 1, its end by its parameters, its last loss, its lowest one, the loss before the last.
type Known = [f64; 5];

/// Mean and deviation of the smallest of the next 1, 2, 4 and 8 losses, linear in what is known of a trial, by its age.
///
/// The weights are those of the most probable regression: normal noise, and normal priors about what curves of networks
/// generally do (the next losses lie about the last and the lowest; a young trial is judged by its parameters, too). So the
/// first predictions rest on the prior and later ones on this search. The logarithm of the deviation is regressed in the same
/// way on how far the last loss is above the lowest, and on the lowest.
pub(super) struct Outlook {
    fits: [[Fit; HORIZONS.len()]; AGES.len()],
}

struct Fit {
    mean: Known,
    ln_deviation: [f64; 3],
}

impl Outlook {
    /// Learns from curves, as losses on the scale of the process, each with its end by its parameters.
    pub(super) fn new<'a>(curves: impl Iterator<Item = (&'a [f64], f64)>) -> Outlook {
        let mut seen: [[Vec<(Known, f64)>; HORIZONS.len()]; AGES.len()] = Default::default();
        for (losses, end) in curves {
            let every = losses.len().div_ceil(MOST_AGES);
            for (group, &first) in AGES.iter().enumerate() {
                let next_group = AGES.get(group + 1).copied().unwrap_or(usize::MAX);
                for age in (first..next_group.min(losses.len())).step_by(every) {
                    let known = known(&losses[..age], end);
                    for (seen, n) in seen[group].iter_mut().zip(HORIZONS) {
                        if let Some(next) = losses.get(age..age + n) {
                            seen.push((known, lowest(next)));
                        }
                    }
                }
            }
        }
        let fit = |group: usize, horizon: usize| Fit::new(&seen[group][horizon], group, horizon);
        Outlook { fits: std::array::from_fn(|group| std::array::from_fn(|horizon| fit(group, horizon))) }
    }

    /// For a trial with these losses: mean and deviation of the smallest of the next losses, for each of [`HORIZONS`].
    pub(super) fn ahead(&self, losses: &[f64], end: f64) -> [(f64, f64); HORIZONS.len()] {
        let x = known(losses, end);
        std::array::from_fn(|horizon| self.fits[group_of(losses.len())][horizon].predict(&x))
    }
}

impl Fit {
    fn new(seen: &[(Known, f64)], group: usize, horizon: usize) -> Fit {
        let mean = regress(seen, prior(group, horizon), PRIOR);
        // ln |r| of a normal r is 0.63 less than ln of its deviation in the mean; 0.01 keeps it finite.
        let spread = |(x, y): &(Known, f64)| (shape(x), ((y - dot(&mean, x)).abs() + 0.01).ln() + 0.55);
        let spreads: Vec<([f64; 3], f64)> = seen.iter().map(spread).collect();
        Fit { mean, ln_deviation: regress(&spreads, [-1.2, 0.7, -0.2], PRIOR) }
    }

    fn predict(&self, x: &Known) -> (f64, f64) {
        let deviation = dot(&self.ln_deviation, &shape(x)).exp();
        (dot(&self.mean, x), deviation.clamp(DEVIATIONS.0, DEVIATIONS.1))
    }
}

fn group_of(age: usize) -> usize {
    AGES.iter().rposition(|&first| first <= age).unwrap_or(0)
}

fn known(losses: &[f64], end: f64) -> Known {
    let last = losses[losses.len() - 1];
    let before = losses[losses.len().saturating_sub(2)];
    [1.0, end, last, lowest(losses), before]
}

/// What a deviation depends on.
fn shape(&[_, _, last, lowest, _]: &Known) -> [f64; 3] {
    [1.0, last - lowest, lowest]
}

/// Prior weights: the parameters count less the older a trial is, the rest is shared by its last losses; young trials fall.
fn prior(group: usize, horizon: usize) -> Known {
    let doublings = horizon as f64;
    let end = [0.3, 0.15, 0.05, 0.02][group] * (1.0 + 0.3 * doublings);
    let fall = [0.15, 0.1, 0.05, 0.0][group] * (1.0 + doublings);
    let rest = 1.0 - end;
    [-fall, end, 0.4 * rest, 0.4 * rest, 0.2 * rest]
}

/// Weights w with the smallest Σ (y − w·x)² + strength·|w − prior|².
fn regress<const N: usize>(seen: &[([f64; N], f64)], prior: [f64; N], strength: f64) -> [f64; N] {
    let mut a = vec![0.0; N * N];
    let mut b = vec![0.0; N];
    (0..N).for_each(|i| a[i * N + i] = strength);
    for (x, y) in seen {
        let rest = y - dot(&prior, x);
        for i in 0..N {
            b[i] += x[i] * rest;
            (0..=i).for_each(|j| a[i * N + j] += x[i] * x[j]);
        }
    }
    let Some(factor) = Cholesky::new(a, N) else { return prior };
    factor.forward(&mut b);
    factor.backward(&mut b);
    std::array::from_fn(|i| prior[i] + b[i])
}

fn dot<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn lowest(losses: &[f64]) -> f64 {
    losses.iter().copied().fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Stream;

    #[test]
    fn a_regression_begins_at_its_prior_and_ends_at_the_data() {
        assert_eq!(regress(&[], [1.0, 2.0], 3.0), [1.0, 2.0]);
        let seen: Vec<([f64; 2], f64)> =
            (0..4000).map(|i| f64::from(i) / 4000.0).map(|x| ([1.0, x], 0.5 - 2.0 * x)).collect();
        let w = regress(&seen, [1.0, 2.0], 3.0);
        assert!((w[0] - 0.5).abs() < 0.05 && (w[1] + 2.0).abs() < 0.05, "{w:?}");
        // One observation, by hand: b = x·(y − prior·x), (3 + x²)·d = b.
        assert_eq!(regress(&[([2.0], 5.0)], [1.0], 3.0), [1.0 + 6.0 / 7.0]);
    }

    #[test]
    fn noise_and_fall_are_learnt() {
        let curve = |seed: u64, noise: f64, fall: f64| -> Vec<f64> {
            let mut stream = Stream::for_trial(7, seed);
            (0..20).map(|k| 2.0 - fall * f64::from(k) + noise * stream.normal()).collect()
        };
        let outlook = |noise: f64, fall: f64| {
            let curves: Vec<Vec<f64>> = (0..30).map(|s| curve(s, noise, fall)).collect();
            Outlook::new(curves.iter().map(|c| (&c[..], 1.0)))
        };
        let flat = [1.5; 10];
        let (quiet, noisy) = (outlook(0.03, 0.0).ahead(&flat, 1.0), outlook(0.3, 0.0).ahead(&flat, 1.0));
        for h in 0..4 {
            assert!(noisy[h].1 > 2.0 * quiet[h].1, "{h}: {noisy:?} {quiet:?}");
        }
        // Of more noisy losses the smallest is smaller.
        assert!(noisy[3].0 < noisy[0].0 - 0.1, "{noisy:?}");
        let falling: Vec<f64> = (0..10).map(|k| 2.0 - 0.05 * f64::from(k)).collect();
        let ahead = outlook(0.01, 0.05).ahead(&falling, 1.0);
        for (h, n) in [1.0, 2.0, 4.0, 8.0].into_iter().enumerate() {
            assert!((ahead[h].0 - (1.55 - 0.05 * n)).abs() < 0.03, "{n}: {ahead:?}");
        }
    }

    #[test]
    fn nothing_known_is_the_prior() {
        let none = Outlook::new(std::iter::empty());
        let [(mean, deviation), ..] = none.ahead(&[2.0, 2.0], 2.0);
        assert!((mean - (2.0 - 0.1)).abs() < 1e-12, "{mean}");
        assert!((deviation - (-1.2f64 - 0.4).exp()).abs() < 1e-12, "{deviation}");
    }
}
