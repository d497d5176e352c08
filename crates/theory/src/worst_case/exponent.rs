//! The exponent with which the worst error grows with the misspecification ρ.

use serde::Serialize;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::diffusion::{Grid, mean_distance};
use super::{LONGEST_STEP, Shape, Walk};
use crate::error::{Error, require};

/// Horizon and window of an exponent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Horizon T.
    pub steps: f64,
    /// Lowest ρ.
    pub rho_low: f64,
    /// Highest ρ.
    pub rho_high: f64,
    /// Values of ρ, equally spaced on the log scale.
    pub points: usize,
    /// Threads; the results do not depend on it.
    pub threads: usize,
}

/// The worst error at one ρ.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WorstError {
    /// Base rate over γ*.
    pub rho: f64,
    /// Base rate, in units of D/G.
    pub rate: f64,
    /// The worst slope ε, in units of G.
    pub slope: f64,
    /// ε·E(D − x_T)·√T, in units of DG.
    pub error: f64,
}

/// The exponent of one schedule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Exponent {
    /// Least-squares slope of log error on log ρ.
    pub exponent: f64,
    /// Lower end of its interval: curvature of the line within the window (95 %) and the grid's own error.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
    /// The worst error at each ρ.
    pub points: Vec<WorstError>,
}

/// The exponents of several schedules, each with the γ* (in units of D/G) to which its ρ refers.
///
/// # Errors
/// A window that is empty or not above 0, fewer than three points, a horizon below 100, or rates so large that a
/// step leaves the domain (ρ·γ* above D/2), where the walk is no longer like its continuum.
pub fn exponents(schedules: &[(&dyn Shape, f64)], options: Options) -> Result<Vec<Exponent>, Error> {
    let Options { steps, rho_low, rho_high, points, threads } = options;
    require(steps.is_finite() && steps >= 100.0, "the horizon", steps, "at least 100 steps")?;
    require(rho_low.is_finite() && rho_low > 0.0, "the lowest rho", rho_low, "finite and above 0")?;
    require(rho_high.is_finite() && rho_high > rho_low, "the highest rho", rho_high, "above the lowest")?;
    require(points >= 3, "the number of rho", points as f64, "at least 3")?;
    for &(_, gamma) in schedules {
        require(gamma.is_finite() && gamma > 0.0, "gamma*", gamma, "finite and above 0")?;
        let largest = rho_high * gamma;
        require(
            largest <= LONGEST_STEP,
            "the largest step (highest rho times gamma*)",
            largest,
            "at most half of D; take more steps or a lower rho",
        )?;
    }
    // A task is one schedule on one grid.
    let tasks: Vec<(usize, Grid)> = [Grid::FINE, Grid::COARSE]
        .into_iter()
        .flat_map(|grid| (0..schedules.len()).map(move |schedule| (schedule, grid)))
        .collect();
    let spacing = (rho_high / rho_low).ln() / (points - 1) as f64;
    let rhos: Vec<f64> = (0..points).map(|k| rho_low * (spacing * k as f64).exp()).collect();
    let lines = in_parallel(tasks.len(), threads, |task| {
        let (schedule, grid) = tasks[task];
        let (shape, gamma) = schedules[schedule];
        line(shape, gamma, steps, &rhos, grid)
    });
    let (fine, coarse) = lines.split_at(schedules.len());
    Ok(fine.iter().zip(coarse).map(|(fine, coarse)| exponent(fine, coarse)).collect())
}

fn exponent(fine: &[WorstError], coarse: &[WorstError]) -> Exponent {
    let on_log = |points: &[WorstError]| -> Vec<(f64, f64)> {
        points.iter().map(|point| (point.rho.ln(), point.error.ln())).collect()
    };
    let (slope, error) = regression(&on_log(fine));
    let half = 1.96 * error + (slope - regression(&on_log(coarse)).0).abs();
    Exponent { exponent: slope, low: slope - half, high: slope + half, points: fine.to_vec() }
}

/// Least-squares slope of y on x with its standard error.
pub(super) fn regression(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len() as f64;
    let x0 = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let y0 = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let spread: f64 = points.iter().map(|(x, _)| (x - x0).powi(2)).sum();
    let slope = points.iter().map(|(x, y)| (x - x0) * (y - y0)).sum::<f64>() / spread;
    let squares: f64 = points.iter().map(|(x, y)| (y - y0 - slope * (x - x0)).powi(2)).sum();
    (slope, (squares / (count - 2.0).max(1.0) / spread).sqrt())
}

/// Steps of the search for the worst ε, on the log scale.
const SEARCH: f64 = 0.2;

