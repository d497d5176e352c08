//! The best rate between the grid's points: a quadratic in log rate.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// The lowest point of a quadratic in log₂ rate through the rates around the best one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Optimum {
    /// Rate at the lowest point.
    pub rate: f64,
    /// Lower end of its 90 % interval; `None` where no noise is known.
    pub low: Option<f64>,
    /// Upper end of its 90 % interval.
    pub high: Option<f64>,
    /// Loss there.
    pub loss: f64,
    /// Loss per squared octave: the loss at a rate off by a factor 2ˣ is higher by curvature·x².
    pub curvature: f64,
    /// Lowest and highest rate of the points used: the quadratic is not to be trusted outside.
    pub within: (f64, f64),
    /// Points used.
    pub points: usize,
}

/// Points on each side of the best rate that are used.
const SIDE: usize = 1;
/// Draws for the interval.
const DRAWS: usize = 2000;

/// Fits where the best rate lies inside the finite losses and the quadratic opens upward.
///
/// `noise` is the standard deviation of one loss (of the mean over seeds).
pub(super) fn fit(rates: &[f64], losses: &[f64], noise: Option<f64>) -> Option<Optimum> {
    let best = (0..losses.len())
        .filter(|&i| losses[i].is_finite())
        .min_by(|&a, &b| losses[a].total_cmp(&losses[b]))?;
    let finite = |i: &usize| losses[*i].is_finite();
    let low = (best.saturating_sub(SIDE)..best).rev().take_while(finite).last()?;
    let high = (best + 1..losses.len().min(best + SIDE + 1)).take_while(finite).last()?;
    let x: Vec<f64> = rates[low..=high].iter().map(|rate| rate.log2() - rates[best].log2()).collect();
    let y = &losses[low..=high];
    let (at, loss, curvature) = vertex(&x, y)?;
    let mut draws: Vec<f64> = Vec::new();
    if let Some(noise) = noise.filter(|noise| *noise > 0.0) {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        for _ in 0..DRAWS {
            let shaken: Vec<f64> = y.iter().map(|y| y + noise * normal(&mut rng)).collect();
            // A draw that opens downward, or whose lowest point leaves the points, lies at their end.
            let end = if shaken[0] < shaken[shaken.len() - 1] { x[0] } else { x[x.len() - 1] };
            draws.push(vertex(&x, &shaken).map_or(end, |(at, _, _)| at).clamp(x[0], x[x.len() - 1]));
        }
        draws.sort_by(f64::total_cmp);
    }
    let rate = |at: f64| rates[best] * at.exp2();
    let quantile = |share: f64| draws.get((share * (draws.len() as f64 - 1.0)) as usize).map(|&at| rate(at));
    Some(Optimum {
        rate: rate(at),
        low: quantile(0.05),
        high: quantile(0.95),
        loss,
        curvature,
        within: (rates[low], rates[high]),
        points: x.len(),
    })
}

/// Least squares for a + b·x + c·x²: the place and value of the minimum and c, where c is above zero.
fn vertex(x: &[f64], y: &[f64]) -> Option<(f64, f64, f64)> {
    let count = x.len() as f64;
    let mean = |of: &dyn Fn(usize) -> f64| (0..x.len()).map(of).sum::<f64>() / count;
    let (x1, x2, y0) = (mean(&|i| x[i]), mean(&|i| x[i] * x[i]), mean(&|i| y[i]));
    let (u, v) = (|i: usize| x[i] - x1, |i: usize| x[i] * x[i] - x2);
    let (uu, uv, vv) = (mean(&|i| u(i) * u(i)), mean(&|i| u(i) * v(i)), mean(&|i| v(i) * v(i)));
    let (uy, vy) = (mean(&|i| u(i) * (y[i] - y0)), mean(&|i| v(i) * (y[i] - y0)));
    let determinant = uu * vv - uv * uv;
    let (b, c) = ((uy * vv - vy * uv) / determinant, (vy * uu - uy * uv) / determinant);
    let a = y0 - b * x1 - c * x2;
    (c > 0.0 && c.is_finite()).then(|| (-b / (2.0 * c), a - b * b / (4.0 * c), c))
}

/// A standard normal number (Box–Muller).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_vertex_between_the_points() {
        let rates: Vec<f64> = (-3..=3).map(|i| 1e-2 * 2f64.powi(i)).collect();
        let losses: Vec<f64> = rates.iter().map(|rate| 0.5 + 0.02 * (rate / 1.2e-2).log2().powi(2)).collect();
        let found = fit(&rates, &losses, Some(1e-3)).unwrap();
        assert!((found.rate / 1.2e-2 - 1.0).abs() < 1e-9 && (found.curvature - 0.02).abs() < 1e-9);
        assert!((found.loss - 0.5).abs() < 1e-9);
        let (low, high) = (found.low.unwrap(), found.high.unwrap());
        assert!(low < 1.2e-2 && 1.2e-2 < high && high / low < 1.5, "{found:?}");
        assert_eq!(fit(&rates, &losses, None).unwrap().low, None);
    }

    #[test]
    fn nothing_is_extrapolated() {
        assert!(fit(&[1.0, 2.0, 4.0], &[1.0, 2.0, 3.0], None).is_none());
        assert!(fit(&[1.0, 2.0, 4.0], &[2.0, 1.0, f64::INFINITY], None).is_none());
        assert!(fit(&[1.0], &[1.0], None).is_none());
        assert!(fit(&[1.0, 2.0, 4.0], &[1.0, 1.0, 1.0], None).is_none());
    }
}
