//! Losses as the process sees them.
use crate::history::{History, Key, State};

/// Losses of ranked trials as the model sees them: finite, drawn in on the bad side, with mean 0 and variance 1.
pub(super) fn standardised(history: &History, ranked: &[u32]) -> (Vec<f64>, f64) {
    let loss = |t: u32| history.trial(t as usize).and_then(|t| t.value()).map(|v| history.loss(v));
    let finite: Vec<f64> = ranked.iter().filter_map(|&t| loss(t)).filter(|l| l.is_finite()).collect();
    // Ranked: the first finite loss is the best, the last the worst.
    let (Some(&best), Some(&worst)) = (finite.first(), finite.last()) else {
        return (vec![0.0; ranked.len()], 0.0);
    };
    let median = finite[finite.len() / 2];
    let spread = spread(best, median);
    let clip = |l: f64| l.clamp(best, worst);
    let pruned = |t: u32| {
        let last = history.trial(t as usize).and_then(|t| t.reports().last().copied());
        let comparable = last.filter(|r| r.key == Key::COMPARABLE && !r.value.is_nan());
        comparable.map_or(median, |r| clip(history.loss(r.value)).max(median))
    };
    let mut y: Vec<f64> = ranked
        .iter()
        .map(|&t| match (loss(t), history.states()[t as usize]) {
            (Some(l), _) => clip(l),
            (None, State::Pruned) => pruned(t),
            (None, _) => worst,
        })
        .map(|l| drawn_in((l - median) / spread))
        .collect();
    let (_, unit) = standardise(&mut y);
    (y, spread * unit)
}

/// The distance from the best loss to the median, never nothing.
pub(super) fn spread(best: f64, median: f64) -> f64 {
    (median - best).max(1e-12 * median.abs()).max(f64::MIN_POSITIVE)
}

/// A loss in units of the distance from the best to the median, logarithmic beyond the median.
fn drawn_in(z: f64) -> f64 {
    if z > 0.0 { z.ln_1p() } else { z }
}

/// Shifts and scales to mean 0 and variance 1; returns what 0 and one unit were before.
pub(super) fn standardise(y: &mut [f64]) -> (f64, f64) {
    let n = y.len() as f64;
    let mean = y.iter().sum::<f64>() / n;
    let deviation = (y.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / n).sqrt();
    let unit = if deviation > 1e-12 { deviation } else { 1.0 };
    y.iter_mut().for_each(|y| *y = (*y - mean) / unit);
    (mean, unit)
}
