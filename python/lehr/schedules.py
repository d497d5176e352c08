"""Schedules: the rate at every step, exact, by random access."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _core

if TYPE_CHECKING:
    import numpy


class Doubt(NamedTuple):
    """Something doubtful about a schedule, and what to do about it."""

    severity: str
    """``"error"``, ``"warning"`` or ``"note"``."""
    code: str
    """A fixed word for this kind of doubt."""
    phase: str
    """The phase that it is about; empty for the schedule as a whole."""
    update: int | None
    """The update that it is about, if it is about one."""
    reason: str
    suggestion: str

    def __str__(self) -> str:
        place = f" ({self.phase})" if self.phase else ""
        return f"{self.severity}{place}: {self.reason}; {self.suggestion}"


class Phase(NamedTuple):
    """A phase over a horizon: its text and its updates, from ``start`` up to but without ``stop``."""

    text: str
    start: int
    stop: int


class Change(NamedTuple):
    """What a new horizon changes for a run in progress."""

    schedule: Schedule
    """The schedule to go on with, over the new horizon."""
    first_change: int | None
    """The first update whose rate is another one; None if none is."""
    keeps_the_past: bool
    """Whether the updates done so far would have had the same rates."""
    jumps: bool
    """Whether going on means a jump upwards."""
    text: str
    """All of it in words."""

    def __str__(self) -> str:
        return self.text


class Verdict(NamedTuple):
    """What an observation did to a feedback schedule."""

    kind: str
    """``lead``, ``paused``, ``better``, ``worse``, ``not-finite``, ``cut``, ``at-floor``, ``raised`` or ``reset``."""
    text: str

    def __str__(self) -> str:
        return self.text


def _steps(steps: Any, name: str = "steps") -> int:
    try:
        return _index(steps)
    except TypeError:
        pass
    if isinstance(steps, float) and steps.is_integer():
        return int(steps)
    raise _core.LehrError(f"{name} must be a whole number, not {steps!r}")


def _index(value: Any) -> int:
    import operator

    number = operator.index(value)
    if isinstance(value, bool) or number < 0:
        raise _core.LehrError(f"a step is a whole number, 0 or more, not {value!r}")
    if number > 2**64 - 1:
        raise _core.LehrError(f"a step is at most 2^64 - 1, not {value!r}")
    return number


class Curve:
    """The values of one quantity over a run: the rate, or what goes along with it."""

    def __init__(self, curve: _core.Curve) -> None:
        self._curve = curve

    @property
    def steps(self) -> int:
        """Updates of the horizon."""
        return self._curve.steps

    def __len__(self) -> int:
        return self._curve.steps

    def at(self, t: Any) -> Any:
        """The value at update ``t``: a float for a number, an array for an array of steps.

        The updates of a run are 0 … steps - 1; after the horizon the last level holds.

        >>> import lehr
        >>> lehr.schedule("linear", steps=10, peak=1.0).at([0, 5, 10]).tolist()
        [1.0, 0.5, 0.0]
        """
        try:
            return self._curve.at(_index(t))
        except TypeError:
            pass
        import numpy

        steps = numpy.asarray(t)
        if steps.dtype.kind == "f" and (steps == numpy.floor(steps)).all():
            steps = steps.astype(numpy.int64)
        if steps.size == 0:
            return numpy.empty(steps.shape)
        if steps.dtype.kind not in "iu" or (steps.dtype.kind == "i" and steps.min() < 0):
            raise _core.LehrError(f"steps are whole numbers, 0 or more, not {t!r}")
        if steps.ndim == 0:
            return self._curve.at(int(steps))
        whole = numpy.ascontiguousarray(steps, dtype=numpy.uint64)
        return numpy.frombuffer(self._curve.at_many(whole.tobytes())).reshape(steps.shape)

    __call__ = at

    def values(self, start: int = 0, stop: int | None = None) -> numpy.ndarray:
        """The values of the updates from ``start`` up to ``stop``, by default all of the horizon, as NumPy floats.

        >>> import lehr
        >>> lehr.schedule("warmup 2, linear", steps=6, peak=1.0).values().tolist()
        [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
        """
        import numpy

        stop = self.steps if stop is None else _index(stop)
        return numpy.frombuffer(self._curve.fill(_index(start), stop))

    def __iter__(self):
        return iter(self.values().tolist())


class _Described:
    """What a schedule and a feedback schedule say of themselves."""

    _core: _core.Schedule | _core.Feedback

    @property
    def spec(self) -> str:
        """The schedule as text."""
        return self._core.text

    @property
    def data(self) -> Any:
        """The schedule as data, as it stands in JSON."""
        return json.loads(self._core.json)

    @property
    def peak(self) -> float | None:
        """The peak rate; None if the rates are fractions of it."""
        return self._core.peak


class Schedule(_Described, Curve):
    """A schedule over a horizon. Make one with :func:`lehr.schedule`.

    It has no state: resuming a run is asking for the rate at its step. It can be pickled, copied and compared.
    """

    def __init__(self, core: _core.Schedule) -> None:
        super().__init__(core.curve)
        self._core = core

    @property
    def steps_per_epoch(self) -> float | None:
        """Updates per epoch, if the horizon knows them."""
        return self._core.horizon[1]

    @property
    def tokens_per_step(self) -> float | None:
        """Tokens per update, if the horizon knows them."""
        return self._core.horizon[2]

    @property
    def channels(self) -> dict[str, Curve]:
        """What goes along with the rate, such as momentum, by name.

        >>> import lehr
        >>> s = lehr.schedule("one-cycle with momentum from 0.95 to 0.85", steps=100, peak=0.1)
        >>> s.channels["momentum"].at(30)
        0.85
        """
        return {name: Curve(curve) for name, curve in self._core.channels}

    @property
    def groups(self) -> dict[str, Curve]:
        """The rates of named parameter groups."""
        return {name: Curve(curve) for name, curve in self._core.groups}

    @property
    def phases(self) -> list[Phase]:
        """The phases with their updates.

        >>> import lehr
        >>> [tuple(phase) for phase in lehr.schedule("warmup 10%, cosine", steps=100).phases]
        [('warmup 10%', 0, 10), ('cosine', 10, 100)]
        """
        return [Phase(*phase) for phase in self._core.phases()]

    def check(self) -> list[Doubt]:
        """Everything doubtful about the schedule over this horizon, the worst first.

        >>> import lehr
        >>> [doubt.code for doubt in lehr.schedule("warmup 2%, constant", steps=1000).check()][0]
        'never-decays'
        """
        return [Doubt(*doubt) for doubt in self._core.check()]

    def with_peak(self, peak: float | None) -> Schedule:
        """The same schedule at another peak rate."""
        return Schedule(self._core.with_peak(peak))

    def extend(self, steps: int, done: int) -> Change:
        """What happens if a run that has done ``done`` updates of this schedule goes on to a horizon of ``steps``.

        >>> import lehr
        >>> s = lehr.schedule("warmup 10, constant, linear 20%", steps=1000, peak=1e-3)
        >>> change = s.extend(2000, done=500)
        >>> change.keeps_the_past, change.jumps, len(change.schedule)
        (True, False, 2000)
        """
        core, *rest = self._core.extend(_steps(steps), _steps(done, "done"))
        return Change(Schedule(core), *rest)

    def plot(self, to: Any = None):
        """Draws the rates. ``to`` is a file (``.svg``, ``.png`` or ``.txt``; needs no other library) or matplotlib axes.

        Without ``to`` it draws into matplotlib's current axes and returns them.
        """
        if isinstance(to, (str, os.PathLike)):
            self._core.save(to)
            return None
        if to is None:
            try:
                from matplotlib import pyplot
            except ImportError as why:
                raise ImportError('matplotlib is not installed; plot("rates.png") draws without it') from why
            to = pyplot.gca()
        last = self.steps - 1
        count = min(self.steps, 20_001)
        steps = [last * i // max(count - 1, 1) for i in range(count)]
        to.plot(steps, self.at(steps), label=self.spec)
        for name, curve in self.groups.items():
            to.plot(steps, curve.at(steps), label=f"group {name}")
        to.set_xlabel("step")
        to.set_ylabel("rate (fraction of the peak)" if self.peak is None else "learning rate")
        return to

    def _repr_svg_(self) -> str:
        return self._core.svg()

    def __repr__(self) -> str:
        return f"lehr.schedule({self.spec!r}, {_run(self._core)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple:
        return (self.spec, self.peak, self._core.horizon)

    def __reduce__(self):
        return _again, (self.spec, self.peak, self._core.horizon)


class Feedback(_Described):
    """A schedule that reacts to a metric, with its small state. Make one with :func:`lehr.schedule`.

    >>> import lehr
    >>> s = lehr.schedule("warmup 2, plateau by 0.5 patience 1", steps=100, peak=0.1)
    >>> s.at(0)
    0.05
    >>> [s.observe(t, loss).kind for t, loss in [(2, 3.0), (3, 3.5), (4, 3.5)]]
    ['better', 'worse', 'cut']
    >>> s.at(5)
    0.05
    """

    def __init__(self, core: _core.Feedback) -> None:
        self._core = core

    @property
    def steps(self) -> int:
        """Updates of the horizon."""
        return self._core.horizon[0]

    def at(self, t: int) -> float:
        """The rate of update ``t`` as things stand."""
        return self._core.rate(_index(t))

    __call__ = at

    def observe(self, t: int, metric: float) -> Verdict:
        """Takes in the metric that was measured after update ``t`` and says what it did."""
        return Verdict(*self._core.observe(_index(t), float(metric)))

    @property
    def state(self) -> dict[str, Any]:
        """Everything it remembers; save it with a checkpoint, give it back with :meth:`restore`."""
        return json.loads(self._core.state())

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up a saved state."""
        self._core.restore(json.dumps(state))

    def __repr__(self) -> str:
        return f"lehr.schedule({self.spec!r}, {_run(self._core)})"

    def __reduce__(self):
        return _again, (self.spec, self.peak, self._core.horizon), self.state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.restore(state)


class Conversion(NamedTuple):
    """Another library's call as a schedule."""

    spec: str
    peak: float | None
    """The peak rate, if the call or ``lr`` says it."""
    steps: int | None
    """The updates that the schedule is written for; None where it goes on for good."""
    notes: list[str]
    """What is different from what one might expect."""

    def schedule(self, steps: int | None = None, peak: float | None = None) -> Schedule:
        """The schedule over a horizon: the call's own, or this one."""
        steps = self.steps if steps is None else steps
        if steps is None:
            raise _core.LehrError("the call does not say how long the run is: give steps=…")
        return schedule(self.spec, steps, peak=self.peak if peak is None else peak)


def _run(core: Any) -> str:
    steps, per_epoch, per_step = core.horizon
    named = {"steps": steps, "peak": core.peak, "steps_per_epoch": per_epoch, "tokens_per_step": per_step}
    return ", ".join(f"{name}={value!r}" for name, value in named.items() if value is not None)


def _again(spec: str, peak: float | None, horizon: tuple) -> Schedule | Feedback:
    return _wrap(_core.read(spec, horizon[0], peak, horizon[1], horizon[2]))


def _wrap(core: Any) -> Schedule | Feedback:
    return Schedule(core) if isinstance(core, _core.Schedule) else Feedback(core)


def _number(value: Any, name: str) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        raise _core.LehrError(f"{name} must be a number, not {value!r}") from None


def schedule(
    spec: Any,
    steps: int,
    *,
    peak: float | None = None,
    steps_per_epoch: float | None = None,
    tokens_per_step: float | None = None,
) -> Any:
    """A schedule over a run of ``steps`` updates.

    ``spec`` is text such as ``"warmup 2%, cosine to 0.1"``, or the same as data (what :attr:`Schedule.data` gives), or
    another schedule. Without ``peak`` the rates are fractions of the peak rate. ``steps_per_epoch`` is needed for
    spans in epochs (``10ep``), ``tokens_per_step`` for spans in tokens (``2Mtok``).

    A text that ends in ``plateau`` or ``greedy`` gives a :class:`Feedback`, everything else a :class:`Schedule`.

    >>> import lehr
    >>> lehr.schedule("warmup 500, cosine to 0.1", steps=10_000, peak=3e-4)
    lehr.schedule('warmup 500, cosine to 0.1', steps=10000, peak=0.0003)
    >>> lehr.schedule("warmup 500, cosin", steps=10_000)
    Traceback (most recent call last):
        ...
    lehr.SpecError: unknown shape `cosin`
      warmup 500, cosin
                  ^^^^^
    expected a shape: constant, warmup, linear, ...
    did you mean `cosine`?
    """
    if isinstance(spec, (Schedule, Feedback)):
        spec = spec.spec
    elif isinstance(spec, (dict, list)):
        spec = json.dumps(spec)
    elif not isinstance(spec, str):
        raise _core.LehrError(f"a schedule is text or data, not {type(spec).__name__}")
    numbers = _number(peak, "peak"), _number(steps_per_epoch, "steps_per_epoch"), _number(tokens_per_step, "tokens_per_step")
    return _wrap(_core.read(spec, _steps(steps), *numbers))


def convert(call: str, *, lr: float | None = None, steps: int | None = None) -> Conversion:
    """Another library's call, as it stands in a program, as a schedule with the same values.

    >>> import lehr
    >>> lehr.convert("torch.StepLR(optimizer, step_size=30)", lr=0.1, steps=90)
    Conversion(spec='step every 30 by 0.1', peak=0.1, steps=90, notes=[])
    """
    steps = None if steps is None else _steps(steps)
    return Conversion(*_core.convert(call, _number(lr, "lr"), steps))
