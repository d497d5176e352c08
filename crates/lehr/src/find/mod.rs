//! The range test: one short run with a rising rate, and what its losses say of where sane rates are.
//!
//! [`range_test`] trains a built-in model along an exponential ramp, [`of_program`] any program; [`read`] draws the conclusions from any curve of
//! rates and losses, with fastai's suggestions and one of our own. A range test never sees an annealed loss: it shows where
//! rates begin to act and where they break, not which one is best.

mod fit;
#[cfg(unix)]
mod program;
mod ramp;
mod smooth;
mod suggest;

pub use fit::Fit;
#[cfg(unix)]
pub use program::{Command, of_program};
pub use ramp::{Ramp, range_test};
pub use suggest::{Suggestions, minimum, slide, steep, valley};

use serde::Serialize;
use smooth::Smoother;

/// The losses of a run with a rising rate.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Readings {
    /// The rate of each update.
    pub rates: Vec<f64>,
    /// The loss after it.
    pub losses: Vec<f64>,
}

/// Why a range test tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The readings are too few or make no sense.
    #[error("{0}")]
    Readings(String),
    /// The ramp makes no sense.
    #[error("{0}")]
    Ramp(String),
    /// The program cannot be run as it was described.
    #[error(transparent)]
    Program(#[from] crate::program::ProgramError),
    /// The program ran, and told nothing.
    #[error("{0}")]
    Ended(String),
    /// The lab refuses the training.
    #[error(transparent)]
    Training(#[from] lehr_lab::Error),
}

/// What a range test says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// The losses smoothed as fastai does, up to where the run was stopped.
    pub smoothed: Readings,
    /// The rate at which the smoothed loss left four times its lowest value, or a loss was no number; if one did.
    pub diverged: Option<f64>,
    /// fastai's suggestions.
    pub suggestions: Suggestions,
    /// Ours, if the curve allows one.
    pub fit: Option<Fit>,
    /// What speaks against relying on it.
    pub warnings: Vec<String>,
}

/// Readings that can be looked at; fastai leaves out the first tenth and the last five.
const FEWEST: usize = 24;

/// Reads a range test.
///
/// The losses are smoothed by a running mean with weight 0.98 on the past, freed of the bias of its start, and cut where the
/// smoothed loss is beyond four times its lowest value, as fastai does. `smooth` can be switched off for losses that have
/// no noise, such as those on all the data.
///
/// # Errors
/// Fewer than 24 readings before the loss was lost; rates that do not rise.
pub fn read(readings: &Readings, smooth: bool) -> Result<Found, FindError> {
    let wrong = |problem: String| Err(FindError::Readings(problem));
    let Readings { rates, losses } = readings;
    if rates.len() != losses.len() {
        return wrong(format!("{} rates and {} losses do not go together", rates.len(), losses.len()));
    }
    if rates.iter().any(|r| !(*r > 0.0 && r.is_finite())) || rates.windows(2).any(|pair| pair[0] >= pair[1]) {
        return wrong("the rates of a range test must rise from reading to reading, from above 0".into());
    }
    let mut smoothed = Readings::default();
    let (mut smoother, mut diverged) = (Smoother::new(smooth), None);
    for (&rate, &loss) in rates.iter().zip(losses) {
        let now = smoother.push(loss);
        if now.is_finite() {
            smoothed.rates.push(rate);
            smoothed.losses.push(now);
        }
        if smoother.is_lost() {
            diverged = Some(rate);
            break;
        }
    }
    if smoothed.rates.len() < FEWEST {
        return wrong(format!(
            "only {} readings before the loss was lost; at least {FEWEST} are needed: start at a lower rate or take more updates",
            smoothed.rates.len()
        ));
    }
    // As fastai: without the first tenth of the readings that were planned, and the last five that were made.
    let (from, to) = (rates.len() / 10, smoothed.rates.len() - 5);
    if to < from + 16 {
        return wrong("the loss was lost too early to say anything: start at a lower rate".into());
    }
    let suggestions = Suggestions::of(&smoothed.rates[from..to], &smoothed.losses[from..to]);
    // Our line smooths by itself, and can tell the noise of the losses only where it is still in them.
    let made = smoothed.rates.len();
    let raw = Readings { rates: rates[..made].to_vec(), losses: losses[..made].to_vec() };
    let (fit, mut warnings) = fit::fit(&raw, diverged);
    warnings.extend(unmoved(&smoothed, diverged));
    Ok(Found { smoothed, diverged, suggestions, fit, warnings })
}

