"""The Python package: schedules, their errors, and what every module says of itself."""

import copy
import doctest
import importlib
import json
import pickle
import pkgutil
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import lehr as package

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def modules():
    yield "lehr"
    for found in pkgutil.walk_packages(package.__path__, "lehr.", onerror=lambda name: None):
        if not found.name.endswith(("_core", "__main__")):
            yield found.name


@pytest.mark.parametrize("name", list(modules()))
def test_examples_in_the_documentation(name):
    try:
        module = importlib.import_module(name)
    except ImportError as why:
        # Ray has an environment of its own, and the light one lacks some of the libraries that the faces are for.
        missing = (why.name or "").split(".")[0]
        assert missing in {"torch", "transformers", "keras", "ray"}, why
        pytest.skip(f"{missing} is not installed")
    result = doctest.testmod(module, optionflags=FLAGS)
    assert result.failed == 0


def test_values_are_those_of_the_program(lehr):
    arguments = ["schedule", "values", "warmup 2%, cosine to 0.1", "--steps", "1000", "--peak", "3e-4", "--json"]
    printed = json.loads(subprocess.run([lehr, *arguments], capture_output=True, check=True, text=True).stdout)
    rates = np.array(printed["lr"])
    ours = package.schedule("warmup 2%, cosine to 0.1", steps=1000, peak=3e-4)
    assert np.array_equal(ours.values(), rates)
    assert np.array_equal(ours.at(np.arange(1000)), rates)
    assert [ours.at(t) for t in range(1000)] == rates.tolist()


def test_places_of_many_kinds():
    s = package.schedule("linear", steps=10, peak=1.0)
    assert s.at(np.int32(5)) == s.at(5.0) == s(5) == 0.5
    assert s.at(np.array([[0, 5], [10, 2**60]])).tolist() == [[1.0, 0.5], [0.0, 0.0]]
    assert s.at([]).shape == (0,)
    assert s.values(8, 12).tolist() == pytest.approx([0.2, 0.1, 0.0, 0.0])
    assert s.values(5, 3).size == 0
    assert len(list(s)) == len(s) == s.steps == 10
    values = s.values()
    values[0] = 7.0
    assert s.at(0) == 1.0
    for bad in (-1, [-1, 2], 0.5, [0.5], "3", float("nan"), True, 2**64):
        with pytest.raises(ValueError):
            s.at(bad)
    with pytest.raises(MemoryError):
        s.values(0, 2**62)


def test_errors_have_the_text_and_the_place():
    with pytest.raises(package.SpecError) as caught:
        package.schedule("warmup 500, cosin", steps=10_000)
    error = caught.value
    assert isinstance(error, ValueError)
    assert "did you mean `cosine`?" in str(error)
    assert (error.start, error.end, error.text[error.start : error.end]) == (12, 17, "cosin")
    assert error.nearest == "`cosine`"
    for spec, steps, settings, words in [
        ("cosine", 0, {}, "at least one step"),
        ("cosine", 2**60, {}, "at most 2^53"),
        ("cosine", 2**70, {}, "at most 2^64"),
        ("cosine", 10.5, {}, "whole number"),
        ("cosine", "10", {}, "whole number"),
        ("cosine", 10, {"peak": -1.0}, "above 0"),
        ("cosine", 10, {"peak": float("nan")}, "above 0"),
        ("cosine", 10, {"peak": "x"}, "must be a number"),
        ("cosine to lr 1e-6", 10, {}, "absolute rate"),
        ("warmup 10ep, cosine", 10, {}, "steps per epoch"),
        ("warmup 500, cosine", 100, {}, "500"),
        ("", 10, {}, "ends too early"),
        (3, 10, {}, "text or data"),
        ({"phases": "x"}, 10, {}, ""),
        ("plateau patience -1", 10, {}, "patience"),
    ]:
        with pytest.raises(ValueError, match=words.replace("^", r"\^")):
            package.schedule(spec, steps=steps, **settings)


