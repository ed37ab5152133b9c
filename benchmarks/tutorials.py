"""The tutorials' training programs from end to end, in turns with PyTorch and torchvision in one process.

    python benchmarks/tutorials.py [--turns 3] [--scale 1] [--only REGEX] [--threads N] [--json FILE]

Each program loads its data, trains and evaluates, with the same seed in both libraries; its losses have to agree within
1e-3 relatively. Of each library the best turn counts: the first one of flambeau also compiles. "cpu" is the ratio of the
processor's seconds, workers included, which says more where others use the machine. With FLAMBEAU_MIRROR the data are
the real ones, else noise with classes in the same formats. Exits with 1 if a goal is missed.
"""
from __future__ import annotations

import argparse
import json
import os
import re
import struct
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, Callable, NamedTuple

import numpy as np
from loading import Side, any_hash, heading, write_cifar


class Program(NamedTuple):
    """`run(side, data, scale)` trains and gives the losses; `data(side, folder)` makes the sets, untimed."""

    name: str
    goal: float
    data: Callable[[Side, Path], Any]
    run: Callable[[Side, Any, float], list[float]]


def write_mnist(folder: Path) -> None:
    """60,000 images of which a class lights one block."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for stem, count in (("train", 60_000), ("t10k", 10_000)):
        labels = rng.integers(0, 10, count, dtype=np.uint8)
        images = rng.integers(0, 100, (count, 28, 28), dtype=np.uint8)
        for label in range(10):
            images[labels == label, label // 5 * 14:label // 5 * 14 + 14, label % 5 * 5:label % 5 * 5 + 5] += 120
        (raw / f"{stem}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 0x803, count, 28, 28) + images.tobytes())
        (raw / f"{stem}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 0x801, count) + labels.tobytes())


def write_data(folder: Path) -> None:
    """The data sets in `folder`, from FLAMBEAU_MIRROR where that is set."""
    if os.environ.get("FLAMBEAU_MIRROR"):
        from flambeau.vision import datasets

        datasets.CIFAR10(folder, download=True)
        datasets.MNIST(folder, download=True)
    else:
        write_cifar(folder)
        write_mnist(folder)


def cifar(side: Side, folder: Path, *parts: Any) -> tuple[Any, Any]:
    T = side.vision.transforms
    transform = T.Compose([T.ToTensor(), *parts])
    with any_hash([side]):
        return tuple(side.vision.datasets.CIFAR10(str(folder), train, transform) for train in (True, False))


def part(side: Side, images: Any, count: float) -> Any:
    return side.data.Subset(images, range(min(int(count), len(images))))


def accuracy(side: Side, model: Any, loader: Any) -> float:
    correct = total = 0
    with side.torch.no_grad():
        for images, labels in loader:
            _, predicted = side.torch.max(model(images), 1)
            total += labels.size(0)
            correct += (predicted == labels).sum().item()
    return correct / total


def lenet_data(side: Side, folder: Path) -> Any:
    return cifar(side, folder, side.vision.transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)))


def lenet(side: Side, data: Any, scale: float) -> list[float]:
    """The introduction series: LeNet on CIFAR-10, batches of 4, two workers, the loss asked for after every step."""
    torch, nn, F = side.torch, side.torch.nn, side.torch.nn.functional

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, 6, 5)
            self.pool = nn.MaxPool2d(2, 2)
            self.conv2 = nn.Conv2d(6, 16, 5)
            self.fc1 = nn.Linear(16 * 5 * 5, 120)
            self.fc2 = nn.Linear(120, 84)
            self.fc3 = nn.Linear(84, 10)

        def forward(self, x):
            x = self.pool(F.relu(self.conv1(x)))
            x = self.pool(F.relu(self.conv2(x)))
            x = x.view(-1, 16 * 5 * 5)
            x = F.relu(self.fc1(x))
            x = F.relu(self.fc2(x))
            return self.fc3(x)

    train, test = (part(side, images, 4 * n * scale) for images, n in zip(data, (400, 100)))
    trainloader = side.data.DataLoader(train, batch_size=4, shuffle=True, num_workers=2)
    testloader = side.data.DataLoader(test, batch_size=4, shuffle=False, num_workers=2)
    net = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
    losses = []
    for _ in range(2):
        running = 0.0
        for i, (inputs, labels) in enumerate(trainloader):
            optimizer.zero_grad()
            loss = criterion(net(inputs), labels)
            loss.backward()
            optimizer.step()
            running += loss.item()
            if i % 50 == 49:
                losses.append(running / 50)
                running = 0.0
    return [*losses, accuracy(side, net, testloader)]


def cnn(side: Side, data: Any, scale: float) -> list[float]:
    """The nine-day course: two convolutions with dropout on CIFAR-10, batches of 24."""
    torch, nn = side.torch, side.torch.nn
    train, test = (part(side, images, 24 * n * scale) for images, n in zip(data, (30, 10)))
    trainloader = side.data.DataLoader(train, batch_size=24, shuffle=True)
    testloader = side.data.DataLoader(test, batch_size=24, shuffle=True)
    model = nn.Sequential(
        nn.Conv2d(3, 32, kernel_size=(3, 3), stride=1, padding=1), nn.ReLU(), nn.Dropout(0.3),
        nn.Conv2d(32, 32, kernel_size=(3, 3), stride=1, padding=1), nn.ReLU(), nn.MaxPool2d(kernel_size=(2, 2)),
        nn.Flatten(), nn.Linear(8192, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, 10))
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    losses = []
    model.train()
    for inputs, labels in trainloader:
        loss = loss_fn(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    losses.append(loss.item())
    model.eval()
    return [*losses, accuracy(side, model, testloader)]


def pima_data(side: Side, folder: Path) -> Any:
    """768 patients of eight measurements; the answer depends on some."""
    rng = np.random.default_rng(0)
    x = (rng.random((768, 8)) * [10, 190, 120, 60, 400, 60, 2, 60]).round(1)
    y = (x[:, 1] + x[:, 5] + rng.normal(0, 20, 768) > 130).astype(np.float64)
    torch = side.torch
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32).reshape(-1, 1)


def pima(side: Side, data: Any, scale: float) -> list[float]:
    """The nine-day course: an MLP on a table, slices of 10 rows, Adam."""
    torch, nn = side.torch, side.torch.nn
    x, y = data
    model = nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid())
    loss_fn = nn.BCELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    losses = []
    for _ in range(max(1, round(10 * scale))):
        for i in range(0, len(x), 10):
            loss = loss_fn(model(x[i:i + 10]), y[i:i + 10])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses.append(float(f"{loss:.6f}"))
    return losses


def mnist_data(side: Side, folder: Path) -> Any:
    transform = side.vision.transforms.ToTensor()
    return tuple(side.vision.datasets.MNIST(str(folder), train, transform) for train in (True, False))


def mlp(side: Side, data: Any, scale: float) -> list[float]:
    """The MNIST introduction: 784-512-512-10, batches of 64, SGD."""
    torch, nn = side.torch, side.torch.nn
    train, test = (part(side, images, 64 * n * scale) for images, n in zip(data, (100, 20)))
    loaded_train = side.data.DataLoader(train, batch_size=64, shuffle=True)
    loaded_test = side.data.DataLoader(test, batch_size=64, shuffle=True)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(),
                          nn.Linear(512, 10))
    loss_function = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    losses = []
    for batch, (x, y) in enumerate(loaded_train):
        loss = loss_function(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if batch % 25 == 0:
            losses.append(loss.item())
    return [*losses, accuracy(side, model, loaded_test)]


PROGRAMS = [
    Program("LeNet on CIFAR-10, batch 4, 2 workers", 6, lenet_data, lenet),
    Program("nine-day CNN on CIFAR-10, batch 24", 2.5, cifar, cnn),
    Program("Pima MLP, batch 10", 4, pima_data, pima),
    Program("MNIST MLP, batch 64", 3, mnist_data, mlp),
]


def processor_seconds() -> float:
    """Of this process and of the workers that have ended."""
    return sum(os.times()[:4])


def measure(program: Program, sides: list[Side], folder: Path, turns: int, scale: float) -> dict[str, Any]:
    data = {side.name: program.data(side, folder) for side in sides}
    times: dict[str, list[float]] = {side.name: [] for side in sides}
    worked: dict[str, list[float]] = {side.name: [] for side in sides}
    losses = {}
    for _ in range(turns):
        for side in sides:
            side.torch.manual_seed(0)
            begin, begin_worked = time.perf_counter(), processor_seconds()
            losses[side.name] = program.run(side, data[side.name], scale)
            times[side.name].append(time.perf_counter() - begin)
            worked[side.name].append(processor_seconds() - begin_worked)
    best = {name: min(spent) for name, spent in times.items()}
    apart = max(abs(a - b) / max(abs(a), 1e-6) for a, b in zip(losses["torch"], losses["flambeau"], strict=True))
    ratio = best["torch"] / best["flambeau"]
    return {"workload": program.name, **best, "first": times["flambeau"][0], "ratio": ratio,
            "cpu": min(worked["torch"]) / min(worked["flambeau"]), "goal": program.goal,
            "losses apart": apart, "reached": ratio >= program.goal and apart <= 1e-3}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="how much longer the programs train")
    parser.add_argument("--only", default="", help="programs whose name this regular expression finds")
    parser.add_argument("--threads", type=int, help="of both libraries (default: theirs)")
    parser.add_argument("--json", help="write the figures there, too")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    sides = [Side("torch", "torch", "torchvision"), Side("flambeau", "flambeau", "flambeau.vision")]
    if options.threads:
        for side in sides:
            side.torch.set_num_threads(options.threads)
    report = heading(sides)
    print(f"{'seconds':42s}{'torch':>8s}{'flambeau':>10s}{'(first)':>9s}{'ratio':>8s}{'cpu':>7s}{'goal':>6s}"
          f"{'losses apart':>14s}")
    with tempfile.TemporaryDirectory() as name:
        write_data(Path(name))
        for program in PROGRAMS:
            if re.search(options.only, program.name):
                row = measure(program, sides, Path(name), options.turns, options.scale)
                report["results"].append(row)
                print(f"{row['workload']:42s}{row['torch']:8.2f}{row['flambeau']:10.2f}{row['first']:9.2f}"
                      f"{row['ratio']:8.2f}{row['cpu']:7.2f}{row['goal']:6g}{row['losses apart']:14.1e}"
                      f"{'' if row['reached'] else '  missed'}", flush=True)
                if options.json:  # after each program: they take long
                    Path(options.json).write_text(json.dumps(report, indent=1) + "\n")
    return int(not all(row["reached"] for row in report["results"]))


if __name__ == "__main__":
    sys.exit(main())
