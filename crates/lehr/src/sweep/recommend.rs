//! Which schedule and rate to use: the simplest schedule that cannot be told from the best.

use serde::Serialize;

use super::analysis::{Best, CONFIDENCE, ScheduleReport};
use super::noise::{differences, half_width, mean};

/// A schedule held against the best one, both tuned and judged on held-out seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The schedule.
    pub schedule: String,
    /// Mean over seeds of its tuned loss minus that of the best schedule; not finite if it diverged.
    pub difference: f64,
    /// Half-width of the interval of that mean: 95 % for all comparisons together (Bonferroni).
    pub half_width: f64,
    /// It diverged with a seed at the rate that the other seeds chose.
    pub diverged: bool,
    /// The interval holds 0: the two cannot be told apart.
    pub within_noise: bool,
}

/// Why a schedule is recommended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The sweep has no other schedule that trained.
    Only,
    /// It has the lowest loss, and no simpler one is within the noise of it.
    Best,
    /// The best cannot be told from it, and it is simpler.
    SimplestWithinNoise {
        /// The schedule with the lowest loss.
        best: String,
    },
    /// No schedule of the sweep can be told from the best; it is the simplest.
    Indistinguishable {
        /// The schedule with the lowest loss.
        best: String,
    },
    /// One seed shows no noise: it has the lowest loss, by luck or by merit.
    OneSeed,
}

/// What to use.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recommendation {
    /// The schedule.
    pub schedule: String,
    /// Its best rate, with its interval and loss.
    pub best: Best,
    /// Why this schedule.
    pub reason: Reason,
    /// Every other schedule against the one with the lowest loss; empty with one seed.
    pub comparisons: Vec<Comparison>,
}

/// How simple a schedule is, the lower the simpler: `constant` before everything, then by the number of words.
pub(crate) fn simplicity(schedule: &str) -> usize {
    match schedule.trim() {
        "constant" => 0,
        other => other.split_whitespace().count(),
    }
}

/// Recommends the simplest schedule within the noise of the best; `None` if none has a best rate.
pub fn recommend(reports: &[ScheduleReport]) -> Option<Recommendation> {
    let trained: Vec<(&ScheduleReport, &Best)> =
        reports.iter().filter_map(|report| Some((report, report.best.as_ref()?))).collect();
    let of = |(report, best): (&ScheduleReport, &Best), reason, comparisons| Recommendation {
        schedule: report.schedule.clone(),
        best: best.clone(),
        reason,
        comparisons,
    };
    if let [only] = trained[..] {
        return Some(of(only, Reason::Only, Vec::new()));
    }
    let tuned: Option<Vec<&Vec<f64>>> = trained.iter().map(|(report, _)| report.tuned.as_ref()).collect();
    let Some(tuned) = tuned else {
        let best = trained.into_iter().min_by(|a, b| a.1.loss.total_cmp(&b.1.loss))?;
        return Some(of(best, Reason::OneSeed, Vec::new()));
    };
    let best = (0..trained.len()).min_by(|&a, &b| mean(tuned[a]).total_cmp(&mean(tuned[b])))?;
    let others: Vec<usize> = (0..trained.len()).filter(|&i| i != best).collect();
    let confidence = 1.0 - (1.0 - CONFIDENCE) / others.len() as f64;
    let comparisons: Vec<Comparison> = others
        .iter()
        .map(|&i| {
            let paired = differences(tuned[i], tuned[best]);
            let difference = mean(&paired);
            let half_width = half_width(&paired, confidence).unwrap_or(f64::INFINITY);
            let within_noise = difference.is_finite() && difference <= half_width;
            let (schedule, diverged) = (trained[i].0.schedule.clone(), !difference.is_finite());
            Comparison { schedule, difference, half_width, diverged, within_noise }
        })
        .collect();
    let alike = others.iter().zip(&comparisons).filter(|(_, other)| other.within_noise).map(|(&i, _)| i);
    let chosen = alike
        .chain([best])
        .min_by(|&a, &b| {
            let key = |i: usize| simplicity(&trained[i].0.schedule);
            key(a).cmp(&key(b)).then(mean(tuned[a]).total_cmp(&mean(tuned[b])))
        })
        .unwrap_or(best);
    let name = trained[best].0.schedule.clone();
    let reason = match comparisons.iter().filter(|other| other.within_noise).count() {
        n if n == others.len() => Reason::Indistinguishable { best: name },
        _ if chosen == best => Reason::Best,
        _ => Reason::SimplestWithinNoise { best: name },
    };
    Some(of(trained[chosen], reason, comparisons))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::{Row, Sweep, analyse};

    fn rows(schedule: &str, losses: &[[f64; 4]]) -> Vec<Row> {
        let cell = |i: usize, k: usize| Row {
            schedule: schedule.into(),
            rate: 2f64.powi(i as i32),
            seed: k as u64,
            loss: losses[i][k],
        };
        (0..losses.len()).flat_map(|i| (0..4).map(move |k| cell(i, k))).collect()
    }

    fn recommendation(parts: Vec<Vec<Row>>) -> Recommendation {
        analyse(&Sweep::new(parts.concat()).unwrap()).recommendation.unwrap()
    }

    const GOOD: [[f64; 4]; 3] = [[2.0, 2.1, 2.05, 2.2], [1.00, 1.10, 1.05, 1.20], [1.5, 1.55, 1.6, 1.65]];

    fn shifted(by: [f64; 4]) -> Vec<[f64; 4]> {
        GOOD.iter().map(|row| std::array::from_fn(|k| row[k] + by[k])).collect()
    }

    #[test]
    fn the_simplest_within_the_noise_wins() {
        let near = shifted([0.01, -0.01, 0.012, -0.008]);
        let worse = shifted([0.3, 0.31, 0.29, 0.3]);
        let got = recommendation(vec![
            rows("warmup 5%, cosine", &GOOD),
            rows("linear", &near),
            rows("constant", &worse),
        ]);
        assert_eq!(got.schedule, "linear");
        assert!(matches!(got.reason, Reason::SimplestWithinNoise { .. }), "{got:?}");
        let constant = got.comparisons.iter().find(|c| c.schedule == "constant").unwrap();
        assert!(!constant.within_noise && (constant.difference - 0.3).abs() < 0.02);
    }

    #[test]
    fn schedules_that_cannot_be_told_apart_are_said_to_be_so() {
        let near = shifted([0.01, -0.01, 0.012, -0.008]);
        let got = recommendation(vec![rows("cosine to 0.1", &GOOD), rows("constant", &near)]);
        assert_eq!(got.schedule, "constant");
        assert!(matches!(got.reason, Reason::Indistinguishable { .. }));
    }

    #[test]
    fn a_clear_winner_is_the_best_whatever_its_complexity() {
        let worse = shifted([0.3, 0.31, 0.29, 0.3]);
        let got = recommendation(vec![rows("constant", &worse), rows("warmup 5%, cosine to 0.1", &GOOD)]);
        assert_eq!((got.schedule.as_str(), got.reason), ("warmup 5%, cosine to 0.1", Reason::Best));
        assert_eq!(got.best.rate, 2.0);
    }

    #[test]
    fn one_schedule_and_one_seed() {
        assert_eq!(recommendation(vec![rows("linear", &GOOD)]).reason, Reason::Only);
        let one = |name: &str, loss| Row { schedule: name.into(), rate: 1.0, seed: 0, loss };
        let got = recommendation(vec![vec![one("constant", 2.0), one("linear", 1.0)]]);
        assert_eq!((got.schedule.as_str(), got.reason), ("linear", Reason::OneSeed));
    }
}
