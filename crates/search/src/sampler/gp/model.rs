//! The Gaussian process: its kernel, the fit of its parameters, its predictions.
use super::acquisition::log_improvement;
use super::lbfgs::minimize;
use super::linalg::{Cholesky, LANES};
use crate::vector::vectorized;

/// Smallest variance of the noise, in units of the standardised objective.
const LEAST_NOISE: f64 = 1e-6;
/// Parameters of the kernel are kept within e^±LIMIT.
const LIMIT: f64 = 14.0;

/// Points in columns: one per coordinate.
#[derive(Debug, Clone)]
pub(super) struct Points {
    pub(super) columns: Vec<Vec<f64>>,
    pub(super) len: usize,
}

impl Points {
    pub(super) fn new(coordinates: usize) -> Points {
        Points { columns: vec![Vec::new(); coordinates], len: 0 }
    }

    pub(super) fn point(&self, i: usize) -> Vec<f64> {
        self.columns.iter().map(|c| c[i]).collect()
    }

    pub(super) fn push(&mut self, point: &[f64]) {
        self.columns.iter_mut().zip(point).for_each(|(c, &x)| c.push(x));
        self.len += 1;
    }
}

/// Parameters of the kernel s²·k(r²) + τ²·[same trial], k Matérn 5/2 and r² = Σ θᵢ·(xᵢ − x′ᵢ)² over numbers, plus θᵢ for
/// each differing choice.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kernel {
    /// θ: inverse squared length scales.
    pub(super) inverse_squares: Vec<f64>,
    /// s².
    pub(super) scale: f64,
    /// τ².
    pub(super) noise: f64,
    /// Which coordinates are choices.
    pub(super) categorical: Vec<bool>,
}

/// k(r²) and its derivative.
#[inline(always)]
fn matern(r2: f64) -> (f64, f64) {
    let q = (5.0 * r2).sqrt();
    let e = (-q).exp();
    ((1.0 + q + q * q * (1.0 / 3.0)) * e, -(5.0 / 6.0) * (1.0 + q) * e)
}

impl Kernel {
    pub(super) fn new(categorical: Vec<bool>) -> Kernel {
        Kernel { inverse_squares: vec![1.0; categorical.len()], scale: 1.0, noise: 1e-4, categorical }
    }

    fn with_logs(&self, logs: &[f64]) -> Kernel {
        let d = self.categorical.len();
        Kernel {
            inverse_squares: logs[..d].iter().map(|t| t.exp()).collect(),
            scale: logs[d].exp(),
            noise: LEAST_NOISE + logs[d + 1].exp(),
            categorical: self.categorical.clone(),
        }
    }

    /// r² from a point to the first `out.len()` points.
    fn squares(&self, points: &Points, x: impl Fn(usize) -> f64, out: &mut [f64]) {
        vectorized(
            #[inline(always)]
            || {
                out.fill(0.0);
                for (i, column) in points.columns.iter().enumerate() {
                    let (x, theta) = (x(i), self.inverse_squares[i]);
                    if self.categorical[i] {
                        out.iter_mut().zip(column).for_each(|(o, &c)| *o += if c == x { 0.0 } else { theta });
                    } else {
                        out.iter_mut().zip(column).for_each(|(o, &c)| *o += theta * (c - x) * (c - x));
                    }
                }
            },
        );
    }

    /// r² between two points.
    pub(super) fn square(&self, a: &[f64], b: &[f64]) -> f64 {
        let part = |i: usize| match self.categorical[i] {
            true => f64::from(a[i] != b[i]),
            false => (a[i] - b[i]) * (a[i] - b[i]),
        };
        (0..a.len()).map(|i| self.inverse_squares[i] * part(i)).sum()
    }

    /// The lower triangle of the matrix of the points, noise included.
    fn matrix(&self, points: &Points) -> Vec<f64> {
        let n = points.len;
        let mut k = vec![0.0; n * n];
        for a in 0..n {
            let row = &mut k[a * n..a * n + a + 1];
            self.squares(points, |i| points.columns[i][a], row);
            row.iter_mut().for_each(|r2| *r2 = self.scale * matern(*r2).0);
            row[a] += self.noise;
        }
        k
    }

