//! From the schedules of other libraries to Lehr's.
//!
//! [`parse_call`] reads a call as it stands in a program, such as `torch.optim.lr_scheduler.StepLR(optimizer, 30)`, and
//! gives the schedule that has the same values. One file per library; each says which formula it converts.
//!
//! The calls of PyTorch, transformers, timm, optax and Keras are Rust values too, under the libraries' own names:
//!
//! ```
//! use lehr_schedule::convert::{Surroundings, TypedCall, torch};
//!
//! let call = torch::CosineAnnealingLR { T_max: 90, eta_min: Some(1e-5) };
//! assert_eq!(call.to_string(), "torch.CosineAnnealingLR(T_max=90, eta_min=1e-5)");
//! let found = call.convert(&Surroundings { lr: Some(0.1), steps: Some(90) })?;
//! assert_eq!(found.schedule.to_string(), "cosine to lr 1e-5");
//!
//! let warmup = torch::LinearLR { total_iters: Some(10), ..Default::default() };
//! let call = torch::SequentialLR { schedulers: vec![warmup.into(), call.into()], milestones: vec![10] };
//! let found = call.convert(&Surroundings { lr: Some(0.1), steps: Some(100) })?;
//! assert_eq!(found.schedule.to_string(), "linear 10 from 0.3333333333333333 to 1, cosine to lr 1e-5");
//! # Ok::<(), lehr_schedule::ParseError>(())
//! ```
mod args;
mod call;
mod deepspeed;
mod draft;
mod fairseq;
pub mod keras;
mod megatron;
mod nemo;
pub mod optax;
mod plateau;
pub mod timm;
pub mod torch;
pub mod transformers;
mod typed;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::curve::MOST_STEPS;
use crate::error::ParseError;
use crate::notation::nearest::nearest;
use crate::notation::node::Fault;
use crate::spec::Spec;
use args::{Args, Class};
use call::Call;
use draft::Draft;
use typed::calls;
pub use typed::{Nested, TypedCall};

/// What a call itself does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Surroundings {
    /// The optimiser's learning rate, where the library takes it from there.
    pub lr: Option<f64>,
    /// How many updates the run has, if that is not what the call implies.
    pub steps: Option<u64>,
}

impl Surroundings {
    fn with_steps(self, steps: Option<u64>) -> Self {
        Self { steps, ..self }
    }
}

/// A converted schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Converted {
    /// The schedule, relative to its peak rate; a [`Feedback`](crate::Feedback) where the call reacts to a metric.
    pub schedule: Spec,
    /// The peak rate: from the call, or the optimiser's.
    pub peak: Option<f64>,
    /// The horizon that the schedule is written for; `None` where the call goes on for good.
    pub steps: Option<u64>,
    /// What is different from what one might expect.
    pub notes: Vec<String>,
}

/// A library: the names it goes by, and its schedules.
struct Library {
    names: &'static [&'static str],
    classes: &'static [Class],
}

const LIBRARIES: &[Library] = &[
    Library { names: &["torch"], classes: torch::CLASSES },
    Library { names: &["transformers"], classes: transformers::CLASSES },
    Library { names: &["timm"], classes: timm::CLASSES },
    Library { names: &["optax"], classes: optax::CLASSES },
    Library { names: &["keras", "tf", "tensorflow"], classes: keras::CLASSES },
    Library { names: &["megatron"], classes: megatron::CLASSES },
    Library { names: &["nemo"], classes: nemo::CLASSES },
    Library { names: &["fairseq"], classes: fairseq::CLASSES },
    Library { names: &["deepspeed"], classes: deepspeed::CLASSES },
];

