//! fairseq: `fairseq.optim.lr_scheduler`, by formula. Names are those of `--lr-scheduler`.
use alloc::format;
use alloc::vec;

use super::args::{Args, Class};
use super::draft::{Draft, Part, rate, share};
use super::torch::poly;
use crate::notation::node::Fault;

pub(super) const CLASSES: &[Class] = &[
    Class { names: &["fixed", "FixedLRSchedule"], signature: "warmup_updates=0, lr=None", convert: fixed },
    Class {
        names: &["inverse_sqrt", "InverseSquareRootSchedule"],
        signature: "warmup_updates=4000, warmup_init_lr=None, lr=None",
        convert: inverse_sqrt,
    },
    Class {
        names: &["cosine", "CosineLRSchedule"],
        signature: "warmup_updates=0, warmup_init_lr=None, lr=None, min_lr=0.0, t_mult=1.0, lr_period_updates=None, \
                    lr_shrink=0.1, max_update=None",
        convert: cosine,
    },
    Class {
        names: &["polynomial_decay", "PolynomialDecayLRSchedule"],
        signature: "total_num_update, warmup_updates=0, end_learning_rate=0.0, power=1.0, lr=None",
        convert: polynomial,
    },
    Class {
        names: &["step", "StepLRSchedule"],
        signature: "warmup_updates=0, warmup_init_lr=None, lr=None, min_lr=0.0, lr_deacy_period=25000, lr_decay=0.5",
        convert: step,
    },
    Class {
        names: &["tri_stage", "TriStageLRSchedule"],
        signature: "warmup_steps=0, hold_steps=0, decay_steps=0, phase_ratio=None, init_lr_scale=0.01, \
                    final_lr_scale=0.01, max_update=None, lr=None",
        convert: tri_stage,
    },
    Class {
        names: &["triangular", "TriangularLRSchedule"],
        signature: "max_lr, lr, lr_period_updates=5000, lr_shrink=0.1, shrink_min=False",
        convert: triangular,
    },
];

/// The call's own `lr` is its peak.
fn peaked(args: &Args<'_>, draft: Draft) -> Result<Draft, Fault> {
    Ok(match args.has("lr") {
        true => draft.peak(args.positive("lr")?),
        false => draft,
    })
}

/// The first rate of a warm-up; below 0 and left out mean the same.
fn init(args: &Args<'_>, default: &str) -> Result<alloc::string::String, Fault> {
    Ok(match args.maybe("warmup_init_lr")? {
        Some(init) if init >= 0.0 => rate(init),
        _ => default.into(),
    })
}

/// (t + 1)/W, then b
fn fixed(args: &Args<'_>) -> Result<Draft, Fault> {
    let warmup = Part::over("warmup", args.count("warmup_updates")?, "");
    peaked(args, Draft::of(vec![warmup, Part::hold(1)]))
}

/// b·√(W/t) after the warm-up
fn inverse_sqrt(args: &Args<'_>) -> Result<Draft, Fault> {
    let up = Part::line(args.at_least_one("warmup_updates")?, init(args, "0")?, 1);
    peaked(args, Draft::of(vec![up, Part::new("inverse-sqrt", "")]))
}

/// shrink^i·(min + (b − min)·cos²(…)) in cycle i, whose length is P·t_mult^i
fn cosine(args: &Args<'_>) -> Result<Draft, Fault> {
    let warmup = args.count("warmup_updates")?;
    let floor = rate(args.level("min_lr")?);
    let max_update = args.maybe_count("max_update")?;
    let period = match args.maybe("lr_period_updates")?.filter(|period| *period > 0.0) {
        Some(period) => period,
        None => {
            let left = max_update.and_then(|max| max.checked_sub(warmup)).filter(|left| *left > 0);
            left.ok_or_else(|| {
                args.fault("it needs `lr_period_updates`, or a `max_update` above the warm-up")
            })? as f64
        }
    };
    let (grow, shrink) = (args.positive("t_mult")?, args.positive("lr_shrink")?);
    let run = args.around.steps.or(max_update).map(|run| run.saturating_sub(warmup));
    let mut down =
        Part::new("restarts", format!("to {floor} every {}{}", share(period), growing(grow))).from(1);
    if run.is_none_or(|run| run as f64 > period) {
        let borders = borders(args, period, grow, run)?;
        let cycles = format!("{down}");
        down = Part::new("product", format!("({cycles}, {})", borders.replace("{by}", &share(shrink))));
    }
    let draft = Draft::of(vec![Part::line(warmup, init(args, &floor)?, 1), down]);
    let draft = peaked(args, draft)?;
    Ok(match max_update {
        Some(max) => draft.steps(max),
        None => draft,
    })
}

