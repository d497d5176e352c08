"""Drives an optimiser with a Lehr schedule."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from .. import _core
from ..schedules import Change, Feedback, Schedule, schedule

_VERSION = 1


def scheduler(
    optimizer: Optimizer,
    spec: Any,
    steps: int | None = None,
    *,
    peak: Any = None,
    steps_per_epoch: float | None = None,
    tokens_per_step: float | None = None,
    last_epoch: int = -1,
) -> Scheduler | FeedbackScheduler:
    """Drives an optimiser with a schedule; call ``step()`` after each ``optimizer.step()``.

    ``spec`` is text or a :class:`lehr.Schedule`, ``steps`` the length of the run in updates. The peak rate of each
    group is its own ``lr``, unless ``peak`` gives another: a number for all groups, or one for each.

    What goes along ``with`` the rate is set too: ``with momentum …`` sets a group's ``momentum``, or the first of its
    ``betas``; ``with weight-decay …`` sets ``weight_decay`` where a group has any, so that groups without decay stay
    without; any other word sets the entry of that name. ``with group NAME …`` is the rate of the groups whose ``name``
    it is.

    >>> import lehr, torch
    >>> model = torch.nn.Linear(2, 1)
    >>> optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    >>> scheduler = lehr.torch.scheduler(optimizer, "warmup 2, linear with momentum from 0.95 to 0.85", steps=12)
    >>> for _ in range(11):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> round(scheduler.get_last_lr()[0], 9), round(optimizer.param_groups[0]["betas"][0], 9)
    (0.0001, 0.94)
    """
    if isinstance(spec, (Schedule, Feedback)):
        plain = spec
        if steps is not None and steps != spec.steps:
            plain = schedule(spec, steps, steps_per_epoch=steps_per_epoch, tokens_per_step=tokens_per_step)
    elif steps is None:
        raise _core.LehrError("say how long the run is: steps=…")
    else:
        # The peak is each group's own; 1 stands for it until the groups are known.
        plain = schedule(spec, steps, peak=1.0, steps_per_epoch=steps_per_epoch, tokens_per_step=tokens_per_step)
    kind = Feedback if isinstance(plain, Feedback) else Schedule
    return (Scheduler if kind is Schedule else FeedbackScheduler)(optimizer, plain, peak=peak, last_epoch=last_epoch)


class _Base(LRScheduler):
    """Peaks of groups, and what a saved state has in common."""

    def _peaks(self, peak: Any, last_epoch: int) -> None:
        groups = self.optimizer.param_groups
        if peak is None:
            return
        peaks = list(peak) if isinstance(peak, Sequence) else [peak] * len(groups)
        if len(peaks) != len(groups):
            raise _core.LehrError(f"there are {len(peaks)} peaks and {len(groups)} parameter groups")
        for group, rate in zip(groups, peaks):
            group["initial_lr"] = float(rate)

    def _check_state(self, state: dict) -> dict:
        if "lehr" not in state:
            if "last_epoch" not in state:
                raise _core.LehrError("this is no state of a learning-rate scheduler: it has no `last_epoch`")
            warnings.warn(
                f"the state is another scheduler's: only its step, {state['last_epoch']}, is taken over",
                UserWarning,
                stacklevel=4,
            )
            return {"last_epoch": int(state["last_epoch"])}
        if state["lehr"] > _VERSION:
            raise _core.LehrError(
                f"the state was saved by a newer Lehr (form {state['lehr']}, this one reads up to {_VERSION})"
            )
        return state

    def _head(self, plain: Schedule | Feedback) -> dict[str, Any]:
        return {
            "lehr": _VERSION,
            "spec": plain.spec,
            "horizon": list(plain._core.horizon),
            "last_epoch": self.last_epoch,
            "peaks": [float(base) for base in self.base_lrs],
        }

    def _take_peaks(self, state: dict) -> None:
        saved = state.get("peaks")
        if saved is None or saved == [float(base) for base in self.base_lrs]:
            return
        if len(saved) != len(self.base_lrs):
            raise _core.LehrError(
                f"the state is of {len(saved)} parameter groups, the optimiser has {len(self.base_lrs)}"
            )
        if self._peak_given:
            warnings.warn(
                f"the saved state has the peak rates {saved}, this scheduler was given others: the saved ones hold. To "
                "change them, set `scheduler.base_lrs` after loading",
                UserWarning,
                stacklevel=3,
            )
        self.base_lrs = list(saved)

    def _grow(self) -> None:
        """Groups that were added to the optimiser since: their rate is their peak."""
        for group in self.optimizer.param_groups[len(self.base_lrs) :]:
            self.base_lrs.append(float(group.setdefault("initial_lr", float(group["lr"]))))


class Scheduler(_core.PlanStepper, _Base):
    """An ``LRScheduler`` that follows a :class:`lehr.Schedule`. Make one with :func:`lehr.torch.scheduler`.

    The rate is a function of the step alone, so that resuming is exact whatever is built and loaded first: loading a
    state puts the optimiser's rates where they were. Built for another number of steps than the state was saved with,
    it extends the run: the new horizon holds, phases that are over keep their length, and a rate that jumps is warned
    of. ``get_last_lr`` gives floats, also where the optimiser's rates are tensors.
    """

    def __init__(self, optimizer: Optimizer, plain: Schedule, *, peak: Any = None, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        if not isinstance(plain, Schedule):
            raise TypeError("make a scheduler with lehr.torch.scheduler(optimizer, spec, steps=…)")
        self.optimizer = optimizer
        self.schedule = plain
        self._plan = None
        self._peak_given = peak is not None
        self._peaks(peak, last_epoch)
        super().__init__(optimizer, last_epoch)

    @property
    def total_steps(self) -> int:
        """The horizon in updates."""
        return self.schedule.steps

    def get_lr(self) -> list[float]:
        """The rates of the update that is due."""
        return self._planned().rates(max(self.last_epoch, 0))

    def _get_closed_form_lr(self) -> list[float]:
        return self.get_lr()

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else int(epoch)
        self._apply()

    def _apply(self) -> None:
        self._last_lr = self._planned().write(self.optimizer.param_groups, max(self.last_epoch, 0))

    def _planned(self) -> _core.Plan:
        groups = self.optimizer.param_groups
        bases = [float(base) for base in self.base_lrs]
        if self._plan is None or len(self._plan) != len(groups) or self._planned_for != bases:
            self._grow()
            self._planned_for = [float(base) for base in self.base_lrs]
            self._plan = plan(self.schedule, groups, self._planned_for)
        return self._plan

    def extend(self, steps: int) -> Change:
        """Goes on to another horizon, and says what that changes."""
        change = self.schedule.extend(steps, min(self.last_epoch, self.schedule.steps))
        self.schedule, self._plan = change.schedule, None
        self._apply()
        return change

    def state_dict(self) -> dict[str, Any]:
        """Step, schedule and peaks: all that is needed to go on."""
        return self._head(self.schedule)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up a saved state, and gives the optimiser its rates."""
        state = self._check_state(state_dict)
        self._take_peaks(state)
        self.last_epoch = state["last_epoch"]
        # The next step has nothing to warn about: this run has begun.
        self._step_count = max(self.last_epoch + 1, 2)
        self._continue(state)
        self._plan = None
        self._apply()

    def _continue(self, state: dict) -> None:
        """The saved schedule over this one's horizon, or this one where it is another."""
        if "spec" not in state:
            return
        steps, per_epoch, per_step = state["horizon"]
        saved = schedule(state["spec"], steps, peak=1.0, steps_per_epoch=per_epoch, tokens_per_step=per_step)
        mine = self.schedule
        if saved.spec == mine.spec and saved.steps == mine.steps:
            return
        change = saved.extend(mine.steps, min(self.last_epoch, saved.steps))
        if saved.spec != mine.spec and change.schedule.spec != mine.spec:
            warnings.warn(
                f"the saved run had the schedule `{saved.spec}`; from here on it is `{mine.spec}`",
                UserWarning,
                stacklevel=3,
            )
            return
        self.schedule = change.schedule
        if change.jumps or not change.keeps_the_past:
            warnings.warn(str(change), UserWarning, stacklevel=3)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_plan": None}

    def __repr__(self) -> str:
        return f"<lehr.torch.Scheduler {self.schedule.spec!r}, update {self.last_epoch} of {self.schedule.steps}>"


