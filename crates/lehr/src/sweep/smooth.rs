//! A smooth curve of loss against rate through scattered points, with the band that the scatter leaves.
//!
//! Local quadratic regression on log₂ rate (Cleveland 1979, tricube weights on the nearest points), whose span is chosen
//! by leave-one-out error. Losses are squeezed by asinh((loss − lowest)/spread) first and stretched back after, so that a
//! cliff of losses does not bend the curve beside it. The band is the pointwise 95 % interval of the curve under the
//! scatter about it, measured with the same weights, since losses near a cliff scatter more than those in the bowl. The
//! curve ends where the points do: nothing is extrapolated.

use serde::Serialize;

use super::noise::{median, t_quantile};

/// The fitted curve at rising rates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Smooth {
    /// Rates, evenly spaced on a log scale.
    pub rates: Vec<f64>,
    /// Fitted loss at each.
    pub losses: Vec<f64>,
    /// Lower end of its band.
    pub low: Vec<f64>,
    /// Upper end of its band.
    pub high: Vec<f64>,
}

/// Fewer points than this show no curve.
const LEAST: usize = 5;
/// Points so many times higher above the lowest than half of them belong to a cliff.
const CLIFF: f64 = 20.0;
/// More points than this are averaged in groups of neighbours first.
const MOST: usize = 400;

/// Fits a curve to finite `(rate, loss)` points; others are left out. `None` with fewer than five different rates.
pub fn smooth(points: &[(f64, f64)], places: usize) -> Option<Smooth> {
    let mut finite: Vec<(f64, f64)> = points
        .iter()
        .copied()
        .filter(|(rate, loss)| *rate > 0.0 && rate.is_finite() && loss.is_finite())
        .collect();
    finite.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut different: Vec<f64> = finite.iter().map(|point| point.0).collect();
    different.dedup();
    if different.len() < LEAST || places < 2 {
        return None;
    }
    let lowest = finite.iter().map(|point| point.1).fold(f64::INFINITY, f64::min);
    let scale = spread(&finite, lowest)?;
    // What is so high is another country: a cliff, where a curve would only swing.
    finite.retain(|point| point.1 - lowest <= CLIFF * scale);
    let squeezed: Vec<(f64, f64)> =
        finite.iter().map(|(rate, loss)| (rate.log2(), ((loss - lowest) / scale).asinh())).collect();
    let local = Local::new(grouped(squeezed))?;
    let stretched = |y: f64| lowest + scale * y.sinh();
    let (from, to) = (local.points[0].0, local.points[local.points.len() - 1].0);
    let fitted: Vec<(f64, f64, f64)> = (0..places)
        .map(|i| from + (to - from) * i as f64 / (places - 1) as f64)
        .filter_map(|x| local.at(x).map(|(y, half)| (x, y, half)))
        .collect();
    let width = (to - from) / (2.0 * (different.len() - 1) as f64);
    let mut out = Smooth { rates: vec![], losses: vec![], low: vec![], high: vec![] };
    for (x, y, half) in polished(&fitted, width) {
        let values = [x.exp2(), stretched(y), stretched(y - half), stretched(y + half)];
        if values.iter().all(|value| value.is_finite()) {
            out.rates.push(values[0]);
            out.losses.push(values[1]);
            out.low.push(values[2]);
            out.high.push(values[3]);
        }
    }
    (out.rates.len() > 1).then_some(out)
}

/// The curve and its band without the corners that it has where the nearest points change: the value at each place of a
/// straight line through its neighbours, with Gaussian weights of this width. A straight line stays as it is.
fn polished(fitted: &[(f64, f64, f64)], width: f64) -> Vec<(f64, f64, f64)> {
    let at = |x: f64| {
        let mut sums = [0.0; 3];
        let (mut y, mut half) = ([0.0; 2], [0.0; 2]);
        for &(x1, y1, half1) in fitted.iter().filter(|place| (place.0 - x).abs() <= 3.0 * width) {
            let u = (x1 - x) / width;
            let weight = (-0.5 * u * u).exp();
            for (power, sum) in sums.iter_mut().enumerate() {
                *sum += weight * u.powi(power as i32);
            }
            for (sums, value) in [(&mut y, y1), (&mut half, half1)] {
                sums[0] += weight * value;
                sums[1] += weight * u * value;
            }
        }
        let free = sums[0] * sums[2] - sums[1] * sums[1];
        let line = |of: [f64; 2]| match free > 1e-9 * sums[0] * sums[0] {
            true => (sums[2] * of[0] - sums[1] * of[1]) / free,
            false => of[0] / sums[0],
        };
        (x, line(y), line(half).max(0.0))
    };
    fitted.iter().map(|place| at(place.0)).collect()
}

