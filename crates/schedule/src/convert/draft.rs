//! A schedule on its way: phases as text, each with the updates that the library gives it.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::feedback::Rule;
use crate::number::Shortest;

/// The phases of a converted schedule before they are fitted to a run.
///
/// Levels that the library gives as rates are written as such, `lr 1e-5`; where the call itself says what its peak is,
/// they become fractions of it.
pub(super) struct Draft {
    pub parts: Vec<Part>,
    /// What reacts to the metric after these parts.
    pub rule: Option<Rule>,
    /// The peak rate, where the call names one.
    pub peak: Option<f64>,
    /// The run's length, where the call implies one and it is not that of the phases.
    pub steps: Option<u64>,
    /// What goes `with` the rate.
    pub with: Vec<String>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// One phase.
#[derive(Clone)]
pub(super) struct Part {
    word: &'static str,
    from: Option<String>,
    rest: String,
    /// How many updates it lasts; `None`: for good.
    steps: Option<u64>,
}

impl Part {
    /// A phase that lasts for good.
    pub fn new(word: &'static str, rest: impl Into<String>) -> Self {
        Self { word, from: None, rest: rest.into(), steps: None }
    }

    /// A phase of so many updates.
    pub fn over(word: &'static str, steps: u64, rest: impl Into<String>) -> Self {
        Self { steps: Some(steps), ..Self::new(word, rest) }
    }

    /// The same phase from this level, instead of where the phase before ended.
    pub fn from(mut self, level: impl fmt::Display) -> Self {
        self.from = Some(level.to_string());
        self
    }

    /// A straight way, for libraries that count a warm-up from 0.
    pub fn line(steps: u64, from: impl fmt::Display, to: impl fmt::Display) -> Self {
        Self::over("linear", steps, format!("to {to}")).from(from)
    }

    /// How many updates it lasts; `None`: for good.
    pub fn length(&self) -> Option<u64> {
        self.steps
    }

    /// The same phase for so many updates.
    pub fn lasting(self, steps: u64) -> Self {
        Self { steps: Some(steps), ..self }
    }

    /// The same phase without its first `n` updates.
    pub fn after(self, n: u64) -> Self {
        let left = self.steps.map(|steps| steps.saturating_sub(n));
        let horizon = self.steps;
        let mut inner = Self { steps: None, ..self };
        inner.leave_out_zero();
        let of = horizon.map(|steps| format!(" horizon {steps}")).unwrap_or_default();
        Self { steps: left, ..Self::new("part", format!("after {n}{of} ({inner})")) }
    }

    /// The same phase, from the peak unless it says otherwise.
    pub fn at_the_peak(self) -> Self {
        match self.from {
            None if self.takes_from() => self.from(1),
            _ => self,
        }
    }

    /// Whether its rates do not depend on how long it lasts.
    fn is_free(&self) -> bool {
        match self.word {
            "constant" | "step" | "inverse-sqrt" | "inverse-time" | "power-law" => true,
            "restarts" | "exponential" | "cyclic" => self.rest.contains("every"),
            _ => false,
        }
    }

    /// Leaves out `to 0` where that is the default.
    fn leave_out_zero(&mut self) {
        let rest = self.rest.strip_prefix("to 0").filter(|rest| rest.is_empty() || rest.starts_with(' '));
        if let (Some(rest), true) = (rest, self.word == "restarts" || RAMPS.contains(&self.word)) {
            self.rest = rest.trim_start().to_string();
        }
    }

    /// The level after `to`.
    fn target(&self) -> Option<String> {
        let mut words = self.rest.strip_prefix("to ")?.split(' ');
        match words.next()? {
            "lr" => Some(format!("lr {}", words.next()?)),
            level => Some(level.to_string()),
        }
    }

    /// Whether the word goes with a level `from`.
    fn takes_from(&self) -> bool {
        !matches!(self.word, "product" | "sum" | "min" | "max" | "part" | "sequence")
    }

