"""The Python package: searches that are kept in a database, taken up again, and worked on by several processes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import lehr

SPACE = "lr=log 1e-4..1, layers=1..8"


def loss(trial):
    return (trial["lr"] - 0.01) ** 2 + trial["layers"] / 10


def told(lehr_program, storage, study="s"):
    out = subprocess.run(
        [lehr_program, "trials", study, "--storage", storage, "--json"], capture_output=True, text=True
    )
    assert out.returncode == 0, out.stderr
    return json.loads(out.stdout)["trials"]


def settings(url, **more):
    return {"storage": url, "study": "s", "strategy": "tpe", "seed": 3, **more}


def test_a_search_that_is_taken_up_again_suggests_what_an_unbroken_one_would(url, lehr):
    import lehr as package  # `lehr` is the program here

    seen = []

    def objective(trial):
        seen.append(trial.params)
        return loss(trial)

    for trials in (3, 3, 14, 25):
        result = package.tune(objective, SPACE, 10, **settings(url, trials=trials))
    kept, seen = seen, []

    def whole(trial):
        seen.append(trial.params)
        return loss(trial)

    same = package.tune(whole, SPACE, 10, strategy="tpe", seed=3, trials=25)
    assert len(kept) == 25 and kept == seen
    assert result.data == same.data
    trials = told(lehr, url)
    assert [trial["state"] for trial in trials] == ["COMPLETE"] * 25
    assert trials[7]["params"]["layers"] == kept[7]["layers"]


def test_processes_work_side_by_side(url, lehr, tmp_path):
    import lehr as package  # `lehr` is the program here

    pids = tmp_path / "pids"

    def objective(trial):
        with open(pids, "a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.05)
        trial.report(5, 1.0)
        return loss(trial)

    result = package.tune(objective, SPACE, 10, jobs=4, **settings(url, trials=24))
    assert result.data["spent"]["trials"] == 24
    trials = told(lehr, url)
    assert [trial["number"] for trial in trials] == list(range(24))
    assert all(trial["state"] == "COMPLETE" for trial in trials)
    lines = pids.read_text().split()
    assert len(lines) == 24 and 1 < len(set(lines)) <= 4 and str(os.getpid()) not in lines


def test_an_error_in_a_process_is_raised_here_and_the_study_goes_on(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"

    def objective(trial):
        if trial.number == 3:
            raise ArithmeticError("number three")
        return loss(trial)

    with pytest.raises(ArithmeticError, match="number three"):
        lehr.tune(objective, SPACE, 10, jobs=2, **settings(url, trials=20))
    with pytest.raises(lehr.LehrError, match="have died"):
        lehr.tune(lambda trial: os._exit(7), SPACE, 10, jobs=2, **settings(url, trials=20))
    result = lehr.tune(loss, SPACE, 10, catch=(ArithmeticError,), **settings(url, trials=8))
    assert result.params is not None


KILLED = """
import os, sys, time, lehr
def objective(trial):
    os.write(1, f"begun {trial.number}\\n".encode())  # in one piece, between those of other processes
    trial.report(1, 1.0)
    if trial.number == 4 and sys.argv[2] == "hang":
        time.sleep(600)
    return (trial["lr"] - 0.01) ** 2
result = lehr.tune(objective, "lr=log 1e-4..1", 10, storage=sys.argv[1], study="s", strategy="tpe", seed=3, trials=8,
                   jobs=int(sys.argv[3]))
