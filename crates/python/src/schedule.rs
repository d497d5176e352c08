//! Schedules, curves and calls of other libraries.
use lehr_schedule::convert::{Surroundings, parse_call};
use lehr_schedule::{Curve, Feedback, Horizon, Lint, Schedule, lint};
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};
use std::path::PathBuf;

use crate::error;
use crate::feedback::PyFeedback;

/// Adds the classes and functions to the module.
pub fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyCurve>()?;
    module.add_class::<PySchedule>()?;
    module.add_function(wrap_pyfunction!(read, module)?)?;
    module.add_function(wrap_pyfunction!(convert, module)?)
}

/// A curve: the values of one quantity over a horizon.
#[pyclass(frozen, name = "Curve", module = "lehr._core")]
pub struct PyCurve {
    pub curve: Curve,
}

#[pymethods]
impl PyCurve {
    #[getter]
    fn steps(&self) -> u64 {
        self.curve.steps()
    }

    /// The value at one step.
    fn at(&self, t: u64) -> f64 {
        self.curve.at(t)
    }

    /// The values at many steps: machine integers of 8 bytes in, machine floats of 8 bytes out.
    fn at_many<'py>(
        &self,
        py: Python<'py>,
        steps: &Bound<'py, PyBytes>,
    ) -> PyResult<Bound<'py, PyByteArray>> {
        let bytes = steps.as_bytes();
        let mut out = room(bytes.len())?;
        py.detach(|| {
            for step in bytes.chunks_exact(8) {
                let step = u64::from_ne_bytes(step.try_into().unwrap_or_default());
                out.extend_from_slice(&self.curve.at(step).to_ne_bytes());
            }
        });
        Ok(PyByteArray::new(py, &out))
    }

    /// The values of the steps from `start` up to `stop`, as machine floats.
    fn fill<'py>(&self, py: Python<'py>, start: u64, stop: u64) -> PyResult<Bound<'py, PyByteArray>> {
        let length = usize::try_from(stop.saturating_sub(start)).unwrap_or(usize::MAX);
        let mut out = room(length.saturating_mul(8))?;
        py.detach(|| {
            let mut block = [0.0; 4096];
            for first in (0..length).step_by(block.len()) {
                let values = &mut block[..(length - first).min(4096)];
                let from = start + first as u64;
                self.curve.fill(from..from + values.len() as u64, values);
                values.iter().for_each(|value| out.extend_from_slice(&value.to_ne_bytes()));
            }
        });
        Ok(PyByteArray::new(py, &out))
    }
}

fn room(bytes: usize) -> PyResult<Vec<u8>> {
    let mut room = Vec::new();
    room.try_reserve_exact(bytes).map_err(|_| {
        let values = bytes / 8;
        PyMemoryError::new_err(format!("{values} values at once do not fit the memory: ask for fewer"))
    })?;
    Ok(room)
}

/// A schedule over a horizon.
#[pyclass(frozen, name = "Schedule", module = "lehr._core")]
pub struct PySchedule {
    schedule: Schedule,
    curve: Curve,
}

/// One doubt: severity, code, phase, update, reason, suggestion.
type Doubt = (&'static str, &'static str, String, Option<u64>, String, String);
/// An extension: the schedule to go on with, the first update that changes, whether the past is kept, whether the rate
/// jumps, and all of it in words.
type Extended = (PySchedule, Option<u64>, bool, bool, String);

impl PySchedule {
    fn new(py: Python<'_>, schedule: Schedule, horizon: &Horizon, peak: Option<f64>) -> PyResult<Self> {
        let curve = match peak {
            Some(peak) => schedule.resolve_with_peak(horizon, peak),
            None => schedule.resolve(horizon),
        };
        Ok(Self { curve: curve.map_err(|why| error::schedule(py, &why))?, schedule })
    }

    fn figure(&self) -> lehr_report::Figure {
        let steps = lehr_report::number::count(self.curve.steps());
        let mut figure = lehr_cli::picture::of_rates(self.curve.steps(), self.curve.peak().is_none());
        figure.title = self.schedule.to_string();
        figure.subtitle = format!("{steps} steps");
        let name = if self.curve.groups().next().is_some() { "rate" } else { "" };
        figure = figure.series(lehr_cli::picture::line(name, &self.curve));
        for (name, curve) in self.curve.groups().take(8) {
            figure = figure.series(lehr_cli::picture::line(&format!("group {name}"), curve));
        }
        figure
    }
}

#[pymethods]
impl PySchedule {
    #[getter]
    fn text(&self) -> String {
        self.schedule.to_string()
    }

    #[getter]
    fn json(&self) -> PyResult<String> {
        serde_json::to_string(&self.schedule).map_err(error::lehr)
    }

    #[getter]
    fn peak(&self) -> Option<f64> {
        self.curve.peak()
    }

    /// Steps, steps per epoch, tokens per step.
    #[getter]
    fn horizon(&self) -> (u64, Option<f64>, Option<f64>) {
        let horizon = self.curve.horizon();
        (horizon.steps, horizon.steps_per_epoch, horizon.tokens_per_step)
    }

    #[getter]
    fn curve(&self) -> PyCurve {
        PyCurve { curve: self.curve.clone() }
    }

