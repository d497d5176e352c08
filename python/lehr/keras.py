"""Schedules for Keras."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from . import _core
from .schedules import Feedback, Schedule
from .schedules import schedule as _schedule

_MOST = 1 << 24


class _Rates(keras.optimizers.schedules.LearningRateSchedule):
    """The rates of a schedule, kept in a table."""

    def __init__(self, spec: str, steps: int, peak: float | None = None, horizon: tuple = (None, None)) -> None:
        self._plain = _schedule(spec, steps, peak=peak, steps_per_epoch=horizon[0], tokens_per_step=horizon[1])
        self._table = self._plain.values(0, steps + 1)

    def __call__(self, step):
        last = self._plain.steps
        place = ops.cast(ops.clip(ops.cast(step, "int64"), 0, last), "int32")
        return ops.take(ops.convert_to_tensor(self._table, dtype=keras.config.floatx()), place)

    def get_config(self) -> dict[str, Any]:
        """What is needed to make it again."""
        s = self._plain
        return {"spec": s.spec, "steps": s.steps, "peak": s.peak, "horizon": (s.steps_per_epoch, s.tokens_per_step)}


keras.saving.register_keras_serializable(package="lehr", name="Rates")(_Rates)


def schedule(
    spec: Any,
    steps: int | None = None,
    *,
    peak: float | None = None,
    steps_per_epoch: float | None = None,
    tokens_per_step: float | None = None,
) -> keras.optimizers.schedules.LearningRateSchedule:
    """A ``LearningRateSchedule`` of Keras with the rates of a schedule, on any backend; it can be saved with a model.

    The rates are kept in a table, so that a run may have at most 2^24 updates.

    >>> import keras, lehr
    >>> rate = lehr.keras.schedule("warmup 10%, cosine", steps=1000, peak=0.5)
    >>> float(rate(99))
    0.5
    >>> optimizer = keras.optimizers.SGD(learning_rate=rate)
    """
    if isinstance(spec, (Schedule, Feedback)) and steps is None:
        plain = spec if peak is None else spec.with_peak(peak)
    elif steps is None:
        raise _core.LehrError("say how long the run is: steps=…")
    else:
        plain = _schedule(spec, steps, peak=peak, steps_per_epoch=steps_per_epoch, tokens_per_step=tokens_per_step)
    if isinstance(plain, Feedback):
        raise _core.LehrError("a schedule that reacts to a metric is no function of the step")
    if plain.steps > _MOST:
        raise _core.LehrError(f"a table of rates holds at most {_MOST} updates, not {plain.steps}")
    return _Rates(plain.spec, plain.steps, plain.peak, (plain.steps_per_epoch, plain.tokens_per_step))
