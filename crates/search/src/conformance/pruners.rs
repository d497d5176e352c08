//! What every pruner has to do.
use crate::history::{Direction, History, Key, Outcome, Report};
use crate::pruner::{Pruner, Verdict};
use crate::value::Params;

/// Makes a fresh pruner. The suite makes several and expects the same answers of each.
pub type MakePruner<'a> = &'a dyn Fn() -> Box<dyn Pruner>;

const STEPS: u64 = 16;

struct Suite<'a> {
    make: MakePruner<'a>,
    violations: Vec<String>,
}

fn params(x: f64) -> Params {
    [("x", x)].into_iter().collect()
}

fn empty(direction: Direction) -> History {
    let space = [crate::space::Parameter::float("x", 0.0, 1.0)];
    let space = space.into_iter().fold(crate::space::Space::new(), |s, p| s.clone().with(p).unwrap_or(s));
    History::new(space, direction)
}

/// Adds a trial that reports `value(step)` at steps 1 to `steps`.
fn add(history: &mut History, steps: u64, key: Key, value: impl Fn(u64) -> f64) -> usize {
    let trial = history.start(&params(0.5)).unwrap_or_default();
    for step in 1..=steps {
        drop(history.report(trial, Report { step, value: value(step), key }));
    }
    trial
}

/// Complete trials whose losses fall from level + 1 to level, for levels 1 to `count`.
fn complete(direction: Direction, count: usize, key: impl Fn(usize) -> Key) -> History {
    let sign = if direction == Direction::Minimize { 1.0 } else { -1.0 };
    let mut history = empty(direction);
    for level in 1..=count {
        let trial = add(&mut history, STEPS, key(level), |step| sign * (level as f64 + 1.0 / step as f64));
        drop(history.finish(trial, Outcome::Complete(sign * level as f64)));
    }
    history
}

impl Suite<'_> {
    fn judge(&mut self, history: &History, trial: usize) -> Option<Verdict> {
        let verdict = history.trial(trial).map(|t| (self.make)().judge(t))?;
        if verdict.to_string().len() < 10 {
            self.violations.push(format!("the verdict '{verdict}' does not say why"));
        }
        Some(verdict)
    }

    fn expect(&mut self, what: &str, history: &History, trial: usize, prune: bool) {
        if let Some(verdict) = self.judge(history, trial)
            && verdict.prune != prune
        {
            let expected = if prune { "stop" } else { "keep" };
            self.violations.push(format!("{what}: expected to {expected} the trial, got '{verdict}'"));
        }
    }

    fn keeps_without_a_report(&mut self) {
        let mut history = complete(Direction::Minimize, 8, |_| Key::COMPARABLE);
        let trial = add(&mut history, 0, Key::COMPARABLE, |_| 0.0);
        self.expect("no report", &history, trial, false);
        let mut history = empty(Direction::Minimize);
        let trial = add(&mut history, STEPS, Key::COMPARABLE, |step| 1.0 / step as f64);
        self.expect("the first trial, improving", &history, trial, false);
    }

    fn stops_divergence(&mut self) {
        for direction in [Direction::Minimize, Direction::Maximize] {
            let bad = if direction == Direction::Minimize { f64::INFINITY } else { f64::NEG_INFINITY };
            for value in [f64::NAN, bad] {
                for key in [Key::COMPARABLE, Key(77)] {
                    let mut history = complete(direction, 8, |_| Key::COMPARABLE);
                    let trial = add(&mut history, 3, key, |step| if step == 3 { value } else { 1.0 });
                    self.expect(&format!("last report {value}, {direction:?}"), &history, trial, true);
                }
            }
        }
    }

    /// A trial that is better than every other at every step is kept.
    fn keeps_the_best(&mut self) {
        for direction in [Direction::Minimize, Direction::Maximize] {
            let sign = if direction == Direction::Minimize { 1.0 } else { -1.0 };
            for steps in 1..=STEPS {
                let mut history = complete(direction, 12, |_| Key::COMPARABLE);
                let trial = add(&mut history, steps, Key::COMPARABLE, |step| sign * (0.5 / step as f64));
                self.expect(&format!("best at each of {steps} steps, {direction:?}"), &history, trial, false);
            }
        }
    }

    /// However bad, a trial is not stopped by comparison with what it may not be compared with.
    fn keeps_the_incomparable(&mut self) {
        for steps in 1..=STEPS {
            let mut history = complete(Direction::Minimize, 12, |level| Key(level as u64));
            let trial = add(&mut history, steps, Key(99), |step| 50.0 + 1.0 / step as f64);
            self.expect(&format!("losses of other keys, {steps} steps"), &history, trial, false);
        }
    }

    fn turns_with_the_direction(&mut self) {
        for steps in 1..=STEPS {
            let mut verdicts = Vec::new();
            for (direction, sign) in [(Direction::Minimize, 1.0), (Direction::Maximize, -1.0)] {
                let mut history = complete(direction, 12, |_| Key::COMPARABLE);
                let trial =
                    add(&mut history, steps, Key::COMPARABLE, |step| sign * (6.3 + 1.0 / step as f64));
                verdicts.extend(self.judge(&history, trial).map(|v| v.prune));
            }
            if verdicts.windows(2).any(|w| w[0] != w[1]) {
                self.violations.push(format!("maximising differs from minimising after {steps} steps"));
            }
        }
    }

    /// Strange histories give a verdict, and the same one twice.
    fn survives_anything(&mut self) {
        let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, 0.0, 5.0];
        let mut history = empty(Direction::Minimize);
        for t in 0..30 {
            let steps = (t as u64 * 7) % 20;
            let trial =
                add(&mut history, steps, Key(t as u64 % 2), |step| odd[(t + step as usize) % odd.len()]);
            let outcome = match t % 5 {
                0 => Outcome::Pruned,
                1 => Outcome::Failed,
                2 => Outcome::Diverged,
                _ => Outcome::Complete(odd[t % odd.len()]),
            };
            if t % 7 != 0 {
                drop(history.finish(trial, outcome));
            }
        }
        for trial in 0..history.len() {
            let (a, b) = (self.judge(&history, trial), self.judge(&history, trial));
            // Compared as text, where NaN equals itself.
            if a.map(|v| v.to_string()) != b.map(|v| v.to_string()) {
                self.violations.push(format!("two verdicts on trial {trial} of one history differ"));
            }
        }
    }
}

