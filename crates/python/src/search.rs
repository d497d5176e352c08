//! Samplers and pruners, as functions of the trials that Python hands over.
use lehr::search::pruner::{
    Hyperband, Median, Patient, Percentile, Pruner, SuccessiveHalving, Threshold, Wilcoxon,
};
use lehr::search::sampler::{Auto, CmaEs, GaussianProcess, Random, Sampler, Sobol, Tpe};
use lehr::search::{
    Direction, Domain, History, Key, Outcome, Parameter, Report, Scale, SearchError, Space, Stream, Value,
};
use pyo3::prelude::*;

use crate::error::{self, LehrError};

/// Adds the classes to the module.
pub fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PySampler>()?;
    module.add_class::<PyPruner>()
}

/// A parameter as Python gives it: kind, lowest and highest value (of a choice: how many there are), whether on a
/// logarithmic scale, step.
type Given = (String, f64, f64, bool, Option<f64>);
/// A trial as Python gives it: how it ended (`running`, `complete`, `pruned`, `failed`), its value, its parameters as
/// numbers (NaN: it has none), its reports.
type Tried = (String, f64, Vec<f64>, Vec<(u64, f64)>);

fn parameter(index: usize, (kind, low, high, log, step): &Given) -> PyResult<Parameter> {
    let scale = if *log { Scale::Log } else { Scale::Linear };
    let domain = match kind.as_str() {
        "float" => Domain::Float { low: *low, high: *high, scale, step: *step },
        "int" => {
            let step = if *log { 1 } else { step.unwrap_or(1.0) as i64 };
            Domain::Int { low: *low as i64, high: *high as i64, scale, step }
        }
        "choice" => Domain::Categorical { choices: (0..*high as i64).map(Value::Int).collect() },
        other => return Err(LehrError::new_err(format!("unknown kind of parameter `{other}`"))),
    };
    Ok(Parameter::new(&format!("p{index}"), domain).optional())
}

fn space(given: &[Given]) -> PyResult<Space> {
    let mut space = Space::new();
    for (index, given) in given.iter().enumerate() {
        space.add(parameter(index, given)?).map_err(error::lehr)?;
    }
    Ok(space)
}

fn direction(minimize: bool) -> Direction {
    if minimize { Direction::Minimize } else { Direction::Maximize }
}

/// The history of these trials.
fn history(space: Space, minimize: bool, trials: &[Tried]) -> Result<History, SearchError> {
    let domains: Vec<Domain> = space.parameters().iter().map(|p| p.domain.clone()).collect();
    let mut history = History::new(space, direction(minimize));
    for (state, value, raw, reports) in trials {
        // By way of the unit interval a number lands on the grid of its domain, whatever was lost on the way.
        let raw: Vec<f64> = domains
            .iter()
            .zip(raw)
            .map(|(domain, x)| if x.is_nan() { f64::NAN } else { domain.from_unit(domain.to_unit(*x)) })
            .collect();
        let params = history.space().params(&raw);
        let number = history.start_seeing(&params, Vec::new())?;
        let mut last = None;
        for (step, value) in reports.iter().filter(|(_, value)| !value.is_nan() || state == "running") {
            if last.is_none_or(|last| last < *step) {
                history.report(number, Report { step: *step, value: *value, key: Key::COMPARABLE })?;
                last = Some(*step);
            }
        }
        let outcome = match state.as_str() {
            "complete" => Outcome::Complete(*value),
            "pruned" => Outcome::Pruned,
            "failed" => Outcome::Failed,
            _ => continue,
        };
        history.finish(number, outcome)?;
    }
    Ok(history)
}

/// A method that suggests parameters.
#[pyclass(frozen, name = "Sampler", module = "lehr._core")]
pub struct PySampler {
    sampler: Box<dyn Sampler>,
}

