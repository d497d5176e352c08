//! Histories for the tests of pruners.
use crate::history::{Direction, History, Key, Outcome, Report};

/// A history of complete trials with these curves, reported at steps 0, 1, …
pub(crate) fn curves(curves: &[Vec<f64>], direction: Direction) -> History {
    let mut history = History::new("x=0.0..1.0".parse().unwrap(), direction);
    for curve in curves {
        history = running(history, curve, Key::COMPARABLE);
        let trial = history.len() - 1;
        history.finish(trial, Outcome::Complete(*curve.last().unwrap())).unwrap();
    }
    history
}

/// Adds a running trial with this curve.
pub(crate) fn running(mut history: History, curve: &[f64], key: Key) -> History {
    let trial = history.start(&[("x", 0.5)].into_iter().collect()).unwrap();
    for (step, &value) in curve.iter().enumerate() {
        history.report(trial, Report { step: step as u64, value, key }).unwrap();
    }
    history
}
