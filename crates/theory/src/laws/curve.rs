//! A measured loss curve with the rates under which it was measured.

use crate::error::Error;
use crate::sum::Sum;

/// Losses logged during one training, and the absolute rate of every update up to the last of them.
#[derive(Debug, Clone, PartialEq)]
pub struct LossCurve {
    name: String,
    rates: Vec<f64>,
    steps: Vec<usize>,
    losses: Vec<f64>,
}

impl LossCurve {
    /// A curve of `(step, loss)` points under `rates[t]`, the absolute rate of update t. The loss at step s is the
    /// one after s updates, 0 … s−1, so `rates` needs at least as many entries as the last step.
    ///
    /// # Errors
    /// No point; steps that do not rise from 1; a loss that is not finite and above zero; too few rates; a rate
    /// that is negative or not finite, or no rate above zero before the first point.
    pub fn new(name: impl Into<String>, rates: Vec<f64>, points: &[(usize, f64)]) -> Result<Self, Error> {
        let name = name.into();
        let wrong = |what: String| Err(Error::Data(format!("curve {name}: {what}")));
        let [(first, _), .., (last, _)] = points else {
            return wrong(format!("{} points; a loss curve needs two or more", points.len()));
        };
        if let Some(step) = rates.iter().position(|rate| !rate.is_finite() || *rate < 0.0) {
            return Err(Error::BadRate { step, rate: rates[step] });
        }
        if let Some(pair) = points.windows(2).find(|pair| pair[1].0 <= pair[0].0) {
            return wrong(format!("step {} follows step {}; steps must rise", pair[1].0, pair[0].0));
        }
        if *first == 0 || rates.iter().take(*first).all(|rate| *rate == 0.0) {
            return wrong(format!("step {first} comes before the first update at a rate above 0; drop it"));
        }
        if *last > rates.len() {
            return wrong(format!(
                "the last point is at step {last}, but only {} rates are known",
                rates.len()
            ));
        }
        if let Some((step, loss)) = points.iter().find(|(_, loss)| !loss.is_finite() || *loss <= 0.0) {
            return wrong(format!(
                "the loss at step {step} is {loss}; the laws need finite losses above 0 (cut a diverged run off)"
            ));
        }
        let (steps, losses) = points.iter().copied().unzip();
        Ok(Self { name, rates, steps, losses })
    }

    /// From a log of `(step, rate, loss)`: a point's rate is that of its step; between points the rate moves in a
    /// straight line, but where one change is more than five times its neighbours it jumps at the later point.
    /// Before the first point it rises over the first `warmup` updates to that point's rate and stays there.
    ///
    /// # Errors
    /// As [`LossCurve::new`].
    pub fn from_log(
        name: impl Into<String>,
        log: &[(usize, f64, f64)],
        warmup: usize,
    ) -> Result<Self, Error> {
        let points: Vec<(usize, f64)> = log.iter().map(|&(step, _, loss)| (step, loss)).collect();
        Self::new(name, between(log, warmup), &points)
    }

    /// The curve's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Logged steps.
    pub fn steps(&self) -> &[usize] {
        &self.steps
    }

    /// Logged losses.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// Rate of every update.
    pub fn rates(&self) -> &[f64] {
        &self.rates
    }

    /// Whether its rate falls before its last point.
    pub fn anneals(&self) -> bool {
        let made = self.steps.last().map_or(0, |&last| last.min(self.rates.len()));
        self.rates[..made].windows(2).any(|pair| pair[1] < pair[0])
    }

    /// The part of the curve that lies within `first..=last`.
    ///
    /// # Errors
    /// If fewer than two points are left.
    pub fn between(&self, first: usize, last: usize) -> Result<Self, Error> {
        let points: Vec<(usize, f64)> = (self.steps.iter().copied().zip(self.losses.iter().copied()))
            .filter(|(step, _)| (first..=last).contains(step))
            .collect();
        Self::new(self.name.clone(), self.rates.clone(), &points)
    }
}

/// The rate of every update up to the last logged step.
fn between(log: &[(usize, f64, f64)], warmup: usize) -> Vec<f64> {
    let Some(&(first, level, _)) = log.first() else { return Vec::new() };
    let ramp = |t: usize| if t < warmup { (t + 1) as f64 / warmup as f64 } else { 1.0 };
    let mut rates: Vec<f64> = (0..first).map(|t| level * ramp(t)).collect();
    let change = |i: usize| log.get(i + 1).map_or(0.0, |next| (next.1 - log[i].1).abs());
    for (i, pair) in log.windows(2).enumerate() {
        let around = change(i + 1).max(i.checked_sub(1).map_or(0.0, change));
        let jump = change(i) > 5.0 * around;
        let ((from, rate, _), (to, next, _)) = (pair[0], pair[1]);
        rates.extend((from..to).map(|t| {
            let share = if jump { 0.0 } else { (t - from) as f64 / (to - from) as f64 };
            rate + share * (next - rate)
        }));
    }
    rates
}

/// A schedule as the laws see it at some steps: what they need, and no more.
#[derive(Debug, Clone)]
pub(crate) struct Exposure {
    /// Steps asked for.
    pub steps: Vec<usize>,
    /// Σ of the rates of the first `step` updates, per step asked for.
    pub sums: Vec<f64>,
    /// The changes of the rate, gathered into blocks.
    pub drops: Vec<Drop>,
    /// Number of drops that began before each step asked for.
    pub begun: Vec<usize>,
    /// Runs of nearly equal rates up to each step asked for: how many updates, and ln of their mean rate.
    pub runs: Vec<Vec<(f64, f64)>>,
    /// Every rate, for laws that step through them.
    pub rates: Vec<f64>,
}

