//! What is doubtful about a schedule over a horizon, and what to do about it.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use serde::Serialize;

use crate::curve::{Context, Curve, Laid};
use crate::ease::{Ease, EaseForm};
use crate::error::{Error, Problem, Trouble};
use crate::horizon::Horizon;
use crate::number::Shortest;
use crate::schedule::{Phase, Schedule};
use crate::shape::{Change, Shape};

/// One doubt about a schedule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lint {
    /// How bad it is.
    pub severity: Severity,
    /// A fixed word for this kind of doubt.
    pub code: &'static str,
    /// The phase that it is about, as text; empty for the schedule as a whole.
    pub phase: String,
    /// The update that it is about, if it is about one.
    pub update: Option<u64>,
    /// What is doubtful and why.
    pub reason: String,
    /// What to do instead.
    pub suggestion: String,
}

/// How bad a [`Lint`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Probably not what was meant, or known to be worse than an alternative.
    Warning,
    /// Cannot be run.
    Error,
}

/// Shares of the horizon and of the peak from which on something is doubtful.
mod limit {
    /// A warm-up longer than this share of the horizon is most of the run.
    pub const WARMUP: f64 = 0.5;
    /// A rate that ends above this share of its highest is not annealed.
    pub const FLOOR: f64 = 0.1;
    /// One that ends above this share is not annealed fully.
    pub const LOW_FLOOR: f64 = 0.01;
    /// One that ends above this share has not decayed at all.
    pub const NO_DECAY: f64 = 0.99;
    /// A jump by more than this share of the highest rate, and to more than half as much again, is one.
    pub const JUMP: f64 = 0.05;
    /// A last cycle of which more than this share is missing is cut off.
    pub const CUT: f64 = 0.02;
    /// Longer horizons are looked at in this many places.
    pub const PLACES: u64 = 1 << 20;
}

/// Everything doubtful about a schedule over a horizon, errors first. The peak is needed for absolute levels only.
///
/// An empty list is no promise that the schedule is good; an [`Error`](Severity::Error) means that it cannot be run.
pub fn lint(schedule: &Schedule, horizon: &Horizon, peak: Option<f64>) -> Vec<Lint> {
    let resolved = match peak {
        Some(peak) => schedule.resolve_with_peak(horizon, peak),
        None => schedule.resolve(horizon),
    };
    let curve = match resolved {
        Ok(curve) => curve,
        Err(error) => return vec![unfit(&error)],
    };
    let laid = schedule.laid_out(horizon, peak).unwrap_or_default();
    let highest = highest(&curve, &laid);
    let mut lints = Vec::new();
    warmups(&laid, curve.steps(), &mut lints);
    jumps(&laid, highest, &mut lints);
    laid.iter().for_each(|laid| shapes(laid, 0, &mut lints));
    let inside = Inside { curve: &curve, highest };
    // What resolved as a whole resolves in parts.
    let _ = inside.look(&Context::of_rates(horizon, peak), &schedule.phases, 0, false, &mut lints);
    ends(&curve, highest, &mut lints);
    channels(&curve, &mut lints);
    another_horizon(schedule, &curve, &mut lints);
    lints.sort_by_key(|lint| core::cmp::Reverse(lint.severity));
    lints
}

impl Lint {
    fn new(
        severity: Severity,
        code: &'static str,
        reason: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let (reason, suggestion) = (reason.into(), advice.into());
        Self { severity, code, phase: String::new(), update: None, reason, suggestion }
    }

    fn of(mut self, phase: &Phase) -> Self {
        self.phase = phase.to_string();
        self
    }

    fn at(mut self, update: u64) -> Self {
        self.update = Some(update);
        self
    }
}

