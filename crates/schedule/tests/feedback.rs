//! Plateau and greedy: against PyTorch and transformers, with odd metrics, saved and restored, with lead and ceiling.
#![allow(clippy::unwrap_used, clippy::panic)]
use lehr_schedule::{Feedback, FeedbackState, Horizon, Schedule, Verdict};

/// Whole quarters from a small generator, falling at first, the same in every language.
fn metrics() -> Vec<f64> {
    let mut state = 12345_u64;
    let mut metric = |i: u64| {
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        let trend = if i < 30 { 100 - i / 3 } else { 90 };
        trend as f64 + ((state >> 16) % 17) as f64 / 4.0
    };
    (0..60).map(&mut metric).collect()
}

/// The observations after which the rate changes, and the rates from there on.
fn changes(spec: &str) -> Vec<(u64, f64)> {
    let feedback: Feedback = spec.parse().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(feedback.to_string(), spec);
    let mut control = feedback.resolve(&Horizon::steps(100), None).unwrap();
    let mut changes = Vec::new();
    for (t, metric) in (0..).zip(metrics()) {
        let before = control.rate(t);
        control.observe(t, metric);
        if control.rate(t + 1) != before {
            changes.push((t, control.rate(t + 1)));
        }
    }
    changes
}

/// What torch 2.15's ReduceLROnPlateau (eps = 0) does on the same metrics.
#[test]
fn plateau_cuts_when_pytorch_does() {
    assert_eq!(
        changes("plateau by 0.5 patience 3"),
        [(19, 0.5), (32, 0.25), (39, 0.125), (43, 0.0625), (47, 0.03125), (52, 0.015625), (56, 0.0078125)]
    );
    assert_eq!(
        changes("plateau patience 2 cooldown 4 margin 0.5 to 0.002"),
        [(5, 0.1), (18, 0.010000000000000002), (26, 0.002)]
    );
    let halves = (0..10).map(|i| (5 + 6 * i, 0.5_f64.powi(i as i32 + 1))).collect::<Vec<_>>();
    assert_eq!(changes("plateau by 0.5 patience 4 cooldown 1 threshold 0.001 goal max"), halves);
}

/// What transformers 5.23's GreedyLR (eps = 0) does on the same metrics.
#[test]
fn greedy_moves_when_transformers_does() {
    let expected = [
        (1, 2.0),
        (7, 4.0),
        (11, 2.0),
        (15, 4.0),
        (18, 2.0),
        (22, 1.0),
        (26, 2.0),
        (30, 1.0),
        (34, 0.5),
        (40, 0.25),
        (44, 0.125),
        (50, 0.1),
        (58, 1.0),
    ];
    assert_eq!(
        changes("greedy by 0.5 patience 1 cooldown 2 threshold 0.001 to 0.1 wait 1 top 4 reset 3"),
        expected
    );
    let quick = changes("greedy by 0.5 patience 0 to 0.01");
    assert_eq!(quick[..5], [(3, 0.5), (4, 0.25), (5, 0.125), (6, 0.25), (7, 0.5)]);
    assert_eq!(quick[quick.len() - 3..], [(36, 0.01), (48, 0.02), (49, 0.01)]);
}

#[test]
fn odd_metrics_are_counted_and_said() {
    let feedback: Feedback = "plateau by 0.5 patience 1".parse().unwrap();
    let mut control = feedback.resolve(&Horizon::steps(100), None).unwrap();
    assert_eq!(control.observe(0, -1.0), Verdict::Better);
    // With negative losses, a worse one never becomes the best.
    assert_eq!(control.observe(1, -0.99995), Verdict::Worse(1));
    assert_eq!(control.observe(2, -2.0), Verdict::Better);
    assert_eq!(control.observe(3, f64::NAN), Verdict::NotFinite);
    assert_eq!(control.observe(4, f64::NAN), Verdict::Cut { level: 0.5, not_finite: true });
    assert_eq!(control.observe(5, f64::NEG_INFINITY), Verdict::NotFinite);
    assert_eq!(control.state().best, Some(-2.0));
    assert!(Verdict::NotFinite.to_string().contains("not a finite number"));
    for by in ["0", "1", "1.5"] {
        assert!(format!("plateau by {by}").parse::<Feedback>().is_err());
    }
}

