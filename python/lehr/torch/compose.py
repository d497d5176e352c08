"""Drop-in classes for torch's schedulers that are made of others."""

from __future__ import annotations

from bisect import bisect_right

from torch import Tensor
from torch.optim import lr_scheduler as _torch

from ._common import Resuming, put, require, values


def _bases(scheduler) -> list | None:
    """The rates that a scheduler starts from: of a composed one, those of the part that runs first."""
    parts = getattr(scheduler, "_schedulers", None)
    if parts:
        milestones = getattr(scheduler, "_milestones", None)
        return _bases(parts[0 if milestones is None else bisect_right(milestones, 0)])
    return getattr(scheduler, "base_lrs", None)


def _reset(scheduler) -> None:
    """Gives the optimiser the rates that a scheduler starts from."""
    groups, bases = scheduler.optimizer.param_groups, _bases(scheduler)
    if bases is not None and len(bases) == len(groups):
        for group, base in zip(groups, bases):
            put(group, "lr", base)


def _rewind(scheduler) -> None:
    """Back to before the first update."""
    for part in getattr(scheduler, "_schedulers", ()):
        _rewind(part)
    if hasattr(scheduler, "last_epoch"):
        scheduler.last_epoch = -1


def _same(a, b) -> bool:
    return bool((a == b).all()) if isinstance(a, Tensor) or isinstance(b, Tensor) else a == b


class SequentialLR(Resuming, _torch.SequentialLR):
    """torch's SequentialLR: one scheduler after another, the next one from each milestone on.

    Sequences and chains nest. A sequence starts at the rate of its first scheduler, whatever a later one has written
    into the optimiser. Milestones that are not in order are refused.
    """

    _lengths = ("_milestones",)

    def __init__(self, optimizer, schedulers: list, milestones: list[int], last_epoch: int = -1) -> None:
        require(
            all(a <= b for a, b in zip(milestones, milestones[1:])),
            f"milestones must be in order, not {list(milestones)}",
        )
        super().__init__(optimizer, schedulers, milestones, last_epoch)
        first = schedulers[bisect_right(milestones, 0)]
        bases = _bases(first)
        initial = [group["initial_lr"] for group in optimizer.param_groups]
        if bases is not None and not all(_same(a, b) for a, b in zip(bases, initial)):
            _rewind(first)
            _reset(first)
            first._initial_step()
            self._last_lr = first.get_last_lr()

    def _initial_step(self) -> None:
        """The first update, as a part of another scheduler."""
        self.last_epoch = 0
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def _update_lr(self, epoch=None) -> None:
        """Begins anew, as a part of another sequence that has come to it."""
        if epoch != 0:
            raise ValueError(f"a sequence inside another one begins at 0, not at {epoch}")
        _rewind(self)
        _reset(self)
        self._initial_step()


class ChainedScheduler(Resuming, _torch.ChainedScheduler):
    """torch's ChainedScheduler: every scheduler takes its step, one upon the other.

    It may be part of a sequence, anywhere, and begins there as it does alone; in torch's sequence an exponential part
    begins one update too late, and a chain that is not the first part is an error.
    """

    def _initial_step(self) -> None:
        """The first update, as a part of another scheduler."""
        for part in self._schedulers:
            part._initial_step()
        self._last_lr = values(self.optimizer, "lr")

    def _update_lr(self, epoch=None) -> None:
        """Begins anew, as a part of a sequence that has come to it."""
        if epoch != 0:
            raise ValueError(f"a chain inside a sequence begins at 0, not at {epoch}")
        _rewind(self)
        _reset(self)
        self._initial_step()
