//! The evolution strategy itself: a normal distribution over the unit cube and its update.
use crate::special::{normal_below, normal_quantile};
use crate::stream::Stream;

/// A point draws again this often before it is clipped into the cube.
const MAX_REDRAWS: usize = 100;

/// The distribution N(mean, σ²·A·C·A) with its evolution paths; A is diagonal and holds the margin of whole numbers.
#[derive(Debug, Clone)]
pub(super) struct Strategy {
    pub(super) mean: Vec<f64>,
    pub(super) sigma: f64,
    /// Row by row.
    covariance: Vec<f64>,
    /// Eigenvectors of the covariance in columns, and the roots of its eigenvalues.
    axes: Vec<f64>,
    lengths: Vec<f64>,
    margin: Vec<f64>,
    path_sigma: Vec<f64>,
    path_c: Vec<f64>,
    generation: usize,
    pub(super) population: usize,
    /// Best losses of the last generations, newest last.
    best: Vec<f64>,
}

/// Rates and weights for a number of ranked points (Hansen 2016, "The CMA evolution strategy: a tutorial", table 1).
struct Rates {
    weights: Vec<f64>,
    mu_eff: f64,
    c_sigma: f64,
    d_sigma: f64,
    c_c: f64,
    c_1: f64,
    c_mu: f64,
}

impl Rates {
    fn new(dimension: usize, points: usize) -> Rates {
        let (d, lambda) = (dimension as f64, points as f64);
        let raw: Vec<f64> = (1..=points).map(|i| ((lambda + 1.0) / 2.0).ln() - (i as f64).ln()).collect();
        let sums = |positive: bool| {
            let part = raw.iter().filter(|&&w| (w > 0.0) == positive);
            let (sum, squares) = part.fold((0.0, 0.0), |(s, q), w| (s + w, q + w * w));
            (sum, if squares > 0.0 { sum * sum / squares } else { 0.0 })
        };
        let ((sum_plus, mu_eff), (sum_minus, mu_eff_minus)) = (sums(true), sums(false));
        let c_1 = 2.0 / ((d + 1.3).powi(2) + mu_eff);
        let c_mu = (2.0 * (mu_eff - 2.0 + 1.0 / mu_eff) / ((d + 2.0).powi(2) + mu_eff)).min(1.0 - c_1);
        let c_sigma = (mu_eff + 2.0) / (d + mu_eff + 5.0);
        let d_sigma = 1.0 + 2.0 * (((mu_eff - 1.0) / (d + 1.0)).sqrt() - 1.0).max(0.0) + c_sigma;
        let c_c = (4.0 + mu_eff / d) / (d + 4.0 + 2.0 * mu_eff / d);
        let limits = [
            1.0 + c_1 / c_mu.max(1e-300),
            1.0 + 2.0 * mu_eff_minus / (mu_eff + 2.0),
            (1.0 - c_1 - c_mu) / (d * c_mu.max(1e-300)),
        ];
        let minus = limits.into_iter().fold(f64::INFINITY, f64::min);
        let weights = raw
            .iter()
            .map(|&w| if w > 0.0 { w / sum_plus } else { minus * w / -sum_minus.min(-1e-300) })
            .collect();
        Rates { weights, mu_eff, c_sigma, d_sigma, c_c, c_1, c_mu }
    }
}

/// The customary number of points per generation.
pub(super) fn default_population(dimension: usize) -> usize {
    4 + (3.0 * (dimension as f64).ln()).floor() as usize
}

impl Strategy {
    /// A round distribution.
    pub(super) fn new(mean: Vec<f64>, sigma: f64, population: usize) -> Strategy {
        let d = mean.len();
        let mut identity = vec![0.0; d * d];
        (0..d).for_each(|i| identity[i * d + i] = 1.0);
        Strategy {
            sigma,
            covariance: identity.clone(),
            axes: identity,
            lengths: vec![1.0; d],
            margin: vec![1.0; d],
            path_sigma: vec![0.0; d],
            path_c: vec![0.0; d],
            generation: 0,
            population,
            best: Vec::new(),
            mean,
        }
    }

