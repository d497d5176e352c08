//! A law fitted to curves, and what it predicts.

use serde::{Deserialize, Serialize};

use super::curve::{Exposure, LossCurve};
use super::law::{Law, Prior};
use super::least_squares::{minimise, normal_equations};
use super::solve::{cholesky, forward, solve};
use crate::error::{Error, require};

/// How a law is fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitOptions {
    /// Relative residual beyond which Huber's loss grows linearly. 0.001 is the published choice: close to the
    /// noise of a logged loss, so that a few wild points do not matter.
    pub huber: f64,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self { huber: 1e-3 }
    }
}

/// One fitted parameter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Parameter {
    /// Its name in the law's formula.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
}

/// A predicted loss with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Predicted {
    /// Updates made.
    pub step: usize,
    /// The loss that the law gives.
    pub loss: f64,
    /// Lower end of the interval for a logged loss.
    pub low: f64,
    /// Upper end of the interval for a logged loss.
    pub high: f64,
}

/// How well predictions met a measured curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// The curve.
    pub curve: String,
    /// Points compared.
    pub points: usize,
    /// Mean absolute error.
    pub mae: f64,
    /// Largest absolute error.
    pub worst: f64,
    /// 1 − Σ(error²)/Σ(deviation from the mean²).
    pub r_squared: f64,
    /// Error at the last point, predicted minus measured.
    pub last_error: f64,
    /// Share of the points inside the 95 % interval.
    pub covered: f64,
}

/// A law with its parameters and their uncertainty. Serialises, so that a fit can be kept and asked later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    law: Law,
    theta: Vec<f64>,
    /// Cholesky factor of the inverse covariance of `theta`.
    information: Vec<Vec<f64>>,
    noise: f64,
    points: usize,
    /// By how much the intervals are widened, from predictions of curves left out.
    #[serde(default = "one")]
    widening: f64,
}

fn one() -> f64 {
    1.0
}

/// How far a law may be off a curve as a whole, relative to the loss: the unit in which the points of a fit are
/// weighed against what is known of the parameters beforehand. Residuals of these laws are not independent noise
/// but smooth misfit of this size, so that a curve of 170 points tells no more than some ten independent ones.
const MISFIT: f64 = 3e-3;
/// Relative deviation allowed to B from its value in the law with an instantaneous response.
const AMPLITUDE: f64 = 0.01;
/// A deviation that leaves a parameter to the data, but keeps the system solvable where they say nothing.
const VAGUE: f64 = 30.0;

/// The curves of a fit, ready to be compared with a law.
struct Task<'a> {
    law: Law,
    curves: &'a [LossCurve],
    exposures: Vec<Exposure>,
    delta: f64,
}

impl Fit {
    /// Fits the law to the curves: Huber's loss on ln(measured) − ln(predicted) over all points alike, from several
    /// starts, with weak priors on the shape of the response (see the law).
    ///
    /// On curves of one length a slow tail of the response to a falling rate cannot be told from a larger
    /// amplitude B. So the law is first fitted with an instantaneous response, and B is held to within 1 % of what
    /// that gives.
    ///
    /// The intervals come from the curvature at the fit, with the law's own misfit as the unit, and the robust
    /// standard deviation of the residuals for a logged loss. With three curves or more they are widened until they
    /// hold 95 % of the points of each curve when the law is fitted without it ([`Fit::widening`]): that is what a
    /// schedule that was not seen costs.
    ///
    /// # Errors
    /// No curve, fewer points than twice the parameters, no curve under which the rate falls, or no start from
    /// which the law fits.
    pub fn new(law: Law, curves: &[LossCurve], options: FitOptions) -> Result<Self, Error> {
        require(options.huber.is_finite() && options.huber > 0.0, "Huber's delta", options.huber, "above 0")?;
        let size = law.names().len();
        let points: usize = curves.iter().map(|curve| curve.steps().len()).sum();
        if points < 2 * size {
            return Err(Error::Data(format!(
                "{points} points of {} curves; {size} parameters need {} or more",
                curves.len(),
                2 * size
            )));
        }
        let exposures: Vec<Exposure> =
            curves.iter().map(|curve| Exposure::new(curve.rates(), curve.steps())).collect();
        if !curves.iter().any(LossCurve::anneals) {
            return Err(Error::Data(
                "the rate falls in none of the curves, so they say nothing of annealing; add a curve with a decay"
                    .into(),
            ));
        }
        let mut fit = Self::plain(law, curves, exposures, options.huber)?;
        fit.widening = fit.left_out(curves, options.huber);
        Ok(fit)
    }

