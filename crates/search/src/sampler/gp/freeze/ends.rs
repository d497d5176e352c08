//! Where trials are expected to end, by their parameters.
use super::super::model::{Kernel, Model, Points};
use super::super::thin;
use super::super::values::standardise;
use super::super::view::View;
use super::curves::{Curves, Scale};
use crate::history::History;

/// Trials that the model holds at most, and that the parameters of its kernel are fitted to.
const MOST_TRIALS: usize = 256;
const MOST_FITTED: usize = 72;
/// Steps of the fit of the kernel's parameters from each of its starts.
const FIT_STEPS: usize = 12;

/// A Gaussian process over the parameters that sees the smallest loss of each trial, less what others still gained after as
/// many reports.
pub(super) struct Ends<'a> {
    view: &'a View<'a>,
    model: Model,
    /// Standardised values of the points of the model.
    y: Vec<f64>,
    /// Places in [`Curves::trials`] of those trials that the model holds; its first points.
    held: Vec<u32>,
    /// What 0 and 1 of the model are on the scale of losses.
    mean: f64,
    unit: f64,
}

impl<'a> Ends<'a> {
    /// Trials that have begun and not reported yet count as average: what is predicted there would draw the next one to the
    /// same place.
    pub(super) fn new(view: &'a View, history: &History, curves: &Curves, scale: &Scale) -> Option<Self> {
        let mut held: Vec<u32> = (0..curves.trials.len() as u32).collect();
        thin(&mut held, MOST_TRIALS, MOST_TRIALS / 2);
        let to_come = curves.to_come(scale);
        let mut points = Points::new(view.axes.len());
        let mut y = Vec::with_capacity(held.len());
        for curve in held.iter().map(|&i| &curves.trials[i as usize]) {
            points.push(&view.point(history, curve.trial));
            y.push(scale.of(curve.lowest) - to_come[curve.reports.len()]);
        }
        let (mean, unit) = standardise(&mut y);
        let kernel = fitted(view.categorical(), &points, &y);
        for &trial in history.pending().iter().filter(|&&t| history.reports_of(t as usize).is_empty()) {
            points.push(&view.point(history, trial));
            y.push(0.0);
        }
        Some(Ends { view, model: Model::new(kernel, points, &y)?, y, held, mean, unit })
    }

    /// The place of the most promising of these internal numbers: the smallest mean less `curiosity` deviations.
    pub(super) fn most_promising(&self, among: &[Vec<f64>], curiosity: f64) -> Option<usize> {
        let mut ahead = Points::new(self.view.axes.len());
        among.iter().for_each(|raw| ahead.push(&self.view.settle(&self.view.space.to_unit(raw)).1));
        let bound = |(mean, variance): (f64, f64)| mean - curiosity * variance.sqrt();
        let bounds: Vec<f64> = self.model.predictions(&ahead).into_iter().map(bound).collect();
        (0..bounds.len()).min_by(|&a, &b| bounds[a].total_cmp(&bounds[b]))
    }

    /// What the others say of each trial, on the scale of losses, in the order of [`Curves::trials`].
    pub(super) fn by_others(&self, history: &History, curves: &Curves) -> Vec<f64> {
        let mut out: Vec<f64> = vec![f64::NAN; curves.trials.len()];
        for (&i, mean) in self.held.iter().zip(self.model.left_out(&self.y)) {
            out[i as usize] = mean;
        }
        for (mean, curve) in out.iter_mut().zip(&curves.trials) {
            if mean.is_nan() {
                *mean = self.model.mean(&self.view.point(history, curve.trial));
            }
            *mean = self.mean + self.unit * *mean;
        }
        out
    }
}

/// A kernel whose parameters are fitted to the best points and some of the others; the best come first.
fn fitted(categorical: Vec<bool>, points: &Points, y: &[f64]) -> Kernel {
    let mut few: Vec<u32> = (0..y.len() as u32).collect();
    thin(&mut few, MOST_FITTED, MOST_FITTED / 2);
    let mut some = Points::new(points.columns.len());
    few.iter().for_each(|&i| some.push(&points.point(i as usize)));
    let values: Vec<f64> = few.iter().map(|&i| y[i as usize]).collect();
    Kernel::new(categorical).fit_within(&some, &values, FIT_STEPS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, Key, Report};
    use crate::space::Space;
    use crate::value::Params;

    fn at(x: f64, y: f64) -> Params {
        [("x", x), ("y", y)].into_iter().collect()
    }

    /// Nothing is known of y > 0.5; below, the loss falls towards x = 0.3.
    fn known(space: &Space) -> History {
        let mut history = History::new(space.clone(), Direction::Minimize);
        for i in 0..24 {
            let (x, y) = (f64::from(i % 6) / 5.0, f64::from(i / 6) / 8.0);
            let t = history.start(&at(x, y)).unwrap();
            for step in 1..=1 + i as u64 % 3 {
                let value = (x - 0.3).powi(2) + 0.1 / step as f64;
                history.report(t, Report { step, value, key: Key::COMPARABLE }).unwrap();
            }
        }
        history
    }

    #[test]
    fn what_is_merely_unknown_does_not_promise() {
        let space: Space = "x=0.0..1.0, y=0.0..1.0".parse().unwrap();
        let mut history = known(&space);
        let view = View::new(&space);
        let raw = |x, y| space.raw(&at(x, y)).unwrap();
        let ask = |history: &History, among: &[Vec<f64>]| {
            let curves = Curves::new(history);
            Ends::new(&view, history, &curves, &curves.scale().unwrap()).unwrap().most_promising(among, 0.3)
        };
        let among = [raw(0.95, 0.2), raw(0.3, 0.2), raw(0.95, 0.95), raw(0.05, 0.1)];
        assert_eq!(ask(&history, &among), Some(1));
        assert_eq!(ask(&history, &[]), None);
        // A second worker begins elsewhere.
        history.start(&at(0.3, 0.2)).unwrap();
        assert_eq!(ask(&history, &[raw(0.31, 0.2), raw(0.12, 0.2), raw(0.95, 0.2)]), Some(1));
    }

    #[test]
    fn a_trial_is_judged_by_the_others() {
        let space: Space = "x=0.0..1.0, y=0.0..1.0".parse().unwrap();
        let mut history = known(&space);
        // Among good ones stands a bad one.
        let t = history.start(&at(0.35, 0.2)).unwrap();
        history.report(t, Report { step: 1, value: 0.6, key: Key::COMPARABLE }).unwrap();
        let curves = Curves::new(&history);
        let view = View::new(&space);
        let scale = curves.scale().unwrap();
        let others = Ends::new(&view, &history, &curves, &scale).unwrap().by_others(&history, &curves);
        let i = curves.trials.iter().position(|c| c.trial as usize == t).unwrap();
        let own = scale.of(curves.trials[i].lowest);
        let middle = scale.of(curves.trials[curves.trials.len() / 2].lowest);
        assert!(others[i] < middle && own > middle, "{} {middle} {own}", others[i]);
    }
}
