"""Schedules for JAX and optax: traceable functions from the update to the rate.

The functions with the names of optax's own schedules (``cosine_decay_schedule``, …) take the same arguments and give the
same rates, with all their digits where the schedule has an end; the others are optax's.

>>> import lehr, jax
>>> rate = lehr.optax.schedule("warmup 10%, cosine", steps=1000, peak=3e-4)
>>> round(float(jax.jit(rate)(99)), 9)
0.0003
"""

from __future__ import annotations

import functools
from typing import Any, Callable

import jax.numpy as jnp
import numpy as np

from . import _core
from .schedules import Curve, Feedback, Schedule
from .schedules import convert as _convert
from .schedules import schedule as _schedule

_TABLE = 1 << 16
"""Up to this many updates every rate is kept."""
_MOST_PIECES = 1 << 16
_TOLERANCE = 4e-7
"""How far a piece may be off, relative to the rate: a few units in the last place of 32-bit floats."""
_EXHAUSTIVE = 1 << 12
"""Pieces up to this length are checked at every update, longer ones at as many."""


def schedule(
    spec: Any,
    steps: int | None = None,
    *,
    peak: float | None = None,
    steps_per_epoch: float | None = None,
    tokens_per_step: float | None = None,
    channel: str | None = None,
    group: str | None = None,
) -> Callable[[Any], Any]:
    """A function from the count of updates to the rate, for ``optax`` and wherever JAX traces.

    ``spec`` is text, data or a :class:`lehr.Schedule`. ``channel`` or ``group`` names what is wanted instead of the rate,
    such as ``momentum``. The function can be jitted, vmapped and differentiated through (its own derivative is 0); counts
    are whole numbers or arrays of them, and a fraction counts as the whole number below it.

    Rates are computed in double precision when the function is made and are accurate to the last digits of a 32-bit float
    at every update, also the last ones, where formulas in 32 bits have lost all of theirs. Up to 65,536 updates they are
    kept in a table; for longer runs as cubic pieces of at most 4e-7 relative error.

    >>> import lehr
    >>> rate = lehr.optax.schedule("cosine", steps=1_000_000, peak=1.0)
    >>> exact = lehr.schedule("cosine", 1_000_000, peak=1.0).at(999_999)
    >>> abs(float(rate(999_999)) / exact - 1) < 1e-6
    True
    """
    if isinstance(spec, (Schedule, Feedback)) and steps is None:
        plain = spec if peak is None else spec.with_peak(peak)
    elif steps is None:
        raise _core.LehrError("say how long the run is: steps=…")
    else:
        plain = _schedule(
            spec, steps, peak=peak, steps_per_epoch=steps_per_epoch, tokens_per_step=tokens_per_step
        )
    if isinstance(plain, Feedback):
        raise _core.LehrError("a schedule that reacts to a metric is no function of the step")
    curve: Curve = plain
    if channel is not None:
        curve = _named(plain.channels, channel, "channel")
    elif group is not None:
        curve = _named(plain.groups, group, "group")
    return _table(curve) if curve.steps < _TABLE else _pieces(curve, plain)


def _named(curves: dict[str, Curve], name: str, what: str) -> Curve:
    if name in curves:
        return curves[name]
    raise _core.LehrError(f"the schedule has no {what} `{name}`; it has: {', '.join(curves) or 'none'}")


def _whole(count: Any, last: int) -> Any:
    """The count within the run as a whole number; where 32 bits cannot hold the run, as a float."""
    whole = jnp.asarray(0).dtype
    count = jnp.asarray(count)
    if last > jnp.iinfo(whole).max:
        return jnp.floor(jnp.clip(count.astype(jnp.asarray(0.0).dtype), 0.0, float(last)))
    if jnp.issubdtype(count.dtype, jnp.floating):
        count = jnp.floor(jnp.clip(count, 0, last))
    return jnp.clip(count, 0, last).astype(whole)


def _table(curve: Curve) -> Callable[[Any], Any]:
    rates = curve.values(0, curve.steps + 1)

    def rate(count):
        return jnp.asarray(rates, dtype=jnp.asarray(0.0).dtype)[_whole(count, curve.steps)]

    return rate


