"""Trials per second of Optuna's RDB storage: 5 parameters and 10 reports each. Arguments: path of the database, seconds."""

import sys
import time

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
path, seconds = sys.argv[1], float(sys.argv[2])
study = optuna.create_study(storage=f"sqlite:///{path}", sampler=optuna.samplers.RandomSampler(seed=1))


def objective(trial):
    x = sum(trial.suggest_float(f"p{i}", 0.0, 1.0) for i in range(5))
    for step in range(10):
        trial.report(x + 10 - step, step)
    return x


study.optimize(objective, n_trials=2)  # what is done once
start, cpu, done = time.perf_counter(), time.process_time(), 0
while time.perf_counter() - start < seconds:
    study.optimize(objective, n_trials=5)
    done += 5
print(done / (time.perf_counter() - start), done / (time.process_time() - cpu))
