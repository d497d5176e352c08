"""`lehr find` on logs, against fastai's definitions written anew in NumPy.

fastai itself is not installed for this: it brings a framework along. The rules below follow its documentation and the
behaviour of its `fastai.callback.schedule` (readings without the first tenth and the last five; running mean with 0.98).
"""

import json
import subprocess

import numpy as np
import pytest


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
