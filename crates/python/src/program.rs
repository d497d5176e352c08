//! The program `lehr`, run inside Python: the wheel needs no second copy of it.
use std::ffi::OsString;

use pyo3::prelude::*;

/// Adds the function to the module.
pub fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(run_program, module)?)
}

/// Runs the program with these arguments, the first of which is its own name, and gives the exit code.
#[pyfunction]
fn run_program(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| lehr_cli::run_from(arguments))
}
