//! Lints and extensions.
#![allow(clippy::unwrap_used, clippy::panic)]
use lehr_schedule::{Extension, Horizon, Schedule, Severity, lint};

fn codes(spec: &str, horizon: &Horizon) -> Vec<&'static str> {
    let schedule: Schedule = spec.parse().unwrap_or_else(|e| panic!("{e}"));
    let lints = lint(&schedule, horizon, None);
    assert!(lints.iter().all(|lint| !lint.reason.is_empty() && !lint.suggestion.is_empty()));
    assert!(lints.windows(2).all(|pair| pair[0].severity >= pair[1].severity), "errors first");
    lints.iter().map(|lint| lint.code).collect()
}

#[test]
fn each_doubt_is_found_where_it_is_and_nowhere_else() {
    let horizon = Horizon::steps(1000);
    let good = ["warmup 20, constant, linear 200", "warmup 20, constant 780, 1-sqrt"];
    for spec in good {
        let found = codes(spec, &horizon);
        assert!(found.iter().all(|code| *code == "horizon"), "{spec}: {found:?}");
    }
    for (spec, code) in [
        ("warmup 5ep, cosine", "unit-unknown"),
        ("warmup 1000, cosine", "does-not-fit"),
        ("warmup 2000, cosine", "does-not-fit"),
        ("cosine, linear", "does-not-fit"),
        ("warmup 0.01%, cosine", "rounds-to-zero"),
        ("restarts every 0.01%", "rounds-to-zero"),
        ("cosine to lr 1e-6", "peak-unknown"),
        ("inverse-sqrt", "cannot-resolve"),
        ("constant from 0", "always-zero"),
        ("warmup 0, cosine", "warmup-empty"),
        ("warmup 60%, cosine", "warmup-long"),
        ("cosine", "no-warmup"),
        ("restarts every 300", "restart-cut"),
        ("restarts every 300 grow 2", "restart-cut"),
        ("cyclic every 300", "restart-cut"),
        ("repeat every 300 (cosine)", "restart-cut"),
        ("warmup 20, (restarts every 300, linear 300)", "restart-cut"),
        ("repeat 2 (warmup 20, restarts every 300)", "restart-cut"),
        ("warmup 20, min(restarts every 300, inverse-sqrt)", "restart-cut"),
        ("warmup 20, scale by 0.5 (stretch 2 (restarts every 150))", "restart-cut"),
        ("warmup 20, (cosine 50%, linear from 1)", "jump-up"),
        ("warmup 20, repeat 2 (cosine 50%, linear from 1)", "jump-up"),
        ("warmup 20, product((cosine 50%, linear from 1), constant from 0.5)", "jump-up"),
        ("warmup 20, cosine to 0.3", "floor"),
        ("warmup 20, cosine to 0.1", "floor"),
        ("cosine 50%, linear from 1", "jump-up"),
        ("linear 20 from 0 to 1, cosine", "first-zero"),
        ("warmup 20, linear 80%", "last-zero"),
        ("warmup 20, constant", "never-decays"),
        ("warmup 20, cosine waves 1.5", "cosine-rises"),
        ("warmup 20, min(cosine waves 2, constant)", "cosine-rises"),
        ("warmup 20, linear from 2", "above-peak"),
        ("warmup 20, cosine with momentum from 0.9 to 1", "momentum"),
        ("warmup 2%, cosine", "horizon"),
    ] {
        let found = codes(spec, &horizon);
        assert!(found.contains(&code), "{spec}: {found:?} without {code}");
    }
    for (spec, code) in [
        ("restarts every 250", "restart-cut"),
        ("restarts cycles 3", "restart-cut"),
        ("restarts every 300 cycles 2", "restart-cut"),
        ("cyclic every 250", "restart-cut"),
        ("repeat 3 (cosine)", "restart-cut"),
        ("repeat 3 (cosine)", "jump-up"),
        ("warmup 20, (restarts every 300 cycles 2, linear 380)", "restart-cut"),
        ("warmup 20, clamp to 0.1 ((linear 50% to 0.09, linear from 1))", "jump-up"),
        ("warmup 20, min((cosine 50% to 0.5, linear from 1), constant from 0.5)", "jump-up"),
        ("warmup 20, cosine", "no-warmup"),
        ("warmup 20, cosine", "first-zero"),
        ("warmup 20, cosine", "last-zero"),
        ("warmup 20, inverse-sqrt", "horizon"),
        ("cosine 50%, warmup 10%, linear", "jump-up"),
    ] {
        let found = codes(spec, &horizon);
        assert!(!found.contains(&code), "{spec}: {found:?} has {code}");
    }
}

