"""The annealed strategy on a training program that keeps checkpoints: cooldowns branched off a trunk, longer horizons, and
what becomes of them when a worker is killed; several seeds per trial. Real data, NumPy alone."""

import csv
import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import optuna
import pytest
from conftest import ROOT

SCRIPT = str(ROOT / "examples" / "python" / "digits_branched.py")
FILLED = [
    "--steps", "{steps}", "--schedule", "{schedule_file}", "--seed", "{seed}", "--checkpoint", "{checkpoint}",
    "--resume", "{resume}",
]  # fmt: skip
ANNEALED = ["--strategy", "annealed", "--lr", "1e-2..30", "--steps", "400", "--schedules", "constant, linear 20%"]


def command(lehr, *arguments, script=(), filled=FILLED):
    return [lehr, "tune", *arguments, "--", sys.executable, SCRIPT, *filled, *script]


def tune(lehr, folder, *arguments, **more):
    done = subprocess.run(
        command(lehr, "--json", *arguments, **more), cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def runs(folder):
    """The runs of the only study, by number."""
    with sqlite3.connect(folder / "lehr.db") as file:
        file.row_factory = sqlite3.Row
        query = """SELECT r.number, t.number AS trial, r.horizon, r.seed, r.state, r.parent, r.parent_step, r.steps_spent,
            r.value, r.attempt, r.checkpoint_step FROM lehr_runs r JOIN trials t ON t.trial_id = r.trial_id WHERE r.number IS NOT NULL
            ORDER BY r.number"""
        return [dict(row) for row in file.execute(query)]


def place(folder, run):
    return folder / "lehr-out" / "digits_branched" / f"trial-{run['trial']:05}" / f"run-{run['number']:05}"


def unbroken(folder, run):
    """The loss of the same run, made again from its start."""
    again = folder / f"again-{run['number']}"
    again.mkdir()
    steps, seed, schedule = str(run["horizon"]), str(run["seed"]), str(place(folder, run) / "schedule.csv")
    words = ["--steps", steps, "--schedule", schedule, "--seed", seed, "--checkpoint", str(again)]
    done = subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])["val_loss"]


def test_cooldowns_and_longer_horizons_branch_off_trunks(lehr, tmp_path):
    found = tune(lehr, tmp_path, *ANNEALED, "--tolerance", "1e-4", "--budget", "4")
    made = runs(tmp_path)
    branched = [run for run in made if run["parent"] is not None]
    assert branched, made
    for run in branched:
        parent = made[run["parent"]]
        assert (parent["trial"], parent["seed"]) == (run["trial"], run["seed"])
        assert 0 < run["parent_step"] <= parent["horizon"] < run["horizon"]
        # The trunk: everything before the cooldown of the shorter run, and no update of it is paid twice.
        assert run["parent_step"] == round(0.8 * parent["horizon"]) + 1
        assert run["steps_spent"] == run["horizon"] - run["parent_step"]
        assert not (place(tmp_path, run) / "checkpoint" / f"step-{run['parent_step'] - 1}.npy").exists()
    longest = max(branched, key=lambda run: run["horizon"])
    assert longest["value"] == pytest.approx(unbroken(tmp_path, longest), rel=1e-12)
    spent = found["recommendation"]["spent"]
    assert spent["steps"] == sum(run["steps_spent"] for run in made) <= 4 * 400
    # The recommended command can be run as it stands.
    words = found["recommended"]
    with open(words[words.index("--schedule") + 1], newline="") as file:
        rates = [float(row["lr"]) for row in csv.DictReader(file)]
    assert len(rates) == 400 and max(rates) == pytest.approx(found["recommendation"]["rate"]["value"])
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["val_loss"] < 0.5

    # A study that was closed goes on with a larger budget: finished trials do not change, others follow.
    before = {trial["trial"]: trial for trial in found["trials"]}
    more = tune(lehr, tmp_path, *ANNEALED, "--tolerance", "1e-6", "--budget", "6")
    assert runs(tmp_path)[: len(made)] == made and len(runs(tmp_path)) > len(made)
    assert all(trial == before[trial["trial"]] for trial in more["trials"] if trial["trial"] in before)

    study = optuna.load_study(study_name="digits_branched", storage=f"sqlite:///{tmp_path}/lehr.db")
    assert all(trial.state.is_finished() for trial in study.trials)
    counts = [sum(run["trial"] == trial.number for run in runs(tmp_path)) for trial in study.trials]
    several = [trial for trial, count in zip(study.trials, counts, strict=True) if count > 1]
    # Of several runs the value at each horizon; where all had one horizon, the place of each.
    horizons = {25, 50, 100, 200, 400}
    for values in (trial.intermediate_values for trial in several):
        assert set(values) <= horizons or set(values) == set(range(len(values)))
    assert any(set(trial.intermediate_values) <= horizons for trial in several)


def test_a_program_that_keeps_the_newest_state_alone_starts_anew(lehr, tmp_path):
    """What cannot be branched is trained from its start, with a warning; the search goes on."""
    script = tmp_path / "newest.py"
    text = Path(SCRIPT).read_text().replace('f"step-{step}.npy"', '"last.npy"')
    script.write_text(text.replace('np.load(args.resume)', 'np.load(args.resume + "/last.npy")'))
    words = [lehr, "tune", *ANNEALED, "--tolerance", "1e-4", "--budget", "3", "--", sys.executable, str(script), *FILLED]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    made = runs(tmp_path)
    longer = lambda run: any(o["trial"] == run["trial"] and o["horizon"] < run["horizon"] for o in made)  # noqa: E731
    several = [run for run in made if longer(run)]
    assert several and all(run["parent"] is None and run["steps_spent"] == run["horizon"] for run in several)
    assert "starts anew" in done.stderr


