"""`lehr find` on logs, against fastai's definitions written anew in NumPy.

fastai itself is not installed for this: it brings a framework along. The rules below follow its documentation and the
behaviour of its `fastai.callback.schedule` (readings without the first tenth and the last five; running mean with 0.98).
"""

import json
import subprocess
import sys

import numpy as np
import pytest
from support import need


def smoothed(losses: np.ndarray) -> np.ndarray:
    """Running mean freed of its bias, cut behind the first value beyond four times the lowest."""
    mean, out = 0.0, []
    for count, loss in enumerate(losses, 1):
        mean = 0.98 * mean + 0.02 * loss
        out.append(mean / (1 - 0.98**count))
        if not np.isfinite(out[-1]):
            return np.array(out[:-1])
        if out[-1] > 4 * min(out):
            break
    return np.array(out)


def expected(rates: np.ndarray, losses: np.ndarray) -> dict:
    loss = smoothed(losses)
    planned, made = len(rates), len(loss)
    lr, loss = rates[planned // 10 : made - 5], loss[planned // 10 : made - 5]
    # The longest falling subsequence, its first end, and its length back from there.
    best = np.ones(len(loss), int)
    end = start = 0
    for i in range(1, len(loss)):
        longer = [best[j] + 1 for j in range(i) if loss[j] > loss[i]]
        best[i] = max([1, *longer])
        if best[i] > best[end]:
            # The start may lie before the first reading.
            end, start = i, i - best[i]
    third = (end - start) / 3
    valley = lr[start + int(third) + int(third / 2)]
    slope = np.gradient(loss)
    left = len(loss) - 16
    slide = lr[left]
    while left >= 0 and abs(slope[left + 15] - slope[left]) > 0.005:
        slide = lr[left]
        left -= 1
    return {
        "valley": valley,
        "slide": slide,
        "steep": lr[np.argmin(np.diff(loss) / np.diff(np.log(lr)))],
        "minimum": lr[np.argmin(loss)] / 10,
    }


@pytest.mark.parametrize("seed", range(6))
def test_suggestions_are_fastais(lehr, tmp_path, seed):
    random = np.random.default_rng(seed)
    count = [100, 137, 200][seed % 3]
    rates = 1e-7 * 1e8 ** (np.arange(count) / count)
    x = np.log10(rates)
    losses = 2.5 - 1.5 / (1 + np.exp(-2 * (x + 3 + random.normal()))) + np.exp(5 * (x - random.normal() * 0.3))
    losses = losses + [0.0, 0.02, 0.1][seed % 3] * random.normal(size=count)
    file = tmp_path / "ramp.csv"
    file.write_text("lr,loss\n" + "".join(f"{r!r},{l!r}\n" for r, l in zip(rates.tolist(), losses.tolist())))
    run = subprocess.run([lehr, "find", "--log", file, "--json"], capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    for name, value in expected(rates, losses).items():
        assert found["suggestions"][name] == pytest.approx(value, rel=1e-12), name
    np.testing.assert_allclose(found["smoothed"]["losses"], smoothed(losses), rtol=1e-12)


def test_a_lost_run_and_a_short_one(lehr, tmp_path):
    file = tmp_path / "ramp.csv"
    rows = [f"{10 ** (-5 + i / 20)},{'nan' if i > 80 else 2 - i / 100}" for i in range(120)]
    file.write_text("lr,loss\n" + "\n".join(rows) + "\n")
    found = json.loads(subprocess.run([lehr, "find", "--log", file, "--json"], capture_output=True, check=True).stdout)
    assert found["diverged"] == pytest.approx(10 ** (-5 + 81 / 20))
    file.write_text("lr,loss\n" + "\n".join(rows[:9]) + "\n")
    run = subprocess.run([lehr, "find", "--log", file], capture_output=True, text=True)
    assert run.returncode == 1 and "readings" in run.stderr


def test_a_built_in_model(lehr, tmp_path):
    picture = tmp_path / "find.svg"
    run = subprocess.run([lehr, "find", "--model", "softmax", "-o", picture], capture_output=True, text=True, check=True)
    assert "fastai's suggestions" in run.stdout and "Ours" in run.stdout
    assert picture.read_text().startswith("<svg")


TRAINER = """
import argparse, csv, json, math, os, random, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--schedule")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--how", default="json")
parser.add_argument("--every", type=int, default=1)
parser.add_argument("--fixed", type=float)
args = parser.parse_args()
with open(args.schedule or os.environ["LEHR_SCHEDULE_FILE"], newline="") as file:
    rates = [float(row["lr"]) for row in csv.DictReader(file)]
random.seed(args.seed)
truth = [random.gauss(0, 1) for _ in range(8)]
weights = [0.0] * 8
made = open("made.txt", "w")
for step, rate in enumerate(rates, 1):
    rate = args.fixed or rate
    rows = [[random.gauss(0, 1) for _ in range(8)] for _ in range(32)]
    errors = [sum((w - t) * x for w, t, x in zip(weights, truth, row)) for row in rows]
    loss = 0.1 + sum(e * e for e in errors) / 32
    made.write(f"{step}\\n")
    made.flush()
    if step % args.every == 0:
        if args.how == "json":
            print(json.dumps({"step": step, "loss": loss}), flush=True)
        elif args.how == "text":
            print(f"step {step}: training loss {loss!r}", flush=True)
        elif args.how == "channel":
            with open(os.environ["LEHR_REPORT"], "a") as report:
                report.write(json.dumps({"step": step, "loss": loss}) + "\\n")
        elif args.how == "zero":
            print(json.dumps({"step": step - 1, "loss": loss}), flush=True)
        elif args.how == "nan":
            print(json.dumps({"step": step, "loss": math.nan}), flush=True)
        elif args.how == "other":
            print(json.dumps({"step": step, "train_loss": loss}), flush=True)
        elif args.how == "break" and step == 40:
            sys.exit("no more memory")
    for i in range(8):
        weights[i] -= rate * sum(e * row[i] for e, row in zip(errors, rows)) / 16
    time.sleep(0.002 if loss > 1e4 else 0)
"""


@pytest.fixture
def find(lehr, tmp_path):
    """Runs `lehr find` on the trainer above, in a folder of its own."""
    (tmp_path / "train.py").write_text(TRAINER)

    def run(*arguments, options=(), command=("--schedule", "{schedule_file}")):
        words = [lehr, "find", "--lr", "1e-5..100", *options, "--", "python3", "train.py", *command, *arguments]
        return subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)

    return run


@pytest.mark.parametrize("how", ["json", "text", "channel", "zero"])
def test_a_program_follows_the_ramp(find, tmp_path, how):
    options = ["--json", "--steps", "400"] + (["--metric-regex", r"step (?<step>\d+): training loss (\S+)"] if how == "text" else [])
    run = find("--how", how, options=options)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    rates = found["readings"]["rates"]
    ramp = 1e-5 * 1e7 ** (np.arange(400) / 400)
    # Updates that were not made any more have no loss.
    np.testing.assert_allclose(rates, ramp, rtol=1e-9)
    came = sum(loss is not None for loss in found["readings"]["losses"])
    # Least squares with inputs of variance 1: the loss falls by 1/e in 1/(2 rate) updates and is lost above a rate of about 1.
    assert 0.1 < found["diverged"] < 30
    low, high = found["fit"]["interval"]
    assert 1e-3 < low <= found["fit"]["steepest"] <= high < 1 and found["fit"]["lowest"] < 3
    assert found["fit"]["noise"] > 0.01
    # The child was ended as soon as the loss had run away.
    made = len((tmp_path / "made.txt").read_text().split())
    assert came <= made < 400
    for name, value in expected(np.array(rates), np.array(found["readings"]["losses"], float)).items():
        assert found["suggestions"][name] == pytest.approx(value, rel=1e-12), name


def test_a_program_that_ignores_the_schedule_is_told(find):
    ignoring = find("--fixed", "0.02", options=["--json"])
    assert any("does not answer" in w for w in json.loads(ignoring.stdout)["warnings"]), ignoring.stdout
    frozen = find("--fixed", "1e-12", options=["--json"])
    assert any("hardly falls" in w or "never falls" in w or "does not answer" in w for w in json.loads(frozen.stdout)["warnings"])
    following = find(options=["--json"])
    assert not any("does not answer" in w for w in json.loads(following.stdout)["warnings"])


def test_programs_that_tell_nothing(find, lehr, tmp_path):
    for arguments, code, words in [
        (["--how", "none"], 1, ["without a report of 'loss'", "log.txt"]),
        (["--how", "other"], 1, ["'loss'", "train_loss"]),
        (["--how", "nan"], 1, ["NaN", "at the lowest rate"]),
        (["--every", "50"], 1, ["4 losses in", "24", "every update"]),
        (["--how", "break"], 1, ["exit code 1", "no more memory"]),
    ]:
        run = find(*arguments)
        assert run.returncode == code and all(word in run.stderr for word in words), (arguments, run.stderr)
    run = find(command=())
    assert run.returncode == 2 and "{schedule_file}" in run.stderr
    assert find(command=(), options=["--reads", "schedule", "--json"]).returncode == 0
    run = find("{schedulefile}")
    assert run.returncode == 2 and "did you mean {schedule_file}" in run.stderr
    run = subprocess.run([lehr, "find", "--", "no-such-program", "{schedule_file}"], capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode in (1, 2) and "no-such-program" in run.stderr
    run = find(options=["--model", "softmax"])
    assert run.returncode == 2 and "--model" in run.stderr


def test_a_torch_program(lehr, tmp_path):
    need("torch")
    script = tmp_path / "net.py"
    script.write_text(
        """
import csv, json, sys, torch
torch.manual_seed(0)
rates = [float(row["lr"]) for row in csv.DictReader(open(sys.argv[1]))]
model = torch.nn.Sequential(torch.nn.Linear(10, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)
teacher = torch.nn.Sequential(torch.nn.Linear(10, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
for step, rate in enumerate(rates, 1):
    x = torch.randn(64, 10)
    optimizer.param_groups[0]["lr"] = rate
    loss = ((model(x) - teacher(x).detach()) ** 2).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    print(json.dumps({"step": step, "loss": loss.item()}), flush=True)
"""
    )
    picture = tmp_path / "find.png"
    command = [lehr, "find", "--lr", "1e-5..100", "-o", picture, "--json", "--", sys.executable, script, "{schedule_file}"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert 1e-4 < found["fit"]["steepest"] < found["fit"]["lowest"] < 3 and found["diverged"] < 50
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_tune_with_the_annealed_strategy(lehr):
    command = [lehr, "tune", "--strategy", "annealed", "--model", "softmax", "--schedules", "linear", "--steps", "256"]
    run = subprocess.run([*command, "--lr", "1e-4..100", "--budget", "3", "--json"], capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    assert found["schema"] == "lehr.tune.strategy/1" and found["strategy"] == "annealed"
    assert found["spent"]["steps"] <= 3 * 256 and len(found["runs"]) == found["spent"]["runs"]
    low, high = found["rate"]["interval"]["low"], found["rate"]["interval"]["high"]
    assert 1e-4 <= low <= found["rate"]["value"] <= high <= 100
    wrong = subprocess.run([*command[:3], "anealed"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "annealed" in wrong.stderr