#[test]
fn lints_are_quick_on_long_horizons_and_say_how_bad() {
    let schedule: Schedule = "warmup 2%, cosine to 0.5".parse().unwrap();
    let lints = lint(&schedule, &Horizon::steps(1 << 50), None);
    assert_eq!((lints[0].severity, lints[0].code), (Severity::Warning, "floor"));
    assert_eq!(lint(&schedule, &Horizon::steps(0), None)[0].severity, Severity::Error);
}

fn extended(spec: &str, old: u64, new: u64, done: u64) -> Extension {
    let schedule: Schedule = spec.parse().unwrap();
    schedule.extend(&Horizon::steps(old), &Horizon::steps(new), done, None).unwrap()
}

#[test]
fn wsd_and_anytime_schedules_continue_without_a_jump() {
    // In the stable phase: the past is kept, although the warm-up is a share of the horizon.
    let wsd = extended("warmup 2%, constant, linear 20%", 10_000, 50_000, 7_000);
    assert_eq!(wsd.schedule.to_string(), "warmup 200, constant, linear 20%");
    assert!(wsd.keeps_the_past() && !wsd.jumps());
    assert_eq!((wsd.first_change, wsd.across()), (Some(8_001), (1.0, 1.0)));
    for t in 0..7_000 {
        assert_eq!(wsd.old.at(t), wsd.new.at(t));
    }
    // In the cooldown: a jump, and where to resume instead.
    let late = extended("warmup 200, constant, linear 20%", 10_000, 50_000, 9_000);
    assert!(!late.keeps_the_past() && late.jumps());
    assert_eq!(late.first_change, Some(8_001));
    assert!(late.to_string().contains("checkpoint of update 8001 or earlier"), "{late}");
    // Anytime: nothing changes within the old horizon.
    let anytime = extended("warmup 200, inverse-sqrt", 10_000, 50_000, 9_999);
    assert!(anytime.keeps_the_past() && !anytime.jumps());
    assert_eq!(anytime.first_change, Some(10_001));
    let nothing = extended("constant", 10, 20, 5);
    assert!(nothing.to_string().ends_with("Nothing changes."), "{nothing}");
}

#[test]
fn a_cosine_that_is_extended_says_that_it_jumps() {
    let cosine = extended("warmup 5%, cosine", 10_000, 20_000, 5_000);
    assert!(!cosine.keeps_the_past() && cosine.jumps());
    assert_eq!(cosine.schedule.to_string(), "warmup 500, cosine");
    assert_eq!(cosine.first_change, Some(501));
    assert_eq!((cosine.phases[1].old.clone(), cosine.phases[1].new.clone()), (500..10_000, 500..20_000));
    let text = cosine.to_string();
    assert!(text.contains("cosine: updates 500–10000 → 500–20000"), "{text}");
    assert!(text.contains("The rate jumps up."), "{text}");
    // Over horizons that cannot be walked step by step.
    let long = extended("warmup 2%, constant, linear 20%", 1 << 44, 1 << 45, 1 << 43);
    assert!(long.keeps_the_past() && !long.jumps());
    let border = long.phases[2].old.start;
    assert_eq!(long.first_change, Some(border + 1));
    // A schedule's own restart is no jump of the extension.
    assert!(!extended("restarts every 100", 1_000, 2_000, 500).jumps());
}