    /// The distribution of the promising points of another study (Nomura et al., AAAI 2021): a normal fitted to the best
    /// tenth of them, widened by a tenth of the cube.
    pub(super) fn from_points(points: &[Vec<f64>], population: usize) -> Option<Strategy> {
        let d = points.first()?.len();
        let top = &points[..points.len().div_ceil(10)];
        let n = top.len() as f64;
        let mean: Vec<f64> = (0..d).map(|i| top.iter().map(|p| p[i]).sum::<f64>() / n).collect();
        let mut strategy = Strategy::new(mean, 1.0, population);
        for i in 0..d {
            for j in 0..d {
                let c =
                    top.iter().map(|p| (p[i] - strategy.mean[i]) * (p[j] - strategy.mean[j])).sum::<f64>()
                        / n;
                strategy.covariance[i * d + j] = c + if i == j { 0.01 } else { 0.0 };
            }
        }
        strategy.decompose();
        let log_det: f64 = strategy.lengths.iter().map(|l| 2.0 * l.ln()).sum();
        strategy.sigma = (log_det / (2.0 * d as f64)).exp();
        let scale = strategy.sigma * strategy.sigma;
        strategy.covariance.iter_mut().for_each(|c| *c /= scale);
        strategy.lengths.iter_mut().for_each(|l| *l /= strategy.sigma);
        Some(strategy)
    }

    /// A standard normal direction for the k-th point of a generation (Wang, Emmerich and Bäck, "Mirrored orthogonal sampling
    /// for covariance matrix adaptation evolution strategies", Evolutionary Computation 27, 2019): points 2j and 2j+1 are
    /// opposite to each other, and d successive pairs are orthogonal. `stream` is at the start of the generation's own.
    pub(super) fn direction(&self, k: usize, stream: &mut Stream) -> Vec<f64> {
        let d = self.mean.len();
        let mut frame: Vec<Vec<f64>> = Vec::with_capacity(d);
        for pair in 0..=k / 2 {
            if pair % d == 0 {
                frame.clear();
            }
            let mut z: Vec<f64> = (0..d).map(|_| stream.normal()).collect();
            let length = norm(&z);
            for unit in &frame {
                let along: f64 = unit.iter().zip(&z).map(|(u, z)| u * z).sum();
                z.iter_mut().zip(unit).for_each(|(z, u)| *z -= along * u);
            }
            let rest = norm(&z).max(1e-300);
            z.iter_mut().for_each(|z| *z /= rest);
            if pair == k / 2 {
                let signed = if k % 2 == 1 { -length } else { length };
                return z.iter().map(|z| z * signed).collect();
            }
            frame.push(z);
        }
        vec![0.0; d]
    }

    /// Draws a point of the unit cube: in the `planned` direction if that ends inside, else at random.
    pub(super) fn draw(&self, planned: Option<&Vec<f64>>, stream: &mut Stream, point: &mut [f64]) {
        let d = self.mean.len();
        let mut z = vec![0.0; d];
        for attempt in 0..MAX_REDRAWS {
            match planned.filter(|_| attempt == 0) {
                Some(planned) => z.copy_from_slice(planned),
                None => z.iter_mut().for_each(|z| *z = stream.normal()),
            }
            z.iter_mut().zip(&self.lengths).for_each(|(z, length)| *z *= length);
            for (i, x) in point.iter_mut().enumerate() {
                let y: f64 = self.axes[i * d..(i + 1) * d].iter().zip(&z).map(|(a, z)| a * z).sum();
                *x = self.mean[i] + self.sigma * self.margin[i] * y;
            }
            if point.iter().all(|x| (0.0..=1.0).contains(x)) {
                return;
            }
        }
        point.iter_mut().for_each(|x| *x = x.clamp(0.0, 1.0));
    }

