"""Optuna and Lehr write to one study at the same moment: sixteen writers, no number twice, each trial ended once."""

import json
import subprocess
import sys
import time

import optuna
from optuna.storages import RDBStorage
from optuna.trial import TrialState

OPTUNA = """
import pathlib, sys, time, optuna
url, kind, ready, go = sys.argv[1:5]
if kind == "lehr":
    import lehr.optuna
    storage = lehr.optuna.Storage(url)
else:
    storage = optuna.storages.RDBStorage(url)
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.load_study(storage=storage, study_name="s", sampler=optuna.samplers.RandomSampler())
pathlib.Path(ready).touch()
while not pathlib.Path(go).exists():
    time.sleep(0.01)
def objective(trial):
    x = trial.suggest_float("x", 0.0, 1.0)
    trial.report(x + 1, 1)
    trial.report(x, 2)
    print(trial.number, x, flush=True)
    return x
study.optimize(objective, n_trials=6)
"""
LEHR = """
sleep 0.05
echo "{\\"step\\": 1, \\"val_loss\\": $1}"
"""


def test_sixteen_writers_of_both_kinds(lehr, url, tmp_path):
    # On SQLite Optuna's own storage gives one number to two workers now and then; there it comes through Lehr's.
    kinds = ["lehr"] * 10 if url.startswith("sqlite") else ["lehr"] * 4 + ["optuna"] * 6
    (tmp_path / "train.sh").write_text(LEHR)
    total = 80

    def tune(trials):
        return [
            lehr, "tune", "--storage", url, "--study", "s", "--space", "x=0.0..1.0", "--sampler", "random", "--jobs", "2",
            "--trials", str(trials), "--json", "--", "sh", "train.sh", "{x}",
        ]  # fmt: skip

    worker = [lehr, "worker", "--storage", url, "--study", "s", "--jobs", "2"]
    pipes = {"cwd": tmp_path, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

    # The study is made by one run; the others join in when all are ready.
    first = subprocess.run(tune(1), **pipes, timeout=120)
    assert first.returncode == 0, first.stderr
    go = tmp_path / "go"
    ready = [tmp_path / f"ready-{i}" for i in range(10)]
    optunas = [
        subprocess.Popen([sys.executable, "-c", OPTUNA, url, kind, str(path), str(go)], **pipes)
        for kind, path in zip(kinds, ready, strict=True)
    ]
    end = time.monotonic() + 200
    while not all(path.exists() for path in ready):
        assert time.monotonic() < end and all(process.poll() is None for process in optunas)
        time.sleep(0.05)
    lehrs = [subprocess.Popen(tune(total), **pipes)]
    study = optuna.load_study(storage=RDBStorage(url), study_name="s")
    while len(study.get_trials(deepcopy=False)) < 2:
        assert time.monotonic() < end and lehrs[0].poll() is None
        time.sleep(0.02)
    go.touch()
    lehrs += [subprocess.Popen(worker, **pipes) for _ in range(2)]

    said = {}
    for process in optunas:
        out, error = process.communicate(timeout=300)
        assert process.returncode == 0, error
        for line in out.splitlines():
            number, x = line.split()
            assert number not in said, f"trial {number} was run twice"
            said[number] = float(x)
    for process in lehrs:
        _, error = process.communicate(timeout=300)
        assert process.returncode == 0, error
    assert len(said) == 60

    trials = study.get_trials()
    assert [trial.number for trial in trials] == list(range(len(trials)))
    assert len(trials) >= total
    assert all(trial.state == TrialState.COMPLETE and trial.value == trial.params["x"] for trial in trials)
    told = subprocess.run([lehr, "trials", "s", "--storage", url, "--json"], capture_output=True, text=True)
    for trial in json.loads(told.stdout)["trials"]:
        number = str(trial["number"])
        # Whoever ran it ran it alone, and once.
        assert len(trial["runs"]) == (0 if number in said else 1), trial
        assert all(run["attempts"] == 1 and run["state"] == "complete" for run in trial["runs"])
        assert trial["value"] == said.get(number, trial["value"])
        assert [report["step"] for report in trial["reports"]] == ([1, 2] if number in said else [1])
