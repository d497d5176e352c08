"""Conversions of the schedulers that react to a metric, against the libraries' own classes stepped with the same metrics."""

import itertools
import math
import types
import warnings

import pytest
from schedule_peers import Case, ask, call, cases, check, rate, some
from support import need

torch = need("torch")
jax = need("jax")
optax = need("optax")
keras = need("keras")
need("timm")
need("transformers")
from optax import contrib  # noqa: E402
from timm.scheduler.plateau_lr import PlateauLRScheduler  # noqa: E402
from transformers.optimization import get_scheduler  # noqa: E402

STEPS = 120


def metrics(rng, worst=math.inf, odd=True, negative=False):
    """A noisy fall with stretches that stand still; some values are NaN or as bad as can be."""
    level, values = rng.uniform(1.0, 20.0), []
    quarters = rng.random() < 0.4
    while len(values) < STEPS:
        level = max(level * rng.choice([0.7, 0.9, 0.97, 1.0, 1.05]), 0.05)
        noise = rng.choice([0.0, 0.01, 0.2])
        for _ in range(rng.choice([1, 1, 3, rng.randint(1, 25)])):
            value = level * (1 + noise * rng.uniform(-1, 1))
            value = round(4 * value) / 4 + 0.25 if quarters else value
            value = -value if negative else value
            values.append(rng.choice([math.nan, worst]) if odd and rng.random() < 0.05 else value)
    return values[:STEPS]


def reaction(rng):
    """What all of them take, under names that each test makes its own."""
    return dict(
        by=rng.choice([0.1, 0.5, 0.95, rng.uniform(0.05, 0.99)]),
        patience=rng.choice([0, 1, 2, rng.randint(0, 15)]),
        cooldown=rng.choice([0, 0, 1, rng.randint(0, 10)]),
    )


def threshold(rng, least=0.0):
    return rng.choice([least, 1e-4, 0.05, rng.uniform(least, 0.3)])


