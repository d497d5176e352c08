"""Quality of samplers on real tuning tasks of the lab, paired by seed. See search_tasks.rs, and --help."""

import argparse
import json
import re
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[3] / "search" / "benches" / "python"))
from search_quality import CHECKPOINTS, Lehr, report, run_optuna  # noqa: E402

TASKS = ["a9a-logistic", "a9a-mlp", "wine-softmax", "wine-mlp"]


def suggestions(space: str):
    """The space's text as a function that asks an Optuna trial for the values, in order."""
    parts = []
    for item in re.split(r",\s*", space):
        name, rest = item.split("=")
        if "|" in rest:
            parts.append(lambda t, n=name, c=rest.split("|"): t.suggest_categorical(n, c))
            continue
        log = rest.startswith("log ")
        low, high = rest.removeprefix("log ").split("..")
        whole = low.isdigit() and high.isdigit()
        if whole:
            parts.append(lambda t, n=name, a=int(low), b=int(high), g=log: t.suggest_int(n, a, b, log=g))
        else:
            parts.append(lambda t, n=name, a=float(low), b=float(high), g=log: t.suggest_float(n, a, b, log=g))
    return lambda trial: [str(part(trial)) for part in parts]


def measure(args) -> list[dict]:
    """Runs what is missing in the results file and returns all of it."""
    path = Path(args.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    key = lambda r: (r["sampler"], r["function"], r["seed"])
    have = {key(r): r for r in done if r["trials"] >= args.trials}
    server = Lehr(args.server)
    plan = [(name, task, seed) for seed in range(args.seeds) for task in args.tasks for name in args.samplers]
    todo = [job for job in plan if job not in have]
    print(f"{len(plan)} runs of {args.trials} trials, {len(todo)} to do, results in {path}", flush=True)
    started = time.time()
    with path.open("a") as out:
        for count, (name, task, seed) in enumerate(todo):
            space = server.say(f"space {task}")
            # A seed trains from its own weights on its own order of rows, the same for every sampler.
            objective = lambda words: float(server.say(f"train {task} {seed} {' '.join(words)}"))
            library, sampler = name.split(":")
            before = time.time()
            if library == "lehr":
                values = server.run(sampler, space, objective, args.trials, seed)
            else:
                values = run_optuna(sampler, suggestions(space), objective, args.trials, seed)
            best = np.minimum.accumulate(values)
            record = {
                "sampler": name,
                "function": task,
                "dimension": 0,
                "seed": seed,
                "trials": args.trials,
                "seconds": round(time.time() - before, 3),
                "best": {str(n): float(best[n - 1]) for n in CHECKPOINTS if n <= args.trials},
            }
            have[key(record)] = record
            out.write(json.dumps(record) + "\n")
            out.flush()
            if count % 20 == 19:
                left = (time.time() - started) / (count + 1) * (len(todo) - count - 1)
                print(f"{count + 1} of {len(todo)}, about {left / 60:.0f} min left", flush=True)
    return [have[job] for job in plan]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    words = lambda text: text.split(",")
    parser.add_argument("--server", required=True, help="the program that trains and serves our samplers")
    parser.add_argument("--samplers", default="lehr:auto,lehr:tpe,lehr:cmaes,optuna:tpe,optuna:cmaes", type=words)
    parser.add_argument("--tasks", default=TASKS, type=words)
    parser.add_argument("--seeds", default=20, type=int)
    parser.add_argument("--trials", default=200, type=int)
    parser.add_argument("--out", default="lehr-out/search-tasks.jsonl", help="results; an interrupted run goes on")
    args = parser.parse_args()
    ours = [s for s in args.samplers if s.startswith("lehr:")]
    args.pairs = [(a, b) for a in ours for b in args.samplers if not b.startswith("lehr:")]
    args.functions, args.dimensions = args.tasks, [0]
    report(args, measure(args), "tasks")


if __name__ == "__main__":
    main()
