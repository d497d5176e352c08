"""Drop-in classes for torch's schedulers that rise and fall."""

from __future__ import annotations

import math

from torch.optim import lr_scheduler as _torch

from ._common import Resuming, at_least, finite, put, require, values, warn_outside_step


def _squared_sine(share: float) -> float:
    sine = math.sin(math.pi / 2 * share)
    return sine * sine


class CosineAnnealingWarmRestarts(Resuming, _torch.CosineAnnealingWarmRestarts):
    """torch's CosineAnnealingWarmRestarts: a cosine of ``T_0`` epochs, each following one ``T_mult`` times as long.

    The restart is found with whole numbers: torch's logarithm gives ``eta_min`` instead of the peak on many exact
    restart epochs (``T_0=1``, ``T_mult=3``, ``step(121)``). Built with ``last_epoch``, it stands where stepping leads
    to; torch's does not. Near ``eta_min`` it keeps the digits that torch loses.
    """

    _lengths = ("T_0", "T_mult")

    def __init__(self, optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        finite("eta_min", eta_min)
        super().__init__(optimizer, T_0, T_mult, eta_min, last_epoch)

    def get_lr(self):
        """The rates at the present place in the cycle."""
        warn_outside_step(self)
        share = _squared_sine((self.T_i - self.T_cur) / self.T_i)
        return [base * share + (1.0 - share) * self.eta_min for base in self.base_lrs]

    def step(self, epoch=None) -> None:
        """Goes on by one epoch, or to any ``epoch``, which may be fractional: ``step(epoch + batch / batches)``."""
        resumed = self._is_initial and self.last_epoch >= 0
        if epoch is None and (self.last_epoch < 0 or resumed):
            epoch = self.last_epoch + 1
        if epoch is None:
            self.last_epoch += 1
            self.T_cur += 1
            while self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        else:
            if not (epoch >= 0 and math.isfinite(epoch)):
                raise ValueError(f"Expected non-negative epoch, but got {epoch}")
            self.T_cur, self.T_i = self._place(epoch)
            self.last_epoch = math.floor(epoch)
        self._get_lr_called_within_step = True
        try:
            rates = self.get_lr()
        finally:
            self._get_lr_called_within_step = False
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            put(group, "lr", rate)
        self._last_lr = values(self.optimizer, "lr")

    def _place(self, epoch):
        """How far into its cycle an epoch is, and the cycle's length."""
        if self.T_mult == 1:
            return epoch % self.T_0, self.T_0
        start, length = 0, self.T_0
        while epoch >= start + length:
            start += length
            length *= self.T_mult
        return epoch - start, length


class OneCycleLR(Resuming, _torch.OneCycleLR):
    """torch's OneCycleLR: up to ``max_lr`` and down to nearly nothing, momentum the other way.

    Inside a :class:`lehr.torch.SequentialLR` it leaves the rates of the other schedulers alone if it is built after
    them; torch's sequence starts from this scheduler's rate instead of the optimiser's.
    """

    _lengths = ("total_steps",)

    def __init__(self, optimizer, max_lr, total_steps=None, *arguments, **settings) -> None:
        for name in ("div_factor", "final_div_factor"):
            if name in settings:
                finite(name, settings[name])
                require(settings[name] > 0, f"{name} must be above 0, not {settings[name]}")
        super().__init__(optimizer, max_lr, total_steps, *arguments, **settings)

    @staticmethod
    def _annealing_cos(start, end, pct):
        share = _squared_sine(1.0 - pct)
        return start * share + (1.0 - share) * end

    @staticmethod
    def _annealing_linear(start, end, pct):
        return start * (1.0 - pct) + end * pct


class CyclicLR(Resuming, _torch.CyclicLR):
    """torch's CyclicLR: between ``base_lr`` and ``max_lr`` and back, again and again.

    Step sizes of 0 or less are refused.
    """

    def __init__(self, optimizer, base_lr, max_lr, step_size_up: int = 2000, step_size_down=None, *more, **settings):
        finite("step_size_up", step_size_up)
        require(step_size_up > 0, f"step_size_up must be above 0, not {step_size_up}")
        if step_size_down is not None:
            at_least("step_size_down", step_size_down, 0)
        super().__init__(optimizer, base_lr, max_lr, step_size_up, step_size_down, *more, **settings)