#[test]
fn a_restored_run_goes_on_as_if_nothing_had_happened() {
    let feedback: Feedback = "warmup 5, greedy by 0.7 patience 1 (cosine to 0.1)".parse().unwrap();
    for split in 0..60 {
        let mut whole = feedback.resolve(&Horizon::steps(60), Some(0.3)).unwrap();
        let mut resumed = whole.clone();
        for (t, metric) in (0..).zip(metrics()) {
            if t == split {
                let saved = serde_json::to_string(whole.state()).unwrap();
                resumed = feedback.resolve(&Horizon::steps(60), Some(0.3)).unwrap();
                resumed.restore(serde_json::from_str::<FeedbackState>(&saved).unwrap()).unwrap();
            }
            assert_eq!(whole.rate(t), resumed.rate(t));
            assert_eq!(whole.observe(t, metric), resumed.observe(t, metric));
        }
    }
    let mut control = feedback.resolve(&Horizon::steps(60), None).unwrap();
    let broken = FeedbackState { level: f64::NAN, ..control.state().clone() };
    assert!(control.restore(broken).is_err());
}

#[test]
fn lead_and_ceiling_bound_the_rate() {
    let feedback: Feedback = "warmup 10, plateau by 0.5 patience 0 (cosine to 0.1)".parse().unwrap();
    let mut control = feedback.resolve(&Horizon::steps(110), Some(0.2)).unwrap();
    let ceiling = "cosine to 0.1".parse::<Schedule>().unwrap();
    let ceiling = ceiling.resolve_with_peak(&Horizon::steps(100), 0.2).unwrap();
    assert_eq!(control.observe(3, f64::NAN), Verdict::Lead);
    assert_eq!((control.rate(0), control.rate(9), control.rate(10)), (0.2 * 0.1, 0.2, 0.2));
    assert_eq!(control.rate(60), ceiling.at(50));
    control.observe(10, 1.0);
    control.observe(11, 1.0);
    assert_eq!((control.rate(12), control.rate(109)), (0.1, ceiling.at(99)));
}

#[test]
fn it_has_all_three_notations() {
    for spec in [
        "plateau",
        "warmup 500, plateau by 0.5 patience 3 margin 0.01 goal max to lr 1e-6",
        "plateau patience 3 threshold 0.001 margin 0.5 every 4 least lr 1e-8",
        "greedy threshold 0 window 50 least 0.01",
        "warmup 2%, constant 5ep, greedy cooldown 3 to 0.01 wait 2 top 2 reset 50 (cosine, linear 20%)",
    ] {
        let feedback: Feedback = spec.parse().unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(feedback.to_string(), spec);
        let json = serde_json::to_string(&feedback).unwrap();
        assert_eq!(serde_json::from_str::<Feedback>(&json).unwrap(), feedback, "{json}");
        let toml = toml::to_string(&feedback).unwrap();
        assert_eq!(toml::from_str::<Feedback>(&toml).unwrap(), feedback, "{toml}");
        let text = serde_json::Value::String(spec.into());
        assert_eq!(serde_json::from_value::<Feedback>(text).unwrap(), feedback);
    }
    for (spec, part) in [
        ("cosine", "does not react to a metric"),
        ("plateau, cosine", "reacts to a metric"),
        ("plateau goal best", "is not a goal"),
        ("plateau patience 1.5", "does not fit `patience`"),
        ("plateau window 2 every 3", "not both"),
        ("plateau window 0", "from 1 to a million"),
        ("plateau wait 3", "no setting `wait`"),
        ("greedy factor 0.1", "no setting `factor`"),
    ] {
        let error = spec.parse::<Feedback>().unwrap_err().to_string();
        assert!(error.contains(part), "{spec}: {error}");
    }
    assert!("plateau".parse::<Schedule>().unwrap_err().to_string().contains("reacts to a metric"));
    let open: Feedback = "cosine, plateau".parse().unwrap();
    assert!(open.resolve(&Horizon::steps(9), None).unwrap_err().to_string().contains("needs a span"));
}
