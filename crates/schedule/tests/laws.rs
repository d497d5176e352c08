//! Laws that hold for every schedule, tried on random ones.
#![allow(clippy::unwrap_used, clippy::panic)]
#[path = "common/generate.rs"]
mod generate;

use generate::generate;
use lehr_schedule::{Curve, Schedule};
use proptest::prelude::*;

/// The curve with a peak, if the schedule fits the horizon.
fn curve(bytes: &[u8]) -> Option<(Schedule, Curve)> {
    let (schedule, horizon) = generate(bytes);
    let curve = schedule.resolve_with_peak(&horizon, 1e-3).ok()?;
    Some((schedule, curve))
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..200)
}

/// 2000 cases, or as many as `LEHR_LAWS` says.
fn config() -> ProptestConfig {
    let cases = std::env::var("LEHR_LAWS").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn text_json_and_toml_round_trip(bytes in bytes()) {
        let (schedule, _) = generate(&bytes);
        let text = schedule.to_string();
        let back: Schedule = text.parse().map_err(|e| TestCaseError::fail(format!("{e}")))?;
        prop_assert_eq!(&back, &schedule, "{}", text);
        prop_assert_eq!(back.to_string(), text);
        let json = serde_json::to_string(&schedule).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Schedule>(&json).unwrap(), &schedule, "{}", json);
        let toml = toml::to_string(&schedule).unwrap();
        prop_assert_eq!(&toml::from_str::<Schedule>(&toml).unwrap(), &schedule, "{}", toml);
    }

    #[test]
    fn rates_are_finite_and_not_negative_and_fill_is_at(bytes in bytes(), split in any::<u64>()) {
        let Some((schedule, curve)) = curve(&bytes) else { return Ok(()) };
        let steps = curve.steps() + 3;
        let mut whole = vec![f64::NAN; steps as usize];
        curve.fill(0..steps, &mut whole);
        for (t, rate) in whole.iter().enumerate() {
            prop_assert!(rate.is_finite() && *rate >= 0.0, "`{}` at {}: {}", schedule, t, rate);
            prop_assert_eq!(rate.to_bits(), curve.at(t as u64).to_bits(), "`{}` at {}", schedule, t);
        }
        // A run that stops and is taken up again, from the text of its schedule alone.
        let split = split % steps;
        let again = schedule.to_string().parse::<Schedule>().unwrap();
        let again = again.resolve_with_peak(&curve.horizon(), 1e-3).unwrap();
        let mut resumed = whole[..split as usize].to_vec();
        resumed.resize(steps as usize, f64::NAN);
        again.fill(split..steps, &mut resumed[split as usize..]);
        prop_assert!(whole.iter().zip(&resumed).all(|(a, b)| a.to_bits() == b.to_bits()), "`{}`", schedule);
        for (name, channel) in curve.channels().chain(curve.groups()) {
            for t in 0..steps {
                let value = channel.at(t);
                prop_assert!(value.is_finite() && value >= 0.0, "`{}`: {} at {}: {}", schedule, name, t, value);
            }
        }
    }

    #[test]
    fn rates_scale_with_the_peak(bytes in bytes()) {
        let (schedule, horizon) = generate(&bytes);
        let Ok(relative) = schedule.resolve(&horizon) else { return Ok(()) };
        let absolute = schedule.resolve_with_peak(&horizon, 0.007).unwrap();
        for t in 0..=relative.steps() {
            let (expected, got) = (relative.at(t) * 0.007, absolute.at(t));
            // Growth is cut off at the largest float, at whatever scale it gets there.
            prop_assert!(expected > 1e290 || (expected - got).abs() <= 1e-12 * (expected + 1e-280), "`{}` at {}", schedule, t);
        }
    }

    #[test]
    fn restarts_are_at_the_peak_at_every_border(first in 1_u64..40, grow in 2_u64..5) {
        let schedule: Schedule = format!("restarts every {first} grow {grow}").parse().unwrap();
        let curve = schedule.resolve(&lehr_schedule::Horizon::steps(1 << 40)).unwrap();
        let (mut border, mut length) = (0, first);
        while border < 1 << 40 {
            prop_assert_eq!(curve.at(border), 1.0, "restart at {}", border);
            prop_assert!(border == 0 || curve.at(border - 1) < 1.0 || length == first * grow && first == 1);
            border += length;
            length *= grow;
        }
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,60}") {
        if let Err(error) = text.parse::<Schedule>() {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn most_random_schedules_fit_their_horizon() {
    let fits = (0..1000_u64).filter(|seed| {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        let bytes: Vec<u8> = (0..200).map(|_| next()).collect();
        curve(&bytes).is_some()
    });
    let fits = fits.count();
    assert!(fits > 400, "only {fits} of 1000 random schedules resolve: the laws above test too little");
}
