//! Mixtures of product kernels over the unit cube.
use super::approx::{NEGLIGIBLE, exp};
use super::factor::{BLOCK, Dimension, Factor, Scratch};
use crate::stream::Stream;
use crate::vector::vectorized;

/// The terms of a sum are added in so many parts, whatever the width of the machine's vectors.
const LANES: usize = 8;

/// After how many dimensions it is seen whether a block still matters: most do not after so many.
const LOOK: usize = 4;

/// A mixture with one kernel per trial and one broad prior, in single precision (enough to rank candidates).
pub(super) struct Mixture {
    /// Number of kernels with the prior.
    kernels: usize,
    /// Cumulated weights of the kernels, for drawing.
    cumulated: Vec<f64>,
    /// Logarithm of weight over normalisation, per kernel; −∞ for padding.
    offset: Vec<[f32; BLOCK]>,
    /// Whether every dimension takes from the logarithms, and none adds.
    falling: bool,
    /// The factors of the kernels, one per dimension.
    factors: Vec<Factor>,
}

impl Mixture {
    /// Fits the mixture to trials and their weights.
    pub(super) fn fit(dimensions: &[Dimension], trials: &[(u32, f64)]) -> Mixture {
        let kernels = trials.len() + 1;
        let padded = kernels.next_multiple_of(BLOCK);
        let (cumulated, mut offset) = weigh(trials);
        offset.resize(padded, f32::NEG_INFINITY);
        let mut mass = vec![1.0f32; padded];
        let mut unfolded = 0;
        let mut scratch = Scratch::new();
        let mut factors = Vec::with_capacity(dimensions.len());
        for dimension in dimensions {
            let mut factor = Factor::fit(dimension, trials, padded, &mut scratch);
            if dimension.conditional {
                let mut own = vec![1.0f32; padded];
                factor.normalise(dimension, &mut own);
                own.iter_mut().for_each(|m| *m = m.ln());
                factor.own_offset = Some(own);
            } else {
                factor.normalise(dimension, &mut mass);
                unfolded += 1;
            }
            if unfolded == MOST_UNFOLDED {
                fold(&mut offset[..kernels], &mut mass);
                unfolded = 0;
            }
            factors.push(factor);
        }
        fold(&mut offset[..kernels], &mut mass);
        let falling = dimensions.iter().all(|dimension| !dimension.conditional);
        let offset = offset.as_chunks().0.to_vec();
        Mixture { kernels, cumulated, offset, falling, factors }
    }

    /// Draws a point: the places of numbers, and the middle of its share for a choice.
    pub(super) fn draw(&self, dimensions: &[Dimension], stream: &mut Stream, point: &mut [f64]) {
        let u = stream.uniform() * self.cumulated.last().copied().unwrap_or(1.0);
        let kernel = self.cumulated.partition_point(|&c| c <= u).min(self.kernels - 1);
        for ((factor, dimension), place) in self.factors.iter().zip(dimensions).zip(point) {
            *place = factor.draw(dimension, kernel, stream);
        }
    }

    /// The logarithms of the density at points, one after another in `points`, up to a constant that two mixtures over the
    /// same dimensions share. NaN places (inactive parameters) are left out.
    pub(super) fn log_densities(&self, dimensions: &[Dimension], points: &[f64]) -> Vec<f32> {
        let mut logs = Vec::with_capacity(self.offset.len());
        let points = points.chunks_exact(dimensions.len());
        let mut found = Vec::with_capacity(points.len());
        vectorized(
            #[inline(always)]
            || {
                for point in points.clone() {
                    let top = self.logs_at(dimensions, point, &mut logs);
                    found.push(top + sum_exp(&logs, top).ln());
                }
            },
        );
        found
    }

