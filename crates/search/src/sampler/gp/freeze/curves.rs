//! Reports that compare from trial to trial, as learning curves.
use super::super::thin;
use super::super::values::spread;
use crate::history::{History, Key, State};

/// With fewer peers a trial is not compared.
const FEWEST_PEERS: usize = 4;
/// From fewer trials no mean fall is taken.
const FEWEST_FALLS: u32 = 3;

/// Comparable reports of all trials that say something.
pub(super) struct Curves {
    /// Lowest loss first.
    pub(super) trials: Vec<Curve>,
    /// Smallest loss in them.
    pub(super) reached: f64,
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

    /// Reports since the smallest loss.
    fn idle(&self) -> usize {
        self.reports.iter().rev().take_while(|r| r.1 > self.lowest).count()
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

    /// Whether a trial's smallest loss is less than `patience` reports old and no larger than the median of what the others
    /// had after as many reports.
    pub(super) fn is_promising(&self, trial: usize, patience: usize) -> bool {
        let Some(curve) = self.trials.iter().find(|c| c.trial as usize == trial) else { return false };
        let age = curve.reports.len();
        let peers = self.trials.iter().filter(|c| c.trial != curve.trial && c.reports.len() >= age);
        let mut peers: Vec<f64> = peers.map(|c| c.lowest_within(age)).collect();
        peers.sort_unstable_by(f64::total_cmp);
        curve.idle() < patience && (peers.len() < FEWEST_PEERS || curve.lowest <= peers[peers.len() / 2])
    }

    /// Losses on a logarithmic scale: ln((loss − best)/(median − best) + `floor`), the median taken of `losses`.
    pub(super) fn scale(&self, mut losses: Vec<f64>, floor: f64) -> Option<impl Fn(f64) -> f64> {
        losses.sort_unstable_by(f64::total_cmp);
        let median = *losses.get(losses.len() / 2)?;
        let best = self.reached;
        let gap = spread(best, median);
        Some(move |loss: f64| ((loss - best) / gap + floor).min(f64::MAX).ln())
    }

    /// By how much the smallest loss, on this scale, still falls on average after n reports, by n: from one report to the next the
    /// mean over the trials that went on.
    pub(super) fn to_come(&self, scale: impl Fn(f64) -> f64) -> Vec<f64> {
        let longest = self.trials.iter().map(|c| c.reports.len()).max().unwrap_or(0);
        let mut falls = vec![(0u32, 0.0); longest];
        for curve in &self.trials {
            let mut before = curve.reports[0].1;
            for (n, &(_, loss)) in curve.reports.iter().enumerate().skip(1) {
                let lowest = before.min(loss);
                falls[n].0 += 1;
                falls[n].1 += scale(before) - scale(lowest);
                before = lowest;
            }
        }
        let mut left = vec![0.0; longest + 1];
        for (n, &(count, sum)) in falls.iter().enumerate().skip(1).rev() {
            left[n] = left[n + 1] + if count < FEWEST_FALLS { 0.0 } else { sum / f64::from(count) };
        }
        left
    }

    /// At most `most` reports as (place of the trial, place of the report): the last ones of most trials, then more of the best
    /// ones' curves, thinned out towards their beginnings.
    pub(super) fn choose(&self, most: usize) -> Vec<(u32, usize)> {
        let mut order: Vec<u32> = (0..self.trials.len() as u32).collect();
        let part = most * 7 / 10;
        thin(&mut order, part, part / 2);
        let last = |i: u32| self.trials[i as usize].reports.len() - 1;
        let mut chosen: Vec<(u32, usize)> = order.iter().map(|&i| (i, last(i))).collect();
        for &i in &order {
            let mut k = last(i);
            while k > 0 && chosen.len() < most {
                k = (k - 1).min((k + 1) * 3 / 4);
                chosen.push((i, k));
            }
        }
        chosen
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
        // A NaN is no report, and a trial without any promises nothing.
        assert!(ask(&[7.0, f64::NAN, 4.0]) && !ask(&[f64::NAN]));
    }

    #[test]
    fn what_is_to_come_is_what_others_gained() {
        let c =
            curves(&[&[9.0, 5.0, 4.0], &[8.0, 6.0, 7.0], &[7.0, 7.0, 3.0], &[9.0], &[1.0, 0.0, 0.0, -5.0]]);
        // Falls 4, 2, 0, 1; then 1, 0, 4, 0; a fourth report has one trial only.
        assert_eq!(c.to_come(|loss| loss), [0.0, 3.0, 1.25, 0.0, 0.0]);
        assert_eq!(curves(&[&[f64::NAN]]).to_come(|loss| loss), [0.0]);
    }

    #[test]
    fn an_infinite_loss_is_the_worst_one_and_the_best_trial_comes_first() {
        let c = curves(&[&[3.0, f64::INFINITY], &[5.0, 2.0, 4.0], &[f64::NEG_INFINITY]]);
        let losses: Vec<Vec<f64>> =
            c.trials.iter().map(|t| t.reports.iter().map(|r| r.1).collect()).collect();
        assert_eq!(losses, [vec![-1e300], vec![5.0, 2.0, 4.0], vec![3.0, 5.0]]);
        assert_eq!((c.reached, c.reports), (-1e300, 6));
        let nothing = curves(&[&[f64::NAN], &[f64::INFINITY], &[]]);
        assert!(nothing.trials.is_empty() && nothing.scale(Vec::new(), 0.2).is_none());
    }
}
