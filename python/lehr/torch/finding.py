"""Where sane rates are: a range test that leaves no trace."""

from __future__ import annotations

import copy
import itertools
import json
import math
import random
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch

from .. import _core
from ..schedules import _steps


class Found(NamedTuple):
    """What a range test says of the rates. It never sees an annealed loss: it shows where rates begin to act and where they
    break, not which one is best."""

    rate: float | None
    """The rate at which the loss falls fastest, if it falls at all."""
    interval: tuple[float, float] | None
    """Its 90 % interval."""
    highest: float | None
    """Where the fitted loss is lowest: sane peak rates rarely lie above it."""
    diverged: float | None
    """The rate at which the loss was lost, if it was."""
    suggestions: dict[str, float]
    """fastai's suggestions: ``valley``, ``slide``, ``steep``, ``minimum``."""
    warnings: list[str]
    """What speaks against relying on it."""
    rates: list[float]
    losses: list[float]
    """The loss after each update, as it was."""

    def __str__(self) -> str:
        if self.rate is None:
            text = "the loss never falls"
        else:
            low, high = self.interval
            text = f"the loss falls fastest at {self.rate:.3g} ({low:.3g} to {high:.3g}) and is lowest at {self.highest:.3g}"
        return "\n".join([text, *(f"doubt: {warning}" for warning in self.warnings)])


def find(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_fn: Callable[..., torch.Tensor] | None,
    loader: Iterable,
    *,
    low: float = 1e-7,
    high: float = 10.0,
    steps: int = 100,
    loss_of: Callable[[torch.nn.Module, Any], torch.Tensor] | None = None,
) -> Found:
    """Trains with a rate that rises from ``low`` to ``high`` over ``steps`` updates, and reads the losses.

    Batches are ``(inputs, targets)`` and the loss is ``loss_fn(model(inputs), targets)``; for anything else, give
    ``loss_of(model, batch)``. The loader begins anew when it is exhausted. Groups keep the ratio of their rates. The test
    stops where the loss is lost.

    Afterwards everything is as before: parameters, buffers, gradients, modes, the optimiser's state and rates, and the
    random generators of Python, NumPy and torch. Schedulers of the optimiser notice nothing.

    >>> import lehr, torch
    >>> _ = torch.manual_seed(0)
    >>> model = torch.nn.Linear(4, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> x = torch.randn(256, 4)
    >>> batches = [(x[i : i + 32], x[i : i + 32].sum(1, keepdim=True)) for i in range(0, 256, 32)]
    >>> found = lehr.find(model, optimizer, torch.nn.functional.mse_loss, batches, low=1e-4)
    >>> 0.01 < found.rate < found.highest < 2
    True
    >>> optimizer.param_groups[0]["lr"]
    0.1
    """
    steps = _steps(steps)
    if not (0 < low < high < math.inf):
        raise _core.LehrError(f"low and high must be rates, the lower one first, not {low} and {high}")
    if steps < 30:
        raise _core.LehrError(f"a range test needs at least 30 updates, not {steps}")
    if loss_of is None:
        if loss_fn is None:
            raise _core.LehrError("give loss_fn or loss_of")
        loss_of = _supervised(loss_fn)
    rates, losses = [], []
    with _restored(model, optimizer):
        peaks = [float(group["lr"]) for group in optimizer.param_groups]
        top = max(peaks)
        shares = [peak / top if top > 0 else 1.0 for peak in peaks]
        lowest, mean = math.inf, 0.0
        for i, batch in enumerate(itertools.islice(_endless(loader), steps)):
            rate = low * (high / low) ** (i / (steps - 1))
            _set(optimizer, rate, shares)
            optimizer.zero_grad()
            loss = loss_of(model, batch)
            loss.backward()
            optimizer.step()
            rates.append(rate)
            losses.append(float(loss.detach()))
            mean = 0.98 * mean + 0.02 * losses[-1]
            smoothed = mean / (1 - 0.98 ** (i + 1))
            lowest = min(lowest, smoothed)
            if not math.isfinite(losses[-1]) or (lowest > 0 and smoothed > 4 * lowest):
                break
    return _read(rates, losses)


def _read(rates: list[float], losses: list[float]) -> Found:
    data = json.loads(_core.read_range_test(rates, losses, True))
    try:
        # The fit has a kernel of its own; a running mean would bend its beginning.
        data |= {key: value for key, value in json.loads(_core.read_range_test(rates, losses, False)).items() if key in ("fit", "warnings")}
    except _core.LehrError:
        # Single losses so far apart that one of them already counts as lost.
        pass
    fit = data["fit"] or {}
    interval = tuple(fit["interval"]) if fit else None
    return Found(
        fit.get("steepest"),
        interval,
        fit.get("lowest"),
        data["diverged"],
        data["suggestions"],
        data["warnings"],
        rates,
        losses,
    )


def _supervised(loss_fn: Callable[..., torch.Tensor]) -> Callable:
    def loss_of(model: torch.nn.Module, batch: Any) -> torch.Tensor:
        try:
            inputs, targets = batch
        except (TypeError, ValueError):
            raise _core.LehrError("batches must be (inputs, targets); for others give loss_of(model, batch)") from None
        device = next((p.device for p in model.parameters()), None)
        inputs, targets = (x.to(device) if isinstance(x, torch.Tensor) else x for x in (inputs, targets))
        return loss_fn(model(inputs), targets)

    return loss_of


def _endless(loader: Iterable):
    while True:
        empty = True
        for batch in loader:
            empty = False
            yield batch
        if empty:
            raise _core.LehrError("the loader has no batches")


def _set(optimizer: torch.optim.Optimizer, rate: float, shares: list[float]) -> None:
    for group, share in zip(optimizer.param_groups, shares):
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate * share)
        else:
            group["lr"] = rate * share


@contextmanager
def _restored(model: torch.nn.Module, optimizer: torch.optim.Optimizer):
    tensors = list(itertools.chain(model.parameters(), model.buffers()))
    inside = {id(p) for p in tensors}
    # What the optimiser moves and the model does not have.
    tensors += [p for group in optimizer.param_groups for p in group["params"] if id(p) not in inside]
    kept = [(p, p.detach().clone(), None if p.grad is None else p.grad.detach().clone()) for p in tensors]
    modes = [(module, module.training) for module in model.modules()]
    state = {p: copy.deepcopy(s) for p, s in optimizer.state.items()}
    groups = [{k: _copied(v) for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    called = optimizer.__dict__.get("_opt_called")
    generators = _generators()
    model.train()
    try:
        yield
    finally:
        with torch.no_grad():
            for p, value, grad in kept:
                p.copy_(value)
                p.grad = grad
        for module, mode in modes:
            module.training = mode
        optimizer.state.clear()
        optimizer.state.update(state)
        for group, values in zip(optimizer.param_groups, groups):
            for key, value in values.items():
                if isinstance(group.get(key), torch.Tensor) and isinstance(value, torch.Tensor):
                    group[key].copy_(value)
                else:
                    group[key] = value
        if called is None:
            optimizer.__dict__.pop("_opt_called", None)
        for set_state, kept_state in generators:
            set_state(kept_state)


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else copy.copy(value)


def _generators() -> list:
    import sys

    generators = [(random.setstate, random.getstate()), (torch.set_rng_state, torch.get_rng_state())]
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        generators.append((torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all()))
    if "numpy" in sys.modules:
        import numpy

        generators.append((numpy.random.set_state, numpy.random.get_state()))
    return generators