    /// −ln posterior of the logarithms of (θ…, s², τ²), up to a constant, and its gradient.
    ///
    /// Priors: e^(−0.1/θ − 0.1·θ) for each θ, Gamma(2, 1) for s², Gamma(1.1, 30) for τ².
    fn loss(&self, logs: &[f64], points: &Points, y: &[f64], gradient: &mut [f64]) -> f64 {
        let kernel = self.with_logs(logs);
        let (n, d) = (points.len, self.categorical.len());
        let mut values = vec![0.0; n * n];
        let mut slopes = vec![0.0; n * n];
        for a in 0..n {
            let row = a * n..a * n + a + 1;
            let slopes = &mut slopes[row.clone()];
            kernel.squares(points, |i| points.columns[i][a], slopes);
            for (value, slope) in values[row].iter_mut().zip(slopes) {
                let (k, dk) = matern(*slope);
                (*value, *slope) = (kernel.scale * k, kernel.scale * dk);
            }
        }
        let mut noisy = values.clone();
        (0..n).for_each(|a| noisy[a * n + a] += kernel.noise);
        let Some(factor) = Cholesky::new(noisy, n) else {
            gradient.fill(0.0);
            return f64::NAN;
        };
        let mut alpha = y.to_vec();
        factor.forward(&mut alpha);
        let fit: f64 = alpha.iter().map(|a| a * a).sum();
        factor.backward(&mut alpha);
        // W = α·αᵀ − K⁻¹; an entry off the diagonal stands for two.
        let mut weights = factor.inverse();
        let (mut by_scale, mut by_noise) = (0.0, 0.0);
        let mut by_theta = vec![0.0; d];
        for a in 0..n {
            let row = &mut weights[a * n..a * n + a + 1];
            row.iter_mut().zip(&alpha).for_each(|(w, b)| *w = alpha[a] * b - *w);
            by_noise += 0.5 * row[a];
            row[a] *= 0.5;
            by_scale += row.iter().zip(&values[a * n..]).map(|(w, k)| w * k).sum::<f64>();
            row.iter_mut().zip(&slopes[a * n..]).for_each(|(w, s)| *w *= s);
            for (i, sum) in by_theta.iter_mut().enumerate() {
                *sum += weighted_squares(row, &points.columns[i], points.columns[i][a], self.categorical[i]);
            }
        }
        let mut log_prior = 0.0;
        for i in 0..d {
            let theta = kernel.inverse_squares[i];
            log_prior -= 0.1 / theta + 0.1 * theta;
            gradient[i] = -(theta * by_theta[i] + 0.1 / theta - 0.1 * theta);
        }
        let noise = kernel.noise - LEAST_NOISE;
        log_prior += kernel.scale.ln() - kernel.scale + 0.1 * kernel.noise.ln() - 30.0 * kernel.noise;
        gradient[d] = -(by_scale + 1.0 - kernel.scale);
        gradient[d + 1] = -noise * (by_noise + 0.1 / kernel.noise - 30.0);
        0.5 * fit + 0.5 * factor.log_det() - log_prior
    }

    /// The most probable parameters for standardised values `y` at `points`.
    pub(super) fn fit(&self, points: &Points, y: &[f64]) -> Kernel {
        self.fit_within(points, y, 40)
    }

    /// The same in at most so many steps from each start.
    pub(super) fn fit_within(&self, points: &Points, y: &[f64], steps: usize) -> Kernel {
        let d = self.categorical.len();
        let mut best: Option<(f64, Vec<f64>)> = None;
        // Two starts: smooth and little noise; rougher and more noise.
        for (theta, noise) in [(0.0f64, 1e-4f64), (2.0, 1e-2)] {
            let mut logs = vec![theta; d];
            logs.extend([0.0, noise.ln()]);
            let value = minimize(&mut logs, (-LIMIT, LIMIT), steps, 1e-3, |x, g| self.loss(x, points, y, g));
            if value.is_finite() && best.as_ref().is_none_or(|(b, _)| value < *b) {
                best = Some((value, logs));
            }
        }
        best.map_or_else(|| self.clone(), |(_, logs)| self.with_logs(&logs))
    }
}

