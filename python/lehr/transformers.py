"""Schedules for Hugging Face: Trainer and Accelerate."""

from __future__ import annotations

from typing import Any

from . import _core
from .torch import FeedbackScheduler, Scheduler, scheduler

_NAMES = {
    "linear": "linear {warmup} from 0 to 1, linear",
    "cosine": "linear {warmup} from 0 to 1, cosine",
    "constant": "constant",
    "constant_with_warmup": "linear {warmup} from 0 to 1, constant",
}


def get_scheduler(
    name: Any,
    optimizer: Any,
    num_warmup_steps: int | None = None,
    num_training_steps: int | None = None,
    scheduler_specific_kwargs: dict[str, Any] | None = None,
) -> Scheduler | FeedbackScheduler:
    """Shaped like ``transformers.get_scheduler``: ``name`` is a spec of Lehr, or ``linear``, ``cosine``, ``constant`` or
    ``constant_with_warmup`` with the rates that transformers gives them.

    With a spec, ``num_warmup_steps`` updates of Lehr's ``warmup`` come before it. What else a scheduler takes (``peak``,
    ``steps_per_epoch``, ``tokens_per_step``) goes into ``scheduler_specific_kwargs``.

    >>> import lehr, torch
    >>> optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=1e-3)
    >>> s = lehr.transformers.get_scheduler("constant, 1-sqrt 20%", optimizer, 100, 1000)
    >>> s.schedule.spec
    'warmup 100, constant, 1-sqrt 20%'
    """
    if num_training_steps is None:
        raise _core.LehrError("say how long the run is: num_training_steps=…")
    warmup = num_warmup_steps or 0
    spec = str(getattr(name, "value", name))
    if spec in _NAMES:
        spec = _NAMES[spec].format(warmup=warmup) if warmup else _NAMES[spec].rpartition(", ")[2]
    elif warmup:
        spec = f"warmup {warmup}, {spec}"
    return scheduler(optimizer, spec, num_training_steps, **(scheduler_specific_kwargs or {}))
