//! PyTorch: `torch.optim.lr_scheduler` and `torch.optim.swa_utils.SWALR`.
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::Nested;
use super::args::{Args, Class};
use super::calls;
use super::draft::{Draft, Part, join, rate, share};
use super::plateau::like_torch;
use crate::feedback::Rule;
use crate::notation::node::Fault;

calls! {
    "torch", also [
        Class { names: &["LambdaLR"], signature: "optimizer, lr_lambda, last_epoch=-1", convert: lambda },
    ];
    /// `MultiplicativeLR`: b·c^t.
    MultiplicativeLR = "MultiplicativeLR", multiplicative, "optimizer, " {
        lr_lambda: f64 ["last_epoch=-1, "],
    }
    /// `StepLR`: b·gamma^⌊t/s⌋.
    StepLR = "StepLR", step, "optimizer, " {
        step_size: u64,
        gamma: f64 = "0.1" ["last_epoch=-1, "],
    }
    /// `MultiStepLR`: b·gamma^(number of milestones ≤ t); a milestone given twice counts twice.
    MultiStepLR = "MultiStepLR", multi_step, "optimizer, " {
        milestones: Vec<u64>,
        gamma: f64 = "0.1" ["last_epoch=-1, "],
    }
    /// `ExponentialLR`: b·gamma^t.
    ExponentialLR = "ExponentialLR", exponential, "optimizer, " {
        gamma: f64 ["last_epoch=-1, "],
    }
    /// `ConstantLR`: b·factor for t < n, then b.
    ConstantLR = "ConstantLR", constant, "optimizer, " {
        factor: f64 = "1/3",
        total_iters: u64 = "5" ["last_epoch=-1, "],
    }
    /// `LinearLR`: b·(s + (e − s)·min(t, n)/n).
    LinearLR = "LinearLR", linear, "optimizer, " {
        start_factor: f64 = "1/3",
        end_factor: f64 = "1.0",
        total_iters: u64 = "5" ["last_epoch=-1, "],
    }
    /// `PolynomialLR`: b·(1 − min(t, n)/n)^p.
    PolynomialLR = "PolynomialLR", polynomial, "optimizer, " {
        total_iters: u64 = "5",
        power: f64 = "1.0" ["last_epoch=-1, "],
    }
    /// `CosineAnnealingLR`: eta + (b − eta)·(1 + cos(πt/T))/2, which rises again after T.
    CosineAnnealingLR = "CosineAnnealingLR", cosine_annealing, "optimizer, " {
        T_max: u64,
        eta_min: f64 = "0.0" ["last_epoch=-1, "],
    }
    /// `CosineAnnealingWarmRestarts`: eta + (b − eta)·(1 + cos(π·k/T_i))/2 at the k-th update of cycle i, T_i =
    /// T_0·T_mult^i.
    CosineAnnealingWarmRestarts = "CosineAnnealingWarmRestarts", warm_restarts, "optimizer, " {
        T_0: u64,
        T_mult: u64 = "1",
        eta_min: f64 = "0.0" ["last_epoch=-1, "],
    }
    /// `CyclicLR`: base + (max − base)·triangle·scale, where the scale is 1, ½^cycle or gamma^t.
    CyclicLR = "CyclicLR", cyclic, "optimizer, " {
        base_lr: f64,
        max_lr: f64,
        step_size_up: u64 = "2000",
        step_size_down: u64 = "None",
        mode: &'static str = "'triangular'",
        gamma: f64 = "1.0" ["scale_fn=None, scale_mode='cycle', "],
        cycle_momentum: bool = "True",
        base_momentum: f64 = "0.8",
        max_momentum: f64 = "0.9" ["last_epoch=-1, "],
    }
    /// `OneCycleLR`: Up to max_lr at update pct·N − 1 and down to the last update, N − 1; with a third phase, first
    /// back to the start.
    OneCycleLR = "OneCycleLR", one_cycle, "optimizer, " {
        max_lr: f64,
        total_steps: u64 = "None",
        epochs: u64 = "None",
        steps_per_epoch: u64 = "None",
        pct_start: f64 = "0.3",
        anneal_strategy: &'static str = "'cos'",
        cycle_momentum: bool = "True",
        base_momentum: f64 = "0.85",
        max_momentum: f64 = "0.95",
        div_factor: f64 = "25.0",
        final_div_factor: f64 = "10000.0",
        three_phase: bool = "False" ["last_epoch=-1, "],
    }
    /// `ReduceLROnPlateau`: The rate times `factor` at the bad epoch number `patience` + 1.
    ReduceLROnPlateau = "ReduceLROnPlateau", plateau, "optimizer, " {
        mode: &'static str = "'min'",
        factor: f64 = "0.1",
        patience: u64 = "10",
        threshold: f64 = "1e-4",
        threshold_mode: &'static str = "'rel'",
        cooldown: u64 = "0",
        min_lr: f64 = "0",
        eps: f64 = "1e-8",
    }
    /// `SequentialLR`: Each schedule from its own start, until its milestone.
    SequentialLR = "SequentialLR", sequential, "optimizer, " {
        schedulers: Vec<Nested>,
        milestones: Vec<u64> ["last_epoch=-1, "],
    }
    /// `ChainedScheduler`: the product of all schedules.
    ChainedScheduler = "ChainedScheduler", chained, "" {
        schedulers: Vec<Nested> ["optimizer=None, "],
    }
    /// `SWALR`: From b to swa_lr, which then holds.
    SWALR = "SWALR", swa, "optimizer, " {
        swa_lr: f64,
        anneal_epochs: u64 = "10",
        anneal_strategy: &'static str = "'cos'" ["last_epoch=-1, "],
    }
}

