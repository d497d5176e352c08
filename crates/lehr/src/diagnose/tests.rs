//! Findings on runs whose story is known.

use super::*;

/// Rates under which a run went, and its losses: a power law plus what `extra` adds.
fn run(name: &str, rate: impl Fn(f64) -> f64, loss: impl Fn(f64) -> f64) -> Run {
    let wobble = |i: u64| 1e-3 * ((i as f64 * 12.9898).sin() * 43758.5453).fract();
    let points: Vec<(u64, f64)> = (1..=300).map(|i| (10 * i, loss(i as f64 / 300.0) + wobble(i))).collect();
    let rates = (1..=300).map(|i| rate(f64::from(i) / 300.0)).collect();
    Run::new(name, &points, Vec::new(), Some(rates)).unwrap()
}

fn codes(runs: &[Run]) -> Vec<&'static str> {
    diagnose(runs)[0].findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn a_plateau_has_converged_and_a_slope_has_not() {
    assert_eq!(codes(&[run("a", |u| 1.0 - u, |u| 1.0 + (-20.0 * u).exp())]), ["converged"]);
    assert_eq!(codes(&[run("a", |_| 1.0, |u| 2.0 - u)]), ["still_falling"]);
}

#[test]
fn divergence_is_told_from_a_spike_that_came_back() {
    let away = |u: f64| if u < 0.6 { 2.0 - u } else { 8.0 };
    assert_eq!(codes(&[run("a", |_| 1.0, away)]), ["diverged"]);
    let lost = |u: f64| if u < 0.6 { 2.0 - u } else { f64::NAN };
    let found = diagnose(&[run("a", |_| 1.0, lost)]);
    assert_eq!((found[0].findings[0].code, found[0].end), ("diverged", None));
    let back = |u: f64| 2.0 - u + if (0.4..0.45).contains(&u) { 3.0 } else { 0.0 };
    let found = diagnose(&[run("a", |_| 1.0, back)]);
    assert_eq!(found[0].findings[0].code, "spike");
    assert!((1180..=1230).contains(&found[0].findings[0].step.unwrap()), "{found:?}");
}

#[test]
fn each_restart_is_judged() {
    let rate = |u: f64| 1.01 - (3.0 * u).fract();
    // The first restart brings a gain, the second none.
    let loss = |u: f64| {
        let base = if u < 1.0 / 3.0 { 2.0 } else { 1.5 };
        base + 0.5 * (1.0 - (3.0 * u).fract())
    };
    let found = codes(&[run("a", rate, loss)]);
    let restarts: Vec<&str> = found.iter().copied().filter(|code| code.starts_with("restart")).collect();
    assert_eq!(restarts, ["restart_paid", "restart_lost"]);
    assert!(!found.contains(&"spike"), "the rise after a restart is its own: {found:?}");
}

#[test]
fn annealing_is_held_against_a_constant_rate() {
    let constant = run("constant", |_| 1.0, |u| 1.5 + (-20.0 * u).exp());
    let better = run("linear", |u| 1.0 - u, |u| 1.2 + (-20.0 * u).exp());
    let same = run("cosine", |u| 1.0 - u, |u| 1.5 + (-20.0 * u).exp());
    let found = diagnose(&[better, same, constant]);
    let last = |i: usize| found[i].findings.last().unwrap().code;
    assert_eq!((last(0), last(1), last(2)), ("annealing_pays", "annealing_within_noise", "converged"));
}

#[test]
fn over_fitting_shows_in_the_validation_loss() {
    let points: Vec<(u64, f64)> = (1..=100).map(|i| (i, 1.0 / i as f64)).collect();
    let validation: Vec<(u64, f64)> =
        (1..=100).map(|i| (i, 1.0 + 1e-4 * (i as f64 - 40.0).powi(2))).collect();
    let run = Run::new("a", &points, validation, None).unwrap();
    let found = diagnose(&[run]);
    let finding = found[0].findings.iter().find(|finding| finding.code == "overfits").unwrap();
    assert!((38..=42).contains(&finding.step.unwrap()));
}

#[test]
fn a_longer_horizon_is_asked_of_the_law() {
    let decay = |u: f64| 1e-3 * (1.0 - u).max(0.0);
    let loss = |u: f64| 2.0 + 0.5 * (0.05 + u).powf(-0.4) - 0.3 * u * u;
    let found = diagnose(&[run("a", decay, loss)]);
    assert!(!found[0].longer.is_empty());
    for future in &found[0].longer {
        assert!(future.r_squared > 0.97 && future.low <= future.loss && future.loss <= future.high);
    }
}

#[test]
fn what_is_no_run_is_refused() {
    let points = |loss: fn(u64) -> f64| (1..=20).map(|i| (i, loss(i))).collect::<Vec<_>>();
    assert!(Run::new("a", &points(|_| 1.0)[..5], vec![], None).is_err());
    assert!(
        Run::new("a", &points(|_| 1.0), vec![], None)
            .unwrap_err()
            .to_string()
            .contains("nothing was trained")
    );
    assert!(Run::new("a", &points(|_| f64::NAN), vec![], None).is_err());
    assert!(Run::new("a", &points(|i| i as f64), vec![], Some(vec![1.0])).is_err());
    assert!(Run::new("a", &points(|i| i as f64), vec![], Some(vec![-1.0; 20])).is_err());
    let mut twice = points(|i| i as f64);
    twice[3].0 = 3;
    assert!(Run::new("a", &twice, vec![], None).is_err());
}