/// Why a schedule cannot be resolved.
fn unfit(error: &Error) -> Lint {
    let Error::Phase { phase, problem } = error else {
        let advice = "mend the horizon, the peak or the schedule";
        return Lint::new(Severity::Error, "cannot-resolve", error.to_string(), advice);
    };
    let (code, advice) = match problem {
        Problem::NeedsEpochs(_) => {
            ("unit-unknown", "give the steps per epoch, or write the span in steps or %")
        }
        Problem::NeedsTokens(_) => {
            ("unit-unknown", "give the tokens per step, or write the span in steps or %")
        }
        Problem::NeedsPeak(_) => ("peak-unknown", "give the peak rate, or a fraction of it"),
        Problem::RoundsToZero(..) | Problem::TooShort { .. } => (
            "rounds-to-zero",
            "lengthen it, or leave it out; over a short horizon write steps rather than shares",
        ),
        Problem::Overfull { .. } => ("does-not-fit", "shorten the phases or lengthen the horizon"),
        Problem::NothingLeft(_) => ("does-not-fit", "shorten the other phases so that this one has updates"),
        Problem::TwoOpen(_) => ("does-not-fit", "give all phases but one a span"),
        _ => ("cannot-resolve", "change the setting"),
    };
    let mut lint = Lint::new(Severity::Error, code, problem.to_string(), advice);
    lint.phase.clone_from(phase);
    lint
}

