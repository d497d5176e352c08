"""The Python package: Keras and Hugging Face."""

import numpy as np
import pytest
from support import need

torch = need("torch")
keras = need("keras")
transformers = need("transformers")

import lehr  # noqa: E402
import lehr.keras  # noqa: E402
import lehr.transformers  # noqa: E402


def test_keras_has_the_rates_and_trains():
    spec, steps = "warmup 10%, cosine to 0.1", 60
    rate = lehr.keras.schedule(spec, steps, peak=0.1)
    exact = lehr.schedule(spec, steps, peak=0.1)
    found = np.array([float(rate(t)) for t in range(steps + 5)])
    assert found == pytest.approx(exact.values(0, steps + 5), rel=1e-7)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(learning_rate=rate), "mse")
    x = np.ones((8, 3), dtype="float32")
    first = model.evaluate(x, x[:, :1], verbose=0)
    model.fit(x, x[:, :1], epochs=5, verbose=0)
    assert model.evaluate(x, x[:, :1], verbose=0) < first


def test_keras_saves_it_with_a_model(tmp_path):
    rate = lehr.keras.schedule("linear", 10, peak=0.5)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(learning_rate=rate), "mse")
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert float(again.optimizer._learning_rate(5)) == 0.25
    copy = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(rate))
    assert float(copy(5)) == 0.25


def test_keras_refuses_what_it_cannot_do():
    for arguments, words in [(("cosine",), "steps=…"), (("plateau", 10), "reacts"), (("cosine", 2**25), "at most")]:
        with pytest.raises(ValueError, match=words):
            lehr.keras.schedule(*arguments)


def rates(make, steps):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    sched = make(optimizer)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        sched.step()
    return seen


@pytest.mark.parametrize("name", ["linear", "cosine", "constant", "constant_with_warmup"])
def test_names_of_transformers_have_their_rates(name):
    for warmup in (0, 7):
        if name == "constant_with_warmup" and warmup == 0:
            continue
        theirs = rates(lambda o: transformers.get_scheduler(name, o, warmup, 50), 55)
        ours = rates(lambda o: lehr.transformers.get_scheduler(transformers.SchedulerType(name), o, warmup, 50), 55)
        if name == "constant":
            assert ours == theirs
        assert ours[:51] == pytest.approx(theirs[:51], abs=1e-15)


def test_specs_have_lehrs_warmup():
    ours = rates(lambda o: lehr.transformers.get_scheduler("constant, linear 20%", o, 5, 50), 50)
    assert ours == lehr.schedule("warmup 5, constant, linear 20%", 50, peak=0.1).values().tolist()
    kwargs = {"scheduler_specific_kwargs": {"peak": 1.0}}
    assert rates(lambda o: lehr.transformers.get_scheduler("linear", o, 0, 50, **kwargs), 1) == [1.0]
    with pytest.raises(ValueError, match="num_training_steps"):
        rates(lambda o: lehr.transformers.get_scheduler("linear", o), 1)
