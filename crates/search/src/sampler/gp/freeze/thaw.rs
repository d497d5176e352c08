//! Which paused trial to take up again.
use super::super::model::{Model, Points, log_gain};
use super::super::values::standardise;
use super::super::view::View;
use super::curves::Curves;
use super::{FLOOR, fitted};
use crate::history::History;
use crate::space::Space;

/// Reports that the model holds at most.
const MOST_REPORTS: usize = 160;
/// Reports that the parameters of the kernel are fitted to, at most: they are fitted anew at each decision.
const MOST_FITTED: usize = 64;

/// A Gaussian process over parameters and ln(1 + step), conditioned on reports.
pub(super) struct Thaw<'a> {
    view: View<'a>,
    last_step: u64,
    model: Model,
    /// The best loss that was really reached, as the process sees it.
    best: f64,
}

impl<'a> Thaw<'a> {
    pub(super) fn new(space: &'a Space, history: &History, curves: &Curves, last_step: u64) -> Option<Self> {
        let view = View::new(space);
        let chosen = curves.choose(MOST_REPORTS);
        let ends = curves.trials.iter().filter_map(|c| Some(c.reports.last()?.1));
        let scale = curves.scale(ends.collect(), FLOOR)?;
        let mut points = Points::new(view.axes.len() + 1);
        let mut y = Vec::with_capacity(chosen.len());
        for &(i, k) in &chosen {
            let curve = &curves.trials[i as usize];
            let mut x = view.point(history, curve.trial);
            x.push(place(curve.reports[k].0, last_step));
            points.push(&x);
            y.push(scale(curve.reports[k].1));
        }
        let mean = y.iter().sum::<f64>() / y.len() as f64;
        let unit = standardise(&mut y);
        let best = (scale(curves.reached) - mean) / unit;
        let few = curves.choose(MOST_FITTED);
        let mut categorical = view.categorical();
        categorical.push(false);
        let kernel =
            fitted(categorical, &points, &y, (0..chosen.len()).filter(|&i| few.contains(&chosen[i])));
        Some(Thaw { view, last_step, model: Model::new(kernel, points, &y)?, best })
    }

    /// The trial with the largest expected improvement per step.
    pub(super) fn choose(&self, history: &History, open: &[usize]) -> Option<usize> {
        let axes = self.view.axes.len();
        let mut ahead = Points::new(axes + 1);
        // Which trial each point ahead belongs to, and the steps to it.
        let mut ways: Vec<(usize, u64)> = Vec::new();
        for (i, &t) in open.iter().enumerate() {
            let done = history.reports_of(t).last().map_or(0, |r| r.step);
            let mut x = self.view.point(history, t as u32);
            x.push(0.0);
            for steps in horizons(self.last_step.saturating_sub(done)) {
                x[axes] = place(done + steps, self.last_step);
                ahead.push(&x);
                ways.push((i, steps));
            }
        }
        // ln of the improvement per step that is to be paid for it.
        let mut values = vec![f64::NEG_INFINITY; open.len()];
        let (mut last, mut before, mut sum) = (usize::MAX, 0, f64::NEG_INFINITY);
        for (&(mean, variance), &(i, steps)) in self.model.predictions(&ahead).iter().zip(&ways) {
            if i != last {
                (last, before, sum) = (i, 0, f64::NEG_INFINITY);
            }
            let gain =
                log_gain(mean, variance + self.model.noise(), self.best) + ((steps - before) as f64).ln();
            before = steps;
            sum = add_logs(sum, gain);
            values[i] = values[i].max(sum - (steps as f64).ln());
        }
        (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b])).map(|i| open[i])
    }
}

/// A step as a coordinate.
fn place(step: u64, last_step: u64) -> f64 {
    ((step as f64).ln_1p() / (last_step as f64).ln_1p()).min(1.0)
}

/// Steps to look ahead with so many left: doubling, and to the end.
fn horizons(left: u64) -> impl Iterator<Item = u64> {
    let doubling = std::iter::successors(Some(1u64), |h| h.checked_mul(2)).take_while(move |&h| h < left);
    doubling.chain(std::iter::once(left.max(1)))
}

/// ln(eᵃ + eᵇ).
fn add_logs(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}
