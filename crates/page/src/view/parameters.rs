//! All parameters of all trials, and how much each of them matters.
use serde::Serialize;

/// Parallel coordinates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameters {
    /// One axis per parameter, the objective last.
    pub axes: Vec<Axis>,
    /// Which trials are shown, by their rows.
    pub rows: Vec<usize>,
    /// How many there are, and which are shown, where it is not all.
    pub choice: String,
}

/// An axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Axis {
    /// The column of the table of trials.
    pub key: String,
    /// Its name.
    pub label: String,
    /// Whether it is logarithmic.
    pub log: bool,
    /// The choices of a parameter that is not a number.
    pub choices: Option<Vec<String>>,
}

/// How much each parameter matters.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Importance {
    /// The shares, largest first.
    pub shares: Vec<Share>,
    /// Complete trials that it is measured on.
    pub trials: usize,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// Its name.
    pub name: String,
    /// Share of the variance of ranks of the objective that this parameter alone explains, less what chance would.
    pub share: f64,
}

/// Trials below this many tell nothing of importance.
const LEAST: usize = 12;

/// A column of parameter values: numbers, or the place of a choice.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers; NaN where the trial lacks the parameter.
    Numbers(Vec<f64>),
    /// Places of choices; `None` where the trial lacks the parameter.
    Choices(Vec<Option<usize>>),
}

impl Importance {
    /// By analysis of variance (ε², Kelley 1935) of the ranks of the objective between groups of each parameter: its
    /// choices, or groups of equally many neighbouring numbers. `None` with too few trials or one parameter.
    pub fn of(parameters: &[(String, Values)], values: &[f64]) -> Option<Self> {
        let finished: Vec<usize> = (0..values.len()).filter(|&i| !values[i].is_nan()).collect();
        if finished.len() < LEAST || parameters.len() < 2 {
            return None;
        }
        let ranks = ranks(&finished.iter().map(|&i| values[i]).collect::<Vec<_>>());
        let share = |(name, column): &(String, Values)| {
            let groups = groups(column, &finished);
            Share { name: name.clone(), share: explained(&ranks, &groups) }
        };
        let mut shares: Vec<Share> = parameters.iter().map(share).collect();
        shares.sort_by(|a, b| b.share.total_cmp(&a.share));
        shares.iter().any(|s| s.share > 0.0).then_some(Self { shares, trials: finished.len() })
    }
}

/// Ranks from 0; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut out = vec![0.0; values.len()];
    let mut start = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = start as f64 + (tied.len() - 1) as f64 / 2.0;
        tied.iter().for_each(|&i| out[i] = rank);
        start += tied.len();
    }
    out
}

/// The group of each finished trial.
fn groups(column: &Values, finished: &[usize]) -> Vec<usize> {
    match column {
        Values::Choices(choices) => finished.iter().map(|&i| choices[i].map_or(0, |c| c + 1)).collect(),
        Values::Numbers(numbers) => {
            let own: Vec<f64> = finished.iter().map(|&i| numbers[i]).collect();
            let bins = ((own.len() as f64).sqrt() / 1.5).clamp(3.0, 10.0);
            let size = own.len() as f64 / bins;
            // Equal numbers share their rank, so they are never in two groups.
            ranks(&own).into_iter().map(|rank| ((rank + 0.5) / size) as usize).collect()
        }
    }
}

/// ε²: the share of variance between groups, less what groups of this size explain by chance.
fn explained(values: &[f64], groups: &[usize]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let total: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let mut sums: std::collections::BTreeMap<usize, (f64, f64)> = std::collections::BTreeMap::new();
    for (value, group) in values.iter().zip(groups) {
        let cell = sums.entry(*group).or_default();
        *cell = (cell.0 + value, cell.1 + 1.0);
    }
    let k = sums.len() as f64;
    let between: f64 = sums.values().map(|(sum, count)| count * (sum / count - mean).powi(2)).sum();
    let within = (total - between) / (n - k).max(1.0);
    let share = (between - (k - 1.0) * within) / total;
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_found_and_chance_is_not() {
        let n = 200;
        let wave = |i: usize, k: f64| ((i as f64 * k).sin() * 9301.7).fract().abs();
        let a: Vec<f64> = (0..n).map(|i| wave(i, 3.7)).collect();
        let b: Vec<f64> = (0..n).map(|i| wave(i, 5.3)).collect();
        let c: Vec<Option<usize>> = (0..n).map(|i| Some(i % 3)).collect();
        let values: Vec<f64> = (0..n).map(|i| (a[i] - 0.5).powi(2) * 4.0 + 0.2 * (i % 3) as f64).collect();
        let parameters = [
            ("a".to_owned(), Values::Numbers(a)),
            ("b".to_owned(), Values::Numbers(b)),
            ("c".to_owned(), Values::Choices(c)),
        ];
        let found = Importance::of(&parameters, &values).unwrap();
        assert_eq!(found.shares[0].name, "a");
        assert!(found.shares[0].share > 0.5, "{found:?}");
        let b = found.shares.iter().find(|share| share.name == "b").unwrap();
        assert!(b.share < 0.08, "{found:?}");
    }

    #[test]
    fn too_little_tells_nothing() {
        let one = [("a".to_owned(), Values::Numbers(vec![1.0; 50]))];
        assert_eq!(Importance::of(&one, &[1.0; 50]), None);
        let two = [one[0].clone(), one[0].clone()];
        assert_eq!(Importance::of(&two, &[1.0; 50]), None, "nothing varies");
        assert_eq!(Importance::of(&two, &[f64::NAN; 50]), None);
        assert_eq!(Importance::of(&[], &[]), None);
    }
}
