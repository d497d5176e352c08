//! optax: `optax.schedules`.
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::args::{Args, Class};
use super::draft::{Draft, Part, rate, share};
use super::plateau::factor;
use super::torch::{listed, poly};
use crate::feedback::{Average, Better, Goal, Rule};
use crate::measure::Level;
use crate::notation::node::Fault;

pub(super) const CLASSES: &[Class] = &[
    Class { names: &["constant_schedule"], signature: "value", convert: constant },
    Class {
        names: &["polynomial_schedule"],
        signature: "init_value, end_value, power, transition_steps, transition_begin=0",
        convert: polynomial,
    },
    Class {
        names: &["linear_schedule"],
        signature: "init_value, end_value, transition_steps, transition_begin=0",
        convert: linear,
    },
    Class {
        names: &["piecewise_constant_schedule"],
        signature: "init_value, boundaries_and_scales=None",
        convert: piecewise_constant,
    },
    Class {
        names: &["piecewise_interpolate_schedule"],
        signature: "interpolate_type, init_value, boundaries_and_scales=None",
        convert: piecewise_interpolate,
    },
    Class {
        names: &["exponential_decay"],
        signature: "init_value, transition_steps, decay_rate, transition_begin=0, staircase=False, end_value=None",
        convert: exponential,
    },
    Class {
        names: &["cosine_decay_schedule"],
        signature: "init_value, decay_steps, alpha=0.0, exponent=1.0",
        convert: cosine,
    },
    Class {
        names: &["linear_onecycle_schedule"],
        signature: "transition_steps, peak_value, pct_start=0.3, pct_final=0.85, div_factor=25.0, \
                    final_div_factor=10000.0",
        convert: linear_one_cycle,
    },
    Class {
        names: &["cosine_onecycle_schedule"],
        signature: "transition_steps, peak_value, pct_start=0.3, div_factor=25.0, final_div_factor=10000.0",
        convert: cosine_one_cycle,
    },
    Class {
        names: &["warmup_constant_schedule"],
        signature: "init_value, peak_value, warmup_steps",
        convert: warmup_constant,
    },
    Class {
        names: &["warmup_cosine_decay_schedule"],
        signature: "init_value, peak_value, warmup_steps, decay_steps, end_value=0.0, exponent=1.0",
        convert: warmup_cosine,
    },
    Class {
        names: &["warmup_exponential_decay_schedule"],
        signature: "init_value, peak_value, warmup_steps, transition_steps, decay_rate, transition_begin=0, \
                    staircase=False, end_value=None",
        convert: warmup_exponential,
    },
    Class { names: &["sgdr_schedule"], signature: "cosine_kwargs", convert: sgdr },
    Class { names: &["join_schedules"], signature: "schedules, boundaries", convert: joined },
    Class {
        names: &["reduce_on_plateau"],
        signature: "factor=0.1, patience=10, rtol=1e-4, atol=0.0, cooldown=0, accumulation_size=1, min_scale=0.0",
        convert: plateau,
    },
];

/// A draft whose peak is the largest of its levels.
fn peaked(parts: Vec<Part>, levels: &[f64]) -> Draft {
    Draft::of(parts).peak(levels.iter().copied().fold(0.0, f64::max))
}

fn constant(args: &Args<'_>) -> Result<Draft, Fault> {
    let value = args.level("value")?;
    Ok(peaked(vec![Part::hold(rate(value))], &[value]))
}

/// Whether a number of steps is none, which optax takes as: no transition at all.
fn steps(args: &Args<'_>, name: &str) -> Result<u64, Fault> {
    Ok(if args.number(name)? <= 0.0 { 0 } else { args.count(name)? })
}

/// (init − end)·(1 − k/n)^p + end after `transition_begin` updates
fn polynomial(args: &Args<'_>) -> Result<Draft, Fault> {
    transition(args, args.positive("power")?)
}

fn linear(args: &Args<'_>) -> Result<Draft, Fault> {
    transition(args, 1.0)
}

fn transition(args: &Args<'_>, power: f64) -> Result<Draft, Fault> {
    let (init, end) = (args.level("init_value")?, args.level("end_value")?);
    let (begin, n) = (steps(args, "transition_begin")?, steps(args, "transition_steps")?);
    if n == 0 {
        return Ok(peaked(vec![Part::hold(rate(init))], &[init]));
    }
    let hold = Part::over("constant", begin, "").from(rate(init));
    Ok(peaked(vec![hold, poly(n, power, &rate(end)).from(rate(init))], &[init, end]))
}

