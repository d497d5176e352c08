//! The horizon: how long a run is, and how its steps relate to epochs and tokens.
use serde::{Deserialize, Serialize};

use crate::curve::MOST_STEPS;
use crate::error::Error;

/// The length of a run in optimiser steps (updates), and what is needed to read spans in other units.
///
/// The updates of a run are t = 0 … `steps` − 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Horizon {
    /// Number of updates.
    pub steps: u64,
    /// Updates per epoch; may be fractional. Needed for spans in `ep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps_per_epoch: Option<f64>,
    /// Tokens (or samples, if that is what is counted) per update. Needed for spans in `tok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_step: Option<f64>,
}

impl Horizon {
    /// A horizon of `steps` updates that knows neither epochs nor tokens.
    pub const fn steps(steps: u64) -> Self {
        Self { steps, steps_per_epoch: None, tokens_per_step: None }
    }

    /// The same horizon with this many updates per epoch.
    #[must_use]
    pub const fn with_steps_per_epoch(self, steps_per_epoch: f64) -> Self {
        Self { steps_per_epoch: Some(steps_per_epoch), ..self }
    }

    /// The same horizon with this many tokens per update.
    #[must_use]
    pub const fn with_tokens_per_step(self, tokens_per_step: f64) -> Self {
        Self { tokens_per_step: Some(tokens_per_step), ..self }
    }

    /// Fails without updates, with more of them than numbers can tell apart, and with units that are not above 0 or not finite.
    pub fn check(&self) -> Result<(), Error> {
        match self.steps {
            0 => return Err(Error::NoSteps),
            steps if steps > MOST_STEPS => return Err(Error::TooManySteps(steps)),
            _ => {}
        }
        let units = [("steps per epoch", self.steps_per_epoch), ("tokens per step", self.tokens_per_step)];
        for (what, value) in units {
            if let Some(value) = value.filter(|value| !(*value > 0.0 && *value <= f64::MAX)) {
                return Err(Error::HorizonUnit { what, value });
            }
        }
        Ok(())
    }

    /// The same units over another number of updates.
    #[must_use]
    pub const fn with_steps(self, steps: u64) -> Self {
        Self { steps, ..self }
    }
}
