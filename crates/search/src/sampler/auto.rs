//! The default sampler.
use super::{GaussianProcess, Sampler, Tpe};
use crate::error::SearchError;
use crate::history::History;
use crate::space::Space;
use crate::stream::Stream;
use crate::value::Params;

/// The sampler to use if you have no reason for another: [`GaussianProcess`] while the history is short and the space small,
/// [`Tpe`] beyond.
///
/// The model learns more from each trial, at some milliseconds a suggestion and a cost that grows with the trials; with more
/// than 20 free parameters, or from 250 finished trials on, the densities of TPE do as well for a fraction of the cost.
#[derive(Debug, Default)]
pub struct Auto {
    model: GaussianProcess,
    densities: Tpe,
}

const MOST_PARAMETERS: usize = 20;
const MOST_TRIALS: usize = 250;

impl Sampler for Auto {
    fn name(&self) -> &str {
        "auto"
    }

    fn suggest(&self, space: &Space, history: &History, stream: &mut Stream) -> Result<Params, SearchError> {
        if space.free().len() <= MOST_PARAMETERS && history.informative().len() < MOST_TRIALS {
            self.model.suggest(space, history, stream)
        } else {
            self.densities.suggest(space, history, stream)
        }
    }
}
