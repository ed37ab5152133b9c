"""How fast batches come, in turns with PyTorch and torchvision in one process.

    python benchmarks/loading.py [--seconds 1] [--turns 3] [--only REGEX] [--json FILE]

Each workload is run by both libraries, one after the other, several times; of each the best turn counts. The data are
made here: noise in CIFAR-10's format, tensors, and JPEG files of photograph size. PyTorch gets one thread, which is its
best: more of them only wait for each other over such small tensors. Exits with 1 if a goal is missed.
"""
from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib
import json
import os
import pickle
import platform
import re
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

import numpy as np
from _record import cpu_name
from PIL import Image, ImageFilter

IMAGES = 10_000  # in the CIFAR-10 made here
ROWS = 50_000  # in the TensorDataset


class Side:
    """One library: its torch, its loader, its vision."""

    def __init__(self, name: str, torch: str, vision: str):
        self.name = name
        self.torch = importlib.import_module(torch)
        self.data = importlib.import_module(torch + ".utils.data")
        self.vision = importlib.import_module(vision)


class Workload(NamedTuple):
    """What is measured: `make(side, folder)` gives a loader; `goal` is the wanted ratio of samples per second."""

    name: str
    goal: float
    make: Callable[[Side, Path], Any]
    start_only: bool = False  # count starts, not samples


def write_cifar(folder: Path) -> None:
    rng = np.random.default_rng(0)
    target = folder / "cifar-10-batches-py"
    target.mkdir()
    for name in [f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"]:
        count = IMAGES // 5
        batch = {"data": rng.integers(0, 256, (count, 3072), dtype=np.uint8),
                 "labels": rng.integers(0, 10, count).tolist()}
        (target / name).write_bytes(pickle.dumps(batch, protocol=2))
    names = "airplane automobile bird cat deer dog frog horse ship truck".split()
    (target / "batches.meta").write_bytes(pickle.dumps({"label_names": names}, protocol=2))


def write_photos(folder: Path) -> None:
    """Two classes of 32 JPEGs of 500×375 with the detail of a photograph."""
    rng = np.random.default_rng(0)
    for name in ("ants", "bees"):
        (folder / "photos" / name).mkdir(parents=True)
        for k in range(32):
            noise = Image.fromarray(rng.integers(0, 256, (375, 500, 3), dtype=np.uint8))
            noise.filter(ImageFilter.GaussianBlur(1.5)).save(folder / "photos" / name / f"{k}.jpg", quality=90)


@contextlib.contextmanager
def any_hash(sides: list[Side]) -> Iterator[None]:
    """The files made here do not have the official hashes."""
    modules = [importlib.import_module(side.vision.datasets.CIFAR10.__module__) for side in sides]
    before = [module.check_integrity for module in modules]
    for module in modules:
        module.check_integrity = lambda path, md5=None: os.path.isfile(path)
    yield
    for module, check in zip(modules, before):
        module.check_integrity = check


def cifar(augmented: bool, batch: int, workers: int = 0) -> Callable[[Side, Path], Any]:
    def make(side: Side, folder: Path) -> Any:
        T = side.vision.transforms
        parts = [T.RandomCrop(32, 4), T.RandomHorizontalFlip()] if augmented else []
        parts += [T.ToTensor(), T.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))]
        images = side.vision.datasets.CIFAR10(str(folder), transform=T.Compose(parts))
        return side.data.DataLoader(images, batch_size=batch, shuffle=True, num_workers=workers)
    return make


def rows(side: Side, folder: Path) -> Any:
    torch = side.torch
    table = side.data.TensorDataset(torch.randn(ROWS, 8), torch.randint(0, 2, (ROWS,)))
    return side.data.DataLoader(table, batch_size=10, shuffle=True)


def photos(*names: str) -> Callable[[Side, Path], Any]:
    def make(side: Side, folder: Path) -> Any:
        T = side.vision.transforms
        known = {"resize": lambda: [T.Resize((224, 224)), T.ToTensor()],
                 "train": lambda: [T.RandomResizedCrop(224), T.RandomHorizontalFlip(), T.ToTensor(),
                                   T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]}
        images = side.vision.datasets.ImageFolder(str(folder / "photos"), T.Compose(known[names[0]]()))
        return side.data.DataLoader(images, batch_size=4, shuffle=True)
    return make


