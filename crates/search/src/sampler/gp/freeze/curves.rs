//! Reports that compare from trial to trial, as learning curves.
use super::super::values::spread;
use crate::history::{History, Key, State};

/// With fewer peers a trial is not compared.
const FEWEST_PEERS: usize = 4;
/// From fewer trials no mean fall is taken.
const FEWEST_FALLS: u32 = 3;
/// Losses are told apart down to about this much, in units of the gap between the best and the median.
const FLOOR: f64 = 0.2;

/// Comparable reports of all trials that say something.
pub(super) struct Curves {
    /// Lowest loss first.
    pub(super) trials: Vec<Curve>,
    /// Smallest loss in them.
    reached: f64,
    /// How many there are of them.
    pub(super) reports: usize,
}

/// A trial's reports as (step, loss): at least one, all finite.
pub(super) struct Curve {
    pub(super) trial: u32,
    pub(super) reports: Vec<(u64, f64)>,
    /// Smallest of the losses.
    pub(super) lowest: f64,
}

impl Curve {
    /// Smallest of the first so many losses.
    fn lowest_within(&self, reports: usize) -> f64 {
        self.reports.iter().take(reports).map(|r| r.1).fold(f64::INFINITY, f64::min)
    }

    /// Reports since the smallest loss was first there.
    fn idle(&self) -> usize {
        self.reports.iter().skip_while(|r| r.1 > self.lowest).skip(1).count()
    }
}

impl Curves {
    pub(super) fn new(history: &History) -> Curves {
        let mut trials: Vec<Curve> = Vec::new();
        let mut worst = f64::NEG_INFINITY;
        for t in 0..history.len() {
            let comparable =
                history.reports_of(t).iter().filter(|r| r.key == Key::COMPARABLE && !r.value.is_nan());
            let reports: Vec<(u64, f64)> = comparable.map(|r| (r.step, history.loss(r.value))).collect();
            if !reports.is_empty() && history.states()[t] != State::Failed {
                worst = reports.iter().map(|r| r.1).filter(|l| l.is_finite()).fold(worst, f64::max);
                trials.push(Curve { trial: t as u32, reports, lowest: f64::INFINITY });
            }
        }
        for curve in &mut trials {
            let diverged = history.states()[curve.trial as usize] == State::Diverged;
            let last = curve.reports.len() - 1;
            for (k, (_, loss)) in curve.reports.iter_mut().enumerate() {
                if *loss == f64::INFINITY || (diverged && k == last) {
                    *loss = worst;
                }
                *loss = loss.max(-1e300);
            }
            curve.lowest = curve.lowest_within(last + 1);
        }
        if worst == f64::NEG_INFINITY {
            trials.clear();
        }
        trials.sort_by(|a, b| a.lowest.total_cmp(&b.lowest).then(a.trial.cmp(&b.trial)));
        let reached = trials.first().map_or(f64::INFINITY, |c| c.lowest);
        let reports = trials.iter().map(|c| c.reports.len()).sum();
        Curves { trials, reached, reports }
    }

    /// Whether a trial's smallest loss is less than `patience` reports old and no larger than what two thirds of the others had
    /// after as many reports.
    pub(super) fn is_promising(&self, trial: usize, patience: usize) -> bool {
        let Some(curve) = self.trials.iter().find(|c| c.trial as usize == trial) else { return false };
        let age = curve.reports.len();
        let peers = self.trials.iter().filter(|c| c.trial != curve.trial && c.reports.len() >= age);
        let mut peers: Vec<f64> = peers.map(|c| c.lowest_within(age)).collect();
        peers.sort_unstable_by(f64::total_cmp);
        curve.idle() < patience && (peers.len() < FEWEST_PEERS || curve.lowest <= peers[peers.len() * 2 / 3])
    }

    /// The scale on which losses are modelled; `None` without trials.
    pub(super) fn scale(&self) -> Option<Scale> {
        let median = self.trials.get(self.trials.len() / 2)?.lowest;
        Some(Scale { best: self.reached, gap: spread(self.reached, median) })
    }

    /// By how much the smallest loss, on a scale, still falls on average after n reports, by n: from one report to the next the
    /// mean over the trials that went on.
    pub(super) fn to_come(&self, scale: &Scale) -> Vec<f64> {
        let longest = self.trials.iter().map(|c| c.reports.len()).max().unwrap_or(0);
        let mut falls = vec![(0u32, 0.0); longest];
        for curve in &self.trials {
            let mut before = curve.reports[0].1;
            for (n, &(_, loss)) in curve.reports.iter().enumerate().skip(1) {
                let lowest = before.min(loss);
                falls[n].0 += 1;
                falls[n].1 += scale.of(before) - scale.of(lowest);
                before = lowest;
            }
        }
        let mut left = vec![0.0; longest + 1];
        for (n, &(count, sum)) in falls.iter().enumerate().skip(1).rev() {
            left[n] = left[n + 1] + if count < FEWEST_FALLS { 0.0 } else { sum / f64::from(count) };
        }
        left
    }
}

