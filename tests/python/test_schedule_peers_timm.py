"""Conversions from timm.scheduler against timm's own values."""

from fractions import Fraction

import pytest
from schedule_peers import Case, call, cases, check, rate, some
from support import need

torch = need("torch")
need("timm")
from timm import scheduler as timm_scheduler  # noqa: E402
from timm.scheduler.wsd_lr import WSDLRScheduler  # noqa: E402


def run(made, lr, steps, **given):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler = made(optimizer, **given)
    rates = []
    for t in range(steps):
        scheduler.step(t)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def warmup(rng, lr, most):
    if rng.random() < 0.4:
        return {}
    return dict(warmup_t=rng.randint(1, most), warmup_lr_init=lr * rng.choice([0.0, 0.1, rng.random()]))


def cycles(rng, lr):
    given = dict(t_initial=rng.randint(2, 60))
    given |= some(rng, lr_min=lambda: lr * rng.choice([0.01, 0.1, rng.uniform(0, 0.2)]))
    if rng.random() < 0.6:
        given |= some(
            rng,
            cycle_mul=lambda: rng.choice([1.0, 2.0, 3.0, 1.5, rng.uniform(0.8, 2.5)]),
            cycle_decay=lambda: rng.uniform(0.3, 1.0),
            cycle_limit=lambda: rng.randint(1, 4),
        )
    return given


def on_border(steps, t_initial, warmup_t=0, warmup_prefix=False, cycle_mul=1.0, **_):
    """Updates exactly at a restart with growing cycles, where timm takes the cycle from a rounded logarithm and may
    give the floor instead of the peak. (A cycle that is not a whole number of updates long has no such update.)"""
    if cycle_mul == 1.0:
        return []
    start, border, length = (warmup_t if warmup_prefix else 0), Fraction(0), Fraction(t_initial)
    found = []
    while border <= steps and length > Fraction(1, 1000):
        border += length
        length *= Fraction(cycle_mul)
        found.append(border + start)
    return [t for t in range(steps) if any(abs(t - border) < Fraction(1, 10**9) for border in found)]


CYCLIC = {
    "CosineLRScheduler": lambda rng: some(rng, k_decay=lambda: rng.uniform(0.5, 2)),
    "PolyLRScheduler": lambda rng: some(rng, power=lambda: rng.uniform(0.3, 3), k_decay=lambda: rng.uniform(0.5, 2)),
    "TanhLRScheduler": lambda rng: some(rng, lb=lambda: rng.uniform(-8, -2), ub=lambda: rng.uniform(1, 4)),
}


@pytest.mark.parametrize("name", CYCLIC)
def test_cyclic(example, name):
    def make(rng):
        lr, steps = rate(rng), rng.randint(1, 150)
        given = cycles(rng, lr) | CYCLIC[name](rng) | warmup(rng, lr, 30)
        # Without the prefix, the end of tanh's warm-up is its rate at that update, which depends on lr: not converted.
        if rng.random() < 0.5 or name == "TanhLRScheduler":
            given["warmup_prefix"] = True
        # timm fails where a cycle becomes shorter than an update, and where shrinking cycles come to their end.
        if given.get("cycle_mul", 1.0) < 1.0:
            given["cycle_mul"] = 1.25
        rates = run(getattr(timm_scheduler, name), lr, steps, **given)
        return Case(call(f"timm.{name}", **given), rates, lr, on_border(steps, **given))

    check(example("convert"), cases(make, name))


def test_a_missed_restart_is_theirs():
    """The borders are excluded above because timm's own value there is the floor now and then."""
    given = dict(t_initial=1, cycle_mul=3.0, cycle_limit=12, warmup_prefix=False)
    borders = on_border(2000, **given)
    rates = run(timm_scheduler.CosineLRScheduler, 1.0, 2000, **given)
    assert any(rates[t] < 0.5 for t in borders) and any(rates[t] == 1.0 for t in borders)


@pytest.mark.parametrize("name", ["StepLRScheduler", "MultiStepLRScheduler"])
def test_stepwise(example, name):
    def make(rng):
        lr, steps = rate(rng), rng.randint(1, 150)
        if name == "StepLRScheduler":
            given = dict(decay_t=rng.choice([rng.randint(1, 40), rng.randint(2, 60) + 0.5]))
        else:
            given = dict(decay_t=sorted(rng.randint(0, 120) for _ in range(rng.randint(1, 5))))
        given |= some(rng, decay_rate=lambda: rng.uniform(0.1, 1.0)) | warmup(rng, lr, 40)
        if rng.random() < 0.5:
            given["warmup_prefix"] = rng.random() < 0.5
        return Case(call(f"timm.{name}", **given), run(getattr(timm_scheduler, name), lr, steps, **given), lr)

    check(example("convert"), cases(make, name))


@pytest.mark.parametrize("stable_fn", ["constant", "rsqrt", "power"])
@pytest.mark.parametrize("decay_fn", ["linear", "1-sqrt", "cosine", "power", "exp"])
def test_wsd(example, stable_fn, decay_fn):
    def make(rng):
        lr, total = rate(rng), rng.randint(2, 120)
        given = dict(t_initial=total, decay_t=rng.randint(1, total), stable_fn=stable_fn, decay_fn=decay_fn)
        given |= warmup(rng, lr, 30)
        given |= some(
            rng,
            lr_min=lambda: lr * rng.choice([0.01, rng.random()]),
            stable_power=lambda: rng.uniform(0.1, 2),
            decay_power=lambda: rng.uniform(0.3, 2),
            decay_ratio=lambda: rng.uniform(0.01, 0.9),
        )
        if stable_fn != "constant" and ("warmup_t" not in given or rng.random() < 0.5):
            given["stable_timescale"] = rng.uniform(1, 100)
        return Case(call("timm.WSDLRScheduler", **given), run(WSDLRScheduler, lr, total + 40, **given), lr)

    check(example("convert"), cases(make, f"{stable_fn} {decay_fn}", 40))
