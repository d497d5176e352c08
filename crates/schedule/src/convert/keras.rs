//! Keras: `keras.optimizers.schedules`.
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::args::Args;
use super::calls;
use super::draft::{Draft, Part, rate, share};
use super::plateau::{factor, level};
use super::torch::{listed, poly};
use crate::feedback::{Better, Goal, Rule};
use crate::notation::node::Fault;

calls! {
    "keras";
    /// `ExponentialDecay`: init·rate^(t/n), or its staircase.
    ExponentialDecay = "ExponentialDecay", exponential, "" {
        initial_learning_rate: f64,
        decay_steps: f64,
        decay_rate: f64,
        staircase: bool = "False" ["name=None, "],
    }
    /// `PiecewiseConstantDecay`: The value of the first boundary ≥ t: Keras switches after the boundary.
    PiecewiseConstantDecay = "PiecewiseConstantDecay", piecewise_constant, "" {
        boundaries: Vec<u64>,
        values: Vec<f64> ["name=None, "],
    }
    /// `PolynomialDecay`: (init − end)·(1 − t/n)^p + end; with `cycle`, n grows to the next multiple of itself once
    /// it is passed.
    PolynomialDecay = "PolynomialDecay", polynomial, "" {
        initial_learning_rate: f64,
        decay_steps: u64,
        end_learning_rate: f64 = "0.0001",
        power: f64 = "1.0",
        cycle: bool = "False" ["name=None, "],
    }
    /// `InverseTimeDecay`: init/(1 + rate·t/n), or its staircase.
    InverseTimeDecay = "InverseTimeDecay", inverse_time, "" {
        initial_learning_rate: f64,
        decay_steps: f64,
        decay_rate: f64,
        staircase: bool = "False" ["name=None, "],
    }
    /// `CosineDecay`: A warm-up from `initial_learning_rate` to `warmup_target` if that is given, then a cosine down
    /// to alpha.
    CosineDecay = "CosineDecay", cosine, "" {
        initial_learning_rate: f64,
        decay_steps: u64,
        alpha: f64 = "0.0" ["name=None, "],
        warmup_target: f64 = "None",
        warmup_steps: u64 = "0",
    }
    /// `CosineDecayRestarts`: (1 − alpha)·m_mul^i·cos²(…) + alpha in cycle i, whose length is first·t_mul^i.
    CosineDecayRestarts = "CosineDecayRestarts", restarts, "" {
        initial_learning_rate: f64,
        first_decay_steps: f64,
        t_mul: f64 = "2.0",
        m_mul: f64 = "1.0",
        alpha: f64 = "0.0" ["name=None, "],
    }
    /// `ReduceLROnPlateau`: The rate times `factor` at the bad epoch number `patience`. The last epoch of a cooldown
    /// counts already.
    ReduceLROnPlateau = "ReduceLROnPlateau", plateau, "" {
        monitor: &'static str = "'val_loss'",
        factor: f64 = "0.1",
        patience: u64 = "10" ["verbose=0, "],
        mode: &'static str = "'auto'",
        min_delta: f64 = "1e-4",
        cooldown: u64 = "0",
        min_lr: f64 = "0.0",
    }
}

/// init·rate^(t/n), or its staircase
fn exponential(args: &Args<'_>) -> Result<Draft, Fault> {
    let init = args.positive("initial_learning_rate")?;
    let (every, by) = (args.positive("decay_steps")?, args.level("decay_rate")?);
    let word = if args.flag("staircase")? { "step" } else { "exponential" };
    Ok(Draft::from(Part::new(word, format!("every {} by {}", share(every), share(by)))).peak(init))
}

/// The value of the first boundary ≥ t: Keras switches after the boundary.
fn piecewise_constant(args: &Args<'_>) -> Result<Draft, Fault> {
    let (boundaries, values) = (args.counts("boundaries")?, args.numbers("values")?);
    if boundaries.is_empty() || boundaries.len() + 1 != values.len() {
        return Err(args.wrong("values", "one more than the boundaries, of which there must be one"));
    }
    if boundaries.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(args.wrong("boundaries", "rising"));
    }
    let peak = values.iter().copied().fold(0.0, f64::max);
    if peak <= 0.0 || values.iter().any(|value| *value < 0.0) {
        return Err(args.wrong("values", "0 or more, and not all 0"));
    }
    let times: Vec<u64> = boundaries.iter().map(|boundary| boundary + 1).collect();
    let rates: Vec<String> = values.iter().copied().map(rate).collect();
    let step =
        Part::new("step", format!("at {} to {}", listed(&times), rates[1..].join(" "))).from(&rates[0]);
    Ok(Draft::from(step).peak(peak))
}

