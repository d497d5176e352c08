"""Learning curves of real models for freeze-thaw: records them once, then replays them. See search_curves.rs, and --help.

500 random configurations (7 hyperparameters) of an MLP of the lab at a constant rate, validation loss after each epoch: on a9a
(`a9a:0`, what our method was made on), and tables that played no part in that (other data `wine:0`, other configurations `a9a:1`).
Replaying, a method pays for each epoch it asks for; its regret is that of the best value seen so far, in units of the
gap between the median final value and the best value of all curves. Our method is told the configurations and chooses among
them (`list`); also shown is what it does without: as with Optuna, which takes no list, the nearest one is then run.
"""

import argparse
import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

# As in search/task.rs.
SPACE = (
    "optimizer=momentum|adamw, lr=log 1e-5..3.0, wd=log 1e-7..0.1, batch=log 4..128, width=log 2..64, layers=1..3, "
    "momentum=0.0..0.99"
)
EPOCHS = 27
# In full runs.
BUDGETS = [5, 10, 20]


def record(server: str, table: str, folder: Path, count: int) -> list[dict]:
    """The curves of `count` random configurations of a table `data:seed`, from its file or trained."""
    folder.mkdir(parents=True, exist_ok=True)
    data, seed = table.split(":")
    path = folder / f"search-curves-{data}-{seed}.jsonl"
    subprocess.run([server, "--record", str(path), f"{data}-curves", seed, str(EPOCHS), str(count)], check=True)
    return [json.loads(line) for line in path.read_text().splitlines()][:count]


class Tape:
    """Counts epochs and keeps the best value seen after each."""

    def __init__(self, budget: int) -> None:
        self.best, self.budget = [], budget

    def see(self, value: float) -> bool:
        self.best.append(min(value, self.best[-1]) if self.best else value)
        return len(self.best) >= self.budget


def nearest(records: list[dict], params: dict, used: set[int]) -> int:
    """The unused recorded configuration nearest to a suggestion (in the unit cube)."""
    scale = {"lr": (1e-5, 3.0), "wd": (1e-7, 0.1), "batch": (4, 128), "width": (2, 64)}

    def place(c: dict) -> np.ndarray:
        logs = [np.log(c[k] / a) / np.log(b / a) for k, (a, b) in scale.items()]
        return np.array([*logs, (c["layers"] - 1) / 2, c["momentum"] / 0.99, c["optimizer"] == "adamw"], float)

    here = place(params)
    distance = [np.inf if i in used else np.sum((here - place(r["config"])) ** 2) for i, r in enumerate(records)]
    return int(np.argmin(distance))