class Squares:
    """A set written by a user, of NumPy arrays."""

    def __len__(self) -> int:
        return 400

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return np.full((3, 32, 32), index, np.float32), index % 10


def own(workers: int) -> Callable[[Side, Path], Any]:
    return lambda side, folder: side.data.DataLoader(Squares(), batch_size=10, num_workers=workers)


WORKLOADS = [
    Workload("CIFAR-10: crop, flip, ToTensor, Normalize, batch 16", 8, cifar(True, 16)),
    Workload("CIFAR-10: ToTensor, Normalize, batch 4", 6, cifar(False, 4)),
    Workload("CIFAR-10: ToTensor, Normalize, batch 4, 2 workers", 25, cifar(False, 4, 2)),
    Workload("TensorDataset, shuffled, batch 10", 3, rows),
    Workload("ImageFolder of JPEGs: Resize(224), ToTensor, batch 4", 1.3, photos("resize")),
    Workload("ImageFolder of JPEGs: random crop and flip, batch 4", 1, photos("train")),
    Workload("start of 4 workers, to the first batch", 1, own(4), start_only=True),
    Workload("a user's set of NumPy arrays, batch 10", 1, own(0)),
]


def speed(loader: Any, seconds: float, start_only: bool) -> float:
    """Samples (or starts) per second, over a whole epoch or `seconds`, whichever is shorter."""
    count, begin = 0, time.perf_counter()
    if start_only:
        batches = iter(loader)
        next(batches)
        return 1 / (time.perf_counter() - begin)
    for images, _ in loader:
        count += len(images)
        if time.perf_counter() - begin > seconds:
            break
    return count / (time.perf_counter() - begin)


def measure(workload: Workload, sides: list[Side], folder: Path, turns: int, seconds: float) -> dict[str, Any]:
    best = {side.name: 0.0 for side in sides}
    with any_hash(sides):
        loaders = {side.name: workload.make(side, folder) for side in sides}
    for _ in range(turns):
        for side in sides:
            rate = speed(loaders[side.name], seconds, workload.start_only)
            best[side.name] = max(best[side.name], rate)
    ratio = best["flambeau"] / best["torch"]
    return {"workload": workload.name, **best, "ratio": ratio, "goal": workload.goal, "reached": ratio >= workload.goal}


def machine() -> str:
    cores = len(os.sched_getaffinity(0))
    return f"{cpu_name()}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def heading(sides: list[Side]) -> dict[str, Any]:
    """The beginning of a report, also printed: when, where, with which PyTorch, and how busy the machine was."""
    report = {"date": datetime.date.today().isoformat(), "machine": machine(), "torch": sides[0].torch.__version__,
              "threads": sides[0].torch.get_num_threads(), "load average": os.getloadavg()[0], "results": []}
    print(f"{report['date']}, {report['machine']}, PyTorch {report['torch']}, "
          f"{report['threads']} threads, load average {report['load average']:.1f}\n")
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="longest time of one turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--only", default="", help="workloads whose name this regular expression finds")
    parser.add_argument("--json", help="write the figures there, too")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ["OMP_NUM_THREADS"] = "1"
    sides = [Side("torch", "torch", "torchvision"), Side("flambeau", "flambeau", "flambeau.vision")]
    report = heading(sides)
    print(f"{'samples per second':56s}{'torch':>10s}{'flambeau':>11s}{'ratio':>8s}{'goal':>7s}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_cifar(folder)
        write_photos(folder)
        for workload in WORKLOADS:
            if re.search(options.only, workload.name):
                row = measure(workload, sides, folder, options.turns, options.seconds)
                report["results"].append(row)
                print(f"{workload.name:56s}{row['torch']:10,.0f}{row['flambeau']:11,.0f}{row['ratio']:8.2f}"
                      f"{row['goal']:7g}{'' if row['reached'] else '  missed'}", flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n")
    return int(not all(row["reached"] for row in report["results"]))


if __name__ == "__main__":
    sys.exit(main())
