"""A small character model: the next character from the sixteen before it, one hidden layer, AdamW.

Follows the contract of `lehr tune -- command`: rates from a schedule file, reports as JSON lines. With `--peaks` the schedule is
multiplied by several peaks that are trained side by side (the truth of the benchmark needs thousands of runs); the same seed
gives the same run either way, up to rounding.
"""

import argparse
import csv
import json
from pathlib import Path

import torch

CONTEXT, EMBEDDING, HIDDEN, BATCH = 16, 16, 128, 32
DECAY, BETA1, BETA2 = 0.01, 0.9, 0.999
# A loss beyond this multiple of guessing is lost.
LOST = 4.0


def read(path: str):
    text = Path(path).read_text()
    letters = sorted(set(text))
    codes = torch.tensor([letters.index(c) for c in text[:300_000]])
    return codes[:270_000], codes[270_000:], len(letters)


def windows(codes, places):
    around = places[:, None] + torch.arange(CONTEXT + 1)
    taken = codes[around]
    return taken[:, :-1], taken[:, -1]


class Model:
    """Copies of one network, a peak each: all weights have a leading dimension of copies."""

    def __init__(self, copies: int, letters: int, seed: int) -> None:
        made = torch.Generator().manual_seed(seed)
        shapes = [(letters, EMBEDDING), (CONTEXT * EMBEDDING, HIDDEN), (1, HIDDEN), (HIDDEN, letters), (1, letters)]
        scales = [1.0, (CONTEXT * EMBEDDING) ** -0.5, 0.0, HIDDEN**-0.5, 0.0]
        self.weights = [
            (scale * torch.randn(shape, generator=made)).repeat(copies, 1, 1).requires_grad_()
            for shape, scale in zip(shapes, scales)
        ]
        self.moments = [(torch.zeros_like(w), torch.zeros_like(w)) for w in self.weights]
        self.made = 0

    def losses(self, before, after):
        table, first, first_bias, second, second_bias = self.weights
        copies = table.shape[0]
        x = table[:, before].reshape(copies, len(before), -1)
        x = torch.relu(torch.baddbmm(first_bias, x, first))
        x = torch.baddbmm(second_bias, x, second)
        target = after.repeat(copies)
        return torch.nn.functional.cross_entropy(x.flatten(0, 1), target, reduction="none").view(copies, -1).mean(1)

    def step(self, before, after, rates) -> None:
        gradients = torch.autograd.grad(self.losses(before, after).sum(), self.weights)
        self.made += 1
        rates = rates[:, None, None]
        with torch.no_grad():
            for weight, gradient, (mean, square) in zip(self.weights, gradients, self.moments):
                mean.lerp_(gradient, 1 - BETA1)
                square.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
                size = (square / (1 - BETA2**self.made)).sqrt_().add_(1e-8)
                weight.mul_(1 - rates * DECAY).sub_(rates * (mean / (1 - BETA1**self.made)) / size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--schedule", required=True, help="CSV step,lr")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=0, help="updates between two reports")
    parser.add_argument("--peaks", default="1", help="trained side by side; reports only the ends")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with open(args.schedule, newline="") as file:
        rates = [float(row["lr"]) for row in csv.DictReader(file)]
    peaks = torch.tensor([float(peak) for peak in args.peaks.split(",")])
    train, validation, letters = read(args.text)
    held_out = windows(validation, torch.arange(0, len(validation) - CONTEXT - 1, 15))
    model = Model(len(peaks), letters, args.seed)
    order = torch.Generator().manual_seed(args.seed + 1)
    lost = LOST * torch.tensor(float(letters)).log()

    def looked_at():
        with torch.no_grad():
            return model.losses(*held_out).tolist()

    for step in range(1, args.steps + 1):
        places = torch.randint(len(train) - CONTEXT - 1, (BATCH,), generator=order)
        model.step(*windows(train, places), rates[step - 1] * peaks)
        if args.every and (step % args.every == 0 or step == args.steps):
            (loss,) = looked_at()
            print(json.dumps({"step": step, "val_loss": loss if loss < lost else float("nan")}), flush=True)
            if not loss < lost:
                return
    if not args.every:
        print(json.dumps({"ends": [end if end < lost else None for end in looked_at()]}))


if __name__ == "__main__":
    main()