    /// One level.
    pub fn hold(level: impl fmt::Display) -> Self {
        Self::new("constant", "").from(level)
    }

    /// The first `run` updates.
    fn cut(self, run: u64) -> Self {
        match self.steps {
            Some(steps) if steps > run && !self.is_free() => {
                let mut inner = Self { steps: None, ..self };
                inner.leave_out_zero();
                Self::over("part", run, format!("horizon {steps} ({inner})"))
            }
            _ => Self { steps: Some(run), ..self },
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word)?;
        if let Some(steps) = self.steps {
            write!(f, " {steps}")?;
        }
        if let Some(from) = &self.from {
            write!(f, " from {from}")?;
        }
        match self.rest.is_empty() {
            true => Ok(()),
            false => write!(f, " {}", self.rest),
        }
    }
}

impl From<Part> for Draft {
    fn from(part: Part) -> Self {
        Self::of(vec![part])
    }
}

impl Draft {
    pub fn of(parts: Vec<Part>) -> Self {
        Self { parts, rule: None, peak: None, steps: None, with: Vec::new(), notes: Vec::new() }
    }

    /// Then this reaction to a metric.
    pub fn then(mut self, rule: Rule) -> Self {
        self.rule = Some(rule);
        self
    }

    pub fn peak(mut self, peak: f64) -> Self {
        self.peak = Some(peak);
        self
    }

    pub fn steps(mut self, steps: u64) -> Self {
        self.steps = Some(steps);
        self
    }

    pub fn with(mut self, with: impl Into<String>) -> Self {
        self.with.push(with.into());
        self
    }

    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// How many updates it takes until nothing changes any more; `None` if that never happens.
    pub fn length(&self) -> Option<u64> {
        if self.rule.is_some() {
            return None;
        }
        self.parts.iter().map(|part| part.steps).try_fold(0_u64, |sum, steps| sum.checked_add(steps?))
    }

    /// The phases of the first `run` updates. All have a span, and the first one says where it starts.
    pub fn cut(self, run: u64) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let mut left = run;
        for part in self.parts.into_iter().filter(|part| part.steps != Some(0)) {
            if left == 0 {
                break;
            }
            let part = if parts.is_empty() { part.at_the_peak() } else { part };
            let steps = part.steps.map_or(left, |steps| steps.min(left));
            parts.push(part.cut(steps));
            left -= steps;
        }
        if left > 0 {
            let hold = Part::over("constant", left, "");
            parts.push(if parts.is_empty() { hold.from(1) } else { hold });
        }
        parts
    }

    /// The whole draft as text for a run of `run` updates; without a run, for its own length.
    pub fn text(self, run: Option<u64>) -> String {
        if let Some(rule) = self.rule {
            let mut parts: Vec<Part> = self.parts.into_iter().filter(|part| part.steps != Some(0)).collect();
            tidy(&mut parts);
            let lead = parts.iter().map(Part::to_string);
            return lead.chain([rule.to_node().to_string()]).collect::<Vec<_>>().join(", ");
        }
        let run = run.or(self.steps).or(self.length());
        let (peak, with) = (self.peak, self.with.clone());
        let mut parts = match run {
            Some(run) => self.cut(run),
            None => self.parts.into_iter().filter(|part| part.steps != Some(0)).collect(),
        };
        if let Some(last) = parts.last_mut() {
            last.steps = None;
        }
        if let Some(peak) = peak {
            for part in &mut parts {
                part.from = part.from.take().map(|from| relative(&from, peak));
                part.rest = relative(&part.rest, peak);
            }
        }
        tidy(&mut parts);
        let mut text = join(&parts);
        for with in with {
            text = format!("{text} with {with}");
        }
        text
    }
}

