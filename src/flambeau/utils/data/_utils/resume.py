"""How far an epoch has come, and getting there again.

Two things fix an epoch: the order of the indices, which the sampler draws, and the random streams that samples are made
with, which in workers begin at the base seed. So a state holds the streams as they were when the sampler was asked for
its iterator and for its first index, from which the sampler is run again up to the place, and what the workers last
reported of theirs. The program's own streams are left alone: a program that draws from them saves them itself.

A state is plain data: dicts, lists, tuples, numbers, strings and bytes.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

import flambeau as torch


class Streams(NamedTuple):
    """Random streams: the program's (each of the two modules draws from one of its own), or a thread's."""

    torch: torch.Generator
    random: Any = None  # the module or a random.Random
    numpy: Any = None  # numpy.random or a RandomState


def program_streams() -> Streams:
    return Streams(torch.default_generator, random, np.random)


# ---- streams as plain data


def generator_state(generator: torch.Generator) -> bytes:
    return generator.get_state().numpy().tobytes()


def set_generator_state(generator: torch.Generator, state: bytes) -> None:
    generator.set_state(torch.from_numpy(np.frombuffer(bytearray(state), np.uint8)))


def _numpy_state(source: Any) -> dict:
    state = source.get_state(legacy=False)
    inner = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in state["state"].items()}
    return {**state, "state": inner}


def _set_numpy_state(source: Any, state: dict) -> None:
    inner = state["state"]
    inner = {key: np.array(value, np.uint32) if isinstance(value, list) else value for key, value in inner.items()}
    source.set_state({**state, "state": inner})


def capture(streams: Streams) -> dict:
    """Where the streams are. Takes some 0.1 ms for all three."""
    state = {"torch": generator_state(streams.torch)}
    if streams.random is not None:
        state.update(random=streams.random.getstate(), numpy=_numpy_state(streams.numpy))
    return state


def restore(streams: Streams, state: dict) -> None:
    """Back to what `capture` saw; streams that are not in `state` stay."""
    set_generator_state(streams.torch, state["torch"])
    if "random" in state and streams.random is not None:
        version, words, gauss = state["random"]
        streams.random.setstate((version, tuple(words), gauss))
        _set_numpy_state(streams.numpy, state["numpy"])


# ---- the order of the indices


class SamplerStreams:
    """The streams that the samplers of a loader draw from.

    generators: the explicit ones. draws: whether they draw at all; from_anything: not from generators only.
    """

    def __init__(self, generators: list[torch.Generator], draws: bool, from_anything: bool) -> None:
        self.generators = generators
        self.draws = draws
        self.from_anything = from_anything

    def capture(self) -> dict | None:
        if not self.draws:
            return None
        streams = program_streams()
        state = capture(streams if self.from_anything else Streams(streams.torch))
        return {**state, "generators": self.explicit_states()}

    def explicit_states(self) -> list[bytes]:
        return [generator_state(generator) for generator in self.generators]

    def set_explicit_states(self, states: list[bytes]) -> None:
        for generator, state in zip(self.generators, states):
            set_generator_state(generator, state)

    @contextlib.contextmanager
    def replay(self, state: dict | None) -> Iterator[None]:
        """A block that runs from `state` on. After it the program's streams are where they were."""
        if state is None:
            yield
            return
        streams = program_streams()
        now = capture(streams)
        restore(streams, state)
        self.set_explicit_states(state.get("generators", ()))
        try:
            yield
        finally:
            restore(streams, now)


# ---- the place in an epoch


@dataclass
class Progress:
    """What an iterator writes down as it goes, for `DataLoader.state_dict()`. It outlives the iterator."""

    base_seed: int = 0
    yielded: int = 0  # batches handed out
    finished: bool = False
    at_iter: dict | None = None  # random streams when the sampler was asked for its iterator,
    at_first: dict | None = None  # for its first index,
    at_fetcher: dict | None = None  # and, without workers, when an iterable-style set was
    drawn: int = 0  # how often the sampler was asked for an index
    # With workers, handed out are all tasks below `passed` and those in `ahead` (which in_order=False may be ahead).
    passed: int = 0
    ahead: list[int] = field(default_factory=list)
    # Per worker: its last report (worker.py) and how many batches of it were handed out; and whose turn it is.
    reports: list[dict | None] = field(default_factory=list)
    tasks: list[int] = field(default_factory=list)
    next_worker: int = 0

    def noted_first(self, streams: SamplerStreams) -> Iterator[Any]:
        """An empty iterator, to be run through just before the sampler's."""
        self.at_first = streams.capture()
        yield from ()

    def hand_out(self, worker: int, report: dict | None) -> None:
        """A batch of `worker` is about to be given to the program."""
        self.reports[worker] = report or self.reports[worker]
        self.tasks[worker] += 1
        self.next_worker = (worker + 1) % len(self.tasks)

    def pass_task(self, task: int) -> None:
        """Of a map-style set: it was batch number `task`."""
        if task > self.passed:
            self.ahead.append(task)
            return
        self.passed += 1
        while self.passed in self.ahead:
            self.ahead.remove(self.passed)
            self.passed += 1

    def as_state(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Progress:
        """As it was; but what the sampler gave ahead of the batches handed out is to be asked for again."""
        progress = cls(**{name: state[name] for name in cls.__dataclass_fields__})
        progress.ahead, progress.reports, progress.tasks = (
            list(progress.ahead), list(progress.reports), list(progress.tasks)
        )
        progress.drawn = progress.passed
        return progress
