"""Updates spent until the recommendation is good. See tuning.rs, and --help.

A method gives events `(full runs spent, recommendation)`. A recommendation is good at a mark if its true expected loss at the
target is no worse than the mark. With the rate alone the truth is a fine grid of eight rates an octave, 24 fresh seeds (400 for
the networks on a9a, 12 for the character model; running mean over half an octave), and the marks are misses of one octave and of
half of one on the side where that costs less. With more parameters the truth of a recommendation is ten fresh seeds at the
target, and the marks are the best 5 % and 1 % of 500 random configurations run in full with the same seeds. A method has reached
a mark at the first event from which on all its recommendations are good, up to its own stop or the end of its budget. Ours, which
stops by itself, is then told to go on to 10 full runs; a second row counts those, too. With the rate alone every seed has its
own range of five decades, in which the best rate lies somewhere in the middle half; it is the same for all methods.
"""

import argparse
import hashlib
import json
import math
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tuning_methods import METHODS
from tuning_replay import replay

DECADES = 5
# Tasks with their seeds, and the budget of a search in full runs.
TASKS = {
    "a9a-sgd": (20, 20),
    "a9a-momentum": (20, 20),
    "a9a-adamw": (20, 20),
    "a9a-adamw-64": (20, 20),
    "wine-softmax": (20, 20),
    "wine-softmax-adamw": (20, 20),
    "a9a-schedules": (20, 40),
    "a9a-restarts": (20, 20),
    "wine-five": (20, 60),
    "characters": (5, 10),
}
# Asked for by name. On the wine networks the noise of one run is three to four times what an octave costs: one search with one seed finds
# the mark by luck. The letters played no part in making the strategy; peers that look at a run often validate for minutes there.
OTHERS = {"wine-mlp-momentum": (20, 20), "wine-mlp-adamw": (20, 20), "letters-adamw": (40, 20)}
QUICK = ["a9a-sgd", "wine-softmax", "a9a-schedules", "wine-five"]
OURS = "lehr:annealed"
# Full runs after which ours ends, which is what `lehr tune` spends at most by itself.
OURS_BUDGET = 10


