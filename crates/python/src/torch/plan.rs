//! The rates, momenta and weight decays of an optimiser's groups as functions of the step.
use lehr_schedule::Curve;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyList, PyString, PyTuple};

use super::share::is_plain;
use super::stepper::next;
use crate::schedule::PyCurve;

/// One entry of an optimiser's group that goes along with the rate.
struct Along {
    /// The key in the group; of `betas` the first one is set.
    key: Py<PyString>,
    betas: bool,
    curve: Curve,
}

struct Group {
    rate: Curve,
    along: Vec<Along>,
}

/// What every group of an optimiser follows.
#[pyclass(frozen, name = "Plan", module = "lehr._core")]
pub struct Plan {
    groups: Vec<Group>,
}

/// A group as Python gives it: its rate, and keys with their curves.
type Given<'py> = (PyRef<'py, PyCurve>, Vec<(Bound<'py, PyString>, PyRef<'py, PyCurve>)>);

#[pymethods]
impl Plan {
    #[new]
    fn new(groups: Vec<Given<'_>>) -> PyResult<Self> {
        let groups = groups.into_iter().map(|(rate, along)| {
            let along = along.into_iter().map(|(key, curve)| {
                let betas = key.to_str()? == "betas";
                Ok(Along { key: key.unbind(), betas, curve: curve.curve.clone() })
            });
            Ok(Group { rate: rate.curve.clone(), along: along.collect::<PyResult<_>>()? })
        });
        Ok(Self { groups: groups.collect::<PyResult<_>>()? })
    }

    fn __len__(&self) -> usize {
        self.groups.len()
    }

    /// The rates of all groups at update `t`.
    fn rates(&self, t: u64) -> Vec<f64> {
        self.groups.iter().map(|group| group.rate.at(t)).collect()
    }

    /// Sets rates and what goes along at update `t`; gives the rates.
    fn write<'py>(&self, groups: &Bound<'py, PyList>, t: u64) -> PyResult<Bound<'py, PyList>> {
        let py = groups.py();
        let rates = PyList::empty(py);
        for (group, plan) in groups.iter().zip(&self.groups) {
            let group = group.cast_into::<PyDict>()?;
            let rate = PyFloat::new(py, plan.rate.at(t));
            set(&group, intern!(py, "lr"), &rate)?;
            rates.append(rate)?;
            for along in &plan.along {
                let (key, value) = (along.key.bind(py), PyFloat::new(py, along.curve.at(t)));
                match along.betas {
                    true => set_beta(&group, key, &value)?,
                    false => set(&group, key, &value)?,
                }
            }
        }
        Ok(rates)
    }
}

/// Sets an entry; a tensor is filled in place, as optimisers that live on a device need it.
fn set(group: &Bound<'_, PyDict>, key: &Bound<'_, PyString>, value: &Bound<'_, PyFloat>) -> PyResult<()> {
    match group.get_item(key)? {
        Some(old) if !is_plain(&old) => match old.hasattr(intern!(group.py(), "fill_"))? {
            true => old.call_method1(intern!(group.py(), "fill_"), (value,)).map(drop),
            false => group.set_item(key, value),
        },
        _ => group.set_item(key, value),
    }
}

fn set_beta(
    group: &Bound<'_, PyDict>,
    key: &Bound<'_, PyString>,
    value: &Bound<'_, PyFloat>,
) -> PyResult<()> {
    let Some(old) = group.get_item(key)? else { return Ok(()) };
    let old: Vec<Bound<'_, PyAny>> = old.extract()?;
    let first = std::iter::once(value.as_any().clone());
    let betas: Vec<_> = first.chain(old.into_iter().skip(1)).collect();
    group.set_item(key, PyTuple::new(group.py(), betas)?)
}

/// A base class whose `step` follows the scheduler's plan, and passes on to the next class what is out of the ordinary.
#[pyclass(subclass, frozen, name = "PlanStepper", module = "lehr._core")]
pub struct PlanStepper {
    /// Makes it larger than a bare object, so that Python builds subclasses on it wherever it stands among their bases.
    _room: u64,
}

#[pymethods]
impl PlanStepper {
    /// Takes and ignores what the scheduler's own constructor is given.
    #[new]
    #[pyo3(signature = (*_arguments, **_settings))]
    fn new(_arguments: &Bound<'_, PyTuple>, _settings: Option<&Bound<'_, PyDict>>) -> Self {
        Self { _room: 0 }
    }

    /// Goes on to the next update; call it after the optimiser's own step.
    #[pyo3(signature = (epoch = None))]
    fn step(this: &Bound<'_, Self>, epoch: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        super::step(this, epoch, advance)
    }
}

fn advance(scheduler: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = scheduler.py();
    let state = scheduler.getattr(intern!(py, "__dict__"))?;
    let Ok(state) = state.cast::<PyDict>() else { return Ok(false) };
    let Some((t, count)) = next(state)? else { return Ok(false) };
    let (Some(plan), Some(optimizer)) =
        (state.get_item(intern!(py, "_plan"))?, state.get_item(intern!(py, "optimizer"))?)
    else {
        return Ok(false);
    };
    let Ok(plan) = plan.cast::<Plan>() else { return Ok(false) };
    let groups = optimizer.getattr(intern!(py, "param_groups"))?;
    let Ok(groups) = groups.cast::<PyList>() else { return Ok(false) };
    if groups.len() != plan.get().groups.len() {
        return Ok(false);
    }
    let rates = plan.get().write(groups, t.unsigned_abs())?;
    state.set_item(intern!(py, "_step_count"), count)?;
    state.set_item(intern!(py, "last_epoch"), t)?;
    state.set_item(intern!(py, "_last_lr"), rates)?;
    Ok(true)
}
