//! Configurations that a method may choose among.
use crate::error::SearchError;
use crate::history::History;
use crate::sampler::given::{Taken, fits};
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
        let mut taken = Taken::new(history);
        let mut unused = Vec::new();
        for params in &self.0 {
            let raw = space.raw(params)?;
            if fits(space, &raw) && taken.take(&raw) {
                unused.push(raw);
            }
        }
        Ok(unused)
    }
}