fn lambda(args: &Args<'_>) -> Result<Draft, Fault> {
    Err(args
        .fault("`LambdaLR` takes any function of the step, which cannot be read")
        .expected("write the function as phases, or give its values as a `table`"))
}

/// b·c^t
fn multiplicative(args: &Args<'_>) -> Result<Draft, Fault> {
    Ok(decay(args.constant_lambda("lr_lambda")?))
}

/// b·gamma^t
fn exponential(args: &Args<'_>) -> Result<Draft, Fault> {
    Ok(decay(args.level("gamma")?))
}

fn decay(by: f64) -> Draft {
    Part::new("exponential", format!("every 1 by {}", share(by))).into()
}

/// b·gamma^⌊t/s⌋
fn step(args: &Args<'_>) -> Result<Draft, Fault> {
    let (every, by) = (args.at_least_one("step_size")?, args.level("gamma")?);
    Ok(Part::new("step", format!("every {every} by {}", share(by))).into())
}

/// b·gamma^(number of milestones ≤ t); a milestone given twice counts twice.
fn multi_step(args: &Args<'_>) -> Result<Draft, Fault> {
    let mut milestones = args.counts("milestones")?;
    milestones.sort_unstable();
    let by = args.level("gamma")?;
    Ok(steps_at(&milestones, &share(by)))
}

/// Jumps at these updates, by one factor.
pub(super) fn steps_at(times: &[u64], by: &str) -> Draft {
    match times.is_empty() {
        true => Part::new("constant", "").into(),
        false => Part::new("step", format!("at {} by {by}", listed(times))).into(),
    }
}

/// Values with spaces between them.
pub(super) fn listed<T: alloc::string::ToString>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(" ")
}

/// b·factor for t < n, then b
fn constant(args: &Args<'_>) -> Result<Draft, Fault> {
    let n = args.at_least_one("total_iters")?;
    let factor = up_to_one(args, "factor")?;
    Ok(Draft::of(vec![Part::over("constant", n, "").from(share(factor)), Part::hold(1)]))
}

/// b·(s + (e − s)·min(t, n)/n)
fn linear(args: &Args<'_>) -> Result<Draft, Fault> {
    let n = args.at_least_one("total_iters")?;
    let (start, end) = (up_to_one(args, "start_factor")?, up_to_one(args, "end_factor")?);
    Ok(Part::line(n, share(start), share(end)).into())
}

fn up_to_one(args: &Args<'_>, name: &str) -> Result<f64, Fault> {
    match args.number(name)? {
        x if (0.0..=1.0).contains(&x) && (x > 0.0 || name == "end_factor") => Ok(x),
        _ => Err(args.wrong(name, "above 0 and at most 1, as torch requires")),
    }
}

/// b·(1 − min(t, n)/n)^p
fn polynomial(args: &Args<'_>) -> Result<Draft, Fault> {
    let (n, power) = (args.at_least_one("total_iters")?, args.positive("power")?);
    Ok(poly(n, power, "0").into())
}

/// A polynomial way down to a level.
pub(super) fn poly(steps: u64, power: f64, to: &str) -> Part {
    match power == 1.0 {
        true => Part::over("linear", steps, format!("to {to}")),
        false => Part::over("poly", steps, format!("to {to} power {}", share(power))),
    }
}

