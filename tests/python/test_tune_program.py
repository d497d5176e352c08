"""The examples of training scripts, tuned as their first lines say, on real data at tiny sizes."""

import json
import signal
import subprocess
import sys
import time

from conftest import ROOT
from support import need

need("torch")
need("sklearn")

EXAMPLES = ROOT / "examples" / "python"


def tune(lehr, folder, *arguments):
    done = subprocess.run([lehr, "tune", "--json", *arguments], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_unmodified_script_is_tuned_with_one_command(lehr, tmp_path):
    found = tune(
        lehr, tmp_path, "--lr", "1e-5..1e-1", "--own-schedule", "cosine", "--metric-regex", r"val loss (\S+)",
        "--sampler", "sobol", "--trials", "3", "--baseline", "lr=1e-5",
        "--", sys.executable, str(EXAMPLES / "digits.py"), "--lr", "{lr}", "--epochs", "2",
    )  # fmt: skip
    assert found["study"] == "digits"
    assert found["counts"] == {"complete": 3}
    assert found["gain"] > 0.1, "1e-5 hardly learns"


def test_a_script_that_takes_everything_is_paused_and_goes_on(lehr, tmp_path):
    arguments = [
        "--lr", "0.1..1", "--steps", "400", "--schedules", "linear; warmup 5%, cosine", "--trials", "1",
        "--", sys.executable, str(EXAMPLES / "digits_annealed.py"), "--steps", "{steps}", "--schedule", "{schedule_file}",
        "--seed", "{seed}", "--checkpoint", "{checkpoint}", "--resume", "{resume}", "--every", "20",
    ]  # fmt: skip
    begun = subprocess.Popen([lehr, "tune", *arguments], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.monotonic() + 200
    while not list(tmp_path.glob("lehr-out/*/*/*/checkpoint/step-*.pt")) and begun.poll() is None:
        assert time.monotonic() < end, "no checkpoint"
        time.sleep(0.02)
    begun.send_signal(signal.SIGINT)
    begun.communicate(timeout=200)
    whole = tune(lehr, tmp_path, "--storage", "memory:", "--out", "other", *arguments)
    found = tune(lehr, tmp_path, *arguments)
    assert found["counts"] == {"complete": 1}
    # The paused run ends as one that was never paused.
    assert abs(found["best"]["value"] - whole["best"]["value"]) < 1e-4