fn growing(grow: f64) -> alloc::string::String {
    if grow == 1.0 { "".into() } else { format!(" grow {}", share(grow)) }
}

/// A `step` at the start of every cycle but the first.
fn borders(
    args: &Args<'_>,
    period: f64,
    grow: f64,
    run: Option<u64>,
) -> Result<alloc::string::String, Fault> {
    if grow == 1.0 {
        return Ok(format!("step from 1 every {} by {{by}}", share(period)));
    }
    let run = run
        .ok_or_else(|| args.cannot("lr_shrink", "with `t_mult` it needs `max_update`, or the run's steps"))?;
    let (mut times, mut border, mut length) = (alloc::vec::Vec::new(), period, period);
    while border < run as f64 && times.len() < 1000 {
        times.push(share(border));
        length *= grow;
        border += length;
    }
    Ok(format!("step from 1 at {} by {{by}}", times.join(" ")))
}

/// t/W, then (b − end)·(1 − k/(T − W))^p + end
fn polynomial(args: &Args<'_>) -> Result<Draft, Fault> {
    let (warmup, total) = (args.count("warmup_updates")?, args.at_least_one("total_num_update")?);
    let decay = total.checked_sub(warmup).filter(|decay| *decay > 0);
    let decay = decay.ok_or_else(|| args.wrong("total_num_update", "more than `warmup_updates`"))?;
    let down = poly(decay, args.positive("power")?, &rate(args.level("end_learning_rate")?));
    Ok(peaked(args, Draft::of(vec![Part::line(warmup, 0, 1), down]))?.steps(total))
}

/// max(b·decay^⌊k/P⌋, min) after the warm-up
fn step(args: &Args<'_>) -> Result<Draft, Fault> {
    let floor = rate(args.level("min_lr")?);
    let up = Part::line(args.count("warmup_updates")?, init(args, &floor)?, 1);
    let stairs = format!(
        "step from 1 every {} by {}",
        args.at_least_one("lr_deacy_period")?,
        share(args.level("lr_decay")?)
    );
    let down = match floor == "0" {
        true => Part::new("sequence", format!("({stairs})")),
        false => Part::new("max", format!("({stairs}, constant from {floor})")),
    };
    peaked(args, Draft::of(vec![up, down]))
}

/// Linear up from init_lr_scale, hold, exponential down to final_lr_scale
fn tri_stage(args: &Args<'_>) -> Result<Draft, Fault> {
    let steps = match args.has("phase_ratio") {
        true => {
            let (ratios, max) = (args.numbers("phase_ratio")?, args.at_least_one("max_update")?);
            ratios.into_iter().map(|ratio| (ratio.max(0.0) * max as f64) as u64).collect()
        }
        false => vec![args.count("warmup_steps")?, args.count("hold_steps")?, args.count("decay_steps")?],
    };
    let [up, hold, down] = steps[..] else {
        return Err(args.wrong("phase_ratio", "three shares of the run"));
    };
    let (first, last) = (args.level("init_lr_scale")?, args.positive("final_lr_scale")?);
    let parts = vec![
        Part::line(up, share(first), 1),
        Part::over("constant", hold, "").from(1),
        Part::over("exponential", down, format!("to {}", share(last))).from(1),
        Part::hold(share(last)),
    ];
    let draft = peaked(args, Draft::of(parts))?;
    Ok(draft.steps(args.maybe_count("max_update")?.unwrap_or(up + hold + down)))
}

/// Up and down between `lr` and `max_lr`, which shrinks from cycle to cycle
fn triangular(args: &Args<'_>) -> Result<Draft, Fault> {
    let (min, max) = (args.level("lr")?, args.positive("max_lr")?);
    if min >= max {
        return Err(args.wrong("max_lr", "above `lr`"));
    }
    let half = args.at_least_one("lr_period_updates")? / 2;
    if half == 0 {
        return Err(args.wrong("lr_period_updates", "at least 2"));
    }
    let (every, shrink) = (2 * half, args.positive("lr_shrink")?);
    let part = match args.flag("shrink_min")? {
        true => {
            let cycles = format!("cyclic from {} to 1 every {every}", rate(min));
            Part::new("product", format!("({cycles}, step from 1 every {every} by {})", share(shrink)))
        }
        false => Part::new("cyclic", format!("to 1 every {every} peak {}", share(shrink))).from(rate(min)),
    };
    Ok(Draft::from(part).peak(max))
}