    /// The fit, its intervals as the curvature gives them.
    fn plain(law: Law, curves: &[LossCurve], exposures: Vec<Exposure>, delta: f64) -> Result<Self, Error> {
        let points = curves.iter().map(|curve| curve.steps().len()).sum();
        let task = Task { law, curves, exposures, delta };
        let mut priors = law.priors();
        if let Some(instantaneous) = law.instantaneous() {
            let mean = task.best(&instantaneous)?[3];
            priors.push(Prior { index: 3, mean, deviation: AMPLITUDE });
        }
        let theta = task.best(&priors)?;
        let information = task.information(&theta, &priors)?;
        Ok(Self { law, information, noise: task.noise(&theta), theta, points, widening: 1.0 })
    }

    /// What the intervals have to be multiplied by to hold 95 % of the points of each curve that is left out in turn;
    /// the largest over the curves, 1 at least. A curve without which there is nothing to fit says nothing.
    fn left_out(&self, curves: &[LossCurve], delta: f64) -> f64 {
        let mut widening = 1.0_f64;
        for out in (0..curves.len()).filter(|_| curves.len() > 2) {
            let rest: Vec<LossCurve> =
                (0..curves.len()).filter(|&i| i != out).map(|i| curves[i].clone()).collect();
            if !rest.iter().any(LossCurve::anneals) {
                continue;
            }
            let exposures = rest.iter().map(|curve| Exposure::new(curve.rates(), curve.steps())).collect();
            let curve = &curves[out];
            let Ok(predicted) = Self::plain(self.law, &rest, exposures, delta)
                .and_then(|fit| fit.predict(curve.rates(), curve.steps()))
            else {
                continue;
            };
            let mut shares: Vec<f64> = (predicted.iter().zip(curve.losses()))
                .map(|(point, loss)| (loss - point.loss).abs() / (point.high - point.loss))
                .filter(|share| share.is_finite())
                .collect();
            shares.sort_by(f64::total_cmp);
            let place = (0.95 * shares.len() as f64).ceil() as usize;
            widening = widening.max(shares.get(place.saturating_sub(1)).copied().unwrap_or(1.0));
        }
        widening
    }

    /// A fit from parameter values, in the order of [`Law::names`], without uncertainty: for published parameters.
    ///
    /// # Errors
    /// The wrong number of values, or values outside the law's domain.
    pub fn from_values(law: Law, values: &[f64]) -> Result<Self, Error> {
        let size = law.names().len();
        require(
            values.len() == size,
            "the number of parameters",
            values.len() as f64,
            "that of the law's names",
        )?;
        let theta: Vec<f64> = values.iter().enumerate().map(|(i, &value)| law.theta(i, value)).collect();
        if let Some(i) = theta.iter().position(|theta| !theta.is_finite()) {
            return Err(Error::OutOfRange {
                name: law.names()[i],
                value: values[i],
                expected: "finite and above 0",
            });
        }
        let exact = |i: usize| (0..size).map(|j| if i == j { 1e9 } else { 0.0 }).collect();
        Ok(Self {
            law,
            theta,
            information: (0..size).map(exact).collect(),
            noise: 0.0,
            points: 0,
            widening: 1.0,
        })
    }

    /// The law.
    pub fn law(&self) -> Law {
        self.law
    }

    /// Points fitted.
    pub fn points(&self) -> usize {
        self.points
    }

