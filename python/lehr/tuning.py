"""Which rate and schedule: a search that knows what annealing is."""

from __future__ import annotations

import json
import math
import socket
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

from . import _core
from ._processes import check, in_processes, interruptible
from .schedules import Schedule, _steps, schedule


class Pruned(Exception):
    """Raise it from an objective when :meth:`Trial.should_prune` says so."""


class Trial:
    """One training that the search asks for."""

    def __init__(self, tuner: Tuner, plan: dict[str, Any]) -> None:
        self._tuner = tuner
        self._run = plan["run"]
        self.number: int = plan["trial"]
        """Number of the configuration; several runs may share one."""
        self.params: dict[str, Any] = plan["params"]
        """Its parameters."""
        self.steps: int = plan["steps"]
        """The horizon of this run in updates; may be shorter than the target."""
        self.seed: int = plan["seed"]
        """Seed for weights and order of data."""
        self.reason: str = plan["reason"]
        """Why the search wants this run."""
        self.spec: str | None = plan["spec"]
        """The schedule as text."""
        self._rate = plan["rate"]

    def __getitem__(self, name: str) -> Any:
        return self.params[name]

    @property
    def schedule(self) -> Schedule:
        """The schedule over this run's horizon, at its own peak rate."""
        if self.spec is None:
            raise _core.LehrError("the search has no schedule: give tune(…, schedule=…) or a parameter `schedule`")
        return schedule(self.spec, self.steps, peak=self._rate)

    def report(self, step: int, value: float) -> None:
        """Tells the value of the objective after ``step`` updates."""
        with self._tuner._lock:
            self._tuner._core.report(self._run, _steps(step, "step"), float(value))

    def should_prune(self) -> bool:
        """Whether the run is not worth going on with, or its end was asked for from the page or by ``lehr stop``.

        ``prune_reason`` says why, or why not. A wish is learned of with the next report, at the latest after 5 seconds.
        """
        with self._tuner._lock:
            prune, self.prune_reason = self._tuner._core.judge(self._run)
        return prune

    prune_reason = ""

    @property
    def checkpoint_dir(self) -> Path:
        """A folder of this run's own, made when it is first asked for.

        It lies in ``STUDY/`` of the search's folder, or in ``STUDY-2/`` where files of another study of that name are there.
        """
        with self._tuner._lock:
            return Path(self._tuner._core.checkpoint(self._tuner.folder, self.number, self._run))

    def __repr__(self) -> str:
        return f"<lehr.Trial {self.number}: {self.params}, {self.steps} steps>"


class Result(NamedTuple):
    """What to use, how sure that is, and what it cost."""

    params: dict[str, Any] | None
    """The configuration to use; None if the data cannot support one."""
    schedule: str | None
    rate: dict[str, Any] | None
    """The peak rate: ``value`` and ``interval``."""
    loss: dict[str, Any] | None
    """The objective to be expected at the target horizon."""
    safe: dict[str, Any] | None
    """Rates that are as good within the noise."""
    doubts: list[str]
    """What speaks against relying on it."""
    advice: str
    """One sentence to act on."""
    data: dict[str, Any]
    """All of it, as the program's JSON has it."""

    def __str__(self) -> str:
        return "\n".join([self.advice, *(f"doubt: {doubt}" for doubt in self.doubts)])


