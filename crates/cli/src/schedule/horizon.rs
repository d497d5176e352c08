//! The horizon and the peak rate, as arguments.

use clap::Args;
use lehr_report::number;
use lehr_schedule::{Curve, Horizon, Schedule};

use crate::count::count;
use crate::failure::Failure;

/// How long the run is, and at which peak rate.
#[derive(Args, Clone)]
pub struct RunArgs {
    /// Updates of the run: 10000, 10_000, 10k, 1e4
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, conflicts_with_all = ["epochs", "tokens"])]
    steps: Option<u64>,
    /// Length of the run in epochs; needs --steps-per-epoch
    #[arg(
        long,
        value_name = "E",
        allow_negative_numbers = true,
        requires = "steps_per_epoch",
        conflicts_with = "tokens"
    )]
    epochs: Option<f64>,
    /// Length of the run in tokens (2e9, 2G); needs --tokens-per-step
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, requires = "tokens_per_step")]
    tokens: Option<u64>,
    /// Updates per epoch, for spans such as 10ep
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    steps_per_epoch: Option<f64>,
    /// Tokens (or samples) per update, for spans such as 2Mtok
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    tokens_per_step: Option<f64>,
    /// Peak rate; without it rates are fractions of the peak
    #[arg(long, value_name = "LR", allow_negative_numbers = true)]
    peak: Option<f64>,
}

impl RunArgs {
    /// The horizon that the arguments describe.
    pub fn horizon(&self) -> Result<Horizon, Failure> {
        let rounded = |what: &str, steps: f64| match steps {
            steps if steps.is_finite() && steps >= 0.5 => Ok(steps.round() as u64),
            _ => Err(Failure::usage(format!("--{what} gives a run of {steps} steps: it needs at least one"))),
        };
        let steps = match (self.steps, self.epochs, self.tokens) {
            (Some(steps), ..) => steps,
            (None, Some(epochs), _) => rounded("epochs", epochs * self.steps_per_epoch.unwrap_or(0.0))?,
            (None, None, Some(tokens)) => {
                rounded("tokens", tokens as f64 / self.tokens_per_step.unwrap_or(0.0))?
            }
            (None, None, None) => {
                let advice = "say how long the run is: --steps N, or --epochs E --steps-per-epoch N, \
                              or --tokens N --tokens-per-step N";
                return Err(Failure::usage(advice));
            }
        };
        Ok(Horizon { steps, steps_per_epoch: self.steps_per_epoch, tokens_per_step: self.tokens_per_step })
    }

    /// The horizon that the arguments describe; of this many steps if they do not.
    pub fn horizon_or(&self, steps: u64) -> Result<Horizon, Failure> {
        match (self.steps, self.epochs, self.tokens) {
            (None, None, None) => Self { steps: Some(steps), ..self.clone() }.horizon(),
            _ => self.horizon(),
        }
    }

    /// The peak rate, if there is one.
    pub fn peak(&self) -> Option<f64> {
        self.peak
    }

    /// The schedule over this run.
    pub fn resolve(&self, schedule: &Schedule) -> Result<Curve, Failure> {
        let horizon = self.horizon()?;
        match self.peak {
            Some(peak) => schedule.resolve_with_peak(&horizon, peak),
            None => schedule.resolve(&horizon),
        }
        .map_err(Failure::usage)
    }

    /// The run in words: `10,000 steps, peak 3e-4`.
    pub fn words(&self, horizon: &Horizon) -> String {
        let steps = number::count(horizon.steps);
        match self.peak {
            Some(peak) => format!("{steps} steps, peak {}", number::significant(peak, 6)),
            None => format!("{steps} steps, relative to the peak"),
        }
    }
}
