"""The client for programs that ``lehr tune -- python train.py`` starts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from . import _core
from .schedules import Schedule, schedule


class Child:
    """The run that this program is to make. Get it with :func:`lehr.trial`."""

    def __init__(self, defaults: dict[str, Any]) -> None:
        env = os.environ
        self.tuned: bool = "LEHR_PARAMS" in env
        """Whether ``lehr tune`` has started this program; if not, the defaults hold and reports go nowhere."""
        given = json.loads(env["LEHR_PARAMS"]) if self.tuned else {}
        self.params: dict[str, Any] = {**defaults, **given}
        """The parameters: those of ``lehr tune`` over the defaults."""
        self._steps = int(env["LEHR_STEPS"]) if env.get("LEHR_STEPS") else defaults.get("steps")
        self._spec = env.get("LEHR_SCHEDULE") or defaults.get("schedule")
        self.seed: int = int(env.get("LEHR_SEED") or defaults.get("seed", 0))
        """Seed for weights and order of data."""
        self._report = env.get("LEHR_REPORT") or None
        self._checkpoint = env.get("LEHR_CHECKPOINT") or None
        resume = env.get("LEHR_RESUME") or None
        self.resume: Path | None = None if resume is None else Path(resume)
        """The checkpoint to start from, if there is one."""

    def __getitem__(self, name: str) -> Any:
        try:
            return self.params[name]
        except KeyError:
            raise KeyError(f"{name}: no parameter of the search and no default: lehr.trial({name}=…)") from None

    @property
    def steps(self) -> int:
        """The horizon of the run in updates."""
        if self._steps is None:
            raise _core.LehrError("how long the run is was not said: lehr.trial(steps=…)")
        return self._steps

    @property
    def schedule(self) -> Schedule:
        """The schedule over the run, at the peak rate ``lr`` if there is one."""
        if self._spec is None:
            raise _core.LehrError("the run has no schedule: lehr.trial(schedule=…)")
        return schedule(self._spec, self.steps, peak=self.params.get("lr"))

    @property
    def checkpoint_dir(self) -> Path | None:
        """The folder for checkpoints of this trial, made when it is asked for; None outside of ``lehr tune``."""
        if self._checkpoint is None:
            return None
        folder = Path(self._checkpoint)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def report(self, step: int, **metrics: float) -> None:
        """Tells metrics after ``step`` updates: ``report(100, val_loss=0.3)``; ``lehr tune`` takes the one it was told of."""
        if not metrics:
            raise _core.LehrError("report needs a metric: report(step, val_loss=…)")
        if self._report is None:
            return
        line = json.dumps({"step": int(step), **{name: float(value) for name, value in metrics.items()}})
        # One write, so that lines of several processes do not mix.
        with open(self._report, "ab", buffering=0) as file:
            file.write(line.encode() + b"\n")


def trial(**defaults: Any) -> Child:
    """The run that ``lehr tune`` wants of this program; by itself the program runs with the defaults.

    >>> import lehr
    >>> run = lehr.trial(lr=1e-3, steps=100, schedule="warmup 5%, cosine")
    >>> run["lr"], run.schedule.steps, run.tuned
    (0.001, 100, False)
    >>> run.report(100, val_loss=0.5)
    """
    return Child(defaults)