    #[getter]
    fn channels(&self) -> Vec<(String, PyCurve)> {
        self.curve.channels().map(named).collect()
    }

    #[getter]
    fn groups(&self) -> Vec<(String, PyCurve)> {
        self.curve.groups().map(named).collect()
    }

    /// The phases as text, each with its first update and the one after its last.
    fn phases(&self, py: Python<'_>) -> PyResult<Vec<(String, u64, u64)>> {
        let ranges = self.schedule.phase_steps(&self.curve.horizon());
        let ranges = ranges.map_err(|why| error::schedule(py, &why))?;
        Ok(self
            .schedule
            .phases
            .iter()
            .zip(ranges)
            .map(|(p, range)| (p.to_string(), range.start, range.end))
            .collect())
    }

    /// The same schedule at another peak.
    fn with_peak(&self, py: Python<'_>, peak: Option<f64>) -> PyResult<Self> {
        Self::new(py, self.schedule.clone(), &self.curve.horizon(), peak)
    }

    fn check(&self, py: Python<'_>) -> Vec<Doubt> {
        let lints = py.detach(|| lint(&self.schedule, &self.curve.horizon(), self.curve.peak()));
        lints.into_iter().map(doubt).collect()
    }

    fn extend(&self, py: Python<'_>, steps: u64, done: u64) -> PyResult<Extended> {
        let old = self.curve.horizon();
        if done > old.steps {
            return Err(error::lehr(format!(
                "{done} steps done are more than the run's {} steps",
                old.steps
            )));
        }
        let (new, peak) = (old.with_steps(steps), self.curve.peak());
        let extension = py.detach(|| self.schedule.extend(&old, &new, done, peak));
        let extension = extension.map_err(|why| error::schedule(py, &why))?;
        let (first, keeps, jumps) = (extension.first_change, extension.keeps_the_past(), extension.jumps());
        let words = extension.to_string();
        let extended = Self { schedule: extension.schedule, curve: extension.new };
        Ok((extended, first, keeps, jumps, words))
    }

    fn svg(&self, py: Python<'_>) -> PyResult<String> {
        py.detach(|| lehr_report::svg(&self.figure())).map_err(error::lehr)
    }

    /// Writes a picture; the ending says which kind.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| lehr_report::save(&self.figure(), &path)).map_err(error::lehr)
    }
}

fn named((name, curve): (&str, &Curve)) -> (String, PyCurve) {
    (name.to_owned(), PyCurve { curve: curve.clone() })
}

fn doubt(lint: Lint) -> Doubt {
    let severity = match lint.severity {
        lehr_schedule::Severity::Note => "note",
        lehr_schedule::Severity::Warning => "warning",
        lehr_schedule::Severity::Error => "error",
    };
    (severity, lint.code, lint.phase, lint.update, lint.reason, lint.suggestion)
}

/// Reads a schedule, with feedback or without, as text or as JSON, over a horizon.
#[pyfunction]
#[pyo3(signature = (spec, steps, peak, steps_per_epoch, tokens_per_step))]
fn read(
    py: Python<'_>,
    spec: &str,
    steps: u64,
    peak: Option<f64>,
    steps_per_epoch: Option<f64>,
    tokens_per_step: Option<f64>,
) -> PyResult<Py<PyAny>> {
    let horizon = Horizon { steps, steps_per_epoch, tokens_per_step };
    let data = spec.trim_start().starts_with(['{', '[', '"']);
    if reacts(spec) {
        let feedback = match data {
            true => serde_json::from_str::<Feedback>(spec).map_err(error::lehr)?,
            false => spec.parse::<Feedback>().map_err(|why| error::spec(py, &why))?,
        };
        let feedback = PyFeedback::new(py, feedback, &horizon, peak)?;
        return Ok(Py::new(py, feedback)?.into_any());
    }
    let schedule = match data {
        true => serde_json::from_str::<Schedule>(spec).map_err(error::lehr)?,
        false => spec.parse::<Schedule>().map_err(|why| error::spec(py, &why))?,
    };
    let schedule = PySchedule::new(py, schedule, &horizon, peak)?;
    Ok(Py::new(py, schedule)?.into_any())
}

/// Whether a spec has a phase that reacts to a metric.
fn reacts(spec: &str) -> bool {
    let mut words = spec.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.')));
    words.any(|word| matches!(word, "plateau" | "greedy"))
}

/// A converted call: text, peak, steps, notes.
type Conversion = (String, Option<f64>, Option<u64>, Vec<String>);

/// Another library's call as a schedule: its text, its peak, its steps, and what to mind.
#[pyfunction]
fn convert(py: Python<'_>, call: &str, lr: Option<f64>, steps: Option<u64>) -> PyResult<Conversion> {
    if let Some(lr) = lr.filter(|lr| !(*lr > 0.0 && *lr <= f64::MAX)) {
        return Err(PyValueError::new_err(format!("lr must be a finite number above 0, not {lr}")));
    }
    let found = parse_call(call, &Surroundings { lr, steps }).map_err(|why| error::spec(py, &why))?;
    Ok((found.schedule.to_string(), found.peak, found.steps, found.notes))
}
