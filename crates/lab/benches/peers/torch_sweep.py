"""Trains a model at several rates, one after another, as one does in torch; prints the seconds that it took on the clock and of the processor.

Arguments: widths of the layers, steps, batch, threads, runs. The data comes over standard input.
"""

import math
import sys
import time

import numpy as np
import torch

widths = [int(w) for w in sys.argv[1].split(",")]
steps, batch, threads, runs = map(int, sys.argv[2:])
torch.set_num_threads(threads)


def receive():
    rows, columns = np.frombuffer(sys.stdin.buffer.read(16), dtype="<u8").astype(int)
    x = np.frombuffer(sys.stdin.buffer.read(4 * rows * columns), dtype="<f4").reshape(rows, columns)
    y = np.frombuffer(sys.stdin.buffer.read(8 * rows), dtype="<i8")
    return torch.tensor(x), torch.tensor(y)


def loss_of(model, x, y):
    z = model(x)
    if z.shape[1] == 1:
        return torch.nn.functional.binary_cross_entropy_with_logits(z[:, 0], y.float())
    return torch.nn.functional.cross_entropy(z, y)


def run(rate, steps):
    parts = []
    for inputs, outputs in zip(widths, widths[1:]):
        parts += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    model = torch.nn.Sequential(*parts[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    evaluate(model)
    order, position = torch.randperm(len(x)), 0
    for step in range(steps):
        if position >= len(x):
            order, position = torch.randperm(len(x)), 0
        rows = order[position : position + batch]
        position += batch
        optimizer.param_groups[0]["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        optimizer.zero_grad()
        loss_of(model, x[rows], y[rows]).backward()
        optimizer.step()
    return evaluate(model)


@torch.no_grad()
def evaluate(model):
    return [loss_of(model, *part).item() for part in ((x, y), validation)]


(x, y), validation = receive(), receive()
run(0.01, 20)  # warm up
start, cpu = time.perf_counter(), time.process_time()
for i in range(runs):
    run(1e-3 * 1.1**i, steps)
print(time.perf_counter() - start, time.process_time() - cpu)
