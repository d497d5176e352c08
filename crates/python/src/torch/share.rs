//! The formulas of torch's chainable schedulers, in the form that keeps every digit.
//!
//! Each is `floor + (base − floor)·share(t)`, so that a step multiplies what lies above the floor by
//! share(t) / share(t − 1), whoever else has changed the rate meanwhile.
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt};

/// A scheduler of torch whose steps can be chained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Step,
    MultiStep,
    Constant,
    Linear,
    Exponential,
    Polynomial,
    Cosine,
}

/// The share of the rate at the update before and at this one, and the floor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    pub before: f64,
    pub now: f64,
    pub floor: f64,
}

impl Kind {
    /// The kind with this name, as the Python side registers it.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "step" => Self::Step,
            "multi-step" => Self::MultiStep,
            "constant" => Self::Constant,
            "linear" => Self::Linear,
            "exponential" => Self::Exponential,
            "polynomial" => Self::Polynomial,
            "cosine" => Self::Cosine,
            _ => return None,
        })
    }

    /// The link from update `t` − 1 to update `t` with the scheduler's settings as they stand in its attributes;
    /// `None` if they are not plain numbers, or torch would fail on them.
    ///
    /// Where the share stays the same and `change` is all that is asked for, both are 1.
    pub fn link(self, settings: &Bound<'_, PyDict>, t: i64, change: bool) -> PyResult<Option<Link>> {
        let py = settings.py();
        let get = |name: &Bound<'_, pyo3::types::PyString>| number(settings, name);
        let mut floor = 0.0;
        let shares = match self {
            Self::Step => match (get(intern!(py, "step_size"))?, get(intern!(py, "gamma"))?) {
                (Some(size), Some(gamma)) if size >= 1.0 => {
                    let count = |t: f64| (t / size).floor();
                    let (before, now) = (count((t - 1) as f64), count(t as f64));
                    match before == now && change {
                        true => Some((1.0, 1.0)),
                        false => Some((gamma.powf(before), gamma.powf(now))),
                    }
                }
                _ => None,
            },
            Self::MultiStep => {
                match (settings.get_item(intern!(py, "milestones"))?, get(intern!(py, "gamma"))?) {
                    (Some(milestones), Some(gamma)) => multi_step(&milestones, gamma, t, change)?,
                    _ => None,
                }
            }
            Self::Constant => match (get(intern!(py, "factor"))?, get(intern!(py, "total_iters"))?) {
                (Some(factor), Some(total)) => Some(around(t, |t| if t < total { factor } else { 1.0 })),
                _ => None,
            },
            Self::Linear => {
                let (from, to) = (get(intern!(py, "start_factor"))?, get(intern!(py, "end_factor"))?);
                match (from, to, get(intern!(py, "total_iters"))?) {
                    (Some(from), Some(to), Some(total)) if total > 0.0 => Some(around(t, |t| {
                        let along = t.min(total) / total;
                        (1.0 - along) * from + along * to
                    })),
                    _ => None,
                }
            }
            Self::Exponential => get(intern!(py, "gamma"))?.map(|gamma| around(t, |t| gamma.powf(t))),
            Self::Polynomial => match (get(intern!(py, "total_iters"))?, get(intern!(py, "power"))?) {
                (Some(total), Some(power)) if total > 0.0 => {
                    Some(around(t, |t| ((total - t.min(total)) / total).powf(power)))
                }
                _ => None,
            },
            Self::Cosine => match (get(intern!(py, "T_max"))?, get(intern!(py, "eta_min"))?) {
                (Some(length), Some(least)) if length > 0.0 => {
                    floor = least;
                    Some(around(t, |t| cosine(t, length)))
                }
                _ => None,
            },
        };
        Ok(shares.map(|(before, now)| Link { before, now, floor }))
    }
}

impl Link {
    /// The rate of a group at this update. Where nobody else has changed it, from the base rate and so without drift.
    pub fn apply(self, rate: f64, base: Option<f64>) -> f64 {
        let Self { before, now, floor } = self;
        let closed = |base: f64, share: f64| share * base + (1.0 - share) * floor;
        match base {
            _ if before == now => rate,
            Some(base) if rate == closed(base, before) => closed(base, now),
            Some(base) if before == 0.0 => rate + (base - floor) * now,
            None if before == 0.0 => rate,
            _ => floor + (rate - floor) * (now / before),
        }
    }
}

fn around(t: i64, share: impl Fn(f64) -> f64) -> (f64, f64) {
    (share((t - 1) as f64), share(t as f64))
}

/// ½(1 + cos(πt/length)) as a squared sine; past `length` it rises again.
fn cosine(t: f64, length: f64) -> f64 {
    let along = t % (2.0 * length);
    let sine = (std::f64::consts::FRAC_PI_2 * ((length - along) / length)).sin();
    sine * sine
}

/// The milestones are a `Counter`: how often each occurs.
fn multi_step(
    milestones: &Bound<'_, PyAny>,
    gamma: f64,
    t: i64,
    change: bool,
) -> PyResult<Option<(f64, f64)>> {
    let Ok(milestones) = milestones.cast::<PyDict>() else { return Ok(None) };
    if change && !milestones.contains(t)? {
        return Ok(Some((1.0, 1.0)));
    }
    let (mut before, mut now) = (0.0, 0.0);
    for (milestone, times) in milestones.iter() {
        let (Ok(milestone), Ok(times)) = (milestone.extract::<f64>(), times.extract::<f64>()) else {
            return Ok(None);
        };
        if milestone <= t as f64 {
            now += times;
        }
        if milestone < t as f64 {
            before += times;
        }
    }
    Ok(Some((gamma.powf(before), gamma.powf(now))))
}

/// A setting that is a plain number.
fn number(settings: &Bound<'_, PyDict>, name: &Bound<'_, pyo3::types::PyString>) -> PyResult<Option<f64>> {
    let Some(value) = settings.get_item(name)? else { return Ok(None) };
    plain(&value)
}

/// A value that is a Python float or integer.
pub fn plain(value: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    match is_plain(value) {
        true => value.extract().map(Some),
        false => Ok(None),
    }
}

/// Whether a value is a Python float or integer.
pub fn is_plain(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyFloat>()
        || value.is_instance_of::<PyFloat>()
        || value.is_instance_of::<PyInt>()
}
