//! First and last updates, borders, and errors against a horizon.
#![allow(clippy::unwrap_used, clippy::panic)]
use lehr_schedule::{Horizon, Schedule};

fn relative(text: &str, steps: u64) -> lehr_schedule::Curve {
    let horizon = Horizon::steps(steps).with_steps_per_epoch(10.0).with_tokens_per_step(1000.0);
    text.parse::<Schedule>()
        .unwrap_or_else(|e| panic!("{e}"))
        .resolve(&horizon)
        .unwrap_or_else(|e| panic!("{e}"))
}

/// A spec, the horizon, and levels at some updates.
type Case = (&'static str, u64, &'static [(u64, f64)]);

#[test]
fn first_border_and_last_values() {
    // (text, steps, [(update, level)])
    let cases: &[Case] = &[
        ("constant", 10, &[(0, 1.0), (9, 1.0), (10, 1.0)]),
        ("linear", 10, &[(0, 1.0), (5, 0.5), (9, 0.1), (10, 0.0), (99, 0.0)]),
        ("cosine", 10, &[(0, 1.0), (5, 0.5), (10, 0.0)]),
        ("cosine to 0.1", 49, &[(0, 1.0), (49, 0.1)]),
        ("warmup 4, linear", 14, &[(0, 0.25), (3, 1.0), (4, 1.0), (13, 0.1), (14, 0.0)]),
        ("linear 4 from 0 to 1, constant", 14, &[(0, 0.0), (3, 0.75), (4, 1.0), (13, 1.0)]),
        ("poly power 2", 10, &[(0, 1.0), (5, 0.25), (10, 0.0)]),
        ("1-sqrt", 100, &[(0, 1.0), (25, 0.5), (100, 0.0)]),
        ("exponential to 0.25", 10, &[(0, 1.0), (5, 0.5), (10, 0.25)]),
        ("exponential to 0 base 0.5", 2, &[(0, 1.0), (2, 0.0)]),
        ("exponential every 1ep by 0.5", 30, &[(0, 1.0), (10, 0.5), (20, 0.25)]),
        ("inverse-sqrt timescale 4", 100, &[(0, 1.0), (12, 0.5), (60, 0.25)]),
        ("warmup 4, inverse-sqrt", 100, &[(3, 1.0), (4, 1.0), (16, 0.5)]),
        ("step every 1ep by 0.5", 30, &[(0, 1.0), (9, 1.0), (10, 0.5), (29, 0.25), (30, 0.25)]),
        ("step at 50% 75% to 0.1 0.01", 8, &[(3, 1.0), (4, 0.1), (5, 0.1), (6, 0.01), (8, 0.01)]),
        ("restarts every 10 grow 2", 70, &[(0, 1.0), (5, 0.5), (10, 1.0), (20, 0.5), (30, 1.0), (70, 0.0)]),
        ("restarts every 10 peak 0.5 to 0.1", 40, &[(0, 1.0), (10, 0.5), (20, 0.25), (40, 0.1)]),
        ("restarts every 10 cycles 2 to 0.1", 40, &[(10, 1.0), (20, 0.1), (39, 0.1)]),
        ("restarts at 2ep", 40, &[(0, 1.0), (10, 0.5), (20, 1.0), (30, 0.5), (40, 0.0)]),
        ("warmup 2ktok, constant", 10, &[(0, 0.5), (1, 1.0)]),
        ("constant 5, linear", 10, &[(4, 1.0), (5, 1.0), (10, 0.0)]),
        ("constant, linear 20%", 10, &[(7, 1.0), (8, 1.0), (9, 0.5), (10, 0.0)]),
        ("sequence 0 (warmup 50%, linear), constant", 10, &[(0, 0.0)]),
        ("constant 0 from 0.5, constant", 10, &[(0, 0.5)]),
        ("cosine 5 to 0.5", 10, &[(0, 1.0), (5, 0.5), (9, 0.5)]),
        (
            "cyclic every 8 from 0.1 to 1",
            24,
            &[(0, 0.1), (2, 0.55), (4, 1.0), (6, 0.55), (8, 0.1), (24, 0.1)],
        ),
        ("cyclic every 8 up 2 to 0.5", 24, &[(0, 1.0), (1, 0.75), (2, 0.5), (5, 0.75), (8, 1.0)]),
        ("cyclic every 2 from 0 to 1 peak 0.5", 6, &[(0, 0.0), (1, 1.0), (3, 0.5), (5, 0.25), (6, 0.0)]),
        ("one-cycle", 10, &[(0, 0.04), (3, 1.0), (10, 4e-6)]),
        ("one-cycle up 2 down 2 from 0.1 to 0", 8, &[(0, 0.1), (2, 1.0), (3, 0.55), (4, 0.1), (6, 0.05)]),
        ("table levels 1 0.5 0.2", 5, &[(0, 1.0), (1, 0.5), (2, 0.2), (4, 0.2), (5, 0.2)]),
        ("table levels 1 0.5 every 2 along linear", 3, &[(0, 1.0), (1, 0.75), (2, 0.5), (3, 0.5)]),
        ("repeat 3 (linear)", 10, &[(0, 1.0), (2, 1.0 / 3.0), (3, 1.0), (6, 0.25), (7, 1.0), (10, 0.0)]),
        ("repeat every 4 (linear)", 10, &[(0, 1.0), (3, 0.25), (4, 1.0), (8, 1.0), (9, 0.75), (10, 0.5)]),
        ("min(linear, constant from 0.5)", 10, &[(0, 0.5), (5, 0.5), (9, 0.1)]),
        ("max(linear, constant from 0.5)", 10, &[(0, 1.0), (5, 0.5), (9, 0.5)]),
        ("product(linear, linear)", 10, &[(0, 1.0), (5, 0.25), (10, 0.0)]),
        ("sum(linear, linear from 0 to 1)", 10, &[(0, 1.0), (3, 1.0), (10, 1.0)]),
        ("clamp from 0.25 to 0.75 (linear)", 10, &[(0, 0.75), (5, 0.5), (9, 0.25)]),
        ("scale by 0.5 (linear)", 10, &[(0, 0.5), (5, 0.25)]),
        ("shift ahead 2 (linear)", 10, &[(0, 0.8), (7, 0.1), (8, 0.0), (9, 0.0)]),
        (
            "stretch 2 (warmup 2, constant 2, constant from 0.5)",
            10,
            &[(0, 0.25), (3, 1.0), (7, 1.0), (8, 0.5)],
        ),
        (
            "stairs every 2.5 (linear)",
            10,
            &[(0, 1.0), (2, 1.0), (3, 0.7), (4, 0.7), (5, 0.5), (8, 0.2), (10, 0.2)],
        ),
        ("cosine waves 1", 10, &[(0, 1.0), (5, 0.0), (10, 1.0)]),
    ];
    for (text, steps, values) in cases {
        let curve = relative(text, *steps);
        for (t, level) in *values {
            let (got, near) = (curve.at(*t), 4e-16 * level);
            assert!((got - level).abs() <= near, "{text} at {t}: {got} instead of {level}");
        }
    }
}

