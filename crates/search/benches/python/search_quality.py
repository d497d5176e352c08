"""Quality of samplers on the COCO bbob functions, paired by seed. See search_quality.rs, and --help."""

import argparse
import json
import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

CHECKPOINTS = (50, 100, 200)


class Lehr:
    """Our samplers, served by the benchmark program over a pipe."""

    def __init__(self, server: str) -> None:
        self.process = subprocess.Popen(
            [server, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def say(self, line: str) -> str:
        """Writes a line and reads the answer."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit("the server stopped")
        return answer.strip()

    def run(self, sampler: str, space: str, objective, trials: int, seed: int) -> list[float]:
        """A study over the space; the objective is given the values as words, in order."""
        self.process.stdin.write(f"new {sampler} {seed} {space}\n")
        values = []
        for _ in range(trials):
            values.append(float(objective(self.say("ask").split())))
            self.process.stdin.write(f"tell {values[-1]!r}\n")
        return values


def run_optuna(sampler: str, suggest, objective, trials: int, seed: int) -> list[float]:
    """The same with Optuna; `suggest` asks a trial for the values."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    made = {
        "random": lambda: optuna.samplers.RandomSampler(seed=seed),
        "tpe": lambda: optuna.samplers.TPESampler(seed=seed),
        "cmaes": lambda: optuna.samplers.CmaEsSampler(seed=seed),
        "gp": lambda: optuna.samplers.GPSampler(seed=seed),
        "sobol": lambda: optuna.samplers.QMCSampler(seed=seed, scramble=True),
    }[sampler]()
    study = optuna.create_study(sampler=made)
    values = []

    def one(trial) -> float:
        values.append(float(objective(suggest(trial))))
        return values[-1]

    study.optimize(one, n_trials=trials)
    return values


def measure(args) -> list[dict]:
    """Runs what is missing in the results file and returns all of it."""
    import cocoex

    path = Path(args.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    key = lambda r: (r["sampler"], r["function"], r["dimension"], r["seed"])
    have = {key(r): r for r in done if r["trials"] >= args.trials}
    server = Lehr(args.server)
    instances = ",".join(str(s + 1) for s in range(args.seeds))
    suite = cocoex.Suite("bbob", f"instances: {instances}", f"dimensions: {','.join(map(str, args.dimensions))}")
    plan = [
        (name, f, d, seed)
        for d in args.dimensions
        for seed in range(args.seeds)
        for f in args.functions
        for name in args.samplers
    ]
    todo = [job for job in plan if job not in have]
    print(f"{len(plan)} runs of {args.trials} trials, {len(todo)} to do, results in {path}", flush=True)
    started = time.time()
    with path.open("a") as out:
        for count, (name, f, d, seed) in enumerate(todo):
            # A seed has its own instance of the function, the same for every sampler.
            problem = suite.get_problem_by_function_dimension_instance(f, d, seed + 1)
            library, sampler = name.split(":")
            before = time.process_time() if library == "optuna" else time.time()
            objective = lambda point: problem([float(x) for x in point])
            if library == "lehr":
                space = ", ".join(f"x{i}=-5.0..5.0" for i in range(d))
                values = server.run(sampler, space, objective, args.trials, seed)
            else:
                suggest = lambda trial: [trial.suggest_float(f"x{i}", -5, 5) for i in range(d)]
                values = run_optuna(sampler, suggest, objective, args.trials, seed)
            seconds = (time.process_time() if library == "optuna" else time.time()) - before
            best = np.minimum.accumulate(values)
            record = {
                "sampler": name,
                "function": f,
                "dimension": d,
                "seed": seed,
                "trials": args.trials,
                "seconds": round(seconds, 3),
                "best": {str(n): float(best[n - 1]) for n in CHECKPOINTS if n <= args.trials},
            }
            have[key(record)] = record
            out.write(json.dumps(record) + "\n")
            out.flush()
            problem.free()
            if count % 200 == 199:
                left = (time.time() - started) / (count + 1) * (len(todo) - count - 1)
                print(f"{count + 1} of {len(todo)}, about {left / 60:.0f} min left", flush=True)
    return [have[job] for job in plan]


def interval(x: np.ndarray, rng) -> tuple[float, float, float]:
    """Mean of x (functions × seeds) with a 95 % bootstrap interval that resamples seeds within functions."""
    draws = [
        np.mean([row[rng.integers(len(row), size=len(row))].mean() for row in x]) for _ in range(2000)
    ]
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(x.mean()), float(low), float(high)


def report(args, records: list[dict], what: str = "functions") -> None:
    """Mean ranks and shares of wins; dimension 0 stands for spaces of their own."""
    rng = np.random.default_rng(0)
    table = {(r["sampler"], r["function"], r["dimension"], r["seed"]): r["best"] for r in records}
    for d in args.dimensions:
        for n in [n for n in CHECKPOINTS if n <= args.trials]:
            best = np.array(
                [
                    [[table[(s, f, d, seed)][str(n)] for s in args.samplers] for seed in range(args.seeds)]
                    for f in args.functions
                ]
            )
            # Mean rank of each sampler among all, ties shared.
            less = (best[..., :, None] > best[..., None, :]).sum(-1)
            equal = (best[..., :, None] == best[..., None, :]).sum(-1)
            rank = less + (equal + 1) / 2
            where = f"dimension {d}, " if d else ""
            print(f"\n{where}{n} trials, {len(args.functions)} {what}, {args.seeds} seeds")
            for i, s in enumerate(args.samplers):
                mean, low, high = interval(rank[..., i], rng)
                print(f"  {s:<16} mean rank {mean:.2f} [{low:.2f}, {high:.2f}]")
            for a, b in args.pairs:
                if a in args.samplers and b in args.samplers:
                    i, j = args.samplers.index(a), args.samplers.index(b)
                    wins = (best[..., i] < best[..., j]) + 0.5 * (best[..., i] == best[..., j])
                    mean, low, high = interval(wins, rng)
                    print(f"  {a} beats {b} in {100 * mean:.1f} % of the runs [{100 * low:.1f}, {100 * high:.1f}]")
                    mean, low, high = interval(rank[..., j] - rank[..., i], rng)
                    print(f"    and its mean rank is better by {mean:.2f} [{low:.2f}, {high:.2f}]")
    seconds = {}
    for r in records:
        seconds.setdefault((r["sampler"], r["dimension"]), []).append(r["seconds"])
    print("\nseconds per run")
    for (s, d), t in sorted(seconds.items()):
        print(f"  {s:<16} {f'dimension {d:<3} ' if d else ''}{np.mean(t):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    numbers = lambda text: [int(x) for x in text.split(",")]
    parser.add_argument("--server", required=True, help="the program that serves our samplers")
    parser.add_argument("--samplers", default="lehr:auto,lehr:tpe,lehr:cmaes,optuna:tpe,optuna:cmaes", type=lambda t: t.split(","))
    parser.add_argument("--functions", default=list(range(1, 25)), type=numbers)
    parser.add_argument("--dimensions", default=[2, 5, 10], type=numbers)
    parser.add_argument("--seeds", default=20, type=int)
    parser.add_argument("--trials", default=200, type=int)
    parser.add_argument("--out", default="lehr-out/search-quality.jsonl", help="results; an interrupted run goes on")
    args = parser.parse_args()
    ours = [s for s in args.samplers if s.startswith("lehr:")]
    args.pairs = [(a, b) for a in ours for b in args.samplers if not b.startswith("lehr:")]
    report(args, measure(args))


if __name__ == "__main__":
    main()