def stepped(make, lr, values, numbered=False):
    """The rate before each metric and after the last."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = make(optimizer)
        rates = [optimizer.param_groups[0]["lr"]]
        for t, value in enumerate(values):
            scheduler.step(t + 1, value) if numbered else scheduler.step(value)
            rates.append(optimizer.param_groups[0]["lr"])
    return rates


def torch_plateau(rng):
    lr, mode, shared = rate(rng), rng.choice(["min", "max"]), reaction(rng)
    given = dict(mode=mode, factor=shared["by"], patience=shared["patience"], cooldown=shared["cooldown"])
    given |= some(
        rng,
        threshold=lambda: threshold(rng),
        threshold_mode=lambda: rng.choice(["rel", "abs"]),
        min_lr=lambda: lr * rng.choice([0.0, 0.01, 0.3]),
        eps=lambda: lr * rng.choice([0.0, 1e-8, 1e-3]),
    )
    # A share of a negative metric is torch's error: see below.
    values = metrics(rng, math.inf if mode == "min" else -math.inf, negative=given.get("threshold_mode") == "abs")
    return lr, given, values


def test_torch(example):
    def make(rng):
        lr, given, values = torch_plateau(rng)
        rates = stepped(lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, **given), lr, values)
        return Case(call("torch.ReduceLROnPlateau", **given), rates, lr, metrics=values)

    check(example("convert"), cases(make, "torch"))


def test_transformers_plateau(example):
    def make(rng):
        lr, given, values = torch_plateau(rng)
        rates = stepped(lambda o: get_scheduler("reduce_lr_on_plateau", o, None, None, given), lr, values)
        text = call("transformers.get_scheduler", ["reduce_lr_on_plateau"], scheduler_specific_kwargs=given)
        return Case(text, rates, lr, metrics=values)

    check(example("convert"), cases(make, "transformers"))


@pytest.mark.parametrize("smooth", [False, True])
def test_greedy(example, smooth):
    def make(rng):
        lr, given, values = torch_plateau(rng)
        given["patience"] = min(given["patience"], 4)
        given |= some(
            rng,
            warmup=lambda: rng.randint(0, 5),
            min_lr=lambda: lr * rng.choice([0.0, 0.1, 0.5]),
            max_lr=lambda: lr * rng.choice([0.5, 1.0, 4.0, 100.0]),
            reset_start=lambda: rng.randint(0, 5),
        )
        if smooth:
            # Its running sum carries its rounding along, and a NaN for good: see below.
            given |= dict(smooth=True, window_size=rng.randint(1, 20), threshold=threshold(rng, 1e-6))
            values = metrics(rng, odd=False, negative=given["mode"] == "max" and given.get("threshold_mode") != "rel")
        rates = stepped(lambda o: get_scheduler("greedy", o, None, None, given), lr, values)
        return Case(call("transformers.greedy", **given), rates, lr, metrics=values)

    check(example("convert"), cases(make, f"greedy {smooth}"))


def test_timm(example):
    def make(rng):
        lr, shared, mode = rate(rng), reaction(rng), rng.choice(["min", "max"])
        given = dict(decay_rate=shared["by"], patience_t=shared["patience"], cooldown_t=shared["cooldown"], mode=mode)
        given |= some(
            rng,
            threshold=lambda: threshold(rng),
            lr_min=lambda: lr * rng.choice([0.0, 0.01, 0.3]),
            warmup_t=lambda: rng.randint(0, 30),
            warmup_lr_init=lambda: lr * rng.random(),
        )
        values = metrics(rng, math.inf if mode == "min" else -math.inf)
        rates = stepped(lambda o: PlateauLRScheduler(o, **given), lr, values, numbered=True)
        return Case(call("timm.PlateauLRScheduler", **given), rates, lr, metrics=values)

    check(example("convert"), cases(make, "timm"))


def test_optax(example):
    """In float64 and compiled; `factor`, `rtol` and `atol` cannot be traced, so ten configurations share each of them."""
    assert jax.config.jax_enable_x64

    def compiled(factor, rtol, atol):
        def run(lr, rest, values):
            transform = contrib.reduce_on_plateau(factor=factor, rtol=rtol, atol=atol, **rest)

            def step(state, value):
                updates, state = transform.update(lr, state, value=value)
                return state, updates

            return jax.lax.scan(step, transform.init(lr), values)[1]

        return jax.jit(run)

    shared = {}

    def make(rng):
        if not shared or shared["left"] == 0:
            rtol, atol = rng.choice([(1e-4, 0.0), (threshold(rng, 1e-9), threshold(rng)), (0.0, threshold(rng, 1e-6))])
            static = dict(factor=reaction(rng)["by"], rtol=rtol, atol=atol)
            shared.update(left=10, static=static, run=compiled(**static))
        shared["left"] -= 1
        lr, values = rate(rng), metrics(rng)
        rest = dict(
            patience=rng.randint(1, 12),
            cooldown=rng.choice([0, rng.randint(0, 10)]),
            accumulation_size=rng.choice([1, 1, 2, rng.randint(1, 9)]),
            min_scale=rng.choice([0.0, 0.01, 0.3]),
        )
        rates = [lr, *shared["run"](jax.numpy.float64(lr), rest, jax.numpy.asarray(values)).tolist()]
        return Case(call("optax.contrib.reduce_on_plateau", **shared["static"], **rest), rates, lr, metrics=values)

    check(example("convert"), cases(make, "optax"))


@pytest.fixture
def float64():
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx(before)


def keras_rates(lr, given, values):
    optimizer = keras.optimizers.SGD(lr)
    callback = keras.callbacks.ReduceLROnPlateau(**given)
    callback.set_model(types.SimpleNamespace(optimizer=optimizer, metrics=[]))
    callback.on_train_begin()
    rates = [lr]
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {callback.monitor: value})
        rates.append(float(optimizer.learning_rate.value))
    return rates


def test_keras(example, float64):
    def make(rng):
        lr, shared = rate(rng), reaction(rng)
        mode = rng.choice(["auto", "min", "max"])
        given = dict(factor=shared["by"], patience=shared["patience"], cooldown=shared["cooldown"], mode=mode)
        given |= some(rng, min_delta=lambda: threshold(rng), min_lr=lambda: lr * rng.choice([0.0, 2.0**-7, 0.25]))
        values = metrics(rng, -math.inf if mode == "max" else math.inf, negative=rng.random() < 0.3 and mode != "max")
        if not math.isfinite(values[0]):
            # A first metric that is NaN stays the best for good: see below.
            values[0] = 1.0
        return Case(call("keras.callbacks.ReduceLROnPlateau", **given), keras_rates(lr, given, values), lr, metrics=values)

    check(example("convert"), cases(make, "keras"))


def differing(example, case):
    """The updates at which the library has another rate than Lehr."""
    (answer,) = ask(example("convert"), [case])
    return [t for t, (a, b) in enumerate(itertools.zip_longest(case.rates, answer["rates"])) if a != b]


def test_torch_takes_a_worse_negative_loss_for_better(example):
    """Its bound is best·(1 − threshold), which lies above a negative best: a loss that rises is better every time."""
    values = [-1.0 + 0.04 * t for t in range(15)]
    given = dict(patience=2, threshold=0.1)
    rates = stepped(lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, **given), 0.1, values)
    assert rates[-1] == rates[0]
    assert differing(example, Case(call("torch.ReduceLROnPlateau", **given), rates, 0.1, metrics=values))


def test_torch_takes_minus_infinity_for_the_best(example):
    values = [3.0, -math.inf] + [2.0 - 0.1 * t for t in range(15)]
    rates = stepped(lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=2), 0.1, values)
    assert rates[-1] < rates[0]
    assert differing(example, Case("torch.ReduceLROnPlateau(patience=2)", rates, 0.1, metrics=values))


def test_greedy_never_recovers_from_nan_in_its_window(example):
    values = [2.0, math.nan] + [2.0 - 0.1 * t for t in range(15)]
    given = dict(patience=2, smooth=True, window_size=3, min_lr=0.0)
    rates = stepped(lambda o: get_scheduler("greedy", o, None, None, given), 0.1, values)
    assert rates[-1] < rates[0]
    assert differing(example, Case(call("transformers.greedy", **given), rates, 0.1, metrics=values))


def test_keras_keeps_a_first_nan_as_the_best(example, float64):
    values = [math.nan] + [2.0 - 0.1 * t for t in range(15)]
    rates = keras_rates(0.1, dict(patience=2), values)
    assert rates[-1] < rates[0]
    assert differing(example, Case("keras.callbacks.ReduceLROnPlateau(patience=2)", rates, 0.1, metrics=values))