/// eta + (b − eta)·(1 + cos(πt/T))/2, which rises again after T
fn cosine_annealing(args: &Args<'_>) -> Result<Draft, Fault> {
    let (half, floor) = (args.at_least_one("T_max")?, rate(args.level("eta_min")?));
    Ok(match args.around.steps {
        Some(run) if run > half => {
            let waves = run as f64 / (2 * half) as f64;
            Draft::from(Part::over("cosine", run, format!("to {floor} waves {}", share(waves))))
                .note(format!("the rate rises again after update {half}, as it does in torch"))
        }
        _ => Part::over("cosine", half, format!("to {floor}")).into(),
    })
}

/// eta + (b − eta)·(1 + cos(π·k/T_i))/2 at the k-th update of cycle i, T_i = T_0·T_mult^i
fn warm_restarts(args: &Args<'_>) -> Result<Draft, Fault> {
    let (first, floor) = (args.at_least_one("T_0")?, rate(args.level("eta_min")?));
    let grow = match args.at_least_one("T_mult")? {
        1 => String::new(),
        grow => format!(" grow {grow}"),
    };
    Ok(Part::new("restarts", format!("to {floor} every {first}{grow}")).into())
}

/// base + (max − base)·triangle·scale, where the scale is 1, ½^cycle or gamma^t
fn cyclic(args: &Args<'_>) -> Result<Draft, Fault> {
    if args.has("scale_fn") {
        return Err(args.cannot("scale_fn", "it can be any function"));
    }
    let (base, max) = (args.level("base_lr")?, args.positive("max_lr")?);
    if base >= max {
        return Err(args.wrong("max_lr", "above `base_lr`"));
    }
    let up = args.at_least_one("step_size_up")?;
    let every = up + args.maybe_count("step_size_down")?.unwrap_or(up);
    let turn = if every == 2 * up { String::new() } else { format!(" up {up}") };
    let height = rate(max - base);
    let part = match args.choice("mode", &["triangular", "triangular2", "exp_range"])? {
        "triangular" => Part::new("cyclic", format!("to 1 every {every}{turn}")).from(rate(base)),
        mode => {
            let above = match mode {
                "triangular2" => format!("cyclic from 0 to {height} every {every}{turn} peak 0.5"),
                _ => {
                    let gamma = share(args.level("gamma")?);
                    format!(
                        "product (cyclic from 0 to {height} every {every}{turn}, exponential from 1 every 1 by {gamma})"
                    )
                }
            };
            Part::new("sum", format!("({above}, constant from {})", rate(base)))
        }
    };
    let draft = Draft::from(part).peak(max);
    if !args.flag("cycle_momentum")? {
        return Ok(draft);
    }
    // It goes against the rate: max_momentum where that is base_lr, base_momentum where it is max_lr.
    let (low, high) = (args.level("base_momentum")?, args.level("max_momentum")?);
    let at_rate_0 = high + (high - low) * base / (max - base);
    Ok(draft.with(format!("momentum from {} to {}", share(at_rate_0), share(low))))
}

/// Up to max_lr at update pct·N − 1 and down to the last update, N − 1; with a third phase, first back to the start
fn one_cycle(args: &Args<'_>) -> Result<Draft, Fault> {
    let max = args.positive("max_lr")?;
    let total = match args.has("total_steps") {
        true => args.at_least_one("total_steps")?,
        false if args.has("epochs") && args.has("steps_per_epoch") => {
            args.at_least_one("epochs")?.saturating_mul(args.at_least_one("steps_per_epoch")?)
        }
        false => return Err(args.fault("it needs `total_steps`, or `epochs` and `steps_per_epoch`")),
    };
    let up = args.level("pct_start")? * total as f64 - 1.0;
    let last = total - 1;
    let three = args.flag("three_phase")?;
    let top = if three { 2.0 * up } else { up };
    if up <= 0.0 || top >= last as f64 {
        return Err(args.wrong("pct_start", "so that every phase has an update"));
    }
    let start = 1.0 / args.positive("div_factor")?;
    let end = start / args.positive("final_div_factor")?;
    let word = match args.choice("anneal_strategy", &["cos", "linear"])? {
        "cos" => "cosine",
        _ => "linear",
    };
    let along = if word == "cosine" { "" } else { " along linear" };
    let down = if three { format!(" down {}", share(up)) } else { String::new() };
    let cycle = |from: f64, to: f64| {
        let settings = format!("to {} up {}{down}{along}", share(to), share(up));
        Part::over("one-cycle", last, settings).from(share(from))
    };
    let draft = Draft::from(cycle(start, end)).peak(max).steps(total);
    if !args.flag("cycle_momentum")? {
        return Ok(draft);
    }
    let (low, high) = (args.positive("base_momentum")?, args.level("max_momentum")?);
    let against = cycle(high / low, high / low);
    Ok(draft.with(format!("momentum (scale by {} ({against}))", share(low))))
}