#[test]
fn both_ends_are_exact_whatever_the_levels() {
    for steps in [1_u64, 2, 3, 49, 1_000_003] {
        for ease in
            ["linear", "cosine", "poly power 3", "1-sqrt", "tanh", "exponential", "log", "cosine bend 2"]
        {
            for (from, to) in [(1.0, 0.3), (0.3, 1.0), (0.1, 1e-7), (1e-7, 0.7)] {
                let curve = relative(&format!("{ease} from {from} to {to}"), steps);
                assert_eq!(curve.at(0), from, "{ease} {from} {to}");
                assert_eq!(curve.at(steps), to, "{ease} {from} {to}");
            }
        }
    }
}

#[test]
fn phases_add_up_whatever_the_shares() {
    for steps in 3..400 {
        let curve = relative("constant 33.3% from 1, constant 33.3% from 2, constant 33.4% from 3", steps);
        let levels: Vec<f64> = curve.iter().collect();
        let third = (0.333 * steps as f64).round() as usize;
        assert_eq!(levels.iter().filter(|l| **l == 1.0).count(), third);
        assert_eq!(*levels.last().unwrap(), 3.0);
    }
}

#[test]
fn absolute_levels_need_a_peak_and_are_exact() {
    let schedule: Schedule = "cosine to lr 1e-6".parse().unwrap();
    let error = schedule.resolve(&Horizon::steps(10)).unwrap_err().to_string();
    assert!(error.contains("give the peak rate"), "{error}");
    let curve = schedule.resolve_with_peak(&Horizon::steps(10), 3e-4).unwrap();
    assert_eq!((curve.at(0), curve.at(10)), (3e-4, 1e-6));
}

#[test]
fn what_does_not_fit_is_an_error_that_says_why() {
    let plain = Horizon::steps(100);
    for (text, part) in [
        ("warmup 10ep, cosine", "give the horizon its steps per epoch"),
        ("warmup 1Mtok, cosine", "give the horizon its tokens per step"),
        ("warmup 200, cosine", "need 200 steps up to here, but there are only 100"),
        ("warmup 100, cosine", "leave none"),
        ("cosine 60, linear 60", "need 120"),
        ("constant, linear 120%", "need 120"),
        ("warmup 0.1%, cosine", "rounds to 0"),
        ("cosine, linear", "only one phase may go without a span"),
        ("restarts every 0.5", "at least 1"),
        ("inverse-sqrt", "needs a `timescale`"),
        ("exponential", "above 0"),
        ("step at 50 20 by 0.1", "must rise"),
        ("restarts every 50 grow 0.1", "too short"),
    ] {
        let error = text.parse::<Schedule>().unwrap().resolve(&plain).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    let nested = format!("{}cosine{}", "repeat 3 (".repeat(30), ")".repeat(30));
    let error = nested.parse::<Schedule>().unwrap().resolve(&Horizon::steps(1 << 52)).unwrap_err();
    assert!(error.to_string().contains("more than 8 repetitions"), "{error}");
    let cosine: Schedule = "cosine".parse().unwrap();
    assert!(cosine.resolve(&Horizon::steps(0)).is_err());
    assert!(cosine.resolve_with_peak(&plain, f64::NAN).is_err());
    assert!(cosine.resolve_with_peak(&plain, -1.0).is_err());
    assert!(cosine.resolve(&plain.with_steps_per_epoch(0.0)).is_err());
}