/// init times the scale of every boundary ≤ t
fn piecewise_constant(args: &Args<'_>) -> Result<Draft, Fault> {
    let init = args.level("init_value")?;
    let (times, levels) = levels(args, init)?;
    if times.is_empty() {
        return Ok(peaked(vec![Part::hold(rate(init))], &[init]));
    }
    let rates: Vec<String> = levels.iter().copied().map(rate).collect();
    let step = Part::new("step", format!("at {} to {}", listed(&times), rates.join(" "))).from(rate(init));
    Ok(peaked(vec![step], &[&levels[..], &[init]].concat()))
}

/// The boundaries, and the level from each one on.
fn levels(args: &Args<'_>, init: f64) -> Result<(Vec<u64>, Vec<f64>), Fault> {
    let pairs = args.pairs("boundaries_and_scales")?;
    if pairs.iter().any(|(_, scale)| *scale < 0.0) {
        return Err(args.wrong("boundaries_and_scales", "scales of 0 or more"));
    }
    let levels = pairs.iter().scan(init, |level, (_, scale)| {
        *level *= scale;
        Some(*level)
    });
    Ok((pairs.iter().map(|(step, _)| *step).collect(), levels.collect()))
}

fn piecewise_interpolate(args: &Args<'_>) -> Result<Draft, Fault> {
    let word = args.choice("interpolate_type", &["linear", "cosine"])?;
    let init = args.level("init_value")?;
    let (times, levels) = levels(args, init)?;
    Ok(interpolated(word, init, &times, &levels))
}

/// From one level to the next along linear or cosine.
fn interpolated(word: &'static str, init: f64, times: &[u64], levels: &[f64]) -> Draft {
    let mut parts = Vec::new();
    let (mut start, mut from) = (0, init);
    for (time, level) in times.iter().zip(levels) {
        if *time > start {
            parts.push(Part::over(word, time - start, format!("to {}", rate(*level))).from(rate(from)));
        }
        (start, from) = (*time, *level);
    }
    parts.push(Part::hold(rate(from)));
    peaked(parts, &[levels, &[init]].concat())
}

/// init·rate^(k/n), or its staircase; never past `end_value`
fn exponential(args: &Args<'_>) -> Result<Draft, Fault> {
    let init = args.level("init_value")?;
    let parts = decay(args, init)?;
    Ok(peaked(parts, &[init]))
}

fn decay(args: &Args<'_>, init: f64) -> Result<Vec<Part>, Fault> {
    let (by, begin) = (args.level("decay_rate")?, steps(args, "transition_begin")?);
    let n = steps(args, "transition_steps")?;
    if n == 0 || by == 0.0 {
        return Ok(vec![Part::hold(rate(init))]);
    }
    let word = if args.flag("staircase")? { "step" } else { "exponential" };
    let main = Part::new(word, format!("every {n} by {}", share(by))).from(rate(init));
    let main = match args.has("end_value") {
        true => {
            let clip = if by < 1.0 { "max" } else { "min" };
            Part::new(clip, format!("({main}, constant from {})", rate(args.level("end_value")?)))
        }
        false => main,
    };
    Ok(vec![Part::over("constant", begin, "").from(rate(init)), main])
}

/// init·((1 − alpha)·cos²(…)^exponent + alpha)
fn cosine(args: &Args<'_>) -> Result<Draft, Fault> {
    let init = args.positive("init_value")?;
    let end = init * args.level("alpha")?;
    let n = args.at_least_one("decay_steps")?;
    let part = half_cosine(n, end, args.positive("exponent")?);
    Ok(peaked(vec![part.from(rate(init))], &[init, end]))
}

fn half_cosine(n: u64, end: f64, exponent: f64) -> Part {
    let power = if exponent == 1.0 { String::new() } else { format!(" power {}", share(exponent)) };
    Part::over("cosine", n, format!("to {}{power}", rate(end)))
}

/// The borders of a one-cycle are rounded down by optax.
fn one_cycle(args: &Args<'_>, word: &'static str, middle: Option<&str>) -> Result<Draft, Fault> {
    let (n, peak) = (args.at_least_one("transition_steps")?, args.positive("peak_value")?);
    let (div, last) = (args.positive("div_factor")?, args.positive("final_div_factor")?);
    let border = |name| args.level(name).map(|share| libm::floor(share * n as f64) as u64);
    let init = peak / div;
    let (mut times, mut levels) = (vec![border("pct_start")?], vec![peak]);
    if let Some(name) = middle {
        times.push(border(name)?);
        levels.push(init);
    }
    times.push(n);
    levels.push(init / last);
    if times.windows(2).any(|pair| pair[0] >= pair[1]) || times[0] == 0 {
        return Err(args.wrong("pct_start", "so that every phase has an update"));
    }
    let draft = interpolated(word, init, &times, &levels);
    Ok(draft.steps(n))
}

fn linear_one_cycle(args: &Args<'_>) -> Result<Draft, Fault> {
    one_cycle(args, "linear", Some("pct_final"))
}

