"""Schedules for PyTorch.

:func:`scheduler` drives an optimiser with a Lehr schedule:

>>> import lehr, torch
>>> model = torch.nn.Linear(2, 1)
>>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
>>> scheduler = lehr.torch.scheduler(optimizer, "warmup 10%, cosine", steps=1000)
>>> scheduler.get_last_lr()
[0.001]

The other classes have the names and arguments of torch's own schedulers and derive from them. They behave alike, take
a fraction of the time per step where the class says so, do not drift, and are right where torch's are not; each class
says what differs.
"""

from .compose import ChainedScheduler, SequentialLR
from .dropin import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from .cycles import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from .finding import Found, find
from .plateau import ReduceLROnPlateau
from .scheduler import FeedbackScheduler, Scheduler, scheduler

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "FeedbackScheduler",
    "Found",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "Scheduler",
    "SequentialLR",
    "StepLR",
    "find",
    "scheduler",
]
