"""`lehr robustness` and `lehr diagnose` on studies that Optuna made, in SQLite and in PostgreSQL."""

import json
import math
import subprocess

import optuna
import pytest

optuna.logging.set_verbosity(optuna.logging.WARNING)

RATES = [0.001 * 2**k for k in range(10)]  # the last one is pruned at once
BEST = {"constant": 0.004, "linear": 0.016}


def loss(schedule, rate, seed):
    octaves = math.log2(rate / BEST[schedule])
    return 1 + 0.01 * octaves**2 + 0.001 * ((seed * 7 + round(octaves) * 3) % 5 - 2)


@pytest.fixture
def study(url):
    study = optuna.create_study(storage=url, study_name="sweep")
    grid = {"lr": RATES, "schedule": list(BEST), "seed": [0, 1, 2]}
    study.sampler = optuna.samplers.GridSampler(grid, seed=0)

    def objective(trial):
        rate = trial.suggest_float("lr", 1e-4, 1, log=True)
        schedule = trial.suggest_categorical("schedule", list(BEST))
        seed = trial.suggest_int("seed", 0, 2)
        if rate > 0.5:
            raise optuna.TrialPruned
        for step in range(10, 101, 10):
            trial.report(loss(schedule, rate, seed) + 3 * math.exp(-step / 15), step)
        return loss(schedule, rate, seed)

    study.optimize(objective)
    return url


def run(lehr, *arguments):
    done = subprocess.run([lehr, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_sweep_by_optuna_is_measured(lehr, study):
    found = run(lehr, "robustness", study, "--steps", "100", "--json")
    by_name = {entry["schedule"]: entry for entry in found["schedules"]}
    assert set(by_name) == set(BEST)
    for name, best in BEST.items():
        optimum = by_name[name]["optimum"]
        assert abs(math.log2(optimum["rate"] / best)) < 0.5, (name, optimum)
    transfer = next(pair for pair in found["transfers"] if {pair["from"], pair["to"]} == set(BEST))
    factor = transfer["found"] if transfer["to"] == "linear" else 1 / transfer["found"]
    assert 2.5 < factor < 6.5


def test_the_runs_of_optuna_are_diagnosed(lehr, study):
    found = run(lehr, "diagnose", study, "--json")
    assert len(found["runs"]) == len(BEST) * (len(RATES) - 1) * 3
    assert len(found["left_out"]) == len(BEST) * 3, found["left_out"]
    assert {run["run"] for run in found["runs"]} >= {"trial 0"}
