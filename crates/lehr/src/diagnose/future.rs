//! What a longer horizon would give.

use lehr_theory::laws::{Fit, FitOptions, Law, LossCurve};
use serde::Serialize;

use super::Diagnosis;
use super::run::Run;

/// The loss at the end of a longer run under the same schedule, by the fitted law.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Future {
    /// Horizon in multiples of the run's own.
    pub times: f64,
    /// Updates.
    pub steps: u64,
    /// Predicted loss at its end.
    pub loss: f64,
    /// Lower end of the law's 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// R² of the law on this run.
    pub r_squared: f64,
}

/// A law that explains less of a run's loss is not asked about its future.
const TRUSTED: f64 = 0.97;
/// Horizons asked about.
const TIMES: [f64; 3] = [1.5, 2.0, 4.0];
/// Longest horizon asked about.
const LONGEST: usize = 20_000_000;

/// Fits a law to all runs that did not diverge, and asks it about stretched schedules.
pub(super) fn of(runs: &[Run], diagnoses: &mut [Diagnosis]) {
    let curves: Vec<Option<LossCurve>> =
        runs.iter().zip(&*diagnoses).map(|(run, found)| curve(run, found)).collect();
    let usable: Vec<LossCurve> = curves.iter().flatten().cloned().collect();
    // Curves under one schedule do not tell the richer law apart from the simpler one.
    let law = if usable.len() < 3 { Law::Tissue } else { Law::Progress };
    let Ok(fit) = Fit::new(law, &usable, FitOptions { huber: 3e-3 }) else { return };
    for (curve, diagnosis) in curves.iter().zip(diagnoses) {
        let Some(curve) = curve else { continue };
        let Ok(score) = fit.score(curve) else { continue };
        if score.r_squared < TRUSTED {
            continue;
        }
        for times in TIMES {
            let steps = (curve.rates().len() as f64 * times) as usize;
            if steps > LONGEST {
                break;
            }
            let rate = |t: usize| curve.rates()[((t as f64 / times) as usize).min(curve.rates().len() - 1)];
            let rates: Vec<f64> = (0..steps).map(rate).collect();
            if let Some(end) = fit.predict(&rates, &[steps]).ok().and_then(|points| points.last().copied()) {
                diagnosis.longer.push(Future {
                    times,
                    steps: steps as u64,
                    loss: end.loss,
                    low: end.low,
                    high: end.high,
                    r_squared: score.r_squared,
                });
            }
        }
    }
}

/// The run as the laws see it: the steep first twentieth left out, about 100 points.
fn curve(run: &Run, diagnosis: &Diagnosis) -> Option<LossCurve> {
    let rates = run.rates.as_ref()?;
    let last = *run.steps.last()?;
    if last as usize > LONGEST || diagnosis.findings.iter().any(|finding| finding.code == "diverged") {
        return None;
    }
    let log: Vec<(usize, f64, f64)> = (run.steps.iter().zip(rates).zip(&run.losses))
        .filter(|((step, _), loss)| **step > 0 && loss.is_finite() && **loss > 0.0)
        .map(|((&step, &rate), &loss)| (step as usize, rate, loss))
        .collect();
    // The whole log gives the rates; the fit sees the later part.
    let whole = LossCurve::from_log(run.name.clone(), &log, 0).ok()?;
    let kept: Vec<(usize, f64)> =
        log.iter().filter(|point| point.0 as u64 * 20 > last).map(|&(step, _, loss)| (step, loss)).collect();
    let stride = kept.len().div_ceil(100).max(1);
    let points: Vec<(usize, f64)> = kept.into_iter().step_by(stride).collect();
    LossCurve::new(run.name.clone(), whole.rates().to_vec(), &points).ok()
}
