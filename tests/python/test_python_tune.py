"""The Python package: searching for a rate and a schedule, and the client of programs that `lehr tune` starts."""

import json
import math
import subprocess
import sys
import threading

import pytest

import lehr

SPACE = "lr=log 1e-3..0.9, schedule=constant|linear"


def quadratic(trial):
    """A noisy slope of two curvatures, trained with the trial's schedule: rates that are too high run away."""
    x, y, noise = 3.0, 3.0, 0.3
    state = trial.seed * 7919 + 17
    for rate in trial.schedule:
        state = (state * 1103515245 + 12345) % 2**31
        x -= rate * (x + noise * (state / 2**30 - 1))
        y -= rate * 0.05 * y
    return x * x + y * y


def test_a_search_finds_a_good_rate_and_says_what_it_cost():
    result = lehr.tune(quadratic, SPACE, steps=200, strategy="tpe", trials=20, seed=1)
    assert set(result.params) == {"lr", "schedule"}
    assert 0.02 < result.params["lr"] <= 0.9
    assert result.data["spent"]["trials"] == 20 and result.data["spent"]["steps"] == 20 * 200
    assert result.advice and str(result).startswith(result.advice)


def test_the_default_strategy_stops_by_itself():
    seen = []

    def objective(trial):
        seen.append(trial.steps)
        return quadratic(trial)

    result = lehr.tune(objective, SPACE, steps=120, budget=8, seed=1)
    assert result.params is not None and result.data["spent"]["full_runs"] <= 8.5
    assert 0 < max(seen) <= 120 and sum(seen) == result.data["spent"]["steps"]


def test_asking_and_telling_repeats():
    def run():
        tuner, asked = lehr.Tuner(SPACE, 50, strategy="tpe", trials=12, seed=5), []
        while (trial := tuner.ask()) is not None:
            asked.append((trial.number, trial.params, trial.steps, trial.seed))
            tuner.tell(trial, quadratic(trial))
        assert tuner.stopped and tuner.strategy == "tpe"
        return asked, tuner.result().data

    assert run() == run()


def test_runs_in_parallel_do_not_lose_any():
    busy, most, lock = [0], [0], threading.Lock()

    def objective(trial):
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        threading.Event().wait(0.01)
        trial.report(1, 1.0)
        with lock:
            busy[0] -= 1
        return quadratic(trial)

    result = lehr.tune(objective, SPACE, steps=20, strategy="random", trials=24, jobs=4)
    assert result.data["spent"]["trials"] == 24 and most[0] > 1


def test_ends_of_all_kinds(capsys):
    def objective(trial):
        if trial.number == 0:
            raise RuntimeError("broke")
        if trial.number == 1:
            return math.nan
        if trial.number == 2:
            trial.report(5, 1.0)
            with pytest.raises(ValueError, match="must rise"):
                trial.report(5, 1.0)
            assert trial.should_prune() in (True, False) and trial.prune_reason
            raise lehr.Pruned
        return quadratic(trial)

    result = lehr.tune(objective, SPACE, steps=20, strategy="random", trials=8, catch=(RuntimeError,), progress=True)
    assert result.data["spent"]["trials"] == 8
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 8 and "failed" in lines[0] and "diverged" in lines[1] and "pruned" in lines[2]

    with pytest.raises(RuntimeError, match="broke"):
        lehr.tune(objective, SPACE, steps=20, strategy="random", trials=8)


def test_one_schedule_for_all_and_a_baseline(tmp_path):
    seen = []

    def objective(trial):
        seen.append((trial["lr"], trial.spec))
        assert trial.schedule.peak == trial["lr"] and trial.schedule.steps == trial.steps
        (trial.checkpoint_dir / "x").write_text("kept")
        return quadratic(trial)

    settings = dict(strategy="tpe", trials=3, baseline={"lr": 0.05, "w": 0.1}, folder=tmp_path, seed=2)
    lehr.tune(objective, "lr=log 1e-3..0.5, w=0%..20%", 100, schedule="warmup {w}, cosine", **settings)
    assert seen[0] == (0.05, "warmup 10%, cosine") and len({spec for _, spec in seen}) == 3
    assert len(list(tmp_path.rglob("x"))) == 3


