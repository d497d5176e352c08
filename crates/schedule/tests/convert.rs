//! Conversions of calls that nobody would write: they may be refused, but nothing panics, and what is accepted has
//! finite rates that are not negative.
use lehr_schedule::convert::{Surroundings, parse_call};
use lehr_schedule::{Horizon, Spec};
use proptest::prelude::*;

/// Calls with holes for values.
const CALLS: &[&str] = &[
    "torch.StepLR(?, ?)",
    "torch.MultiStepLR([?, ?, ?], ?)",
    "torch.ConstantLR(?, ?)",
    "torch.LinearLR(?, ?, ?)",
    "torch.PolynomialLR(?, ?)",
    "torch.CosineAnnealingLR(?, ?)",
    "torch.CosineAnnealingWarmRestarts(?, ?, ?)",
    "torch.CyclicLR(?, ?, ?, ?, mode='exp_range', gamma=?)",
    "torch.OneCycleLR(?, ?, pct_start=?, div_factor=?, final_div_factor=?, three_phase=True)",
    "torch.OneCycleLR(?, epochs=?, steps_per_epoch=?)",
    "torch.SequentialLR([torch.StepLR(?), torch.PolynomialLR(?, ?)], [?])",
    "torch.ChainedScheduler([torch.ConstantLR(?, ?), torch.CosineAnnealingLR(?)])",
    "torch.SWALR(?, ?)",
    "torch.ReduceLROnPlateau(o, 'min', ?, ?, ?, 'rel', ?, ?, ?)",
    "transformers.greedy(o, 'max', ?, ?, ?, 'abs', ?, ?, ?, ?, ?, smooth=True, window_size=?, reset_start=?)",
    "timm.PlateauLRScheduler(o, ?, ?, ?, ?, ?, ?, ?)",
    "optax.contrib.reduce_on_plateau(?, ?, ?, ?, ?, ?, ?)",
    "keras.callbacks.ReduceLROnPlateau('loss', ?, ?, 0, 'auto', ?, ?, ?)",
    "transformers.cosine(?, ?, ?)",
    "transformers.cosine_with_restarts(?, ?, ?)",
    "transformers.cosine_warmup_with_min_lr(?, ?, ?, min_lr=?, warmup_lr_rate=?)",
    "transformers.inverse_sqrt(?, ?)",
    "transformers.warmup_stable_decay(?, ?, ?, min_lr_ratio=?)",
    "timm.CosineLRScheduler(?, ?, ?, ?, ?, warmup_t=?, k_decay=?)",
    "timm.TanhLRScheduler(?, ?, ?, ?, ?, ?, ?, ?, ?, True)",
    "timm.StepLRScheduler(?, ?, ?, ?, False)",
    "timm.WSDLRScheduler(?, ?, ?, 'power', ?, ?, 'exp', ?, ?, ?, ?)",
    "optax.polynomial_schedule(?, ?, ?, ?, ?)",
    "optax.piecewise_interpolate_schedule('cosine', ?, {?: ?, ?: ?})",
    "optax.exponential_decay(?, ?, ?, ?, True, ?)",
    "optax.linear_onecycle_schedule(?, ?, ?, ?, ?, ?)",
    "optax.warmup_cosine_decay_schedule(?, ?, ?, ?, ?, ?)",
    "keras.PiecewiseConstantDecay([?, ?], [?, ?, ?])",
    "keras.PolynomialDecay(?, ?, ?, ?, True)",
    "keras.InverseTimeDecay(?, ?, ?, True)",
    "keras.CosineDecayRestarts(?, ?, ?, ?, ?)",
    "megatron.OptimizerParamScheduler(o, ?, ?, ?, ?, ?, 'WSD', wsd_decay_steps=?)",
    "nemo.SquareRootAnnealing(o, ?, ?, ?)",
    "nemo.NoamHoldAnnealing(o, ?, ?, ?, ?, None, ?)",
    "fairseq.cosine(?, ?, ?, ?, ?, ?, ?)",
    "fairseq.tri_stage(?, ?, ?, None, ?, ?)",
    "deepspeed.WarmupCosineLR(o, ?, ?, ?, ?)",
    "deepspeed.LRRangeTest(o, ?, ?, ?, True)",
    "deepspeed.OneCycle(o, ?, ?, ?, ?, ?, decay_step_size=?)",
];

fn value() -> impl Strategy<Value = String> {
    let odd = [
        "0",
        "1",
        "-1",
        "0.5",
        "1e-9",
        "1e9",
        "9007199254740992",
        "1e300",
        "1e-300",
        "1/0",
        "None",
        "'x'",
        "[]",
    ];
    prop_oneof![
        4 => (1_u32..200).prop_map(|n| n.to_string()),
        3 => (0.0..2.0).prop_map(|x: f64| x.to_string()),
        1 => prop::sample::select(odd.to_vec()).prop_map(String::from),
    ]
}

fn check(text: &str, around: &Surroundings) {
    let Ok(found) = parse_call(text, around) else { return };
    let horizon = Horizon::steps(found.steps.unwrap_or(1000).min(1 << 53));
    let peak = found.peak.unwrap_or(0.1);
    let schedule = match found.schedule {
        Spec::Schedule(schedule) => schedule,
        Spec::Feedback(feedback) => {
            let Ok(mut control) = feedback.resolve(&horizon, Some(peak)) else { return };
            for t in 0..300 {
                let rate = control.rate(t);
                assert!(rate.is_finite() && rate >= 0.0, "{text}\n{feedback}\nat update {t}: {rate}");
                control.observe(t, [1.0, f64::NAN, -1.0, f64::INFINITY, 2.0, 2.0][t as usize % 6]);
            }
            return;
        }
    };
    let Ok(curve) = schedule.resolve_with_peak(&horizon, peak) else { return };
    let last = horizon.steps - 1;
    for t in (0..horizon.steps.min(300)).chain([last / 2, last, last + 1]) {
        let rate = curve.at(t);
        assert!(rate.is_finite() && rate >= 0.0, "{text}\n{schedule}\nat update {t}: {rate}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6000))]

    #[test]
    fn calls_with_odd_values(
        call in prop::sample::select(CALLS.to_vec()),
        values in prop::collection::vec(value(), 12),
        steps in prop_oneof![Just(None), (1_u64..300).prop_map(Some), Just(Some(1 << 53)), Just(Some(u64::MAX))],
    ) {
        let mut values = values.iter();
        let text: String = call.split_inclusive('?')
            .map(|piece| piece.replace('?', values.next().map_or("1", |value| value.as_str())))
            .collect();
        check(&text, &Surroundings { lr: Some(0.1), steps });
    }

    #[test]
    fn any_text(text in "[a-zA-Z0-9_.,()\\[\\]{}:='\"+*/ #\\n-]{0,60}|\\PC{0,20}") {
        check(&text, &Surroundings::default());
        check(&format!("torch.StepLR({text})"), &Surroundings::default());
    }
}
