"""Lehr's samplers, pruners and storage for Optuna.

>>> import optuna, lehr
>>> optuna.logging.set_verbosity(optuna.logging.ERROR)
>>> study = optuna.create_study(sampler=lehr.optuna.Sampler(seed=1), pruner=lehr.optuna.Pruner("median"))
>>> study.optimize(lambda trial: (trial.suggest_float("x", -5, 5) - 1) ** 2, n_trials=25)
>>> abs(study.best_params["x"] - 1) < 0.1
True
"""

from __future__ import annotations

import random
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from . import _core
from ._optuna_storage import Storage as Storage

_STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


def _given(distribution: BaseDistribution) -> tuple:
    if isinstance(distribution, FloatDistribution):
        return ("float", distribution.low, distribution.high, distribution.log, distribution.step)
    if isinstance(distribution, IntDistribution):
        step = None if distribution.log else float(distribution.step)
        return ("int", float(distribution.low), float(distribution.high), distribution.log, step)
    if isinstance(distribution, CategoricalDistribution):
        return ("choice", 0.0, float(len(distribution.choices)), False, None)
    raise _core.LehrError(f"Lehr does not know the distribution {distribution!r}")


def _reports(trial: FrozenTrial) -> list[tuple[int, float]]:
    return sorted((step, value) for step, value in trial.intermediate_values.items() if step >= 0)


def _tried(trial: FrozenTrial, space: dict[str, BaseDistribution]) -> tuple:
    numbers = []
    for name, distribution in space.items():
        same = trial.distributions.get(name) == distribution
        numbers.append(float(distribution.to_internal_repr(trial.params[name])) if same else float("nan"))
    value = trial.values[0] if trial.state == TrialState.COMPLETE else float("nan")
    return (_STATES[trial.state], value, numbers, _reports(trial))


class Sampler(BaseSampler):
    """Lehr's search as an Optuna sampler.

    ``method`` is ``auto`` (a Gaussian process while the study is short and has at most 20 parameters, TPE beyond),
    ``tpe``, ``gp``, ``cma-es``, ``random`` or ``sobol``. ``startup`` is the number of trials before ``tpe`` or ``gp``
    uses its model. With a ``seed`` a trial's suggestion depends on the seed, its number and the trials before it alone.

    Parameters that all trials share are suggested together; one that only some have, by what these say of it alone.
    For one objective; constraints of Optuna are not looked at.
    """

    def __init__(self, method: str = "auto", *, seed: int | None = None, startup: int | None = None) -> None:
        self._arguments = (method, startup)
        self._sampler = _core.Sampler(method, startup)
        self._seed = random.SystemRandom().getrandbits(64) if seed is None else int(seed) % 2**64
        self._shared = IntersectionSearchSpace(include_pruned=True)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_sampler"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._sampler = _core.Sampler(*self._arguments)

    def __repr__(self) -> str:
        return f"lehr.optuna.Sampler({self._arguments[0]!r})"

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The parameters that all trials have in common."""
        shared = self._shared.calculate(study)
        return {name: distribution for name, distribution in shared.items() if not distribution.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Suggests the shared parameters together."""
        self._raise_error_if_multi_objective(study)
        return self._suggest(study, trial, search_space, trial.number) if search_space else {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Suggests one parameter by itself."""
        self._raise_error_if_multi_objective(study)
        # Another stream for each name, or all parameters of the first trial would be drawn alike.
        salt = sum((i + 1) * byte for i, byte in enumerate(param_name.encode()))
        space = {param_name: param_distribution}
        return self._suggest(study, trial, space, trial.number + (salt << 32))[param_name]

    def _suggest(self, study: Study, trial: FrozenTrial, space: dict[str, BaseDistribution], stream: int) -> dict:
        states = tuple(_STATES)
        trials = [
            _tried(other, space)
            for other in study.get_trials(deepcopy=False, states=states)
            if other.number != trial.number and any(other.distributions.get(n) == d for n, d in space.items())
        ]
        minimize = study.direction != StudyDirection.MAXIMIZE
        given = [_given(distribution) for distribution in space.values()]
        numbers = self._sampler.suggest(given, minimize, trials, self._seed, stream % 2**64)
        return {
            name: distribution.to_external_repr(number)
            for (name, distribution), number in zip(space.items(), numbers, strict=True)
        }


_SETTINGS = {
    "median": {"startup", "warmup", "interval"},
    "percentile": {"percent", "startup", "warmup", "interval"},
    "successive-halving": {"first", "factor"},
    "hyperband": {"first", "last", "factor"},
    "threshold": {"lower", "upper", "warmup", "interval"},
    "patient": {"patience", "min_delta"},
    "wilcoxon": {"p_threshold", "startup"},
}


class Pruner(BasePruner):
    """Lehr's pruners for Optuna: ``median``, ``percentile``, ``successive-halving``, ``hyperband``, ``threshold``,
    ``patient``, ``wilcoxon``.

    Settings are those of the method: ``startup``, ``warmup`` and ``interval`` (median, percentile), ``percent``,
    ``first``, ``last`` and ``factor`` (halving, hyperband), ``lower`` and ``upper`` (threshold), ``patience`` and
    ``min_delta``, ``p_threshold``. A trial whose last report is NaN or infinite is always stopped. Why the last
    decision was as it was is in ``reason``.

    Optuna knows nothing of learning rates: its reports are taken to be comparable at equal steps. That holds for whole
    annealed runs, not for losses in mid-flight at different rates; for these use :func:`lehr.tune`.
    """

    def __init__(self, method: str = "median", **settings: Any) -> None:
        allowed = _SETTINGS.get(method)
        unknown = [] if allowed is None else sorted(set(settings) - allowed)
        if unknown:
            raise _core.LehrError(f"`{method}` has no setting `{unknown[0]}`; it has: {', '.join(sorted(allowed))}")
        self._arguments = (method, settings)
        self._pruner = _core.Pruner(method, **settings)
        self.reason = ""

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_pruner"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._pruner = _core.Pruner(self._arguments[0], **self._arguments[1])

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether the trial should be stopped at its last report."""
        trials = [
            (_STATES[other.state], other.values[0] if other.state == TrialState.COMPLETE else float("nan"), [], _reports(other))
            for other in study.get_trials(deepcopy=False, states=tuple(_STATES))
            if other.number != trial.number
        ]
        trials.append(("running", float("nan"), [], _reports(trial)))
        minimize = study.direction != StudyDirection.MAXIMIZE
        prune, self.reason = self._pruner.judge(minimize, trials, len(trials) - 1)
        return prune
