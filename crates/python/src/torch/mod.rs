//! What makes the schedulers for PyTorch quick: one call into Rust per step, which writes into the optimiser's groups.
mod plan;
mod share;
mod stepper;

use pyo3::prelude::*;

/// Adds the classes and functions to the module.
pub fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<plan::Plan>()?;
    module.add_class::<plan::PlanStepper>()?;
    module.add_class::<stepper::Stepper>()?;
    module.add_function(wrap_pyfunction!(stepper::register, module)?)?;
    module.add_function(wrap_pyfunction!(stepper::link, module)?)?;
    module.add_function(wrap_pyfunction!(stepper::chain, module)?)
}
