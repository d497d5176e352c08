"""A training script as anyone has one: handwritten digits, a small network, Adam with a cosine of its own.

    lehr tune --lr 1e-4..1 --own-schedule cosine --metric-regex 'val loss (\\S+)' -- python digits.py --lr {lr}
"""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--epochs", type=int, default=5)
args = parser.parse_args()

torch.manual_seed(0)
images, labels = load_digits(return_X_y=True)
images, labels = torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(labels)
order = torch.randperm(len(images))
train, validation = order[:1400], order[1400:]

model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs)
loss_of = nn.CrossEntropyLoss()

for epoch in range(args.epochs):
    for batch in train[torch.randperm(len(train))].split(64):
        optimizer.zero_grad()
        loss_of(model(images[batch]), labels[batch]).backward()
        optimizer.step()
    scheduler.step()
    with torch.no_grad():
        loss = loss_of(model(images[validation]), labels[validation])
    print(f"epoch {epoch + 1}: val loss {loss.item():.4f}")
