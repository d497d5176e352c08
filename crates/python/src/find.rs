//! What the readings of a range test say.
use lehr::find::{Readings, read};
use pyo3::prelude::*;

use crate::error;

/// Adds the function to the module.
pub fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(read_range_test, module)?)
}

/// Reads a range test; the answer is JSON.
#[pyfunction]
fn read_range_test(py: Python<'_>, rates: Vec<f64>, losses: Vec<f64>, smooth: bool) -> PyResult<String> {
    let found = py.detach(|| read(&Readings { rates, losses }, smooth)).map_err(error::lehr)?;
    serde_json::to_string(&found).map_err(error::lehr)
}
