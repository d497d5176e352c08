"""The lab trains what torch trains from the same data, weights and batches, and finds scikit-learn's optimum."""

import json
import subprocess

import numpy as np
import pytest

from support import need

torch = need("torch")
torch.set_num_threads(1)  # the products are tiny

MODELS = ["logistic", "softmax", "mlp:24", "mlp:16,12"]
OPTIMIZERS = ["sgd", "momentum", "nesterov", "adam", "adamw"]
STEPS, DECAY = 60, 0.01


@pytest.fixture(scope="module")
def replay(example):
    def run(**options):
        words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        done = subprocess.run([example("lab_replay"), *words], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two classes that overlap, as CSV and as LIBSVM text with two fifths of the values left out as zero."""
    folder = tmp_path_factory.mktemp("lab")
    random = np.random.default_rng(5)
    x = np.round(random.normal(size=(400, 7)), 3) * (random.random((400, 7)) > 0.4)
    y = (x @ random.normal(size=7) + random.logistic(size=400) > 0.3).astype(int)
    names = ",".join(f"x{i}" for i in range(7))
    rows = [",".join(map(str, row)) + ("," + "ab"[label]) for row, label in zip(x, y)]
    (folder / "two.csv").write_text(f"{names},class\n" + "\n".join(rows) + "\n")
    pairs = [" ".join(f"{i + 1}:{v}" for i, v in enumerate(row) if v) for row in x]
    (folder / "two.svm").write_text("\n".join(f"{2 * label - 1} {pair}" for label, pair in zip(y, pairs)) + "\n")
    return folder


def arrays(part):
    features, labels = part["features"], np.array(part["labels"])
    if "starts" not in features:
        return np.array(features["values"]).reshape(-1, features["columns"]), labels
    x = np.zeros((len(labels), features["columns"]))
    for row, (start, end) in enumerate(zip(features["starts"], features["starts"][1:])):
        x[row, features["indices"][start:end]] = features["values"][start:end]
    return x, labels


def network(layers):
    """A torch module in double precision with the weights of the lab."""
    parts = []
    for layer in layers:
        linear = torch.nn.Linear(layer["inputs"], layer["outputs"]).double()
        with torch.no_grad():
            linear.weight[:] = torch.tensor(layer["weight"]).reshape(layer["outputs"], layer["inputs"])
            linear.bias[:] = torch.tensor(layer["bias"])
        parts += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*parts[:-1])


def loss(model, x, y):
    z = model(x)
    if z.shape[1] == 1:
        return torch.nn.functional.binary_cross_entropy_with_logits(z[:, 0], y.double())
    return torch.nn.functional.cross_entropy(z, y)


def optimizer(name, parameters, rate, eps):
    if name.startswith("adam"):
        kind = torch.optim.Adam if name == "adam" else torch.optim.AdamW
        return kind(parameters, lr=rate, weight_decay=DECAY, eps=eps)
    momentum = 0.0 if name == "sgd" else 0.9
    return torch.optim.SGD(parameters, lr=rate, weight_decay=DECAY, momentum=momentum, nesterov=name == "nesterov")


def retrain(report, name, peak, eps):
    """The same training by torch, in double precision."""
    x, y = map(torch.tensor, arrays(report["train"]))
    model = network(report["initial"])
    optim = optimizer(name, model.parameters(), peak, eps)
    for batch, relative in zip(report["batches"], report["relative_rates"]):
        optim.param_groups[0]["lr"] = peak * relative
        optim.zero_grad()
        loss(model, x[batch], y[batch]).backward()
        optim.step()
    return model


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_trains_what_torch_trains(replay, files, kind, model, name):
    if kind == "sparse":
        source = {"libsvm": files / "two.svm"}
    elif model == "logistic":
        source = {"csv": files / "two.csv", "target": "class"}
    else:
        source = {}
    adam = name.startswith("adam")
    # Adam divides a gradient by its own size. One that is all rounding (the bias at zero weights, in a batch with as
    # many rows of either class; a unit that hardly ever fires) would then move a weight by a whole step, in torch's
    # single precision as in the lab's: hence a larger ε than the default here.
    eps = 1e-5
    report = replay(
        model=model, optimizer=f"{name} eps {eps}" if adam else name, schedule="warmup 5, cosine to 0.1", steps=STEPS, batch=30, seed=3,
        weight_decay=DECAY, rates="0.002,0.02" if adam else "0.01,0.2", **source,
    )
    x, y = map(torch.tensor, arrays(report["validation"]))
    for run in report["runs"]:
        expected = retrain(report, name, run["peak"], eps)
        got = network(run["weights"])
        with torch.no_grad():
            wrong = max((a - b).abs().max().item() for a, b in zip(got.parameters(), expected.parameters()))
            # The lab computes in single precision (6e-8 per operation); 60 updates carry its rounding on, Adam's more
            # so where a gradient passes through zero.
            assert wrong < (1e-4 if adam else 2e-5), (run["peak"], wrong)
            assert run["validation_loss"] == pytest.approx(loss(expected, x, y).item(), rel=2e-5)
            z = expected(x)
            hits = (z[:, 0] > 0) == (y == 1) if z.shape[1] == 1 else z.argmax(1) == y
            assert run["validation_accuracy"] == pytest.approx(hits.double().mean().item(), abs=1.5 / len(y))


def optimum(x, y, decay):
    """scikit-learn's optimum of mean cross-entropy + decay/2·|w|², with the bias as one more penalised weight."""
    from sklearn.linear_model import LogisticRegression

    x = np.hstack([x, np.ones((len(x), 1))]) if isinstance(x, np.ndarray) else x
    model = LogisticRegression(C=1 / (len(y) * decay), fit_intercept=False, tol=1e-10, max_iter=5000)
    return model.fit(x, y).coef_


def test_full_batches_reach_the_optimum_of_scikit_learn(replay, files):
    decay = 0.01
    report = replay(
        csv=files / "two.csv", target="class", model="logistic", optimizer="nesterov", schedule="cosine", steps=2000,
        batch=10_000, weight_decay=decay, rates="1",
    )
    expected = optimum(*arrays(report["train"]), decay)[0]
    layer = report["runs"][0]["weights"][0]
    np.testing.assert_allclose([*layer["weight"], *layer["bias"]], expected, atol=2e-5)


def test_softmax_on_wine_reaches_the_optimum_of_scikit_learn(replay):
    decay = 0.02
    report = replay(
        model="softmax", optimizer="nesterov", schedule="cosine", steps=3000, batch=10_000, weight_decay=decay, rates="0.5",
    )
    expected = optimum(*arrays(report["train"]), decay)
    layer = report["runs"][0]["weights"][0]
    weights = np.array(layer["weight"]).reshape(3, 11)
    np.testing.assert_allclose(np.hstack([weights, np.array(layer["bias"])[:, None]]), expected, atol=3e-5)


def test_sparse_logistic_regression_on_a9a_reaches_the_optimum_of_scikit_learn(replay, shared_data):
    from scipy import sparse
    from sklearn.datasets import load_svmlight_file

    path, decay = shared_data("a9a/a9a"), 1e-3
    x, y = load_svmlight_file(str(path))
    expected = optimum(sparse.hstack([x, np.ones((x.shape[0], 1))]).tocsr(), y, decay)[0]
    report = replay(
        libsvm=path, model="logistic", optimizer="nesterov", schedule="cosine", steps=400, batch=40_000,
        weight_decay=decay, rates="2", without_data="",
    )
    run = report["runs"][0]
    layer = run["weights"][0]
    np.testing.assert_allclose([*layer["weight"], *layer["bias"]], expected, atol=2e-3)
    margins = (2 * (y > 0) - 1) * (x @ expected[:-1] + expected[-1])
    assert run["train_loss"] == pytest.approx(np.logaddexp(0, -margins).mean(), rel=1e-5)
