"""What the drop-in schedulers share."""

import math
import warnings

from torch import Tensor
from torch.optim import lr_scheduler as _torch

from .._core import LehrError


def require(good: bool, message: str) -> None:
    """Refuses a setting that torch would accept in silence."""
    if not good:
        raise LehrError(message)


def finite(name: str, value: object) -> None:
    """Refuses NaN and infinity; what is no number is left to torch."""
    if isinstance(value, (int, float)) and not math.isfinite(value):
        raise LehrError(f"{name} must be a finite number, not {value}")


def at_least(name: str, value: object, least: float) -> None:
    """Refuses a number below ``least``, NaN and infinity."""
    finite(name, value)
    if isinstance(value, (int, float)) and value < least:
        raise LehrError(f"{name} must be at least {least}, not {value}")


def warn_outside_step(scheduler: _torch.LRScheduler) -> None:
    """What torch warns of when ``get_lr`` is called from outside."""
    if not scheduler._get_lr_called_within_step:
        warnings.warn(
            "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
            UserWarning,
            stacklevel=3,
        )


def values(optimizer, key: str) -> list:
    """An entry of every group; tensors are copied, so that none is shared."""
    return [value.clone() if isinstance(value, Tensor) else value for value in (g[key] for g in optimizer.param_groups)]


def put(group: dict, key: str, value) -> None:
    """Sets an entry of a group; a tensor is filled in place."""
    old = group[key]
    if isinstance(old, Tensor):
        old.fill_(value.squeeze() if isinstance(value, Tensor) and value.dim() else value)
    else:
        group[key] = value


def put_back(scheduler) -> None:
    """Gives the optimiser the rates that a state was saved with.

    Building a scheduler moves the optimiser's rates to its first update. torch leaves them there when the state is
    loaded afterwards, so that a run that loads the optimiser first goes on at a wrong rate.
    """
    rates = scheduler.__dict__.get("_last_lr")
    groups = scheduler.optimizer.param_groups
    if isinstance(rates, list) and len(rates) == len(groups):
        for group, rate in zip(groups, rates):
            put(group, "lr", rate)


def tell_overwritten(scheduler, state: dict, names: tuple) -> None:
    """Warns where a loaded state undoes what the scheduler was built with."""
    for name in names:
        mine, saved = scheduler.__dict__.get(name), state.get(name)
        if saved is not None and mine is not None and mine != saved:
            warnings.warn(
                f"the saved state has {name}={saved!r}, this {type(scheduler).__name__} was built with {mine!r}: the "
                f"saved value holds. To change the length of a run, set `scheduler.{name}` after loading, or use "
                "lehr.torch.scheduler, which keeps the new horizon",
                UserWarning,
                stacklevel=3,
            )


class Resuming:
    """Loading a state puts the optimiser's rates back, whatever was built or loaded first."""

    _lengths: tuple = ()

    def __getstate__(self):
        return self.__dict__

    def load_state_dict(self, state_dict):
        tell_overwritten(self, state_dict, self._lengths)
        super().load_state_dict(state_dict)
        put_back(self)