def test_copies_pickles_and_data():
    s = package.schedule(
        "warmup 1ep, cosine to 0.1 with momentum from 0.95 to 0.85 with group head by 0.5",
        steps=100,
        peak=0.2,
        steps_per_epoch=10,
    )
    for other in (pickle.loads(pickle.dumps(s)), copy.deepcopy(s), eval(repr(s), {"lehr": package})):
        assert other == s and hash(other) == hash(s)
        assert np.array_equal(other.values(), s.values())
    assert package.schedule(s.data, steps=100, peak=0.2, steps_per_epoch=10) == s
    assert package.schedule(s, steps=100, peak=0.2, steps_per_epoch=10) == s
    assert s != package.schedule(s, steps=101, peak=0.2, steps_per_epoch=10)
    assert list(s.channels) == ["momentum"] and list(s.groups) == ["head"]
    assert s.groups["head"].at(50) == s.at(50) * 0.5
    assert [phase.text for phase in s.phases] == ["warmup 1ep", "cosine to 0.1"]
    assert s.with_peak(None).at(9) == 1.0


def test_pictures(tmp_path):
    s = package.schedule("one-cycle", steps=100, peak=0.1)
    for ending, start in [("svg", b"<?xml" if s._repr_svg_().startswith("<?xml") else b"<svg"), ("png", b"\x89PNG")]:
        s.plot(tmp_path / f"rates.{ending}")
        assert (tmp_path / f"rates.{ending}").read_bytes().startswith(start)
    with pytest.raises(ValueError, match="gif"):
        s.plot(tmp_path / "rates.gif")
    with pytest.raises(ValueError, match="cannot"):
        s.plot(tmp_path / "no" / "rates.svg")

    class Axes:
        lines = []

        def plot(self, x, y, label):
            self.lines.append((list(x), list(y), label))

        def set_xlabel(self, text):
            pass

        set_ylabel = set_xlabel

    s.plot(Axes())
    assert Axes.lines[0][0][-1] == 99 and Axes.lines[0][1] == s.values().tolist()


def test_feedback_keeps_its_state():
    f = package.schedule("plateau by 0.5 patience 1", steps=100, peak=1.0)
    for t, loss in enumerate([3.0, 3.0, 3.0, float("nan")]):
        verdict = f.observe(t, loss)
    assert verdict.kind == "not-finite" and f.at(4) == 0.5
    other = pickle.loads(pickle.dumps(f))
    assert other.state == f.state and other.at(4) == 0.5
    with pytest.raises(ValueError):
        f.restore({"level": "x"})
    with pytest.raises(ValueError):
        f.restore({**f.state, "level": -1.0})
    assert f.at(4) == 0.5


def test_calls_of_other_libraries():
    found = package.convert("transformers.get_cosine_schedule_with_warmup(num_warmup_steps=10, num_training_steps=100)", lr=0.1)
    assert found.schedule().steps == 100 and found.peak == 0.1
    with pytest.raises(package.SpecError, match="StepLR"):
        package.convert("torch.StepLRR(30)")
    with pytest.raises(ValueError, match="steps"):
        package.convert("torch.StepLR(30)", lr=0.1).schedule()
    with pytest.raises(ValueError, match="above 0"):
        package.convert("torch.StepLR(30)", lr=-1)


def test_other_threads_run_during_long_calls():
    s = package.schedule("restarts every 1000 grow 2 along cosine", steps=2**40)
    ticks, done = [], threading.Event()

    def tick():
        while not done.wait(0.001):
            ticks.append(time.perf_counter())

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.perf_counter()
    s.values(0, 20_000_000)
    end = time.perf_counter()
    done.set()
    thread.join()
    assert sum(start < t < end for t in ticks) >= 3


def test_import_takes_nothing_heavy_and_the_package_is_typed():
    code = "import sys, lehr; print(*sorted({m.split('.')[0] for m in sys.modules})); lehr.schedule('cosine', 10).at(3)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()
    assert not {"numpy", "torch", "jax", "optuna", "keras"} & set(out)
    code = "import time; a = time.process_time(); import lehr; print(time.process_time() - a)"
    run = lambda: float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert min(run() for _ in range(3)) < 0.1
    assert importlib.resources.files("lehr").joinpath("py.typed").is_file()


def test_every_name_is_there():
    for name in package.__all__:
        if name not in (*package._FACES, "find"):
            assert getattr(package, name) is not None
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="nothing"):
        package.nothing


def test_the_package_brings_the_program():
    def run(*arguments):
        return subprocess.run([sys.executable, "-m", "lehr", *arguments], capture_output=True, text=True)

    shown = run("schedule", "values", "linear", "--steps", "4", "--json")
    assert shown.returncode == 0 and json.loads(shown.stdout)["schema"].startswith("lehr.schedule.values/")
    assert run("schedule", "values", "linar", "--steps", "4").returncode == 2
    assert run("--version").stdout.strip() == f"lehr {package.__version__}"
    assert run().returncode == 2
