//! A feedback schedule at work: the rate now, and what an observation does to it.
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::{Average, Feedback, Rise, Rule};
use crate::curve::Curve;
use crate::error::{Error, Problem};
use crate::horizon::Horizon;
use crate::measure::Level;
use crate::number::Shortest;
use crate::schedule::Schedule;
use crate::shape::Constant;

/// Everything that a feedback schedule remembers. Save it with a checkpoint, give it back with
/// [`restore`](Controller::restore).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// The metrics that the next mean is over, with `window` and `every`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<f64>,
    /// With `every`: how many metrics of this mean were NaN or infinite.
    #[serde(default)]
    pub not_finite: u64,
}

impl FeedbackState {
    fn start(level: f64) -> Self {
        Self { level, best: None, bad: 0, good: 0, pause: 0, at_floor: 0, recent: Vec::new(), not_finite: 0 }
    }
}

/// What an observation did, and why.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Not counted: the phases before the rule are still running.
    Lead,
    /// Not counted as bad (plateau) or at all (greedy): it came too soon after a change.
    Paused,
    /// Taken into the mean of the metrics that come with it.
    Gathered,
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
    /// A change was due, but it would not be larger than `least`.
    TooSmall,
    /// The level was raised to this one.
    Raised(f64),
    /// A rise was due, but the level is the highest already.
    AtTop,
    /// Everything starts over at this level.
    Reset(f64),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lead => write!(f, "not counted: the lead is still running"),
            Self::Paused => write!(f, "not counted: too soon after a change"),
            Self::Gathered => write!(f, "taken into a mean with the next ones"),
            Self::Better => write!(f, "better than before"),
            Self::Worse(times) => write!(f, "no improvement, {times} in a row"),
            Self::NotFinite => write!(f, "the metric is not a finite number; counted as no improvement"),
            Self::Cut { level, not_finite: false } => write!(f, "level cut to {}", Shortest(*level)),
            Self::Cut { level, not_finite: true } => {
                write!(f, "level cut to {}: the metric is not a finite number", Shortest(*level))
            }
            Self::AtFloor => write!(f, "no improvement, but the level is the lowest already"),
            Self::TooSmall => write!(f, "a change was due, but it would be too small"),
            Self::AtTop => write!(f, "better than before, but the level is the highest already"),
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
/// let saved = control.state().clone();
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
    least: f64,
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
        let (floor, least) = (level(self.rule.to)?, level(self.rule.least)?);
        let top = self.rule.rise.map_or(Ok(start), |rise| level(rise.top))?;
        let state = FeedbackState::start(start);
        Ok(Controller { rule: self.rule, lead, lead_steps, ceiling, start, floor, top, least, state })
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
        let bad_metric = state.best.iter().chain(&state.recent).find(|metric| !metric.is_finite());
        let bad = match bad_level {
            true => Some(("level", state.level)),
            false => bad_metric.map(|metric| ("metric", *metric)),
        };
        if let Some((setting, value)) = bad {
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
        let Some(metric) = self.averaged(metric) else { return Verdict::Gathered };
        let rise = self.rule.rise;
        if self.state.pause > 0 {
            self.state.pause -= 1;
            // Plateau still learns what the best is; greedy does not look.
            let better = rise.is_none() && self.compare(metric) == Verdict::Better;
            (self.state.bad, self.state.good) = (0, 0);
            return if better { Verdict::Better } else { Verdict::Paused };
        }
        let patience = self.rule.patience;
        match (self.compare(metric), rise) {
            (Verdict::Better, Some(rise)) if self.state.good > patience => self.raise(rise),
            (Verdict::Worse(bad), _) if bad > patience => self.cut(false),
            (Verdict::NotFinite, _) if self.state.bad > patience => self.cut(true),
            (verdict, _) => verdict,
        }
    }

    /// The mean that is due, if one is; it is not finite if one of its metrics was not.
    fn averaged(&mut self, metric: f64) -> Option<f64> {
        let state = &mut self.state;
        match self.rule.average {
            Average::Off => Some(metric),
            // What is no number is no part of a mean: it would spoil all the next ones.
            Average::Window(_) if !metric.is_finite() => Some(metric),
            Average::Window(last) => {
                let over = (state.recent.len() + 1).saturating_sub(last as usize);
                state.recent.drain(..over.min(state.recent.len()));
                state.recent.push(metric);
                Some(state.recent.iter().sum::<f64>() / state.recent.len() as f64)
            }
            Average::Every(each) => {
                match metric.is_finite() {
                    true => state.recent.push(metric),
                    false => state.not_finite += 1,
                }
                if (state.recent.len() as u64).saturating_add(state.not_finite) < each {
                    return None;
                }
                let spoiled = core::mem::take(&mut state.not_finite) > 0;
                let recent = core::mem::take(&mut state.recent);
                let mean = |mean: f64, (i, x): (usize, &f64)| (i as f64 * mean + x) / (i + 1) as f64;
                Some(if spoiled { f64::NAN } else { recent.iter().enumerate().fold(0.0, mean) })
            }
        }
    }

    /// Counts a metric: better than the best, worse, or no finite number.
    fn compare(&mut self, metric: f64) -> Verdict {
        let finite = metric.is_finite();
        if finite && self.state.best.is_none_or(|best| self.rule.better.than(metric, best)) {
            self.state.best = Some(metric);
            (self.state.bad, self.state.good) = (0, self.state.good.saturating_add(1));
            return Verdict::Better;
        }
        (self.state.bad, self.state.good) = (self.state.bad.saturating_add(1), 0);
        if finite { Verdict::Worse(self.state.bad) } else { Verdict::NotFinite }
    }

    fn cut(&mut self, not_finite: bool) -> Verdict {
        (self.state.bad, self.state.pause) = (0, self.rule.cooldown);
        let level = (self.state.level * self.rule.by).max(self.floor);
        let cut = self.state.level - level > self.least;
        if cut {
            self.state.level = level;
        }
        let at_floor = self.state.level <= self.floor;
        if at_floor {
            self.state.at_floor = self.state.at_floor.saturating_add(1);
            let reset = self.rule.rise.and_then(|rise| rise.reset);
            if reset.is_some_and(|most| self.state.at_floor >= most) {
                self.state = FeedbackState { pause: self.rule.cooldown, ..FeedbackState::start(self.start) };
                return Verdict::Reset(self.start);
            }
        }
        match (cut, at_floor) {
            (true, _) => Verdict::Cut { level, not_finite },
            (false, true) => Verdict::AtFloor,
            (false, false) => Verdict::TooSmall,
        }
    }

    fn raise(&mut self, rise: Rise) -> Verdict {
        (self.state.good, self.state.pause, self.state.at_floor) = (0, rise.wait, 0);
        let level = (self.state.level / self.rule.by).min(self.top);
        if level - self.state.level > self.least {
            self.state.level = level;
            return Verdict::Raised(level);
        }
        if self.state.level >= self.top { Verdict::AtTop } else { Verdict::TooSmall }
    }
}
