"""`lehr.ray` in Ray Tune, on a cluster of two nodes on this machine."""

import copy
import json
import math
import os
import pickle
import signal
import subprocess
import sys
import time

os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AIR_NEW_OUTPUT="0", RAY_DISABLE_IMPORT_WARNING="1")

import pytest  # noqa: E402
import ray  # noqa: E402
from ray import tune  # noqa: E402
from ray.cluster_utils import Cluster  # noqa: E402

import lehr  # noqa: E402

SPACE = "lr=log 1e-4..1, layers=1..4"
SETTINGS = {"strategy": "tpe", "schedule": "cosine", "comparable_reports": True}


def searcher(**more):
    return lehr.ray.Searcher(SPACE, 8, **{"metric": "loss", "mode": "min", "seed": 5, **SETTINGS, **more})


def loss(config):
    return (math.log10(config["lr"]) + 2) ** 2 + config["layers"] / 10


def go(search, ids):
    """Asks and tells by hand, in one order."""
    seen = []
    for i in ids:
        config = search.suggest(f"t{i}")
        seen.append(config)
        search.on_trial_result(f"t{i}", {"loss": loss(config) + 1, "step": 4})
        search.on_trial_complete(f"t{i}", {"loss": loss(config), "step": 8}, error=False)
    return seen


def test_the_same_seed_suggests_the_same():
    first = go(searcher(), range(15))
    assert first == go(searcher(), range(15))
    assert first != go(searcher(seed=6), range(15))


@pytest.mark.parametrize("how", ["file", "pickle"])
def test_a_restored_search_goes_on_as_an_unbroken_one(tmp_path, how):
    whole = go(searcher(), range(15))
    broken = searcher()
    begun = go(broken, range(12))
    hanging = broken.suggest("hanging")
    broken.on_trial_result("hanging", {"loss": 3.0, "step": 2})
    if how == "file":
        broken.save(tmp_path / "state")
        again = searcher()
        again.restore(tmp_path / "state")
        assert os.listdir(tmp_path) == ["state"]
    else:
        again = copy.deepcopy(pickle.loads(pickle.dumps(broken)))
    # Ray starts a trial that was under way anew, under its old name.
    again.on_trial_result("hanging", {"loss": 3.0, "step": 2})
    again.on_trial_complete("hanging", {"loss": loss(hanging), "step": 8})
    assert begun + [hanging] + go(again, range(13, 15)) == whole[:12] + [whole[12]] + go_after(12, 15)


def go_after(hanging, end):
    """What an unbroken search suggests whose trial `hanging` reported at step 2."""
    search = searcher()
    go(search, range(hanging))
    config = search.suggest("hanging")
    search.on_trial_result("hanging", {"loss": 3.0, "step": 2})
    search.on_trial_complete("hanging", {"loss": loss(config), "step": 8})
    return go(search, range(hanging + 1, end))


def test_what_it_refuses(tmp_path):
    search = searcher()
    go(search, range(2))
    search.save(tmp_path / "state")
    with pytest.raises(lehr.LehrError, match="another search"):
        searcher(seed=9).restore(tmp_path / "state")
    with pytest.raises(lehr.LehrError, match="metric"):
        searcher(metric="other").restore(tmp_path / "state")
    (tmp_path / "half").write_text('{"version": 1, "ev')
    kept = searcher()
    go(kept, range(1))
    with pytest.raises(lehr.LehrError, match="not the state"):
        kept.restore(tmp_path / "half")
    assert kept.tuner.progress()["ended"] == 1
    with pytest.raises(lehr.LehrError):
        lehr.ray.Searcher("lr=log 1..", 8, metric="loss")
    with pytest.raises(lehr.LehrError, match="storage"):
        lehr.ray.Searcher(SPACE, 8, metric="loss", storage="sqlite:///s.db")
    with pytest.raises(lehr.LehrError, match="mode"):
        searcher(mode="obs")
    assert searcher().set_search_properties("loss", "min", {"layers": 3})
    assert not searcher().set_search_properties("loss", "max", {})
    assert not searcher().set_search_properties("loss", "min", {"lr": tune.uniform(0, 1)})


def test_how_trials_end():
    search = searcher()
    for name in "abcdef":
        search.suggest(name)
    search.on_trial_complete("a", {"loss": 1.0})  # said nothing on the way
    search.on_trial_complete("b", {"loss": math.nan, "step": 3})
    search.on_trial_complete("c", {"loss": 1.0, "step": 3})  # another scheduler, a stop criterion
    search.on_trial_complete("d", None, error=True)
    search.on_trial_complete("e", {"accuracy": 1.0})
    search.on_trial_complete("unknown", {"loss": 1.0})
    progress = search.tuner.progress()
    assert progress["ended"] == 5 and progress["best"] == 1.0 and progress["trials"] == 6
    assert progress["failed"] == 3, "diverged, failed in Ray, without the metric"


@pytest.fixture(scope="module")
def cluster():
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    made.add_node(num_cpus=2)
    # Workers do not have this module.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


