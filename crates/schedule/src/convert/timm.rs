//! timm: `timm.scheduler`.
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::args::Args;
use super::calls;
use super::draft::{Draft, Part, join, rate, share};
use super::plateau::{factor, goal, level};
use super::torch::steps_at;
use crate::feedback::{Better, Goal, Rule};
use crate::measure::Level;
use crate::notation::node::Fault;

/// What every stateless scheduler of timm takes in the middle.
macro_rules! noise {
    () => {
        "t_in_epochs=True, noise_range_t=None, noise_pct=0.67, noise_std=1.0, noise_seed=42, "
    };
}

calls! {
    "timm";
    /// `CosineLRScheduler`: CosineLRScheduler.
    CosineLRScheduler = "CosineLRScheduler" | "cosine", cosine, "optimizer, " {
        t_initial: f64,
        lr_min: f64 = "0.0",
        cycle_mul: f64 = "1.0",
        cycle_decay: f64 = "1.0",
        cycle_limit: u64 = "1",
        warmup_t: u64 = "0",
        warmup_lr_init: f64 = "0.0",
        warmup_prefix: bool = "False" [noise!()],
        k_decay: f64 = "1.0" ["initialize=True, "],
    }
    /// `PolyLRScheduler`: PolyLRScheduler.
    PolyLRScheduler = "PolyLRScheduler" | "poly", poly, "optimizer, " {
        t_initial: f64,
        power: f64 = "0.5",
        lr_min: f64 = "0.0",
        cycle_mul: f64 = "1.0",
        cycle_decay: f64 = "1.0",
        cycle_limit: u64 = "1",
        warmup_t: u64 = "0",
        warmup_lr_init: f64 = "0.0",
        warmup_prefix: bool = "False" [noise!()],
        k_decay: f64 = "1.0" ["initialize=True, "],
    }
    /// `TanhLRScheduler`: min + (b·decay^i − min)·(1 − tanh(l + (r − l)·k/T_i))/2 in cycle i, then min. Lehr's tanh
    /// reaches its levels exactly, timm's stops short of both, so the levels are those that timm's reaches.
    TanhLRScheduler = "TanhLRScheduler" | "tanh", tanh, "optimizer, " {
        t_initial: f64,
        lb: f64 = "-7.0",
        ub: f64 = "3.0",
        lr_min: f64 = "0.0",
        cycle_mul: f64 = "1.0",
        cycle_decay: f64 = "1.0",
        cycle_limit: u64 = "1",
        warmup_t: u64 = "0",
        warmup_lr_init: f64 = "0.0",
        warmup_prefix: bool = "False" [noise!()],
        k_decay: f64 = "1.0" ["initialize=True, "],
    }
    /// `StepLRScheduler`: b·rate^⌊t/decay_t⌋.
    StepLRScheduler = "StepLRScheduler" | "step", step, "optimizer, " {
        decay_t: f64,
        decay_rate: f64 = "1.0",
        warmup_t: u64 = "0",
        warmup_lr_init: f64 = "0.0",
        warmup_prefix: bool = "True" [noise!() "initialize=True, "],
    }
    /// `MultiStepLRScheduler`: b·rate^(number of milestones ≤ t + 1): timm is one step early.
    MultiStepLRScheduler = "MultiStepLRScheduler" | "multistep", multi_step, "optimizer, " {
        decay_t: Vec<u64>,
        decay_rate: f64 = "1.0",
        warmup_t: u64 = "0",
        warmup_lr_init: f64 = "0.0",
        warmup_prefix: bool = "True" [noise!() "initialize=True, "],
    }
    /// `WSDLRScheduler`: The stable part s(t) over all updates, times the decay d(t) over the last ones, never below
    /// min.
    WSDLRScheduler = "WSDLRScheduler" | "wsd", wsd, "optimizer, " {
        t_initial: u64,
        decay_t: u64,
        lr_min: f64 = "0.0",
        stable_fn: &'static str = "'constant'",
        stable_timescale: f64 = "None",
        stable_power: f64 = "0.5",
        decay_fn: &'static str = "'1-sqrt'",
        decay_power: f64 = "0.5",
        decay_ratio: f64 = "0.1",
        warmup_t: u64 = "0",
        warmup_lr_init: f64 = "0.0" [noise!() "initialize=True, "],
    }
    /// `PlateauLRScheduler`: A warm-up whose metrics are not counted, then torch's plateau with its own defaults.
    PlateauLRScheduler = "PlateauLRScheduler" | "plateau", plateau, "optimizer, " {
        decay_rate: f64 = "0.1",
        patience_t: u64 = "10",
        threshold: f64 = "1e-4",
        cooldown_t: u64 = "0",
        warmup_t: u64 = "0",
        warmup_lr_init: f64 = "0.0",
        lr_min: f64 = "0.0",
        mode: &'static str = "'max'" ["noise_range_t=None, noise_type='normal', noise_pct=0.67, noise_std=1.0, "
            "noise_seed=None, initialize=True, "],
    }
}

