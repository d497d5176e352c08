"""Softmax regression of handwritten digits in NumPy alone: any schedule, any length, a checkpoint wherever Lehr wants one.

    lehr tune --strategy annealed --lr 1e-3..10 --steps 800 --schedules 'constant, linear 20%' -- python digits_branched.py \\
        --steps {steps} --schedule {schedule_file} --seed {seed} --checkpoint {checkpoint} --resume {resume}

It keeps no SIGTERM handler: a run that is stopped goes on from its last checkpoint.
"""

import argparse
import csv
import json
import os
import time

import numpy as np
from sklearn.datasets import load_digits

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, required=True)
parser.add_argument("--schedule", required=True, help="CSV step,lr")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--checkpoint", required=True, help="a folder")
parser.add_argument("--resume", default="", help="a checkpoint, or nothing")
parser.add_argument("--every", type=int, default=50, help="updates between two reports")
parser.add_argument("--pause", type=float, default=0.0, help="seconds that each update takes at least")
args = parser.parse_args()

images, labels = load_digits(return_X_y=True)
images, targets = images / 16, np.eye(10)[labels]
order = np.random.default_rng(0).permutation(len(images))
train, validation = order[:1400], order[1400:]
with open(args.schedule, newline="") as file:
    rates = [float(row["lr"]) for row in csv.DictReader(file)]


def softmax(scores):
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


def save(step):
    path = os.path.join(args.checkpoint, f"step-{step}.npy")
    with open(path + ".tmp", "wb") as file:
        np.save(file, weights)
    os.rename(path + ".tmp", path)


if args.resume:
    weights = np.load(args.resume)
    start = int(os.path.basename(args.resume).removeprefix("step-").removesuffix(".npy"))
else:
    weights, start = 0.3 * np.random.default_rng(args.seed).normal(size=(64, 10)), 0
keep = {int(step) for step in os.environ.get("LEHR_CHECKPOINTS", "").split(",") if step}
for step in range(start, args.steps):
    # The batch of a step does not depend on where the run started.
    batch = np.random.default_rng([args.seed, step]).choice(train, 64)
    error = softmax(images[batch] @ weights) - targets[batch]
    weights = weights - rates[step] * images[batch].T @ error / 64
    done = step + 1
    if done in keep or done % args.every == 0 or done == args.steps:
        save(done)
    if done % args.every == 0 or done == args.steps:
        likely = np.maximum(softmax(images[validation] @ weights), 1e-300)
        loss = -np.log(likely[targets[validation] == 1]).mean()
        print(json.dumps({"step": done, "val_loss": loss}), flush=True)
    time.sleep(args.pause)
