//! Which trial to begin.
use super::super::model::{Model, Points};
use super::super::thin;
use super::super::values::standardise;
use super::super::view::View;
use super::curves::Curves;
use super::{FLOOR, fitted};
use crate::history::History;

/// Trials that the model holds at most, and that the parameters of its kernel are fitted to.
const MOST_TRIALS: usize = 256;
const MOST_FITTED: usize = 72;
/// Deviations by which what is unsure is preferred.
const CURIOSITY: f64 = 0.3;

/// The most promising of these internal numbers: a Gaussian process sees the smallest loss of each trial, less what others
/// still gained after as many reports, and the smallest mean less 0.3 deviations is taken.
///
/// Expected improvement would be the usual choice. It goes for what is unsure, and in a space of seven parameters everything
/// but the neighbourhood of the trials is: those begun were among the best tenth hardly more often than chance has it.
pub(super) fn begin(view: &View, history: &History, curves: &Curves, among: &[Vec<f64>]) -> Option<usize> {
    if among.is_empty() {
        return None;
    }
    let scale = curves.scale(curves.trials.iter().map(|c| c.lowest).collect(), FLOOR)?;
    let mut ranked: Vec<u32> = (0..curves.trials.len() as u32).collect();
    thin(&mut ranked, MOST_TRIALS, MOST_TRIALS / 2);
    let left = curves.to_come(&scale);
    let mut points = Points::new(view.axes.len());
    let mut y = Vec::with_capacity(ranked.len());
    for curve in ranked.iter().map(|&i| &curves.trials[i as usize]) {
        points.push(&view.point(history, curve.trial));
        y.push(scale(curve.lowest) - left[curve.reports.len()]);
    }
    standardise(&mut y);
    let mut few: Vec<u32> = (0..ranked.len() as u32).collect();
    thin(&mut few, MOST_FITTED, MOST_FITTED / 2);
    let kernel = fitted(view.categorical(), &points, &y, few.iter().map(|&i| i as usize));
    // What has begun and not reported yet counts as average: what is predicted there would draw the next one to the same place.
    for &trial in history.pending().iter().filter(|&&t| history.reports_of(t as usize).is_empty()) {
        points.push(&view.point(history, trial));
        y.push(0.0);
    }
    let model = Model::new(kernel, points, &y)?;
    let mut ahead = Points::new(view.axes.len());
    among.iter().for_each(|raw| ahead.push(&view.settle(&view.space.to_unit(raw)).1));
    let bound = |(mean, variance): (f64, f64)| mean - CURIOSITY * variance.sqrt();
    let bounds: Vec<f64> = model.predictions(&ahead).into_iter().map(bound).collect();
    (0..bounds.len()).min_by(|&a, &b| bounds[a].total_cmp(&bounds[b]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, Key, Report};
    use crate::space::Space;
    use crate::value::Params;

    #[test]
    fn what_is_merely_unknown_is_not_begun() {
        let space: Space = "x=0.0..1.0, y=0.0..1.0".parse().unwrap();
        let at = |x: f64, y: f64| -> Params { [("x", x), ("y", y)].into_iter().collect() };
        let mut history = History::new(space.clone(), Direction::Minimize);
        // Nothing is known of y > 0.5; below, the loss falls towards x = 0.3.
        for i in 0..24 {
            let (x, y) = (f64::from(i % 6) / 5.0, f64::from(i / 6) / 8.0);
            let t = history.start(&at(x, y)).unwrap();
            for step in 1..=1 + i as u64 % 3 {
                let value = (x - 0.3).powi(2) + 0.1 / step as f64;
                history.report(t, Report { step, value, key: Key::COMPARABLE }).unwrap();
            }
        }
        let curves = Curves::new(&history);
        let view = View::new(&space);
        let raw = |x, y| space.raw(&at(x, y)).unwrap();
        let among = [raw(0.95, 0.2), raw(0.3, 0.2), raw(0.95, 0.95), raw(0.05, 0.1)];
        assert_eq!(begin(&view, &history, &curves, &among), Some(1));
        assert_eq!(begin(&view, &history, &curves, &[]), None);
        // A second worker begins elsewhere.
        history.start(&at(0.3, 0.2)).unwrap();
        let second = begin(&view, &history, &curves, &[raw(0.31, 0.2), raw(0.12, 0.2), raw(0.95, 0.2)]);
        assert_eq!(second, Some(1));
    }
}
