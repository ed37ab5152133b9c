"""Trains a small LeNet on the UCI handwritten digits: 1,797 pictures of 8 x 8 pixels. An ordinary PyTorch program.

    flambeau demo                                   runs it, and so does
    flambeau run examples/digits_lenet.py
    python examples/digits_lenet.py                 with PyTorch installed prints the same numbers
"""
import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split
from tqdm import tqdm

from digits_picture import save_picture

DATA = Path(__file__).resolve().with_name("optdigits.csv.gz")  # where it is from: SOURCE.txt


class LeNet(nn.Module):
    """Two convolutions with pooling, two linear layers: LeNet-5 (LeCun et al. 1998) for 8 x 8 pixels, with ReLUs."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1 = nn.Linear(32 * 2 * 2, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)  # (N, 16, 4, 4)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)  # (N, 32, 2, 2)
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc2(x)


def load_digits():
    """All digits as a dataset of (image, label): images (1, 8, 8) float32 from 0 to 1, labels int64."""
    table = np.loadtxt(DATA, delimiter=",", dtype=np.uint8)
    images = torch.from_numpy(table[:, :64].astype(np.float32) / 16).reshape(-1, 1, 8, 8)
    return TensorDataset(images, torch.from_numpy(table[:, 64].astype(np.int64)))


def train_epoch(model, loader, optimizer, description):
    """One pass over the training digits; the mean loss."""
    model.train()
    total = 0.0
    for images, labels in tqdm(loader, desc=description, leave=False):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@torch.no_grad()
def predict(model, dataset):
    """(images, labels, predicted labels) of a whole dataset."""
    model.eval()
    images, labels = next(iter(DataLoader(dataset, batch_size=len(dataset))))
    return images, labels, model(images).argmax(1)


def main():
    parser = argparse.ArgumentParser(description="Train a small LeNet on the UCI handwritten digits.")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("flambeau-demo"),
                        help="folder for the checkpoint and the picture")
    args = parser.parse_args()

    start = time.time()
    torch.manual_seed(args.seed)
    train_set, test_set = random_split(load_digits(), [1437, 360])
    loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    model = LeNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    print(f"{len(train_set)} training digits, {len(test_set)} test digits, "
          f"{sum(p.numel() for p in model.parameters())} parameters")

    losses, accuracies = [], []
    for epoch in range(1, args.epochs + 1):
        losses.append(train_epoch(model, loader, optimizer, f"epoch {epoch}/{args.epochs}"))
        images, labels, predicted = predict(model, test_set)
        accuracies.append((predicted == labels).float().mean().item())
        print(f"epoch {epoch:2d}/{args.epochs}  loss {losses[-1]:.4f}  test accuracy {accuracies[-1]:.1%}")

    args.out.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), args.out / "digits_lenet.pt")
    save_picture(args.out / "digits_lenet.png", losses, accuracies,
                 images[:, 0].numpy(), labels.tolist(), predicted.tolist())
    print(f"{time.time() - start:.1f} s; wrote {args.out / 'digits_lenet.pt'} and {args.out / 'digits_lenet.png'}")


if __name__ == "__main__":
    main()
