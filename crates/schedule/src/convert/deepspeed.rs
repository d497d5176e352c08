//! DeepSpeed: `deepspeed.runtime.lr_schedules`, by formula. Update 0 is the first call of `step`.
use alloc::format;
use alloc::vec;

use super::args::{Args, Class};
use super::draft::{Draft, Part, rate, share};
use crate::notation::node::Fault;

pub(super) const CLASSES: &[Class] = &[
    Class {
        names: &["LRRangeTest"],
        signature: "optimizer, lr_range_test_min_lr=1e-3, lr_range_test_step_size=2000, lr_range_test_step_rate=1.0, \
                    lr_range_test_staircase=False, last_batch_iteration=-1",
        convert: range_test,
    },
    Class {
        names: &["WarmupLR"],
        signature: "optimizer, warmup_min_lr=0.0, warmup_max_lr=None, warmup_num_steps=1000, warmup_type='log', \
                    last_batch_iteration=-1",
        convert: warmup,
    },
    Class {
        names: &["WarmupDecayLR"],
        signature: "optimizer, total_num_steps, warmup_min_lr=0.0, warmup_max_lr=0.001, warmup_num_steps=1000, \
                    warmup_type='log', last_batch_iteration=-1",
        convert: warmup_decay,
    },
    Class {
        names: &["WarmupCosineLR"],
        signature: "optimizer, total_num_steps, warmup_min_ratio=0.0, warmup_num_steps=1000, cos_min_ratio=0.0001, \
                    warmup_type='log', last_batch_iteration=-1",
        convert: warmup_cosine,
    },
    Class {
        names: &["OneCycle"],
        signature: "optimizer, cycle_min_lr, cycle_max_lr, decay_lr_rate=0.0, cycle_first_step_size=2000, \
                    cycle_second_step_size=None, cycle_first_stair_count=0, cycle_second_stair_count=None, \
                    decay_step_size=0, cycle_momentum=True, cycle_min_mom=0.8, cycle_max_mom=0.9, decay_mom_rate=0.0, \
                    last_batch_iteration=-1",
        convert: one_cycle,
    },
];

/// min·(1 + r·(t + 1)/s): a straight line up, to its level at the end of the run
fn range_test(args: &Args<'_>) -> Result<Draft, Fault> {
    let (min, size) =
        (args.positive("lr_range_test_min_lr")?, args.at_least_one("lr_range_test_step_size")? as f64);
    let step_rate = args.positive("lr_range_test_step_rate")?;
    let run =
        args.around.steps.ok_or_else(|| args.fault("the ramp never ends: say how many steps the run has"))?;
    let value = |t: f64| min * (1.0 + step_rate * t / size);
    if !args.flag("lr_range_test_staircase")? {
        let top = value((run + 1) as f64);
        return Ok(Draft::from(Part::line(run, rate(value(1.0)), rate(top))).peak(top));
    }
    let stairs = (run as f64 / size) as u64;
    if stairs == 0 {
        return Ok(Draft::from(Part::hold(rate(min))).peak(min));
    }
    if stairs > 10_000 {
        return Err(args.wrong("lr_range_test_step_size", "at least a ten thousandth of the run"));
    }
    let times: alloc::vec::Vec<u64> = (1..=stairs).map(|i| i * size as u64 - 1).collect();
    let levels: alloc::vec::Vec<_> = (1..=stairs).map(|i| rate(min * (1.0 + step_rate * i as f64))).collect();
    let times = super::torch::listed(&times);
    let step = Part::new("step", format!("at {times} to {}", levels.join(" "))).from(rate(min));
    Ok(Draft::from(step).peak(min * (1.0 + step_rate * stairs as f64)))
}

/// The warm-up over W updates, W at least 2: ln(t + 1)/ln W, or t/W.
fn rise(args: &Args<'_>, from: &str) -> Result<(Part, u64), Fault> {
    let steps = args.at_least_one("warmup_num_steps")?.max(2);
    Ok(match args.choice("warmup_type", &["log", "linear"])? {
        // It is at the top one update early, and stays there.
        "log" => {
            (Part::over("sequence", steps, format!("(log {} from {from} to 1, constant)", steps - 1)), steps)
        }
        _ => (Part::line(steps, from, 1), steps),
    })
}

fn warmup(args: &Args<'_>) -> Result<Draft, Fault> {
    let (up, _) = rise(args, &rate(args.level("warmup_min_lr")?))?;
    let draft = Draft::of(vec![up, Part::hold(1)]);
    Ok(match args.has("warmup_max_lr") {
        true => draft.peak(args.positive("warmup_max_lr")?),
        false => draft,
    })
}

/// Then min + (max − min)·(T − t)/(T − W), never below min
fn warmup_decay(args: &Args<'_>) -> Result<Draft, Fault> {
    let (min, max) = (args.level("warmup_min_lr")?, args.positive("warmup_max_lr")?);
    let (up, warmup) = rise(args, &rate(min))?;
    let total = args.at_least_one("total_num_steps")?;
    let decay = total.saturating_sub(warmup).max(1);
    Ok(Draft::of(vec![up, Part::over("linear", decay, format!("to {}", rate(min))).from(1)])
        .peak(max)
        .steps(total))
}

/// Then the cosine from its second value on: its progress at update t is (t − W + 1)/(T − W)
fn warmup_cosine(args: &Args<'_>) -> Result<Draft, Fault> {
    let (up, warmup) = rise(args, &share(args.level("warmup_min_ratio")?))?;
    let total = args.at_least_one("total_num_steps")?;
    let floor = share(args.level("cos_min_ratio")?);
    let decay = total.saturating_sub(warmup).max(1);
    let down = Part::over("cosine", decay, format!("to {floor}")).from(1).after(1);
    Ok(Draft::of(vec![up, down, Part::hold(floor)]).steps(total))
}

/// One triangle, then min/(1 + r·k/s)
fn one_cycle(args: &Args<'_>) -> Result<Draft, Fault> {
    let (min, max) = (args.positive("cycle_min_lr")?, args.positive("cycle_max_lr")?);
    if min > max {
        return Err(args.wrong("cycle_max_lr", "at least `cycle_min_lr`"));
    }
    if args.count("cycle_first_stair_count")? > 0
        || args.maybe("cycle_second_stair_count")?.is_some_and(|n| n > 0.0)
    {
        return Err(args.cannot("cycle_first_stair_count", "only without stairs"));
    }
    let first = args.at_least_one("cycle_first_step_size")?;
    let second = args.maybe_count("cycle_second_step_size")?.unwrap_or(first);
    // Update t is at t + 1 of the triangle.
    let slope = (max - min) / first as f64;
    let up = Part::line(first - 1, rate(min + slope), rate(max));
    let down = Part::over("linear", second, format!("to {}", rate(min))).from(rate(max));
    let mut parts = vec![up, down];
    let (decay, size) = (args.level("decay_lr_rate")?, args.level("decay_step_size")?);
    parts.push(match decay > 0.0 && size > 0.0 {
        true => Part::new("inverse-time", format!("timescale {}", share(size / decay))).from(rate(min)),
        false => Part::hold(rate(min)),
    });
    let draft = Draft::of(parts).peak(max);
    Ok(match args.flag("cycle_momentum")? {
        true => draft.note("the momentum that DeepSpeed cycles with the rate is left out"),
        false => draft,
    })
}
