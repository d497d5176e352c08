//! Hugging Face transformers: `get_scheduler` and the functions behind its names.
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::args::{Args, Class};
use super::call::{Call, Placed, Value};
use super::calls;
use super::draft::{Draft, Part, rate, share};
use super::plateau::{level, like_torch};
use super::torch::poly;
use crate::feedback::{Average, Rise, Rule};
use crate::notation::node::Fault;

calls! {
    "transformers", also [
        Class {
            names: &["get_scheduler"],
            signature: "name, optimizer=None, num_warmup_steps=None, num_training_steps=None, \
                        scheduler_specific_kwargs=None",
            convert: by_name,
        },
    ];
    /// `constant`: constant.
    Constant = "constant" | "get_constant_schedule", constant, "optimizer, last_epoch=-1, " {}
    /// `constant_with_warmup`: constant_with_warmup.
    ConstantWithWarmup = "constant_with_warmup" | "get_constant_schedule_with_warmup", constant_with_warmup, "optimizer, " {
        num_warmup_steps: u64 ["last_epoch=-1, "],
    }
    /// `linear`: linear.
    Linear = "linear" | "get_linear_schedule_with_warmup", linear, "optimizer, " {
        num_warmup_steps: u64,
        num_training_steps: u64 ["last_epoch=-1, "],
    }
    /// `cosine`: cosine.
    Cosine = "cosine" | "get_cosine_schedule_with_warmup", cosine, "optimizer, " {
        num_warmup_steps: u64,
        num_training_steps: u64,
        num_cycles: f64 = "0.5" ["last_epoch=-1, "],
    }
    /// `cosine_with_restarts`: cosine_with_restarts.
    CosineWithRestarts = "cosine_with_restarts" | "get_cosine_with_hard_restarts_schedule_with_warmup", restarts, "optimizer, " {
        num_warmup_steps: u64,
        num_training_steps: u64,
        num_cycles: u64 = "1" ["last_epoch=-1, "],
    }
    /// `polynomial`: polynomial.
    Polynomial = "polynomial" | "get_polynomial_decay_schedule_with_warmup", polynomial, "optimizer, " {
        num_warmup_steps: u64,
        num_training_steps: u64,
        lr_end: f64 = "1e-7",
        power: f64 = "1.0" ["last_epoch=-1, "],
    }
    /// `inverse_sqrt`: √(τ/(τ + k)) after the warm-up.
    InverseSqrt = "inverse_sqrt" | "get_inverse_sqrt_schedule", inverse_sqrt, "optimizer, " {
        num_warmup_steps: u64,
        timescale: f64 = "None" ["last_epoch=-1, "],
    }
    /// `cosine_with_min_lr`: cosine_with_min_lr.
    CosineWithMinLr = "cosine_with_min_lr" | "get_cosine_with_min_lr_schedule_with_warmup", cosine_with_floor, "optimizer, " {
        num_warmup_steps: u64,
        num_training_steps: u64,
        num_cycles: f64 = "0.5" ["last_epoch=-1, "],
        min_lr: f64 = "None",
        min_lr_rate: f64 = "None",
    }
    /// `cosine_warmup_with_min_lr`: (t + 1)/W, then the cosine from its second value on: its progress at update t is
    /// (t − W + 1)/(T − W).
    CosineWarmupWithMinLr = "cosine_warmup_with_min_lr" | "get_cosine_with_min_lr_schedule_with_warmup_lr_rate", cosine_from_one, "optimizer, " {
        num_warmup_steps: u64,
        num_training_steps: u64,
        num_cycles: f64 = "0.5" ["last_epoch=-1, "],
        min_lr: f64 = "None",
        min_lr_rate: f64 = "None",
        warmup_lr_rate: f64 = "None",
    }
    /// `warmup_stable_decay`: warmup_stable_decay.
    WarmupStableDecay = "warmup_stable_decay" | "get_wsd_schedule", wsd, "optimizer, " {
        num_warmup_steps: u64,
        num_decay_steps: u64,
        num_training_steps: u64 = "None",
        num_stable_steps: u64 = "None",
        warmup_type: &'static str = "'linear'",
        decay_type: &'static str = "'cosine'",
        min_lr_ratio: f64 = "0",
        num_cycles: f64 = "0.5" ["last_epoch=-1, "],
    }
    /// `reduce_lr_on_plateau`: reduce_lr_on_plateau.
    ReduceLROnPlateau = "reduce_lr_on_plateau" | "get_reduce_on_plateau_schedule", super::torch::plateau, "optimizer, " {
        mode: &'static str = "'min'",
        factor: f64 = "0.1",
        patience: u64 = "10",
        threshold: f64 = "1e-4",
        threshold_mode: &'static str = "'rel'",
        cooldown: u64 = "0",
        min_lr: f64 = "0",
        eps: f64 = "1e-8",
    }
    /// `greedy`: Down as torch's plateau; up, divided by the factor, at the good epoch number `patience` + 1.
    GreedyLR = "greedy" | "get_greedy_schedule" | "GreedyLR", greedy, "optimizer, " {
        mode: &'static str = "'min'",
        factor: f64 = "0.95",
        patience: u64 = "10",
        threshold: f64 = "1e-6",
        threshold_mode: &'static str = "'abs'",
        cooldown: u64 = "0",
        warmup: u64 = "0",
        min_lr: f64 = "1e-3",
        max_lr: f64 = "1.0",
        eps: f64 = "1e-8" ["verbose=False, "],
        smooth: bool = "False",
        window_size: u64 = "50",
        reset_start: u64 = "500",
    }
}

