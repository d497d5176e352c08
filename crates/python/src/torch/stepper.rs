//! The quick step of the drop-in schedulers.
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyInt, PyList, PyTuple};

use super::share::{Kind, Link, plain};

/// The `get_lr` functions whose formulas are known here.
static KNOWN: PyOnceLock<Vec<(Py<PyAny>, Kind)>> = PyOnceLock::new();

/// Tells which function computes which formula. A scheduler whose class has another `get_lr` takes the slow way.
#[pyfunction]
pub fn register(py: Python<'_>, functions: &Bound<'_, PyDict>) -> PyResult<()> {
    let known = functions.iter().filter_map(|(name, function)| {
        let name: String = name.extract().ok()?;
        Some((function.unbind(), Kind::named(&name)?))
    });
    // A second import finds the functions registered already.
    let _ = KNOWN.set(py, known.collect());
    Ok(())
}

/// The shares at update `t` − 1 and `t`, and the floor, by the scheduler's attributes; `None` if they are no plain
/// numbers.
#[pyfunction]
pub fn link(kind: &str, settings: &Bound<'_, PyDict>, t: i64) -> PyResult<Option<(f64, f64, f64)>> {
    let Some(kind) = Kind::named(kind) else { return Ok(None) };
    Ok(kind.link(settings, t, false)?.map(|link| (link.before, link.now, link.floor)))
}

/// The rate of a group after a link.
#[pyfunction]
pub fn chain(rate: f64, base: Option<f64>, before: f64, now: f64, floor: f64) -> f64 {
    Link { before, now, floor }.apply(rate, base)
}

/// A base class whose `step` does in Rust what it can, and passes on to the next class what is out of the ordinary.
#[pyclass(subclass, frozen, name = "Stepper", module = "lehr._core")]
pub struct Stepper {
    /// Makes it larger than a bare object, so that Python builds subclasses on it wherever it stands among their bases.
    _room: u64,
}

#[pymethods]
impl Stepper {
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

/// Does a step if everything is as usual: plain numbers, an unchanged `get_lr`, nothing to warn about.
fn advance(scheduler: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = scheduler.py();
    let function = scheduler.get_type().getattr(intern!(py, "get_lr"))?;
    let known = KNOWN.get(py).and_then(|known| known.iter().find(|(known, _)| known.is(&function)));
    let Some((_, kind)) = known else { return Ok(false) };
    let state = scheduler.getattr(intern!(py, "__dict__"))?;
    let Ok(state) = state.cast::<PyDict>() else { return Ok(false) };
    let Some((t, count)) = next(state)? else { return Ok(false) };
    if state.contains(intern!(py, "get_lr"))? || state.contains(intern!(py, "_update_lr"))? {
        return Ok(false);
    }
    let (Some(optimizer), Some(bases)) =
        (state.get_item(intern!(py, "optimizer"))?, state.get_item(intern!(py, "base_lrs"))?)
    else {
        return Ok(false);
    };
    let groups = optimizer.getattr(intern!(py, "param_groups"))?;
    let (Ok(groups), Ok(bases)) = (groups.cast::<PyList>(), bases.cast::<PyList>()) else { return Ok(false) };
    let Some(link) = kind.link(state, t, true)? else { return Ok(false) };
    let Some(rates) = rates(groups, bases, link)? else { return Ok(false) };
    if link.before != link.now {
        for (group, rate) in groups.iter().zip(rates.iter()) {
            group.cast::<PyDict>()?.set_item(intern!(py, "lr"), rate)?;
        }
    }
    state.set_item(intern!(py, "_step_count"), count)?;
    state.set_item(intern!(py, "last_epoch"), t)?;
    state.set_item(intern!(py, "_last_lr"), rates)?;
    Ok(true)
}

/// The next update and the next count of steps, unless this is one of the first two steps, which may have to warn.
pub fn next(state: &Bound<'_, PyDict>) -> PyResult<Option<(i64, i64)>> {
    let py = state.py();
    let (Some(t), Some(count)) =
        (state.get_item(intern!(py, "last_epoch"))?, state.get_item(intern!(py, "_step_count"))?)
    else {
        return Ok(None);
    };
    if !(t.is_exact_instance_of::<PyInt>() && count.is_exact_instance_of::<PyInt>()) {
        return Ok(None);
    }
    let (t, count): (i64, i64) = (t.extract()?, count.extract()?);
    Ok((t >= 0 && count >= 2).then_some((t + 1, count + 1)))
}

/// The new rates of all groups; `None` if one is no plain number, before anything has been changed.
fn rates<'py>(
    groups: &Bound<'py, PyList>,
    bases: &Bound<'py, PyList>,
    link: Link,
) -> PyResult<Option<Bound<'py, PyList>>> {
    let py = groups.py();
    let rates = PyList::empty(py);
    // Groups that were added later have no base.
    let bases = bases.iter().map(Some).chain(std::iter::repeat(None));
    for (group, base) in groups.iter().zip(bases) {
        let Ok(group) = group.cast_into::<PyDict>() else { return Ok(None) };
        let Some(rate) = group.get_item(intern!(py, "lr"))? else { return Ok(None) };
        let Some(number) = plain(&rate)? else { return Ok(None) };
        let base = match base {
            None => None,
            Some(base) => match plain(&base)? {
                None => return Ok(None),
                known => known,
            },
        };
        match link.before == link.now {
            true => rates.append(rate)?,
            false => rates.append(link.apply(number, base))?,
        }
    }
    Ok(Some(rates))
}