/// Reads a call of another library's schedule, and gives the schedule that has its values.
///
/// The library is the first part of the name; what lies between it and the last part may be left out, and a name that
/// only one library has needs no library. Arguments are written as in Python: numbers (with `+ - * / // **`), strings,
/// `None`, `True`, `False`, lists, dictionaries, and calls of other schedules. The optimiser may be left out.
///
/// ```
/// use lehr_schedule::convert::{Surroundings, parse_call};
/// let around = Surroundings { lr: Some(0.1), steps: Some(90) };
/// let found = parse_call("torch.StepLR(step_size=30, gamma=0.1)", &around)?;
/// assert_eq!(found.schedule.to_string(), "step every 30 by 0.1");
/// assert_eq!((found.peak, found.steps), (Some(0.1), Some(90)));
/// # Ok::<(), lehr_schedule::ParseError>(())
/// ```
///
/// # Errors
/// A call that cannot be read, is unknown, lacks an argument, or has no equal in Lehr; the error says where and why.
pub fn parse_call(text: &str, around: &Surroundings) -> Result<Converted, ParseError> {
    convert(text, around).map_err(|fault| *fault.into_parse_error(text))
}

fn convert(text: &str, around: &Surroundings) -> Result<Converted, Fault> {
    let whole = 0..text.len();
    match around.steps {
        Some(0) => return Err(Fault::new("a run needs at least one step", whole)),
        Some(steps) if steps > MOST_STEPS => {
            return Err(Fault::new(format!("a run may have at most 2^53 steps, not {steps}"), whole));
        }
        _ => {}
    }
    let call = call::parse(text)?;
    let draft = draft(&call, *around)?;
    if draft.peak == Some(0.0) {
        return Err(Fault::new("the rate would be 0 throughout", call.at));
    }
    let notes = draft.notes.clone();
    let steps = around.steps.or(draft.steps).or(draft.length());
    let peak = draft.peak.or(around.lr);
    let spec = draft.text(around.steps);
    let schedule = spec.parse::<Spec>().map_err(|error| {
        Fault::new(format!("it would be `{spec}`, which Lehr refuses: {}", error.problem), whole)
    })?;
    Ok(Converted { schedule, peak, steps, notes })
}

/// The schedules of these calls, which are part of another one.
fn inner(call: &Call, around: Surroundings) -> Result<Draft, Fault> {
    let draft = draft(call, around)?;
    match draft.rule {
        None => Ok(draft),
        Some(_) => {
            let class = call.name.rsplit('.').next().unwrap_or_default();
            let problem = format!("`{class}` inside another schedule: it reacts to a metric");
            Err(Fault::new(problem, call.at.clone())
                .expected("it on its own, or a schedule without feedback"))
        }
    }
}

fn draft(call: &Call, around: Surroundings) -> Result<Draft, Fault> {
    let class = find(call)?;
    (class.convert)(&Args::new(call, class, around, inner)?)
}

/// The schedule that a name means.
fn find(call: &Call) -> Result<&'static Class, Fault> {
    let (first, last) = match (call.name.split_once('.'), call.name.rsplit_once('.')) {
        (Some((first, _)), Some((_, last))) => (Some(first), last),
        _ => (None, call.name.as_str()),
    };
    let library = first.and_then(|first| LIBRARIES.iter().find(|library| library.names.contains(&first)));
    let libraries: Vec<&Library> = match library {
        Some(library) => [library].into(),
        None => LIBRARIES.iter().collect(),
    };
    let found: Vec<(&Library, &Class)> = libraries
        .iter()
        .flat_map(|library| library.classes.iter().map(move |class| (*library, class)))
        .filter(|(_, class)| class.names.contains(&last))
        .collect();
    match found[..] {
        [(_, class)] => Ok(class),
        [] => Err(unknown(call, last, library, &libraries)),
        _ => {
            let names = found
                .iter()
                .filter_map(|(library, _)| library.names.first())
                .map(|name| format!("{name}.{last}"));
            Err(Fault::new(format!("several libraries have a `{last}`"), call.at.clone())
                .expected(names.collect::<Vec<_>>().join(" or ")))
        }
    }
}

