//! Our own reading of a range test: a local line through the losses, with an interval and its doubts.

use lehr_search::Stream;
use serde::Serialize;

use super::Readings;

/// Where the loss falls fastest, and where it is lowest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Fit {
    /// The rate at which the loss falls fastest per octave.
    pub steepest: f64,
    /// Its 90 % interval, from resampled residuals.
    pub interval: (f64, f64),
    /// The rate at which the fitted loss is lowest: sane peak rates of annealed runs rarely lie above it.
    pub lowest: f64,
    /// By how much the fitted loss falls from the start to its lowest point.
    pub fall: f64,
    /// Standard deviation of the losses around the fit.
    pub noise: f64,
}

/// Width of the kernel, in octaves.
const WIDTH: f64 = 1.0;
/// Resamplings for the interval, and the length of the blocks that are kept together.
const RESAMPLES: usize = 200;
const BLOCK: usize = 6;

/// Fits; a fit is `None` where the loss does not fall at all.
pub(super) fn fit(readings: &Readings, diverged: Option<f64>) -> (Option<Fit>, Vec<String>) {
    let x: Vec<f64> = readings.rates.iter().map(|rate| rate.log2()).collect();
    let line = smooth(&x, &readings.losses);
    // At the ends the line leans on one side only: its slope there is mostly noise.
    let inner = x.iter().position(|at| at - x[0] >= width(&x) / 2.0).unwrap_or(0);
    let Some((steepest, lowest)) = marks(&line, inner) else {
        return (
            None,
            vec!["the loss never falls: start at a lower rate, or look whether the program trains".into()],
        );
    };
    let residuals: Vec<f64> = readings.losses.iter().zip(&line).map(|(y, l)| y - l.0).collect();
    let before = &residuals[..=lowest];
    let noise = (before.iter().map(|r| r * r).sum::<f64>() / before.len() as f64).sqrt();
    let mut stream = Stream::for_trial(0, x.len() as u64);
    let mut places: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            // Only the stretch before the lowest point is resampled: what breaks behind it has residuals of its own.
            let mut y: Vec<f64> = line.iter().map(|l| l.0).collect();
            let mut i = 0;
            while i <= lowest {
                let from = stream.below(before.len());
                let sign = if stream.bits() & 1 == 0 { 1.0 } else { -1.0 };
                for k in 0..BLOCK.min(lowest + 1 - i) {
                    y[i + k] += sign * before[(from + k) % before.len()];
                }
                i += BLOCK;
            }
            marks(&smooth(&x, &y), inner).map(|(steepest, _)| x[steepest])
        })
        .collect();
    places.sort_by(f64::total_cmp);
    let at = |share: f64| places[((places.len() - 1) as f64 * share).round() as usize].exp2();
    let middle = x[steepest].exp2();
    let interval =
        if places.is_empty() { (middle, middle) } else { (at(0.05).min(middle), at(0.95).max(middle)) };
    let fall = line[0].0.max(line[steepest].0) - line[lowest].0;
    let fit = Fit { steepest: middle, interval, lowest: x[lowest].exp2(), fall, noise };
    let mut warnings = Vec::new();
    if fall < 6.0 * noise || fall <= 1e-6 * line[0].0.abs() {
        warnings
            .push(format!("the loss hardly falls ({fall:.2e}, noise {noise:.2e}): the test tells little"));
    }
    if lowest + 3 >= x.len() && diverged.is_none() {
        warnings.push("the loss still falls at the highest rate: test higher ones".into());
    }
    if steepest < (x.len() / 20).max(inner + 2) {
        warnings.push("the loss falls fastest at the lowest rates: test lower ones".into());
    }
    if (interval.1 / interval.0).log2() > 4.0 {
        warnings
            .push("where it falls fastest is known to no better than four octaves: take more updates".into());
    }
    (Some(fit), warnings)
}

/// Value and slope of a local line (tricube weights) at each reading.
fn smooth(x: &[f64], y: &[f64]) -> Vec<(f64, f64)> {
    let width = width(x);
    x.iter()
        .map(|&at| {
            let (mut s0, mut s1, mut s2, mut t0, mut t1) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for (x, y) in x.iter().zip(y) {
                let d = x - at;
                let w = (1.0 - (d / width).abs().min(1.0).powi(3)).powi(3);
                s0 += w;
                s1 += w * d;
                s2 += w * d * d;
                t0 += w * y;
                t1 += w * d * y;
            }
            let det = s0 * s2 - s1 * s1;
            if det > 1e-12 { ((s2 * t0 - s1 * t1) / det, (s0 * t1 - s1 * t0) / det) } else { (t0 / s0, 0.0) }
        })
        .collect()
}

/// Half the width of the kernel, in octaves: at least about nine readings are under it.
fn width(x: &[f64]) -> f64 {
    WIDTH.max(4.5 * (x[x.len() - 1] - x[0]) / x.len() as f64)
}

/// Places of the steepest fall from `inner` to the lowest point, and of the lowest point; `None` where nothing falls.
fn marks(line: &[(f64, f64)], inner: usize) -> Option<(usize, usize)> {
    let lowest = (inner..line.len()).min_by(|&a, &b| line[a].0.total_cmp(&line[b].0))?;
    let steepest = (inner..=lowest).min_by(|&a, &b| line[a].1.total_cmp(&line[b].1))?;
    (line[steepest].1 < 0.0).then_some((steepest, lowest))
}