def test_wrong_use_has_a_clear_error():
    for make, words in [
        (lambda: lehr.Tuner("lr=log 0.0..1.0", 10), "0"),
        (lambda: lehr.Tuner(SPACE, 0).ask(), "0 steps"),
        (lambda: lehr.Tuner(SPACE, 10, strategy="tpee"), "no strategy 'tpee'"),
        (lambda: lehr.Tuner(SPACE, 10, direction="up"), "minimize"),
        (lambda: lehr.Tuner(SPACE, 10, baseline={"lr": 5.0, "schedule": "linear"}).ask(), "lr"),
        (lambda: lehr.tune(quadratic, SPACE, 10, jobs=0), "jobs"),
        (lambda: lehr.Tuner("lr=log 1e-3..1", 10, strategy="random").ask().schedule, "has no schedule"),
        (lambda: lehr.Tuner("lr=log 1e-3..1", 10, schedule="{x}", strategy="random").ask(), "x"),
    ]:
        with pytest.raises(ValueError, match=words):
            make()
    tuner = lehr.Tuner(SPACE, 10, strategy="random", trials=2)
    trial = tuner.ask()
    with pytest.raises(ValueError, match="needs its value"):
        tuner.tell(trial)
    tuner.tell(trial, 1.0)
    with pytest.raises(ValueError, match="ended already"):
        tuner.tell(trial, 1.0)


CHILD = """
import json, lehr
run = lehr.trial(lr=0.5, steps=10, schedule="linear", width=7)
rates = run.schedule.values()
run.report(run.steps, val_loss=rates[0] * 2, accuracy=0.5)
print(json.dumps([run.tuned, run["lr"], run["width"], run.steps, run.seed, run.schedule.spec, str(run.resume)]))
if run.checkpoint_dir:
    (run.checkpoint_dir / "weights").write_text("w")
"""


def test_a_child_of_lehr_tune_reads_and_reports(tmp_path):
    def run(env):
        import os

        clean = {name: value for name, value in os.environ.items() if not name.startswith("LEHR_")}
        done = subprocess.run([sys.executable, "-c", CHILD], env={**clean, **env}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert run({}) == [False, 0.5, 7, 10, 0, "linear", "None"]
    told = {
        "LEHR_PARAMS": '{"lr": 0.25}',
        "LEHR_STEPS": "20",
        "LEHR_SEED": "3",
        "LEHR_SCHEDULE": "cosine to 0.1",
        "LEHR_REPORT": str(tmp_path / "report.jsonl"),
        "LEHR_CHECKPOINT": str(tmp_path / "kept"),
        "LEHR_RESUME": str(tmp_path / "from"),
    }
    assert run(told) == [True, 0.25, 7, 20, 3, "cosine to 0.1", str(tmp_path / "from")]
    assert json.loads((tmp_path / "report.jsonl").read_text()) == {"step": 20, "val_loss": 0.5, "accuracy": 0.5}
    assert (tmp_path / "kept" / "weights").exists()


def test_a_child_without_what_it_needs_says_so():
    run = lehr.trial()
    with pytest.raises(ValueError, match="steps=…"):
        run.steps
    with pytest.raises(ValueError, match="schedule=…"):
        run.schedule
    with pytest.raises(KeyError, match="lr"):
        run["lr"]
    with pytest.raises(ValueError, match="val_loss"):
        run.report(3)


def pruned(**settings):
    stopped, steps = [], 0

    def objective(trial):
        nonlocal steps
        loss = abs(math.log10(trial["lr"]) + 2)
        for step in range(1, 21):
            steps += 1
            trial.report(step, loss + 1 / step)
            if trial.should_prune():
                stopped.append((loss, trial.prune_reason))
                raise lehr.Pruned
        return loss

    search = {"strategy": "random", "trials": 24, "seed": 1, "schedule": "cosine", **settings}
    result = lehr.tune(objective, "lr=log 1e-4..1", steps=20, **search)
    return result, stopped, steps


def test_a_pruner_is_what_should_prune_goes_by(tmp_path):
    found, stopped, steps = pruned(pruner="median", comparable_reports=True)
    assert 4 < len(stopped) < 20 and steps < 20 * 24
    assert all(loss > 0.3 and "best 50%" in reason for loss, reason in stopped), stopped
    assert found.loss["value"] < 0.2
    for settings in ({"comparable_reports": True}, {"pruner": "none", "comparable_reports": True}):
        assert pruned(**settings)[1:] == ([], 20 * 24), settings
    # Losses in mid-flight of a cosine do not compare: every run makes all of its updates.
    assert pruned(pruner="median")[2] == 20 * 24
    # The study keeps it for others who work on it.
    storage = f"sqlite:///{tmp_path}/p.db"
    kept = pruned(pruner="halving", comparable_reports=True, storage=storage, study="p", folder=tmp_path / "out")
    assert len(kept[1]) > 4
    for settings, message in (
        ({"pruner": "medium"}, "no pruner 'medium'; there are: none, median"),
        ({"pruner": "median", "strategy": "annealed"}, "leave the pruner out"),
    ):
        with pytest.raises(lehr.LehrError, match=message):
            lehr.Tuner("lr=log 1e-4..1", 20, schedule="cosine", **settings)
