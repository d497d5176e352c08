//! Lehr's errors as Python exceptions, with the same text.
use lehr_schedule::{Error, ParseError};
use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

create_exception!(lehr, LehrError, PyValueError, "Something that Lehr refuses, and why.");
create_exception!(
    lehr,
    SpecError,
    LehrError,
    "A schedule's text that cannot be read: `problem`, `text`, `start`, `end`, `expected`, `nearest`."
);

/// Adds the exceptions to the module.
pub fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("LehrError", module.py().get_type::<LehrError>())?;
    module.add("SpecError", module.py().get_type::<SpecError>())
}

/// The exception for anything that can be shown.
pub fn lehr(error: impl std::fmt::Display) -> PyErr {
    LehrError::new_err(error.to_string())
}

/// The exception for a text that cannot be read, with its place; places count characters, as Python does.
pub fn spec(py: Python<'_>, error: &ParseError) -> PyErr {
    let raised = SpecError::new_err(error.to_string());
    let value = raised.value(py);
    let characters = |end: usize| error.text.get(..end).map_or(end, |text| text.chars().count());
    let set = || -> PyResult<()> {
        value.setattr("problem", &error.problem)?;
        value.setattr("text", &error.text)?;
        value.setattr("start", characters(error.at.start))?;
        value.setattr("end", characters(error.at.end))?;
        value.setattr("expected", &error.expected)?;
        value.setattr("nearest", &error.nearest)
    };
    match set() {
        Ok(()) => raised,
        Err(other) => other,
    }
}

/// The exception for an error of a schedule.
pub fn schedule(py: Python<'_>, error: &Error) -> PyErr {
    match error {
        Error::Parse(error) => spec(py, error),
        other => lehr(other),
    }
}
