"""The same network with everything that Lehr can use: any schedule, any length, checkpoints, a SIGTERM that saves.

    lehr tune --lr 1e-3..10 --steps 400 --schedules 'linear; warmup 5%, cosine' -- python digits_annealed.py \\
        --steps {steps} --schedule {schedule_file} --seed {seed} --checkpoint {checkpoint} --resume {resume}
"""

import argparse
import csv
import json
import os
import signal

import torch
from sklearn.datasets import load_digits
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, required=True)
parser.add_argument("--schedule", required=True, help="CSV step,lr")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--checkpoint", required=True, help="a folder")
parser.add_argument("--resume", default="", help="a checkpoint, or nothing")
parser.add_argument("--every", type=int, default=50, help="updates between two reports")
args = parser.parse_args()

images, labels = load_digits(return_X_y=True)
images, labels = torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(labels)
order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
train, validation = order[:1400], order[1400:]
with open(args.schedule, newline="") as file:
    rates = [float(row["lr"]) for row in csv.DictReader(file)]

torch.manual_seed(args.seed)
model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
loss_of = nn.CrossEntropyLoss()
start = 0
if args.resume:
    state = torch.load(args.resume)
    start = state["step"]
    model.load_state_dict(state["model"])


def save(step):
    path = os.path.join(args.checkpoint, f"step-{step}.pt")
    torch.save({"step": step, "model": model.state_dict()}, path + ".tmp")
    os.rename(path + ".tmp", path)


asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(True))
keep = {int(step) for step in os.environ.get("LEHR_CHECKPOINTS", "").split(",") if step}
for step in range(start, args.steps):
    # The batch of a step does not depend on where the run started.
    batch = train[torch.randint(len(train), (64,), generator=torch.Generator().manual_seed(args.seed << 32 | step))]
    optimizer.param_groups[0]["lr"] = rates[step]
    optimizer.zero_grad()
    loss_of(model(images[batch]), labels[batch]).backward()
    optimizer.step()
    done = step + 1
    if done % args.every == 0 or done == args.steps:
        with torch.no_grad():
            loss = loss_of(model(images[validation]), labels[validation])
        save(done)
        print(json.dumps({"step": done, "val_loss": loss.item()}), flush=True)
    elif done in keep or asked:
        save(done)
    if asked:
        break