    /// One generation: points by rank, best first, and the loss of the best. NaN coordinates say nothing.
    pub(super) fn update(&mut self, ranked: &[Vec<f64>], best: f64) {
        let d = self.mean.len();
        if ranked.len() < 2 {
            return;
        }
        let rates = Rates::new(d, ranked.len());
        let df = d as f64;
        let expected = df.sqrt() * (1.0 - 1.0 / (4.0 * df) + 1.0 / (21.0 * df * df));
        // Steps in units of σ·A, shortened where they are longer than any that the strategy draws itself.
        let longest = df.sqrt() + 2.0 * df / (df + 2.0);
        let steps: Vec<Vec<f64>> = ranked
            .iter()
            .map(|point| {
                let mut y: Vec<f64> = (0..d)
                    .map(|i| {
                        if point[i].is_nan() {
                            0.0
                        } else {
                            (point[i] - self.mean[i]) / (self.sigma * self.margin[i])
                        }
                    })
                    .collect();
                let length = norm(&self.whiten(&y));
                if length > longest {
                    y.iter_mut().for_each(|y| *y *= longest / length);
                }
                y
            })
            .collect();
        let step: Vec<f64> = (0..d)
            .map(|i| steps.iter().zip(&rates.weights).filter(|(_, w)| **w > 0.0).map(|(y, w)| w * y[i]).sum())
            .collect();
        for ((mean, margin), step) in self.mean.iter_mut().zip(&self.margin).zip(&step) {
            *mean = (*mean + self.sigma * margin * step).clamp(0.0, 1.0);
        }
        self.generation += 1;
        let white = self.whiten(&step);
        let gain = (rates.c_sigma * (2.0 - rates.c_sigma) * rates.mu_eff).sqrt();
        for (p, w) in self.path_sigma.iter_mut().zip(&white) {
            *p = (1.0 - rates.c_sigma) * *p + gain * w;
        }
        let length = norm(&self.path_sigma);
        let decay = 1.0 - (1.0 - rates.c_sigma).powi(2 * self.generation.min(100_000) as i32);
        let stalled = length / decay.sqrt() >= (1.4 + 2.0 / (df + 1.0)) * expected;
        let h = if stalled { 0.0 } else { 1.0 };
        let gain = (rates.c_c * (2.0 - rates.c_c) * rates.mu_eff).sqrt();
        for (p, y) in self.path_c.iter_mut().zip(&step) {
            *p = (1.0 - rates.c_c) * *p + h * gain * y;
        }
        self.update_covariance(&rates, &steps, h);
        self.sigma *= ((rates.c_sigma / rates.d_sigma) * (length / expected - 1.0)).min(1.0).exp();
        self.sigma = self.sigma.clamp(1e-15, 1e3);
        self.decompose();
        self.best.push(best);
    }

    fn update_covariance(&mut self, rates: &Rates, steps: &[Vec<f64>], h: f64) {
        let d = self.mean.len();
        let weights: Vec<f64> = rates
            .weights
            .iter()
            .zip(steps)
            .map(|(&w, y)| match w < 0.0 {
                // Negative weights are scaled so that the matrix stays positive definite.
                true => w * d as f64 / norm(&self.whiten(y)).powi(2).max(1e-8),
                false => w,
            })
            .collect();
        let total: f64 = rates.weights.iter().sum();
        let lost = (1.0 - h) * rates.c_c * (2.0 - rates.c_c);
        let keep = 1.0 + rates.c_1 * lost - rates.c_1 - rates.c_mu * total;
        for i in 0..d {
            for j in 0..=i {
                let rank_mu: f64 = weights.iter().zip(steps).map(|(w, y)| w * y[i] * y[j]).sum();
                let c = keep * self.covariance[i * d + j]
                    + rates.c_1 * self.path_c[i] * self.path_c[j]
                    + rates.c_mu * rank_mu;
                self.covariance[i * d + j] = c;
                self.covariance[j * d + i] = c;
            }
        }
    }

    /// C^(−½)·y.
    fn whiten(&self, y: &[f64]) -> Vec<f64> {
        let d = y.len();
        let scaled: Vec<f64> = (0..d)
            .map(|k| (0..d).map(|i| self.axes[i * d + k] * y[i]).sum::<f64>() / self.lengths[k])
            .collect();
        (0..d).map(|i| (0..d).map(|k| self.axes[i * d + k] * scaled[k]).sum()).collect()
    }

    fn decompose(&mut self) {
        let d = self.mean.len();
        let (values, vectors) = symmetric_eigen(&self.covariance, d);
        let largest = values.iter().copied().fold(0.0, f64::max);
        let least = (largest * 1e-14).max(1e-300);
        self.lengths = values.iter().map(|v| v.max(least).sqrt()).collect();
        self.axes = vectors;
    }