/// The share of the readings in which a program that does not see the ramp has had most of its fall.
const EARLY: f64 = 0.25;

/// A loss that falls at once, under the lowest rates, and is not hurt by the highest ones does not depend on the rate.
fn unmoved(smoothed: &Readings, diverged: Option<f64>) -> Option<String> {
    let losses = &smoothed.losses;
    let (first, last) = (*losses.first()?, *losses.last()?);
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let early = losses[(EARLY * (losses.len() - 1) as f64) as usize];
    let fall = first - lowest;
    let flat = fall <= 1e-3 * first.abs();
    let unhurt = diverged.is_none() && last - lowest <= 0.1 * fall.max(1e-3 * first.abs());
    let range = smoothed.rates.last()? / smoothed.rates.first()?;
    (unhurt && range > 1e3 && (flat || first - early > 0.5 * fall)).then(|| {
        format!(
            "the loss does not answer to the rate: it {} and {:.0e} times that rate does not hurt it; does the program follow the rates that it is handed?",
            if flat { "stays where it is at the lowest one," } else { "falls at once at the lowest one," },
            range
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(noise: f64) -> Readings {
        let rates: Vec<f64> = (0..100).map(|i| 1e-5 * 1e6f64.powf(i as f64 / 100.0)).collect();
        let mut stream = lehr_search::Stream::for_trial(1, 1);
        let loss = |rate: &f64| {
            let x = rate.log10();
            2.0 - 1.2 / (1.0 + (-3.0 * (x + 2.0)).exp()) + (4.0 * (x + 0.3)).exp() + noise * stream.normal()
        };
        Readings { losses: rates.iter().map(loss).collect(), rates }
    }

    #[test]
    fn finds_where_the_loss_falls_and_where_it_breaks() {
        let found = read(&curve(0.0), false).unwrap();
        let fit = found.fit.unwrap();
        assert!((fit.steepest / 0.01).log10().abs() < 0.15, "{fit:?}");
        assert!((0.05..0.5).contains(&fit.lowest), "{fit:?}");
        assert!(fit.interval.0 <= fit.steepest && fit.steepest <= fit.interval.1);
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
        assert!((found.suggestions.steep / 0.01).log10().abs() < 0.2, "{:?}", found.suggestions);
        assert!((found.suggestions.minimum * 10.0 / fit.lowest).log10().abs() < 0.2);
        let noisy = read(&curve(0.02), false).unwrap().fit.unwrap();
        assert!(noisy.interval.1 / noisy.interval.0 > fit.interval.1 / fit.interval.0);
    }

    #[test]
    fn says_where_a_curve_tells_nothing() {
        let mut flat = curve(0.0);
        let mut stream = lehr_search::Stream::for_trial(1, 2);
        flat.losses.iter_mut().for_each(|loss| *loss = 1.0 + 0.01 * stream.normal());
        let found = read(&flat, false).unwrap();
        assert!(found.warnings.iter().any(|w| w.contains("falls")), "{:?}", found.warnings);
        let short =
            Readings { rates: curve(0.0).rates[..60].to_vec(), losses: curve(0.0).losses[..60].to_vec() };
        let found = read(&short, false).unwrap();
        assert!(found.warnings.iter().any(|w| w.contains("still falls")), "{:?}", found.warnings);
    }

    #[test]
    fn wrong_readings_are_refused() {
        let mut lost = curve(0.0);
        lost.losses[12] = f64::NAN;
        assert!(read(&lost, true).unwrap_err().to_string().contains("only 12 readings"));
        let mut falling = curve(0.0);
        falling.rates.reverse();
        assert!(read(&falling, true).is_err());
        assert!(read(&Readings::default(), true).is_err());
        falling.losses.pop();
        assert!(read(&falling, true).unwrap_err().to_string().contains("do not go together"));
    }
}