/// The scale on which losses differ near the bottom: the median height above the lowest, so that half of the points are
/// on the straight part of asinh.
fn spread(points: &[(f64, f64)], lowest: f64) -> Option<f64> {
    let heights: Vec<f64> =
        points.iter().map(|point| point.1 - lowest).filter(|height| *height > 0.0).collect();
    let scale = median(heights).unwrap_or(1.0);
    (scale > 0.0 && scale.is_finite()).then_some(scale)
}

/// Means of neighbours where there are very many points; the curve does not need them all.
fn grouped(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if points.len() <= MOST {
        return points;
    }
    let size = points.len().div_ceil(MOST);
    let mean = |group: &[(f64, f64)]| {
        let n = group.len() as f64;
        (group.iter().map(|p| p.0).sum::<f64>() / n, group.iter().map(|p| p.1).sum::<f64>() / n)
    };
    points.chunks(size).map(mean).collect()
}

struct Local {
    points: Vec<(f64, f64)>,
    /// How many of the nearest points a place is fitted to.
    span: usize,
    /// Of each point its residual, and the share of the fit there that is its own.
    residuals: Vec<(f64, f64)>,
}

impl Local {
    /// Chooses the span and measures the scatter.
    fn new(points: Vec<(f64, f64)>) -> Option<Self> {
        let n = points.len();
        let spans = [5, 6, 7, 9, 12, 16, 24, 36, 54, 80, 120, 180, 270, 400];
        let error = |span: usize| {
            let local = Local { points: points.clone(), span, residuals: Vec::new() };
            let errors: Vec<f64> =
                (0..n).filter_map(|i| local.residual(i).map(|(out, _, _)| out * out)).collect();
            (!errors.is_empty()).then(|| errors.iter().sum::<f64>() / errors.len() as f64)
        };
        let span = spans
            .into_iter()
            .filter(|span| *span < n.max(LEAST + 1))
            .filter_map(|span| Some((span, error(span)?)))
            .min_by(|a, b| a.1.total_cmp(&b.1))?
            .0;
        let mut local = Local { points, span, residuals: Vec::new() };
        local.residuals =
            (0..n).map(|i| local.residual(i).map_or((0.0, 1.0), |(_, r, own)| (r, own))).collect();
        Some(local)
    }

    /// At point `i`: the residual without it, the residual with it, and its own weight in the fit there.
    fn residual(&self, i: usize) -> Option<(f64, f64, f64)> {
        let (x, y) = self.points[i];
        let weights = self.weights(x)?;
        let fitted: f64 = weights.iter().map(|&(k, w)| w * self.points[k].1).sum();
        let own = weights.iter().filter(|(k, _)| *k == i).map(|(_, w)| *w).sum::<f64>().min(0.999);
        let residual = y - fitted;
        Some((residual / (1.0 - own), residual, own))
    }

    /// The curve at `x` and the half-width of its band.
    fn at(&self, x: f64) -> Option<(f64, f64)> {
        let weights = self.weights(x)?;
        let y = weights.iter().map(|&(k, w)| w * self.points[k].1).sum();
        let norm = weights.iter().map(|(_, w)| w * w).sum::<f64>().sqrt();
        Some((y, self.scatter(x)? * norm))
    }

