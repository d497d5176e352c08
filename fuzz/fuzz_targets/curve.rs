//! Random well-formed schedules: rates are finite and not negative, and `fill` gives the bits of `at`.
#![no_main]
#[path = "../../crates/schedule/tests/common/generate.rs"]
mod generate;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (schedule, horizon) = generate::generate(bytes);
    let Ok(curve) = schedule.resolve_with_peak(&horizon, 1e-3) else { return };
    let steps = curve.steps() + 3;
    let mut rates = vec![f64::NAN; steps as usize];
    curve.fill(0..steps, &mut rates);
    for (t, rate) in (0..).zip(&rates) {
        assert!(rate.is_finite() && *rate >= 0.0, "`{schedule}` at {t}: {rate}");
        assert_eq!(rate.to_bits(), curve.at(t).to_bits(), "`{schedule}` at {t}");
    }
});
