//! A feedback schedule at work: the rate now, and what an observation does to it.
use core::fmt;

use serde::{Deserialize, Serialize};

use super::{Feedback, Rule};
use crate::curve::Curve;
use crate::error::{Error, Problem};
use crate::horizon::Horizon;
use crate::measure::Level;
use crate::number::Shortest;
use crate::schedule::Schedule;
use crate::shape::Constant;

/// Everything that a feedback schedule remembers. Save it with a checkpoint, give it back with
/// [`restore`](Controller::restore).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedbackState {
    /// The level in force, on the scale of the rates.
    pub level: f64,
    /// The best metric so far.
    pub best: Option<f64>,
    /// Observations in a row that were no improvement.
    pub bad: u64,
    /// Observations in a row that were one.
    pub good: u64,
    /// Observations still to be passed over.
    pub pause: u64,
    /// Cuts that were due at the lowest level.
    pub at_floor: u64,
}

/// What an observation did, and why.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Not counted: the phases before the rule are still running.
    Lead,
    /// Not counted as bad (plateau) or at all (greedy): it came too soon after a change.
    Paused,
    /// Better than the best so far.
    Better,
    /// No improvement; how many of them in a row.
    Worse(u64),
    /// The metric was NaN or infinite. It counts as no improvement and is never the best.
    NotFinite,
    /// The level was cut to this one. `not_finite` says that the metric which brought it about was NaN or infinite.
    Cut {
        /// The new level.
        level: f64,
        /// Whether the last metric was NaN or infinite.
        not_finite: bool,
    },
    /// A cut was due, but the level is the lowest already.
    AtFloor,
    /// The level was raised to this one.
    Raised(f64),
    /// Everything starts over at this level.
    Reset(f64),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lead => write!(f, "not counted: the lead is still running"),
            Self::Paused => write!(f, "not counted: too soon after a change"),
            Self::Better => write!(f, "better than before"),
            Self::Worse(times) => write!(f, "no improvement, {times} in a row"),
            Self::NotFinite => write!(f, "the metric is not a finite number; counted as no improvement"),
            Self::Cut { level, not_finite: false } => write!(f, "level cut to {}", Shortest(*level)),
            Self::Cut { level, not_finite: true } => {
                write!(f, "level cut to {}: the metric is not a finite number", Shortest(*level))
            }
            Self::AtFloor => write!(f, "no improvement, but the level is the lowest already"),
            Self::Raised(level) => write!(f, "level raised to {}", Shortest(*level)),
            Self::Reset(level) => write!(f, "started over at level {}", Shortest(*level)),
        }
    }
}

/// A feedback schedule over a horizon, with its state.
///
/// ```
/// use lehr_schedule::{Feedback, Horizon, Verdict};
///
/// let feedback: Feedback = "warmup 2, plateau by 0.5 patience 1".parse()?;
/// let mut control = feedback.resolve(&Horizon::steps(100), Some(0.1))?;
/// assert_eq!(control.rate(0), 0.05); // warming up
/// for (t, loss) in [(2, 3.0), (3, 3.5), (4, f64::NAN)] {
///     control.observe(t, loss);
/// }
/// assert_eq!(control.rate(5), 0.05); // two observations in a row were no improvement
/// let saved = *control.state();
/// control.restore(saved)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Controller {
    rule: Rule,
    lead: Curve,
    lead_steps: u64,
    ceiling: Option<Curve>,
    start: f64,
    floor: f64,
    top: f64,
    state: FeedbackState,
}

impl Feedback {
    /// The feedback schedule over a horizon, at its beginning. The peak makes rates absolute.
    ///
    /// # Errors
    /// If the lead or the ceiling does not fit the horizon, or a setting makes no sense.
    pub fn resolve(&self, horizon: &Horizon, peak: Option<f64>) -> Result<Controller, Error> {
        let problem = |problem| Error::Phase { phase: alloc::format!("{self}"), problem };
        self.rule.check().map_err(problem)?;
        let curve = |schedule: &Schedule, horizon: &Horizon| match peak {
            Some(peak) => schedule.resolve_with_peak(horizon, peak),
            None => schedule.resolve(horizon),
        };
        if let Some(open) = self.lead.iter().find(|phase| phase.span.is_none()) {
            let text = "a phase before the rule needs a span: the rule takes what is left";
            return Err(Error::Phase { phase: alloc::format!("{open}"), problem: Problem::Settings(text) });
        }
        let hold = Constant { from: None };
        let lead = Schedule::new(self.lead.clone()).then(hold);
        let laid = lead.laid_out(horizon, peak)?;
        let lead_steps = laid.last().map_or(0, |rule| rule.start);
        let lead = curve(&lead, horizon)?;
        let start = lead.at(lead_steps);
        let ceiling = match self.ceiling.is_empty() {
            true => None,
            false => Some(curve(
                &Schedule::new(self.ceiling.clone()),
                &horizon.with_steps(horizon.steps - lead_steps),
            )?),
        };
        let level = |level: Level| {
            let schedule = Schedule::new([Constant { from: Some(level) }.into()]);
            curve(&schedule, &Horizon::steps(1)).map(|curve| curve.at(0))
        };
        let (floor, top) = match self.rule {
            Rule::Plateau(rule) => (level(rule.to)?, start),
            Rule::Greedy(rule) => (level(rule.to)?, level(rule.top)?),
        };
        let state = FeedbackState { level: start, best: None, bad: 0, good: 0, pause: 0, at_floor: 0 };
        Ok(Controller { rule: self.rule, lead, lead_steps, ceiling, start, floor, top, state })
    }
}