def plan(plain: Schedule, groups: list[dict], peaks: list[float]) -> _core.Plan:
    """What each group follows."""
    at_peak: dict[float, Schedule] = {}
    named = {group.get("name") for group in groups}
    missing = [name for name in plain.groups if name not in named]
    if missing:
        raise _core.LehrError(
            f"the schedule is for a parameter group `{missing[0]}`, and no group of the optimiser has that `name`"
        )
    decays = any(group.get("weight_decay") for group in groups)
    planned = []
    for group, peak in zip(groups, peaks):
        own = at_peak.get(peak)
        if own is None:
            own = at_peak[peak] = plain.with_peak(peak)
        rate = own.groups.get(group.get("name"), own)
        along = []
        for name, curve in own.channels.items():
            key = _key(name, group)
            # Groups that are spared the decay stay so.
            if key != "weight_decay" or not decays or group["weight_decay"]:
                along.append((key, curve._curve))
        planned.append((rate._curve, along))
    return _core.Plan(planned)


def _key(channel: str, group: dict) -> str:
    key = channel.replace("-", "_")
    if key in group:
        return key
    if channel == "momentum" and "betas" in group:
        return "betas"
    known = ", ".join(key for key in group if key not in ("params", "initial_lr", "lr"))
    raise _core.LehrError(f"the schedule sets `{channel}`, which this optimiser does not have; it has: {known}")


