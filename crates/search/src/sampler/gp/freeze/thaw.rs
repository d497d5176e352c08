//! Which trial to take up again.
use super::super::model::log_gain;
use super::curves::{Curve, Curves, Scale};
use super::ends::Ends;
use super::outlook::{HORIZONS, Outlook};
use crate::history::History;

/// The open trial with the largest expected improvement over the best loss so far, per step that is to be paid for it, within
/// the next 1, 2, 4 or 8 reports; `None` if none of them is known by comparable reports.
pub(super) fn thaw(
    history: &History,
    curves: &Curves,
    scale: &Scale,
    ends: &Ends,
    open: &[usize],
    last_step: u64,
) -> Option<usize> {
    let losses: Vec<Vec<f64>> =
        curves.trials.iter().map(|c| c.reports.iter().map(|r| scale.of(r.1)).collect()).collect();
    let by_others = ends.by_others(history, curves);
    let outlook = Outlook::new(losses.iter().map(Vec::as_slice).zip(by_others.iter().copied()));
    let mut best: Option<(f64, usize)> = None;
    for (i, curve) in curves.trials.iter().enumerate() {
        let trial = curve.trial as usize;
        if !open.contains(&trial) {
            continue;
        }
        let (every, left) = pace(curve, last_step);
        for (&n, (mean, deviation)) in HORIZONS.iter().zip(outlook.ahead(&losses[i], by_others[i])) {
            // ln of the improvement per step.
            let gain = log_gain(mean, deviation * deviation, 0.0) - (n as f64 * every).ln();
            if n <= left && best.is_none_or(|(most, _)| gain > most) {
                best = Some((gain, trial));
            }
        }
    }
    best.map(|(_, trial)| trial)
}

/// Steps from one report of a trial to the next, and how many reports it still has, at least one.
fn pace(curve: &Curve, last_step: u64) -> (f64, usize) {
    let done = curve.reports.last().map_or(0, |r| r.0);
    let every = (done as f64 / curve.reports.len() as f64).max(1.0);
    let left = (last_step.saturating_sub(done) as f64 / every).ceil();
    (every, (left as usize).max(1))
}

#[cfg(test)]
mod tests {
    use super::super::super::view::View;
    use super::*;
    use crate::history::{Direction, Key, Report};
    use crate::space::Space;
    use crate::value::Params;

    fn choose(all: &[(u64, &[f64])], open: &[usize], last_step: u64) -> Option<usize> {
        let space: Space = "x=0.0..1.0".parse().unwrap();
        let mut history = History::new(space.clone(), Direction::Minimize);
        for (every, losses) in all {
            // The parameters tell nothing.
            let x: Params = [("x", 0.5)].into_iter().collect();
            let t = history.start(&x).unwrap();
            for (k, &value) in losses.iter().enumerate() {
                let report = Report { step: every * (k as u64 + 1), value, key: Key::COMPARABLE };
                history.report(t, report).unwrap();
            }
        }
        let (curves, view) = (Curves::new(&history), View::new(&space));
        let scale = curves.scale()?;
        let ends = Ends::new(&view, &history, &curves, &scale)?;
        thaw(&history, &curves, &scale, &ends, open, last_step)
    }

    #[test]
    fn the_best_one_that_may_still_fall_is_taken_up() {
        let all: [(u64, &[f64]); 8] = [
            (1, &[1.2, 1.2, 1.2]),
            (1, &[2.4, 1.8, 1.3]),
            (1, &[1.6, 1.6, 1.6]),
            (1, &[2.0, 2.0, 2.0]),
            (1, &[2.5, 2.5, 2.5]),
            (1, &[3.0, 3.0, 3.0]),
            (1, &[3.5, 3.5, 3.5]),
            (1, &[4.0, 4.0, 4.0]),
        ];
        assert_eq!(choose(&all, &[1, 2, 3, 4, 5, 6, 7], 20), Some(1));
        assert_eq!(choose(&all, &[7, 4, 5], 20), Some(4));
        assert_eq!(choose(&all, &[], 20), None);
    }

    #[test]
    fn steps_are_what_is_paid() {
        // The same curve in steps of one and of a hundred.
        let curve: &[f64] = &[1.6, 1.3, 1.1];
        let others: &[f64] = &[3.0, 2.9, 3.0];
        let all = |a, b| [(a, curve), (b, curve), (1, others), (1, others)];
        assert_eq!(choose(&all(100, 1), &[0, 1, 2, 3], 1000), Some(1));
        assert_eq!(choose(&all(1, 100), &[0, 1, 2, 3], 1000), Some(0));
    }

    #[test]
    fn reports_that_are_left() {
        let curve = |step| Curve { trial: 0, reports: vec![(step / 2, 1.0), (step, 1.0)], lowest: 1.0 };
        assert_eq!(pace(&curve(20), 100), (10.0, 8));
        assert_eq!(pace(&curve(20), 25), (10.0, 1));
        // Past the end, as after a change of the target.
        assert_eq!(pace(&curve(20), 10), (10.0, 1));
        assert_eq!(pace(&curve(0), 10), (1.0, 10));
    }
}