def begin(lehr, folder, *arguments, wanted):
    """Starts tuning, slowly, and waits until a run is under way that `wanted` accepts and that has kept a checkpoint."""
    words = command(lehr, *ANNEALED, *arguments, script=["--pause", "0.15", "--every", "10"])
    begun = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    end = time.monotonic() + 200
    while True:
        assert time.monotonic() < end and begun.poll() is None, "no such run"
        time.sleep(0.1)
        if not (folder / "lehr.db").exists():
            continue
        try:
            found = [run for run in runs(folder) if run["state"] == "running" and wanted(run)]
        except sqlite3.OperationalError:
            continue
        if found and list((place(folder, found[0]) / "checkpoint").glob("step-*.npy")):
            return begun, found[0]


def test_a_branched_run_whose_worker_is_killed_goes_on_from_its_checkpoint(lehr, tmp_path):
    limits = ["--tolerance", "1e-4", "--budget", "3", "--silence", "10"]
    # Checkpoints are noted every two seconds.
    noted = lambda run: run["parent"] is not None and run["checkpoint_step"] > run["parent_step"]  # noqa: E731
    begun, lost = begin(lehr, tmp_path, *limits, wanted=noted)
    begun.kill()
    begun.communicate()
    tune(lehr, tmp_path, *ANNEALED, *limits)
    run = runs(tmp_path)[lost["number"]]
    assert (run["state"], run["attempt"], run["parent"]) == ("complete", 2, lost["parent"])
    assert run["value"] == pytest.approx(unbroken(tmp_path, run), rel=1e-12)
    # No update is paid twice but those after the last checkpoint that was noted.
    assert run["horizon"] - run["parent_step"] <= run["steps_spent"] <= run["horizon"]
    assert not [run for run in runs(tmp_path) if run["state"] == "running"]


def test_a_paused_run_goes_on_and_can_still_be_branched(lehr, tmp_path):
    limits = ["--tolerance", "1e-4", "--budget", "3", "--grace", "1"]
    begun, paused = begin(lehr, tmp_path, *limits, wanted=lambda run: True)
    begun.send_signal(signal.SIGINT)
    begun.communicate(timeout=100)
    assert begun.returncode == 130
    assert runs(tmp_path)[paused["number"]]["state"] == "paused"
    tune(lehr, tmp_path, *ANNEALED, *limits)
    made = runs(tmp_path)
    run = made[paused["number"]]
    assert (run["state"], run["attempt"]) == ("complete", 2)
    assert run["value"] == pytest.approx(unbroken(tmp_path, run), rel=1e-12)
    # The checkpoint of the end of its trunk was kept although the run was started twice.
    trunk = round(0.8 * run["horizon"]) + 1
    assert (place(tmp_path, run) / "checkpoint" / f"step-{trunk}.npy").exists()


SEEDS = ["--lr", "1e-2..1", "--steps", "60", "--schedules", "linear", "--sampler", "sobol"]


def test_seeds_are_trained_one_by_one_and_their_mean_counts(lehr, tmp_path):
    found = tune(lehr, tmp_path, *SEEDS, "--trials", "3", "--seeds", "3", "--jobs", "2")
    assert found["counts"] == {"complete": 3}
    for trial in found["trials"]:
        made = [run for run in runs(tmp_path) if run["trial"] == trial["trial"]]
        assert [run["seed"] for run in made] == [0, 1, 2]
        values = [run["value"] for run in made]
        assert trial["value"] == pytest.approx(np.mean(values)) and trial["seeds"] == values
        # Student's t at 97.5 % with two degrees of freedom.
        assert trial["half_width"] == pytest.approx(4.302653 * np.std(values, ddof=1) / 3**0.5, rel=1e-6)
    study = optuna.load_study(study_name="digits_branched", storage=f"sqlite:///{tmp_path}/lehr.db")
    for trial in study.trials:
        values = [run["value"] for run in runs(tmp_path) if run["trial"] == trial.number]
        assert trial.value == pytest.approx(np.mean(values))
        assert trial.intermediate_values == dict(enumerate(values)), "as Optuna's Wilcoxon pruner wants them"
    # Another number of seeds is another question.
    words = command(lehr, *SEEDS, "--trials", "3", "--seeds", "4")
    assert "seeds" in subprocess.run(words, cwd=tmp_path, capture_output=True, text=True).stderr


def test_a_bad_trial_is_not_trained_on_all_its_seeds(lehr, tmp_path):
    bad = ["--space", "lr=0.3|1e-5", "--steps", "60", "--schedules", "linear", "--sampler", "grid", "--seeds", "8"]
    found = tune(lehr, tmp_path, *bad, "--pruner", "wilcoxon", "--trials", "2", "--baseline", "lr=0.3")
    assert found["counts"] == {"complete": 1, "pruned": 1}, "1e-5 learns nothing"
    counts = {trial["state"]: len(trial["seeds"]) for trial in found["trials"]}
    assert counts["complete"] == 8 and 2 <= counts["pruned"] < 8


def test_seeds_need_a_program_that_takes_them(lehr, tmp_path):
    words = [word for word in FILLED if word not in ("--seed", "{seed}")]
    done = subprocess.run(command(lehr, *SEEDS, "--seeds", "2", filled=words), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and "--reads seed" in done.stderr
    done = subprocess.run(command(lehr, *ANNEALED, "--seeds", "2"), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and "annealed" in done.stderr
