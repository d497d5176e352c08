"""Holds converted schedules against the values of the library that they come from."""

import json
import math
import random
import subprocess

CONFIGURATIONS = 200
# Of the peak. Both sides compute in float64.
TOLERANCE = 1e-12


class Case:
    """One call, the rates that its library gives, and the updates at which the library itself is wrong."""

    def __init__(self, call, rates, lr=None, excluded=(), channels=None, metrics=None):
        self.call, self.rates, self.lr = call, [float(rate) for rate in rates], lr
        self.excluded, self.channels, self.metrics = set(excluded), channels or {}, metrics

    def question(self):
        if self.metrics is None:
            return {"call": self.call, "lr": self.lr, "steps": len(self.rates)}
        # A call that reacts to metrics: JSON has no NaN.
        return {"call": self.call, "lr": self.lr, "metrics": [x if math.isfinite(x) else None for x in self.metrics]}


def call(name, positional=(), **arguments):
    """A call as text; every number keeps all its digits."""
    parts = [repr(value) for value in positional]
    parts += [f"{key}={value!r}" for key, value in arguments.items()]
    return f"{name}({', '.join(parts)})"


def cases(make, seed, count=CONFIGURATIONS):
    """`count` random cases; `make` returns None for a configuration that the library refuses."""
    rng, found = random.Random(seed), []
    while len(found) < count:
        case = make(rng)
        if case is not None:
            found.append(case)
    return found


def ask(program, cases):
    """What Lehr makes of each case."""
    lines = "".join(json.dumps(case.question()) + "\n" for case in cases)
    done = subprocess.run([program], input=lines, capture_output=True, text=True, timeout=300, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases)
    return answers


def check(program, cases, tolerance=TOLERANCE, constant=False):
    """Fails with the worst disagreement, if there is any."""
    answers = ask(program, cases)
    worst = (0.0, None)
    for case, answer in zip(cases, answers):
        assert "error" not in answer, f"{case.call}\n{answer['error']}"
        peak = max(answer["peak"] or case.lr, *case.rates)
        worst = max(worst, disagreement(case.rates, answer["rates"], peak, case, answer), key=lambda found: found[0])
        for name, values in case.channels.items():
            found = disagreement(values, answer["channels"][name], max(values), case, answer)
            worst = max(worst, found, key=lambda found: found[0])
    assert worst[0] <= tolerance, worst[1]
    # Cases that all stay at one level would prove nothing.
    assert constant or sum(len(set(case.rates)) > 1 for case in cases) > len(cases) // 2


def disagreement(theirs, ours, scale, case, answer):
    assert len(theirs) == len(ours)
    worst = (0.0, None)
    for t, (a, b) in enumerate(zip(theirs, ours)):
        error = abs(a - b) / scale
        if t not in case.excluded and not error <= worst[0]:
            worst = (error if error == error else float("inf"), f"{case.call}\n{answer['schedule']}\nat update {t}: {a!r}, not {b!r}")
    return worst


def log_uniform(rng, low, high):
    return low * (high / low) ** rng.random()


def rate(rng):
    """A learning rate; every other one is a round number."""
    return rng.choice([rng.choice([1.0, 0.1, 0.01, 1e-3, 3e-4, 1e-5]), log_uniform(rng, 1e-6, 10.0)])


def some(rng, **options):
    """A random choice of the arguments, so that defaults are tested too."""
    return {key: make() for key, make in options.items() if rng.random() < 0.7}
