//! What a sweep says about each schedule.
//!
//! All comparisons are paired by seed: runs with the same seed share initial weights and order of data, so that
//! differences between them are far less noisy than the losses themselves.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::noise::{deviation, differences, half_width, mean, median, t_quantile};
use super::recommend::{Recommendation, recommend};
use super::table::{Group, Sweep};

/// How much too high a rate is in [`Overshoot`].
pub const OVERSHOOT: f64 = 4.0;
/// Level of confidence of every interval.
pub(super) const CONFIDENCE: f64 = 0.95;
/// Bootstrap resamples of the seeds for the interval of the best rate.
const RESAMPLES: usize = 2000;
/// Cells on each side of the best rate that the noise is measured on.
const NOISE_WINDOW: usize = 2;

/// An interval of rates; both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Lowest rate.
    pub low: f64,
    /// Highest rate.
    pub high: f64,
    /// The interval ends where the sweep does: a lower rate may belong to it.
    pub open_low: bool,
    /// The interval ends where the sweep does: a higher rate may belong to it.
    pub open_high: bool,
}

/// The end of a sweep's range at which its best rate lies: the range is too narrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// The best rate is the lowest one.
    Low,
    /// The best rate is the highest one.
    High,
}

/// The best rate of a schedule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Best {
    /// The rate with the lowest mean loss among those at which no seed diverged.
    pub rate: f64,
    /// Mean loss over the seeds.
    pub loss: f64,
    /// Half-width of the 95 % Student interval of that mean over seeds; `None` with one seed.
    pub half_width: Option<f64>,
    /// 90 % bootstrap interval (over seeds) of the best rate, widened by half a step of the grid on each side,
    /// because the optimum may lie between two rates; `None` with one seed.
    pub interval: Option<Interval>,
    /// The end of the range at which the rate lies, if it does.
    pub edge: Option<Edge>,
}

/// What a rate [`OVERSHOOT`] times the best one does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Overshoot {
    /// It trains, and the mean loss (interpolated on the log of the rate) is higher by so much.
    Costs {
        /// Mean loss there minus the loss at the best rate.
        loss: f64,
    },
    /// A run diverges there, or at one of the two rates between which it lies.
    Diverges,
    /// It lies beyond the sweep's range.
    NotTried,
}

/// A rate at which runs diverged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Divergence {
    /// The rate.
    pub rate: f64,
    /// Seeds that diverged.
    pub diverged: usize,
    /// Seeds that were run.
    pub seeds: usize,
}

/// What a sweep says of one schedule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScheduleReport {
    /// The schedule.
    pub schedule: String,
    /// Its best rate; `None` if every rate diverged with some seed.
    pub best: Option<Best>,
    /// The noise of a difference between two rates near the best: mean losses that differ by no more cannot be told
    /// apart (95 %, paired by seed). `None` with one seed or no neighbour to measure on.
    pub noise: Option<f64>,
    /// The rates around the best whose mean loss is within [`noise`](Self::noise) of its loss.
    pub safe: Option<Interval>,
    /// What a rate [`OVERSHOOT`] times the best one costs; `None` without a best rate.
    pub overshoot: Option<Overshoot>,
    /// The rates at which runs diverged, ascending.
    pub diverged: Vec<Divergence>,
    /// Loss of the tuned schedule by seed, without the winner's curse: each seed is judged at the rate that the
    /// other seeds choose. Infinite where that rate diverges. `None` with one seed or no best rate.
    pub tuned: Option<Vec<f64>>,
}

/// What a sweep says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analysis {
    /// One report per schedule, in the sweep's order.
    pub schedules: Vec<ScheduleReport>,
    /// What to use; `None` if no schedule has a rate at which no run diverged.
    pub recommendation: Option<Recommendation>,
}

/// Analyses a sweep. Rates at which a seed is missing are left out.
pub fn analyse(sweep: &Sweep) -> Analysis {
    let schedules: Vec<ScheduleReport> = sweep.groups.iter().map(report).collect();
    let recommendation = recommend(&schedules);
    Analysis { schedules, recommendation }
}

