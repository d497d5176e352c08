//! The measurement of a whole sweep.

use serde::Serialize;

use super::RobustnessError;
use super::coarse::{Regret, regret};
use super::optimum::{Optimum, fit};
use crate::sweep::{Divergence, Edge, Group, Sweep, deviation, median};

/// How a sweep is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Standard deviation of one loss from run to run, where the sweep has one seed and cannot tell.
    pub noise: Option<f64>,
    /// A rate is safe where its loss is at most so much above the best, or within the noise if that is more.
    pub epsilon: Option<f64>,
    /// Factors of the coarse grids.
    pub ratios: Vec<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { noise: None, epsilon: None, ratios: vec![2.0, 3.0, 5.0, 10.0, 30.0, 100.0] }
    }
}

/// The rates around the best one whose loss is not much higher.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Safe {
    /// Lowest safe rate of the sweep.
    pub low: f64,
    /// Highest safe rate of the sweep.
    pub high: f64,
    /// What counts as not much: the allowance, or the noise if that is larger.
    pub epsilon: f64,
    /// Whether the lowest rate of the sweep is still safe.
    pub open_low: bool,
    /// Whether the highest rate of the sweep is still safe.
    pub open_high: bool,
}

/// What a sweep says of one schedule's robustness.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupRobustness {
    /// The schedule.
    pub schedule: String,
    /// Rates at which every seed has a run, ascending.
    pub rates: Vec<f64>,
    /// Mean loss over the seeds at each; `None` where a run diverged.
    pub losses: Vec<Option<f64>>,
    /// Seeds.
    pub seeds: usize,
    /// The rate with the lowest mean loss.
    pub best_rate: f64,
    /// That loss.
    pub best_loss: f64,
    /// The end of the sweep at which the best rate lies, if it does.
    pub edge: Option<Edge>,
    /// Standard deviation of one run's loss, paired by seed, or as given.
    pub noise: Option<f64>,
    /// The best rate between the grid's points, where a quadratic can tell.
    pub optimum: Option<Optimum>,
    /// The safe interval of rates.
    pub safe: Safe,
    /// Regret against the coarseness of the grid, as far as the sweep's rates allow.
    pub regrets: Vec<Regret>,
    /// What a rate too high costs: loss at ρ times the best rate above the loss at the best, between the sweep's
    /// rates in a straight line of log rate. As far as the sweep goes.
    pub too_high: Vec<Excess>,
    /// The largest factor of a coarse grid that the sweep can judge.
    pub judged_up_to: f64,
    /// Rates at which runs diverged.
    pub diverged: Vec<Divergence>,
    /// What a reader has to know beside the numbers.
    pub caveats: Vec<String>,
}

/// The cost of a rate that is too high.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Excess {
    /// Rate over the best rate.
    pub rho: f64,
    /// Loss above that of the best rate; `None` where a run diverged.
    pub excess: Option<f64>,
}

/// A group that cannot be analysed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refused {
    /// The schedule.
    pub schedule: String,
    /// Why.
    pub reason: String,
}

/// What a sweep says of robustness.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// One entry per schedule that can be analysed.
    pub schedules: Vec<GroupRobustness>,
    /// The others, with the reason.
    pub refused: Vec<Refused>,
}

/// Measures every schedule of a sweep.
///
/// # Errors
/// An option that is out of range, or a sweep none of whose schedules can be analysed.
pub fn measure(sweep: &Sweep, options: &Options) -> Result<Measured, RobustnessError> {
    let positive = |name: &str, value: Option<f64>| match value {
        Some(value) if !(value.is_finite() && value >= 0.0) => Err(RobustnessError::Option(format!(
            "{name} is {value}; it must be a finite number of at least 0"
        ))),
        _ => Ok(()),
    };
    positive("the noise", options.noise)?;
    positive("epsilon", options.epsilon)?;
    if let Some(ratio) = options.ratios.iter().find(|ratio| !(ratio.is_finite() && **ratio > 1.0)) {
        return Err(RobustnessError::Option(format!("a grid's ratio is {ratio}; it must be above 1")));
    }
    let mut measured = Measured { schedules: Vec::new(), refused: Vec::new() };
    for group in &sweep.groups {
        match group_of(group, options) {
            Ok(found) => measured.schedules.push(found),
            Err(reason) => measured.refused.push(Refused { schedule: group.schedule.clone(), reason }),
        }
    }
    if measured.schedules.is_empty() {
        let reasons =
            measured.refused.iter().map(|refused| format!("{}: {}", refused.schedule, refused.reason));
        return Err(RobustnessError::Nothing(reasons.collect::<Vec<_>>().join("; ")));
    }
    Ok(measured)
}

