"""Updates spent until the recommended rate is good. See tuning.rs, and --help.

A method gives events `(full runs spent, recommended rate)`. A recommendation is good at the first mark if its true expected
loss (a fine grid of eight rates an octave, 24 fresh seeds, running mean over half an octave) is no worse than a miss of one
octave on the side where that costs less, at the second mark half an octave. A method has reached a mark at the first event
from which on all its recommendations are good, up to its own stop or the end of its budget. Every seed has its own range of
five decades, in which the best rate lies somewhere in the middle half; it is the same for all methods.
"""

import argparse
import json
import math
import random
import statistics
import subprocess
import sys
from pathlib import Path

DECADES = 5


class Server:
    """Trains, and runs our strategies."""

    def __init__(self, program: str, folder: Path) -> None:
        self.process = subprocess.Popen(
            [program, "--serve", str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, *words) -> dict:
        self.process.stdin.write(" ".join(str(w) for w in words) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit("the training program stopped")
        return json.loads(line)


class Case:
    """One task with one seed: what a method gets to see, and what it costs."""

    def __init__(self, server: Server, task: str, truth: dict, seed: int, budget: float) -> None:
        self.server, self.task, self.truth, self.seed, self.budget = server, task, truth, seed, budget
        place = random.Random(f"{task} {seed}").uniform(0.25, 0.75)
        self.low = truth["best"] * 10 ** (-place * DECADES)
        self.high = self.low * 10**DECADES
        self.steps = truth["steps"]

    def train(self, rate: float, steps: int, every: int = 0) -> dict:
        # One seed for all runs of a search, as scripts have it.
        return self.server.ask("train", self.task, repr(rate), steps, 10_000 + self.seed, every)

    def loss(self, rate: float, steps: int) -> float:
        run = self.train(rate, steps)
        return math.inf if run["diverged"] is not None else run["points"][-1][1]


def optuna_method(sampler: str, pruner: str | None):
    def run(case: Case) -> list:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        every = max(1, case.steps // 27)
        made = {
            "tpe": lambda: optuna.samplers.TPESampler(seed=case.seed),
            "random": lambda: optuna.samplers.RandomSampler(seed=case.seed),
        }[sampler]()
        pruners = {
            None: lambda: optuna.pruners.NopPruner(),
            "hyperband": lambda: optuna.pruners.HyperbandPruner(1, 27, 3),
            "halving": lambda: optuna.pruners.SuccessiveHalvingPruner(),
        }
        study = optuna.create_study(sampler=made, pruner=pruners[pruner]())
        spent, events = 0.0, []
        while spent < case.budget:
            trial = study.ask()
            rate = trial.suggest_float("lr", case.low, case.high, log=True)
            run = case.train(rate, case.steps, every if pruner else 0)
            made_steps, state, value = case.steps, optuna.trial.TrialState.COMPLETE, None
            if pruner:
                for k, (step, loss) in enumerate(run["points"], 1):
                    trial.report(loss, k)
                    if step < case.steps and trial.should_prune():
                        made_steps, state = step, optuna.trial.TrialState.PRUNED
                        break
            lost = run["diverged"]
            if state == optuna.trial.TrialState.COMPLETE:
                if lost is not None:
                    # Optuna has no word for divergence: a NaN fails the trial, which its samplers ignore. What scripts do
                    # instead is to report a large loss.
                    made_steps, value = min(lost, case.steps), 1e3
                else:
                    value = run["points"][-1][1]
            elif lost is not None:
                made_steps = min(made_steps, lost)
            study.tell(trial, value if state == optuna.trial.TrialState.COMPLETE else None, state)
            spent += made_steps / case.steps
            done = [t for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE]
            events.append([spent, study.best_params["lr"] if done else None])
        return events

    return run


def grid(ratio: float, share: float, rescale: bool, check: bool):
    """A geometric grid of runs to a share of the target; the winner as it is, or rescaled by the root of the horizons."""

    def run(case: Case) -> list:
        steps = round(case.steps * share)
        count = math.ceil(math.log(case.high / case.low) / math.log(ratio)) + 1
        rates = [case.low * ratio**i for i in range(count)]
        spent, best, events = 0.0, (math.inf, None), []
        for rate in rates:
            best = min(best, (case.loss(rate, steps), rate))
            spent += share
        factor = math.sqrt(share) if rescale else 1.0
        events.append([spent, best[1] * factor if best[1] else None])
        if check:
            # One run at full length shows that it trains; it does not change the answer.
            events.append([spent + 1.0, events[-1][1]])
        return events

    return run


METHODS = {
    "lehr:annealed": None,
    "optuna:tpe": optuna_method("tpe", None),
    "optuna:tpe+hyperband": optuna_method("tpe", "hyperband"),
    "optuna:tpe+halving": optuna_method("tpe", "halving"),
    "optuna:random+hyperband": optuna_method("random", "hyperband"),
    "grid:fine": grid(2**0.5, 1.0, False, False),
    "grid:3 at T/10": grid(3.0, 0.1, False, True),
    "grid:3 at T/10, rescaled": grid(3.0, 0.1, True, True),
}


def true_loss(truth: dict, rate: float) -> float:
    rates, losses = truth["rates"], truth["losses"]
    at = min(max(math.log2(rate / rates[0]) * 8, 0), len(rates) - 1)
    i = int(at)
    j = min(i + 1, len(rates) - 1)
    if losses[i] is None or losses[j] is None:
        return math.inf
    return losses[i] + (at - i) * (losses[j] - losses[i])


def reached(events: list, truth: dict, limit: float) -> float:
    lowest = min(l for l in truth["losses"] if l is not None)
    when = math.inf
    for spent, rate in events:
        good = rate is not None and true_loss(truth, rate) - lowest <= limit
        when = min(when, spent) if good else math.inf
    return when


def show(x: float) -> str:
    return "never" if math.isinf(x) else f"{x:.2f}"


def report(task: str, truth: dict, records: list, methods: list) -> None:
    lowest = min(l for l in truth["losses"] if l is not None)
    print(
        f"\n{task}: {truth['steps']} updates, best rate {truth['best']:.4g}, noise {truth['noise']:.1e}, "
        f"an octave costs {truth['octave']:.1e}, half of one {truth['half']:.1e}"
    )
    medians = {}
    for method in methods:
        own = [r for r in records if r["task"] == task and r["method"] == method]
        marks = []
        for name in ("octave", "half"):
            times = sorted(reached(r["events"], truth, truth[name]) for r in own)
            quartiles = [times[len(times) // 4], times[len(times) // 2], times[3 * len(times) // 4]]
            medians[method, name] = quartiles[1]
            share = sum(t < math.inf for t in times) / len(times)
            marks.append(f"{show(quartiles[1]):>6} [{show(quartiles[0])}, {show(quartiles[2])}] {100 * share:3.0f} %")
        last = [r["events"][-1] for r in own if r["events"]]
        regrets = [true_loss(truth, e[1]) - lowest if e[1] else math.inf for e in last]
        print(
            f"  {method:<26} n={len(own):<3} octave {marks[0]}   half {marks[1]}   stop {statistics.median(e[0] for e in last):.2f}, "
            f"regret {statistics.median(regrets):.1e}"
        )
    ours = "lehr:annealed"
    for name in ("octave", "half"):
        peers = {m: medians[m, name] for m in methods if m != ours}
        if ours in methods and peers:
            best = min(peers, key=peers.get)
            if math.isfinite(peers[best]):
                print(f"  {name}: ours / best peer ({best}) = {medians[ours, name] / peers[best]:.2f}")
    own = [r for r in records if r["task"] == task and r["method"] == ours and r.get("rate")]
    if own:
        rate = sum(r["rate"][0] <= truth["best"] <= r["rate"][1] for r in own)
        loss = sum(r["loss"][0] <= true_loss(truth, r["events"][-1][1]) <= r["loss"][1] for r in own)
        width = statistics.median(math.log2(r["rate"][1] / r["rate"][0]) for r in own)
        print(
            f"  90 % intervals of ours: best rate {rate} of {len(own)} (median width {width:.1f} octaves), "
            f"expected loss {loss} of {len(own)}; slowest decision {max(r['slowest_ms'] for r in own):.0f} ms"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words = lambda text: text.split(",")
    parser.add_argument("--server", required=True, help="the program that trains")
    parser.add_argument("--tasks", default="a9a-sgd,a9a-momentum,a9a-adamw,wine-softmax", type=words)
    parser.add_argument("--methods", default=";".join(METHODS), type=lambda t: t.split(";"), help="separated by semicolons")
    parser.add_argument("--seeds", default=20, type=int)
    parser.add_argument("--budget", default=20.0, type=float, help="full runs that Optuna's methods may spend")
    parser.add_argument("--out", default="lehr-out/tuning", help="folder of results; an interrupted benchmark goes on")
    args = parser.parse_args()
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(args.server, folder)
    path = folder / "searches.jsonl"
    done = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    # Records of ours depend on the program: delete the file after a change of the strategy.
    have = {(r["task"], r["method"], r["seed"], r["budget"]): r for r in done}
    records = []
    with path.open("a") as out:
        for task in args.tasks:
            truth = server.ask("truth", task)
            for seed in range(args.seeds):
                case = Case(server, task, truth, seed, args.budget)
                for method in args.methods:
                    key = (task, method, seed, args.budget)
                    if key not in have:
                        record = {"task": task, "method": method, "seed": seed, "budget": args.budget}
                        if method.startswith("lehr:"):
                            name = method.removeprefix("lehr:")
                            record |= server.ask("ours", task, name, 1000 * (seed + 1), repr(case.low), repr(case.high))
                        else:
                            record["events"] = METHODS[method](case)
                        have[key] = record
                        out.write(json.dumps(record) + "\n")
                        out.flush()
                    records.append(have[key])
            report(task, truth, records, args.methods)


if __name__ == "__main__":
    main()