/// The highest rate, over all updates or over many places of a long horizon.
fn highest(curve: &Curve, laid: &[Laid<'_>]) -> f64 {
    let steps = curve.steps();
    let stride = steps.div_ceil(limit::PLACES).max(1);
    let places = (0..steps).step_by(stride as usize);
    let borders = laid.iter().flat_map(|phase| [phase.start, phase.end.saturating_sub(1)]);
    places.chain(borders).map(|t| curve.at(t)).fold(0.0, f64::max)
}

fn warmups(laid: &[Laid<'_>], steps: u64, lints: &mut Vec<Lint>) {
    for Laid { phase, start, end, .. } in laid {
        let Shape::Warmup(_) = phase.shape else { continue };
        if start == end {
            let reason = "a warm-up of 0 updates does nothing";
            lints.push(
                Lint::new(Severity::Warning, "warmup-empty", reason, "leave it out, or give it a span")
                    .of(phase),
            );
        } else if (end - start) as f64 > limit::WARMUP * steps as f64 {
            let share = 100.0 * (end - start) as f64 / steps as f64;
            let reason =
                format!("the warm-up takes {share:.0}% of the run, which hardly trains at the peak rate");
            let advice = "a few per cent of the run, or a few thousand steps, are usual";
            lints.push(Lint::new(Severity::Warning, "warmup-long", reason, advice).of(phase));
        }
    }
    let starts_high = laid.iter().find(|laid| laid.end > laid.start).filter(|first| {
        let (start, top) = (first.piece.at(0), first.piece.end().max(first.piece.at(0)));
        start > 0.5 * top && !matches!(first.phase.shape, Shape::Warmup(_))
    });
    if let Some(first) = starts_high {
        let reason = "the first update has a rate near the peak, without a warm-up";
        let advice = "fine for SGD on small models; Adam and transformers want `warmup 2%` or so before it";
        lints.push(Lint::new(Severity::Note, "no-warmup", reason, advice).of(first.phase).at(0));
    }
}

fn jumps(laid: &[Laid<'_>], highest: f64, lints: &mut Vec<Lint>) {
    let laid: Vec<&Laid<'_>> = laid.iter().filter(|laid| laid.end > laid.start).collect();
    for pair in laid.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        jump(before.piece.end(), after.piece.at(0), highest, after.phase, after.start, lints);
    }
}

fn jump(end: f64, start: f64, highest: f64, phase: &Phase, update: u64, lints: &mut Vec<Lint>) {
    if start > end * 1.5 && start - end > limit::JUMP * highest {
        let reason = format!("the rate jumps up from {} to {}", Shortest(end), Shortest(start));
        let advice = "put a `warmup` before this phase, or let it start where the one before it ends";
        lints.push(Lint::new(Severity::Warning, "jump-up", reason, advice).of(phase).at(update));
    }
}

/// Phases in parentheses.
struct Inside<'c> {
    curve: &'c Curve,
    highest: f64,
}

impl Inside<'_> {
    /// Looks at phases that begin at this update; at those in parentheses only, unless they are `nested` themselves.
    fn look(
        &self,
        cx: &Context<'_>,
        phases: &[Phase],
        first: u64,
        nested: bool,
        lints: &mut Vec<Lint>,
    ) -> Result<(), Trouble> {
        let laid = cx.laid_out(phases)?;
        if nested {
            self.jumps(&laid, first, lints);
            laid.iter().for_each(|laid| shapes(laid, first, lints));
        }
        for laid in laid.iter().filter(|laid| laid.end > laid.start) {
            let start = first + laid.start;
            let cx = cx.of_phase(laid.start, laid.end, laid.level);
            match &laid.phase.shape {
                Shape::Sequence(shape) => self.look(&cx, &shape.of, start, true, lints)?,
                Shape::Combine(shape) => {
                    shape.parts(&cx).try_for_each(|(cx, part)| self.look(&cx, part, start, true, lints))?;
                }
                // One copy stands for all of them.
                Shape::Repeat(shape) => {
                    self.look(&shape.first_copy(&cx)?, &shape.of, start, true, lints)?;
                }
                Shape::Modify(shape) => match shape.change {
                    Change::Stretch { factor } => {
                        self.look(&cx.stretched(factor), &shape.of, start, true, lints)?;
                    }
                    // Their updates are not those of the run.
                    Change::Shift { .. } => laid.phase.shape.parts().iter().for_each(|p| rising(p, lints)),
                    _ => self.look(&cx, &shape.of, start, true, lints)?,
                },
                _ => laid.phase.shape.parts().iter().for_each(|phase| rising(phase, lints)),
            }
        }
        Ok(())
    }

    /// Jumps between nested phases, where the rate itself jumps: what is around them may take the jump away.
    fn jumps(&self, laid: &[Laid<'_>], first: u64, lints: &mut Vec<Lint>) {
        for laid in laid.iter().filter(|laid| laid.end > laid.start && laid.start > 0) {
            let update = first + laid.start;
            let (before, after) = (self.curve.at(update - 1), self.curve.at(update));
            jump(before, after, self.highest, laid.phase, update, lints);
        }
    }
}

/// What a shape itself shows: a cosine that rises, a restart cut off.
fn shapes(laid: &Laid<'_>, first: u64, lints: &mut Vec<Lint>) {
    if let Some(ease) = ease_of(&laid.phase.shape) {
        rising_cosine(ease, laid.phase, lints);
    }
    cut_restart(laid, first, lints);
}

/// Cosines that rise again, in this phase or in those in its parentheses.
fn rising(phase: &Phase, lints: &mut Vec<Lint>) {
    if let Some(ease) = ease_of(&phase.shape) {
        rising_cosine(ease, phase, lints);
    }
    phase.shape.parts().iter().for_each(|inner| rising(inner, lints));
}

fn ease_of(shape: &Shape) -> Option<Ease> {
    match shape {
        Shape::Ramp(ramp) => Some(ramp.ease),
        Shape::Restarts(restarts) => Some(restarts.along),
        Shape::Warmup(warmup) => Some(warmup.along),
        _ => None,
    }
}

fn rising_cosine(ease: Ease, phase: &Phase, lints: &mut Vec<Lint>) {
    let EaseForm::Cosine { waves, .. } = ease.form else { return };
    if waves > 0.5 {
        let reason = format!("a cosine of {} waves reaches its lowest rate and rises again", Shortest(waves));
        let advice =
            "leave out `waves` for a cosine that ends at its lowest; `restarts` jumps instead of rising";
        lints.push(Lint::new(Severity::Warning, "cosine-rises", reason, advice).of(phase));
    }
}

fn cut_restart(laid: &Laid<'_>, first: u64, lints: &mut Vec<Lint>) {
    let missing = laid.piece.cut_off(laid.end - laid.start);
    if missing > limit::CUT {
        let percent = 100.0 * missing;
        let reason = format!("the end of the phase cuts off the last {percent:.0}% of its last cycle");
        let advice = "choose a period that divides the phase, or a number of cycles: `restarts cycles 4`";
        lints.push(
            Lint::new(Severity::Warning, "restart-cut", reason, advice).of(laid.phase).at(first + laid.end),
        );
    }
}

fn ends(curve: &Curve, highest: f64, lints: &mut Vec<Lint>) {
    let last = curve.steps() - 1;
    let (first_rate, last_rate, end) = (curve.at(0), curve.at(last), curve.at(last + 1));
    if highest == 0.0 {
        let (reason, advice) = ("every update has rate 0", "give a level above 0");
        lints.push(Lint::new(Severity::Error, "always-zero", reason, advice));
        return;
    }
    if first_rate == 0.0 {
        let reason = "the first update has rate 0 and trains nothing";
        let advice = "`warmup N` starts at 1/N of the peak; `linear N from 0 to 1` at 0";
        lints.push(Lint::new(Severity::Warning, "first-zero", reason, advice).at(0));
    }
    if last_rate == 0.0 {
        let reason = "the last update has rate 0 and trains nothing";
        let advice =
            "let the last phase reach to the end of the horizon: 0 then belongs to the update after it";
        lints.push(Lint::new(Severity::Warning, "last-zero", reason, advice).at(last));
    }
    if highest > 1.0 && curve.peak().is_none() || curve.peak().is_some_and(|peak| highest > peak * 1.000_001)
    {
        let reason = format!("the rate reaches {}, above the peak", Shortest(highest));
        let advice = "levels are fractions of the peak: give a higher peak rate instead";
        lints.push(Lint::new(Severity::Warning, "above-peak", reason, advice));
    }
    let floor = end / highest;
    if end >= limit::NO_DECAY * highest {
        let reason = "the rate never decays: the noise of the last updates stays in the result";
        let advice = "end with a cooldown such as `linear 20%`, or average the weights";
        lints.push(Lint::new(Severity::Warning, "never-decays", reason, advice));
    } else if floor > limit::LOW_FLOOR {
        let severity = if floor > limit::FLOOR { Severity::Warning } else { Severity::Note };
        let reason = format!(
            "the rate ends at {:.0}% of its highest: annealing to 0 forgives a peak rate that is too high, a floor \
             forfeits that in part",
            100.0 * floor
        );
        lints.push(Lint::new(severity, "floor", reason, "anneal to 0, or to 1% at most").at(last));
    }
}

fn channels(curve: &Curve, lints: &mut Vec<Lint>) {
    for (name, channel) in curve.channels().filter(|(name, _)| *name == "momentum") {
        let stride = curve.steps().div_ceil(limit::PLACES).max(1) as usize;
        if let Some(t) = (0..curve.steps()).step_by(stride).find(|t| channel.at(*t) >= 1.0) {
            let reason =
                format!("`{name}` is {} at update {t}: a momentum of 1 or more diverges", channel.at(t));
            lints.push(Lint::new(Severity::Warning, "momentum", reason, "keep it below 1").at(t));
        }
    }
}

/// Whether the past of a run would change if its horizon were doubled.
fn another_horizon(schedule: &Schedule, curve: &Curve, lints: &mut Vec<Lint>) {
    let horizon = curve.horizon();
    let Some(longer) = horizon.steps.checked_mul(2).map(|steps| horizon.with_steps(steps)) else { return };
    let resolved = match curve.peak() {
        Some(peak) => schedule.resolve_with_peak(&longer, peak),
        None => schedule.resolve(&longer),
    };
    let Ok(other) = resolved else { return };
    let stride = horizon.steps.div_ceil(limit::PLACES).max(1) as usize;
    let Some(first) = (0..horizon.steps).step_by(stride).find(|t| curve.at(*t) != other.at(*t)) else {
        return;
    };
    let reason = format!(
        "the rates from update {first} on depend on the horizon: over {} steps they are others, so that a run that is \
         extended does not continue what it began",
        longer.steps
    );
    let advice = "for runs that may be extended, write spans in steps and keep the rate `constant` until a cooldown, \
                  or use `inverse-sqrt`; and extend through `extend`, which shows what changes";
    lints.push(Lint::new(Severity::Note, "horizon", reason, advice).at(first));
}
