//! What makes the schedulers for PyTorch quick: one call into Rust per step, which writes into the optimiser's groups.
mod plan;
mod share;
mod stepper;

use pyo3::PyTypeInfo;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PySuper;

/// Adds the classes and functions to the module.
pub fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<plan::Plan>()?;
    module.add_class::<plan::PlanStepper>()?;
    module.add_class::<stepper::Stepper>()?;
    module.add_function(wrap_pyfunction!(stepper::register, module)?)?;
    module.add_function(wrap_pyfunction!(stepper::link, module)?)?;
    module.add_function(wrap_pyfunction!(stepper::chain, module)?)
}

/// Lets `advance` do the step of a scheduler; what it leaves, the next class behind `T` does.
fn step<T: PyTypeInfo>(
    this: &Bound<'_, T>,
    epoch: Option<&Bound<'_, PyAny>>,
    advance: fn(&Bound<'_, PyAny>) -> PyResult<bool>,
) -> PyResult<()> {
    if epoch.is_none() && advance(this.as_any())? {
        return Ok(());
    }
    let next = PySuper::new(&this.py().get_type::<T>(), this.as_any())?;
    next.call_method1(intern!(this.py(), "step"), (epoch,))?;
    Ok(())
}
