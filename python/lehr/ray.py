"""Lehr's search in Ray Tune: a cluster trains, Lehr says what.

>>> from ray.tune import TuneConfig
>>> search = lehr.ray.Searcher("lr=log 1e-5..1e-1", 10_000, metric="loss", schedule="warmup 2%, cosine")
>>> config = TuneConfig(num_samples=30, search_alg=search, scheduler=lehr.ray.Scheduler())
"""

from __future__ import annotations

import json
import math
import os
from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher as _RaySearcher
from ray.tune.search.variant_generator import _has_unresolved_values

from . import _core
from . import schedules as _schedules
from .tuning import Result, Trial, Tuner

_VERSION = 1
_MODES = {"min": "minimize", "max": "maximize"}


def schedule(config: dict[str, Any]) -> _schedules.Schedule:
    """The schedule of the run that ``config`` was suggested for, over its own horizon and at its own peak rate."""
    plan = config["lehr"]
    if plan["spec"] is None:
        raise _core.LehrError("the search has no schedule: give Searcher(…, schedule=…) or a parameter `schedule`")
    return _schedules.schedule(plan["spec"], plan["steps"], peak=plan["peak"])


class Searcher(_RaySearcher):
    """Lehr's search as a searcher of Ray Tune.

    ``space``, ``steps`` and the settings are those of :func:`lehr.tune`, save for ``direction``, which is Ray's ``mode``.
    ``metric`` and ``mode`` are given here: Ray hands those of ``TuneConfig`` on only where there is a ``param_space`` as
    well; if it does, they must be the same. Every trial gets its parameters in its ``config``, and under
    ``config["lehr"]`` its ``steps`` (the horizon), its ``seed``, and what :func:`lehr.ray.schedule` needs.

    A result that has ``time_attr``, in updates, is a report on the way; the last result's ``metric`` is the trial's
    value, NaN means that it diverged. A trial that ended before its horizon (as its results say) counts as pruned, one
    with an error or without the metric as failed.

    Its state (Ray saves it with the experiment) is what was asked and told; restoring it goes through that again, and
    from there suggests what an unbroken search would have.
    """

    def __init__(
        self,
        space: str,
        steps: int,
        *,
        metric: str,
        mode: str = "min",
        time_attr: str = "step",
        **settings: Any,
    ) -> None:
        for name in ("storage", "study", "folder", "direction"):
            if name in settings:
                raise _core.LehrError(f"a search in Ray Tune has no `{name}`: Ray keeps its state, and `mode` is its direction")
        if mode not in _MODES:
            raise _core.LehrError(f"mode is `min` or `max`, not {mode!r}: the search has one objective")
        super().__init__(metric=metric, mode=mode)
        self._time_attr = time_attr
        self._given = {"space": space, "steps": steps, "direction": _MODES[mode], **settings}
        self._begin([])
        # What is wrong with it is said here, not in the middle of an experiment.
        _ = self.tuner

    def _begin(self, events: list[list]) -> None:
        self._events = events
        self._tuner: Tuner | None = None
        self._runs: dict[str, Trial] = {}
        self._last: dict[str, int] = {}
        self._pruned: dict[str, str] = {}
        # State, value, parameters (which pruners do not read) and reports of every trial.
        self._told: dict[str, tuple] = {}

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict, **spec: Any) -> bool:
        """False where Ray's metric or mode are other ones, or ``config`` has a search space of Ray's: it is Lehr's own."""
        return metric in (None, self._metric) and mode in (None, self._mode) and not _has_unresolved_values(config)

    @property
    def tuner(self) -> Tuner:
        """The search itself."""
        if self._tuner is None:
            self._tuner = Tuner(**self._given)
            events, self._events = self._events, []
            for name, *arguments in events:
                getattr(self, f"_{name}")(*arguments)
        return self._tuner

    def result(self) -> Result:
        """What to conclude from the trials so far."""
        return self.tuner.result()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial's config; None if a trial under way must end first, ``FINISHED`` if the search has enough."""
        run = self._ask(trial_id)
        if run is None:
            return None if self.tuner.stopped is None else _RaySearcher.FINISHED
        plan = {"spec": run.spec, "peak": run._rate, "steps": run.steps, "seed": run.seed, "number": run.number}
        return {**run.params, "lehr": plan}

    def on_trial_result(self, trial_id: str, result: dict) -> None:
        """Reports what a trial said on the way."""
        _ = self.tuner  # after a restore, what happened before comes first
        step, value = result.get(self._time_attr), result.get(self._metric)
        if trial_id not in self._runs or step is None or value is None:
            return
        # The scheduler tells it first; a trial that Ray started anew says again what is known.
        if step > self._last.get(trial_id, -1):
            self._report(trial_id, int(step), float(value))

    def on_trial_complete(self, trial_id: str, result: dict | None = None, error: bool = False) -> None:
        """Tells how a trial ended."""
        _ = self.tuner
        run = self._runs.get(trial_id)
        if run is None:
            return
        value = (result or {}).get(self._metric)
        if error or value is None:
            why = "the trial failed in Ray" if error else f"the trial reported no `{self._metric}`"
            return self._tell(trial_id, "failed", None, why)
        self.on_trial_result(trial_id, result)
        last = self._last.get(trial_id)
        if trial_id in self._pruned:
            self._tell(trial_id, "pruned", None, self._pruned[trial_id])
        elif last is not None and last < run.steps and value == value:
            self._tell(trial_id, "pruned", None, f"it was ended at step {last} of {run.steps}")
        else:
            self._tell(trial_id, "complete", float(value), None)

    def _ask(self, trial_id: str, known: dict[str, Any] | None = None) -> Trial | None:
        run = self.tuner.ask()
        if known is not None and (run is None or run.params != known):
            raise _core.LehrError(
                "the saved search cannot be taken up: this version of Lehr would have suggested another trial"
            )
        if run is not None:
            self._runs[trial_id] = run
            self._told[trial_id] = ("running", math.nan, [], [])
            self._events.append(["ask", trial_id, run.params])
        return run

    def _report(self, trial_id: str, step: int, value: float) -> None:
        self._runs[trial_id].report(step, value)
        self._last[trial_id] = step
        self._told[trial_id][3].append((step, value))
        self._events.append(["report", trial_id, step, value])

    def _tell(self, trial_id: str, state: str, value: float | None, reason: str | None) -> None:
        self.tuner.tell(self._runs[trial_id], value, state=state, reason=reason)
        number = math.nan if value is None else value
        # A trial that diverged has no value to compare with.
        known_as = "failed" if state == "complete" and math.isnan(number) else state
        self._told[trial_id] = (known_as, number, [], self._told[trial_id][3])
        for known in (self._runs, self._last, self._pruned):
            known.pop(trial_id, None)
        self._events.append(["tell", trial_id, state, value, reason])

    def _judge(self, trial_id: str, pruner: Any) -> bool:
        run = self._runs.get(trial_id)
        if run is None:
            return False
        prune, reason = run.should_prune(), run.prune_reason
        if not prune and pruner is not None:
            prune, reason = pruner.judge(self._mode == "min", list(self._told.values()), list(self._told).index(trial_id))
        if prune:
            self._pruned[trial_id] = reason
        return prune

    def __getstate__(self) -> dict[str, Any]:
        left_out = ("_tuner", "_runs", "_last", "_pruned", "_told")
        return {name: value for name, value in self.__dict__.items() if name not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin(list(self._events))

    def save(self, checkpoint_path: str) -> None:
        """Writes the state to a file, as JSON; a file that was there is whole until the new one is."""
        state = {
            "version": _VERSION,
            "search": self._given,
            "metric": self._metric,
            "events": self._events,
        }
        part = f"{checkpoint_path}.{os.getpid()}.part"
        with open(part, "w", encoding="utf-8") as file:
            json.dump(state, file)
        os.replace(part, checkpoint_path)

    def restore(self, checkpoint_path: str) -> None:
        """Takes up the search that was saved; it must be of the same space, steps and settings."""
        with open(checkpoint_path, encoding="utf-8") as file:
            try:
                state = json.load(file)
            except ValueError as why:
                raise _core.LehrError(f"{checkpoint_path} is not the state of a search: {why}") from None
        if not isinstance(state, dict) or state.get("version") != _VERSION:
            raise _core.LehrError(f"{checkpoint_path} is not the state of a search of this version of Lehr")
        # How long to go on may change; what is searched may not.
        free = ("trials", "budget")
        same = {name: value for name, value in state["search"].items() if name not in free}
        if same != {name: value for name, value in self._given.items() if name not in free}:
            raise _core.LehrError(f"{checkpoint_path} is of another search: {state['search']}")
        if state["metric"] != self._metric:
            raise _core.LehrError(f"{checkpoint_path} is of a search with metric `{state['metric']}`, not `{self._metric}`")
        self._begin(state["events"])


class Scheduler(FIFOScheduler):
    """Prunes trials of :class:`Searcher`: those that the search itself gives up, and with a ``method`` (``median``,
    ``percentile``, ``successive-halving``, ``hyperband``, ``threshold``, ``patient``, ``wilcoxon``, with the settings of
    ``lehr.optuna.Pruner``) those that this pruner stops. A pruner takes reports at equal steps to be comparable: that
    does not hold for losses in mid-flight at different rates.
    """

    # Results that wait in a buffer would be judged too late.
    _supports_buffered_results = False

    def __init__(self, method: str | None = None, **settings: Any) -> None:
        super().__init__()
        self._given = (method, settings)
        self._pruner = None if method is None else _core.Pruner(method, **settings)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_pruner"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        method, settings = self._given
        self._pruner = None if method is None else _core.Pruner(method, **settings)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict) -> str:
        """``STOP`` if the trial is to end."""
        search = tune_controller.search_alg
        while search is not None and not isinstance(search, Searcher):
            search = getattr(search, "searcher", None)
        if search is None:
            raise _core.LehrError("lehr.ray.Scheduler prunes trials of lehr.ray.Searcher: give that as search_alg")
        search.on_trial_result(trial.trial_id, result)
        return TrialScheduler.STOP if search._judge(trial.trial_id, self._pruner) else TrialScheduler.CONTINUE

    def debug_string(self) -> str:
        """One line for Ray's progress."""
        return "Lehr prunes."