/// Checks a pruner against the contract of [`Pruner`] and returns the violations.
pub fn check_pruner(make: MakePruner) -> Vec<String> {
    let mut suite = Suite { make, violations: Vec::new() };
    suite.keeps_without_a_report();
    suite.stops_divergence();
    suite.keeps_the_best();
    suite.keeps_the_incomparable();
    suite.turns_with_the_direction();
    suite.survives_anything();
    suite.violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Trial;
    use crate::pruner::*;

    #[test]
    fn ours_conform() {
        let makers: [MakePruner; 9] = [
            &|| Box::new(Median::default()),
            &|| Box::new(Percentile::new(25.0).unwrap().startup(1)),
            &|| Box::new(SuccessiveHalving::new(1, 2).unwrap()),
            &|| Box::new(SuccessiveHalving::new(3, 4).unwrap()),
            &|| Box::new(Hyperband::new(1, 16, 2).unwrap()),
            &|| Box::new(Patient::new(2)),
            &|| Box::new(Threshold::default().runaway(10.0).unwrap()),
            &|| Box::new(Wilcoxon::default()),
            &|| Box::new(AnyOf::new(vec![Box::new(Threshold::default()), Box::new(Median::default())])),
        ];
        for make in makers {
            let violations = check_pruner(make);
            assert!(violations.is_empty(), "{}: {violations:#?}", make().name());
        }
    }

    #[test]
    fn violations_are_found() {
        struct Bad(Box<dyn Pruner>, bool);
        impl Pruner for Bad {
            fn name(&self) -> &str {
                "bad"
            }
            fn judge(&self, trial: Trial<'_>) -> Verdict {
                let mut verdict = self.0.judge(trial);
                verdict.prune ^= self.1;
                verdict
            }
        }
        let has = |violations: Vec<String>, text: &str| {
            assert!(violations.iter().any(|v| v.contains(text)), "{violations:#?}");
        };
        has(check_pruner(&|| Box::new(Never::default())), "last report NaN");
        has(check_pruner(&|| Box::new(Median::default().unguarded())), "losses of other keys");
        has(check_pruner(&|| Box::new(Hyperband::new(1, 4, 2).unwrap().unguarded())), "losses of other keys");
        has(check_pruner(&|| Box::new(Bad(Box::new(Median::default()), true))), "best at each");
        has(check_pruner(&|| Box::new(Bad(Box::new(Median::default()), true))), "no report");
        let lower = || Threshold::new(Some(0.0), None).unwrap();
        has(check_pruner(&|| Box::new(lower())), "best at each");
    }
}
