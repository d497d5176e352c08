"""Learning-rate schedules: found, checked and run.

>>> import lehr
>>> s = lehr.schedule("warmup 2%, cosine", steps=10_000, peak=3e-4)
>>> s.at(99), s.at(199), s.at(200)
(0.00015, 0.0003, 0.0003)

The faces for other libraries are modules that import theirs: ``lehr.torch``, ``lehr.optax``, ``lehr.keras``,
``lehr.transformers``, ``lehr.optuna``, ``lehr.ray``. They load when they are first named.
"""

from importlib import import_module as _import_module

from ._core import LehrError, SpecError, __version__
from .child import Child, trial
from .schedules import Change, Conversion, Curve, Doubt, Feedback, Phase, Schedule, Verdict, convert, schedule
from .tuning import Pruned, Result, Trial, Tuner, tune

_FACES = ("keras", "optax", "optuna", "ray", "torch", "transformers")

__all__ = [
    "Change",
    "Child",
    "Conversion",
    "Curve",
    "Doubt",
    "Feedback",
    "LehrError",
    "Phase",
    "Pruned",
    "Result",
    "Schedule",
    "SpecError",
    "Trial",
    "Tuner",
    "Verdict",
    "__version__",
    "convert",
    "find",
    "schedule",
    "trial",
    "tune",
    *_FACES,
]


def __getattr__(name):
    if name == "find":
        return _import_module(f"{__name__}.torch").find
    if name in _FACES:
        return _import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(set(globals()) | set(__all__))
