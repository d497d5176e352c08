//! The laws by name: their parameters, where fits start and what is known of the parameters beforehand.

use serde::{Deserialize, Serialize};

use super::curve::Exposure;
use super::{multi_power, tissue};

/// A law of the loss as a function of the rates so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Law {
    /// The multi-power law with a progress exponent p, eight parameters:
    /// L = L₀ + A·S₁^{−α} − B·Σ_k (η_{k−1} − η_k)·[1 − (1 + C·η_k^{−γ}·S_k)^{−β}], S₁ = Σ η_max·(η/η_max)^p.
    ///
    /// p below 1 says that updates at a low rate make more progress than their share of the rates: without it the
    /// gain of a long decay is taken for a slow response to the falling rate, and longer runs are predicted too low.
    Progress,
    /// The multi-power law as published, p = 1, seven parameters (Luo et al., arXiv 2503.12811).
    MultiPower,
    /// The annealing law, five parameters (Tissue, Wang and Wang, arXiv 2408.11029):
    /// L = L₀ + A·S₁^{−α} − C·S₂, S₂ the area under the annealing momentum with decay λ.
    Tissue,
}

/// What is known of a parameter before the fit: a mean and a standard deviation, in its fitted form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prior {
    pub index: usize,
    pub mean: f64,
    pub deviation: f64,
}

/// A parameter that is not fitted.
const HELD: f64 = 1e-4;

impl Law {
    /// The parameters of the law's formula, in the order in which fits give them.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Progress | Self::MultiPower => &multi_power::NAMES,
            Self::Tissue => &tissue::NAMES,
        }
    }

    pub(super) fn evaluate(self, exposure: &Exposure, theta: &[f64], row: impl FnMut(usize, f64, &[f64])) {
        match self {
            Self::Progress | Self::MultiPower => multi_power::evaluate(exposure, theta, row),
            Self::Tissue => tissue::evaluate(exposure, theta, row),
        }
    }

    /// A parameter from its fitted form.
    pub(super) fn value(self, index: usize, theta: f64) -> f64 {
        match (self, index) {
            (Self::Progress | Self::MultiPower, 6 | 7) => theta,
            (Self::Tissue, 4) => tissue::lambda(theta),
            _ => theta.exp(),
        }
    }

    /// The fitted form of a parameter.
    pub(super) fn theta(self, index: usize, value: f64) -> f64 {
        match (self, index) {
            (Self::Progress | Self::MultiPower, 6 | 7) => value,
            (Self::Tissue, 4) => -(1.0 - value).ln(),
            _ => value.ln(),
        }
    }

    /// The exponents and time scales from which fits start; the three linear parameters are solved for.
    pub(super) fn starts(self) -> Vec<Vec<f64>> {
        const ALPHAS: [f64; 3] = [0.3, 0.5, 0.8];
        const RESPONSES: [(f64, f64, f64); 4] =
            [(0.5, 0.4, 0.6), (2.0, 0.6, 0.6), (0.3, 0.5, 1.0), (20.0, 0.4, 0.3)];
        const TIMES: [f64; 3] = [100.0, 500.0, 2_000.0];
        ALPHAS
            .into_iter()
            .flat_map(|alpha| match self {
                Self::Progress | Self::MultiPower => RESPONSES
                    .map(|(c, beta, gamma)| vec![0.0, 0.0, alpha.ln(), 0.0, c.ln(), beta.ln(), gamma, 1.0])
                    .to_vec(),
                Self::Tissue => TIMES.map(|time| vec![0.0, 0.0, alpha.ln(), 0.0, time.ln()]).to_vec(),
            })
            .collect()
    }

    /// What is known of the parameters: orders of magnitude of the response to a falling rate, and p near 1.
    pub(super) fn priors(self) -> Vec<Prior> {
        let prior = |index, mean, deviation| Prior { index, mean, deviation };
        let response = [prior(4, 2f64.ln(), 1.0), prior(5, 0.5f64.ln(), 0.5), prior(6, 0.5, 0.25)];
        match self {
            Self::Progress => [&response[..], &[prior(7, 1.0, 0.3)]].concat(),
            Self::MultiPower => [&response[..], &[prior(7, 1.0, HELD)]].concat(),
            Self::Tissue => vec![prior(4, 500f64.ln(), 2.0)],
        }
    }

    /// The same law with an instantaneous response to the rate, L = L₀ + A·S₁^{−α} + B·η, if it has one.
    pub(super) fn instantaneous(self) -> Option<Vec<Prior>> {
        let hold = |index, mean| Prior { index, mean, deviation: HELD };
        let exponent = self.priors().into_iter().find(|prior| prior.index == 7)?;
        Some(vec![hold(4, 1e6f64.ln()), hold(5, 1.0), hold(6, 0.5), exponent])
    }
}
