//! optax: `optax.schedules`.
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::Nested;
use super::args::{Args, Class};
use super::calls;
use super::draft::{Draft, Part, rate, share};
use super::plateau::factor;
use super::torch::{listed, poly};
use crate::feedback::{Average, Better, Goal, Rule};
use crate::measure::Level;
use crate::notation::node::Fault;

calls! {
    "optax", also [
        Class { names: &["sgdr_schedule"], signature: "cosine_kwargs", convert: sgdr },
    ];
    /// `constant_schedule`: constant_schedule.
    ConstantSchedule = "constant_schedule", constant, "" {
        value: f64,
    }
    /// `polynomial_schedule`: (init − end)·(1 − k/n)^p + end after `transition_begin` updates.
    PolynomialSchedule = "polynomial_schedule", polynomial, "" {
        init_value: f64,
        end_value: f64,
        power: f64,
        transition_steps: u64,
        transition_begin: u64 = "0",
    }
    /// `linear_schedule`: linear_schedule.
    LinearSchedule = "linear_schedule", linear, "" {
        init_value: f64,
        end_value: f64,
        transition_steps: u64,
        transition_begin: u64 = "0",
    }
    /// `piecewise_constant_schedule`: init times the scale of every boundary ≤ t.
    PiecewiseConstantSchedule = "piecewise_constant_schedule", piecewise_constant, "" {
        init_value: f64,
        boundaries_and_scales: Vec<(u64, f64)> = "None",
    }
    /// `piecewise_interpolate_schedule`: piecewise_interpolate_schedule.
    PiecewiseInterpolateSchedule = "piecewise_interpolate_schedule", piecewise_interpolate, "" {
        interpolate_type: &'static str,
        init_value: f64,
        boundaries_and_scales: Vec<(u64, f64)> = "None",
    }
    /// `exponential_decay`: init·rate^(k/n), or its staircase; never past `end_value`.
    ExponentialDecay = "exponential_decay", exponential, "" {
        init_value: f64,
        transition_steps: u64,
        decay_rate: f64,
        transition_begin: u64 = "0",
        staircase: bool = "False",
        end_value: f64 = "None",
    }
    /// `cosine_decay_schedule`: init·((1 − alpha)·cos²(…)^exponent + alpha).
    CosineDecaySchedule = "cosine_decay_schedule", cosine, "" {
        init_value: f64,
        decay_steps: u64,
        alpha: f64 = "0.0",
        exponent: f64 = "1.0",
    }
    /// `linear_onecycle_schedule`: linear_onecycle_schedule.
    LinearOnecycleSchedule = "linear_onecycle_schedule", linear_one_cycle, "" {
        transition_steps: u64,
        peak_value: f64,
        pct_start: f64 = "0.3",
        pct_final: f64 = "0.85",
        div_factor: f64 = "25.0",
        final_div_factor: f64 = "10000.0",
    }
    /// `cosine_onecycle_schedule`: cosine_onecycle_schedule.
    CosineOnecycleSchedule = "cosine_onecycle_schedule", cosine_one_cycle, "" {
        transition_steps: u64,
        peak_value: f64,
        pct_start: f64 = "0.3",
        div_factor: f64 = "25.0",
        final_div_factor: f64 = "10000.0",
    }
    /// `warmup_constant_schedule`: warmup_constant_schedule.
    WarmupConstantSchedule = "warmup_constant_schedule", warmup_constant, "" {
        init_value: f64,
        peak_value: f64,
        warmup_steps: u64,
    }
    /// `warmup_cosine_decay_schedule`: warmup_cosine_decay_schedule.
    WarmupCosineDecaySchedule = "warmup_cosine_decay_schedule", warmup_cosine, "" {
        init_value: f64,
        peak_value: f64,
        warmup_steps: u64,
        decay_steps: u64,
        end_value: f64 = "0.0",
        exponent: f64 = "1.0",
    }
    /// `warmup_exponential_decay_schedule`: warmup_exponential_decay_schedule.
    WarmupExponentialDecaySchedule = "warmup_exponential_decay_schedule", warmup_exponential, "" {
        init_value: f64,
        peak_value: f64,
        warmup_steps: u64,
        transition_steps: u64,
        decay_rate: f64,
        transition_begin: u64 = "0",
        staircase: bool = "False",
        end_value: f64 = "None",
    }
    /// `join_schedules`: Each schedule from its own start, until its boundary.
    JoinSchedules = "join_schedules", joined, "" {
        schedules: Vec<Nested>,
        boundaries: Vec<u64>,
    }
    /// `reduce_on_plateau`: The scale times `factor` at the bad value number `patience`, where a value is the mean of
    /// `accumulation_size`.
    ReduceOnPlateau = "reduce_on_plateau", plateau, "" {
        factor: f64 = "0.1",
        patience: u64 = "10",
        rtol: f64 = "1e-4",
        atol: f64 = "0.0",
        cooldown: u64 = "0",
        accumulation_size: u64 = "1",
        min_scale: f64 = "0.0",
    }
}

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