/// ln(1 + (loss − best)/(median − best)/0.2), of the trials' smallest losses: 0 at the best, since good losses have to be told
/// from very good ones and most are far off; but the one best value must not look like an outlier.
pub(super) struct Scale {
    best: f64,
    gap: f64,
}

impl Scale {
    pub(super) fn of(&self, loss: f64) -> f64 {
        ((loss - self.best) / self.gap / FLOOR).min(f64::MAX).ln_1p()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, Report};
    use crate::space::Space;
    use crate::value::Params;

    fn curves(all: &[&[f64]]) -> Curves {
        let space: Space = "x=0.0..1.0".parse().unwrap();
        let mut history = History::new(space, Direction::Minimize);
        for losses in all {
            let x: Params = [("x", 0.5)].into_iter().collect();
            let t = history.start(&x).unwrap();
            for (step, &value) in (1..).zip(*losses) {
                history.report(t, Report { step, value, key: Key::COMPARABLE }).unwrap();
            }
        }
        Curves::new(&history)
    }

    #[test]
    fn promising_is_what_still_improves_and_is_not_behind() {
        let peers: [&[f64]; 5] = [&[9.0, 5.0], &[9.0, 3.0], &[9.0, 4.0], &[9.0, 2.0], &[1.0]];
        let ask = |own: &[f64]| {
            let mut all = peers.to_vec();
            all.push(own);
            curves(&all).is_promising(5, 3)
        };
        // After two reports the peers' best are 2, 3, 4 and 5; the one with a single report is not asked.
        assert!(ask(&[7.0, 4.0]) && !ask(&[7.0, 4.1]));
        // With more reports than the peers it is not compared, but must not stand still.
        assert!(ask(&[7.0, 8.0, 8.0]) && !ask(&[7.0, 8.0, 8.0, 8.0]));
        // The same again is not new.
        assert!(ask(&[4.0, 4.0, 4.0]) && !ask(&[4.0, 4.0, 4.0, 4.0]));
        // A NaN is no report, and a trial without any promises nothing.
        assert!(ask(&[7.0, f64::NAN, 4.0]) && !ask(&[f64::NAN]));
    }

    #[test]
    fn what_is_to_come_is_what_others_gained() {
        let c =
            curves(&[&[9.0, 5.0, 4.0], &[8.0, 6.0, 7.0], &[7.0, 7.0, 3.0], &[9.0], &[1.0, 0.0, 0.0, -5.0]]);
        // On a scale that is nearly linear: falls 4, 2, 0, 1; then 1, 0, 4, 0; a fourth report has one trial only.
        let scale = Scale { best: 0.0, gap: 1e9 };
        let to_come: Vec<f64> = c.to_come(&scale).iter().map(|fall| fall * 1e9 * FLOOR).collect();
        for (found, expected) in to_come.iter().zip([0.0, 3.0, 1.25, 0.0, 0.0]) {
            assert!((found - expected).abs() < 1e-6, "{to_come:?}");
        }
        assert_eq!(to_come.len(), 5);
        assert_eq!(curves(&[&[f64::NAN]]).to_come(&scale), [0.0]);
    }

    #[test]
    fn the_best_is_nothing_on_the_scale() {
        let scale = curves(&[&[3.0, 1.0], &[2.0], &[5.0]]).scale().unwrap();
        assert_eq!(scale.of(1.0), 0.0);
        assert!((scale.of(2.0) - 6f64.ln()).abs() < 1e-12);
        assert!(scale.of(f64::MAX).is_finite());
        // All alike: nothing is divided by nothing.
        let alike = curves(&[&[1.0], &[1.0]]).scale().unwrap();
        assert!(alike.of(1.0) == 0.0 && alike.of(1.5).is_finite());
    }

    #[test]
    fn an_infinite_loss_is_the_worst_one_and_the_best_trial_comes_first() {
        let c = curves(&[&[3.0, f64::INFINITY], &[5.0, 2.0, 4.0], &[f64::NEG_INFINITY]]);
        let losses: Vec<Vec<f64>> =
            c.trials.iter().map(|t| t.reports.iter().map(|r| r.1).collect()).collect();
        assert_eq!(losses, [vec![-1e300], vec![5.0, 2.0, 4.0], vec![3.0, 5.0]]);
        assert_eq!((c.reached, c.reports), (-1e300, 6));
        let nothing = curves(&[&[f64::NAN], &[f64::INFINITY], &[]]);
        assert!(nothing.trials.is_empty() && nothing.scale().is_none());
    }
}
