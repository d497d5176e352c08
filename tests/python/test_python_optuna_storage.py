"""The Python package: Lehr's storage in Optuna, by Optuna's own suite for third parties, in memory, SQLite and PostgreSQL."""

import pickle
import subprocess
import sys
import time
import warnings

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.testing.pytest_storages import StorageTestCase
from optuna.trial import TrialState

import lehr
import lehr.optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


class TestMemory(StorageTestCase):
    @pytest.fixture
    def storage(self):
        return lehr.optuna.Storage("memory:")


class TestSqlite(StorageTestCase):
    @pytest.fixture
    def storage(self, tmp_path):
        return lehr.optuna.Storage(f"sqlite:///{tmp_path}/study.db")


class TestPostgresql(StorageTestCase):
    @pytest.fixture
    def storage(self, server):
        if server.startswith("skip: "):
            pytest.skip(server.removeprefix("skip: "))
        # One database for all, emptied: making one for each takes longer than all of the tests.
        storage = lehr.optuna.Storage(server)
        for study in storage.get_all_studies():
            storage.delete_study(study._study_id)
        return storage


def objective(trial):
    x = trial.suggest_float("x", -5, 5)
    trial.suggest_categorical("kind", ["a", None, 2, 0.5, True])
    for step in range(3):
        trial.report(x * x + step, step)
        if trial.should_prune():
            raise optuna.TrialPruned()
    return x * x


def test_optunas_own_storage_reads_and_goes_on_with_what_it_wrote(url):
    mine, theirs = lehr.optuna.Storage(url), RDBStorage(url)
    study = optuna.create_study(storage=mine, study_name="s", pruner=optuna.pruners.MedianPruner())
    study.set_user_attr("who", {"name": "ä", "numbers": [1, float("inf")]})
    study.enqueue_trial({"x": 1.5})
    study.optimize(objective, n_trials=15)
    assert study.trials[0].params["x"] == 1.5
    other = optuna.load_study(storage=theirs, study_name="s")
    assert other.user_attrs == study.user_attrs
    assert other.trials == study.trials
    other.optimize(objective, n_trials=5)
    study.optimize(objective, n_trials=5)
    assert [trial.number for trial in study.trials] == list(range(25))
    assert other.trials == study.trials and study.best_trial == other.best_trial


def test_what_it_refuses(tmp_path):
    with pytest.raises(lehr.LehrError, match="MySQL is not supported"):
        lehr.optuna.Storage("mysql://there/x")
    (tmp_path / "text.db").write_text("this is no database, however long it may be " * 20)
    with pytest.raises(lehr.LehrError, match="no SQLite database"):
        lehr.optuna.Storage(f"sqlite:///{tmp_path}/text.db")
    storage = lehr.optuna.Storage("memory:")
    study = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE])
    trial = storage.create_new_trial(study)
    with pytest.raises(lehr.LehrError, match="NaN"):
        storage.set_trial_state_values(trial, TrialState.COMPLETE, [float("nan")])
    assert storage.get_trial(trial).state == TrialState.RUNNING
    with pytest.raises(lehr.LehrError, match="2147483647"):
        storage.set_trial_intermediate_value(trial, 2**31, 1.0)
    with pytest.raises(lehr.LehrError, match="finite"):
        storage.set_trial_param(trial, "x", float("nan"), optuna.distributions.FloatDistribution(0, 1))
    with pytest.raises(lehr.LehrError, match="heartbeat_interval"):
        lehr.optuna.Storage("memory:", heartbeat_interval=0)
    pickled = pickle.dumps(storage)
    code = f"import pickle; pickle.loads({pickled!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "cannot be taken to another process" in done.stderr


def test_a_dead_workers_trial_is_failed_and_tried_again(url):
    seen = []
    storage = lehr.optuna.Storage(
        url,
        heartbeat_interval=1,
        grace_period=2,
        heartbeat_stale_trial_callback=lambda study, trial: seen.append(trial.number),
    )
    study = optuna.create_study(storage=storage)
    dead = study.ask()
    storage.record_heartbeat(dead._trial_id)
    study.optimize(objective, n_trials=1)
    assert study.trials[0].state == TrialState.RUNNING and seen == []
    time.sleep(2.5)
    study.optimize(objective, n_trials=1)
    assert study.trials[0].state == TrialState.FAIL and seen == [0]


WRITER = """
import sys, optuna, lehr.optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.load_study(storage=lehr.optuna.Storage(sys.argv[1]), study_name="s")
study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=10)
"""


def test_waiting_trials_are_taken_once_and_numbers_are_dense(url):
    study = optuna.create_study(storage=lehr.optuna.Storage(url), study_name="s")
    for i in range(20):
        study.enqueue_trial({"x": i / 20})
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, url]) for _ in range(4)]
    assert all(writer.wait(timeout=120) == 0 for writer in writers)
    trials = study.trials
    assert [trial.number for trial in trials] == list(range(40))
    assert all(trial.state == TrialState.COMPLETE for trial in trials)
    assert [trial.params["x"] for trial in trials[:20]] == [i / 20 for i in range(20)]