class FeedbackScheduler(_Base):
    """An ``LRScheduler`` for a schedule that reacts to a metric. Make one with :func:`lehr.torch.scheduler`.

    Call ``step()`` after each update and ``observe(metric)`` when there is one, or ``step(metric)`` for both at once.

    >>> import lehr, torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    >>> scheduler = lehr.torch.scheduler(optimizer, "warmup 2, plateau by 0.5 patience 1", steps=100)
    >>> for loss in [4.0, 3.0, 2.0, 2.0, 2.0]:
    ...     optimizer.step()
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr(), scheduler.last_verdict.text
    ([0.05], 'level cut to 0.5')
    """

    def __init__(self, optimizer: Optimizer, plain: Feedback, *, peak: Any = None, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        self.feedback = plain
        self.last_verdict = None
        self._peak_given = peak is not None
        self._peaks(peak, last_epoch)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates of the update that is due."""
        self._grow()
        share = self.feedback.at(max(self.last_epoch, 0))
        return [float(base) * share for base in self.base_lrs]

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else int(epoch)
        self._apply()

    def _apply(self) -> None:
        from ._common import put

        self._last_lr = self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, self._last_lr):
            put(group, "lr", rate)

    def step(self, metrics: Any = None) -> None:
        """Goes on to the next update, and takes in the metric that was measured after the last one."""
        if metrics is not None:
            self.last_verdict = self.feedback.observe(max(self.last_epoch, 0), float(metrics))
        super().step()

    def observe(self, metric: Any):
        """Takes in a metric that was measured after the last update, and says what it did."""
        self.last_verdict = self.feedback.observe(max(self.last_epoch - 1, 0), float(metric))
        self._apply()
        return self.last_verdict

    def state_dict(self) -> dict[str, Any]:
        """Step, schedule, peaks and what the rule remembers."""
        return {**self._head(self.feedback), "feedback": self.feedback.state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up a saved state, and gives the optimiser its rates."""
        state = self._check_state(state_dict)
        self._take_peaks(state)
        if "feedback" in state:
            self.feedback.restore(state["feedback"])
        self.last_epoch = state["last_epoch"]
        self._step_count = max(self.last_epoch + 1, 2)
        self._apply()