def run_optuna(records: list[dict], budget: int, seed: int, min_resource: int) -> list[float]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    tape, used = Tape(budget), set()
    pruner = optuna.pruners.HyperbandPruner(min_resource=min_resource, max_resource=EPOCHS, reduction_factor=3)
    # Hyperband draws brackets by the study's name, which is random unless it is given.
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), pruner=pruner, study_name=f"seed {seed}")

    def objective(trial) -> float:
        params = {
            "optimizer": trial.suggest_categorical("optimizer", ["momentum", "adamw"]),
            "lr": trial.suggest_float("lr", 1e-5, 3.0, log=True),
            "wd": trial.suggest_float("wd", 1e-7, 0.1, log=True),
            "batch": trial.suggest_int("batch", 4, 128, log=True),
            "width": trial.suggest_int("width", 2, 64, log=True),
            "layers": trial.suggest_int("layers", 1, 3),
            "momentum": trial.suggest_float("momentum", 0.0, 0.99),
        }
        i = nearest(records, params, used)
        used.add(i)
        for epoch, value in enumerate(records[i]["curve"], 1):
            if tape.see(value):
                study.stop()
                return value
            trial.report(value, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    study.optimize(objective, n_trials=len(records))
    return tape.best


def run_lehr(server: str, records: list[dict], budget: int, seed: int, listed: bool) -> list[float]:
    """The server says `start VALUES…` or `advance TRIAL`; it is told each value. `listed`: it knows the configurations."""
    count = len(records) if listed else 0
    process = subprocess.Popen(
        [server, "--serve", str(seed), str(EPOCHS), SPACE, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    names = [item.split("=")[0].strip() for item in SPACE.split(",")]

    def values_of(c: dict) -> str:
        return " ".join(str(c[n]) for n in names) + "\n"

    process.stdin.writelines(values_of(r["config"]) for r in records[:count])
    process.stdin.flush()
    tape, used, curves = Tape(budget), set(), []
    while True:
        answer = process.stdout.readline().split()
        if not answer:
            sys.exit("the server stopped")
        if answer[0] == "start":
            values = [v if n == "optimizer" else float(v) for n, v in zip(names, answer[1:])]
            i = nearest(records, dict(zip(names, values)), used)
            used.add(i)
            curves.append(iter(records[i]["curve"]))
            # The recorded neighbour is what was run, so it is what the history gets.
            process.stdin.write(values_of(records[i]["config"]))
            trial = len(curves) - 1
        else:
            trial = int(answer[1])
        value = next(curves[trial])
        process.stdin.write(f"{value!r}\n")
        process.stdin.flush()
        if tape.see(value):
            process.kill()
            return tape.best


def run_told(records: list[dict], budget: int, seed: int, share: float, patience: int = 6) -> list[float]:
    """What knowing the good ones would bring: of the best `share` of the configurations one after the other in random order, each
    until so many epochs brought nothing new. Not a method, since no method is told."""
    lowest = [min(r["curve"]) for r in records]
    good = np.argsort(lowest, kind="stable")[: max(1, round(share * len(records)))]
    tape = Tape(budget)
    for i in np.random.default_rng(seed).permutation(good):
        curve = records[i]["curve"]
        for epoch, value in enumerate(curve):
            if tape.see(value):
                return tape.best
            if epoch - int(np.argmin(curve[: epoch + 1])) >= patience:
                break
    # All were run: nothing more to find.
    return tape.best + [tape.best[-1]] * (budget - len(tape.best))


class Kept:
    """Runs by what they were, in a file if there is one."""

    def __init__(self, path: Path | None) -> None:
        lines = path.read_text().splitlines() if path and path.exists() else []
        self.path, self.runs = path, {tuple(line["run"]): line["best"] for line in map(json.loads, lines)}

    def get(self, key: tuple, run) -> list[float]:
        """The run of this key; made, and appended, if there is none."""
        if key not in self.runs:
            self.runs[key] = run()
            if self.path:
                with self.path.open("a") as file:
                    file.write(json.dumps({"run": key, "best": self.runs[key]}) + "\n")
        return self.runs[key]


def replay(args, kept: Kept, table: str, records: list[dict]) -> dict[str, np.ndarray]:
    """Normalised regrets of all methods on the curves of a table, by seed and budget."""
    best = min(min(r["curve"]) for r in records)
    scale = float(np.median([r["curve"][-1] for r in records])) - best
    longest = BUDGETS[-1] * EPOCHS
    methods = {
        "lehr:freeze-thaw(list)": lambda s: run_lehr(args.server, records, longest, s, True),
        "lehr:freeze-thaw": lambda s: run_lehr(args.server, records, longest, s, False),
        "optuna:tpe+hyperband(1)": lambda s: run_optuna(records, longest, s, 1),
        "optuna:tpe+hyperband(3)": lambda s: run_optuna(records, longest, s, 3),
        "told the best fifth": lambda s: run_told(records, longest, s, 0.2),
    }
    regret = {}
    for name, run in methods.items():
        key = (table, args.count, name)
        tapes = np.array([kept.get((*key, seed), lambda seed=seed: run(seed)) for seed in range(args.seeds)])
        regret[name] = (tapes[:, [b * EPOCHS - 1 for b in BUDGETS]] - best) / scale
    return regret


def show(title: str, regret: dict[str, np.ndarray]) -> None:
    """Mean regrets, and their ratios to the peers', with 95 % intervals over seeds (paired)."""
    rng = np.random.default_rng(0)
    seeds = len(next(iter(regret.values())))
    draws = rng.integers(seeds, size=(2000, seeds))

    def cells(statistic, digits: int) -> str:
        whole = statistic(np.arange(seeds))
        low, high = np.percentile([statistic(i) for i in draws], [2.5, 97.5], axis=0)
        rows = zip(BUDGETS, whole, low, high)
        return "   ".join(f"{b} runs: {m:.{digits}f} [{a:.{digits}f}, {z:.{digits}f}]" for b, m, a, z in rows)

    print(f"{title}, {seeds} seeds; normalised regret of the best value seen")
    for name, r in regret.items():
        print(f"  {name:<24} " + cells(lambda i: r[i].mean(0), 4))
    for ours, peer in itertools.product(regret, regret):
        if peer.startswith("optuna:") and not ours.startswith("optuna:"):
            a, r = regret[ours], regret[peer]
            print(f"  {ours} / {peer}  " + cells(lambda i: a[i].mean(0) / np.maximum(r[i].mean(0), 1e-12), 2), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", help="the program that serves our method")
    parser.add_argument("--count", default=500, type=int)
    parser.add_argument("--seeds", default=20, type=int)
    parser.add_argument("--tables", default="a9a:0,wine:0,a9a:1", type=lambda text: text.split(","), help="data:seed, …")
    parser.add_argument("--curves", default="lehr-out", help="folder of the recorded curves; made if absent")
    parser.add_argument("--out", type=Path, help="file of runs: those in it are not run again")
    parser.add_argument("--record-only", action="store_true")
    args = parser.parse_args()
    started, kept, tables = time.time(), Kept(args.out), {}
    for table in args.tables:
        records = record(args.server, table, Path(args.curves), args.count)
        if not args.record_only:
            regret = replay(args, kept, table, records)
            show(f"{table}: {len(records)} curves of {EPOCHS} epochs", regret)
            tables.setdefault(table.split(":")[0], []).append(regret)
    for data, regrets in tables.items():
        if len(regrets) > 1:
            mean = {name: np.mean([r[name] for r in regrets], 0) for name in regrets[0]}
            show(f"{data}, mean of {len(regrets)} tables", mean)
    print(f"took {(time.time() - started) / 60:.1f} min")


if __name__ == "__main__":
    main()
