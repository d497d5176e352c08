"""The peers of the tuning benchmark: each gets a case and gives events `[full runs spent, recommended parameters or None]`."""

import json
import math
import os
import random
import subprocess
from pathlib import Path

# Reports of a run: one after every 27th of it.
PARTS = 27


def optuna_method(sampler: str, pruner: str | None):
    def run(case) -> list:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        made = {
            "tpe": lambda: optuna.samplers.TPESampler(seed=case.seed),
            "random": lambda: optuna.samplers.RandomSampler(seed=case.seed),
            # What `create_study` takes by itself, with a seed.
            "default": lambda: default_sampler(optuna, case.seed),
        }[sampler]()
        pruners = {
            None: lambda: optuna.pruners.NopPruner(),
            "hyperband": lambda: optuna.pruners.HyperbandPruner(1, PARTS, 3),
            "halving": lambda: optuna.pruners.SuccessiveHalvingPruner(),
        }
        # Hyperband deals its brackets out by the study's name.
        study = optuna.create_study(study_name=f"{case.task} {case.seed}", sampler=made, pruner=pruners[pruner]())
        spent, events = 0.0, []
        while spent < case.budget:
            trial = study.ask()
            params = {p["name"]: suggest(trial, p) for p in case.parameters}
            state, value, steps = optuna.trial.TrialState.COMPLETE, None, case.steps
            for k, step, loss in case.course(params, PARTS if pruner else 1):
                if loss is None:
                    # Optuna has no word for divergence: a NaN fails the trial, which its samplers ignore. What scripts do
                    # instead is to report a large loss.
                    value, steps = 1e3, step
                    break
                value = loss
                if pruner:
                    trial.report(loss, k)
                    if step < case.steps and trial.should_prune():
                        value, steps, state = None, step, optuna.trial.TrialState.PRUNED
                        break
            study.tell(trial, value, state)
            spent += steps / case.steps
            done = [t for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE]
            events.append([spent, study.best_params if done else None])
        return events

    return run


def default_sampler(optuna, seed: int):
    kind = type(optuna.create_study().sampler)
    return kind(seed=seed)


def suggest(trial, p: dict):
    if "choices" in p:
        return trial.suggest_categorical(p["name"], p["choices"])
    if p.get("whole"):
        return trial.suggest_int(p["name"], p["low"], p["high"], log=p["log"])
    return trial.suggest_float(p["name"], p["low"], p["high"], log=p["log"])


class Asha:
    """Ray Tune's own ASHA scheduler, which a helper runs in Ray's environment; one for all searches of a process."""

    helper = None

    def __init__(self, seed: int) -> None:
        if Asha.helper is None:
            words = [os.environ["LEHR_RAY_PYTHON"], str(Path(__file__).with_name("tuning_asha.py")), str(PARTS)]
            Asha.helper = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ask(seed=seed)

    def ask(self, **what) -> dict:
        Asha.helper.stdin.write(json.dumps(what) + "\n")
        Asha.helper.stdin.flush()
        return json.loads(Asha.helper.stdout.readline())


def asha(case) -> list:
    """Random search under ASHA."""
    stream, scheduler = random.Random(f"asha {case.task} {case.seed}"), Asha(case.seed)
    spent, best, events, number = 0.0, (math.inf, None), [], 0
    while spent < case.budget:
        params = {p["name"]: draw(stream, p) for p in case.parameters}
        scheduler.ask(add=number)
        for k, step, loss in case.course(params, PARTS):
            if loss is None:
                break
            if step == case.steps:
                scheduler.ask(complete=number, part=k, loss=loss)
                best = min(best, (loss, params), key=lambda b: b[0])
            elif scheduler.ask(trial=number, part=k, loss=loss)["stop"]:
                break
        number += 1
        spent += step / case.steps
        events.append([spent, best[1]])
    return events


def draw(stream: random.Random, p: dict):
    if "choices" in p:
        return stream.choice(p["choices"])
    low, high = p["low"], p["high"]
    if p.get("whole"):
        low, high = low - 0.5, high + 0.499
    x = math.exp(stream.uniform(math.log(low), math.log(high))) if p["log"] else stream.uniform(low, high)
    return round(x) if p.get("whole") else min(max(x, low), high)


def middle(p: dict):
    if "choices" in p:
        return p["choices"][0]
    x = math.sqrt(p["low"] * p["high"]) if p["log"] else (p["low"] + p["high"]) / 2
    return round(x) if p.get("whole") else x


def grid(ratio: float, share: float, rescale: bool, check: bool):
    """A geometric grid of runs to a share of the target; the winner as it is, or its rate rescaled by the root of the horizons.

    Schedules out of a list are all run; other parameters stay in the middle of their ranges.
    """

    def run(case) -> list:
        steps = round(case.steps * share)
        count = math.ceil(math.log(case.high / case.low) / math.log(ratio) - 1e-9) + 1
        rates = [min(case.low * ratio**i, case.high) for i in range(count)]
        base = {p["name"]: middle(p) for p in case.parameters}
        schedules = next((p["choices"] for p in case.parameters if p["name"] == "schedule"), [None])
        spent, best, events = 0.0, (math.inf, None), []
        for schedule in schedules:
            for rate in rates:
                params = base | {"lr": rate} | ({"schedule": schedule} if schedule else {})
                run = case.train(params, steps, 0)
                if run["diverged"] is None and run["points"][-1][1] < best[0]:
                    best = (run["points"][-1][1], params)
                spent += share if run["diverged"] is None else min(run["diverged"], steps) / case.steps
                if share == 1.0:
                    events.append([spent, best[1]])
        if share < 1.0:
            answer = best[1] and dict(best[1], lr=best[1]["lr"] * (math.sqrt(share) if rescale else 1.0))
            events.append([spent, answer])
        if check and answer:
            # One run at full length shows that it trains; it does not change the answer.
            events.append([spent + 1.0, answer])
        return events

    return run


METHODS = {
    "lehr:annealed": None,
    "optuna:default": optuna_method("default", None),
    "optuna:tpe+hyperband": optuna_method("tpe", "hyperband"),
    "optuna:tpe+halving": optuna_method("tpe", "halving"),
    "optuna:random+hyperband": optuna_method("random", "hyperband"),
    "ray:asha": asha,
    "grid:fine": grid(2**0.5, 1.0, False, False),
    "grid:3 at T/10": grid(3.0, 0.1, False, True),
    "grid:3 at T/10, rescaled": grid(3.0, 0.1, True, True),
}
