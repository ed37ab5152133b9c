"""Sets for the tests of the loader."""

import os
import random
import signal
import time

import numpy as np

import flambeau as torch
from flambeau.utils.data import Dataset, IterableDataset, get_worker_info


class Squares(Dataset):
    """(index, index², an array of `size` indices)"""

    def __init__(self, length=20, size=3):
        self.length, self.size = length, size

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        return i, float(i * i), np.full(self.size, i, np.float32)


class Draws(Dataset):
    """(index, and one draw from each random stream)"""

    def __init__(self, length=24):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        return i, torch.rand(2), random.random(), np.random.rand()


class Faulty(Dataset):
    """Raises `error` at index `at`."""

    def __init__(self, at, error, length=20):
        self.at, self.error, self.length = at, error, length

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        if i == self.at:
            raise self.error
        return i


class Suicidal(Dataset):
    """The worker that comes to index `at` kills itself; each sample takes `seconds`."""

    def __init__(self, at, how=signal.SIGKILL, seconds=0.0, length=1000):
        self.at, self.how, self.seconds, self.length = at, how, seconds, length

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        time.sleep(self.seconds)
        if i == self.at:
            os.kill(os.getpid(), self.how)
            time.sleep(60)
        return i


class Slow(Dataset):
    """Sample `at` takes `seconds`."""

    def __init__(self, at, seconds, length=20):
        self.at, self.seconds, self.length = at, seconds, length

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        if i == self.at:
            time.sleep(self.seconds)
        return i


class WorkerFacts(Dataset):
    """What get_worker_info tells in the worker."""

    def __len__(self):
        return 8

    def __getitem__(self, i):
        info = get_worker_info()
        return info.id, info.num_workers, info.seed, info.dataset is self, info.worker_method, os.getpid()


class Stream(IterableDataset):
    """Worker i of n gives i, i + n, i + 2 n, … below `end`, with a draw."""

    def __init__(self, end=23):
        self.end = end

    def __iter__(self):
        info = get_worker_info()
        start, step = (0, 1) if info is None else (info.id, info.num_workers)
        for i in range(start, self.end, step):
            yield i, torch.rand(1), random.random()


class Uneven(IterableDataset):
    """Worker i gives `counts[i]` samples."""

    def __init__(self, *counts):
        self.counts = counts

    def __iter__(self):
        worker = get_worker_info().id
        return iter([100 * worker + k for k in range(self.counts[worker])])


class Tape(IterableDataset):
    """A stream that can be wound: state_dict() tells the position. `opened` counts the samples read."""

    def __init__(self, end=30):
        self.end, self.position, self.read = end, 0, 0

    def __iter__(self):
        while self.position < self.end:
            self.position += 1
            self.read += 1
            yield self.position - 1, random.random()
        self.position = 0

    def state_dict(self):
        return {"position": self.position}

    def load_state_dict(self, state):
        self.position = state["position"]


def plain(batch):
    """A batch with lists in place of tensors and arrays."""
    if isinstance(batch, (torch.Tensor, np.ndarray)):
        return batch.tolist()
    if isinstance(batch, (list, tuple)):
        return [plain(part) for part in batch]
    if isinstance(batch, dict):
        return {key: plain(part) for key, part in batch.items()}
    return batch


def epochs(loader, count=1):
    """All batches of some epochs, plain."""
    return [plain(batch) for _ in range(count) for batch in loader]


def seed_all(seed=0):
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)