/// Σ w·(c − x)², or Σ w over differing choices.
#[inline(always)]
fn weighted_squares(weights: &[f64], column: &[f64], x: f64, categorical: bool) -> f64 {
    if categorical {
        return weights.iter().zip(column).filter(|(_, c)| **c != x).map(|(w, _)| w).sum();
    }
    let mut sums = [0.0; LANES];
    let (w_blocks, w_rest) = weights.as_chunks::<LANES>();
    let (c_blocks, c_rest) = column[..weights.len()].as_chunks::<LANES>();
    for (w, c) in w_blocks.iter().zip(c_blocks) {
        for lane in 0..LANES {
            sums[lane] += w[lane] * (c[lane] - x) * (c[lane] - x);
        }
    }
    let rest: f64 = w_rest.iter().zip(c_rest).map(|(w, c)| w * (c - x) * (c - x)).sum();
    sums.iter().sum::<f64>() + rest
}

/// ln of the expected improvement below `best` of a normal value.
pub(super) fn log_gain(mean: f64, variance: f64, best: f64) -> f64 {
    let sigma = variance.sqrt();
    log_improvement((best - mean) / sigma).0 + sigma.ln()
}

/// A process conditioned on values.
pub(super) struct Model {
    kernel: Kernel,
    points: Points,
    factor: Cholesky,
    /// K⁻¹·y.
    alpha: Vec<f64>,
}

impl Model {
    /// Conditions on `y` at `points`; the noise is raised until the matrix can be factored.
    pub(super) fn new(mut kernel: Kernel, points: Points, y: &[f64]) -> Option<Model> {
        for _ in 0..12 {
            if let Some(factor) = Cholesky::new(kernel.matrix(&points), points.len) {
                let mut alpha = y.to_vec();
                factor.forward(&mut alpha);
                factor.backward(&mut alpha);
                return Some(Model { kernel, points, factor, alpha });
            }
            kernel.noise *= 10.0;
        }
        None
    }

    fn covariances(&self, x: &[f64]) -> Vec<f64> {
        let mut k = vec![0.0; self.points.len];
        self.kernel.squares(&self.points, |i| x[i], &mut k);
        k.iter_mut().for_each(|r2| *r2 = self.kernel.scale * matern(*r2).0);
        k
    }

    /// Variance of the noise.
    pub(super) fn noise(&self) -> f64 {
        self.kernel.noise
    }

    /// Means of the noise-free values at the points that the model was conditioned on, given their values.
    pub(super) fn fitted(&self, y: &[f64]) -> Vec<f64> {
        // (K − τ²)·α = y − τ²·α.
        y.iter().zip(&self.alpha).map(|(y, a)| y - self.kernel.noise * a).collect()
    }

    /// Mean of the noise-free value at each point of the model by the values of all others.
    pub(super) fn left_out(&self, y: &[f64]) -> Vec<f64> {
        let (n, inverse) = (self.points.len, self.factor.inverse());
        (0..n).map(|i| y[i] - self.alpha[i] / inverse[i * n + i]).collect()
    }

    /// Mean of the noise-free value at a point.
    pub(super) fn mean(&self, x: &[f64]) -> f64 {
        self.covariances(x).iter().zip(&self.alpha).map(|(k, a)| k * a).sum()
    }

    /// Mean and variance of the noise-free value at a point.
    #[cfg(test)]
    fn predict(&self, x: &[f64]) -> (f64, f64) {
        let mut k = self.covariances(x);
        let mean = k.iter().zip(&self.alpha).map(|(k, a)| k * a).sum();
        self.factor.forward(&mut k);
        let explained: f64 = k.iter().map(|v| v * v).sum();
        (mean, (self.kernel.scale - explained).max(1e-12))
    }