/// The losses at the rates that every seed has a run at.
struct Complete {
    rates: Vec<f64>,
    losses: Vec<Vec<f64>>,
}

impl Complete {
    fn new(group: &Group) -> Self {
        let cells = group.rates.iter().enumerate();
        let (rates, losses) = cells.filter_map(|(i, &rate)| Some((rate, group.complete(i)?))).unzip();
        Self { rates, losses }
    }

    /// Index of the lowest mean over the seeds in `seeds` (repeats count), if one is finite.
    fn best(&self, seeds: &[usize]) -> Option<usize> {
        let means = self.losses.iter().map(|loss| seeds.iter().map(|&k| loss[k]).sum::<f64>());
        let (best, total) = means.enumerate().min_by(|a, b| a.1.total_cmp(&b.1))?;
        total.is_finite().then_some(best)
    }

    fn seeds(&self) -> usize {
        self.losses.first().map_or(0, Vec::len)
    }
}

fn report(group: &Group) -> ScheduleReport {
    let cells = Complete::new(group);
    let seeds: Vec<usize> = (0..cells.seeds()).collect();
    let best = cells.best(&seeds);
    let noise = best.and_then(|best| noise(&cells, best));
    ScheduleReport {
        schedule: group.schedule.clone(),
        best: best.map(|best| Best {
            rate: cells.rates[best],
            loss: mean(&cells.losses[best]),
            half_width: half_width(&cells.losses[best], CONFIDENCE),
            interval: rate_interval(&cells),
            edge: match best {
                _ if cells.rates.len() < 2 => None,
                0 => Some(Edge::Low),
                _ if best + 1 == cells.rates.len() => Some(Edge::High),
                _ => None,
            },
        }),
        noise,
        safe: best.zip(noise).map(|(best, noise)| safe_interval(&cells, best, noise)),
        overshoot: best.map(|best| overshoot(&cells, best)),
        diverged: divergences(group),
        tuned: best.and_then(|_| tuned(&cells)),
    }
}

/// The noise is the median over the neighbours of the best rate, so that a wild cell at the cliff does not count.
fn noise(cells: &Complete, best: usize) -> Option<f64> {
    let n = cells.seeds();
    let window = best.saturating_sub(NOISE_WINDOW)..=(best + NOISE_WINDOW).min(cells.rates.len() - 1);
    let deviations = window
        .filter(|&i| i != best)
        .map(|i| deviation(&differences(&cells.losses[i], &cells.losses[best])))
        .filter(|deviation| deviation.is_finite())
        .collect();
    Some(t_quantile(n, CONFIDENCE)? * median(deviations)? / (n as f64).sqrt())
}

fn safe_interval(cells: &Complete, best: usize, noise: f64) -> Interval {
    let safe = |i: &usize| mean(&differences(&cells.losses[*i], &cells.losses[best])) <= noise;
    let low = (0..best).rev().take_while(safe).last().unwrap_or(best);
    let high = (best + 1..cells.rates.len()).take_while(safe).last().unwrap_or(best);
    Interval {
        low: cells.rates[low],
        high: cells.rates[high],
        open_low: low == 0,
        open_high: high + 1 == cells.rates.len(),
    }
}

fn overshoot(cells: &Complete, best: usize) -> Overshoot {
    let rate = OVERSHOOT * cells.rates[best];
    let Some(above) = cells.rates.iter().position(|&other| other >= rate) else { return Overshoot::NotTried };
    let (low, high) = (cells.rates[above - 1], cells.rates[above]);
    let share = (rate / low).ln() / (high / low).ln();
    let between = (1.0 - share) * mean(&cells.losses[above - 1]) + share * mean(&cells.losses[above]);
    let loss = between - mean(&cells.losses[best]);
    if loss.is_finite() { Overshoot::Costs { loss } } else { Overshoot::Diverges }
}