/// (init − end)·(1 − t/n)^p + end; with `cycle`, n grows to the next multiple of itself once it is passed
fn polynomial(args: &Args<'_>) -> Result<Draft, Fault> {
    let (init, end) = (args.positive("initial_learning_rate")?, args.level("end_learning_rate")?);
    let (n, power) = (args.at_least_one("decay_steps")?, args.positive("power")?);
    let first = poly(n, power, &rate(end)).from(rate(init));
    if !args.flag("cycle")? {
        return Ok(Draft::from(first).peak(init.max(end)));
    }
    let run = args
        .around
        .steps
        .ok_or_else(|| args.cannot("cycle", "its cycles never end: say how many steps the run has"))?;
    // Cycle c shows updates (c − 1)·n + 1 … c·n of a decay over c·n, the end level included.
    let (mut parts, mut start) = (vec![first], n);
    for c in 2.. {
        if start >= run {
            break;
        }
        let whole = poly(c * n, power, &rate(end)).from(rate(init));
        parts.push(Part::over("constant", 1, "").from(rate(end)));
        parts.push(whole.after(start + 1));
        start += n;
        if parts.len() > 2000 {
            return Err(args.wrong("decay_steps", "at least a thousandth of the run"));
        }
    }
    Ok(Draft::of(parts).peak(init.max(end)))
}

/// init/(1 + rate·t/n), or its staircase
fn inverse_time(args: &Args<'_>) -> Result<Draft, Fault> {
    let init = args.positive("initial_learning_rate")?;
    let (every, by) = (args.positive("decay_steps")?, args.level("decay_rate")?);
    if by == 0.0 {
        return Ok(Draft::from(Part::new("constant", "")).peak(init));
    }
    if !args.flag("staircase")? {
        return Ok(
            Draft::from(Part::new("inverse-time", format!("timescale {}", share(every / by)))).peak(init)
        );
    }
    let run = args
        .around
        .steps
        .ok_or_else(|| args.cannot("staircase", "its stairs never end: say how many steps the run has"))?;
    let stairs = libm::ceil(run as f64 / every) as u64;
    if stairs > 10_000 {
        return Err(args.wrong("decay_steps", "at least a ten thousandth of the run"));
    }
    if stairs < 2 {
        return Ok(Draft::from(Part::new("constant", "")).peak(init));
    }
    let times: Vec<String> = (1..stairs).map(|i| share(i as f64 * every)).collect();
    let levels: Vec<String> = (1..stairs).map(|i| share(1.0 / (1.0 + by * i as f64))).collect();
    Ok(Draft::from(Part::new("step", format!("at {} to {}", times.join(" "), levels.join(" ")))).peak(init))
}

/// A warm-up from `initial_learning_rate` to `warmup_target` if that is given, then a cosine down to alpha
fn cosine(args: &Args<'_>) -> Result<Draft, Fault> {
    let init = args.level("initial_learning_rate")?;
    let (n, alpha) = (args.at_least_one("decay_steps")?, args.level("alpha")?);
    let (target, warmup) = match args.maybe("warmup_target")? {
        None => (init, 0),
        Some(_) => (args.positive("warmup_target")?, args.count("warmup_steps")?),
    };
    if target <= 0.0 {
        return Err(args.wrong("initial_learning_rate", "above 0 where there is no `warmup_target`"));
    }
    let up = Part::line(warmup, rate(init), rate(target));
    let down = Part::over("cosine", n, format!("to {}", rate(target * alpha))).from(rate(target));
    let peak = if warmup > 0 { init.max(target) } else { target };
    Ok(Draft::of(vec![up, down]).peak(peak.max(target * alpha)))
}

/// (1 − alpha)·m_mul^i·cos²(…) + alpha in cycle i, whose length is first·t_mul^i
fn restarts(args: &Args<'_>) -> Result<Draft, Fault> {
    let (init, first) = (args.positive("initial_learning_rate")?, args.positive("first_decay_steps")?);
    let (grow, peak, alpha) = (args.positive("t_mul")?, args.positive("m_mul")?, args.level("alpha")?);
    if alpha > 1.0 {
        return Err(args.wrong("alpha", "at most 1"));
    }
    let mut every = format!("every {}", share(first));
    for (word, value) in [("grow", grow), ("peak", peak)] {
        if value != 1.0 {
            every = format!("{every} {word} {}", share(value));
        }
    }
    let part = match alpha > 0.0 && peak != 1.0 {
        // Lehr's peaks are counted from 0, those of Keras from alpha.
        true => {
            let above = format!("restarts from {} to 0 {every}", share(1.0 - alpha));
            Part::new("sum", format!("({above}, constant from {})", share(alpha)))
        }
        false => Part::new("restarts", format!("to {} {every}", share(alpha))),
    };
    Ok(Draft::from(part).peak(init))
}

/// The rate times `factor` at the bad epoch number `patience`. The last epoch of a cooldown counts already.
fn plateau(args: &Args<'_>) -> Result<Draft, Fault> {
    let goal = match args.choice("mode", &["auto", "min", "max"])? {
        "min" => Goal::Min,
        "max" => Goal::Max,
        _ if matches!(args.text("monitor")?, "loss" | "val_loss") => Goal::Min,
        _ => return Err(args.wrong("mode", "min or max: what Keras makes of auto depends on the model")),
    };
    let rule = Rule {
        by: factor(args, "factor")?,
        patience: args.count("patience")?.saturating_sub(1),
        cooldown: args.count("cooldown")?.saturating_sub(1),
        better: Better { goal, threshold: 0.0, margin: args.number("min_delta")?.abs() },
        to: level(args, "min_lr")?,
        ..Rule::plateau()
    };
    Ok(Draft::of(Vec::new()).then(rule))
}