/// Share of the best loss that counts as a small difference where nothing else is known.
const SMALL: f64 = 0.002;

fn group_of(group: &Group, options: &Options) -> Result<GroupRobustness, String> {
    let seeds: Vec<usize> = (0..group.losses.first().map_or(0, Vec::len))
        .filter(|&k| group.losses.iter().any(|cell| cell[k].is_some()))
        .collect();
    let cell = |i: usize| seeds.iter().map(|&k| group.losses[i][k]).collect::<Option<Vec<f64>>>();
    let (rates, losses): (Vec<f64>, Vec<Vec<f64>>) =
        group.rates.iter().enumerate().filter_map(|(i, &rate)| Some((rate, cell(i)?))).unzip();
    let means: Vec<f64> = losses.iter().map(|cell| cell.iter().sum::<f64>() / cell.len() as f64).collect();
    let finite = means.iter().filter(|mean| mean.is_finite()).count();
    match rates.len() {
        0 => return Err("no rate has a run of every seed".to_owned()),
        1 => return Err(format!("one rate ({:e}) only; at least three are needed", rates[0])),
        2 => return Err("two rates only; at least three are needed".to_owned()),
        _ if finite == 0 => return Err("every rate diverged with some seed".to_owned()),
        _ if finite == 1 => return Err("all rates but one diverged with some seed".to_owned()),
        _ => {}
    }
    let best = (0..means.len()).min_by(|&a, &b| means[a].total_cmp(&means[b])).unwrap_or(0);
    if means.iter().filter(|mean| mean.is_finite()).all(|mean| *mean == means[best]) {
        return Err("the loss does not vary with the rate".to_owned());
    }
    let measured = (seeds.len() > 1).then(|| noise(&losses, best)).flatten();
    let noise = measured.or(options.noise);
    let noise_of_mean = noise.map(|noise| noise / (seeds.len() as f64).sqrt());
    let epsilon =
        options.epsilon.unwrap_or(SMALL * means[best].abs()).max(noise_of_mean.unwrap_or(0.0) * 2.0);
    let safe = |i: &usize| means[*i] - means[best] <= epsilon;
    let low = (0..best).rev().take_while(safe).last().unwrap_or(best);
    let high = (best + 1..means.len()).take_while(safe).last().unwrap_or(best);
    let regrets: Vec<Regret> =
        options.ratios.iter().filter_map(|&ratio| regret(&rates, &losses, ratio)).collect();
    let center = optimum_rate(&rates, &means, best);
    let too_high =
        options.ratios.iter().filter_map(|&rho| excess(&rates, &means, best, rho, center)).collect();
    let edge = match best {
        0 => Some(Edge::Low),
        _ if best + 1 == means.len() => Some(Edge::High),
        _ => None,
    };
    let diverged = group.rates.iter().zip(&group.losses).map(|(&rate, cell)| {
        let run = cell.iter().flatten();
        Divergence {
            rate,
            diverged: run.clone().filter(|loss| loss.is_infinite()).count(),
            seeds: run.count(),
        }
    });
    let optimum = fit(&rates, &means, noise_of_mean);
    let mut caveats = Vec::new();
    if seeds.len() == 1 {
        caveats.push(
            "one seed: rates are chosen and judged on the same runs, which flatters the choice".to_owned(),
        );
    }
    if noise.is_none() {
        caveats.push(format!(
            "no noise is known (one seed), so {epsilon:.2e} ({} % of the best loss) counts as a small difference and \
             the best rate has no interval; give the noise of a run if you know it",
            100.0 * SMALL
        ));
    }
    if edge.is_some() {
        caveats.push("the best rate lies at the edge of the sweep: the optimum may lie outside".to_owned());
    }
    if rates.len() < group.rates.len() {
        caveats.push(format!(
            "{} rates lack a run of some seed and are left out",
            group.rates.len() - rates.len()
        ));
    }
    if optimum.is_none() && edge.is_none() {
        caveats.push(
            "the losses around the best rate are not convex: no rate between the points is given".to_owned(),
        );
    }
    Ok(GroupRobustness {
        schedule: group.schedule.clone(),
        losses: means.iter().map(|mean| mean.is_finite().then_some(*mean)).collect(),
        seeds: seeds.len(),
        best_rate: rates[best],
        best_loss: means[best],
        edge,
        noise,
        optimum,
        safe: Safe {
            low: rates[low],
            high: rates[high],
            epsilon,
            open_low: low == 0,
            open_high: high + 1 == rates.len(),
        },
        judged_up_to: regrets.iter().map(|regret| regret.ratio).fold(1.0, f64::max),
        regrets,
        too_high,
        diverged: diverged.filter(|cell| cell.diverged > 0).collect(),
        caveats,
        rates,
    })
}

