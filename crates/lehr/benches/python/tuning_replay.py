"""Recorded language-model runs: which method names the best rate of each schedule with the fewest steps? See --help of tuning.py.

The data (`llm-schedules`): five peak rates for each of five schedules, one seed, 50,000 updates, validation losses on the way.
Every method may run these cells and no others. Optuna's pruners see the losses on the way of cells in random order; halving by
hand trains all cells side by side and drops all but the best third (or half) at a ninth and a third (a quarter and a half) of the
way. Ours asks for rates on a scale, and each is replaced by the nearest recorded one. A method has named the best cell at the
first answer from which on all its answers are that cell.
"""

import csv
import math
import random
import statistics
from collections import defaultdict
from pathlib import Path

SPECS = {
    "constant": "warmup 300, constant",
    "cosine": "warmup 300, cosine",
    "wsd0.2-linear": "warmup 300, constant, linear 20%",
    "wsd0.2-1-sqrt": "warmup 300, constant, 1-sqrt 20%",
    "wsd0.994-linear": "warmup 300, linear",
}
PARTS = 27


class Cells:
    """The runs of one schedule."""

    def __init__(self, runs: list, curves: dict) -> None:
        runs = sorted(runs, key=lambda run: float(run["peak_lr"]))
        self.rates = [float(run["peak_lr"]) for run in runs]
        self.ends = [float(run["final_val_loss"]) for run in runs]
        self.steps = int(runs[0]["horizon"])
        self.curves = [whole(run, curves) for run in runs]
        self.best = min(range(len(runs)), key=lambda i: self.ends[i])

    def loss(self, cell: int, share: float) -> float:
        """The loss after a share of the run: the last one that was recorded by then."""
        if share >= 1:
            return self.ends[cell]
        seen = [loss for step, loss in self.curves[cell] if step <= share * self.steps]
        return seen[-1]


def whole(run: dict, curves: dict) -> list:
    """The curve of a run; cooldowns were branched off the constant run of their rate, whose curve comes before."""
    own = sorted(curves[run["run"]])
    trunk = sorted(curves["constant-lr" + run["run"].rsplit("-lr", 1)[1]])
    return [point for point in trunk if point[0] < own[0][0]] + own


def read(folder: Path) -> dict[str, Cells]:
    curves = defaultdict(list)
    for row in csv.DictReader((folder / "curves.csv").open()):
        curves[row["run"]].append((int(row["step"]), float(row["val_loss"])))
    runs = defaultdict(list)
    for row in csv.DictReader((folder / "runs.csv").open()):
        runs[row["run"].rsplit("-lr", 1)[0]].append(row)
    return {name: Cells(runs[name], curves) for name in SPECS}


def pruned(pruner: str):
    def run(cells: Cells, seed: int) -> list:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        made = {
            "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=1),
            "halving": lambda: optuna.pruners.SuccessiveHalvingPruner(),
            "hyperband": lambda: optuna.pruners.HyperbandPruner(1, PARTS, 3),
        }[pruner]()
        places = {"cell": list(range(len(cells.rates)))}
        # Hyperband deals its brackets out by the study's name.
        sampler = optuna.samplers.RandomSampler(seed=seed)
        study = optuna.create_study(study_name=f"replay {seed}", sampler=sampler, pruner=made)
        for cell in random.Random(seed).sample(places["cell"], len(places["cell"])):
            study.enqueue_trial({"cell": cell})
        spent, events = 0.0, []
        for _ in cells.rates:
            trial = study.ask()
            cell = trial.suggest_categorical("cell", places["cell"])
            for k in range(1, PARTS + 1):
                trial.report(cells.loss(cell, k / PARTS), k)
                if k < PARTS and trial.should_prune():
                    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                    break
            else:
                study.tell(trial, cells.ends[cell])
            spent += k / PARTS
            done = [t for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE]
            events.append([spent, study.best_params["cell"] if done else None])
        return events

    return run


def halving(ratio: int, rungs: list):
    def run(cells: Cells, seed: int) -> list:
        left, spent, before, events = list(range(len(cells.rates))), 0.0, 0.0, []
        for share in rungs:
            spent += len(left) * (share - before)
            left.sort(key=lambda cell: cells.loss(cell, share))
            if share < 1:
                left = left[: max(1, math.ceil(len(left) / ratio))]
            before = share
            events.append([spent, left[0] if share == 1 else None])
        return events

    return run


def grid(cells: Cells, seed: int) -> list:
    order = list(range(len(cells.rates)))
    random.Random(seed).shuffle(order)
    tried = [order[: k + 1] for k in range(len(order))]
    return [[len(of), min(of, key=lambda cell: cells.ends[cell])] for of in tried]


PEERS = {
    "grid": grid,
    "optuna:median": pruned("median"),
    "optuna:halving": pruned("halving"),
    "optuna:hyperband": pruned("hyperband"),
    "halving by hand, 3": halving(3, [1 / 9, 1 / 3, 1.0]),
    "halving by hand, 2": halving(2, [1 / 4, 1 / 2, 1.0]),
}


def named(events: list, best: int) -> float:
    when = math.inf
    for spent, cell in events:
        when = min(when, spent) if cell == best else math.inf
    return when


def replay(server, folder: Path, seeds: int) -> None:
    """Prints what every method needs on every schedule, in full runs."""
    won = []
    for name, cells in read(folder).items():
        print(f"\n{name}: best recorded rate {cells.rates[cells.best]:g} of {cells.rates}, losses {cells.ends}")
        middles = {}
        for method in ["lehr:annealed", *PEERS]:
            all_events = []
            for seed in range(seeds):
                if method in PEERS:
                    all_events.append(PEERS[method](cells, seed))
                    continue
                stream = random.Random(f"{name} {seed}")
                answer = server.ask(
                    "replay",
                    "",
                    spec=SPECS[name],
                    steps=cells.steps,
                    rates=cells.rates,
                    ends=cells.ends,
                    low=cells.rates[0] * 2 ** -stream.uniform(0.2, 1.5),
                    high=cells.rates[-1] * 2 ** stream.uniform(0.2, 1.5),
                    seed=seed,
                )
                all_events.append(answer["events"])
            times = sorted(named(events, cells.best) for events in all_events)
            right = sum(time < math.inf for time in times)
            spent = [events[-1][0] for events in all_events]
            middles[method] = times[len(times) // 2]
            print(
                f"  {method:<20} names it in {right} of {seeds}; full runs until then {times[len(times) // 2]:.2f} "
                f"[{times[len(times) // 4]:.2f}, {times[3 * len(times) // 4]:.2f}], at its end {statistics.median(spent):.2f}"
            )
        ours = middles.pop("lehr:annealed")
        early = {m: t for m, t in middles.items() if m != "grid"}
        peer = min(early, key=early.get)
        won.append(ours < early[peer])
        print(f"  ours {ours:.2f}, best early-stopping peer ({peer}) {early[peer]:.2f}")
    print(f"\nfewer steps than any early-stopping peer, in the median, on {sum(won)} of {len(won)} schedules")
