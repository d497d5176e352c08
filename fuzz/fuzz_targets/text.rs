//! Any text is read or refused; what is read prints and reads back to itself, and resolves to rates or an error.
#![no_main]
use lehr_schedule::{Feedback, Horizon, Schedule, lint};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(feedback) = text.parse::<Feedback>() {
        assert_eq!(feedback.to_string().parse::<Feedback>().as_ref(), Ok(&feedback));
        replay(&feedback);
    }
    let schedule = match text.parse::<Schedule>() {
        Ok(schedule) => schedule,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let printed = schedule.to_string();
    assert_eq!(printed.parse::<Schedule>().as_ref(), Ok(&schedule), "{printed}");
    let json = serde_json::to_string(&schedule).expect("a schedule can be written");
    assert_eq!(serde_json::from_str::<Schedule>(&json).expect("and read"), schedule, "{json}");
    for steps in [1, 100, 1 << 40] {
        let horizon = Horizon::steps(steps).with_steps_per_epoch(7.5).with_tokens_per_step(1e4);
        let Ok(curve) = schedule.resolve_with_peak(&horizon, 1e-3) else { continue };
        for t in (0..101).chain([steps / 2, steps - 1, steps, u64::MAX]) {
            let rate = curve.at(t);
            assert!(rate.is_finite() && rate >= 0.0, "`{printed}` over {steps} at {t}: {rate}");
        }
    }
    lint(&schedule, &Horizon::steps(100), Some(1e-3));
});

/// No metric brings about a rate that is not finite, and a saved state is one that can be restored.
fn replay(feedback: &Feedback) {
    let horizon = Horizon::steps(100).with_steps_per_epoch(7.5).with_tokens_per_step(1e4);
    let Ok(mut control) = feedback.resolve(&horizon, Some(1e-3)) else { return };
    let odd = [1.0, 0.5, f64::NAN, -1.0, f64::INFINITY, 2.0, 1e300, -1e300, 0.0, f64::NEG_INFINITY, 1.0];
    for t in 0..100 {
        let rate = control.rate(t);
        assert!(rate.is_finite() && rate >= 0.0, "`{feedback}` at {t}: {rate}");
        control.observe(t, odd[t as usize % odd.len()]);
        let saved = serde_json::to_string(control.state()).expect("a state can be written");
        control.restore(serde_json::from_str(&saved).expect("and read")).expect("and restored");
    }
}
