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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Direction;

    #[test]
    fn what_went_through_text_is_taken_and_inactive_parameters_need_no_fixed_value() {
        let mut space: Space = "x=0.0..1.0, o=a|b, z=0.0..1.0 if o=b".parse().unwrap();
        let params = |x: f64, o: &str, z: Option<f64>| {
            let mut params: Params = [("x", x)].into_iter().collect();
            params.set("o", o);
            z.into_iter().for_each(|z| params.set("z", z));
            params
        };
        let (a, b, c) =
            (params(0.1, "a", None), params(1.0 / 3.0, "b", Some(0.5)), params(0.2, "b", Some(0.7)));
        let list = List::new(vec![a.clone(), b, c]).unwrap();
        space.fix("z", 0.5).unwrap();
        let mut history = History::new(space.clone(), Direction::Minimize);
        assert_eq!(list.unused(&space, &history).unwrap().len(), 2, "all but the one with another z");
        history.start(&params(0.33333333333, "b", Some(0.5))).unwrap();
        let left = list.unused(&space, &history).unwrap();
        assert_eq!(left.iter().map(|raw| space.params(raw)).collect::<Vec<_>>(), [a]);
    }
}