    /// ln of the expected improvement below `best` at each point.
    pub(super) fn log_improvements(&self, candidates: &Points, best: f64) -> Vec<f64> {
        let gain = |(mean, variance): (f64, f64)| log_gain(mean, variance, best);
        self.predictions(candidates).into_iter().map(gain).collect()
    }

    /// Mean and variance of the noise-free value at each point.
    pub(super) fn predictions(&self, candidates: &Points) -> Vec<(f64, f64)> {
        let n = self.points.len;
        let mut out = Vec::with_capacity(candidates.len);
        let mut block = vec![[0.0; LANES]; n];
        for start in (0..candidates.len).step_by(LANES) {
            let width = LANES.min(candidates.len - start);
            let mut means = [0.0; LANES];
            for (lane, mean) in means.iter_mut().enumerate().take(width) {
                let x: Vec<f64> = candidates.columns.iter().map(|c| c[start + lane]).collect();
                let k = self.covariances(&x);
                *mean = k.iter().zip(&self.alpha).map(|(k, a)| k * a).sum();
                block.iter_mut().zip(&k).for_each(|(b, k)| b[lane] = *k);
            }
            self.factor.forward_lanes(&mut block, 0);
            let mut explained = [0.0; LANES];
            for row in &block {
                explained.iter_mut().zip(row).for_each(|(e, v)| *e += v * v);
            }
            out.extend((0..width).map(|l| (means[l], (self.kernel.scale - explained[l]).max(1e-12))));
        }
        out
    }

