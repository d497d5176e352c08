//! The tree-structured Parzen estimator.
mod approx;
mod factor;
mod parzen;

use super::{Sampler, Sobol, check_match};
use crate::error::SearchError;
use crate::history::History;
use crate::space::Space;
use crate::stream::Stream;
use crate::value::Params;
use factor::Dimension;
use parzen::Mixture;

/// The tree-structured Parzen estimator: fits one density to the parameters of the good trials and one to those of the
/// others, draws candidates from the first and takes the one at which the ratio of the two is largest.
///
/// Both densities are mixtures with one kernel per trial and a broad prior; a kernel is a product over all parameters
/// (multivariate): a truncated normal on the unit interval for numbers, with its width from the distance to the neighbouring
/// trials and clipped from below ("magic clip"), and a peak on its own choice for categories. An inactive parameter of a
/// trial leaves its kernel flat in that direction.
///
/// - Good are the best tenth of the trials (up to a fifth with less than 10 parameters d: 0.25 − 0.015·d), at most 25, in
///   the ranking of [`History::ranked`]: so pruned, diverged, infinite and NaN objectives need no special care, and failed
///   trials are ignored.
/// - Pending trials count as not good (constant liar), so that parallel workers keep apart.
/// - Older trials weigh less among the others, from 1/n for the oldest to 1 for the last 25.
/// - The first trials (10 by default) come from [`Sobol`].
/// - Constraints are met by dropping candidates that violate them; fixed parameters are left out of both densities.
/// - 128 candidates are drawn up to 200 trials, then fewer (25,600/n), down to 24.
///
/// Cost: the ranking is kept by the history, so a suggestion looks at no more than `kernels` trials, whatever their
/// number: O(candidates × kernels × parameters). Up to `kernels` trials the density is exact; beyond, the others are
/// thinned to that number, evenly through their weighted order, which adds noise to the second density but no bias in its
/// expectation.
/// Source: Bergstra et al., NIPS 2011; Watanabe, arXiv:2304.11127; Falkner et al. (multivariate kernels), ICML 2018.
#[derive(Debug, Clone)]
pub struct Tpe {
    startup: usize,
    candidates: Option<usize>,
    kernels: usize,
}

impl Default for Tpe {
    fn default() -> Self {
        Tpe { startup: 10, candidates: None, kernels: 256 }
    }
}

/// The largest number of trials called good.
const MOST_GOOD: usize = 25;

impl Tpe {
    /// How many finished trials come before the densities are used.
    pub fn startup(mut self, trials: usize) -> Self {
        self.startup = trials.max(1);
        self
    }

    /// How many candidates are drawn for each suggestion, whatever the number of trials.
    pub fn candidates(mut self, count: usize) -> Self {
        self.candidates = Some(count.max(1));
        self
    }

    /// How many kernels the density of the other trials has at most (at least 64).
    pub fn kernels(mut self, count: usize) -> Self {
        self.kernels = count.max(64);
        self
    }

    /// The good trials and the others with their weights.
    fn split(
        &self,
        history: &History,
        dimensions: usize,
        stream: &mut Stream,
    ) -> (Vec<u32>, Vec<(u32, f64)>) {
        let ranked = history.ranked();
        let share = (0.25 - 0.015 * dimensions as f64).clamp(0.1, 0.2);
        let count = (share * ranked.len() as f64).ceil() as usize;
        let mut good = ranked[..count.min(MOST_GOOD)].to_vec();
        good.sort_unstable();
        let informative = history.informative();
        let pending: Vec<u32> = history.pending_but(stream.trial()).collect();
        let n = informative.len() - good.len() + pending.len();
        let recent = MOST_GOOD.min(n);
        let mut others: Vec<(u32, f64)> = Vec::with_capacity(self.kernels.min(n) + pending.len());
        if n <= self.kernels {
            let mut best = Members(&good);
            let finished = informative.iter().filter(|t| !best.has(**t));
            others.extend(finished.chain(&pending).map(|&t| (t, 1.0)));
            others.sort_unstable_by_key(|&(t, _)| t);
            let ramp = n - recent;
            for (k, (_, weight)) in others[..ramp].iter_mut().enumerate() {
                *weight = ramp_weight(k, ramp, n);
            }
            return (good, others);
        }
        // The pending and the most recent in full, the older ones thinned.
        others.extend(pending.iter().map(|&t| (t, 1.0)));
        let kept = informative
            .iter()
            .rev()
            .filter(|t| good.binary_search(t).is_err())
            .take(recent)
            .map(|&t| (t, 1.0));
        others.extend(kept);
        let oldest_kept = others.last().map_or(0, |&(t, _)| t);
        let old = &informative[..informative.partition_point(|&t| t < oldest_kept)];
        let count = self.kernels.saturating_sub(others.len()).max(32);
        let total = 0.5 * (n - recent) as f64;
        let shift = stream.uniform();
        let mut best = Members(&good);
        for j in 0..count {
            // Inverse of the cumulated ramp, which is a parabola.
            let share = ((j as f64 + shift) / count as f64).sqrt();
            let t = old[((share * old.len() as f64) as usize).min(old.len() - 1)];
            if !best.has(t) {
                others.push((t, total / count as f64));
            }
        }
        (good, others)
    }
}

