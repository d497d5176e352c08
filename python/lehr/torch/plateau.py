"""A drop-in class for torch's scheduler that reacts to a metric."""

from __future__ import annotations

import math
import warnings

from torch.optim import lr_scheduler as _torch

from ._common import Resuming, at_least, finite


class ReduceLROnPlateau(Resuming, _torch.ReduceLROnPlateau):
    """torch's ReduceLROnPlateau: cuts the rate when a metric has stopped improving.

    A relative threshold is a share of the best metric's size, so that with negative metrics a worse one is never the
    best; with torch's it can be. A metric that is NaN counts as no improvement, and says so. A negative ``patience``,
    ``cooldown`` or ``factor``, and numbers that are not finite, are refused.
    """

    def __init__(
        self,
        optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr=0,
        eps: float = 1e-8,
    ) -> None:
        for name, value in {"factor": factor, "patience": patience, "cooldown": cooldown, "eps": eps}.items():
            at_least(name, value, 0)
        finite("threshold", threshold)
        super().__init__(optimizer, mode, factor, patience, threshold, threshold_mode, cooldown, min_lr, eps)

    def step(self, metrics, epoch=None) -> None:
        """Takes in the metric of an epoch."""
        if math.isnan(float(metrics)):
            warnings.warn("the metric is NaN; it counts as no improvement", RuntimeWarning, stacklevel=2)
        super().step(metrics, epoch)

    def _is_better(self, a, best):
        if self.threshold_mode == "abs" or best >= 0 or math.isinf(best):
            return super()._is_better(a, best)
        margin = self.threshold * -best
        return a < best - margin if self.mode == "min" else a > best + margin
