"""Event files as TensorBoard's own writers make them, read by Lehr."""

import csv
import io
import json
import math
import os
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorboardX


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)


def scalars(example, folder):
    done = run(example("scalars"), folder)
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def torch_writer(folder):
    if os.environ.get("LEHR_LIGHT"):
        pytest.skip("torch and tensorboard are left out by --light")
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder))


WRITERS = {"tensorboardX": lambda folder: tensorboardX.SummaryWriter(str(folder)), "torch": torch_writer}


@pytest.mark.parametrize("name", WRITERS)
def test_scalars_come_back_as_they_were_written(name, example, tmp_path):
    writer = WRITERS[name](tmp_path)
    values = [0.1, -3.5e-20, 1e30, math.nan, math.inf, -math.inf, 0.0]
    for step, value in enumerate(values):
        writer.add_scalar("train/loss", value, step, walltime=1.5 + step)
        writer.add_text("notes", f"step {step}", step)
        writer.add_histogram("weights", np.arange(20.0), step)
    writer.close()
    rows = [row for row in scalars(example, tmp_path) if row["tag"] == "train/loss"]
    assert [int(row["step"]) for row in rows] == list(range(len(values)))
    assert [float(row["wall_time"]) for row in rows] == [1.5 + step for step in range(len(values))]
    found = np.array([float(row["value"]) for row in rows], np.float32)
    np.testing.assert_array_equal(found, np.array(values, np.float32))


def test_scalars_of_the_new_style_are_tensors(example, tmp_path):
    writer = torch_writer(tmp_path)
    writer.add_scalar("a", 0.25, 7, new_style=True)
    writer.add_scalar("b", 0.1, 8, new_style=True, double_precision=True)
    writer.close()
    found = {row["tag"]: (int(row["step"]), float(row["value"])) for row in scalars(example, tmp_path)}
    assert found == {"a": (7, 0.25), "b": (8, 0.1)}


def test_a_file_that_tensorboard_reads_with_a_torn_end(lehr, tmp_path):
    writer = tensorboardX.SummaryWriter(str(tmp_path / "run"))
    for step in range(40):
        writer.add_scalar("loss", 1 + math.exp(-step / 4), step)
        writer.add_scalar("lr", 0.1 * (1 - step / 40), step)
    writer.close()
    (file,) = (tmp_path / "run").iterdir()
    file.write_bytes(file.read_bytes()[:-5])
    done = run(lehr, "diagnose", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["runs"]
    assert found["run"] == "run" and abs(found["end"] - 1) < 1e-3
    assert run(lehr, "diagnose", tmp_path, "--loss", "nothing").returncode == 2


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_of_runs_is_a_sweep(name, lehr, tmp_path):
    by_name, by_hparams = tmp_path / "names", tmp_path / "hparams"
    best = {"cosine": 1.0, "constant": 0.25}
    for schedule, optimum in best.items():
        for power in range(-4, 5):
            lr = 2.0**power
            loss = 1 + 0.01 * math.log2(lr / optimum) ** 2
            if name == "tensorboardX":
                writer = WRITERS[name](by_name / schedule / f"lr={lr},seed=1")
                writer.add_scalar("loss", 5.0, 0)
                writer.add_scalar("loss", loss, 100)
                writer.close()
                # It ended early, with a better loss than it would have had.
                writer = WRITERS[name](by_name / schedule / f"lr={lr},seed=2")
                writer.add_scalar("loss", 0.01 * power, 50)
                writer.close()
            writer = WRITERS[name](by_hparams / f"{schedule}{power}")
            settings = {"lr": lr, "schedule": schedule, "seed": 1, "nesterov": True}
            writer.add_hparams(settings, {"val_loss": loss})
            writer.close()
    for folder in [by_name, by_hparams] if name == "tensorboardX" else [by_hparams]:
        done = run(lehr, "robustness", folder, "--json")
        assert done.returncode == 0, done.stderr
        found = {group["schedule"]: group for group in json.loads(done.stdout)["schedules"]}
        assert {name: group["best_rate"] for name, group in found.items()} == best
    done = run(lehr, "robustness", tmp_path / "none")
    assert done.returncode == 2 and "none" in done.stderr


WRITER = """
import os, sys, time
from tensorboardX import SummaryWriter

folder, lr = sys.argv[1], float(sys.argv[2])
with SummaryWriter(folder, flush_secs=1) as writer:
    for step in range(1, 6):
        writer.add_scalar("train/loss", 9.0, step)
        writer.add_scalar("val/loss", lr + 1 / step, step)
    writer.flush()
    end = time.monotonic() + 60
    while not os.path.exists("seen"):
        assert time.monotonic() < end, "nobody reads the events while they are written"
        time.sleep(0.05)
    writer.add_scalar("val/loss", lr, 6)
"""


def test_events_are_read_while_the_program_writes_them(lehr, tmp_path):
    (tmp_path / "train.py").write_text(WRITER)
    words = [lehr, "tune", "--lr", "0.1..1", "--sampler", "sobol", "--trials", "1", "--json"]
    words += ["--metric-file", "{checkpoint}/tb:val/loss", "--", sys.executable, "train.py", "{checkpoint}/tb", "{lr}"]
    begun = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    reports = []
    while len(reports) < 5:
        assert time.monotonic() < end and begun.poll() is None, reports
        time.sleep(0.1)
        try:
            with sqlite3.connect(tmp_path / "lehr.db") as file:
                query = "SELECT step, intermediate_value FROM trial_intermediate_values ORDER BY step"
                reports = file.execute(query).fetchall()
        except sqlite3.OperationalError:
            continue
    (tmp_path / "seen").touch()
    out, errors = begun.communicate(timeout=100)
    assert begun.returncode == 0, errors
    best = json.loads(out)["best"]
    lr = best["params"]["lr"]
    assert [step for step, _ in reports] == [1, 2, 3, 4, 5]
    assert [value for _, value in reports] == pytest.approx([lr + 1 / step for step in range(1, 6)], rel=1e-6)
    assert best["value"] == pytest.approx(lr, rel=1e-6)