class Tuner:
    """A search by asking and telling; :func:`lehr.tune` is the loop around it.

    With a ``storage`` (``sqlite:///study.db``, ``postgresql://user:password@host/database``) the search is the study of that
    name there: it outlives its process, and any number of processes may ask and tell at the same time.

    >>> import lehr
    >>> tuner = lehr.Tuner("lr=log 1e-4..1", steps=100, schedule="cosine", strategy="tpe", trials=3, seed=1)
    >>> while (trial := tuner.ask()) is not None:
    ...     tuner.tell(trial, (trial["lr"] - 0.1) ** 2)
    >>> tuner.stopped
    '3 trials were asked for'
    """

    def __init__(
        self,
        space: str,
        steps: int,
        *,
        storage: str | None = None,
        study: str | None = None,
        schedule: str | None = None,
        strategy: str | None = None,
        pruner: str | None = None,
        direction: str = "minimize",
        seed: int = 0,
        trials: int | None = None,
        budget: float | None = None,
        tolerance: float | None = None,
        baseline: dict[str, Any] | None = None,
        any_horizon: bool = True,
        comparable_reports: bool = False,
        folder: Any = None,
    ) -> None:
        if direction not in ("minimize", "maximize"):
            raise _core.LehrError(f"direction is `minimize` or `maximize`, not {direction!r}")
        if study is not None and storage is None:
            raise _core.LehrError("a study has a name where it is kept: give storage='sqlite:///study.db' as well")
        self._folder = None if folder is None else Path(folder)
        if self._folder is None and storage is not None:
            self._folder = Path("lehr-out")
        self._core = _core.Tuner(
            space,
            _steps(steps),
            storage=storage or "memory:",
            study=study or "study",
            host=socket.gethostname(),
            folder=self._folder or Path(),
            schedule=schedule,
            strategy=strategy,
            pruner=pruner,
            minimize=direction == "minimize",
            seed=seed,
            trials=trials,
            budget=budget,
            tolerance=tolerance,
            baseline=None if baseline is None else json.dumps(baseline),
            any_horizon=any_horizon,
            comparable=comparable_reports,
        )
        self._lock = threading.RLock()
        self.stopped: str | None = None
        """Why the search has stopped; None while it has not."""

    @property
    def strategy(self) -> str:
        """The strategy's name."""
        return self._core.strategy

    @property
    def folder(self) -> Path:
        """The folder of checkpoints: the one given, ``lehr-out`` with a storage, otherwise a temporary one."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="lehr-"))
        return self._folder

    def ask(self) -> Trial | None:
        """The next run; None if there is none, for good (:attr:`stopped`) or until a run under way has ended."""
        with self._lock:
            plan = json.loads(self._core.next())
            if "run" in plan:
                return Trial(self, plan)
            self.stopped = plan.get("stop")
            return None

    def tell(
        self, trial: Trial, value: float | None = None, *, state: str = "complete", reason: str | None = None
    ) -> None:
        """The end of a run: its value, or ``state`` ``"pruned"``, ``"diverged"`` or ``"failed"``. NaN is divergence.

        ``"handed back"`` leaves the trial to whoever asks next. When this returns, the end is on the disk where the study
        is kept on one.
        """
        if state == "complete" and value is None:
            raise _core.LehrError("a complete run needs its value")
        with self._lock:
            self._core.finish(trial._run, state, math.nan if value is None else float(value), reason)

    def progress(self) -> dict[str, Any]:
        """How many ``trials`` there are, how many have ``ended`` or ``failed``, and the ``best`` value."""
        with self._lock:
            return json.loads(self._core.progress())

    def result(self) -> Result:
        """What to conclude from the runs so far."""
        with self._lock:
            data = json.loads(self._core.result())
        names = ("params", "schedule", "rate", "loss", "safe", "doubts", "advice")
        return Result(*(data[name] for name in names), data)


def tune(
    objective: Callable[[Trial], float],
    space: str,
    steps: int,
    *,
    jobs: int = 1,
    catch: tuple[type[BaseException], ...] = (),
    progress: bool | None = None,
    **settings: Any,
) -> Result:
    """Searches for the best rate and schedule of a training.

    ``objective`` trains once: it takes a :class:`Trial` (``trial["lr"]``, ``trial.schedule``, ``trial.steps``,
    ``trial.seed``) and returns the value to be made small; NaN means that the training diverged. It may call
    ``trial.report(step, value)`` on the way and raise :class:`Pruned` when ``trial.should_prune()``.

    ``space`` says what may be tried, as text: ``"lr=log 1e-5..1, schedule=cosine|linear"``. ``steps`` is the length of the
    run that the answer is for; unless ``any_horizon=False``, shorter whole runs may be asked for. Other settings:
    ``schedule`` (a spec for all runs, which may name parameters in braces), ``strategy``, ``pruner`` (``median``,
    ``halving``, ``hyperband``, ``patient`` or ``wilcoxon``: what ``trial.should_prune()`` goes by; without one only a run whose
    last report is no number is stopped; not with ``annealed``), ``trials``, ``budget`` (in full runs), ``tolerance``, ``baseline`` (your present parameters: they are tried first), ``direction``, ``seed``, ``folder``
    (of checkpoints), ``comparable_reports`` (whether losses at equal steps may be compared between runs, whatever their rates:
    they are otherwise only under a constant rate, and pruners leave the others alone). Without ``trials`` or ``budget``, a strategy that does not stop by itself stops
    after 30 trials.

    ``jobs`` runs go on at a time, in threads. With a ``storage`` (``sqlite:///study.db``,
    ``postgresql://user:password@host/database``) and the name of a ``study`` in it the search is kept: called again, it
    goes on where it was, and ``jobs`` are processes; calls in other processes and on other machines join in. A process
    that was killed is missed after 20 seconds, and its trial is tried again. An exception ends the search unless ``catch`` names it; then the run counts as
    failed. ``progress`` prints a line per run to stderr, by default where that is a terminal or a notebook.

    >>> import lehr
    >>> def objective(trial):
    ...     x = 5.0
    ...     for rate in trial.schedule:
    ...         x -= rate * 2 * x
    ...     return x * x
    >>> result = lehr.tune(objective, "lr=log 1e-3..0.3", steps=50, schedule="linear", strategy="tpe", trials=12, seed=1)
    >>> 0.05 < result.params["lr"] < 0.3
    True
    """
    if jobs < 1:
        raise _core.LehrError(f"jobs must be at least 1, not {jobs}")
    if settings.get("trials") is None and settings.get("budget") is None:
        usual = (space, _steps(steps), settings.get("any_horizon", True), settings.get("pruner"))
        if (settings.get("strategy") or _core.Tuner.usual(*usual)) != "annealed":
            settings["trials"] = 30
    progress = (sys.stderr.isatty() or "ipykernel" in sys.modules) if progress is None else progress
    tell = (lambda line: print(line, file=sys.stderr, flush=True)) if progress else (lambda line: None)
    tuner = Tuner(space, steps, **settings)
    if jobs > 1 and settings.get("storage") is not None:
        # A connection must not be carried into another process.
        del tuner
        in_processes(jobs, _work, (objective, catch, space, steps, settings), tell)
        return Tuner(space, steps, **settings).result()
    ended, failure = threading.Condition(), []

    def worker() -> None:
        try:
            _loop(tuner, objective, catch, tell, ended, lambda: bool(failure))
        except BaseException as why:  # noqa: BLE001 - handed on to the caller
            failure.append(why)
        with ended:
            ended.notify_all()

    if jobs == 1:
        worker()
    else:
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(lambda _: worker(), range(jobs)))
    if failure:
        raise failure[0]
    return tuner.result()


def _loop(
    tuner: Tuner,
    objective: Callable,
    catch: tuple,
    tell: Callable[[str], None],
    ended: threading.Condition,
    stop: Callable[[], bool],
) -> None:
    """Trains one run after the other until the search has enough."""
    while not stop():
        check()
        trial = tuner.ask()
        if trial is not None:
            _run(tuner, objective, trial, catch, tell)
            with ended:
                ended.notify_all()
        elif tuner.stopped is not None:
            return
        else:
            with ended:
                ended.wait(0.2)


def _work(
    tell: Callable[[str], None],
    stop: Callable[[], bool],
    objective: Callable,
    catch: tuple,
    space: str,
    steps: int,
    settings: dict,
) -> None:
    """What one of several processes does."""
    _loop(Tuner(space, steps, **settings), objective, catch, tell, threading.Condition(), stop)


def _run(tuner: Tuner, objective: Callable, trial: Trial, catch: tuple, tell: Callable[[str], None]) -> None:
    try:
        with interruptible():
            value = float(objective(trial))
        tuner.tell(trial, value)
        end = "diverged" if math.isnan(value) else f"{value:.6g}"
    except Pruned:
        tuner.tell(trial, state="pruned", reason=trial.prune_reason or None)
        end = f"pruned ({trial.prune_reason})"
    except catch as why:
        tuner.tell(trial, state="failed", reason=repr(why))
        end = f"failed ({why!r})"
    except Exception as why:
        tuner.tell(trial, state="failed", reason=repr(why))
        raise
    except BaseException:
        # Interrupted: whoever goes on trains it.
        tuner.tell(trial, state="handed back")
        raise
    params = ", ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}" for name, value in trial.params.items()
    )
    tell(f"trial {trial.number}: {params}, {trial.steps} steps: {end}")
