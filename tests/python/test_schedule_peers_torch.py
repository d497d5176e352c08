"""Conversions from torch.optim.lr_scheduler against torch's own values."""

import warnings

import pytest
from schedule_peers import Case, call, cases, check, rate, some
from support import need

torch = need("torch")
from torch.optim import lr_scheduler  # noqa: E402
from torch.optim.swa_utils import SWALR  # noqa: E402


def run(make, lr, steps, momentum=False):
    """The rate (and momentum) of each update, stepping as a training loop does."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)
    rates, momenta = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = make(optimizer)
        for _ in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            momenta.append(optimizer.param_groups[0]["momentum"])
            if len(rates) < steps:
                scheduler.step()
    return (rates, momenta) if momentum else rates


def simple(name, arguments):
    """A maker of cases for a scheduler with these random arguments."""

    def make(rng):
        lr, steps, given = rate(rng), rng.randint(1, 150), arguments(rng)
        rates = run(lambda optimizer: getattr(lr_scheduler, name)(optimizer, **given), lr, steps)
        return Case(call(f"torch.{name}", **given), rates, lr)

    return make


def factor(rng):
    return rng.choice([0.1, 0.5, 0.9, 0.99, rng.uniform(0.01, 1.2)])


def step(rng):
    return dict(step_size=rng.randint(1, 60), **some(rng, gamma=lambda: factor(rng)))


def multi_step(rng):
    milestones = [rng.randint(0, 120) for _ in range(rng.randint(1, 6))]
    return dict(milestones=milestones, **some(rng, gamma=lambda: factor(rng)))


def constant(rng):
    return some(rng, factor=lambda: rng.uniform(0.01, 1.0), total_iters=lambda: rng.randint(1, 100))


def linear(rng):
    return some(
        rng,
        start_factor=lambda: rng.uniform(0.01, 1.0),
        end_factor=lambda: rng.choice([0.0, 1.0, rng.random()]),
        total_iters=lambda: rng.randint(1, 200),
    )


def polynomial(rng):
    return some(rng, total_iters=lambda: rng.randint(1, 200), power=lambda: rng.choice([1.0, 2.0, rng.uniform(0.2, 4)]))


def floor(rng):
    return rng.choice([0.0, 1e-6, rng.uniform(0, 1e-5)])


def cosine(rng):
    # With T_max below the number of steps the rate rises again.
    return dict(T_max=rng.randint(1, 200), **some(rng, eta_min=lambda: floor(rng)))


def warm_restarts(rng):
    return dict(
        T_0=rng.randint(1, 40), **some(rng, T_mult=lambda: rng.randint(1, 3), eta_min=lambda: floor(rng))
    )


SIMPLE = {
    "StepLR": step,
    "MultiStepLR": multi_step,
    "ExponentialLR": lambda rng: dict(gamma=rng.uniform(0.8, 1.02)),
    "ConstantLR": constant,
    "LinearLR": linear,
    "PolynomialLR": polynomial,
    "CosineAnnealingLR": cosine,
    "CosineAnnealingWarmRestarts": warm_restarts,
}


@pytest.mark.parametrize("name", SIMPLE)
def test_simple(example, name):
    check(example("convert"), cases(simple(name, SIMPLE[name]), name))


def test_multiplicative(example):
    def make(rng):
        lr, steps, by = rate(rng), rng.randint(1, 150), rng.uniform(0.8, 1.02)
        rates = run(lambda optimizer: lr_scheduler.MultiplicativeLR(optimizer, lambda epoch: by), lr, steps)
        return Case(f"torch.MultiplicativeLR(optimizer, lr_lambda=lambda epoch: {by!r})", rates, lr)

    check(example("convert"), cases(make, "multiplicative"))


@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
def test_cyclic(example, mode):
    def make(rng):
        base = rng.choice([0.0, 1e-4, rng.uniform(0, 0.1)])
        given = dict(base_lr=base, max_lr=base + rng.uniform(0.01, 1.0), mode=mode)
        given |= some(
            rng,
            step_size_up=lambda: rng.randint(1, 40),
            step_size_down=lambda: rng.randint(1, 40),
            gamma=lambda: rng.uniform(0.9, 1.0),
            base_momentum=lambda: rng.uniform(0.7, 0.8),
            max_momentum=lambda: rng.uniform(0.85, 0.95),
        )
        steps = rng.randint(1, 200)
        rates, momenta = run(lambda optimizer: lr_scheduler.CyclicLR(optimizer, **given), 0.1, steps, momentum=True)
        return Case(call("torch.CyclicLR", **given), rates, channels={"momentum": momenta})

    check(example("convert"), cases(make, mode))


@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("strategy", ["cos", "linear"])
def test_one_cycle(example, strategy, three_phase):
    def make(rng):
        total = rng.randint(10, 200)
        given = dict(max_lr=rate(rng), total_steps=total, anneal_strategy=strategy, three_phase=three_phase)
        given |= some(
            rng,
            pct_start=lambda: rng.uniform(1.5 / total, 0.5) if three_phase else rng.uniform(1.5 / total, 0.95),
            base_momentum=lambda: rng.uniform(0.7, 0.85),
            max_momentum=lambda: rng.uniform(0.86, 0.95),
            div_factor=lambda: rng.uniform(2, 50),
            final_div_factor=lambda: 10 ** rng.uniform(0, 5),
        )
        if (2 if three_phase else 1) * (given.get("pct_start", 0.3) * total - 1) >= total - 1:
            return None
        rates, momenta = run(lambda optimizer: lr_scheduler.OneCycleLR(optimizer, **given), 0.1, total, momentum=True)
        return Case(call("torch.OneCycleLR", **given), rates, channels={"momentum": momenta})

    check(example("convert"), cases(make, f"{strategy} {three_phase}"))


def test_swa(example):
    def make(rng):
        lr, steps = rate(rng), rng.randint(1, 100)
        given = dict(swa_lr=lr * rng.uniform(0.01, 2.0))
        given |= some(
            rng, anneal_epochs=lambda: rng.randint(0, 80), anneal_strategy=lambda: rng.choice(["cos", "linear"])
        )
        return Case(call("torch.SWALR", **given), run(lambda optimizer: SWALR(optimizer, **given), lr, steps), lr)

    check(example("convert"), cases(make, "swa"))


def test_sequential(example):
    """Any of the simple schedulers one after the other, each cut at its milestone, the last one at the end."""

    def make(rng):
        lr, steps = rate(rng), rng.randint(1, 150)
        names = [rng.choice(list(SIMPLE)) for _ in range(rng.randint(2, 4))]
        inner = [(name, SIMPLE[name](rng)) for name in names]
        milestones = sorted(rng.sample(range(1, 120), len(inner) - 1))

        def sequential(optimizer):
            made = [getattr(lr_scheduler, name)(optimizer, **given) for name, given in inner]
            return lr_scheduler.SequentialLR(optimizer, made, milestones)

        calls = ", ".join(call(name if rng.random() < 0.5 else f"torch.{name}", **given) for name, given in inner)
        return Case(f"torch.SequentialLR(optimizer, [{calls}], milestones={milestones})", run(sequential, lr, steps), lr)

    check(example("convert"), cases(make, "sequential"))


def test_chained(example):
    """The schedulers that multiply the rate; those that set it are refused."""
    factors = [name for name in SIMPLE if not name.startswith("Cosine")]

    def make(rng):
        lr, steps = rate(rng), rng.randint(1, 150)
        inner = [(name, SIMPLE[name](rng)) for name in (rng.choice(factors) for _ in range(rng.randint(2, 4)))]
        if rng.random() < 0.3:
            inner.append(("CosineAnnealingLR", dict(T_max=steps + rng.randint(0, 50))))

        def chained(optimizer):
            return lr_scheduler.ChainedScheduler([getattr(lr_scheduler, n)(optimizer, **g) for n, g in inner])

        calls = ", ".join(call(f"torch.{name}", **given) for name, given in inner)
        return Case(f"torch.ChainedScheduler([{calls}])", run(chained, lr, steps), lr)

    check(example("convert"), cases(make, "chained"))