    /// What the intervals of predictions are multiplied by, so that they hold curves that were left out of the fit;
    /// 1 with fewer than three curves, where this cannot be known.
    pub fn widening(&self) -> f64 {
        self.widening
    }

    /// Robust standard deviation of the relative residuals.
    pub fn noise(&self) -> f64 {
        self.noise
    }

    /// The parameters with their intervals.
    pub fn parameters(&self) -> Vec<Parameter> {
        let size = self.theta.len();
        (0..size)
            .map(|i| {
                let unit: Vec<f64> = (0..size).map(|j| f64::from(u8::from(i == j))).collect();
                let error = solve(&self.information, &unit)[i].sqrt();
                let at = |z: f64| self.law.value(i, self.theta[i] + z * error);
                Parameter { name: self.law.names()[i], value: at(0.0), low: at(-1.96), high: at(1.96) }
            })
            .collect()
    }

    /// The loss under other rates after the given rising numbers of updates.
    ///
    /// # Errors
    /// A step that is 0, does not rise or lies beyond the rates; rates that are negative or not finite, or all 0
    /// before the first step.
    pub fn predict(&self, rates: &[f64], steps: &[usize]) -> Result<Vec<Predicted>, Error> {
        let rising = steps.windows(2).all(|pair| pair[0] < pair[1]);
        if !rising || steps.first() == Some(&0) || steps.last().is_some_and(|&last| last > rates.len()) {
            return Err(Error::Data(format!("steps to predict must rise from 1 to at most {}", rates.len())));
        }
        if let Some(step) = rates.iter().position(|rate| !rate.is_finite() || *rate < 0.0) {
            return Err(Error::BadRate { step, rate: rates[step] });
        }
        let exposure = Exposure::new(rates, steps);
        let mut predicted = Vec::with_capacity(steps.len());
        self.law.evaluate(&exposure, &self.theta, |i, loss, gradient| {
            // |L⁻¹g|² is the variance of the law's value.
            let variance: f64 = forward(&self.information, gradient).iter().map(|z| z * z).sum();
            let half = 1.96 * self.widening * (variance + (self.noise * loss).powi(2)).sqrt();
            predicted.push(Predicted { step: steps[i], loss, low: loss - half, high: loss + half });
        });
        if let Some(point) = predicted.iter().find(|point| !point.loss.is_finite()) {
            let step = point.step;
            return Err(Error::Data(format!(
                "the law has no value at step {step}: every rate before it is 0"
            )));
        }
        Ok(predicted)
    }

    /// Predicts a measured curve and compares.
    ///
    /// # Errors
    /// As [`Fit::predict`].
    pub fn score(&self, curve: &LossCurve) -> Result<Score, Error> {
        let predicted = self.predict(curve.rates(), curve.steps())?;
        let losses = curve.losses();
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / losses.len() as f64;
        let center = mean(&mut losses.iter().copied());
        let pairs = || predicted.iter().zip(losses);
        let errors: Vec<f64> = pairs().map(|(point, loss)| point.loss - loss).collect();
        let inside =
            |(point, loss): (&Predicted, &f64)| f64::from(u8::from((point.low..=point.high).contains(loss)));
        let squares = mean(&mut errors.iter().map(|error| error * error));
        let deviations = mean(&mut losses.iter().map(|loss| (loss - center).powi(2)));
        Ok(Score {
            curve: curve.name().to_owned(),
            points: losses.len(),
            mae: mean(&mut errors.iter().map(|error| error.abs())),
            worst: errors.iter().map(|error| error.abs()).fold(0.0, f64::max),
            r_squared: 1.0 - squares / deviations,
            last_error: errors.last().copied().unwrap_or(0.0),
            covered: mean(&mut pairs().map(inside)),
        })
    }
}