/// `get_scheduler(name, …)` is the schedule of that name with the arguments it knows.
fn by_name(args: &Args<'_>) -> Result<Draft, Fault> {
    let known: Vec<&'static str> = CLASSES
        .iter()
        .filter_map(|class| class.names.first().copied())
        .filter(|name| *name != "get_scheduler")
        .collect();
    let name = args.choice("name", &known)?;
    let given = args.given();
    let mut arguments: Vec<(Option<String>, Placed)> = Vec::new();
    for named in ["num_warmup_steps", "num_training_steps"] {
        let takes =
            CLASSES.iter().any(|class| class.names.contains(&name) && class.signature.contains(named));
        if let (true, Some(n)) = (takes, args.maybe(named)?) {
            arguments.push((Some(named.into()), Placed { value: Value::Number(n), at: given.at.clone() }));
        }
    }
    arguments.extend(args.dict("scheduler_specific_kwargs")?.into_iter().flat_map(|dict| dict.arguments));
    super::draft(&Call { name: format!("transformers.{name}"), arguments, at: given.at.clone() }, args.around)
}

/// Warm-up t/W, decay over D = max(1, T − W) updates, run of T updates.
struct Lengths {
    warmup: u64,
    decay: u64,
    total: u64,
    /// Updates after the warm-up that the run has.
    seen: u64,
}

impl Lengths {
    fn read(args: &Args<'_>) -> Result<Self, Fault> {
        let (warmup, total) = (args.count("num_warmup_steps")?, args.at_least_one("num_training_steps")?);
        let run = args.around.steps.unwrap_or(total);
        let decay = total.saturating_sub(warmup).max(1);
        Ok(Self { warmup, decay, total, seen: run.saturating_sub(warmup).max(1) })
    }

    fn after_warmup(&self, decay: Part) -> Draft {
        Draft::of(vec![Part::line(self.warmup, 0, 1), decay]).steps(self.total)
    }

    /// cos²(π·n·k/D), which goes on after T.
    fn waves(&self, cycles: f64, to: &str) -> Part {
        // The update after the decay is at its end level, which the phase leaves behind.
        match cycles == 0.5 && self.seen <= self.decay + 1 {
            true => Part::over("cosine", self.decay, format!("to {to}")),
            false => {
                let seen = self.seen.max(self.decay);
                let waves = cycles * (seen as f64 / self.decay as f64);
                Part::over("cosine", seen, format!("to {to} waves {}", share(waves)))
            }
        }
    }
}

fn constant(_: &Args<'_>) -> Result<Draft, Fault> {
    Ok(Part::new("constant", "").into())
}

fn constant_with_warmup(args: &Args<'_>) -> Result<Draft, Fault> {
    Ok(Draft::of(vec![Part::line(args.count("num_warmup_steps")?, 0, 1), Part::hold(1)]))
}

fn linear(args: &Args<'_>) -> Result<Draft, Fault> {
    let lengths = Lengths::read(args)?;
    Ok(lengths.after_warmup(poly(lengths.decay, 1.0, "0")))
}

fn cosine(args: &Args<'_>) -> Result<Draft, Fault> {
    let lengths = Lengths::read(args)?;
    Ok(lengths.after_warmup(lengths.waves(args.positive("num_cycles")?, "0")))
}

fn restarts(args: &Args<'_>) -> Result<Draft, Fault> {
    let lengths = Lengths::read(args)?;
    let cycles = args.at_least_one("num_cycles")?;
    Ok(lengths.after_warmup(match cycles {
        1 => Part::over("cosine", lengths.decay, "to 0"),
        _ => Part::over("restarts", lengths.decay, format!("cycles {cycles}")),
    }))
}

fn polynomial(args: &Args<'_>) -> Result<Draft, Fault> {
    let lengths = Lengths::read(args)?;
    let end = rate(args.level("lr_end")?);
    Ok(lengths.after_warmup(poly(lengths.decay, args.positive("power")?, &end)))
}