    /// Keeps a chance of at least 1/(d·λ) that a countable coordinate leaves its present value (Hamano et al., "CMA-ES with
    /// margin", GECCO 2022). `levels` has the number of values, 0 for a continuous coordinate.
    pub(super) fn keep_margin(&mut self, levels: &[u64]) {
        let d = self.mean.len();
        let alpha = 1.0 / (d * self.population) as f64;
        for (i, &levels) in levels.iter().enumerate().filter(|(_, l)| **l >= 2) {
            let k = levels as f64;
            let spread = self.sigma * self.covariance[i * d + i].max(1e-300).sqrt();
            let level = (self.mean[i] * k).floor().clamp(0.0, k - 1.0);
            let (low, high) = (level / k, (level + 1.0) / k);
            let s = spread * self.margin[i];
            let (below, above) =
                (normal_below((low - self.mean[i]) / s), normal_below((self.mean[i] - high) / s));
            if level == 0.0 {
                if above < alpha {
                    self.mean[i] = (high - s * normal_quantile(1.0 - alpha)).clamp(0.0, 1.0);
                    self.widen_to(i, spread, high - self.mean[i], alpha);
                }
            } else if level == k - 1.0 {
                if below < alpha {
                    self.mean[i] = (low + s * normal_quantile(1.0 - alpha)).clamp(0.0, 1.0);
                    self.widen_to(i, spread, self.mean[i] - low, alpha);
                }
            } else if below < 0.5 * alpha || above < 0.5 * alpha {
                let quantile = |p: f64| normal_quantile(1.0 - p.max(0.5 * alpha).min(0.49));
                let (q_low, q_high) = (quantile(below), quantile(above));
                let s = (high - low) / (q_low + q_high);
                self.mean[i] = low + s * q_low;
                self.margin[i] = s / spread;
            }
        }
    }

    /// Widens a coordinate at the cube's side if moving its mean was not enough.
    fn widen_to(&mut self, i: usize, spread: f64, distance: f64, alpha: f64) {
        let needed = distance / normal_quantile(1.0 - alpha).max(1e-3);
        if spread * self.margin[i] < needed * (1.0 - 1e-9) {
            self.margin[i] = needed / spread;
        }
    }