    /// The logarithms of the kernels at a point, without blocks that are too small to matter; returns the largest one.
    #[inline(always)]
    fn logs_at(&self, dimensions: &[Dimension], point: &[f64], logs: &mut Vec<[f32; BLOCK]>) -> f32 {
        logs.clear();
        let mut top = f32::NEG_INFINITY;
        // From the last block on: it has the prior, which is broad.
        'blocks: for (b, &offset) in self.offset.iter().enumerate().rev() {
            let mut block = offset;
            for (i, ((&u, factor), dimension)) in point.iter().zip(&self.factors).zip(dimensions).enumerate()
            {
                factor.add_logs(dimension, u, b, &mut block);
                if self.falling && i % LOOK == LOOK - 1 && !any_from(&block, top + NEGLIGIBLE) {
                    continue 'blocks;
                }
            }
            top = block.iter().fold(top, |top, &x| if x > top { x } else { top });
            logs.push(block);
        }
        top
    }
}

/// The cumulated weights of the trials and of the prior, and their logarithms.
fn weigh(trials: &[(u32, f64)]) -> (Vec<f64>, Vec<f32>) {
    let total: f64 = trials.iter().map(|t| t.1).sum::<f64>() + 1.0;
    let mut cumulated = Vec::with_capacity(trials.len() + 1);
    let mut logs = Vec::with_capacity((trials.len() + 1).next_multiple_of(BLOCK));
    let mut sum = 0.0;
    // Neighbours often weigh the same.
    let mut last = (1.0, (1.0 / total).ln() as f32);
    for weight in trials.iter().map(|t| t.1).chain([1.0]) {
        sum += weight / total;
        cumulated.push(sum);
        if weight != last.0 {
            last = (weight, (weight / total).ln() as f32);
        }
        logs.push(last.1);
    }
    (cumulated, logs)
}

/// Products of so many normalisations stay within single precision: each is between 10⁻¹ and 10².
const MOST_UNFOLDED: usize = 16;

/// Moves the product of normalisations into the logarithms.
fn fold(offset: &mut [f32], mass: &mut [f32]) {
    offset.iter_mut().zip(mass).for_each(|(o, m)| *o += std::mem::replace(m, 1.0).ln());
}

/// Whether any is at least `least`.
#[inline(always)]
fn any_from(block: &[f32; BLOCK], least: f32) -> bool {
    block.iter().fold(false, |any, &x| any | (x >= least))
}

/// Σ eˣ⁻ᵗᵒᵖ, in which many blocks may have no part, from the last block to the first.
#[inline(always)]
fn sum_exp(logs: &[[f32; BLOCK]], top: f32) -> f32 {
    let mut sum = [0.0f32; LANES];
    for block in logs.iter().rev().filter(|block| any_from(block, top + NEGLIGIBLE)) {
        let mut terms = *block;
        terms.iter_mut().for_each(|x| *x = exp(*x - top));
        for part in terms.as_chunks::<LANES>().0 {
            sum.iter_mut().zip(part).for_each(|(s, t)| *s += t);
        }
    }
    sum.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, History};
    use crate::sampler::{Random, Sampler};
    use crate::space::Space;

    /// Leaving out what does not matter changes no digit.
    #[test]
    fn blocks_that_are_left_out_do_not_matter() {
        let space: Space = "a=0.0..1.0, b=0.0..1.0, c=x|y|z, d=1..9, e=0.0..1.0".parse().unwrap();
        let mut history = History::new(space.clone(), Direction::Minimize);
        for t in 0..300 {
            let params = Random::default().suggest(&space, &history, &mut Stream::for_trial(1, t)).unwrap();
            history.start(&params).unwrap();
        }
        let dimensions: Vec<Dimension> =
            space.free().into_iter().map(|i| Dimension::new(&space, &history, i)).collect();
        let trials: Vec<(u32, f64)> = (0..300).map(|t| (t, 1.0 + f64::from(t % 2))).collect();
        let mut mixture = Mixture::fit(&dimensions, &trials);
        let mut stream = Stream::for_trial(2, 0);
        let mut points = vec![0.0; 500 * dimensions.len()];
        for point in points.chunks_exact_mut(dimensions.len()) {
            mixture.draw(&dimensions, &mut stream, point);
        }
        assert!(mixture.falling);
        let quick = mixture.log_densities(&dimensions, &points);
        mixture.falling = false;
        assert_eq!(quick, mixture.log_densities(&dimensions, &points));
    }
}
