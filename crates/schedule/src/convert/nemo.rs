//! NVIDIA NeMo: `nemo.core.optim.lr_scheduler`, by formula.
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::args::{Args, Class};
use super::draft::{Draft, Part, rate, share};
use super::torch::poly;
use crate::notation::node::Fault;

macro_rules! policy {
    ($own:literal, $floor:literal) => {
        concat!(
            "optimizer, max_steps, ",
            $own,
            "min_lr=",
            $floor,
            ", warmup_steps=None, warmup_ratio=None, last_epoch=-1"
        )
    };
}

macro_rules! hold_policy {
    ($own:literal) => {
        concat!(
            "optimizer, max_steps, ",
            $own,
            "min_lr=0.0, warmup_steps=None, warmup_ratio=None, hold_steps=None, hold_ratio=None, last_epoch=-1"
        )
    };
}

pub(super) const CLASSES: &[Class] = &[
    Class { names: &["WarmupPolicy"], signature: policy!("", "0.0"), convert: constant },
    Class { names: &["WarmupAnnealing"], signature: policy!("", "0.0"), convert: linear },
    Class { names: &["SquareAnnealing"], signature: policy!("", "1e-5"), convert: square },
    Class { names: &["SquareRootAnnealing"], signature: policy!("", "0.0"), convert: square_root },
    Class {
        names: &["CosineAnnealing"],
        signature: "optimizer, max_steps, min_lr=0.0, warmup_steps=None, warmup_ratio=None, constant_steps=None, \
                    constant_ratio=None, last_epoch=-1",
        convert: cosine,
    },
    Class {
        names: &["NoamAnnealing"],
        signature: "optimizer, d_model, warmup_steps=None, warmup_ratio=None, max_steps=None, min_lr=0.0, \
                    last_epoch=-1",
        convert: noam,
    },
    Class { names: &["NoamHoldAnnealing"], signature: hold_policy!("decay_rate=0.5, "), convert: noam_hold },
    Class { names: &["InverseSquareRootAnnealing"], signature: policy!("", "0.0"), convert: inverse_sqrt },
    Class {
        names: &["T5InverseSquareRootAnnealing"],
        signature: "optimizer, max_steps, constant_steps=None, constant_ratio=None, min_lr=0.0, last_epoch=-1",
        convert: t5,
    },
    Class {
        names: &["PolynomialDecayAnnealing"],
        signature: policy!("power=1.0, cycle=False, ", "0.0"),
        convert: polynomial,
    },
    Class {
        names: &["PolynomialHoldDecayAnnealing"],
        signature: hold_policy!("power=1.0, cycle=False, "),
        convert: polynomial_hold,
    },
];

/// `NAME_steps`, or `NAME_ratio` of `max_steps`, rounded down.
fn share_of(args: &Args<'_>, name: &str) -> Result<u64, Fault> {
    let (steps, ratio) = (format!("{name}_steps"), format!("{name}_ratio"));
    match (args.has(&steps), args.has(&ratio)) {
        (true, true) => Err(args.fault(format!("it takes either `{steps}` or `{ratio}`"))),
        (true, false) => args.count(&steps),
        (false, true) => Ok((args.level(&ratio)? * args.at_least_one("max_steps")? as f64) as u64),
        (false, false) => Ok(0),
    }
}

struct Lengths {
    warmup: u64,
    /// Updates from the peak to the end.
    decay: u64,
    total: u64,
}

impl Lengths {
    fn read(args: &Args<'_>) -> Result<Self, Fault> {
        let (warmup, total) = (share_of(args, "warmup")?, args.at_least_one("max_steps")?);
        let decay = total.checked_sub(warmup).filter(|decay| *decay > 0);
        let decay = decay.ok_or_else(|| args.wrong("max_steps", "more than the warm-up"))?;
        Ok(Self { warmup, decay, total })
    }

    /// (t + 1)/(W + 1) up to update W, which is at the peak and also the first one of the decay.
    fn warmup(&self) -> Part {
        Part::line(self.warmup, share(1.0 / (self.warmup + 1) as f64), 1)
    }

    fn then(&self, mut parts: Vec<Part>) -> Draft {
        parts.insert(0, self.warmup());
        Draft::of(parts).steps(self.total)
    }
}

fn floor(args: &Args<'_>) -> Result<alloc::string::String, Fault> {
    args.level("min_lr").map(rate)
}

/// A shape that never falls below the floor, which holds after it.
fn above_floor(args: &Args<'_>, shape: Part, steps: u64) -> Result<Vec<Part>, Fault> {
    let floor = floor(args)?;
    let main = match floor == "0" {
        true => shape.lasting(steps),
        false => Part::over("max", steps, format!("({shape}, constant from {floor})")),
    };
    Ok(vec![main, Part::hold(floor)])
}

fn constant(args: &Args<'_>) -> Result<Draft, Fault> {
    let lengths = Lengths::read(args)?;
    Ok(lengths.then(vec![Part::over("constant", lengths.decay + 1, "").from(1), Part::hold(floor(args)?)]))
}

fn linear(args: &Args<'_>) -> Result<Draft, Fault> {
    let lengths = Lengths::read(args)?;
    Ok(lengths.then(vec![poly(lengths.decay, 1.0, &floor(args)?)]))
}

fn square(args: &Args<'_>) -> Result<Draft, Fault> {
    let lengths = Lengths::read(args)?;
    Ok(lengths.then(above_floor(args, Part::new("poly", "to 0 power 2").from(1), lengths.decay)?))
}