    /// Standard deviation of points about the curve near `x`, times Student's quantile.
    fn scatter(&self, x: f64) -> Option<f64> {
        let n = self.points.len();
        let wanted = (2 * self.span).max(LEAST + 2).min(n);
        let mut near: Vec<usize> = (0..n).collect();
        near.sort_by(|&a, &b| (self.points[a].0 - x).abs().total_cmp(&(self.points[b].0 - x).abs()));
        near.truncate(wanted);
        let squares: f64 = near.iter().map(|&i| self.residuals[i].0.powi(2)).sum();
        // Degrees of freedom: points less what the fit takes of them.
        let free = near.iter().map(|&i| 1.0 - self.residuals[i].1).sum::<f64>().max(1.0);
        Some((squares / free).sqrt() * t_quantile(free.round() as usize + 1, 0.95)?)
    }

    /// The fit at `x` as a weighted sum of points: `(point, weight)`.
    fn weights(&self, x: f64) -> Option<Vec<(usize, f64)>> {
        let n = self.points.len();
        let span = self.span.min(n);
        // The nearest points of a sorted list are neighbours in it.
        let mut from = self.points.partition_point(|p| p.0 < x).saturating_sub(span).min(n - span);
        while from + span < n && x - self.points[from].0 > self.points[from + span].0 - x {
            from += 1;
        }
        let near = &self.points[from..from + span];
        let reach = 1.05 * near.iter().map(|p| (p.0 - x).abs()).fold(0.0, f64::max);
        if reach <= 0.0 {
            return Some((from..from + span).map(|k| (k, 1.0 / span as f64)).collect());
        }
        let tricube = |u: f64| (1.0 - u.abs().min(1.0).powi(3)).powi(3);
        let rows: Vec<(f64, f64)> =
            near.iter().map(|p| ((p.0 - x) / reach, tricube((p.0 - x) / reach))).collect();
        let degree = distinct(near).min(3) - 1;
        let solution = first_row_of_inverse(&rows, degree)?;
        let weight = |u: f64, w: f64| {
            w * (0..=degree).map(|power| solution[power] * u.powi(power as i32)).sum::<f64>()
        };
        Some(rows.iter().enumerate().map(|(k, &(u, w))| (from + k, weight(u, w))).collect())
    }
}

fn distinct(sorted: &[(f64, f64)]) -> usize {
    1 + sorted.windows(2).filter(|pair| pair[0].0 < pair[1].0).count()
}