impl Task<'_> {
    /// Every relative residual with its gradient.
    fn residuals(&self, theta: &[f64], row: &mut dyn FnMut(f64, &[f64])) {
        let mut scaled = vec![0.0; theta.len()];
        for (curve, exposure) in self.curves.iter().zip(&self.exposures) {
            let losses = curve.losses();
            self.law.evaluate(exposure, theta, |i, loss, gradient| {
                scaled.iter_mut().zip(gradient).for_each(|(scaled, slope)| *scaled = slope / loss);
                row(if loss > 0.0 { (loss / losses[i]).ln() } else { f64::NAN }, &scaled);
            });
        }
    }

    /// θ of the best fit from the law's starts.
    fn best(&self, priors: &[Prior]) -> Result<Vec<f64>, Error> {
        let penalties: Vec<(usize, f64, f64)> =
            priors.iter().map(|prior| (prior.index, prior.mean, MISFIT / prior.deviation)).collect();
        let search = |start, iterations| {
            minimise(start, self.delta, &penalties, iterations, |theta, row| self.residuals(theta, row))
        };
        let mut candidates: Vec<(Vec<f64>, f64)> = (self.law.starts().into_iter())
            .map(|mut start| {
                priors.iter().filter(|prior| prior.deviation < 1e-2).for_each(|p| start[p.index] = p.mean);
                start
            })
            .filter_map(|start| self.solve_linear(start))
            .map(|start| search(start, 6))
            .collect();
        candidates.sort_by(|a, b| a.1.total_cmp(&b.1));
        candidates.truncate(3);
        let best =
            candidates.into_iter().map(|(start, _)| search(start, 300)).min_by(|a, b| a.1.total_cmp(&b.1));
        match best {
            Some((theta, cost)) if cost.is_finite() => Ok(theta),
            _ => Err(Error::Data("the law fits the curves from none of its starts".into())),
        }
    }

    /// Cholesky factor of the information: the curves' in units of the misfit, and the priors'.
    fn information(&self, theta: &[f64], priors: &[Prior]) -> Result<Vec<Vec<f64>>, Error> {
        let (mut matrix, _) = normal_equations(theta, self.delta, &|theta, row| self.residuals(theta, row));
        matrix.iter_mut().flatten().for_each(|entry| *entry /= MISFIT * MISFIT);
        (0..theta.len()).for_each(|i| matrix[i][i] += VAGUE.powi(-2));
        priors.iter().for_each(|prior| matrix[prior.index][prior.index] += prior.deviation.powi(-2));
        cholesky(&matrix)
            .ok_or_else(|| Error::Data("the curves do not determine the law's parameters".into()))
    }

    /// The 68.3 % point of the absolute relative residuals.
    fn noise(&self, theta: &[f64]) -> f64 {
        let mut all = Vec::new();
        self.residuals(theta, &mut |r, _| all.push(r.abs()));
        all.sort_by(f64::total_cmp);
        all[((all.len() - 1) as f64 * 0.683) as usize]
    }

    /// Least squares for L₀, A and the annealing coefficient, which enter linearly, at fixed exponents.
    fn solve_linear(&self, mut theta: Vec<f64>) -> Option<Vec<f64>> {
        let mut normal = vec![vec![0.0; 3]; 3];
        let mut right = vec![0.0; 3];
        for (curve, exposure) in self.curves.iter().zip(&self.exposures) {
            self.law.evaluate(exposure, &theta, |i, _, gradient| {
                let basis = [gradient[0], gradient[1], gradient[3]];
                for (a, row) in normal.iter_mut().enumerate() {
                    right[a] += basis[a] * curve.losses()[i];
                    row.iter_mut().zip(basis).for_each(|(entry, b)| *entry += basis[a] * b);
                }
            });
        }
        normal.iter_mut().enumerate().for_each(|(i, row)| row[i] *= 1.0 + 1e-12);
        let linear = solve(&cholesky(&normal)?, &right);
        let losses = self.curves.iter().flat_map(|curve| curve.losses());
        let least = losses.copied().fold(f64::INFINITY, f64::min);
        theta[0] = linear[0].max(0.1 * least).ln();
        theta[1] = linear[1].max(1e-6).ln();
        theta[3] = linear[2].max(1e-9).ln();
        Some(theta)
    }
}
