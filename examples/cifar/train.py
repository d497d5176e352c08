#!/usr/bin/env python3
"""Trains a small convolutional network on CIFAR-10 images under a given learning-rate schedule.

An ordinary training program: it reads its rates from a file (`step,lr`, or little-endian 64-bit floats where the name
ends in `.f64`), trains, and prints one JSON line with the losses at the end. Such a file comes from

    lehr schedule values 'warmup 5%, cosine' --steps 400 --peak 0.1 -o rates.csv

The data are CIFAR-10's own binary records (a label byte, then 3 × 32 × 32 bytes), gzipped or not.
"""

import argparse
import csv
import gzip
import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

RECORD = 1 + 3 * 32 * 32


def images(path):
    """Images, scaled to mean 0 and deviation 1 per colour, and labels of a file of records."""
    path = Path(path)
    data = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    if not data or len(data) % RECORD:
        sys.exit(f"{path}: {len(data)} bytes are no whole number of records of {RECORD}")
    records = np.frombuffer(data, np.uint8).reshape(-1, RECORD)
    pixels = torch.tensor(records[:, 1:].reshape(-1, 3, 32, 32), dtype=torch.float32) / 255
    mean = torch.tensor([0.4914, 0.4822, 0.4465]).view(3, 1, 1)
    deviation = torch.tensor([0.2470, 0.2435, 0.2616]).view(3, 1, 1)
    labels = torch.tensor(records[:, 0].astype(np.int64))
    return ((pixels - mean) / deviation).to(memory_format=torch.channels_last), labels


def rates(path):
    """The rate of every update."""
    if str(path).endswith(".f64"):
        values = np.fromfile(path, "<f8").tolist()
    else:
        with open(path, newline="") as file:
            values = [float(row["lr"]) for row in csv.DictReader(file)]
    if not values or not all(np.isfinite(values)) or min(values) < 0:
        sys.exit(f"{path}: rates must be finite numbers of at least 0, at least one of them")
    return values


def network():
    """Three convolutions with batch normalisation, halving the picture twice, then an average over it."""

    def block(inputs, outputs, stride):
        convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())

    body = nn.Sequential(block(3, 16, 1), block(16, 32, 2), block(32, 64, 2))
    return nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def score(model, data):
    """Mean cross-entropy and accuracy; the batch normalisation uses its running averages."""
    model.eval()
    loss, right = 0.0, 0
    with torch.inference_mode():
        for x, y in zip(data[0].split(500), data[1].split(500)):
            outputs = model(x)
            loss += F.cross_entropy(outputs, y, reduction="sum").item()
            right += (outputs.argmax(1) == y).sum().item()
    model.train()
    return loss / len(data[1]), right / len(data[1])


def train(data, schedule, seed, batch=64, momentum=0.9, decay=5e-4):
    """One run; what it ended with. A loss that is no number ends it early."""
    torch.manual_seed(seed)
    order = torch.Generator().manual_seed(seed)
    model = network().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.0, momentum=momentum, weight_decay=decay, nesterov=momentum > 0
    )
    x, y = data
    left = torch.empty(0, dtype=torch.long)
    for step, rate in enumerate(schedule):
        if len(left) < batch:
            left = torch.randperm(len(y), generator=order)
        rows, left = left[:batch], left[batch:]
        pictures = x[rows]
        if torch.rand((), generator=order) < 0.5:
            pictures = pictures.flip(3)
        optimizer.param_groups[0]["lr"] = rate
        loss = F.cross_entropy(model(pictures), y[rows])
        if not torch.isfinite(loss):
            return {"diverged_at": step}, None
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return {}, model


def run(train_data, test_data, schedule, seed, **settings):
    """One run and its losses on both parts of the data; losses that are no numbers are null."""
    found, model = train(train_data, schedule, seed, **settings)
    number = lambda value: value if np.isfinite(value) else None
    parts = ("train", train_data), ("test", test_data)
    for name, data in parts:
        loss, accuracy = score(model, data) if model else (float("nan"), 0.0)
        found |= {f"{name}_loss": number(loss), f"{name}_accuracy": accuracy}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with train.bin.gz and test.bin.gz")
    parser.add_argument("--rates", required=True, help="file with the rate of every update")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=64)
    args = parser.parse_args()
    torch.set_num_threads(1)
    parts = [images(Path(args.data) / f"{part}.bin.gz") for part in ("train", "test")]
    print(json.dumps(run(*parts, rates(args.rates), args.seed, batch=args.batch)))


if __name__ == "__main__":
    main()
