"""Where a program's kernels find their buffers.

A kernel reads the addresses of its buffers from a small table, so that one kernel serves any number of steps, in any number of
programs. The table of a program begins with the error flag, the inputs, the results and what is the program's own; behind them
lie 0, the address of the table itself, and its steps' tables, each entry of which is one of those before, plus a distance. Entries of
what lies in the arena change with the arena; those of inputs and results are filled by the program itself, whose first step is `spread`.
"""
from __future__ import annotations

from typing import Sequence

import numpy as np

from .llvm.emit import I64, PTR, Emitter


class Tables:
    """The steps' tables of one program, behind its first `size` entries. zero, itself: the entries that hold 0 and the table's address."""

    def __init__(self, size: int):
        self.zero, self.itself = size, size + 1
        self.size = size + 2
        self._sources: list[np.ndarray] = []
        self._offsets: list[np.ndarray] = []

    def add(self, sources: np.ndarray | Sequence[int], offsets: np.ndarray | None = None) -> int:
        """Appends entries: what entry `sources` of the program's table holds, plus `offsets`. Returns the first one's number."""
        first, sources = self.size, np.ravel(np.asarray(sources, np.int64))
        self._sources.append(sources)
        self._offsets.append(np.zeros_like(sources) if offsets is None else np.ravel(offsets))
        self.size += sources.size
        return first

    def plan(self, n_moving: int) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
        """((places, sources, offsets) of the entries that stay as long as the arena does, the others as `spread` wants them), where
        the first n_moving entries after the flag differ from run to run."""
        none = np.zeros(0, np.int64)
        sources, offsets = np.concatenate([none, *self._sources]), np.concatenate([none, *self._offsets])
        places = np.arange(self.size - sources.size, self.size)
        moving = (sources > 0) & (sources <= n_moving)
        fixed = places[~moving], sources[~moving], offsets[~moving].astype(np.uint64)
        moves = np.stack([8 * places[moving], 8 * sources[moving], offsets[moving]], axis=1)
        return fixed, np.concatenate([[0, len(moves)], moves.ravel()])


def spread(e: Emitter) -> None:
    """Writes the kernel that fills entries. Its buffers: the address of the program's table, how many entries, and of each its place and
    its source (in bytes from there) and the distance."""
    moves = e.args[0]
    table = e.load(moves, PTR)
    with e.loop(0, e.load(e.at(moves, 1, I64), I64)) as i:
        place, source, distance = [e.load(e.at(moves, e.add(e.mul(i, 3), 2 + n), I64), I64) for n in range(3)]
        e.store(e.b.add(e.load(e.at(table, source), I64), distance), e.at(table, place))