/// √((T − t)/T): the warm-up does not shorten it, so it is entered in the middle.
fn square_root(args: &Args<'_>) -> Result<Draft, Fault> {
    let lengths = Lengths::read(args)?;
    let whole = poly(lengths.total, 0.5, "0").from(1);
    if lengths.warmup == 0 {
        return Ok(lengths.then(above_floor(args, whole, lengths.total)?));
    }
    // Update W is the last one of the warm-up, at the peak.
    let peak = Part::over("constant", 1, "").from(1);
    let late = above_floor(args, whole.after(lengths.warmup + 1), lengths.decay - 1)?;
    Ok(lengths.then([vec![peak], late].concat()))
}

fn cosine(args: &Args<'_>) -> Result<Draft, Fault> {
    let lengths = Lengths::read(args)?;
    let floor = floor(args)?;
    let constant = share_of(args, "constant")?;
    if constant == 0 {
        return Ok(lengths.then(vec![Part::over("cosine", lengths.decay, format!("to {floor}"))]));
    }
    // With constant steps NeMo warms up from 0, as Megatron does.
    let decay = lengths.decay.checked_sub(constant).filter(|decay| *decay > 0);
    let decay =
        decay.ok_or_else(|| args.wrong("constant_steps", "fewer than the steps after the warm-up"))?;
    let down = Part::over("cosine", decay, format!("to {floor}")).from(1);
    Ok(Draft::of(vec![Part::line(lengths.warmup, 0, 1), down]).steps(lengths.total))
}

/// b/√d·min(1/√t, t/W^1.5) with t at least 1. The peak is b/√(d·W).
fn noam(args: &Args<'_>) -> Result<Draft, Fault> {
    let (width, warmup) = (args.positive("d_model")?, share_of(args, "warmup")?.max(1));
    let scale = 1.0 / libm::sqrt(width * warmup as f64);
    let floor = floor(args)?;
    let law = format!("inverse-sqrt from {} timescale {warmup}", share(scale));
    let down = match floor == "0" {
        true => Part::new("sequence", format!("({law})")),
        false => Part::new("max", format!("({law}, constant from {floor})")),
    };
    // Update 0 has the rate of update 1.
    let first = Part::over("constant", 1, "").from(share(scale / warmup as f64));
    let up = Part::line(warmup - 1, share(scale / warmup as f64), share(scale));
    let draft =
        Draft::of(vec![first, up, down]).note("relative to lr, of which Noam's peak is 1/√(d_model·warmup)");
    Ok(match args.maybe_count("max_steps")? {
        Some(total) => draft.steps(total),
        None => draft,
    })
}

/// The peak for `hold_steps` updates, then b·(W/(t − hold))^rate
fn noam_hold(args: &Args<'_>) -> Result<Draft, Fault> {
    let (lengths, hold) = (Lengths::read(args)?, share_of(args, "hold")?);
    if lengths.warmup == 0 {
        return Err(args.fault("it needs a warm-up, as NeMo does"));
    }
    let left = lengths.decay.checked_sub(hold);
    let left = left.ok_or_else(|| args.wrong("hold_steps", "at most the steps after the warm-up"))?;
    let power = args.positive("decay_rate")?;
    let law = Part::new("power-law", format!("power {} timescale {}", share(power), lengths.warmup)).from(1);
    let mut parts = vec![Part::over("constant", hold, "").from(1)];
    parts.extend(above_floor(args, law, left + 1)?);
    Ok(lengths.then(parts))
}

/// b·√((W + 1)/(t + 1))
fn inverse_sqrt(args: &Args<'_>) -> Result<Draft, Fault> {
    let lengths = Lengths::read(args)?;
    let law =
        Part::over("inverse-sqrt", lengths.decay + 1, format!("timescale {}", lengths.warmup + 1)).from(1);
    Ok(lengths.then(vec![law, Part::hold(floor(args)?)]))
}

/// 1/√max(t, c), whatever the optimiser's rate
fn t5(args: &Args<'_>) -> Result<Draft, Fault> {
    let (total, constant) = (args.at_least_one("max_steps")?, share_of(args, "constant")?);
    if constant == 0 || constant > total {
        return Err(args.wrong("constant_steps", "at least 1 and at most `max_steps`"));
    }
    let law = Part::over("inverse-sqrt", total - constant + 1, format!("timescale {constant}")).from(1);
    let parts = vec![Part::over("constant", constant, "").from(1), law, Part::hold(floor(args)?)];
    Ok(Draft::of(parts).peak(1.0 / libm::sqrt(constant as f64)).steps(total))
}

fn no_cycle(args: &Args<'_>) -> Result<(), Fault> {
    match args.flag("cycle")? {
        true => Err(args.cannot("cycle", "within `max_steps` it never begins a second cycle: leave it out")),
        false => Ok(()),
    }
}

fn polynomial(args: &Args<'_>) -> Result<Draft, Fault> {
    no_cycle(args)?;
    let lengths = Lengths::read(args)?;
    Ok(lengths.then(vec![poly(lengths.decay, args.positive("power")?, &floor(args)?)]))
}

fn polynomial_hold(args: &Args<'_>) -> Result<Draft, Fault> {
    no_cycle(args)?;
    let (lengths, hold) = (Lengths::read(args)?, share_of(args, "hold")?);
    let left = lengths.decay.checked_sub(hold).filter(|left| *left > 0);
    let left = left.ok_or_else(|| args.wrong("hold_steps", "fewer than the steps after the warm-up"))?;
    let down = poly(left, args.positive("power")?, &floor(args)?).from(1);
    Ok(lengths.then(vec![Part::over("constant", hold, "").from(1), down]))
}
