"""Milliseconds of processor time of ask + 10 real parameters + tell for the peers: prints `name milliseconds`. See search_speed.rs."""

import random
import statistics
import sys
import time

sampler, n = sys.argv[1], int(sys.argv[2])
PARAMETERS = 10
TIMED = 11 if n >= 1000 else 31


def objective(point: list[float]) -> float:
    return sum((x - 0.1 * i) ** 2 for i, x in enumerate(point))


def one(study) -> float:
    start = time.process_time()
    trial = study.ask()
    point = [trial.suggest_float(f"x{i}", -5, 5) for i in range(PARAMETERS)]
    study.tell(trial.number, objective(point))
    return (time.process_time() - start) * 1e3


def measure(study) -> float:
    one(study)  # the first suggestion also builds what later ones reuse
    return statistics.fmean(one(study) for _ in range(TIMED))


def with_optuna() -> None:
    import numpy as np
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    made = {
        "random": lambda: optuna.samplers.RandomSampler(seed=0),
        "sobol": lambda: optuna.samplers.QMCSampler(seed=0, scramble=True),
        "tpe": lambda: optuna.samplers.TPESampler(seed=0),
        "cmaes": lambda: optuna.samplers.CmaEsSampler(seed=0),
        "gp": lambda: optuna.samplers.GPSampler(seed=0),
    }.get(sampler)
    if made is None:
        return
    study = optuna.create_study(sampler=made())
    rng = np.random.default_rng(1)
    distribution = optuna.distributions.FloatDistribution(-5, 5)
    for _ in range(n):
        point = rng.uniform(-5, 5, PARAMETERS).tolist()
        study.add_trial(
            optuna.trial.create_trial(
                params={f"x{i}": x for i, x in enumerate(point)},
                distributions={f"x{i}": distribution for i in range(PARAMETERS)},
                value=objective(point),
            )
        )
    print("optuna", measure(study))


def with_rustuna() -> None:
    import rustuna

    made = {
        "random": lambda: rustuna.samplers.RandomSampler(seed=0),
        "tpe": lambda: rustuna.samplers.TPESampler(seed=0),
        "cmaes": lambda: rustuna.samplers.CmaEsSampler(seed=0),
    }.get(sampler)
    if made is None:
        return
    study = rustuna.create_study(sampler=made())
    rng = random.Random(1)
    distribution = rustuna.distributions.FloatDistribution(-5, 5)
    for _ in range(n):
        point = [rng.uniform(-5, 5) for _ in range(PARAMETERS)]
        study.add_trial(
            rustuna.create_trial(
                params={f"x{i}": x for i, x in enumerate(point)},
                distributions={f"x{i}": distribution for i in range(PARAMETERS)},
                value=objective(point),
            )
        )
    print("rustuna", measure(study))


for peer in (with_optuna, with_rustuna):
    try:
        peer()
    except Exception as problem:  # a peer that cannot run is named, not hidden
        print(f"{peer.__name__}: {problem!r}", file=sys.stderr)