    /// ln of the expected improvement below `best` at a point, and its gradient by the coordinates (0 for choices).
    pub(super) fn log_improvement(&self, x: &[f64], best: f64, gradient: &mut [f64]) -> f64 {
        let n = self.points.len;
        let mut slopes = vec![0.0; n];
        self.kernel.squares(&self.points, |i| x[i], &mut slopes);
        let mut k = vec![0.0; n];
        for (k, slope) in k.iter_mut().zip(&mut slopes) {
            let (value, dk) = matern(*slope);
            (*k, *slope) = (self.kernel.scale * value, self.kernel.scale * dk);
        }
        let mean: f64 = k.iter().zip(&self.alpha).map(|(k, a)| k * a).sum();
        self.factor.forward(&mut k);
        let variance = (self.kernel.scale - k.iter().map(|v| v * v).sum::<f64>()).max(1e-12);
        self.factor.backward(&mut k);
        let sigma = variance.sqrt();
        let (log_h, density, below) = log_improvement((best - mean) / sigma);
        // dmean = Σ αⱼ dkⱼ and dσ = −Σ (K⁻¹k)ⱼ dkⱼ / σ; d ln EI = (φ dσ − Φ dmean)/(σ h).
        for (i, g) in gradient.iter_mut().enumerate() {
            *g = 0.0;
            if self.kernel.categorical[i] {
                continue;
            }
            let column = &self.points.columns[i];
            let mut sum = 0.0;
            for j in 0..n {
                sum += (-below * self.alpha[j] - density * k[j] / sigma) * slopes[j] * (x[i] - column[j]);
            }
            *g = 2.0 * self.kernel.inverse_squares[i] * sum / sigma;
        }
        log_h + sigma.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Stream;

    fn data(n: usize, d: usize) -> (Points, Vec<f64>) {
        let mut stream = Stream::for_trial(2, n as u64);
        let mut points = Points::new(d);
        let mut y = Vec::new();
        for _ in 0..n {
            let mut x: Vec<f64> = (0..d).map(|_| stream.uniform()).collect();
            x[d - 1] = (x[d - 1] * 3.0).floor();
            y.push((5.0 * x[0]).sin() + 0.3 * x[d - 1] + 0.05 * stream.normal());
            points.push(&x);
        }
        (points, y)
    }

    #[test]
    fn gradients_agree_with_differences() {
        let (points, y) = data(23, 3);
        let kernel = Kernel::new(vec![false, false, true]);
        let logs = [0.7, -0.4, 0.2, -0.3, -3.0];
        let mut gradient = [0.0; 5];
        kernel.loss(&logs, &points, &y, &mut gradient);
        for i in 0..5 {
            let at = |d: f64| {
                let mut l = logs;
                l[i] += d;
                kernel.loss(&l, &points, &y, &mut [0.0; 5])
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!(
                (slope - gradient[i]).abs() < 1e-5 * slope.abs().max(1.0),
                "{i}: {slope} {}",
                gradient[i]
            );
        }
        let model = Model::new(kernel.with_logs(&logs), points, &y).unwrap();
        for x in [[0.3, 0.4, 1.0], [0.9, 0.1, 7.0]] {
            let mut gradient = [0.0; 3];
            let value = model.log_improvement(&x, -0.5, &mut gradient);
            let mut candidates = Points::new(3);
            candidates.push(&x);
            assert!((model.log_improvements(&candidates, -0.5)[0] - value).abs() < 1e-9);
            for i in 0..2 {
                let at = |d: f64| {
                    let mut x = x;
                    x[i] += d;
                    model.log_improvement(&x, -0.5, &mut [0.0; 3])
                };
                let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
                assert!(
                    (slope - gradient[i]).abs() < 1e-4 * slope.abs().max(1.0),
                    "{i}: {slope} {}",
                    gradient[i]
                );
            }
            assert_eq!(gradient[2], 0.0);
        }
    }

    /// Posterior against scikit-learn 1.9 (Matérn 5/2, ARD, fixed parameters).
    #[test]
    fn agrees_with_scikit_learn() {
        let mut points = Points::new(2);
        for x in [[0.1, 0.2], [0.4, 0.9], [0.8, 0.3], [0.55, 0.5], [0.05, 0.95]] {
            points.push(&x);
        }
        let kernel = Kernel {
            inverse_squares: vec![1.0 / (0.5 * 0.5), 1.0 / (0.8 * 0.8)],
            scale: 1.7,
            noise: 0.01,
            categorical: vec![false; 2],
        };
        let model = Model::new(kernel, points, &[0.3, -1.2, 0.7, -0.4, 1.1]).unwrap();
        for (x, mean, deviation) in [
            ([0.3, 0.3], -0.06256453751119544, 0.3879595986593127),
            ([0.9, 0.9], -0.3313115957700934, 0.902784535282282),
        ] {
            let (found, variance) = model.predict(&x);
            assert!(
                (found - mean).abs() < 1e-9 && (variance.sqrt() - deviation).abs() < 1e-9,
                "{found} {variance}"
            );
        }
    }

    #[test]
    fn the_fit_finds_the_coordinates_that_matter() {
        let (points, y) = data(60, 4);
        let kernel = Kernel::new(vec![false, false, false, true]).fit(&points, &y);
        let theta = &kernel.inverse_squares;
        assert!(theta[0] > 5.0 * theta[1] && theta[0] > 5.0 * theta[2], "{theta:?}");
        assert!((0.0005..0.02).contains(&kernel.noise), "{}", kernel.noise);
        let model = Model::new(kernel, points.clone(), &y).unwrap();
        let x: Vec<f64> = points.columns.iter().map(|c| c[7]).collect();
        assert!((model.predict(&x).0 - y[7]).abs() < 0.2);
        assert!((model.predict(&x).0 - model.fitted(&y)[7]).abs() < 1e-9);
        assert!((model.mean(&x) - model.predict(&x).0).abs() < 1e-12);
        // Without the seventh, by a model that never saw it.
        let (mut others, mut values) = (Points::new(4), Vec::new());
        for i in (0..60).filter(|&i| i != 7) {
            others.push(&points.point(i));
            values.push(y[i]);
        }
        let without = Model::new(model.kernel.clone(), others, &values).unwrap().predict(&x).0;
        assert!((model.left_out(&y)[7] - without).abs() < 1e-8);
    }
}
