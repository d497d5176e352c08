"""Times of one step of learning-rate schedulers in PyTorch, in processor time; run by `cargo xtask bench python_step`."""

import platform
import time

import torch
from torch.optim import lr_scheduler as theirs

import lehr
import lehr.torch as ours

STEPS, ROUNDS = 20_000, 15
T = 10**6


def optimizer(groups):
    parts = [{"params": [torch.zeros(1, requires_grad=True)], "lr": 0.1 * (i + 1)} for i in range(groups)]
    return torch.optim.SGD(parts, lr=0.1, momentum=0.9)


def started(make, groups):
    opt = optimizer(groups)
    sched = make(opt)
    opt.step()
    sched.step()
    sched.step()
    return sched


def microseconds(sched, steps):
    step = sched.step
    start = time.process_time_ns()
    for _ in range(steps):
        step()
    return (time.process_time_ns() - start) / steps / 1000


CASES = {
    "torch CosineAnnealingLR": lambda o: theirs.CosineAnnealingLR(o, T),
    "lehr scheduler, cosine": lambda o: ours.scheduler(o, "warmup 1%, cosine to 0.1", steps=T),
    "lehr scheduler, with momentum": lambda o: ours.scheduler(
        o, "warmup 1%, cosine to 0.1 with momentum from 0.95 to 0.85", steps=T
    ),
    "lehr CosineAnnealingLR": lambda o: ours.CosineAnnealingLR(o, T),
    "torch StepLR": lambda o: theirs.StepLR(o, 1000),
    "lehr StepLR": lambda o: ours.StepLR(o, 1000),
    "torch OneCycleLR": lambda o: theirs.OneCycleLR(o, 0.1, total_steps=T),
    "lehr OneCycleLR": lambda o: ours.OneCycleLR(o, 0.1, total_steps=T),
}


def main():
    print(f"Python {platform.python_version()}, torch {torch.__version__}, lehr {lehr.__version__}")
    print(f"{'µs of processor time per step':<32}{'1 group':>9}{'ratio':>8}{'8 groups':>10}{'ratio':>8}")
    found = {name: {} for name in CASES}
    for groups in (1, 8):
        scheds = {name: started(make, groups) for name, make in CASES.items()}
        # In turn, so that what else the machine does hits all alike.
        times = {name: [] for name in CASES}
        for _ in range(ROUNDS):
            for name, sched in scheds.items():
                times[name].append(microseconds(sched, STEPS // groups))
        for name in CASES:
            found[name][groups] = min(times[name])
    base = found["torch CosineAnnealingLR"]
    for name, us in found.items():
        one, eight = us[1], us[8]
        print(f"{name:<32}{one:>9.2f}{base[1] / one:>7.1f}×{eight:>10.2f}{base[8] / eight:>7.1f}×")


main()
