#!/usr/bin/env python3
"""Trains the network of train.py under schedules × rates × seeds; one line of CSV per run, for `lehr robustness`.

    python sweep.py --data cifar10 --out sweep.csv
    lehr robustness sweep.csv

A sweep that was interrupted goes on where it stopped.
"""

import argparse
import csv
import subprocess
import tempfile
from pathlib import Path

import torch

import train

SCHEDULES = ["constant", "linear", "cosine", "inverse-sqrt timescale 1%"]
FIELDS = ["schedule", "lr", "seed", "steps", "loss", "accuracy", "train_loss", "train_accuracy"]


def curve(lehr, spec, peak, steps):
    """The rates of a schedule, by Lehr."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rates.f64"
        command = [lehr, "schedule", "values", spec, "--steps", str(steps), "--peak", repr(peak), "-o", path]
        subprocess.run(command, check=True)
        return train.rates(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with train.bin.gz and test.bin.gz")
    parser.add_argument("--out", required=True, help="CSV file; runs that it holds are not trained again")
    parser.add_argument("--schedules", default="; ".join(SCHEDULES), help="separated by semicolons")
    parser.add_argument("--low", type=float, default=0.002)
    parser.add_argument("--high", type=float, default=4.0)
    parser.add_argument("--points", type=int, default=10, help="rates")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lehr", default="lehr", help="the program")
    args = parser.parse_args()
    torch.set_num_threads(1)
    ratio = (args.high / args.low) ** (1 / (args.points - 1))
    lrs = [float(f"{args.low * ratio**i:.3g}") for i in range(args.points)]
    schedules = [spec.strip() for spec in args.schedules.split(";")]
    parts = [train.images(Path(args.data) / f"{part}.bin.gz") for part in ("train", "test")]
    out = Path(args.out)
    fresh = not out.exists() or not out.stat().st_size
    done = set() if fresh else {(r["schedule"], float(r["lr"]), int(r["seed"])) for r in csv.DictReader(out.open())}
    with out.open("a", newline="", buffering=1) as file:
        writer = csv.DictWriter(file, FIELDS)
        if fresh:
            writer.writeheader()
        for seed in range(args.seeds):
            for spec in schedules:
                for lr in lrs:
                    if (spec, lr, seed) in done:
                        continue
                    found = train.run(*parts, curve(args.lehr, spec, lr, args.steps), seed, batch=args.batch)
                    row = {"schedule": spec, "lr": lr, "seed": seed, "steps": args.steps}
                    row |= {"loss": found["test_loss"], "accuracy": found["test_accuracy"]}
                    writer.writerow(row | {key: found[key] for key in ("train_loss", "train_accuracy")})


if __name__ == "__main__":
    main()