/// The worst errors of one schedule at every ρ. The worst ε grows with ρ, so each search starts from the last.
fn line(shape: &dyn Shape, gamma: f64, steps: f64, rhos: &[f64], grid: Grid) -> Vec<WorstError> {
    let mut begin = (0.05 / steps.sqrt()).ln();
    rhos.iter()
        .map(|&rho| {
            let peak = rho * gamma;
            let error = |log: f64| {
                let walk = Walk { shape, peak, slope: log.exp(), steps };
                (log.exp() * mean_distance(&walk, grid) * steps.sqrt()).max(f64::MIN_POSITIVE).ln()
            };
            let (log, log_error) = climb(begin, 0.5f64.ln(), error);
            begin = log - 3.0 * SEARCH;
            WorstError { rho, rate: peak, slope: log.exp(), error: log_error.exp() }
        })
        .collect()
}

/// The first maximum of `value` upward from `begin`: walk until it falls twice, then a parabola through the top.
/// Beyond `end` no larger value is looked for.
fn climb(begin: f64, end: f64, value: impl Fn(f64) -> f64) -> (f64, f64) {
    let mut seen: Vec<(f64, f64)> = Vec::new();
    let mut top = 0;
    let mut at = begin.min(end - SEARCH);
    while at <= end && seen.len() < top + 4 {
        seen.push((at, value(at)));
        if seen[seen.len() - 1].1 > seen[top].1 {
            top = seen.len() - 1;
        }
        at += SEARCH;
    }
    if top == 0 || top + 1 == seen.len() {
        return seen[top];
    }
    let (left, middle, right) = (seen[top - 1].1, seen[top].1, seen[top + 1].1);
    let curvature = left - 2.0 * middle + right;
    let shift = if curvature < 0.0 { 0.5 * (left - right) / curvature } else { 0.0 };
    (
        seen[top].0 + shift * SEARCH,
        middle - 0.125 * (left - right).powi(2) / curvature.min(-f64::MIN_POSITIVE),
    )
}

/// `work(0) … work(count − 1)` on several threads, in order.
pub(super) fn in_parallel<T: Send>(count: usize, threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let labour = || {
        let mut done = Vec::new();
        loop {
            let task = next.fetch_add(1, Ordering::Relaxed);
            if task >= count {
                return done;
            }
            done.push((task, work(task)));
        }
    };
    let mut all: Vec<(usize, T)> = std::thread::scope(|scope| {
        let hands: Vec<_> = (0..threads.clamp(1, count.max(1))).map(|_| scope.spawn(labour)).collect();
        hands
            .into_iter()
            .flat_map(|hand| match hand.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    });
    all.sort_by_key(|(task, _)| *task);
    all.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(steps: f64, rho_low: f64, rho_high: f64) -> Options {
        Options { steps, rho_low, rho_high, points: 5, threads: 2 }
    }

    #[test]
    fn exponents_are_those_of_the_theorem() {
        let gamma = |factor: f64, steps: f64| 2.0 * factor / steps.sqrt();
        let constant = |_: f64| 1.0;
        let linear = |u: f64| 1.0 - u;
        let square = |u: f64| (1.0 - u).powi(2);
        let found = exponents(
            &[(&constant, gamma(0.26, 1e8)), (&linear, gamma(1.0, 1e8)), (&square, gamma(1.41, 1e8))],
            options(1e8, 10.0, 316.0),
        )
        .unwrap();
        for (found, theory) in found.iter().zip([1.0, 1.0 / 3.0, 0.2]) {
            assert!((found.exponent - theory).abs() < 0.03, "{found:?} {theory}");
            assert!(found.low <= found.exponent && found.exponent <= found.high);
        }
    }

    #[test]
    fn threads_change_nothing() {
        let linear = |u: f64| 1.0 - u;
        let run =
            |threads| exponents(&[(&linear, 1e-3)], Options { threads, ..options(1e6, 5.0, 20.0) }).unwrap();
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn refuses_windows_without_sense() {
        let linear = |u: f64| 1.0 - u;
        let schedules: [(&dyn Shape, f64); 1] = [(&linear, 1e-3)];
        for wrong in [
            options(10.0, 1.0, 2.0),
            options(f64::NAN, 1.0, 2.0),
            options(1e6, 2.0, 2.0),
            options(1e6, 0.0, 2.0),
            options(1e6, 1.0, 1e6),
            Options { points: 2, ..options(1e6, 1.0, 2.0) },
        ] {
            assert!(exponents(&schedules, wrong).is_err(), "{wrong:?}");
        }
    }
}