fn rate_interval(cells: &Complete) -> Option<Interval> {
    let n = cells.seeds();
    if n < 2 {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut sample = vec![0; n];
    let mut bests: Vec<usize> = (0..RESAMPLES)
        .filter_map(|_| {
            sample.iter_mut().for_each(|k| *k = rng.random_range(0..n));
            cells.best(&sample)
        })
        .collect();
    bests.sort_unstable();
    let quantile = |q: f64| bests.get((q * (bests.len() as f64 - 1.0)).round() as usize).copied();
    let (low, high) = (quantile(0.05)?, quantile(0.95)?);
    let last = cells.rates.len() - 1;
    let between = |a: usize, b: usize| cells.rates[a].sqrt() * cells.rates[b].sqrt();
    Some(Interval {
        low: between(low, low.saturating_sub(1)),
        high: between(high, (high + 1).min(last)),
        open_low: low == 0,
        open_high: high == last,
    })
}

fn divergences(group: &Group) -> Vec<Divergence> {
    let cells = group.rates.iter().zip(&group.losses).map(|(&rate, losses)| {
        let run = losses.iter().flatten();
        Divergence { rate, diverged: run.clone().filter(|l| l.is_infinite()).count(), seeds: run.count() }
    });
    cells.filter(|cell| cell.diverged > 0).collect()
}

fn tuned(cells: &Complete) -> Option<Vec<f64>> {
    let n = cells.seeds();
    if n < 2 {
        return None;
    }
    let judged = (0..n).map(|k| {
        let others: Vec<usize> = (0..n).filter(|&other| other != k).collect();
        cells.best(&others).map_or(f64::INFINITY, |best| cells.losses[best][k])
    });
    Some(judged.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::Row;

    /// Loss quadratic in log10 rate around `optimum`, with noise per (rate, seed) that the seeds share in part.
    fn quadratic(schedule: &str, optimum: f64, floor: f64, noise: f64, rates: &[f64]) -> Vec<Row> {
        let mut rows = Vec::new();
        for (i, &rate) in rates.iter().enumerate() {
            for seed in 0..5u64 {
                let wobble = ((i as f64 * 12.9898 + seed as f64 * 78.233).sin() * 43758.5453).fract();
                let loss =
                    floor + 0.1 * (rate / optimum).log10().powi(2) + 0.02 * seed as f64 + noise * wobble;
                rows.push(Row { schedule: schedule.into(), rate, seed, loss });
            }
        }
        rows
    }

    fn grid() -> Vec<f64> {
        (0..13).map(|i| 10f64.powf(-4.0 + i as f64 / 3.0)).collect()
    }

    #[test]
    fn finds_the_best_rate_and_a_safe_interval_around_it() {
        let sweep = Sweep::new(quadratic("cosine", 0.01, 0.5, 1e-3, &grid())).unwrap();
        let report = &analyse(&sweep).schedules[0];
        let best = report.best.as_ref().unwrap();
        assert!((best.rate.log10() + 2.0).abs() < 1e-9);
        assert!((best.loss - 0.54).abs() < 2e-3, "mean over seeds: {}", best.loss);
        assert_eq!(best.edge, None);
        let interval = best.interval.unwrap();
        assert!(interval.low < 0.01 && 0.01 < interval.high && interval.high / interval.low < 3.0);
        let (safe, noise) = (report.safe.unwrap(), report.noise.unwrap());
        assert!(noise > 0.0 && noise < 2e-3);
        assert_eq!((safe.low, safe.high), (best.rate, best.rate), "0.011 a step away is beyond the noise");
    }

    #[test]
    fn too_high_a_rate_costs_what_the_curve_says() {
        let sweep = Sweep::new(quadratic("cosine", 0.01, 0.5, 0.0, &grid())).unwrap();
        let report = &analyse(&sweep).schedules[0];
        // 0.1·log10(4)² = 0.0362 on the curve; the chord between two rates lies a little above it.
        let Some(Overshoot::Costs { loss }) = report.overshoot else { panic!("{:?}", report.overshoot) };
        assert!((0.036..0.040).contains(&loss), "{loss}");
        let low: Vec<f64> = grid().into_iter().take(8).collect();
        let sweep = Sweep::new(quadratic("cosine", 0.01, 0.5, 0.0, &low)).unwrap();
        assert_eq!(analyse(&sweep).schedules[0].overshoot, Some(Overshoot::NotTried));
        let mut rows = quadratic("cosine", 0.01, 0.5, 0.0, &grid());
        rows.iter_mut().filter(|row| row.rate > 0.03).for_each(|row| row.loss = f64::NAN);
        let sweep = Sweep::new(rows).unwrap();
        assert_eq!(analyse(&sweep).schedules[0].overshoot, Some(Overshoot::Diverges));
    }

    #[test]
    fn rates_at_the_ends_of_the_numbers_keep_an_interval() {
        let rates = [1e-320, 1e-6, 1e308];
        let sweep = Sweep::new(quadratic("cosine", 1e-6, 0.5, 1e-3, &rates)).unwrap();
        let interval = analyse(&sweep).schedules[0].best.as_ref().unwrap().interval.unwrap();
        assert!(interval.low > 0.0 && interval.low < 1e-6 && interval.high > 1e-6, "{interval:?}");
        assert!(interval.high.is_finite());
    }

    #[test]
    fn noise_widens_the_safe_interval() {
        let sweep = Sweep::new(quadratic("cosine", 0.01, 0.5, 0.1, &grid())).unwrap();
        let report = &analyse(&sweep).schedules[0];
        let safe = report.safe.unwrap();
        assert!(safe.high / safe.low > 2.0, "{safe:?}");
    }

    #[test]
    fn a_rate_at_which_one_seed_diverges_is_not_chosen() {
        let mut rows = quadratic("constant", 0.01, 0.5, 1e-3, &grid());
        let at_best = rows.iter_mut().find(|row| (row.rate - 0.01).abs() < 1e-9 && row.seed == 3).unwrap();
        at_best.loss = f64::NAN;
        let sweep = Sweep::new(rows).unwrap();
        let report = &analyse(&sweep).schedules[0];
        assert!((report.best.as_ref().unwrap().rate - 0.01).abs() > 1e-3);
        assert_eq!(report.diverged.len(), 1);
        assert_eq!((report.diverged[0].diverged, report.diverged[0].seeds), (1, 5));
    }

    #[test]
    fn the_edge_is_named_and_opens_the_interval() {
        let rates: Vec<f64> = grid().into_iter().take(5).collect();
        let sweep = Sweep::new(quadratic("linear", 0.01, 0.5, 1e-3, &rates)).unwrap();
        let report = &analyse(&sweep).schedules[0];
        assert_eq!(report.best.as_ref().unwrap().edge, Some(Edge::High));
        assert!(report.safe.unwrap().open_high);
    }

    #[test]
    fn all_diverged_and_one_seed_have_no_more_than_they_show() {
        let row = |rate, loss| Row { schedule: "constant".into(), rate, seed: 0, loss };
        let sweep = Sweep::new([row(0.1, f64::NAN), row(1.0, f64::INFINITY)]).unwrap();
        let analysis = analyse(&sweep);
        assert_eq!(analysis.schedules[0].best, None);
        assert_eq!(analysis.recommendation, None);
        let sweep = Sweep::new([row(0.1, 1.0), row(1.0, 2.0)]).unwrap();
        let analysis = analyse(&sweep);
        let report = &analysis.schedules[0];
        let best = report.best.as_ref().unwrap();
        assert_eq!((best.rate, best.half_width, best.interval), (0.1, None, None));
        assert_eq!((report.noise, report.safe, report.tuned.clone()), (None, None, None));
    }

    #[test]
    fn tuned_losses_are_not_better_than_the_choice_deserves() {
        // Pure noise: the best cell looks better than any rate is; held-out seeds show the truth.
        let flat: Vec<Row> = (0..40)
            .flat_map(|i| {
                (0..4u64).map(move |seed| {
                    let wobble = ((i as f64 * 3.7 + seed as f64 * 11.3).sin() * 9301.7).fract();
                    Row { schedule: "constant".into(), rate: 1.1f64.powi(i), seed, loss: 1.0 + wobble }
                })
            })
            .collect();
        let sweep = Sweep::new(flat).unwrap();
        let report = &analyse(&sweep).schedules[0];
        assert!(mean(report.tuned.as_ref().unwrap()) > report.best.as_ref().unwrap().loss + 0.1);
    }
}
