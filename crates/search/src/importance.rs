//! Which parameters mattered.
use crate::history::{History, State};

/// Places per parameter at which densities are compared, at most.
const PLACES: usize = 50;

/// The importance of each parameter, in the order of the space; the shares sum to 1.
///
/// PED-ANOVA: for each parameter, how much the density of its values among the best tenth of the complete trials differs
/// from that among all of them (Pearson divergence). It asks what matters for being among the best, and is 0 for a parameter
/// with one value or one that no complete trial has. Parameters that only matter together with another one share in
/// what they do at the best trials alone. Trials that a sampler concentrated near the optimum already narrow the baseline,
/// so importances from a random or quasi-random history are the most faithful ones.
///
/// Returns `None` with fewer than 10 complete trials, or if their objectives are all equal.
/// Cost: O(n) per parameter. Source: Watanabe, Bansal and Hutter, IJCAI 2023.
pub fn importance(history: &History) -> Option<Vec<(String, f64)>> {
    let complete = |t: &&u32| history.states()[**t as usize] == State::Complete;
    let ranked: Vec<u32> = history.ranked().iter().filter(complete).copied().collect();
    let value = |t: u32| history.trial(t as usize).and_then(|t| t.value());
    if ranked.len() < 10 || value(ranked[0]) == value(ranked[ranked.len() - 1]) {
        return None;
    }
    let top = &ranked[..ranked.len().div_ceil(10).max(2)];
    let divergences: Vec<f64> =
        (0..history.space().len()).map(|i| divergence(history, i, top, &ranked)).collect();
    let total: f64 = divergences.iter().sum();
    let share = |d: f64| if total > 0.0 { d / total } else { 0.0 };
    let names = history.space().parameters().iter().map(|p| p.name.to_string());
    Some(names.zip(divergences.into_iter().map(share)).collect())
}

/// Pearson divergence of the values of the best from those of all.
fn divergence(history: &History, parameter: usize, top: &[u32], all: &[u32]) -> f64 {
    let domain = &history.space().parameters()[parameter].domain;
    let levels = domain.levels().unwrap_or(u64::MAX);
    if levels < 2 {
        return 0.0;
    }
    let places = levels.min(PLACES as u64) as usize;
    let density = |trials: &[u32]| density(history.unit(parameter), trials, places, domain.is_categorical());
    let (Some(top), Some(all)) = (density(top), density(all)) else { return 0.0 };
    top.iter().zip(&all).map(|(p, q)| q * (p / q - 1.0).powi(2)).sum()
}

/// The distribution of the places of trials over equal parts of [0, 1]: a normal around each (Scott's rule; a peak for a
/// choice), and one trial's worth of evenness. `None` if no trial has the parameter.
fn density(unit: &[f64], trials: &[u32], places: usize, categorical: bool) -> Option<Vec<f64>> {
    let k = places as f64;
    let mut counts = vec![0.0; places];
    for u in trials.iter().map(|&t| unit[t as usize]).filter(|u| !u.is_nan()) {
        counts[((u * k) as usize).min(places - 1)] += 1.0;
    }
    let n: f64 = counts.iter().sum();
    if n == 0.0 {
        return None;
    }
    let mut smooth = vec![1.0 / k; places];
    if categorical {
        smooth.iter_mut().zip(&counts).for_each(|(s, c)| *s += c);
    } else {
        let place = |i: usize| (i as f64 + 0.5) / k;
        let mean = (0..places).map(|i| counts[i] * place(i)).sum::<f64>() / n;
        let variance = (0..places).map(|i| counts[i] * (place(i) - mean).powi(2)).sum::<f64>() / n;
        let sigma = (1.059 * variance.sqrt() * n.powf(-0.2)).max(0.5 / k);
        let bell = |i: usize, j: usize| (-0.5 * ((place(i) - place(j)) / sigma).powi(2)).exp();
        for j in (0..places).filter(|&j| counts[j] > 0.0) {
            let mass: f64 = (0..places).map(|i| bell(i, j)).sum();
            (0..places).for_each(|i| smooth[i] += counts[j] * bell(i, j) / mass);
        }
    }
    smooth.iter_mut().for_each(|s| *s /= n + 1.0);
    Some(smooth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, Outcome};
    use crate::sampler::{Random, Sampler};
    use crate::stream::Stream;

    fn history(direction: Direction, f: impl Fn(&crate::Params) -> f64) -> History {
        let space: crate::Space =
            "x=0.0..1.0, y=log 1e-3..1, n=1..8, c=a|b|c, idle=0.0..1.0, one=3".parse().unwrap();
        let mut history = History::new(space.clone(), direction);
        for t in 0..400 {
            let p = Random::default().suggest(&space, &history, &mut Stream::for_trial(4, t)).unwrap();
            let trial = history.start(&p).unwrap();
            let outcome = if t % 20 == 3 { Outcome::Pruned } else { Outcome::Complete(f(&p)) };
            history.finish(trial, outcome).unwrap();
        }
        history
    }

    #[test]
    fn orders_parameters_by_what_they_do() {
        let f = |p: &crate::Params| {
            10.0 * p.float("x").unwrap()
                + 3.0 * p.float("n").unwrap() / 8.0
                + p.float("y").unwrap().log10() * 0.3
                - if p.text("c") == Some("b") { 5.0 } else { 0.0 }
        };
        let down = importance(&history(Direction::Minimize, f)).unwrap();
        let up = importance(&history(Direction::Maximize, |p| -f(p))).unwrap();
        assert_eq!(down, up);
        let of = |name: &str| down.iter().find(|(n, _)| n == name).unwrap().1;
        assert!((down.iter().map(|d| d.1).sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(of("x") > 0.2 && of("c") > 0.2 && of("n") > of("idle"), "{down:?}");
        assert!(of("idle") < 0.05 && of("one") == 0.0, "{down:?}");
    }

    #[test]
    fn says_nothing_where_there_is_nothing() {
        assert!(importance(&history(Direction::Minimize, |_| 1.0)).is_none());
        assert!(importance(&history(Direction::Minimize, |_| f64::NAN)).is_none());
        assert!(importance(&History::new("x=0.0..1.0".parse().unwrap(), Direction::Minimize)).is_none());
    }
}
