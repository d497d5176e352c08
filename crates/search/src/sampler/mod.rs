//! Samplers: what to try next. One file per method.
mod auto;
mod cmaes;
mod given;
mod gp;
mod grid;
mod mixture;
mod random;
mod sobol;
mod tpe;

pub use auto::Auto;
pub use cmaes::CmaEs;
pub(crate) use gp::Outlook;
pub use gp::{FreezeThaw, GaussianProcess, Next};
pub use grid::{Grid, linear_grid, log_grid};
pub use mixture::{Mixture, PartialFixed, Switch};
pub use random::Random;
pub use sobol::Sobol;
pub use tpe::Tpe;

use crate::error::SearchError;
use crate::history::History;
use crate::space::Space;
use crate::stream::Stream;
use crate::value::Params;

/// How many points are drawn before the constraints of a space are called unsatisfiable.
pub(crate) const MAX_DRAWS: usize = 10_000;

/// A function from what was tried to what to try next.
///
/// # Contract
/// - The result depends only on the arguments: the space, the trials of the history (finished and pending, not the order
///   in which they finished) and the stream. A sampler may keep memory to be faster, but not to answer differently.
/// - The stream belongs to the trial that is to be suggested: its number is [`Stream::trial`].
/// - The parameters fit the space ([`Space::raw`] accepts them), respect its conditions, fixed values and constraints.
/// - `space` is the history's own or a copy of it with parameters fixed or constraints added.
/// - Any history is accepted: empty, all pending, all failed, diverged, pruned, infinite or equal objectives.
pub trait Sampler: Send + Sync {
    /// The method's name in lower case (`tpe`).
    fn name(&self) -> &str;

    /// Suggests the parameters of the stream's trial.
    fn suggest(&self, space: &Space, history: &History, stream: &mut Stream) -> Result<Params, SearchError>;
}

impl<S: Sampler + ?Sized> Sampler for Box<S> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn suggest(&self, space: &Space, history: &History, stream: &mut Stream) -> Result<Params, SearchError> {
        (**self).suggest(space, history, stream)
    }
}

/// Checks that a space belongs to a history.
pub(crate) fn check_match(space: &Space, history: &History) -> Result<(), SearchError> {
    if space.same_domains(history.space()) {
        return Ok(());
    }
    Err(SearchError::Mismatch(format!("the space is '{space}', the history's is '{}'", history.space())))
}

/// Draws points of the unit cube until one satisfies the constraints; returns its internal numbers.
pub(crate) fn draw_allowed(
    space: &Space,
    mut draw: impl FnMut(usize, &mut [f64]),
) -> Result<Vec<f64>, SearchError> {
    let mut unit = vec![0.0; space.len()];
    for attempt in 0..MAX_DRAWS {
        draw(attempt, &mut unit);
        let raw = space.from_unit(&unit);
        if space.allows(&raw) {
            return Ok(raw);
        }
        if space.constraints().is_empty() {
            break;
        }
    }
    Err(SearchError::Infeasible { attempts: MAX_DRAWS })
}
