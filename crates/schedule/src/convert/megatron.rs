//! Megatron-LM: `OptimizerParamScheduler`, by formula.
use alloc::format;
use alloc::string::String;
use alloc::vec;

use super::args::{Args, Class};
use super::draft::{Draft, Part, rate, share};
use crate::notation::node::Fault;

pub(super) const CLASSES: &[Class] = &[Class {
    names: &["OptimizerParamScheduler"],
    signature: "optimizer, init_lr, max_lr, min_lr, lr_warmup_steps, lr_decay_steps, lr_decay_style, start_wd=0.0, \
                end_wd=0.0, wd_incr_steps=0, wd_incr_style='constant', use_checkpoint_opt_param_scheduler=True, \
                override_opt_param_scheduler=False, wsd_decay_steps=None, lr_wsd_decay_style='exponential'",
    convert: scheduler,
}];

const STYLES: [&str; 5] = ["constant", "linear", "cosine", "inverse-square-root", "WSD"];

/// init + (max − init)·t/W up to W, then the style over the remaining D − W steps, then min.
fn scheduler(args: &Args<'_>) -> Result<Draft, Fault> {
    let (init, max, min) = (args.level("init_lr")?, args.positive("max_lr")?, args.level("min_lr")?);
    if init > max || min > max {
        return Err(args.wrong("max_lr", "the largest of the three rates"));
    }
    let (warmup, total) = (args.count("lr_warmup_steps")?, args.count("lr_decay_steps")?);
    let decay = total.checked_sub(warmup).filter(|decay| *decay > 0);
    let decay = decay
        .ok_or_else(|| args.wrong("lr_decay_steps", "more than `lr_warmup_steps`: it counts them in"))?;
    let floor = rate(min);
    let mut parts = vec![Part::line(warmup, rate(init), 1)];
    match args.choice("lr_decay_style", &STYLES)? {
        "constant" => parts.push(Part::hold(1)),
        "inverse-square-root" => {
            // max·√(W/t), where both are at least 1; update D is still on it.
            parts.push(Part::over("constant", u64::from(warmup == 0), "").from(1));
            let law = format!("inverse-sqrt from 1 timescale {}", warmup.max(1));
            let steps = decay + u64::from(warmup > 0);
            parts.push(Part::over("max", steps, format!("({law}, constant from {floor})")));
            parts.push(Part::hold(&floor));
        }
        "WSD" => {
            let cooldown = args.at_least_one("wsd_decay_steps")?;
            let stable = total.saturating_sub(cooldown).saturating_sub(warmup);
            parts.push(Part::over("constant", stable, "").from(1));
            let late = (warmup + cooldown).saturating_sub(total);
            let down = wsd(args, cooldown, &floor)?.from(1);
            if late > 0 {
                // The decay has begun before the warm-up is over; update W is still at the peak.
                let peak = u64::from(warmup > 0);
                parts.push(Part::over("constant", peak, "").from(1));
                parts.push(down.after(late + peak));
            } else {
                parts.push(down);
            }
        }
        word => parts.push(Part::over(word, decay, format!("to {floor}")).from(1)),
    }
    let draft = Draft::of(parts).peak(max).steps(total);
    Ok(match weight_decay(args)? {
        Some(course) => draft.with(course),
        None => draft,
    })
}

fn wsd(args: &Args<'_>, steps: u64, floor: &str) -> Result<Part, Fault> {
    const COOLDOWNS: [&str; 4] = ["linear", "cosine", "exponential", "minus_sqrt"];
    Ok(match args.choice("lr_wsd_decay_style", &COOLDOWNS)? {
        // 2·½^u − 1
        "exponential" => Part::over("exponential", steps, format!("to {floor} base 0.5")),
        "minus_sqrt" => Part::over("1-sqrt", steps, format!("to {floor}")),
        word => Part::over(word, steps, format!("to {floor}")),
    })
}

/// The weight decay, if it changes.
fn weight_decay(args: &Args<'_>) -> Result<Option<String>, Fault> {
    let (start, end) = (args.level("start_wd")?, args.level("end_wd")?);
    let style = args.choice("wd_incr_style", &["constant", "linear", "cosine"])?;
    if start == end {
        return Ok(None);
    }
    if style == "constant" {
        return Err(args.wrong("wd_incr_style", "linear or cosine where `start_wd` and `end_wd` differ"));
    }
    let steps = args.at_least_one("wd_incr_steps")?;
    Ok(Some(format!("weight-decay ({style} {steps} from {} to {})", share(start), share(end))))
}
