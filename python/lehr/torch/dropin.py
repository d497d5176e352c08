"""Drop-in classes for torch's schedulers whose rate is a function of the step."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor
from torch.optim import lr_scheduler as _torch

from .. import _core
from ._common import Resuming, at_least, finite, values, warn_outside_step


class _Chainable(_core.Stepper, Resuming):
    """The rates of a scheduler that multiplies the rate it finds.

    As long as nobody else changes the rate it is computed from the base rate, so that it does not drift; else what is
    found is multiplied, as torch does always. ``step`` is one call into Rust.
    """

    _kind: str

    def _rates(self):
        link = None if self._is_initial else _core.link(self._kind, self.__dict__, self.last_epoch)
        if link is None:
            return super().get_lr()
        warn_outside_step(self)
        rates = values(self.optimizer, "lr")
        if link[0] == link[1]:
            return rates
        # Groups that were added later have no base.
        return [_chained(rate, base, *link) for rate, base in zip(rates, _padded(self.base_lrs))]

    def _get_closed_form_lr(self):
        link = _core.link(self._kind, self.__dict__, self.last_epoch)
        if link is None:
            return super()._get_closed_form_lr()
        return [base * link[1] + (1.0 - link[1]) * link[2] for base in self.base_lrs]


def _padded(bases: list):
    return itertools.chain(bases, itertools.repeat(None))


def _chained(rate, base, before: float, now: float, floor: float):
    if not isinstance(rate, Tensor):
        return _core.chain(float(rate), None if base is None else float(base), before, now, floor)
    if base is None:
        return rate if before == 0 else (rate - floor) * (now / before) + floor

    # On the device, without waiting for it.
    def closed(share: float):
        return torch.as_tensor(base * share + (1.0 - share) * floor, dtype=rate.dtype, device=rate.device)

    moved = rate + (base - floor) * now if before == 0 else (rate - floor) * (now / before) + floor
    return torch.where(rate == closed(before), closed(now), moved)


class StepLR(_Chainable, _torch.StepLR):
    """torch's StepLR: the rate times ``gamma`` every ``step_size`` updates. Quick.

    A ``step_size`` below 1 and a ``gamma`` that is negative or not finite are refused.

    >>> import lehr, torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = lehr.torch.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    _kind = "step"
    _lengths = ("step_size",)

    def __init__(self, optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        at_least("step_size", step_size, 1)
        at_least("gamma", gamma, 0)
        super().__init__(optimizer, step_size, gamma, last_epoch)

    def get_lr(self):
        """The rates of the next update; for the present ones use ``get_last_lr``."""
        return self._rates()


class MultiStepLR(_Chainable, _torch.MultiStepLR):
    """torch's MultiStepLR: the rate times ``gamma`` at each milestone. Quick.

    A ``gamma`` that is negative or not finite is refused.
    """

    _kind = "multi-step"
    _lengths = ("milestones",)

    def __init__(self, optimizer, milestones, gamma: float = 0.1, last_epoch: int = -1) -> None:
        at_least("gamma", gamma, 0)
        super().__init__(optimizer, milestones, gamma, last_epoch)

    def get_lr(self):
        """The rates of the next update; for the present ones use ``get_last_lr``."""
        return self._rates()


class ConstantLR(_Chainable, _torch.ConstantLR):
    """torch's ConstantLR: the rate times ``factor`` for ``total_iters`` updates. Quick.

    A factor of 0 works; torch divides by it.
    """

    _kind = "constant"
    _lengths = ("total_iters",)

    def __init__(self, optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        finite("factor", factor)
        finite("total_iters", total_iters)
        super().__init__(optimizer, factor, total_iters, last_epoch)

    def get_lr(self):
        """The rates of the next update; for the present ones use ``get_last_lr``."""
        return self._rates()


class LinearLR(_Chainable, _torch.LinearLR):
    """torch's LinearLR: from ``start_factor`` to ``end_factor`` of the rate in ``total_iters`` updates. Quick."""

    _kind = "linear"
    _lengths = ("total_iters",)

    def __init__(
        self,
        optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        for name, value in {"start_factor": start_factor, "end_factor": end_factor, "total_iters": total_iters}.items():
            finite(name, value)
        super().__init__(optimizer, start_factor, end_factor, total_iters, last_epoch)

    def get_lr(self):
        """The rates of the next update; for the present ones use ``get_last_lr``."""
        return self._rates()


class ExponentialLR(_Chainable, _torch.ExponentialLR):
    """torch's ExponentialLR: the rate times ``gamma`` at each update. Quick.

    A ``gamma`` that is negative or not finite is refused.
    """

    _kind = "exponential"

    def __init__(self, optimizer, gamma: float, last_epoch: int = -1) -> None:
        at_least("gamma", gamma, 0)
        super().__init__(optimizer, gamma, last_epoch)

    def get_lr(self):
        """The rates of the next update; for the present ones use ``get_last_lr``."""
        return self._rates()


class PolynomialLR(_Chainable, _torch.PolynomialLR):
    """torch's PolynomialLR: the rate times (1 - t / total_iters)^power. Quick."""

    _kind = "polynomial"
    _lengths = ("total_iters",)

    def __init__(self, optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        finite("total_iters", total_iters)
        finite("power", power)
        super().__init__(optimizer, total_iters, power, last_epoch)

    def get_lr(self):
        """The rates of the next update; for the present ones use ``get_last_lr``."""
        return self._rates()


class CosineAnnealingLR(_Chainable, _torch.CosineAnnealingLR):
    """torch's CosineAnnealingLR: half a cosine from the rate to ``eta_min`` in ``T_max`` updates. Quick.

    After ``T_max`` the rate rises again, as torch's does; ``lehr.torch.scheduler(optimizer, "cosine", steps=…)`` stays
    at its floor. torch loses all digits of a rate near 0; this one keeps them. A ``T_max`` below 1 is refused.
    """

    _kind = "cosine"
    _lengths = ("T_max",)

    def __init__(self, optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        at_least("T_max", T_max, 1)
        finite("eta_min", eta_min)
        super().__init__(optimizer, T_max, eta_min, last_epoch)

    def get_lr(self):
        """The rates of the next update; for the present ones use ``get_last_lr``."""
        return self._rates()


class LambdaLR(Resuming, _torch.LambdaLR):
    """torch's LambdaLR: the rate times a function of the update. As quick as torch's: the function is Python."""


class MultiplicativeLR(Resuming, _torch.MultiplicativeLR):
    """torch's MultiplicativeLR: at each update the rate times a function of it. As quick as torch's."""


_core.register({cls._kind: cls.get_lr for cls in _Chainable.__subclasses__()})
