//! Configurations that a method may choose among.
use crate::error::SearchError;
use crate::history::History;
use crate::space::Space;
use crate::value::Params;

/// Only these configurations may be started, each at most once.
#[derive(Debug, Clone)]
pub(super) struct List(Vec<Params>);

impl List {
    pub(super) fn new(configurations: Vec<Params>) -> Result<List, SearchError> {
        match configurations.is_empty() {
            true => Err(SearchError::setting("list of configurations", "is empty; give at least one")),
            false => Ok(List(configurations)),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The internal numbers of those that no trial of the history has, and that fixed values and constraints allow.
    ///
    /// Fails if one of the list does not fit the space.
    pub(super) fn unused(&self, space: &Space, history: &History) -> Result<Vec<Vec<f64>>, SearchError> {
        let mut unused: Vec<Vec<f64>> = Vec::new();
        for params in &self.0 {
            let raw = space.raw(params)?;
            let same = |column: usize, x: f64| x == raw[column] || (x.is_nan() && raw[column].is_nan());
            let is_fixed = |i: usize| {
                let parameter = &space.parameters()[i];
                parameter.fixed.as_ref().and_then(|v| parameter.domain.raw(v)).is_none_or(|x| same(i, x))
            };
            let tried = (0..history.len()).any(|t| (0..raw.len()).all(|i| same(i, history.raw(i)[t])));
            let twice = unused.iter().any(|other| (0..raw.len()).all(|i| same(i, other[i])));
            if !tried && !twice && (0..raw.len()).all(is_fixed) && space.allows(&raw) {
                unused.push(raw);
            }
        }
        Ok(unused)
    }
}