#[pymethods]
impl PySampler {
    #[new]
    fn new(method: &str, startup: Option<usize>) -> PyResult<Self> {
        let sampler: Box<dyn Sampler> = match (method, startup) {
            ("auto", None) => Box::new(Auto::default()),
            ("tpe", None) => Box::new(Tpe::default()),
            ("tpe", Some(trials)) => Box::new(Tpe::default().startup(trials)),
            ("gp", None) => Box::new(GaussianProcess::default()),
            ("gp", Some(trials)) => Box::new(GaussianProcess::default().startup(trials)),
            ("cma-es", None) => Box::new(CmaEs::default()),
            ("random", None) => Box::new(Random::default()),
            ("sobol", None) => Box::new(Sobol::default()),
            ("auto" | "cma-es" | "random" | "sobol", Some(_)) => {
                return Err(LehrError::new_err(format!("`{method}` has no setting `startup`")));
            }
            _ => {
                return Err(LehrError::new_err(format!(
                    "unknown method `{method}`; there are auto, tpe, gp, cma-es, random, sobol"
                )));
            }
        };
        Ok(Self { sampler })
    }

    /// The numbers of the parameters of trial `number`; of a choice, its index.
    fn suggest(
        &self,
        py: Python<'_>,
        parameters: Vec<Given>,
        minimize: bool,
        trials: Vec<Tried>,
        seed: u64,
        number: u64,
    ) -> PyResult<Vec<f64>> {
        let space = space(&parameters)?;
        let suggested = py.detach(|| {
            let history = history(space, minimize, &trials)?;
            let mut stream = Stream::for_trial(seed, number);
            let space = history.space();
            space.raw(&self.sampler.suggest(space, &history, &mut stream)?)
        });
        suggested.map_err(error::lehr)
    }
}

/// A rule that stops trials.
#[pyclass(frozen, name = "Pruner", module = "lehr._core")]
pub struct PyPruner {
    pruner: Box<dyn Pruner>,
}

fn percentile(percent: f64, startup: usize, warmup: u64, interval: u64) -> Result<Percentile, SearchError> {
    Ok(Percentile::new(percent)?.startup(startup).warmup(warmup).interval(interval))
}

#[pymethods]
impl PyPruner {
    /// The settings that a method has no use for are passed over by the Python side.
    #[new]
    #[pyo3(signature = (method, *, startup=5, warmup=0, interval=1, percent=25.0, first=1, last=81, factor=3, lower=None, upper=None, patience=5, min_delta=0.0, p_threshold=0.1))]
    #[expect(clippy::too_many_arguments, reason = "they are the named settings of all methods")]
    fn new(
        method: &str,
        startup: usize,
        warmup: u64,
        interval: u64,
        percent: f64,
        first: u64,
        last: u64,
        factor: u64,
        lower: Option<f64>,
        upper: Option<f64>,
        patience: usize,
        min_delta: f64,
        p_threshold: f64,
    ) -> PyResult<Self> {
        let make = || -> Result<Option<Box<dyn Pruner>>, SearchError> {
            Ok(Some(match method {
                "median" => Box::new(Median::default().startup(startup).warmup(warmup).interval(interval)),
                "percentile" => Box::new(percentile(percent, startup, warmup, interval)?),
                "successive-halving" => Box::new(SuccessiveHalving::new(first, factor)?),
                "hyperband" => Box::new(Hyperband::new(first, last, factor)?),
                "threshold" => Box::new(Threshold::new(lower, upper)?.warmup(warmup).interval(interval)),
                "patient" => Box::new(Patient::new(patience).min_delta(min_delta)?),
                "wilcoxon" => Box::new(Wilcoxon::new(p_threshold)?.startup(startup)),
                _ => return Ok(None),
            }))
        };
        match make().map_err(error::lehr)? {
            Some(pruner) => Ok(Self { pruner }),
            None => Err(LehrError::new_err(format!(
                "unknown method `{method}`; there are median, percentile, successive-halving, hyperband, threshold, \
                 patient, wilcoxon"
            ))),
        }
    }

    /// Whether to stop a trial, and why.
    fn judge(
        &self,
        py: Python<'_>,
        minimize: bool,
        trials: Vec<Tried>,
        index: usize,
    ) -> PyResult<(bool, String)> {
        let judged = py.detach(|| {
            let history = history(Space::new(), minimize, &trials)?;
            let verdict = history.trial(index).map(|trial| self.pruner.judge(trial));
            Ok(verdict.map(|verdict| (verdict.prune, verdict.reason.to_string())))
        });
        let judged = judged.map_err(|why: SearchError| error::lehr(why))?;
        judged.ok_or_else(|| LehrError::new_err("there is no such trial"))
    }
}