/// Leaves out what goes without saying: `from` the level where the phase before ended, and `to 0`.
fn tidy(parts: &mut [Part]) {
    let mut level = Some("1".to_string());
    for part in parts {
        part.from.take_if(|from| level.as_ref() == Some(from));
        level = match part.word {
            "constant" => part.from.clone().or(level),
            word if RAMPS.contains(&word) && !part.rest.contains("waves") => part.target(),
            _ => None,
        };
        part.leave_out_zero();
    }
}

/// The words of phases that go from one level `to` another.
const RAMPS: [&str; 7] = ["linear", "poly", "cosine", "exponential", "1-sqrt", "tanh", "log"];

/// Phases with commas between them.
pub(super) fn join(parts: &[Part]) -> String {
    let texts: Vec<String> = parts.iter().map(Part::to_string).collect();
    texts.join(", ")
}

/// A level as a fraction of the peak.
pub(super) fn share(x: f64) -> String {
    Shortest(x).to_string()
}

/// A level as a rate.
pub(super) fn rate(x: f64) -> String {
    // At 0 the two are the same, and the fraction reads better.
    if x == 0.0 { "0".into() } else { format!("lr {}", Shortest(x)) }
}

/// The same text with every `lr X` as a fraction of the peak.
fn relative(text: &str, peak: f64) -> String {
    let mut words = Vec::new();
    let mut input = text.split(' ');
    while let Some(word) = input.next() {
        if word != "lr" {
            words.push(word.to_string());
        } else if let Some(level) = input.next() {
            let digits = level.trim_end_matches([',', ')']);
            let tail = &level[digits.len()..];
            words.push(
                digits.parse().map_or(level.to_string(), |x: f64| format!("{}{tail}", fraction(x, peak))),
            );
        }
    }
    words.join(" ")
}

/// x / peak, as the short decimal that gives x back when there is one: 0.01 for 1e-5 of 1e-3.
fn fraction(x: f64, peak: f64) -> String {
    let exact = x / peak;
    let short: f64 = format!("{exact:.14e}").parse().unwrap_or(exact);
    // Within the rounding of one division and one multiplication.
    let same = (short * peak - x).abs() <= 2.0 * f64::EPSILON * x;
    share(if same { short } else { exact })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_fitted_to_the_run() {
        let draft =
            || Draft::of(vec![Part::line(100, 0, 1), Part::over("cosine", 900, "to lr 0.001")]).peak(0.1);
        assert_eq!(draft().text(None), "linear 100 from 0 to 1, cosine to 0.01");
        assert_eq!(draft().text(Some(1000)), "linear 100 from 0 to 1, cosine to 0.01");
        assert_eq!(draft().text(Some(2000)), "linear 100 from 0 to 1, cosine 900 to 0.01, constant");
        assert_eq!(draft().text(Some(400)), "linear 100 from 0 to 1, part horizon 900 (cosine to 0.01)");
        assert_eq!(draft().text(Some(50)), "part horizon 100 (linear from 0 to 1)");
    }

    #[test]
    fn what_goes_without_saying_is_left_out() {
        let parts = vec![
            Part::over("constant", 5, "").from(1),
            Part::over("linear", 5, "to lr 0.5").from(1),
            Part::over("constant", 5, "").from("lr 0.5"),
            Part::over("cosine", 5, "to 0 waves 2").from("lr 0.5"),
            Part::over("poly", 5, "to 0 power 2").from("lr 0.5"),
        ];
        let text = "constant 5, linear 5 to lr 0.5, constant 5, cosine 5 waves 2, poly from lr 0.5 power 2";
        assert_eq!(Draft::of(parts).text(None), text);
    }

    #[test]
    fn fractions_are_short_where_that_is_exact() {
        assert_eq!(fraction(1e-5, 1e-3), "0.01");
        assert_eq!(fraction(0.01, 0.1), "0.1");
        assert_eq!(fraction(1e-3, 3e-3), "0.3333333333333333");
        assert_eq!(
            relative("min (cosine to lr 0.1, constant from lr 0.2)", 0.2),
            "min (cosine to 0.5, constant from 1)"
        );
    }
}
