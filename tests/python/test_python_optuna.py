"""The Python package: Lehr's samplers and pruners in Optuna, by Optuna's own suite for third parties."""

import math
import pickle

import numpy as np
import optuna
import pytest
from optuna.testing.pytest_samplers import BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase

import lehr
import lehr.optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
METHODS = ["auto", "tpe", "gp", "cma-es", "random", "sobol"]


class EverySuite(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    """All of Optuna's suites but the one for several objectives: Lehr's samplers are for one and refuse more."""

    METHOD: str

    @pytest.fixture
    def sampler(self):
        return lambda: lehr.optuna.Sampler(self.METHOD, seed=0)


# pytest collects one class for each.
for method in METHODS:
    name = "Test" + method.title().replace("-", "")
    globals()[name] = type(name, (EverySuite,), {"METHOD": method})


def bowl(trial):
    x = trial.suggest_float("x", 1e-4, 1.0, log=True)
    y = trial.suggest_int("y", -10, 10)
    z = trial.suggest_categorical("z", ["a", None, 3.5, True])
    return (math.log10(x) + 2) ** 2 + 0.1 * (y - 3) ** 2 + (z != 3.5)


@pytest.mark.parametrize("method", METHODS)
def test_it_searches(method):
    for direction, sign in (("minimize", 1), ("maximize", -1)):
        study = optuna.create_study(direction=direction, sampler=lehr.optuna.Sampler(method, seed=3))
        study.optimize(lambda trial: sign * bowl(trial), n_trials=35)
        # Better than the middle of what blind draws reach with as many trials.
        assert sign * study.best_value < (0.8 if method in ("auto", "tpe", "gp") else 2.0), method


def test_a_seed_repeats_and_trials_differ():
    def run(seed):
        study = optuna.create_study(sampler=lehr.optuna.Sampler("tpe", seed=seed))
        study.optimize(bowl, n_trials=15)
        return [tuple(trial.params.values()) for trial in study.trials]

    assert run(1) == run(1) != run(2)
    assert len(set(run(1))) > 10
    study = optuna.create_study(sampler=lehr.optuna.Sampler("random", seed=1))
    trial = study.ask()
    a, b = (trial.suggest_float(name, 0, 1) for name in "ab")
    assert a != b


def test_samplers_and_pruners_are_pickled():
    study = optuna.create_study(sampler=lehr.optuna.Sampler("tpe", seed=1), pruner=lehr.optuna.Pruner("median", startup=2))
    study.optimize(bowl, n_trials=12)
    sampler, pruner = pickle.loads(pickle.dumps((study.sampler, study.pruner)))
    other = optuna.create_study(sampler=sampler, pruner=pruner)
    other.add_trials(study.trials)
    space = {"x": optuna.distributions.FloatDistribution(1e-4, 1.0, log=True)}
    assert study.ask(space).params == other.ask(space).params


def test_conditional_and_changing_spaces():
    def objective(trial):
        value = trial.suggest_float("x", -1 - trial.number % 3, 1)
        if trial.suggest_categorical("kind", ["a", "b"]) == "a":
            return value**2 + trial.suggest_float("y", 0, 1)
        return value**2 + 2 * trial.suggest_int("n", 0, 9, step=3)

    for method in METHODS:
        study = optuna.create_study(sampler=lehr.optuna.Sampler(method, seed=1))
        study.optimize(objective, n_trials=20)
        assert study.best_value < 1.0


def test_running_failed_pruned_and_infinite_trials():
    study = optuna.create_study(sampler=lehr.optuna.Sampler("tpe", seed=1, startup=3))
    pending = [study.ask() for _ in range(3)]
    for trial in pending:
        trial.suggest_float("x", 0, 1)

    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        trial.report(float("nan"), 0)
        trial.report(x, 1)
        if trial.number % 4 == 0:
            raise optuna.TrialPruned
        if trial.number % 4 == 1:
            raise ValueError
        return float("inf") if trial.number % 4 == 2 else x

    study.optimize(objective, n_trials=24, catch=ValueError)
    assert study.best_value < 0.3


def learning(trial):
    quality = trial.suggest_float("quality", 0, 1)
    for step in range(10):
        trial.report(1 - quality * step / 9, step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return 1 - quality


@pytest.mark.parametrize(
    "pruner",
    [
        lehr.optuna.Pruner(),
        lehr.optuna.Pruner("percentile", percent=30.0, startup=3),
        lehr.optuna.Pruner("successive-halving", first=1, factor=2),
        lehr.optuna.Pruner("hyperband", first=1, last=9, factor=3),
    ],
)
def test_pruners_stop_bad_trials_only(pruner):
    study = optuna.create_study(sampler=lehr.optuna.Sampler("random", seed=1), pruner=pruner)
    study.optimize(learning, n_trials=60)
    pruned = [t.params["quality"] for t in study.trials if t.state == optuna.trial.TrialState.PRUNED]
    complete = [t.params["quality"] for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE]
    assert len(pruned) > 10 and complete
    assert np.mean(pruned) < np.mean(complete)
    assert pruner.reason


def test_the_median_pruner_agrees_with_optunas():
    rng = np.random.default_rng(0)
    study = optuna.create_study()
    for _ in range(12):
        reports = dict(enumerate(rng.random(6)))
        study.add_trial(optuna.create_trial(value=0.5, intermediate_values=reports))
    theirs, ours = optuna.pruners.MedianPruner(), lehr.optuna.Pruner("median")
    verdicts = []
    for _ in range(40):
        trial = study.ask()
        for step in range(int(rng.integers(1, 6))):
            trial.report(float(rng.random()), step)
        frozen = study.trials[trial.number]
        verdicts.append((theirs.prune(study, frozen), ours.prune(study, frozen)))
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    assert [mine for _, mine in verdicts] == [torchs for torchs, _ in verdicts]
    assert len(set(verdicts)) == 2


def test_thresholds_and_patience():
    study = optuna.create_study(pruner=lehr.optuna.Pruner("threshold", upper=2.0))
    trial = study.ask()
    trial.report(1.0, 0)
    assert not trial.should_prune()
    trial.report(3.0, 1)
    assert trial.should_prune() and "3" in study.pruner.reason
    study = optuna.create_study(pruner=lehr.optuna.Pruner("patient", patience=1))
    trial = study.ask()
    for step, value in enumerate([1.0, 2.0, 2.0, 2.0]):
        trial.report(value, step)
    assert trial.should_prune()
    trial = study.ask()
    assert not trial.should_prune()
    trial.report(float("nan"), 0)
    assert trial.should_prune()


def test_wrong_use_has_a_clear_error():
    for make, words in [
        (lambda: lehr.optuna.Sampler("tpee"), "there are auto, tpe"),
        (lambda: lehr.optuna.Sampler("random", startup=3), "no setting `startup`"),
        (lambda: lehr.optuna.Pruner("medain"), "there are median"),
        (lambda: lehr.optuna.Pruner("median", lower=3), "no setting `lower`; it has: interval"),
        (lambda: lehr.optuna.Pruner("percentile", percent=300.0), "percent"),
        (lambda: lehr.optuna.Pruner("hyperband", first=9, last=1), ""),
    ]:
        with pytest.raises(ValueError, match=words):
            make()