/// Seeded noise of timm comes from torch's generator.
fn no_noise(args: &Args<'_>) -> Result<(), Fault> {
    match args.has("noise_range_t") {
        true => Err(args.cannot("noise_range_t", "the noise comes from torch's random generator")),
        false => Ok(()),
    }
}

/// The warm-up, then `main` from its start (`warmup_prefix`) or from where its own clock stands after the warm-up.
fn after_warmup(args: &Args<'_>, to: &str, main: Part) -> Result<Draft, Fault> {
    no_noise(args)?;
    let warmup = args.count("warmup_t")?;
    let up = Part::line(warmup, rate(args.level("warmup_lr_init")?), to);
    let length = main.length();
    let main = match warmup > 0 && !args.flag("warmup_prefix")? {
        true => main.after(warmup),
        false => main.at_the_peak(),
    };
    // What comes before the main part and is not part of its own clock.
    let ahead = if args.flag("warmup_prefix")? { warmup } else { 0 };
    let draft = Draft::of(vec![up, main]);
    Ok(match length {
        Some(length) => draft.steps(length + ahead),
        None => draft,
    })
}

/// The cycles of a cyclic scheduler.
struct Cycles {
    first: f64,
    grow: f64,
    decay: f64,
    limit: u64,
    /// Updates until the floor.
    length: u64,
}

impl Cycles {
    fn read(args: &Args<'_>) -> Result<Self, Fault> {
        let first = args.positive("t_initial")?;
        let (grow, decay) = (args.positive("cycle_mul")?, args.positive("cycle_decay")?);
        let limit = args.at_least_one("cycle_limit")?;
        let sum = match grow == 1.0 {
            true => first * limit as f64,
            false => first * (libm::pow(grow, limit as f64) - 1.0) / (grow - 1.0),
        };
        if sum.is_nan() || sum >= 1e15 {
            return Err(args.wrong("cycle_limit", "small enough for the cycles to end"));
        }
        Ok(Self { first, grow, decay, limit, length: libm::ceil(sum - 1e-9 * sum) as u64 })
    }

    fn single(&self) -> bool {
        self.limit == 1 && libm::floor(self.first) == self.first
    }

    /// `every …` with the settings that are not at their defaults.
    fn every(&self, peak: f64) -> String {
        let mut text = format!("every {} cycles {}", share(self.first), self.limit);
        for (word, value) in [("grow", self.grow), ("peak", peak)] {
            if value != 1.0 {
                text = format!("{text} {word} {}", share(value));
            }
        }
        text
    }
}

