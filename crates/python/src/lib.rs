//! The extension module `lehr._core`: what the Python package `lehr` takes from Rust.
//!
//! It is private to the package, whose Python side (`python/lehr`) has the documented names.

mod error;
mod feedback;
mod find;
mod program;
mod schedule;
mod search;
mod storage;
mod torch;
mod tune;

use pyo3::prelude::*;

/// What the Python package `lehr` takes from Rust.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    error::add(module)?;
    schedule::add(module)?;
    feedback::add(module)?;
    find::add(module)?;
    program::add(module)?;
    search::add(module)?;
    storage::add(module)?;
    torch::add(module)?;
    tune::add(module)
}
