"""The Python package: a range test on a model of torch, which leaves no trace."""

import copy
import random

import numpy as np
import pytest
from support import need

torch = need("torch")

import lehr  # noqa: E402
import lehr.torch  # noqa: E402


def setting(kind=torch.optim.SGD, **settings):
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(5, 16), torch.nn.BatchNorm1d(16), torch.nn.Dropout(0.1), torch.nn.ReLU(), torch.nn.Linear(16, 1)
    )
    x = torch.randn(256, 5)
    y = x[:, :1] * 5 + x[:, 1:2] * 3
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 32, shuffle=True)
    return model, kind(model.parameters(), lr=0.05, **settings), torch.nn.functional.mse_loss, data


def everything(model, optimizer):
    grads = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    modes = [module.training for module in model.modules()]
    drawn = (random.getstate(), torch.get_rng_state().tolist(), np.random.get_state()[1].tolist())
    return copy.deepcopy((model.state_dict(), optimizer.state_dict(), grads, modes, drawn))


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_it_finds_a_rate_and_leaves_no_trace(kind):
    model, optimizer, loss_fn, data = setting(kind)
    scheduler = lehr.torch.scheduler(optimizer, "cosine", steps=100)
    for x, y in data:
        optimizer.zero_grad()
        loss_fn(model(x), y).backward()
        optimizer.step()
        scheduler.step()
    model.eval()
    before = everything(model, optimizer)
    found = lehr.find(model, optimizer, loss_fn, data, low=1e-5, steps=150)
    assert same(before, everything(model, optimizer))
    assert set(found.suggestions) == {"valley", "slide", "steep", "minimum"} and str(found)
    assert len(found.rates) == len(found.losses) <= 150 and 1e-4 < found.suggestions["valley"] < 1
    scheduler.step()
    assert scheduler.get_last_lr() == [lehr.schedule("cosine", 100, peak=0.05).at(9)]


def test_it_says_where_the_loss_falls_fastest():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(256, 5)
    y = x.sum(1, keepdim=True)
    found = lehr.find(model, optimizer, torch.nn.functional.mse_loss, [(x, y)], low=1e-5)
    assert 1e-3 < found.rate <= found.highest < 10 and found.interval[0] <= found.rate <= found.interval[1]
    assert "falls fastest" in str(found) and found.diverged is not None


def test_it_is_restored_after_an_error_too():
    model, optimizer, _, data = setting(torch.optim.Adam)
    before = everything(model, optimizer)
    calls = []

    def breaks(output, target):
        calls.append(1)
        if len(calls) == 7:
            raise RuntimeError("broke")
        return ((output - target) ** 2).mean()

    with pytest.raises(RuntimeError, match="broke"):
        lehr.find(model, optimizer, breaks, data)
    assert same(before, everything(model, optimizer))


def test_groups_keep_their_ratio_and_batches_of_any_form_do():
    model, _, _, data = setting()
    groups = [{"params": model[0].parameters()}, {"params": model[4].parameters(), "lr": torch.tensor(0.005)}]
    optimizer = torch.optim.SGD(groups, lr=0.05)
    seen = []

    def loss_of(model, batch):
        seen.append([float(group["lr"]) for group in optimizer.param_groups])
        return ((model(batch["x"]) - batch["y"]) ** 2).mean()

    batches = [{"x": x, "y": y} for x, y in data]
    second = optimizer.param_groups[1]["lr"]
    lehr.find(model, optimizer, None, batches, loss_of=loss_of)
    assert all(b == pytest.approx(a / 10, rel=1e-5) for a, b in seen)
    assert optimizer.param_groups[1]["lr"] is second and float(second) == pytest.approx(0.005)


def test_wrong_use_has_a_clear_error():
    model, optimizer, loss_fn, data = setting()
    for arguments, settings, words in [
        ((loss_fn, []), {}, "no batches"),
        ((loss_fn, data), {"low": 1.0, "high": 0.1}, "lower one first"),
        ((loss_fn, data), {"steps": 5}, "at least 30"),
        ((None, data), {}, "loss_fn or loss_of"),
        ((loss_fn, [torch.zeros(3, 5)]), {}, "inputs, targets"),
        ((lambda o, t: (o * float("nan")).mean(), data), {}, "readings"),
    ]:
        with pytest.raises(ValueError, match=words):
            lehr.find(model, optimizer, *arguments, **settings)