fn unknown(call: &Call, last: &str, library: Option<&Library>, among: &[&Library]) -> Fault {
    let names =
        || among.iter().flat_map(|library| library.classes).flat_map(|class| class.names.iter().copied());
    let problem = match library.and_then(|library| library.names.first()) {
        Some(library) => format!("`{library}` has no schedule `{last}` that Lehr knows"),
        None => format!("no library that Lehr knows has a schedule `{last}`"),
    };
    let expected = match library {
        Some(_) => format!("one of {}", names().collect::<Vec<_>>().join(", ")),
        None => {
            let libraries = LIBRARIES.iter().filter_map(|library| library.names.first()).copied();
            format!("a library ({}) and its schedule", libraries.collect::<Vec<_>>().join(", "))
        }
    };
    let mut fault = Fault::new(problem, call.at.clone()).expected(expected);
    fault.nearest = nearest(last, names()).map(|near| format!("`{near}`"));
    fault
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    /// The text that a call becomes, for a rate of 0.1 and this many steps.
    fn converted(call: &str, steps: u64) -> String {
        let around = Surroundings { lr: Some(0.1), steps: (steps > 0).then_some(steps) };
        parse_call(call, &around).unwrap_or_else(|error| panic!("{error}")).schedule.to_string()
    }

    #[test]
    fn calls_become_what_one_would_write() {
        for (call, steps, text) in [
            ("torch.StepLR(30)", 90, "step every 30 by 0.1"),
            ("CosineAnnealingWarmRestarts(opt, T_0=10, T_mult=2)", 0, "restarts every 10 grow 2"),
            ("torch.CosineAnnealingLR(100, eta_min=1e-6)", 100, "cosine to lr 1e-6"),
            ("torch.CosineAnnealingLR(100)", 60, "part horizon 100 (cosine from 1)"),
            ("torch.CosineAnnealingLR(100)", 300, "cosine waves 1.5"),
            ("torch.OneCycleLR(0.1, 100, cycle_momentum=False)", 0, "one-cycle 99 up 29, constant"),
            ("transformers.linear(100, 1000)", 0, "linear 100 from 0 to 1, linear"),
            ("transformers.inverse_sqrt(400)", 0, "linear 400 from 0 to 1, inverse-sqrt"),
            ("get_wsd_schedule(o, 10, 20, 100)", 0, "linear 10 from 0 to 1, constant 70, cosine"),
            ("timm.CosineLRScheduler(o, 100, lr_min=1e-5)", 100, "cosine to lr 1e-5"),
            (
                "optax.warmup_cosine_decay_schedule(0.0, 1e-3, 100, 1000, 1e-5)",
                0,
                "linear 100 from 0 to 1, cosine to 0.01",
            ),
            (
                "optax.join_schedules([optax.constant_schedule(0.2), optax.linear_schedule(0.1, 0, 50)], [10])",
                60,
                "constant 10, linear from 0.5",
            ),
            (
                "tf.keras.optimizers.schedules.InverseTimeDecay(0.1, 100, 0.5)",
                0,
                "inverse-time timescale 200",
            ),
            (
                "OptimizerParamScheduler(opt, 0, 1e-3, 1e-4, 10, 100, 'WSD', wsd_decay_steps=30)",
                0,
                "linear 10 from 0 to 1, constant 60, exponential to 0.1 base 0.5",
            ),
            ("nemo.CosineAnnealing(max_steps=100, warmup_steps=9)", 0, "linear 9 from 0.1 to 1, cosine"),
            (
                "fairseq.tri_stage(warmup_steps=10, hold_steps=40, decay_steps=50)",
                0,
                "linear 10 from 0.01 to 1, constant 40, exponential to 0.01",
            ),
            (
                "deepspeed.WarmupDecayLR(o, 100, warmup_num_steps=10)",
                0,
                "sequence 10 (log 9 from 0 to 1, constant), linear from 1",
            ),
        ] {
            assert_eq!(converted(call, steps), text, "{call}");
        }
    }

    fn refused(call: &str) -> String {
        parse_call(call, &Surroundings::default()).expect_err(call).to_string()
    }

    #[test]
    fn refusals_say_what_to_do() {
        for (call, needle) in [
            ("torch.StepLRR(30)", "did you mean `StepLR`?"),
            ("StepLRR(30)", "did you mean `StepLR`?"),
            ("torch.StepLR(30, gama=2)", "did you mean `gamma`?"),
            ("torch.StepLR()", "needs `step_size`"),
            ("torch.StepLR(optimizer, step)", "`step` is a variable: write its value here"),
            ("torch.StepLR(0)", "`step_size` must be at least 1"),
            ("torch.StepLR(30, 0.1, 5)", "`last_epoch` must be -1"),
            ("torch.StepLR(30, -0.1)", "`gamma` must be 0 or more"),
            ("torch.StepLR(30, 0.1, -1, 7)", "one value too many"),
            ("torch.StepLR(30, step_size=30)", "one value too many"),
            ("torch.StepLR(1/0)", "must be a finite number"),
            ("torch.LambdaLR(lr_lambda=f)", "cannot be read"),
            ("torch.ReduceLROnPlateau(patience=-1)", "`patience` must be a whole number"),
            (
                "torch.SequentialLR([torch.StepLR(3), torch.ReduceLROnPlateau()], [5])",
                "`ReduceLROnPlateau` inside another schedule",
            ),
            (
                "torch.SequentialLR([torch.OneCycleLR(0.1, 10), torch.StepLR(3)], [5])",
                "`OneCycleLR` inside `SequentialLR`",
            ),
            ("torch.ChainedScheduler([CosineAnnealingWarmRestarts(3)])", "instead of multiplying it"),
            ("step(30)", "several libraries have a `step`"),
            ("optax.constant_schedule(0)", "0 throughout"),
            (
                "transformers.get_scheduler('cosin', num_warmup_steps=1, num_training_steps=9)",
                "did you mean `cosine`?",
            ),
            ("keras.PolynomialDecay(0.1, 100, cycle=True)", "say how many steps the run has"),
            ("timm.CosineLRScheduler(100, noise_range_t=5)", "random generator"),
            ("nonsense", "no library that Lehr knows"),
            ("", "the text ends too early"),
        ] {
            let message = refused(call);
            assert!(message.contains(needle), "{call}: {message}");
        }
    }

    #[test]
    fn calls_as_values_are_the_calls_as_text() {
        let around = Surroundings { lr: Some(0.1), steps: Some(100) };
        let values: [(&dyn TypedCall, &str); 6] = [
            (&torch::StepLR { step_size: 30, gamma: None }, "torch.StepLR(30)"),
            (
                &torch::ReduceLROnPlateau { mode: Some("max"), min_lr: Some(1e-6), ..Default::default() },
                "torch.ReduceLROnPlateau(mode='max', min_lr=1e-6)",
            ),
            (
                &transformers::Cosine { num_warmup_steps: 10, num_training_steps: 100, num_cycles: None },
                "transformers.cosine(10, 100)",
            ),
            (
                &timm::TanhLRScheduler { t_initial: 100.0, warmup_prefix: Some(true), ..Default::default() },
                "timm.TanhLRScheduler(100, warmup_prefix=True)",
            ),
            (
                &optax::PiecewiseConstantSchedule {
                    init_value: 0.1,
                    boundaries_and_scales: Some(vec![(30, 0.1), (60, 0.5)]),
                },
                "optax.piecewise_constant_schedule(0.1, {30: 0.1, 60: 0.5})",
            ),
            (
                &keras::PiecewiseConstantDecay { boundaries: vec![30], values: vec![0.1, 0.01] },
                "keras.PiecewiseConstantDecay([30], [0.1, 0.01])",
            ),
        ];
        for (value, text) in values {
            assert_eq!(value.convert(&around), parse_call(text, &around), "{text}");
            assert!(value.convert(&around).is_ok(), "{value}");
        }
    }

    #[test]
    fn every_signature_can_be_read() {
        for class in LIBRARIES.iter().flat_map(|library| library.classes) {
            call::parse(&format!("f({})", class.signature))
                .unwrap_or_else(|fault| panic!("{:?}", fault.problem));
        }
    }
}