print("done", result.data["spent"]["trials"])
"""


@pytest.mark.parametrize(("jobs", "how"), [(1, signal.SIGKILL), (2, signal.SIGKILL), (2, signal.SIGINT)])
def test_a_process_that_was_killed_is_missed_and_its_trial_is_tried_again(tmp_path, lehr, jobs, how):
    url = f"sqlite:///{tmp_path}/s.db"

    def start(mode):
        command = [sys.executable, "-c", KILLED, url, mode, str(jobs)]
        # An interrupt that is ignored where the tests run would be ignored here.
        heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, start_new_session=True, preexec_fn=heard
        )

    first = start("hang")
    while "begun 4" not in first.stdout.readline():
        assert first.poll() is None
    first.send_signal(how)
    first.wait(timeout=60)
    # What it had started ends with it, or nobody would let go of its output.
    first.stdout.read()
    if how == signal.SIGINT:
        assert not any(trial["state"] == "RUNNING" for trial in told(lehr, url)), "an interrupted trial is handed back"
    second = start("go on")
    out, _ = second.communicate(timeout=120)
    assert second.returncode == 0 and "done" in out
    trials = told(lehr, url)
    assert [trial["number"] for trial in trials] == list(range(len(trials)))
    assert trials[4]["state"] == "FAIL"
    again = [trial for trial in trials[5:] if trial["params"] == trials[4]["params"]]
    assert len(again) == 1 and again[0]["state"] == "COMPLETE"
    assert {trial["state"] for trial in trials if trial["number"] != 4} <= {"COMPLETE", "FAIL"}


@pytest.mark.parametrize("reports", [True, False])
def test_a_stop_asked_for_elsewhere_is_heard(url, lehr, reports):
    import lehr as package  # `lehr` is the program here

    waited = []

    def objective(trial):
        if trial.number != 1:
            return loss(trial)
        assert not trial.should_prune()
        command = [lehr, "stop", "s", "1", "--because", "it smokes", "--storage", url]
        asked = subprocess.run(command, capture_output=True, text=True)
        assert asked.returncode == 0, asked.stderr
        for step in range(1, 200):
            if reports:
                trial.report(step, 2.0)
            if trial.should_prune():
                waited.append((step, trial.prune_reason))
                raise package.Pruned
            time.sleep(0.1)
        raise AssertionError("it was never told")

    package.tune(objective, SPACE, 1000, **settings(url, trials=3))
    ((step, reason),) = waited
    assert reason == "it smokes" and (not reports or step == 1)
    trials = told(lehr, url)
    # What it reported counts; without a report there is nothing to keep, and nobody tries it again.
    assert [trial["state"] for trial in trials] == ["COMPLETE", "PRUNED" if reports else "FAIL", "COMPLETE"]


def test_what_it_refuses(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    lehr.tune(loss, SPACE, 10, **settings(url, trials=2))
    for changed, message in (
        ({"steps": 20}, "steps"),
        ({"space": "lr=log 1e-4..2, layers=1..8"}, "space"),
        ({"direction": "maximize"}, "direction"),
    ):
        arguments = {"space": SPACE, "steps": 10, **settings(url, trials=4), **changed}
        with pytest.raises(lehr.LehrError, match=message):
            lehr.tune(loss, **arguments)
    with pytest.raises(lehr.LehrError, match="storage"):
        lehr.tune(loss, SPACE, 10, study="s")
    with pytest.raises(lehr.LehrError, match="MySQL is not supported"):
        lehr.tune(loss, SPACE, 10, storage="mysql://x/y", study="s")


def test_asking_and_telling_on_one_study_from_two_tuners(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    tuners = [lehr.Tuner(SPACE, 10, **settings(url, trials=12, strategy="random")) for _ in range(2)]
    numbers = []
    while True:
        asked = [tuner.ask() for tuner in tuners]
        if all(trial is None for trial in asked):
            break
        for tuner, trial in zip(tuners, asked, strict=True):
            if trial is not None:
                numbers.append(trial.number)
                tuner.tell(trial, loss(trial))
    assert sorted(numbers) == list(range(12))
    assert tuners[0].result().data == tuners[1].result().data
    assert tuners[0].progress()["ended"] == 12


SCRIPT = """
import lehr
run = lehr.trial(lr=0.5, steps=7, schedule="constant")
x = 1.0
for step, rate in enumerate(run.schedule, 1):
    x -= rate * x
    if step % 4 == 0:
        run.report(step, val_loss=x * x)
assert run.tuned and len(run.schedule.values()) == run.steps
run.report(run.steps, val_loss=x * x)
"""


def test_a_script_that_asks_for_its_trial_is_run_by_the_program(tmp_path, lehr):
    (tmp_path / "train.py").write_text(SCRIPT)
    out = subprocess.run(
        [lehr, "tune", "--storage", f"sqlite:///{tmp_path}/s.db", "--study", "s", "--lr", "1e-3..0.9", "--steps", "12",
         "--schedule", "linear", "--reads", "steps", "--reads", "schedule", "--sampler", "random", "--trials", "4", "--json",
         "--", sys.executable, "train.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert out.returncode == 0, out.stderr
    assert json.loads(out.stdout)["counts"] == {"complete": 4}
    trials = told(lehr, f"sqlite:///{tmp_path}/s.db")
    for trial in trials:
        assert [report["step"] for report in trial["reports"]] == [4, 8, 12]
        x = 1.0
        for step in range(12):
            x -= trial["params"]["lr"] * (1 - step / 12) * x
        assert trial["value"] == pytest.approx(x * x)


def test_a_new_study_of_an_old_name_does_not_find_the_files_of_the_old_one(tmp_path):
    out = tmp_path / "out"

    def one_run(storage):
        tuner = lehr.Tuner(SPACE, 10, storage=storage, study="s", strategy="random", folder=out)
        trial = tuner.ask()
        folder = trial.checkpoint_dir
        found = sorted(file.name for file in folder.iterdir())
        (folder / "weights").write_text("w")
        assert trial.checkpoint_dir == folder
        tuner.tell(trial, 1.0)
        return trial.number, folder.relative_to(out.resolve()).parts[0], found

    one, two = (f"sqlite:///{tmp_path / name}.db" for name in ("one", "two"))
    assert one_run(one) == (0, "s", [])
    assert one_run(two) == (0, "s-2", [])
    # Each goes on in its own folder; so does a study without a storage.
    assert one_run(one) == (1, "s", [])
    assert one_run(two) == (1, "s-2", [])
    names = {lehr.Tuner(SPACE, 10, folder=out).ask().checkpoint_dir.parts[-4] for _ in range(2)}
    assert names == {"study", "study-2"}
    # And one that was removed leaves its files to nobody.
    (tmp_path / "one.db").unlink()
    assert one_run(one) == (0, "s-3", [])
