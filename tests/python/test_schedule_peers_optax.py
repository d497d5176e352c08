"""Conversions from optax.schedules against optax's own values, in float64 (JAX_ENABLE_X64)."""

import jax
import jax.numpy as jnp
import numpy
import optax
import pytest
from schedule_peers import CONFIGURATIONS, Case, call, cases, check, log_uniform, rate, some

# One length for all, so that JAX compiles each operation once.
STEPS = 150


def run(name, arguments):
    schedule = getattr(optax, name)(**arguments)
    values = jax.vmap(lambda t: jnp.asarray(schedule(t), jnp.float64))(jnp.arange(STEPS))
    assert values.dtype == jnp.float64
    return numpy.asarray(values)


def polynomial(rng):
    return dict(
        init_value=rng.choice([0.0, rate(rng)]), end_value=rate(rng), power=rng.choice([1, 2, rng.uniform(0.3, 4)]),
        transition_steps=rng.choice([0, rng.randint(1, 200)]), **some(rng, transition_begin=lambda: rng.randint(0, 60)),
    )


def linear(rng):
    given = polynomial(rng)
    del given["power"]
    return given


def boundaries(rng):
    return {rng.randint(1, 140): rng.choice([0.1, 0.5, rng.uniform(0.1, 2)]) for _ in range(rng.randint(1, 5))}


def piecewise_constant(rng):
    return dict(init_value=rate(rng), **some(rng, boundaries_and_scales=lambda: boundaries(rng)))


def piecewise_interpolate(rng):
    return dict(
        interpolate_type=rng.choice(["linear", "cosine"]), init_value=rate(rng), boundaries_and_scales=boundaries(rng)
    )


def decay(rng, peak):
    by = rng.choice([0.5, 0.9, rng.uniform(0.3, 1.5)])
    return dict(transition_steps=rng.randint(1, 100), decay_rate=by) | some(
        rng,
        transition_begin=lambda: rng.randint(0, 60),
        staircase=lambda: True,
        end_value=lambda: peak * (rng.uniform(0.1, 1) if by < 1 else rng.uniform(1, 3)),
    )


def exponential(rng):
    init = rate(rng)
    return dict(init_value=init, **decay(rng, init))


def cosine(rng):
    return dict(init_value=rate(rng), decay_steps=rng.randint(1, 200)) | some(
        rng, alpha=lambda: rng.random(), exponent=lambda: rng.uniform(0.5, 3)
    )


def one_cycle(rng):
    total = rng.randint(20, 200)
    return dict(transition_steps=total, peak_value=rate(rng)) | some(
        rng,
        pct_start=lambda: rng.uniform(0.1, 0.8),
        div_factor=lambda: rng.uniform(2, 50),
        final_div_factor=lambda: log_uniform(rng, 1, 1e5),
    )


def warmup(rng):
    peak = rate(rng)
    return dict(init_value=peak * rng.choice([0.0, 0.1, 2 * rng.random()]), peak_value=peak, warmup_steps=rng.randint(0, 60))


def warmup_cosine(rng):
    given = warmup(rng)
    peak, steps = given["peak_value"], given["warmup_steps"] + rng.randint(1, 120)
    return given | dict(decay_steps=steps) | some(
        rng, end_value=lambda: peak * rng.random(), exponent=lambda: rng.uniform(0.5, 3)
    )


def warmup_exponential(rng):
    given = warmup(rng)
    return given | decay(rng, given["peak_value"])


SCHEDULES = {
    "polynomial_schedule": polynomial,
    "linear_schedule": linear,
    "piecewise_constant_schedule": piecewise_constant,
    "piecewise_interpolate_schedule": piecewise_interpolate,
    "exponential_decay": exponential,
    "cosine_decay_schedule": cosine,
    "linear_onecycle_schedule": one_cycle,
    "cosine_onecycle_schedule": one_cycle,
    "warmup_constant_schedule": warmup,
    "warmup_cosine_decay_schedule": warmup_cosine,
    "warmup_exponential_decay_schedule": warmup_exponential,
}


def late_stairs(name, given):
    """Updates at which a staircase of optax is one update late: compiled for the CPU, JAX divides by multiplying with
    the reciprocal, and 98·(1/98) is less than 1."""
    if not given.get("staircase"):
        return []
    steps = jnp.arange(STEPS) - given.get("warmup_steps", 0) - given.get("transition_begin", 0)
    theirs, right = jnp.floor(steps / given["transition_steps"]), numpy.asarray(steps) // given["transition_steps"]
    return [t for t in range(STEPS) if theirs[t] != right[t]]


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule(example, name):
    def make(rng):
        given = SCHEDULES[name](rng)
        rates = run(name, given)
        if not rates.any():
            return None
        return Case(call(f"optax.{name}", **given), rates, excluded=late_stairs(name, given))

    check(example("convert"), cases(make, name))


def test_constant(example):
    made = cases(lambda rng: Case(f"optax.constant_schedule({(x := rate(rng))!r})", [x] * 9), "constant")
    check(example("convert"), made, constant=True)


def test_sgdr(example):
    def make(rng):
        cycles = [warmup_cosine(rng) for _ in range(rng.randint(1, 4))]
        text = f"optax.sgdr_schedule({cycles!r})"
        if rng.random() < 0.5:
            text = text.replace("{", "dict(").replace("}", ")")
            for name in ("init_value", "peak_value", "warmup_steps", "decay_steps", "end_value", "exponent"):
                text = text.replace(f"'{name}': ", f"{name}=")
        return Case(text, run("sgdr_schedule", dict(cosine_kwargs=cycles)))

    check(example("convert"), cases(make, "sgdr", CONFIGURATIONS))


def test_join_schedules(example):
    def make(rng):
        inner = [(name, SCHEDULES[name](rng)) for name in rng.choices(list(SCHEDULES), k=rng.randint(2, 4))]
        borders = sorted(rng.sample(range(0, 130), len(inner) - 1))
        made = dict(schedules=[getattr(optax, name)(**given) for name, given in inner], boundaries=borders)
        calls = ", ".join(call(f"optax.{name}", **given) for name, given in inner)
        late = [t + start for start, (name, given) in zip([0, *borders], inner) for t in late_stairs(name, given)]
        return Case(f"optax.join_schedules([{calls}], {borders})", run("join_schedules", made), excluded=late)

    check(example("convert"), cases(make, "join"))


def test_a_late_stair_is_theirs():
    """The exclusion above is needed, and only for some numbers of steps."""
    late = {n: len(late_stairs("exponential_decay", dict(staircase=True, transition_steps=n))) for n in range(1, 100)}
    assert late[98] > 0 and sum(1 for n in late if late[n]) < 15