def train(config):
    rates = lehr.ray.schedule(config).values()
    assert len(rates) == config["lehr"]["steps"] == 8 and max(rates) == pytest.approx(config["lr"])
    if config["lehr"]["number"] == 2:
        raise ArithmeticError("number two")
    if config["lehr"]["number"] >= 6:
        # Long after the others: so bad that the median prunes it.
        config = {**config, "lr": config["lr"] * 1e6}
    for step in range(1, 9):
        node = ray.get_runtime_context().get_node_id()
        tune.report({"loss": loss(config) + 1 / step, "step": step, "node": node})


def test_a_cluster_of_two_nodes_runs_the_trials(cluster, tmp_path):
    search = searcher()
    results = tune.Tuner(
        tune.with_resources(train, {"cpu": 1}),
        tune_config=tune.TuneConfig(
            metric="loss", mode="min", num_samples=10, search_alg=search, scheduler=lehr.ray.Scheduler("median", startup=3),
            max_concurrent_trials=4,
        ),
        run_config=tune.RunConfig(storage_path=str(tmp_path), name="demo", verbose=0),
    ).fit()
    assert len(results) == 10 and len(results.errors) == 1
    ended = [result.metrics for result in results if result.error is None]
    assert len({metrics["node"] for metrics in ended}) == 2
    progress = search.tuner.progress()
    assert progress["trials"] == progress["ended"] == 10 and progress["failed"] == 1
    assert progress["best"] == pytest.approx(results.get_best_result().metrics["loss"])
    assert set(search.result().params) == {"lr", "layers"}
    short = [metrics["step"] for metrics in ended if metrics["step"] < 8]
    assert short, "the scheduler stopped none"
    # What Ray saved beside the experiment is the whole search.
    again = searcher()
    again.restore_from_dir(tmp_path / "demo")
    assert again.tuner.progress() == progress and again.suggest("next") == search.suggest("next")


def slow(config):
    for step in range(1, 9):
        with open(config["log"], "a") as file:
            file.write(f"{config['lehr']['number']} {step}\n")
        time.sleep(0.1)
        tune.report({"loss": loss(config) + 1 / step, "step": step})


def drive(address, folder):
    """An experiment of one trial after the other; runs in a process of its own, which is killed."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init(address=address, log_to_driver=False)
    tune.Tuner(
        tune.with_resources(slow, {"cpu": 1}),
        param_space={"log": f"{folder}/log"},
        tune_config=tune.TuneConfig(
            metric="loss", mode="min", num_samples=8, search_alg=searcher(), scheduler=lehr.ray.Scheduler(), max_concurrent_trials=1
        ),
        run_config=tune.RunConfig(storage_path=folder, name="demo", verbose=0),
    ).fit()


def states_are_whole(folder):
    """Whether Ray is not in the middle of writing its own state, which it does not survive: it writes in place."""
    readers = {"experiment_state-*": json.loads, "search_gen_state-*": ray.cloudpickle.loads}
    try:
        return all(read(path.read_bytes()) for name, read in readers.items() for path in folder.glob(name))
    except (EOFError, ValueError, pickle.UnpicklingError):
        return False


def test_an_experiment_whose_driver_was_killed_is_restored(cluster, tmp_path):
    code = f"import {__name__}; {__name__}.drive({cluster.address!r}, {str(tmp_path)!r})"
    env = {**os.environ, "TUNE_GLOBAL_CHECKPOINT_S": "0", "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path])}
    with open(tmp_path / "driver.txt", "w") as said:
        driver = subprocess.Popen([sys.executable, "-c", code], env=env, stdout=said, stderr=said)
    log, end = tmp_path / "log", time.monotonic() + 600
    while not (log.exists() and "3 4\n" in log.read_text()):
        assert driver.poll() is None and time.monotonic() < end, (tmp_path / "driver.txt").read_text()
        time.sleep(0.05)
    driver.send_signal(signal.SIGSTOP)
    while not states_are_whole(tmp_path / "demo"):
        assert time.monotonic() < end, "Ray's state stays torn"
        driver.send_signal(signal.SIGCONT)
        time.sleep(0.02)
        driver.send_signal(signal.SIGSTOP)
    driver.kill()
    driver.wait()
    before = log.read_text().splitlines()
    assert before[-1].startswith("3 "), "the fourth of eight trials was under way"
    results = tune.Tuner.restore(str(tmp_path / "demo"), tune.with_resources(slow, {"cpu": 1})).fit()
    assert not results.errors
    found = {result.config["lehr"]["number"]: result.config for result in results}
    # What an unbroken search would have suggested, dense and each once.
    search, whole = searcher(), {}
    for i in range(8):
        config = search.suggest(f"t{i}")
        for step in range(1, 9):
            search.on_trial_result(f"t{i}", {"loss": loss(config) + 1 / step, "step": step})
        search.on_trial_complete(f"t{i}", {"loss": loss(config) + 1 / 8, "step": 8})
        whole[i] = config
    assert len(results) == 8
    assert found == {i: {**config, "log": str(log)} for i, config in whole.items()}
    assert all(result.metrics["step"] == 8 for result in results)
    # Trials that had ended were not made again.
    after = {line.split()[0] for line in log.read_text().splitlines()[len(before) :]}
    assert not after & {"0", "1"}, after