/// The best rate: between the points where a quadratic can tell.
fn optimum_rate(rates: &[f64], means: &[f64], best: usize) -> f64 {
    fit(rates, means, None).map_or(rates[best], |optimum| optimum.rate)
}

/// Loss at ρ·center above the best, from the two rates around it; nothing where the sweep does not reach.
fn excess(rates: &[f64], means: &[f64], best: usize, rho: f64, center: f64) -> Option<Excess> {
    let wanted = rho * center;
    let above = rates.iter().position(|&rate| rate >= wanted * (1.0 - 1e-9))?;
    let below = above.checked_sub(1)?;
    let share = (wanted / rates[below]).ln() / (rates[above] / rates[below]).ln();
    let loss = means[below] + share * (means[above] - means[below]);
    Some(Excess { rho, excess: loss.is_finite().then_some(loss - means[best]) })
}

/// Standard deviation of one run, from differences to the best rate's runs with the same seed, over its neighbours.
fn noise(losses: &[Vec<f64>], best: usize) -> Option<f64> {
    let window = best.saturating_sub(2)..(best + 3).min(losses.len());
    let deviations = window.filter(|&i| i != best).map(|i| {
        let differences: Vec<f64> = losses[i].iter().zip(&losses[best]).map(|(a, b)| a - b).collect();
        deviation(&differences) / 2f64.sqrt()
    });
    median(deviations.filter(|deviation| deviation.is_finite()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::Row;

    fn sweep(loss: impl Fn(usize, u64) -> f64, rates: usize, seeds: u64) -> Sweep {
        let rows = (0..rates).flat_map(|i| {
            let loss = &loss;
            (0..seeds).map(move |seed| Row {
                schedule: "cosine".into(),
                rate: 1e-4 * 2f64.powi(i as i32),
                seed,
                loss: loss(i, seed),
            })
        });
        Sweep::new(rows.collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn measures_a_bowl() {
        let bowl = |i: usize, seed: u64| {
            let wobble = ((i as f64 * 12.9898 + seed as f64 * 78.233).sin() * 43758.5453).fract();
            1.0 + 0.01 * (i as f64 - 4.3).powi(2) + 1e-3 * wobble + 0.1 * seed as f64
        };
        let measured = measure(&sweep(bowl, 9, 6), &Options::default()).unwrap();
        let group = &measured.schedules[0];
        let optimum = group.optimum.as_ref().unwrap();
        assert!((optimum.rate / (1e-4 * 2f64.powf(4.3)) - 1.0).abs() < 0.1, "{optimum:?}");
        assert!((optimum.curvature - 0.01).abs() < 2e-3);
        assert!(group.noise.unwrap() < 2e-3 && group.edge.is_none());
        let of =
            |ratio: f64| group.regrets.iter().find(|regret| regret.ratio == ratio).unwrap().worst.unwrap();
        assert!(of(2.0).abs() < 2e-3 && of(10.0) > 0.01 && of(10.0) > of(3.0));
        assert!(group.judged_up_to < 300.0);
    }

    #[test]
    fn one_seed_says_so() {
        let measured =
            measure(&sweep(|i, _| 1.0 + (i as f64 - 2.0).powi(2), 5, 1), &Options::default()).unwrap();
        let group = &measured.schedules[0];
        assert!(group.noise.is_none() && group.optimum.as_ref().unwrap().low.is_none());
        assert!(group.caveats.iter().any(|caveat| caveat.starts_with("one seed")));
        let known = Options { noise: Some(0.1), ..Options::default() };
        let measured = measure(&sweep(|i, _| 1.0 + (i as f64 - 2.0).powi(2), 5, 1), &known).unwrap();
        assert!(measured.schedules[0].optimum.as_ref().unwrap().low.is_some());
    }

    #[test]
    fn what_cannot_be_analysed_is_refused_with_the_reason() {
        let reason = |sweep: Sweep| measure(&sweep, &Options::default()).unwrap_err().to_string();
        assert!(reason(sweep(|_, _| 1.0, 1, 3)).contains("one rate"));
        assert!(reason(sweep(|_, _| 1.0, 5, 3)).contains("does not vary"));
        assert!(reason(sweep(|_, _| f64::NAN, 5, 3)).contains("every rate diverged"));
        assert!(
            reason(sweep(|i, _| if i == 0 { 1.0 } else { f64::NAN }, 5, 3)).contains("all rates but one")
        );
        let bad = Options { ratios: vec![1.0], ..Options::default() };
        assert!(measure(&sweep(|i, _| i as f64, 5, 1), &bad).is_err());
        let bad = Options { noise: Some(f64::NAN), ..Options::default() };
        assert!(measure(&sweep(|i, _| i as f64, 5, 1), &bad).is_err());
    }
}