/// The first row of (XᵀWX)⁻¹ for polynomials of a degree up to two; a little ridge keeps it solvable.
fn first_row_of_inverse(rows: &[(f64, f64)], degree: usize) -> Option<[f64; 3]> {
    let moment = |power: i32| rows.iter().map(|(u, w)| w * u.powi(power)).sum::<f64>();
    let m: Vec<f64> = (0..5).map(moment).collect();
    let mut matrix = [[0.0; 3]; 3];
    for (i, row) in matrix.iter_mut().enumerate() {
        for (j, cell) in row.iter_mut().enumerate() {
            *cell = match i.max(j) <= degree {
                true => m[i + j] + if i == j && i > 0 { 1e-9 * m[0] } else { 0.0 },
                false => f64::from(u8::from(i == j)),
            };
        }
    }
    let [a, b, c] = matrix;
    let minor = |i: usize, j: usize| b[i] * c[j] - b[j] * c[i];
    let determinant = a[0] * minor(1, 2) - a[1] * minor(0, 2) + a[2] * minor(0, 1);
    // The matrix is symmetric: the first row of its inverse is that of its cofactors.
    let row = [minor(1, 2) / determinant, -minor(0, 2) / determinant, minor(0, 1) / determinant];
    row.iter().all(|value| value.is_finite()).then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn truth(rate: f64) -> f64 {
        1.0 + 0.02 * (rate.log2() + 12.0 - 7.3).powi(2)
    }

    /// Losses at `n` rates; `noise` is the standard deviation.
    fn bowl(n: i32, noise: f64, seed: u64) -> Vec<(f64, f64)> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = || (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        let rate = |i: i32| 2f64.powf(f64::from(i) * 12.0 / f64::from(n - 1) - 12.0);
        (0..n).map(|i| (rate(i), truth(rate(i)) + noise * normal())).collect()
    }

    #[test]
    fn a_clean_bowl_is_followed() {
        let fit = smooth(&bowl(25, 0.0, 0), 200).unwrap();
        let best = (0..fit.rates.len()).min_by(|&a, &b| fit.losses[a].total_cmp(&fit.losses[b])).unwrap();
        assert!((fit.rates[best].log2() + 12.0 - 7.3).abs() < 0.2, "{}", fit.rates[best].log2() + 12.0);
        for i in 0..fit.rates.len() {
            let truth = truth(fit.rates[i]);
            assert!((fit.losses[i] - truth).abs() < 0.02, "{} {truth}", fit.losses[i]);
            assert!(fit.low[i] <= fit.losses[i] && fit.losses[i] <= fit.high[i]);
        }
    }

    #[test]
    fn the_band_holds_the_truth_about_as_often_as_it_says() {
        for noise in [0.01, 0.1] {
            let (mut inside, mut all) = (0usize, 0usize);
            for seed in 0..40 {
                let fit = smooth(&bowl(40, noise, seed), 50).unwrap();
                all += fit.rates.len();
                let held = (0..fit.rates.len())
                    .filter(|&i| (fit.low[i]..=fit.high[i]).contains(&truth(fit.rates[i])));
                inside += held.count();
            }
            let share = inside as f64 / all as f64;
            assert!((0.8..=1.0).contains(&share), "{noise}: {share}");
        }
    }

    #[test]
    fn the_curve_has_no_corners() {
        for seed in 0..10 {
            let points = bowl(16, 0.05, seed);
            let fit = smooth(&points, 200).unwrap();
            let rise = |i: usize| fit.losses[i + 1] - fit.losses[i];
            let rises: Vec<f64> = (0..fit.losses.len() - 1).map(rise).collect();
            let steepest = rises.iter().map(|rise| rise.abs()).fold(0.0, f64::max);
            let bend = rises.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max);
            assert!(bend < 0.1 * steepest, "{seed}: {bend} of {steepest}");
        }
    }

    #[test]
    fn a_cliff_does_not_bend_the_bowl() {
        let mut points = bowl(25, 0.0, 0);
        points.extend([(1.5, 1e6), (2.0, 1e30)]);
        let fit = smooth(&points, 200).unwrap();
        let at = |rate: f64| {
            let i = fit.rates.iter().position(|r| *r >= rate).unwrap();
            fit.losses[i]
        };
        assert!((at(2f64.powf(-4.7)) - 1.0).abs() < 0.05);
        assert!(fit.losses.iter().all(|loss| *loss > 0.9));
    }

    #[test]
    fn too_little_shows_no_curve_and_odd_input_does_no_harm() {
        assert_eq!(smooth(&bowl(4, 0.0, 0), 50), None);
        assert_eq!(smooth(&[(0.1, 1.0); 20], 50), None, "one rate");
        assert_eq!(smooth(&[], 50), None);
        let mut odd = bowl(9, 0.0, 0);
        odd.extend([(f64::NAN, 1.0), (0.0, 1.0), (-1.0, 1.0), (0.1, f64::NAN), (0.1, f64::INFINITY)]);
        assert_eq!(smooth(&odd, 50), smooth(&bowl(9, 0.0, 0), 50));
        let flat: Vec<_> = bowl(9, 0.0, 0).into_iter().map(|(rate, _)| (rate, 2.0)).collect();
        assert!(smooth(&flat, 50).unwrap().losses.iter().all(|loss| (loss - 2.0).abs() < 1e-9));
        let wide: Vec<_> =
            [1e-320, 1e-200, 1e-6, 1.0, 1e200, 1e308].map(|rate: f64| (rate, rate.ln().abs())).to_vec();
        assert!(smooth(&wide, 50).is_some());
        let huge: Vec<_> = (1..9).map(|i| (f64::from(i), f64::MAX * f64::from(i % 2))).collect();
        if let Some(fit) = smooth(&huge, 50) {
            assert!(fit.losses.iter().all(|loss| loss.is_finite()));
        }
    }

    #[test]
    fn ten_thousand_points_are_fast_enough_to_do_live() {
        let many = bowl(10_000, 0.5, 0);
        assert!(smooth(&many, 200).is_some());
    }
}
