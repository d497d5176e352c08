//! Robust nonlinear least squares in a few parameters: Huber's loss, Levenberg–Marquardt on reweighted residuals.

use super::solve::{cholesky, solve};

/// Minimises Σ ρ_δ(r_i(θ)) + ½·Σ [w·(θ_i − m)]² over the `penalties` (i, m, w), with ρ_δ(r) = r²/2 within ±δ and δ(|r| − δ/2) beyond.
///
/// `residuals(θ, row)` calls `row(r, ∂r/∂θ)` for every residual. Gives θ and its cost; from a start whose residuals
/// are not finite it gives the start and infinity.
pub(super) fn minimise(
    start: Vec<f64>,
    delta: f64,
    penalties: &[(usize, f64, f64)],
    iterations: usize,
    residuals: impl Fn(&[f64], &mut dyn FnMut(f64, &[f64])),
) -> (Vec<f64>, f64) {
    let cost = |theta: &[f64]| {
        let mut total: f64 =
            penalties.iter().map(|&(i, mean, w)| 0.5 * (w * (theta[i] - mean)).powi(2)).sum();
        residuals(theta, &mut |r, _| total += huber(r, delta));
        if total.is_finite() { total } else { f64::INFINITY }
    };
    let mut theta = start;
    let mut best = cost(&theta);
    let mut damping = 1e-3;
    for _ in 0..iterations {
        if !best.is_finite() {
            break;
        }
        let (mut normal, mut right) = normal_equations(&theta, delta, &residuals);
        for &(i, mean, w) in penalties {
            normal[i][i] += w * w;
            right[i] += w * w * (theta[i] - mean);
        }
        let mut improved = false;
        while damping < 1e12 {
            let mut damped = normal.clone();
            damped.iter_mut().enumerate().for_each(|(i, row)| row[i] += damping * row[i].max(1e-12));
            let Some(factor) = cholesky(&damped) else {
                damping *= 10.0;
                continue;
            };
            let trial: Vec<f64> = theta.iter().zip(solve(&factor, &right)).map(|(t, s)| t - s).collect();
            let value = cost(&trial);
            if value < best {
                improved = best - value > 1e-10 * best;
                (theta, best) = (trial, value);
                damping = (damping * 0.2).max(1e-12);
                break;
            }
            damping *= 5.0;
        }
        if !improved {
            break;
        }
    }
    (theta, best)
}

/// JᵀWJ and JᵀWr with Huber's weights at θ.
pub(super) fn normal_equations(
    theta: &[f64],
    delta: f64,
    residuals: &impl Fn(&[f64], &mut dyn FnMut(f64, &[f64])),
) -> (Vec<Vec<f64>>, Vec<f64>) {
    let size = theta.len();
    let (mut normal, mut right) = (vec![vec![0.0; size]; size], vec![0.0; size]);
    residuals(theta, &mut |r, gradient| {
        let weight = if r.abs() <= delta { 1.0 } else { delta / r.abs() };
        for (i, row) in normal.iter_mut().enumerate() {
            let scaled = weight * gradient[i];
            right[i] += scaled * r;
            row.iter_mut().zip(gradient).for_each(|(entry, slope)| *entry += scaled * slope);
        }
    });
    (normal, right)
}

fn huber(r: f64, delta: f64) -> f64 {
    if r.abs() <= delta { 0.5 * r * r } else { delta * (r.abs() - 0.5 * delta) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_an_exponential_through_outliers() {
        let truth = [2.0, -0.7];
        let points: Vec<(f64, f64)> = (0..40)
            .map(|i| {
                let x = i as f64 * 0.1;
                let outlier = if i % 10 == 3 { 5.0 } else { 0.0 };
                (x, truth[0] * (truth[1] * x).exp() + outlier)
            })
            .collect();
        let residuals = |theta: &[f64], row: &mut dyn FnMut(f64, &[f64])| {
            for &(x, y) in &points {
                let e = (theta[1] * x).exp();
                row(theta[0] * e - y, &[e, theta[0] * x * e]);
            }
        };
        let (theta, _) = minimise(vec![1.0, 0.0], 1e-3, &[], 200, residuals);
        assert!((theta[0] - 2.0).abs() < 2e-3 && (theta[1] + 0.7).abs() < 2e-3, "{theta:?}");
    }
}
