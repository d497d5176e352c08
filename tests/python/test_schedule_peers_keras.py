"""Conversions from keras.optimizers.schedules against Keras' own values, with float64 as its float type."""

import pytest
from schedule_peers import Case, call, cases, check, rate, some
from support import need

torch = need("torch")
keras = need("keras")

STEPS = 60


@pytest.fixture(autouse=True, scope="module")
def float64():
    assert keras.backend.backend() == "torch"
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx(before)


def run(name, given, steps):
    schedule = getattr(keras.optimizers.schedules, name)(**given)
    values = torch.stack([schedule(t) for t in range(steps)])
    assert values.dtype == torch.float64
    return values.tolist()


def exponential(rng):
    return dict(
        initial_learning_rate=rate(rng), decay_steps=rng.choice([1, rng.randint(1, 60)]),
        decay_rate=rng.choice([0.5, rng.uniform(0.1, 1.2)]), **some(rng, staircase=lambda: rng.random() < 0.7),
    )


def piecewise(rng):
    boundaries = sorted(rng.sample(range(0, 58), rng.randint(1, 5)))
    return dict(boundaries=boundaries, values=[rate(rng) for _ in range(len(boundaries) + 1)])


def polynomial(rng):
    init = rate(rng)
    return dict(initial_learning_rate=init, decay_steps=rng.randint(1, 100)) | dict(
        end_learning_rate=init * rng.choice([0.0, 0.1, 1.5 * rng.random()])
    ) | some(rng, power=lambda: rng.choice([1.0, 2.0, rng.uniform(0.3, 3)]), cycle=lambda: rng.random() < 0.7)


def inverse_time(rng):
    return dict(
        initial_learning_rate=rate(rng), decay_steps=rng.randint(1, 60), decay_rate=rng.choice([0.5, rng.uniform(0, 5)]),
        **some(rng, staircase=lambda: rng.random() < 0.7),
    )


def cosine(rng):
    init = rate(rng)
    given = dict(initial_learning_rate=init, decay_steps=rng.randint(1, 90)) | some(rng, alpha=lambda: rng.random())
    if rng.random() < 0.6:
        given |= dict(warmup_target=init * rng.uniform(0.5, 20), warmup_steps=rng.randint(1, 40))
    return given


def restarts(rng):
    return dict(initial_learning_rate=rate(rng), first_decay_steps=rng.randint(2, 30)) | some(
        rng,
        t_mul=lambda: rng.choice([1.0, 2.0, 3.0, 1.5, rng.uniform(1.0, 2.5)]),
        m_mul=lambda: rng.choice([1.0, rng.uniform(0.3, 1.1)]),
        alpha=lambda: rng.uniform(0, 0.5),
    )


SCHEDULES = {
    "ExponentialDecay": exponential,
    "PiecewiseConstantDecay": piecewise,
    "PolynomialDecay": polynomial,
    "InverseTimeDecay": inverse_time,
    "CosineDecay": cosine,
    "CosineDecayRestarts": restarts,
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule(example, name):
    def make(rng):
        given = SCHEDULES[name](rng)
        return Case(call(f"keras.{name}", **given), run(name, given, STEPS))

    check(example("convert"), cases(make, name))