/// √(τ/(τ + k)) after the warm-up
fn inverse_sqrt(args: &Args<'_>) -> Result<Draft, Fault> {
    let warmup = args.count("num_warmup_steps")?;
    let timescale = match (args.has("timescale"), warmup) {
        (true, _) => format!("timescale {}", share(args.positive("timescale")?)),
        (false, 0) => "timescale 10000".into(),
        // Lehr takes the updates before the phase, as transformers does.
        (false, _) => String::new(),
    };
    Ok(Draft::of(vec![Part::line(warmup, 0, 1), Part::new("inverse-sqrt", timescale)]))
}

/// `min_lr` or `min_lr_rate` as a level.
fn floor(args: &Args<'_>) -> Result<String, Fault> {
    match (args.has("min_lr"), args.has("min_lr_rate")) {
        (true, false) => Ok(rate(args.level("min_lr")?)),
        (false, true) => Ok(share(args.level("min_lr_rate")?)),
        _ => Err(args.fault("it needs either `min_lr` or `min_lr_rate`")),
    }
}

fn cosine_with_floor(args: &Args<'_>) -> Result<Draft, Fault> {
    let lengths = Lengths::read(args)?;
    Ok(lengths.after_warmup(lengths.waves(args.positive("num_cycles")?, &floor(args)?)))
}

/// (t + 1)/W, then the cosine from its second value on: its progress at update t is (t − W + 1)/(T − W).
fn cosine_from_one(args: &Args<'_>) -> Result<Draft, Fault> {
    let lengths = Lengths::read(args)?;
    let lengths = Lengths { seen: lengths.seen + 1, ..lengths };
    let decay = lengths.waves(args.positive("num_cycles")?, &floor(args)?).from(1);
    let first = match (args.maybe("warmup_lr_rate")?, lengths.warmup) {
        (Some(_), _) => args.level("warmup_lr_rate")?,
        (None, warmup) => 1.0 / warmup.max(1) as f64,
    };
    let parts = match lengths.warmup {
        // No update of the warm-up is at the peak, so the cosine's first value is never seen.
        0 => vec![decay.after(1)],
        1 if first != 1.0 => vec![Part::over("constant", 1, "").from(share(first)), decay.after(1)],
        // Its last update is at the peak and stands for the cosine's first value.
        warmup => vec![Part::line(warmup - 1, share(first), 1), decay],
    };
    Ok(Draft::of(parts).steps(lengths.total))
}

fn wsd(args: &Args<'_>) -> Result<Draft, Fault> {
    let (warmup, decay) = (args.count("num_warmup_steps")?, args.count("num_decay_steps")?);
    let stable = match (args.maybe_count("num_stable_steps")?, args.maybe_count("num_training_steps")?) {
        (Some(stable), _) => stable,
        (None, Some(total)) => total
            .checked_sub(warmup + decay)
            .ok_or_else(|| args.wrong("num_training_steps", "at least the warm-up and the decay together"))?,
        (None, None) => return Err(args.fault("it needs `num_training_steps` or `num_stable_steps`")),
    };
    const KINDS: [&str; 3] = ["linear", "cosine", "1-sqrt"];
    let floor = share(args.level("min_lr_ratio")?);
    let up = match args.choice("warmup_type", &KINDS)? {
        // 1 − √(1 − u) rises along the square root.
        "1-sqrt" => Part::over("poly", warmup, "to 1 power 0.5"),
        word => Part::over(word, warmup, "to 1"),
    };
    let (word, cycles) = (args.choice("decay_type", &KINDS)?, args.positive("num_cycles")?);
    let down = match word == "cosine" && cycles != 0.5 {
        true => format!("to {floor} waves {}", share(cycles)),
        false => format!("to {floor}"),
    };
    let parts = vec![
        up.from(&floor),
        Part::over("constant", stable, "").from(1),
        Part::over(word, decay, down).from(1),
        Part::hold(&floor),
    ];
    Ok(Draft::of(parts).steps(warmup + stable + decay))
}

/// Down as torch's plateau; up, divided by the factor, at the good epoch number `patience` + 1.
fn greedy(args: &Args<'_>) -> Result<Draft, Fault> {
    let reset = args.count("reset_start")?.max(1);
    let rise = Rise { wait: args.count("warmup")?, top: level(args, "max_lr")?, reset: Some(reset) };
    let average = match args.flag("smooth")? {
        true => Average::Window(args.at_least_one("window_size")?),
        false => Average::Off,
    };
    let rule = Rule { average, rise: Some(rise), ..like_torch(args, Rule::greedy())? };
    Ok(Draft::of(Vec::new()).then(rule))
}