class Server:
    """Trains, and runs our strategies."""

    def __init__(self, program: str, folder: Path) -> None:
        self.process = subprocess.Popen(
            [program, "--serve", str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, do: str, task: str, **what) -> dict:
        self.process.stdin.write(json.dumps({"do": do, "task": task, **what}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the training program stopped")
        return json.loads(line)


class Case:
    """One task with one seed: what a method gets to see, and what it costs."""

    def __init__(self, server: Server, task: str, seed: int, budget: float, about: dict, best: float | None) -> None:
        self.server, self.task, self.seed, self.budget = server, task, seed, budget
        self.steps, self.low, self.high, self.pieces = (about[key] for key in ("steps", "low", "high", "pieces"))
        if best is not None:
            place = random.Random(f"{task} {seed}").uniform(0.25, 0.75)
            self.low = best * 10 ** (-place * DECADES)
            self.high = self.low * 10**DECADES
        rate = {"name": "lr", "low": self.low, "high": self.high, "log": True}
        self.parameters = [rate] + [p for p in about["parameters"] if p["name"] != "lr"]

    def train(self, params: dict, steps: int, every: int = 0, until: int | None = None) -> dict:
        # One seed for all runs of a search, as scripts have it.
        seed = 10_000 + self.seed
        about = {"params": params, "steps": steps, "seed": seed, "every": every, "until": until or steps}
        return self.server.ask("train", self.task, **about)

    def course(self, params: dict, parts: int):
        """`(part, update, loss)` of a full run as it goes; the loss is None where it is lost, and that is the last one.

        In the lab, whoever stops it early has not made us train the rest.
        """
        every, seen, known = math.ceil(self.steps / parts), 0, 1 if self.pieces else parts
        while seen < self.steps:
            until = min(known * every, self.steps)
            run = self.train(params, self.steps, every if parts > 1 else 0, until)
            for k, (step, loss) in enumerate(run["points"], 1):
                if step > seen:
                    yield k, step, loss
            if run["diverged"] is not None:
                yield parts, min(run["diverged"], self.steps), None
                return
            seen, known = until, known * 3


def search(job: tuple) -> dict:
    """One method on one case, in a process of the pool."""
    method, task, seed, budget, about, truth, version = job
    start = time.time()
    case = Case(SERVER, task, seed, budget, about, truth.get("best"))
    record = {"task": task, "method": method, "seed": seed, "budget": budget, "version": version}
    if METHODS[method] is None:
        record |= SERVER.ask(
            "ours",
            task,
            strategy=method.removeprefix("lehr:"),
            seed=1000 * (seed + 1),
            low=case.low,
            high=case.high,
            budget=float(budget),
        )
    else:
        record["events"] = METHODS[method](case)
    events = record["events"]
    record.setdefault("own", len(events))
    known: dict[str, float | None] = {}

    def true_loss(event: list) -> float | None:
        key = json.dumps(event[1])
        if event[1] is not None and key not in known:
            known[key] = SERVER.ask("loss", task, params=event[1])["loss"]
        return known.get(key)

    # What came before the last recommendation that is worse than all marks is of no account.
    highest = max(limit for _, limit in truth["marks"])
    for stretch in (events[: record["own"]], events[record["own"] :]):
        good = True
        for event in reversed(stretch):
            loss = true_loss(event) if good else None
            good = loss is not None and loss <= highest
            event.append(loss)
    record["seconds"] = round(time.time() - start, 1)
    return record


def prepare(program: str, folder: Path) -> None:
    global SERVER
    SERVER = Server(program, folder)


def quartiles(of: list) -> list:
    ordered = sorted(of)
    return [ordered[min(k * len(ordered) // 4, len(ordered) - 1)] for k in (2, 1, 3)]


def reached(events: list, limit: float) -> float:
    when = math.inf
    for spent, _, loss in events:
        good = loss is not None and loss <= limit
        when = min(when, spent) if good else math.inf
    return when


def at_stop(record: dict) -> list:
    """The last event before the method's own stop."""
    return record["events"][record["own"] - 1]


def show(x: float) -> str:
    return "never" if math.isinf(x) else f"{x:.2f}"


def number(x: float | None) -> str:
    return "inf" if x is None or math.isinf(x) else f"{x:.1e}"


def interval(name: str, of: list, unit: str) -> str:
    """Coverage, median width and mean interval score of 90 % intervals, from (low, high, truth)."""
    held = sum(low <= truth <= high for low, high, truth in of)
    width = statistics.median(high - low for low, high, _ in of)
    score = statistics.mean(high - low + 20 * (max(low - truth, 0) + max(truth - high, 0)) for low, high, truth in of)
    return f"{name} in {held} of {len(of)} (median width {width:.2g}{unit}, interval score {score:.2g}{unit})"


def cell(name: str, times: list) -> str:
    """Median, quartiles and the share that got there."""
    middle, low, high = quartiles(times)
    share = 100 * sum(t < math.inf for t in times) / len(times)
    return f"{name} {show(middle):>5} [{show(low)}, {show(high)}] {share:3.0f} %"


def report(task: str, about: dict, truth: dict, records: list, methods: list) -> dict:
    lowest, marks = truth["lowest"], truth["marks"]
    costs = ", ".join(f"{name} +{limit - lowest:.1e}" for name, limit in marks)
    best = f"best rate {truth['best']:.4g}, " if "best" in truth else ""
    print(f"\n{task}: {about['steps']} updates, {best}lowest loss {lowest:.4f}, noise of a run {truth['noise']:.1e}; marks: {costs}")
    medians = {}
    for method in methods:
        own = [r for r in records if r["task"] == task and r["method"] == method]
        if not own:
            continue
        cells = []
        for name, limit in marks:
            times = [reached(r["events"][: r["own"]], limit) for r in own]
            medians[method, name] = quartiles(times)[0]
            cells.append(cell(name, times))
        last = [at_stop(r) for r in own if r["own"]]
        regret = quartiles([math.inf if e[2] is None else e[2] - lowest for e in last])
        spent = statistics.median(e[0] for e in last)
        print(
            f"  {method:<25} n={len(own):<3} {'   '.join(cells)}   stop {spent:.2f}, regret {number(regret[0])} "
            f"[{number(regret[1])}, {number(regret[2])}], {statistics.median(r['seconds'] for r in own):.1f} s"
        )
        if method == OURS:
            longer = [cell(name, [reached(r["events"], limit) for r in own]) for name, limit in marks]
            print(f"  {'  told to go on':<25} n={len(own):<3} {'   '.join(longer)}   budget {own[0]['budget']:g}")
    ratios = {}
    for name, _ in marks:
        peers = {m: medians[m, name] for m in methods if m != OURS and (m, name) in medians}
        if (OURS, name) in medians and peers:
            peer = min(peers, key=peers.get)
            ours = medians[OURS, name]
            # Where no peer got there in the median, ours is better without a number; where ours did not, worse.
            ratios[name] = ours / peers[peer] if math.isfinite(peers[peer]) else (0.0 if math.isfinite(ours) else math.nan)
            print(f"  {name}: ours / best peer ({peer}, {show(peers[peer])}) = {ratios[name]:.2f}")
    own = [r for r in records if r["task"] == task and r["method"] == OURS]
    if "best" in truth and any(r.get("rate") for r in own):
        rates = [[math.log2(x) for x in r["rate"]] + [math.log2(truth["best"])] for r in own if r.get("rate")]
        print("  90 % intervals of ours: " + interval("best rate", rates, " octaves"))
    losses = [r["loss"] + [at_stop(r)[2]] for r in own if r["own"] and r.get("loss") and at_stop(r)[2] is not None]
    if losses:
        print("  90 % intervals of ours: " + interval("expected loss", losses, ""))
        print(f"  slowest decision of ours {max(r['slowest_ms'] for r in own):.0f} ms")
    return ratios


def summary(all_ratios: dict) -> None:
    print("\nours / best peer (0: no peer got there in the median; nan: nobody did; inf: ours did not)")
    for place, which in enumerate(("first mark", "second mark")):
        values = {task: list(r.values())[place] for task, r in all_ratios.items() if len(r) > place}
        finite = [v for v in values.values() if not math.isnan(v)]
        if finite:
            each = ", ".join(f"{task} {v:.2f}" for task, v in values.items())
            print(f"  {which}: median over tasks {statistics.median(finite):.2f}, worst {max(finite):.2f} ({each})")


def version() -> str:
    """A fingerprint of our strategy: its searches are made anew once its sources have changed."""
    root = Path(__file__).resolve().parents[2] / "src/strategy"
    print_ = hashlib.sha256()
    for path in sorted(root.rglob("*.rs")):
        if "tests" not in path.relative_to(root).with_suffix("").parts:
            print_.update(path.read_bytes())
    return print_.hexdigest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the program that trains")
    parser.add_argument("--tasks", type=lambda text: text.split(","), help=f"out of {', '.join(TASKS | OTHERS)}")
    parser.add_argument(
        "--methods", default=list(METHODS), type=lambda t: t.split(";"), help="separated by semicolons"
    )
    parser.add_argument("--seeds", type=int, help="searches of each method [default: 20; 5 for characters]")
    parser.add_argument("--budget", type=float, help="full runs that a search may spend [default: by task]")
    parser.add_argument("--quick", action="store_true", help="four tasks, 6 seeds, peers within 10 full runs: six minutes")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="searches at a time")
    parser.add_argument("--out", default="lehr-out/tuning", help="folder of results; an interrupted benchmark goes on")
    parser.add_argument("--replay", action="store_true", help="recorded language-model runs instead of live tasks")
    args = parser.parse_args()
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    if args.replay:
        data = Path(__file__).resolve().parents[5] / "shared/data/llm-schedules"
        replay(Server(args.server, folder), data, args.seeds or 20)
        return
    tasks = args.tasks or (QUICK if args.quick else list(TASKS))
    if unknown := [name for name in tasks if name not in TASKS | OTHERS] + [m for m in args.methods if m not in METHODS]:
        sys.exit(f"not known: {', '.join(unknown)}; tasks: {', '.join(TASKS | OTHERS)}; methods: {'; '.join(METHODS)}")
    if "ray:asha" in args.methods and not os.environ.get("LEHR_RAY_PYTHON"):
        args.methods.remove("ray:asha")
        print("ray:asha is left out: there is no environment with Ray (LEHR_RAY_PYTHON)")
    path = folder / "searches.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    # A line that a crash has torn is made again.
    done = [json.loads(line) for line in lines if line.endswith("}")]
    ours = version()
    have = {(r["task"], r["method"], r["seed"], r["budget"], r["version"]): r for r in done}
    server, ratios = Server(args.server, folder), {}
    with (
        path.open("a") as out,
        multiprocessing.Pool(args.jobs, initializer=prepare, initargs=(args.server, folder)) as pool,
    ):
        for task in tasks:
            start = time.time()
            seeds, budget = (TASKS | OTHERS)[task]
            seeds = args.seeds or (min(seeds, 6) if args.quick else seeds)
            budget = args.budget or (min(budget, 10) if args.quick else budget)
            about, truth = server.ask("describe", task), server.ask("truth", task)
            jobs = [
                (method, task, seed, min(budget, OURS_BUDGET), about, truth, ours)
                if method == OURS
                else (method, task, seed, budget, about, truth, "")
                for seed in range(seeds)
                for method in args.methods
                # A fine grid over several parameters would be the whole budget of all.
                if "best" in truth or method != "grid:fine"
            ]
            key = lambda job: (job[1], job[0], job[2], job[3], job[6])
            for record in pool.imap_unordered(search, [job for job in jobs if key(job) not in have]):
                have[record["task"], record["method"], record["seed"], record["budget"], record["version"]] = record
                out.write(json.dumps(record) + "\n")
                out.flush()
            ratios[task] = report(task, about, truth, [have[key(job)] for job in jobs], args.methods)
            print(f"  {time.time() - start:.0f} s", flush=True)
    summary(ratios)


if __name__ == "__main__":
    main()
