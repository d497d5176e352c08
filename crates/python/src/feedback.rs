//! Schedules that react to a metric.
use lehr_schedule::{Controller, Feedback, FeedbackState, Horizon, Verdict};
use pyo3::prelude::*;

use crate::error;

/// Adds the class to the module.
pub fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyFeedback>()
}

/// A feedback schedule at work.
#[pyclass(name = "Feedback", module = "lehr._core")]
pub struct PyFeedback {
    feedback: Feedback,
    control: Controller,
    peak: Option<f64>,
    horizon: Horizon,
}

impl PyFeedback {
    /// A feedback schedule over a horizon, at its beginning.
    pub fn new(py: Python<'_>, feedback: Feedback, horizon: &Horizon, peak: Option<f64>) -> PyResult<Self> {
        let control = feedback.resolve(horizon, peak).map_err(|why| error::schedule(py, &why))?;
        Ok(Self { feedback, control, peak, horizon: *horizon })
    }
}

#[pymethods]
impl PyFeedback {
    #[getter]
    fn text(&self) -> String {
        self.feedback.to_string()
    }

    #[getter]
    fn json(&self) -> PyResult<String> {
        serde_json::to_string(&self.feedback).map_err(error::lehr)
    }

    #[getter]
    fn peak(&self) -> Option<f64> {
        self.peak
    }

    #[getter]
    fn horizon(&self) -> (u64, Option<f64>, Option<f64>) {
        (self.horizon.steps, self.horizon.steps_per_epoch, self.horizon.tokens_per_step)
    }

    fn rate(&self, t: u64) -> f64 {
        self.control.rate(t)
    }

    /// Takes in a metric; gives the kind of verdict and what it says.
    fn observe(&mut self, t: u64, metric: f64) -> (&'static str, String) {
        let verdict = self.control.observe(t, metric);
        (kind(&verdict), verdict.to_string())
    }

    /// The state as JSON.
    fn state(&self) -> PyResult<String> {
        serde_json::to_string(self.control.state()).map_err(error::lehr)
    }

    /// Takes up a state that was saved as JSON.
    fn restore(&mut self, py: Python<'_>, state: &str) -> PyResult<()> {
        let state: FeedbackState = serde_json::from_str(state).map_err(error::lehr)?;
        self.control.restore(state).map_err(|why| error::schedule(py, &why))
    }
}

fn kind(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Lead => "lead",
        Verdict::Paused => "paused",
        Verdict::Better => "better",
        Verdict::Worse(_) => "worse",
        Verdict::NotFinite => "not-finite",
        Verdict::Cut { .. } => "cut",
        Verdict::AtFloor => "at-floor",
        Verdict::Raised(_) => "raised",
        Verdict::Reset(_) => "reset",
        Verdict::Gathered => "gathered",
        Verdict::TooSmall => "too-small",
        Verdict::AtTop => "at-top",
    }
}