/// Sorted numbers, asked from the lowest to the highest whether others are among them.
struct Members<'a>(&'a [u32]);

impl Members<'_> {
    fn has(&mut self, number: u32) -> bool {
        while self.0.first().is_some_and(|&member| member < number) {
            self.0 = &self.0[1..];
        }
        self.0.first() == Some(&number)
    }
}

/// Weight of the k-th oldest of the `ramp` trials that are not recent, of n in all.
fn ramp_weight(k: usize, ramp: usize, n: usize) -> f64 {
    let first = 1.0 / n as f64;
    if ramp < 2 { first } else { first + (1.0 - first) * k as f64 / (ramp - 1) as f64 }
}

/// Draws candidates that meet the constraints: their internal numbers and the places of their free parameters, one after
/// another.
fn draw(
    space: &Space,
    free: &[usize],
    dimensions: &[Dimension],
    mixture: &Mixture,
    count: usize,
    stream: &mut Stream,
) -> (Vec<f64>, Vec<f64>) {
    let attempts = if space.constraints().is_empty() { count } else { 10 * count };
    let mut raws = Vec::with_capacity(count * space.len());
    let mut points = Vec::with_capacity(count * free.len());
    let mut unit = vec![0.5; space.len()];
    let mut point = vec![0.0; free.len()];
    let mut raw = Vec::with_capacity(space.len());
    for _ in 0..attempts {
        mixture.draw(dimensions, stream, &mut point);
        free.iter().zip(&point).for_each(|(&i, &u)| unit[i] = u);
        space.fill_from_unit(&unit, &mut raw);
        if !space.allows(&raw) {
            continue;
        }
        points.extend(free.iter().map(|&i| space.parameters()[i].domain.to_unit(raw[i])));
        raws.extend_from_slice(&raw);
        if raws.len() == count * space.len() {
            break;
        }
    }
    (raws, points)
}

impl Sampler for Tpe {
    fn name(&self) -> &str {
        "tpe"
    }

    fn suggest(&self, space: &Space, history: &History, stream: &mut Stream) -> Result<Params, SearchError> {
        check_match(space, history)?;
        let free = space.free();
        if history.informative().len() < self.startup || free.is_empty() {
            return Sobol::default().suggest(space, history, stream);
        }
        let (good, others) = self.split(history, free.len(), stream);
        let good: Vec<(u32, f64)> = good.into_iter().map(|t| (t, 1.0)).collect();
        let dimensions: Vec<Dimension> = free.iter().map(|&i| Dimension::new(space, history, i)).collect();
        let below = Mixture::fit(&dimensions, &good);
        let above = Mixture::fit(&dimensions, &others);
        let most = 25_600 / history.informative().len();
        let candidates = self.candidates.unwrap_or(most.clamp(24, 128));
        let (raws, points) = draw(space, &free, &dimensions, &below, candidates, stream);
        let scores = below.log_densities(&dimensions, &points);
        let scores = scores.into_iter().zip(above.log_densities(&dimensions, &points)).map(|(b, a)| b - a);
        let mut best = None;
        for (score, raw) in scores.zip(raws.chunks_exact(space.len())) {
            if best.is_none_or(|(most, _)| score > most) {
                best = Some((score, raw));
            }
        }
        match best {
            Some((_, raw)) => Ok(space.params(raw)),
            None => super::Random::default().suggest(space, history, stream),
        }
    }
}
