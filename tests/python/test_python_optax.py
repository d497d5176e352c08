"""The Python package: schedules in JAX, beside optax's own."""

import numpy as np
import pytest

import jax
import jax.numpy as jnp
import optax

import lehr

SPECS = [
    "warmup 2%, cosine to 0.1",
    "cosine",
    "one-cycle",
    "restarts every 10% grow 2 peak 0.8",
    "warmup 5%, constant, 1-sqrt 20%",
    "step at 50% 75% by 0.1",
    "inverse-sqrt timescale 4000",
    "warmup 1%, exponential to 0.001",
    "poly power 3",
    "constant",
]


def single(function, counts):
    """Values of a function traced in single precision."""
    with jax.enable_x64(False):
        return np.asarray(jax.jit(jax.vmap(function))(jnp.asarray(counts, dtype=jnp.int32)), dtype=np.float64)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("steps", [1000, 65_536, 2_000_000_000])
def test_rates_keep_their_digits_in_single_precision(spec, steps):
    exact = lehr.schedule(spec, steps, peak=3e-4)
    rate = lehr.optax.schedule(spec, steps, peak=3e-4)
    random = np.random.default_rng(0).integers(0, steps, 2000)
    last = steps - 1 - np.arange(min(steps, 200))
    borders = [phase.start + d for phase in exact.phases for d in (-1, 0, 1) if 0 <= phase.start + d < steps]
    counts = np.concatenate([np.arange(min(steps, 200)), random, last, borders]).astype(np.int64)
    found = single(rate, counts)
    assert found == pytest.approx(exact.at(counts), rel=1e-6, abs=1e-44)


def test_it_beats_optax_where_optax_loses_its_digits():
    steps = 1_000_000
    exact = lehr.schedule("cosine", steps, peak=1.0).at(steps - 1 - np.arange(50))
    theirs = single(optax.cosine_decay_schedule(1.0, steps), steps - 1 - np.arange(50))
    ours = single(lehr.optax.schedule("cosine", steps, peak=1.0), steps - 1 - np.arange(50))
    assert np.abs(ours / exact - 1).max() < 1e-6
    assert np.abs(theirs / exact - 1).max() > 0.5, "optax has become exact: the documentation should say so"


def test_jit_vmap_grad_and_odd_counts():
    rate = lehr.optax.schedule("linear", 10, peak=1.0)
    assert float(rate(3)) == float(jax.jit(rate)(3)) == pytest.approx(0.7)
    assert rate(jnp.arange(10)).shape == (10,)
    assert jax.vmap(rate)(jnp.array([0, 5])).tolist() == [1.0, 0.5]
    assert float(rate(3.7)) == float(rate(3)) and float(rate(-5)) == 1.0
    assert float(rate(10)) == float(rate(2**31 - 1)) == 0.0
    assert float(jax.grad(lambda x: rate(x))(3.0)) == 0.0
    assert float(jax.grad(lambda w: w * rate(5))(2.0)) == 0.5

    def body(carry, t):
        return carry + rate(t), None

    assert float(jax.lax.scan(body, 0.0, jnp.arange(10))[0]) == pytest.approx(5.5)
    long = lehr.optax.schedule("linear", 10**6, peak=1.0)
    assert float(jax.grad(lambda x: long(x))(3.0)) == 0.0


def test_an_optimiser_is_driven():
    spec, steps = "warmup 10%, cosine", 50
    optimizer = optax.sgd(lehr.optax.schedule(spec, steps, peak=0.1))
    params = jnp.ones(3)
    state = optimizer.init(params)
    expected = np.ones(3)
    for rate in lehr.schedule(spec, steps, peak=0.1):
        updates, state = optimizer.update(params, state)
        params = optax.apply_updates(params, updates)
        expected = expected - rate * expected
    assert np.asarray(params) == pytest.approx(expected, rel=1e-6)


def test_channels_groups_and_composition():
    spec = "one-cycle with momentum from 0.95 to 0.85 with group head by 0.5"
    s = lehr.schedule(spec, 100, peak=0.2)
    momentum = lehr.optax.schedule(s, channel="momentum")
    head = lehr.optax.schedule(s, group="head")
    counts = np.arange(100)
    assert np.asarray(momentum(counts)) == pytest.approx(s.channels["momentum"].values(), rel=1e-6)
    assert np.asarray(head(counts)) == pytest.approx(s.groups["head"].values(), rel=1e-6)
    joined = optax.join_schedules([lehr.optax.schedule("linear", 10, peak=1.0), optax.constant_schedule(0.3)], [5])
    assert float(joined(4)) == pytest.approx(0.6) and float(joined(7)) == pytest.approx(0.3)
    injected = optax.inject_hyperparams(optax.sgd)(lehr.optax.schedule("linear", 10, peak=1.0))
    state = injected.init(jnp.ones(1))
    for _ in range(3):
        _, state = injected.update(jnp.ones(1), state)
    assert float(state.hyperparams["learning_rate"]) == pytest.approx(0.8)


def test_wrong_use_has_a_clear_error():
    for arguments, settings, words in [
        (("cosine",), {}, "steps=…"),
        (("plateau", 10), {}, "no function of the step"),
        (("cosine", 10), {"channel": "momentum"}, "no channel `momentum`; it has: none"),
        (("one-cycle with momentum from 0.9 to 0.8", 10), {"group": "x"}, "no group `x`"),
        (("noise 0.1 (cosine)", 10**7), {}, ""),
    ]:
        with pytest.raises(ValueError, match=words):
            lehr.optax.schedule(*arguments, **settings)


def test_optaxs_own_tests_pass_with_the_drop_ins(monkeypatch):
    import unittest

    from optax.schedules import _schedule, _schedule_test

    for name in lehr.optax._DROP_INS:
        monkeypatch.setattr(_schedule, name, getattr(lehr.optax, name))
    # All but the one that puts every optimiser of optax through a constant rate: it is slow and says nothing of this.
    loader, suite = unittest.TestLoader(), unittest.TestSuite()
    for name in dir(_schedule_test):
        case = getattr(_schedule_test, name)
        if isinstance(case, type) and issubclass(case, unittest.TestCase) and name != "ScheduleAsLearningRateTest":
            suite.addTests(loader.loadTestsFromTestCase(case))
    with jax.enable_x64(False):
        result = unittest.TextTestRunner(verbosity=0).run(suite)
    assert result.testsRun > 35 and result.wasSuccessful()


def test_the_drop_ins_are_lehrs_where_the_schedule_has_an_end():
    steps = 1_000_000
    rate = lehr.optax.cosine_decay_schedule(1.0, steps)
    exact = lehr.schedule("cosine", steps, peak=1.0)
    counts = steps - 1 - np.arange(20)
    assert single(rate, counts) == pytest.approx(exact.at(counts), rel=1e-6)
    assert "lehr" in rate.__module__ and "optax" in lehr.optax.exponential_decay(1.0, 10, 0.5).__module__
    assert float(lehr.optax.linear_schedule(0.5, 0.0, 10)(5)) == 0.25
    assert lehr.optax.constant_schedule(-1.0)(3) == -1.0
    with pytest.raises(AttributeError, match="nothing"):
        lehr.optax.nothing
