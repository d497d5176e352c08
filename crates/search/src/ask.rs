//! Define-by-run: parameters that are declared while the objective runs.
use crate::error::SearchError;
use crate::history::History;
use crate::sampler::{Random, Sampler};
use crate::space::{Parameter, Space};
use crate::stream::Stream;
use crate::value::{Params, Value};

/// The parameters of one trial, asked for one by one inside the objective.
///
/// When it is made, the sampler suggests values for every parameter that the history's space knows, jointly; asking for one
/// of these returns its value. A parameter that was never seen is drawn at random and joins the space, as one that a trial
/// may do without ([`Parameter::optional`]). So loops and branches of the objective decide what a trial has.
///
/// ```
/// use lehr_search::{Ask, Direction, History, Outcome, Space, Stream, sampler::Tpe};
///
/// let mut history = History::new(Space::new(), Direction::Minimize);
/// for number in 0..20 {
///     let trial = history.start(&Default::default())?;
///     let mut ask = Ask::new(&Tpe::default(), &history, Stream::for_trial(1, number))?;
///     let layers = ask.int("layers", 1, 3)?;
///     let mut size = 0;
///     for layer in 0..layers {
///         size += ask.log_int(&format!("units{layer}"), 4, 64)?;
///     }
///     let (space, params) = ask.done();
///     history.learn(trial, space, &params)?;
///     history.finish(trial, Outcome::Complete((size as f64 - 50.0).abs()))?;
/// }
/// # Ok::<(), lehr_search::SearchError>(())
/// ```
#[derive(Debug)]
pub struct Ask {
    space: Space,
    suggested: Params,
    asked: Params,
    stream: Stream,
}

impl Ask {
    /// Has the sampler suggest values for all parameters that are known so far.
    pub fn new(sampler: &dyn Sampler, history: &History, mut stream: Stream) -> Result<Self, SearchError> {
        let space = history.space().clone();
        let suggested =
            if space.is_empty() { Params::new() } else { sampler.suggest(&space, history, &mut stream)? };
        Ok(Ask { space, suggested, asked: Params::new(), stream })
    }

    /// The value of a parameter.
    ///
    /// Fails if the parameter contradicts itself, or an earlier trial or an earlier question declared it differently.
    pub fn parameter(&mut self, parameter: Parameter) -> Result<Value, SearchError> {
        let name = parameter.name.clone();
        if let Some(known) = self.space.get(&name) {
            if known.domain != parameter.domain {
                let message = format!(
                    "was {} before and is now {}; a study needs one domain",
                    known.domain, parameter.domain
                );
                return Err(SearchError::parameter(&name, message));
            }
        } else {
            self.space.add(parameter.clone().optional())?;
        }
        if let Some(value) = self.asked.get(&name) {
            return Ok(value.clone());
        }
        let value = match self.suggested.get(&name) {
            Some(value) => value.clone(),
            None => {
                let alone = Space::new().with(parameter)?;
                let empty = History::new(alone.clone(), crate::history::Direction::Minimize);
                let drawn = Random::default().suggest(&alone, &empty, &mut self.stream)?;
                drawn.get(&name).cloned().unwrap_or(Value::Null)
            }
        };
        self.asked.set(name, value.clone());
        Ok(value)
    }

    fn number(&mut self, parameter: Parameter) -> Result<f64, SearchError> {
        Ok(self.parameter(parameter)?.as_f64().unwrap_or(f64::NAN))
    }

    fn whole(&mut self, parameter: Parameter) -> Result<i64, SearchError> {
        self.number(parameter).map(|x| x as i64)
    }

    /// A real number from `low` to `high`.
    pub fn float(&mut self, name: &str, low: f64, high: f64) -> Result<f64, SearchError> {
        self.number(Parameter::float(name, low, high))
    }

    /// A real number from `low` to `high` on a logarithmic scale.
    pub fn log_float(&mut self, name: &str, low: f64, high: f64) -> Result<f64, SearchError> {
        self.number(Parameter::log_float(name, low, high))
    }

    /// A whole number from `low` to `high`.
    pub fn int(&mut self, name: &str, low: i64, high: i64) -> Result<i64, SearchError> {
        self.whole(Parameter::int(name, low, high))
    }

    /// A whole number from `low` to `high` on a logarithmic scale.
    pub fn log_int(&mut self, name: &str, low: i64, high: i64) -> Result<i64, SearchError> {
        self.whole(Parameter::log_int(name, low, high))
    }

    /// One of these.
    pub fn choice<V: Into<Value>>(
        &mut self,
        name: &str,
        choices: impl IntoIterator<Item = V>,
    ) -> Result<Value, SearchError> {
        self.parameter(Parameter::categorical(name, choices))
    }

    /// The space as it is known now, and what was asked for: hand both to [`History::learn`].
    pub fn done(self) -> (Space, Params) {
        (self.space, self.asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, Outcome};
    use crate::sampler::{CmaEs, GaussianProcess, Tpe};

    fn study(sampler: &dyn Sampler, trials: u64) -> History {
        let mut history = History::new(Space::new(), Direction::Minimize);
        for number in 0..trials {
            let trial = history.start(&Params::new()).unwrap();
            let mut ask = Ask::new(sampler, &history, Stream::for_trial(3, number)).unwrap();
            let kind = ask.choice("kind", ["line", "bowl"]).unwrap();
            let x = ask.float("x", -5.0, 5.0).unwrap();
            assert_eq!(ask.float("x", -5.0, 5.0).unwrap(), x, "the same question has the same answer");
            let value = if kind == Value::from("bowl") {
                let y = ask.float("y", -5.0, 5.0).unwrap();
                (x - 1.0).powi(2) + (y + 2.0).powi(2)
            } else {
                3.0 + x.abs()
            };
            let (space, params) = ask.done();
            history.learn(trial, space, &params).unwrap();
            history.finish(trial, Outcome::Complete(value)).unwrap();
        }
        history
    }

    #[test]
    fn branches_are_searched() {
        for sampler in [&Tpe::default() as &dyn Sampler, &GaussianProcess::default(), &CmaEs::default()] {
            let history = study(sampler, 80);
            let best = history.best().unwrap();
            assert!(best.value().unwrap() < 1.0, "{}: {}", sampler.name(), best.params());
            assert_eq!(history.space().len(), 3);
            assert!(history.trials().any(|t| t.params().len() == 2) && best.params().len() == 3);
        }
    }

    #[test]
    fn domains_must_not_change() {
        let history = study(&Tpe::default(), 5);
        let mut ask = Ask::new(&Tpe::default(), &history, Stream::for_trial(3, 5)).unwrap();
        assert!(ask.float("x", -5.0, 6.0).unwrap_err().to_string().contains("was float -5..5 before"));
        assert!(ask.float("z", 1.0, 0.0).is_err());
    }
}