/// Neighbouring changes of the rate taken as one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drop {
    /// η before minus η after: above zero where the rate falls.
    pub fall: f64,
    /// Rate after it (fall-weighted mean over the block).
    pub rate: f64,
    /// Σ of the rates of the updates before it (fall-weighted mean over the block).
    pub sum: f64,
}

/// Blocks that the whole up-and-down of a schedule is cut into.
const BLOCKS: f64 = 400.0;

impl Exposure {
    /// At the given rising steps, 1 ≤ step ≤ number of rates.
    pub(crate) fn new(rates: &[f64], steps: &[usize]) -> Self {
        let travel: f64 = rates.windows(2).map(|pair| (pair[0] - pair[1]).abs()).sum();
        let mut exposure = Self {
            steps: steps.to_vec(),
            sums: Vec::with_capacity(steps.len()),
            drops: Vec::new(),
            begun: Vec::with_capacity(steps.len()),
            runs: runs(rates, steps),
            rates: rates.to_vec(),
        };
        let mut sum = Sum::default();
        let (mut fall, mut rate, mut at) = (0.0, 0.0, 0.0);
        let mut wanted = steps.iter().peekable();
        for (step, &now) in rates.iter().enumerate() {
            let change = if step == 0 { 0.0 } else { rates[step - 1] - now };
            // A block ends where it is large enough, where the direction turns and where a point is logged.
            let full = (fall + change).abs() > travel / BLOCKS || fall * change < 0.0;
            let logged = wanted.next_if(|&&wanted| wanted == step).is_some();
            if fall != 0.0 && (full || logged) {
                exposure.drops.push(Drop { fall, rate: rate / fall, sum: at / fall });
                (fall, rate, at) = (0.0, 0.0, 0.0);
            }
            if logged {
                exposure.sums.push(sum.value());
                exposure.begun.push(exposure.drops.len());
            }
            if change != 0.0 && now > 0.0 {
                fall += change;
                rate += change * now;
                at += change * sum.value();
            }
            sum.add(now);
        }
        if wanted.next().is_some() {
            if fall != 0.0 {
                exposure.drops.push(Drop { fall, rate: rate / fall, sum: at / fall });
            }
            exposure.sums.push(sum.value());
            exposure.begun.push(exposure.drops.len());
        }
        exposure
    }
}

/// Per stretch between the steps asked for, its updates gathered into runs whose rates differ by little.
fn runs(rates: &[f64], steps: &[usize]) -> Vec<Vec<(f64, f64)>> {
    let mut from = 0;
    let stretch = |rates: &[f64]| {
        let mut runs = Vec::new();
        let mut rest = rates;
        while let [first, ..] = rest {
            let near = |rate: &&f64| (*rate - first).abs() <= 0.02 * first.max(**rate);
            let count = rest.iter().take_while(near).count();
            let mean = rest[..count].iter().sum::<f64>() / count as f64;
            if mean > 0.0 {
                runs.push((count as f64, mean.ln()));
            }
            rest = &rest[count..];
        }
        runs
    };
    let ends = steps.iter().map(|&to| stretch(&rates[std::mem::replace(&mut from, to)..to]));
    ends.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_curve() {
        let rates = vec![0.1; 10];
        for points in [
            &[][..],
            &[(1, 1.0)],
            &[(0, 1.0), (2, 1.0)],
            &[(2, 1.0), (2, 1.0)],
            &[(2, 1.0), (11, 1.0)],
            &[(2, 1.0), (3, f64::NAN)],
            &[(2, 1.0), (3, 0.0)],
        ] {
            assert!(LossCurve::new("a", rates.clone(), points).is_err(), "{points:?}");
        }
        assert!(LossCurve::new("a", vec![f64::NAN; 10], &[(1, 1.0), (2, 1.0)]).is_err());
        assert!(LossCurve::new("a", vec![0.0; 10], &[(1, 1.0), (2, 1.0)]).is_err());
    }

    #[test]
    fn rates_between_points_are_straight_and_jumps_stay_jumps() {
        let log = [(4, 1.0, 1.0), (6, 1.0, 1.0), (8, 0.1, 1.0), (10, 0.1, 1.0), (12, 0.1, 1.0)];
        let found = between(&log, 2);
        assert_eq!(found, [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.1]);
        let log: Vec<_> = (0..5).map(|i| (2 + 2 * i, 1.0 - 0.1 * i as f64, 1.0)).collect();
        let found = between(&log, 0);
        assert!((found[3] - 0.95).abs() < 1e-12 && found.len() == 10);
    }

    #[test]
    fn exposure_counts_what_came_before_a_step() {
        let exposure = Exposure::new(&[1.0, 1.0, 0.5, 0.5, 0.25], &[1, 2, 3, 5]);
        assert_eq!(exposure.sums, [1.0, 2.0, 2.5, 3.25]);
        assert_eq!(exposure.begun, [0, 0, 1, 2]);
        assert_eq!((exposure.drops[0].fall, exposure.drops[0].rate, exposure.drops[0].sum), (0.5, 0.5, 2.0));
        assert_eq!((exposure.drops[1].fall, exposure.drops[1].sum), (0.25, 3.0));
        let updates: f64 = exposure.runs.iter().flatten().map(|run| run.0).sum();
        assert_eq!(updates, 5.0);
    }
}
