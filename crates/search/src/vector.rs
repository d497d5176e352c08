//! Loops compiled for the widest vectors of the machine.
use pulp::{Arch, NullaryFnOnce};

/// Runs a closure marked `#[inline(always)]` with the instruction set of this machine. The results are those of any other:
/// the compiler neither reorders sums nor fuses products.
///
/// [`Arch::dispatch`] alone would call a borrowing closure through a shim (`FnOnce::call_once`) that is compiled for the
/// oldest processors and not inlined; a call as `FnMut` has none.
#[inline(always)]
pub(crate) fn vectorized<R>(work: impl FnMut() -> R) -> R {
    Arch::new().dispatch(Work(work))
}

struct Work<F>(F);

impl<R, F: FnMut() -> R> NullaryFnOnce for Work<F> {
    type Output = R;

    #[inline(always)]
    fn call(mut self) -> R {
        (self.0)()
    }
}