/// The rate times `factor` at the bad epoch number `patience` + 1.
pub(super) fn plateau(args: &Args<'_>) -> Result<Draft, Fault> {
    Ok(Draft::of(Vec::new()).then(like_torch(args, Rule::plateau())?))
}

/// Each schedule from its own start, until its milestone.
fn sequential(args: &Args<'_>) -> Result<Draft, Fault> {
    let (calls, milestones) = (args.calls("schedulers")?, args.counts("milestones")?);
    if calls.is_empty() || milestones.len() + 1 != calls.len() {
        return Err(args.wrong("milestones", "one fewer than the schedulers"));
    }
    if milestones.first() == Some(&0) || milestones.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(args.wrong("milestones", "rising, from above 0"));
    }
    let mut draft = Draft::of(Vec::new());
    let mut start = 0;
    for (i, call) in calls.iter().enumerate() {
        let class = call.name.rsplit('.').next().unwrap_or_default();
        if matches!(class, "OneCycleLR" | "CyclicLR" | "ChainedScheduler") {
            let why = "its result in torch depends on the order in which objects were made; write the phases in Lehr";
            return Err(Fault::new(format!("`{class}` inside `SequentialLR`: {why}"), call.at.clone()));
        }
        if class == "SequentialLR" {
            draft = draft.note("torch shifts sequences inside sequences; this is what was meant");
        }
        let end = milestones.get(i).copied();
        let run = end.or(args.around.steps).map(|end| end.saturating_sub(start));
        let inner = (args.inner)(call, args.around.with_steps(run))?;
        draft.notes.extend(inner.notes.clone());
        let run = run.or(inner.length());
        match run {
            Some(run) => draft.parts.extend(inner.cut(run)),
            None => draft.parts.extend(inner.parts.into_iter().map(Part::at_the_peak)),
        }
        start = end.unwrap_or(start);
    }
    Ok(draft)
}

/// The product of all schedules.
fn chained(args: &Args<'_>) -> Result<Draft, Fault> {
    const FACTORS: [&str; 8] = [
        "MultiplicativeLR",
        "StepLR",
        "MultiStepLR",
        "ExponentialLR",
        "ConstantLR",
        "LinearLR",
        "PolynomialLR",
        "CosineAnnealingLR",
    ];
    let (mut factors, mut length) = (Vec::new(), Some(0));
    for call in args.calls("schedulers")? {
        let class = call.name.rsplit('.').next().unwrap_or_default();
        if !FACTORS.contains(&class) {
            let why = "it sets the rate instead of multiplying it, which undoes the schedules before it";
            return Err(Fault::new(format!("`{class}` inside `ChainedScheduler`: {why}"), call.at.clone()));
        }
        let inner = (args.inner)(call, args.around)?;
        length = length.zip(inner.length()).map(|(a, b)| a.max(b));
        let run = args.around.steps.or(inner.length());
        let parts = match run {
            Some(run) => inner.cut(run),
            None => inner.parts,
        };
        let text = join(&parts);
        if class == "CosineAnnealingLR" && (text.contains("lr ") || text.contains("waves")) {
            let why = "chained, it is a factor only with eta_min = 0 and up to T_max";
            return Err(Fault::new(why, call.at.clone()));
        }
        factors.push(if parts.len() == 1 { text } else { format!("({text})") });
    }
    let draft = Draft::from(Part::new("product", format!("({})", factors.join(", "))));
    Ok(match length {
        Some(length) => draft.steps(length),
        None => draft,
    })
}

/// From b to swa_lr, which then holds
fn swa(args: &Args<'_>) -> Result<Draft, Fault> {
    let to = rate(args.level("swa_lr")?);
    let word = match args.choice("anneal_strategy", &["cos", "linear"])? {
        "cos" => "cosine",
        _ => "linear",
    };
    Ok(match args.count("anneal_epochs")? {
        0 => Part::hold(to).into(),
        n => Part::over(word, n, format!("to {to}")).into(),
    })
}