    /// Whether nothing is to be gained from this distribution any more.
    pub(super) fn is_spent(&self) -> bool {
        let d = self.mean.len();
        let (long, short) =
            self.lengths.iter().fold((0.0f64, f64::INFINITY), |(a, b), &l| (a.max(l), b.min(l)));
        let patience = 10 + (30 * d).div_ceil(self.population);
        let flat = self.best.len() > patience && {
            let last = &self.best[self.best.len() - patience..];
            last.windows(2).all(|w| w[0] == w[1])
        };
        self.sigma * long < 1e-11 || long / short > 1e7 || flat
    }
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Eigenvalues and eigenvectors (in columns) of a symmetric matrix, by Jacobi's rotations.
fn symmetric_eigen(matrix: &[f64], d: usize) -> (Vec<f64>, Vec<f64>) {
    let mut a = matrix.to_vec();
    let mut v = vec![0.0; d * d];
    (0..d).for_each(|i| v[i * d + i] = 1.0);
    for _sweep in 0..50 {
        let off: f64 =
            (0..d).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i * d + j].powi(2)).sum();
        let scale: f64 = (0..d).map(|i| a[i * d + i].powi(2)).sum();
        if off <= 1e-30 * scale || !off.is_finite() {
            break;
        }
        for p in 0..d {
            for q in p + 1..d {
                let apq = a[p * d + q];
                if apq == 0.0 {
                    continue;
                }
                let theta = (a[q * d + q] - a[p * d + p]) / (2.0 * apq);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let t = if theta == 0.0 { 1.0 } else { t };
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..d {
                    let (x, y) = (a[k * d + p], a[k * d + q]);
                    (a[k * d + p], a[k * d + q]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..d {
                    let (x, y) = (a[p * d + k], a[q * d + k]);
                    (a[p * d + k], a[q * d + k]) = (c * x - s * y, s * x + c * y);
                    let (x, y) = (v[k * d + p], v[k * d + q]);
                    (v[k * d + p], v[k * d + q]) = (c * x - s * y, s * x + c * y);
                }
            }
        }
    }
    ((0..d).map(|i| a[i * d + i]).collect(), v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigen_reconstructs() {
        let mut stream = Stream::for_trial(3, 0);
        for d in [1, 2, 5, 12] {
            let b: Vec<f64> = (0..d * d).map(|_| stream.normal()).collect();
            let a: Vec<f64> =
                (0..d * d).map(|k| (0..d).map(|m| b[k / d * d + m] * b[k % d * d + m]).sum()).collect();
            let (values, v) = symmetric_eigen(&a, d);
            for i in 0..d {
                for j in 0..d {
                    let back: f64 = (0..d).map(|k| v[i * d + k] * values[k] * v[j * d + k]).sum();
                    assert!((back - a[i * d + j]).abs() < 1e-10 * d as f64, "{back} {}", a[i * d + j]);
                }
            }
        }
    }

    #[test]
    fn rates_agree_with_the_tutorial() {
        // d = 10, λ = 10, computed by hand from table 1 (also pycma's defaults to these digits).
        let r = Rates::new(10, 10);
        assert!((r.mu_eff - 3.167_299).abs() < 1e-5, "{}", r.mu_eff);
        assert!((r.weights.iter().filter(|w| **w > 0.0).sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((r.c_1 - 2.0 / (11.3f64.powi(2) + r.mu_eff)).abs() < 1e-15);
        assert!(r.weights.iter().sum::<f64>() > -2.0);
    }

    /// Minimises an ill-conditioned, rotated quadratic to far below what random search reaches.
    #[test]
    fn converges_on_a_rotated_ellipsoid() {
        let d = 5;
        let f = |x: &[f64]| -> f64 {
            (0..d)
                .map(|i| {
                    let y: f64 = (0..d).map(|j| (x[j] - 0.4) * ((i * 7 + j * 3) as f64).sin()).sum();
                    10f64.powi(i as i32) * y * y
                })
                .sum()
        };
        let mut strategy = Strategy::new(vec![0.5; d], 0.2, 8);
        let mut stream = Stream::for_trial(1, 0);
        let mut best = f64::INFINITY;
        for _ in 0..400 {
            let mut points: Vec<Vec<f64>> = (0..8)
                .map(|_| {
                    let mut p = vec![0.0; d];
                    strategy.draw(None, &mut stream, &mut p);
                    p
                })
                .collect();
            points.sort_by(|a, b| f(a).total_cmp(&f(b)));
            best = best.min(f(&points[0]));
            strategy.update(&points, best);
        }
        assert!(best < 1e-9, "{best}");
    }

    #[test]
    fn directions_are_mirrored_orthogonal_and_normal() {
        let strategy = Strategy::new(vec![0.5; 3], 0.2, 8);
        let all = |seed| -> Vec<Vec<f64>> {
            (0..8).map(|k| strategy.direction(k, &mut Stream::for_trial(seed, 9))).collect()
        };
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        let one = all(1);
        for k in [0, 2, 4, 6] {
            assert!(one[k].iter().zip(&one[k + 1]).all(|(a, b)| *a == -b), "{one:?}");
        }
        for (a, b) in [(0, 2), (0, 4), (2, 4)] {
            assert!(dot(&one[a], &one[b]).abs() < 1e-12, "{one:?}");
        }
        // Each on its own is standard normal: first and second moments over many generations.
        let n = 4000;
        for k in [0, 5, 6] {
            let points: Vec<Vec<f64>> = (0..n).map(|seed| all(seed)[k].clone()).collect();
            for i in 0..3 {
                let mean = points.iter().map(|p| p[i]).sum::<f64>() / n as f64;
                let square = points.iter().map(|p| p[i] * p[i]).sum::<f64>() / n as f64;
                assert!(mean.abs() < 0.07 && (square - 1.0).abs() < 0.1, "{k} {i}: {mean} {square}");
            }
        }
    }

    #[test]
    fn margin_keeps_whole_numbers_moving() {
        let mut strategy = Strategy::new(vec![0.5, 0.55, 0.05, 0.97], 1e-6, 8);
        strategy.keep_margin(&[0, 10, 10, 10]);
        let mut stream = Stream::for_trial(1, 0);
        let mut left = [0; 4];
        let n = 40_000;
        for _ in 0..n {
            let mut p = vec![0.0; 4];
            strategy.draw(None, &mut stream, &mut p);
            for (i, level) in [(1, 5), (2, 0), (3, 9)] {
                left[i] += usize::from((p[i] * 10.0) as usize != level);
            }
        }
        // At least 1/(4·8) each.
        assert!(left[1..].iter().all(|&c| c as f64 > 0.9 / 32.0 * n as f64), "{left:?}");
    }
}