def _pieces(curve: Curve, plain: Schedule) -> Callable[[Any], Any]:
    starts, coefficients = _fitted(curve, [phase.start for phase in plain.phases])

    def rate(count):
        real = jnp.asarray(0.0).dtype
        t = _whole(count, curve.steps)
        place = jnp.searchsorted(jnp.asarray(starts, dtype=t.dtype), t, side="right") - 1
        c = jnp.asarray(coefficients, dtype=real)[place]
        u = (t - jnp.asarray(starts, dtype=t.dtype)[place]).astype(real) * c[..., 4]
        return c[..., 0] + u * (c[..., 1] + u * (c[..., 2] + u * c[..., 3]))

    return rate


def _fitted(curve: Curve, borders: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Starts of pieces, and for each the four coefficients and the scale of its own variable, which runs from 0 to 1."""
    ends = sorted({0, *(b for b in borders if b <= curve.steps), curve.steps, curve.steps + 1})
    todo = list(zip(ends, ends[1:]))[::-1]
    starts, pieces = [], []
    while todo:
        start, stop = todo.pop()
        piece = _fit(curve, start, stop)
        if piece is None:
            middle = (start + stop) // 2
            todo += [(middle, stop), (start, middle)]
        else:
            starts.append(start)
            pieces.append(piece)
        if len(pieces) + len(todo) > _MOST_PIECES:
            raise _core.LehrError(
                f"the schedule has more than {_MOST_PIECES} pieces over {curve.steps} steps: too irregular to be compiled; "
                "use shorter horizons, or longer periods"
            )
    return np.array(starts), np.array(pieces)


def _fit(curve: Curve, start: int, stop: int) -> list[float] | None:
    """A cubic through four rates, or None where it is not accurate in 32-bit arithmetic."""
    length = stop - start
    if length == 1:
        return [curve.at(start), 0.0, 0.0, 0.0, 0.0]
    scale = 1.0 / (length - 1)
    nodes = np.unique(np.round((0.5 - 0.5 * np.cos(np.pi * np.arange(4) / 3)) * (length - 1)).astype(np.int64))
    u = nodes * scale
    solved = np.linalg.solve(np.vander(u, increasing=True), curve.at(start + nodes))
    piece = np.zeros(5)
    piece[: len(solved)] = solved
    piece[4] = scale
    count = min(length, _EXHAUSTIVE)
    places = np.arange(count) * (length - 1) // (count - 1)
    exact = curve.at(start + places)
    c = piece.astype(np.float32)
    x = places.astype(np.float32) * c[4]
    found = c[0] + x * (c[1] + x * (c[2] + x * c[3]))
    good = np.abs(found - exact) <= _TOLERANCE * np.abs(exact)
    return piece.tolist() if good.all() else None


_DROP_INS = (
    "constant_schedule",
    "cosine_decay_schedule",
    "cosine_onecycle_schedule",
    "exponential_decay",
    "linear_onecycle_schedule",
    "linear_schedule",
    "piecewise_constant_schedule",
    "piecewise_interpolate_schedule",
    "polynomial_schedule",
    "sgdr_schedule",
    "warmup_constant_schedule",
    "warmup_cosine_decay_schedule",
    "warmup_exponential_decay_schedule",
)


def __getattr__(name: str) -> Any:
    if name not in _DROP_INS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import optax

    theirs = getattr(optax.schedules, name)

    @functools.wraps(theirs)
    def make(*arguments, **settings):
        call = ", ".join([*map(repr, arguments), *(f"{key}={value!r}" for key, value in settings.items())])
        try:
            found = _convert(f"optax.{name}({call})")
        except _core.LehrError:
            found = None
        # What goes on for good, or has no equal in Lehr (rates below 0, for example), is left to optax.
        if found is None or found.steps is None or found.peak is None:
            return theirs(*arguments, **settings)
        return schedule(found.spec, found.steps, peak=found.peak)

    return make