impl Controller {
    /// The rate of update `t` as things stand: that of the lead, then the level in force, never above the ceiling.
    pub fn rate(&self, t: u64) -> f64 {
        if t < self.lead_steps {
            return self.lead.at(t);
        }
        match &self.ceiling {
            None => self.state.level,
            Some(ceiling) => self.state.level.min(ceiling.at(t - self.lead_steps)),
        }
    }

    /// What it remembers.
    pub fn state(&self) -> &FeedbackState {
        &self.state
    }

    /// Takes up a saved state.
    ///
    /// # Errors
    /// If the state cannot be one of this schedule: a level or best metric that is not a finite number.
    pub fn restore(&mut self, state: FeedbackState) -> Result<(), Error> {
        let bad_level = !(state.level >= 0.0 && state.level <= f64::MAX);
        let bad_best = state.best.is_some_and(|best| !best.is_finite());
        if bad_level || bad_best {
            let value = if bad_level { state.level } else { state.best.unwrap_or(f64::NAN) };
            let setting = if bad_level { "level" } else { "best" };
            let problem = Problem::Range { setting, rule: "a finite number", value };
            return Err(Error::Phase { phase: "saved state".into(), problem });
        }
        self.state = state;
        Ok(())
    }

    /// Takes in the metric that was measured after update `t` (the first is 0) and says what it did.
    pub fn observe(&mut self, t: u64, metric: f64) -> Verdict {
        if t < self.lead_steps {
            return Verdict::Lead;
        }
        match self.rule {
            Rule::Plateau(rule) => {
                let (better, not_finite) = self.compare(metric);
                if self.state.pause > 0 {
                    self.state.pause -= 1;
                    self.state.bad = 0;
                    return if better { Verdict::Better } else { Verdict::Paused };
                }
                match self.verdict(better, not_finite) {
                    Verdict::Worse(bad) if bad > rule.patience => {
                        self.cut(rule.by, rule.cooldown, false, None)
                    }
                    Verdict::NotFinite if self.state.bad > rule.patience => {
                        self.cut(rule.by, rule.cooldown, true, None)
                    }
                    verdict => verdict,
                }
            }
            Rule::Greedy(rule) => {
                if self.state.pause > 0 {
                    self.state.pause -= 1;
                    (self.state.bad, self.state.good) = (0, 0);
                    return Verdict::Paused;
                }
                let (better, not_finite) = self.compare(metric);
                match self.verdict(better, not_finite) {
                    Verdict::Better if self.state.good > rule.patience => self.raise(rule.by, rule.wait),
                    Verdict::Worse(bad) if bad > rule.patience => {
                        self.cut(rule.by, rule.cooldown, false, rule.reset)
                    }
                    Verdict::NotFinite if self.state.bad > rule.patience => {
                        self.cut(rule.by, rule.cooldown, true, rule.reset)
                    }
                    verdict => verdict,
                }
            }
        }
    }

    /// Counts a metric: whether it is better than the best, and whether it is no finite number.
    fn compare(&mut self, metric: f64) -> (bool, bool) {
        let finite = metric.is_finite();
        let better = finite && self.state.best.is_none_or(|best| self.rule.better().than(metric, best));
        if better {
            self.state.best = Some(metric);
            (self.state.bad, self.state.good) = (0, self.state.good.saturating_add(1));
        } else {
            (self.state.bad, self.state.good) = (self.state.bad.saturating_add(1), 0);
        }
        (better, !finite)
    }

    fn verdict(&self, better: bool, not_finite: bool) -> Verdict {
        match (better, not_finite) {
            (true, _) => Verdict::Better,
            (false, true) => Verdict::NotFinite,
            (false, false) => Verdict::Worse(self.state.bad),
        }
    }

    fn cut(&mut self, by: f64, cooldown: u64, not_finite: bool, reset: Option<u64>) -> Verdict {
        (self.state.bad, self.state.pause) = (0, cooldown);
        let level = (self.state.level * by).max(self.floor);
        if level < self.state.level {
            self.state.level = level;
        } else if reset.is_none() {
            return Verdict::AtFloor;
        }
        if self.state.level > self.floor {
            return Verdict::Cut { level: self.state.level, not_finite };
        }
        self.state.at_floor = self.state.at_floor.saturating_add(1);
        if reset.is_some_and(|most| self.state.at_floor >= most) {
            let start = self.start;
            self.state = FeedbackState { level: start, best: None, bad: 0, good: 0, pause: 0, at_floor: 0 };
            return Verdict::Reset(start);
        }
        match level < self.state.level || self.state.at_floor == 1 {
            true => Verdict::Cut { level: self.state.level, not_finite },
            false => Verdict::AtFloor,
        }
    }

    fn raise(&mut self, by: f64, wait: u64) -> Verdict {
        (self.state.good, self.state.pause, self.state.at_floor) = (0, wait, 0);
        self.state.level = (self.state.level / by).min(self.top).max(self.state.level);
        Verdict::Raised(self.state.level)
    }
}