/// min + (b·decay^i − min)·r(k/T_i) in cycle i, then min
fn cycled(args: &Args<'_>, word: &'static str, settings: &str) -> Result<Draft, Fault> {
    let (cycles, floor) = (Cycles::read(args)?, rate(args.level("lr_min")?));
    let main = match cycles.single() {
        true => Part::over(word, cycles.length, format!("to {floor}{settings}")),
        false => {
            let every = cycles.every(cycles.decay);
            let along = if word == "cosine" && settings.is_empty() {
                String::new()
            } else {
                format!(" along {word}{settings}")
            };
            Part::over("restarts", cycles.length, format!("to {floor} {every}{along}"))
        }
    };
    let draft = after_warmup(args, "1", main)?;
    Ok(Draft { parts: [draft.parts, vec![Part::hold(floor)]].concat(), ..draft })
}

fn cosine(args: &Args<'_>) -> Result<Draft, Fault> {
    cycled(args, "cosine", &bend(args)?)
}

fn poly(args: &Args<'_>) -> Result<Draft, Fault> {
    let power = args.positive("power")?;
    cycled(args, "poly", &format!(" power {}{}", share(power), bend(args)?))
}

fn bend(args: &Args<'_>) -> Result<String, Fault> {
    Ok(match args.positive("k_decay")? {
        1.0 => String::new(),
        k => format!(" bend {}", share(k)),
    })
}

/// min + (b·decay^i − min)·(1 − tanh(l + (r − l)·k/T_i))/2 in cycle i, then min. Lehr's tanh reaches its levels exactly,
/// timm's stops short of both, so the levels are those that timm's reaches.
fn tanh(args: &Args<'_>) -> Result<Draft, Fault> {
    let (left, right) = (args.number("lb")?, args.number("ub")?);
    if left >= right {
        return Err(args.wrong("lb", "below `ub`"));
    }
    if args.number("k_decay")? != 1.0 {
        return Err(args.wrong("k_decay", "left out: the tanh of timm has none"));
    }
    let reach = |x: f64| 1.0 / (1.0 + libm::exp(2.0 * x));
    let (start, end) = (reach(left), reach(right));
    let cycles = Cycles::read(args)?;
    let floor = args.level("lr_min")?;
    let along = format!("along tanh left {} right {}", share(left), share(right));
    let every = cycles.every(1.0);
    let way = |scale: f64, from: f64, to: f64| {
        let level = |x: f64| if scale == 1.0 { share(x) } else { rate(scale * x) };
        format!("restarts from {} to {} {every} {along}", level(from), level(to))
    };
    // b·decay^i·s + min·(1 − s), where s is the way from `start` to `end`.
    let mut main = way(1.0, start, end);
    if cycles.decay != 1.0 && cycles.limit > 1 {
        main = format!("product ({main}, {})", decays(&cycles, args)?);
    }
    if floor > 0.0 {
        main = format!("sum ({main}, {})", way(floor, 1.0 - start, 1.0 - end));
    }
    let main = Part::over("sequence", cycles.length, format!("({main})"));
    let warmup = args.count("warmup_t")?;
    if warmup > 0 && !args.flag("warmup_prefix")? {
        return Err(
            args.cannot("warmup_prefix", "write it as True: without it the end of the warm-up depends on lr")
        );
    }
    let draft = after_warmup(args, "1", main)?;
    Ok(Draft { parts: [draft.parts, vec![Part::hold(rate(floor))]].concat(), ..draft })
}

/// The factor decay^i of cycle i.
fn decays(cycles: &Cycles, args: &Args<'_>) -> Result<String, Fault> {
    let by = share(cycles.decay);
    if cycles.grow == 1.0 {
        return Ok(format!("step every {} by {by}", share(cycles.first)));
    }
    if cycles.limit > 1000 {
        return Err(args.wrong("cycle_limit", "at most 1000"));
    }
    let mut borders = Vec::new();
    let (mut border, mut length) = (0.0, cycles.first);
    for _ in 1..cycles.limit {
        border += length;
        length *= cycles.grow;
        borders.push(share(border));
    }
    Ok(format!("step at {} by {by}", borders.join(" ")))
}

/// b·rate^⌊t/decay_t⌋
fn step(args: &Args<'_>) -> Result<Draft, Fault> {
    let (every, by) = (args.positive("decay_t")?, args.level("decay_rate")?);
    after_warmup(args, "1", Part::new("step", format!("every {} by {}", share(every), share(by))))
}

