//! When to stop: once the next trial is not expected to gain more than the noise.
use std::fmt;

use crate::history::History;
use crate::sampler::{GaussianProcess, Outlook};
use crate::stream::Stream;
use crate::value::Short;

/// Whether more trials are worth their cost, in units of the objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stopping {
    /// Too few finished trials to tell.
    Unknown {
        /// How many there are.
        trials: usize,
    },
    /// The best next trial is expected to gain more than the limit.
    Continue {
        /// Its expected improvement.
        improvement: f64,
        /// The limit.
        limit: f64,
    },
    /// No trial is expected to gain more than the limit.
    Stop {
        /// The largest expected improvement.
        improvement: f64,
        /// The limit.
        limit: f64,
    },
}

impl fmt::Display for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = |x: f64| Short(format!("{x:.1e}").parse().unwrap_or(x));
        match *self {
            Stopping::Unknown { trials } => {
                write!(f, "{trials} finished trials are too few to say whether to stop")
            }
            Stopping::Continue { improvement, limit } => write!(
                f,
                "the next trial is expected to gain {}, more than the noise or tolerance of {}",
                digits(improvement),
                digits(limit)
            ),
            Stopping::Stop { improvement, limit } => write!(
                f,
                "no trial is expected to gain more than {}, which is below the noise or tolerance of {}",
                digits(improvement),
                digits(limit)
            ),
        }
    }
}

/// Asks a Gaussian process over the whole history whether the largest expected improvement is below the noise.
///
/// The limit is `noise`, the standard deviation of the objective between repeated runs, if it is known; otherwise what the
/// model estimates, which is rough where no two trials are alike. Fewer than 10 finished trials give
/// [`Stopping::Unknown`]. The model's caveats ([`GaussianProcess`]) are this rule's: it cannot expect what no trial hinted
/// at, such as a narrow valley far from all of them. `seed` picks the candidates that are looked at.
pub fn stopping(history: &History, noise: Option<f64>, seed: u64) -> Stopping {
    let mut stream = Stream::for_trial(seed, history.len() as u64);
    let trials = history.informative().len();
    let Some(Outlook { improvement, noise: estimated }) =
        GaussianProcess::default().outlook(history, &mut stream)
    else {
        return Stopping::Unknown { trials };
    };
    let limit = noise.filter(|n| *n >= 0.0).unwrap_or(estimated);
    if improvement < limit {
        Stopping::Stop { improvement, limit }
    } else {
        Stopping::Continue { improvement, limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, Outcome};
    use crate::sampler::Sampler;

    /// A noisy bowl, searched until the rule says stop: late enough to have found the bottom, early enough to save trials.
    #[test]
    fn stops_when_the_bottom_is_found() {
        for direction in [Direction::Minimize, Direction::Maximize] {
            let sign = if direction == Direction::Minimize { 1.0 } else { -1.0 };
            let space: crate::Space = "x=-5.0..5.0, y=-5.0..5.0".parse().unwrap();
            let mut history = History::new(space.clone(), direction);
            let mut noise = Stream::for_trial(99, 0);
            let mut stopped = None;
            assert_eq!(stopping(&history, None, 0), Stopping::Unknown { trials: 0 });
            for t in 0..80 {
                let p = GaussianProcess::default()
                    .suggest(&space, &history, &mut Stream::for_trial(1, t))
                    .unwrap();
                let value = (p.float("x").unwrap() - 1.0).powi(2) + (p.float("y").unwrap() + 2.0).powi(2);
                let trial = history.start(&p).unwrap();
                history.finish(trial, Outcome::Complete(sign * (value + 0.1 * noise.normal()))).unwrap();
                if let Stopping::Stop { improvement, limit } = stopping(&history, Some(0.1), 0) {
                    assert!(improvement < limit && limit == 0.1);
                    stopped = Some((t, value));
                    break;
                }
            }
            let (t, _) = stopped.expect("never stopped");
            let best = history.best().unwrap().params();
            let regret = (best.float("x").unwrap() - 1.0).powi(2) + (best.float("y").unwrap() + 2.0).powi(2);
            assert!(t >= 10 && regret < 0.5, "stopped after {t} with regret {regret}");
        }
    }

    #[test]
    fn says_what_it_means() {
        let text = Stopping::Stop { improvement: 1.23e-5, limit: 1e-3 }.to_string();
        assert_eq!(
            text,
            "no trial is expected to gain more than 1.2e-5, which is below the noise or tolerance of 0.001"
        );
    }
}
