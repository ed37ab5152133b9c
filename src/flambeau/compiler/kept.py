"""What programs keep of their results for their next runs: the memory of a step's gradients, say, once nobody holds them any more.

Programs that do the same in another way (a first step, which also makes an optimizer's state; one that is recorded and one
that is replayed; batches of several sizes) have results of the same shapes, and run one after the other. So a program that
lacks an array takes one that another keeps and nobody holds, before it makes a new one. Of a small result, which is often still
looked at when the next one is made, a program keeps two.
"""
from __future__ import annotations

import sys
from math import prod
from typing import Sequence
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np

from ..addresses import address_of

KEPT_BYTES = 1 << 28  # of all programs together, but for the second arrays of small results
WORTH = 1 << 18  # bytes of an array from which on it is worth looking for another program's

Kind = tuple[tuple[int, ...], np.dtype]  # shape and dtype of an array


class Kept:
    """The results that one program keeps, by number. kinds: of all its results. arrays: None for those that it does not keep.
    nbytes: of all that it keeps."""

    def __init__(self, kinds: Sequence[Kind]):
        self.arrays: list[np.ndarray | None] = [None] * len(kinds)
        self.addresses = [0] * len(kinds)
        self.nbytes = 0
        self._kinds = kinds
        self._pools = [_pool(kind) for kind in kinds]
        self._others: list[tuple[np.ndarray, int] | None] = [None] * len(kinds)  # of small results, the one before, and its address

    def make(self, number: int, keep: bool) -> tuple[np.ndarray, int]:
        """Another array for a result, and its address. keep: whether to have it again."""
        pool = self._pools[number]
        taken = self._before(number) if pool is None else self._take(pool)
        if taken is None:
            a = np.empty(*self._kinds[number])
            at = address_of(a)
        else:
            a, at = taken
        if keep:
            old = self.arrays[number]
            if old is None:
                self._count(number, a.nbytes)
                if taken is None:
                    _bound(self)
            elif pool is None:
                self._others[number] = old, self.addresses[number]
            self.arrays[number], self.addresses[number] = a, at
        return a, at

    def _before(self, number: int) -> tuple[np.ndarray, int] | None:
        """The array of a small result before the last one, and its address, if nobody holds it."""
        other = self._others[number]
        if other is None:
            return None
        a, at = other
        return other if sys.getrefcount(a) == KEPT_ONLY else None

    def drop(self, number: int) -> None:
        """Keeps it no longer."""
        a, self.arrays[number] = self.arrays[number], None
        self._others[number] = None
        if a is not None:
            self.nbytes -= a.nbytes
            pool = self._pools[number]
            if pool is not None:
                pool[self].remove(number)
                if not pool[self]:
                    del pool[self]

    def _count(self, number: int, nbytes: int) -> None:
        self.nbytes += nbytes
        _keepers[self] = None
        pool = self._pools[number]
        if pool is not None:
            pool.setdefault(self, []).append(number)

    def _take(self, pool: _Pool) -> tuple[np.ndarray, int] | None:
        """What another program keeps and nobody holds, and its address."""
        for reference in pool.keyrefs():  # twice as fast as to iterate over it
            other = reference()
            if other is None or other is self:
                continue
            for n in pool[other]:
                a = other.arrays[n]
                if a is not None and sys.getrefcount(a) == KEPT_ONLY:
                    other.drop(n)
                    return a, other.addresses[n]
        return None


_Pool = WeakKeyDictionary[Kept, list[int]]  # who keeps arrays of a kind, with their numbers
_pools: WeakValueDictionary[Kind, _Pool] = WeakValueDictionary()
_keepers: WeakKeyDictionary[Kept, None] = WeakKeyDictionary()  # those that keep something; who made memory last comes last


def _pool(kind: Kind) -> _Pool | None:
    """Who keeps arrays of a kind; None for small ones."""
    shape, dtype = kind
    return None if prod(shape) * dtype.itemsize < WORTH else _pools.setdefault(kind, WeakKeyDictionary())


def _bound(one: Kept) -> None:
    """After one that made memory: others let theirs go where all is too much."""
    del _keepers[one]
    total = one.nbytes + sum([each.nbytes for each in _keepers])
    for other in list(_keepers):
        if total <= KEPT_BYTES:
            break
        total -= other.nbytes
        for number in range(len(other.arrays)):
            other.drop(number)
        del _keepers[other]
    _keepers[one] = None


def _calibrate() -> int:
    """What `sys.getrefcount` says of an array that a variable refers to and only one list holds."""
    arrays = [np.empty(1)]
    a = arrays[0]
    return sys.getrefcount(a)


KEPT_ONLY = _calibrate()
