//! Random search.
use super::{Sampler, check_match, draw_allowed};
use crate::error::SearchError;
use crate::history::History;
use crate::space::Space;
use crate::stream::Stream;
use crate::value::Params;

/// Random search: every parameter uniform on its own scale, independent of the history.
///
/// Constraints are met by drawing again. Objectives of any kind are ignored. Cost: O(parameters).
/// Source: Bergstra and Bengio, "Random search for hyper-parameter optimization", JMLR 2012.
#[derive(Debug, Clone, Default)]
pub struct Random {}

impl Sampler for Random {
    fn name(&self) -> &str {
        "random"
    }

    fn suggest(&self, space: &Space, history: &History, stream: &mut Stream) -> Result<Params, SearchError> {
        check_match(space, history)?;
        let raw = draw_allowed(space, |_, unit| unit.iter_mut().for_each(|u| *u = stream.uniform()))?;
        Ok(space.params(&raw))
    }
}