/// b·rate^(number of milestones ≤ t + 1): timm is one step early.
fn multi_step(args: &Args<'_>) -> Result<Draft, Fault> {
    let mut times = args.counts("decay_t")?;
    if times.windows(2).any(|pair| pair[0] > pair[1]) {
        return Err(args.wrong("decay_t", "rising: timm needs it sorted"));
    }
    for time in &mut times {
        *time = time.saturating_sub(1);
    }
    let main = steps_at(&times, &share(args.level("decay_rate")?)).parts.remove(0);
    Ok(after_warmup(args, "1", main)?.note("timm steps at update m − 1 for a milestone m"))
}

/// The stable part s(t) over all updates, times the decay d(t) over the last ones, never below min.
fn wsd(args: &Args<'_>) -> Result<Draft, Fault> {
    no_noise(args)?;
    let (total, decay) = (args.at_least_one("t_initial")?, args.at_least_one("decay_t")?);
    let stable = total.checked_sub(decay).ok_or_else(|| args.wrong("decay_t", "at most `t_initial`"))?;
    let warmup = args.count("warmup_t")?;
    let floor = rate(args.level("lr_min")?);
    let up = Part::line(warmup, rate(args.level("warmup_lr_init")?), 1);
    let (word, settings) = match args.choice("decay_fn", &["linear", "1-sqrt", "cosine", "power", "exp"])? {
        "power" => ("linear", format!(" bend {}", share(args.positive("decay_power")?))),
        "exp" => ("exponential", format!(" base {}", share(args.positive("decay_ratio")?))),
        word => (word, String::new()),
    };
    let down = |from: &str, to: &str| Part::over(word, decay, format!("to {to}{settings}")).from(from);
    let power = match args.choice("stable_fn", &["constant", "rsqrt", "power"])? {
        "constant" => {
            return Ok(Draft::of(vec![up, Part::over("constant", stable, "").from(1), down("1", &floor)]));
        }
        "rsqrt" => 0.5,
        _ => args.positive("stable_power")?,
    };
    let timescale = match args.has("stable_timescale") {
        true => args.positive("stable_timescale")?,
        false if warmup > 0 => warmup as f64,
        false => return Err(args.fault("it needs `stable_timescale`, because there is no warm-up")),
    };
    // min + (max(s, min) − min)·d = max(s, min)·d + min·(1 − d)
    let law = format!("power-law from 1 power {} timescale {}", share(power), share(timescale));
    let law = if floor == "0" { law } else { format!("max ({law}, constant from {floor})") };
    let hold = |level: &str| Part::over("constant", stable, "").from(level);
    let main = format!("product ({law}, ({}))", join(&[hold("1"), down("1", "0")]));
    let main = match floor == "0" {
        true => main,
        false => format!("sum ({main}, ({}))", join(&[hold("0"), down("0", &floor)])),
    };
    let draft = Draft::of(vec![up, Part::over("sequence", total, format!("({main})")), Part::hold(floor)]);
    Ok(draft.steps(warmup + total))
}

/// A warm-up whose metrics are not counted, then torch's plateau with its own defaults.
fn plateau(args: &Args<'_>) -> Result<Draft, Fault> {
    no_noise(args)?;
    let rule = Rule {
        by: factor(args, "decay_rate")?,
        patience: args.count("patience_t")?,
        cooldown: args.count("cooldown_t")?,
        better: Better { goal: goal(args)?, threshold: args.level("threshold")?, margin: 0.0 },
        to: level(args, "lr_min")?,
        least: Level::Absolute(1e-8),
        ..Rule::plateau()
    };
    let up = Part::line(args.count("warmup_t")?, rate(args.level("warmup_lr_init")?), 1);
    let draft = Draft::of(vec![up]).then(rule);
    Ok(match rule.better.goal {
        Goal::Min => draft,
        Goal::Max => draft.note("larger metrics are better, which is timm's default"),
    })
}
