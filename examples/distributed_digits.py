"""Trains a small network on the UCI handwritten digits in several processes, each on its part of every batch.

    flambeau launch --nproc-per-node 2 examples/distributed_digits.py          (pip install "flambeau[xla]")
    torchrun --nproc-per-node 2 examples/distributed_digits.py                 with PyTorch installed

The global batch does not depend on the number of processes, so 1, 2 and 4 of them print the same losses, but for rounding.
"""
import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

DATA = Path(__file__).resolve().parents[1] / "src" / "flambeau" / "examples" / "optdigits.csv.gz"
TEST = 360  # digits at the end that are not trained on


def load_digits():
    """(training set, test set) of (image, label): images (1, 8, 8) float32 from 0 to 1, labels int64."""
    table = np.loadtxt(DATA, delimiter=",", dtype=np.uint8)
    images = torch.from_numpy(table[:, :64].astype(np.float32) / 16).reshape(-1, 1, 8, 8)
    labels = torch.from_numpy(table[:, 64].astype(np.int64))
    return TensorDataset(images[:-TEST], labels[:-TEST]), TensorDataset(images[-TEST:], labels[-TEST:])


def make_model():
    """Batch normalisation sees the whole batch, whatever part of it is here."""
    model = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
                          nn.Flatten(), nn.Linear(16 * 4 * 4, 10))
    return DistributedDataParallel(nn.SyncBatchNorm.convert_sync_batchnorm(model))


def mean_over_processes(value):
    total = torch.tensor(value)
    dist.all_reduce(total)
    return total.item() / dist.get_world_size()


@torch.no_grad()
def accuracy(model, dataset):
    """Each process looks at its share of the test digits. model: without its wrapper, whose forward is for everybody."""
    model.eval()
    sampler = DistributedSampler(dataset, shuffle=False)
    images, labels = next(iter(DataLoader(dataset, batch_size=len(sampler), sampler=sampler)))
    return mean_over_processes((model(images).argmax(1) == labels).float().mean().item())


def main():
    parser = argparse.ArgumentParser(description="Train on the UCI handwritten digits in several processes.")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64, help="digits in all processes together (64)")
    parser.add_argument("--lr", type=float, default=0.1)
    args = parser.parse_args()

    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(0)
    train_set, test_set = load_digits()
    sampler = DistributedSampler(train_set, drop_last=True)
    loader = DataLoader(train_set, batch_size=args.batch_size // size, sampler=sampler, drop_last=True)
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
    for epoch in range(1, args.epochs + 1):
        start = time.time()
        sampler.set_epoch(epoch)
        model.train()
        losses = []
        for images, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        loss = mean_over_processes(sum(losses) / len(losses))
        correct = accuracy(model.module, test_set)
        if rank == 0:
            print(f"epoch {epoch}/{args.epochs}  loss {loss:.5f}  test accuracy {correct:.1%}  {time.time() - start:.1f} s", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
