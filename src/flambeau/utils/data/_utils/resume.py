"""How far an epoch has come, and getting there again.

Two things fix an epoch: the order of the indices, which the sampler draws, and the random streams that samples are
made with, which in workers begin at the base seed. So a state holds the streams as they were when the sampler was
asked for its iterator and for its first index, from which the sampler is run again up to the place, and the
workers' streams. The program's own streams are left alone: a program that draws from them saves them itself.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import flambeau as torch

# ---- random streams as plain data


def generator_state(generator: torch.Generator) -> bytes:
    return generator.get_state().numpy().tobytes()


def set_generator_state(generator: torch.Generator, state: bytes) -> None:
    generator.set_state(torch.from_numpy(np.frombuffer(bytearray(state), np.uint8)))


def _numpy_state() -> dict:
    state = np.random.get_state(legacy=False)
    inner = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in state["state"].items()}
    return {**state, "state": inner}


def _set_numpy_state(state: dict) -> None:
    inner = {key: np.array(value, np.uint32) if isinstance(value, list) else value for key, value in state["state"].items()}
    np.random.set_state({**state, "state": inner})


def capture_streams(generators: Iterable[torch.Generator] = (), everything: bool = True) -> dict:
    """States of the default generator and the given ones; with `everything` also of `random` and `numpy.random`."""
    state = {
        "torch": generator_state(torch.default_generator),
        "generators": [generator_state(generator) for generator in generators],
    }
    return {**state, "random": random.getstate(), "numpy": _numpy_state()} if everything else state


def restore_streams(state: dict, generators: Iterable[torch.Generator] = ()) -> None:
    set_generator_state(torch.default_generator, state["torch"])
    for generator, saved in zip(generators, state["generators"]):
        set_generator_state(generator, saved)
    if "random" in state:
        version, words, gauss = state["random"]
        random.setstate((version, tuple(words), gauss))
        _set_numpy_state(state["numpy"])


@contextlib.contextmanager
def replay(state: dict | None, generators: Iterable[torch.Generator] = ()) -> Iterator[None]:
    """Go back to `state` for a block. Afterwards the program's streams are as before; `generators` stay where they came to."""
    if state is None:
        yield
        return
    now = capture_streams()
    restore_streams(state, generators)
    try:
        yield
    finally:
        restore_streams(now)


# ---- the place in an epoch


@dataclass
class Progress:
    """What an iterator writes down as it goes, for `DataLoader.state_dict()`. It outlives the iterator."""

    base_seed: int
    yielded: int = 0  # batches handed out
    finished: bool = False
    at_iter: dict | None = None  # random streams when the sampler was asked for its iterator
    at_first: dict | None = None  # … and for its first index
    # Out-of-order loading: handed out are all tasks below `passed`, and those in `ahead`.
    passed: int = 0
    ahead: set[int] = field(default_factory=set)
    # Per worker: its last report (see WorkerReport in worker.py), batches handed out, and who comes next.
    reports: list[dict | None] = field(default_factory=list)
    tasks: list[int] = field(default_factory=list)
    next_worker: int = 0

    def hand_out(self, task: int, worker: int, report: dict | None) -> None:
        """Batch number `task` of `worker` is about to be given to the program."""
        if report is not None:
            self.reports[worker] = report
        self.tasks[worker] += 1
        self.next_worker = (worker + 1) % len(self.tasks)
        self.ahead.add(task)
        while self.passed in self.ahead:
            self.ahead.remove(self.passed)
            self.passed += 1

    def as_state(self) -> dict[str, Any]:
        return {
            "base_seed": self.base_seed,
            "yielded": self.yielded,
            "finished": self.finished,
            "at_iter": self.at_iter,
            "at_first": self.at_first,
            "passed": self.passed,
            "ahead": sorted(self.ahead),
            "reports": list(self.reports),
            "tasks": list(self.tasks),
            "next_worker": self.next_worker,
        }