fn cosine_one_cycle(args: &Args<'_>) -> Result<Draft, Fault> {
    one_cycle(args, "cosine", None)
}

/// The rise of every warm-up of optax: init + (peak − init)·t/W
fn rise(args: &Args<'_>) -> Result<(Part, f64, f64), Fault> {
    let (init, peak) = (args.level("init_value")?, args.level("peak_value")?);
    let n = steps(args, "warmup_steps")?;
    Ok((Part::line(n, rate(init), rate(peak)), init, peak))
}

fn warmup_constant(args: &Args<'_>) -> Result<Draft, Fault> {
    let (rise, init, peak) = rise(args)?;
    match steps(args, "warmup_steps")? {
        // No transition at all: optax stays at the first value.
        0 => Ok(peaked(vec![Part::hold(rate(init))], &[init])),
        _ => Ok(peaked(vec![rise, Part::hold(rate(peak))], &[init, peak])),
    }
}

fn warmup_cosine(args: &Args<'_>) -> Result<Draft, Fault> {
    let (rise, init, peak) = rise(args)?;
    if peak == 0.0 {
        return Err(args.wrong("peak_value", "above 0"));
    }
    let warmup = steps(args, "warmup_steps")?;
    let n = args.count("decay_steps")?;
    let n = n.checked_sub(warmup).filter(|n| *n > 0);
    let n =
        n.ok_or_else(|| args.wrong("decay_steps", "more than `warmup_steps`: it counts the warm-up in"))?;
    let end = args.level("end_value")?;
    let down = half_cosine(n, end, args.positive("exponent")?).from(rate(peak));
    Ok(peaked(vec![rise, down], &[init, peak, end]))
}

fn warmup_exponential(args: &Args<'_>) -> Result<Draft, Fault> {
    let (rise, init, peak) = rise(args)?;
    Ok(peaked([vec![rise], decay(args, peak)?].concat(), &[init, peak]))
}

/// Cosines with their own warm-up, one after the other.
fn sgdr(args: &Args<'_>) -> Result<Draft, Fault> {
    let dicts = args.dicts("cosine_kwargs")?;
    let mut cycles = Vec::with_capacity(dicts.len());
    for dict in &dicts {
        let call = super::call::Call { name: "optax.warmup_cosine_decay_schedule".into(), ..dict.clone() };
        cycles.push((args.inner)(&call, args.around.with_steps(None))?);
    }
    Ok(in_turn(cycles, None))
}

/// Each schedule from its own start, until its boundary.
fn joined(args: &Args<'_>) -> Result<Draft, Fault> {
    let (calls, boundaries) = (args.calls("schedules")?, args.counts("boundaries")?);
    if calls.is_empty() || boundaries.len() + 1 != calls.len() {
        return Err(args.wrong("boundaries", "one fewer than the schedules"));
    }
    if boundaries.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(args.wrong("boundaries", "rising"));
    }
    let inner = calls.iter().map(|call| (args.inner)(call, args.around.with_steps(None)));
    Ok(in_turn(inner.collect::<Result<_, _>>()?, Some(&boundaries)))
}

fn in_turn(drafts: Vec<Draft>, boundaries: Option<&[u64]>) -> Draft {
    let (mut parts, mut peaks, mut start) = (Vec::new(), Vec::new(), 0);
    for (i, draft) in drafts.into_iter().enumerate() {
        peaks.extend(draft.peak);
        let run = match boundaries {
            Some(boundaries) => boundaries.get(i).map(|end| end - start),
            None => draft.length(),
        };
        start += run.unwrap_or(0);
        match run {
            Some(run) => parts.extend(draft.cut(run)),
            None => parts.extend(draft.parts),
        }
    }
    peaked(parts, &peaks)
}

/// The scale times `factor` at the bad value number `patience`, where a value is the mean of `accumulation_size`.
fn plateau(args: &Args<'_>) -> Result<Draft, Fault> {
    let min_scale = args.level("min_scale")?;
    if min_scale > 1.0 {
        return Err(args.wrong("min_scale", "at most 1"));
    }
    let rule = Rule {
        by: factor(args, "factor")?,
        patience: args.at_least_one("patience")? - 1,
        cooldown: args.count("cooldown")?,
        better: Better { goal: Goal::Min, threshold: args.level("rtol")?, margin: args.level("atol")? },
        average: match args.at_least_one("accumulation_size")? {
            1 => Average::Off,
            each => Average::Every(each),
        },
        to: Level::Relative(min_scale),
        ..Rule::plateau()
    };
    let draft = Draft::of(Vec::new()).then(rule);
    Ok(draft.note("optax scales the update that comes with the value already; Lehr the next one"))
}
