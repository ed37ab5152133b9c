"""Affine index maps: how a position in a kernel's domain becomes a position in memory."""
from __future__ import annotations

from typing import NamedTuple, Sequence


class Affine(NamedTuple):
    """constant + Σ coefficients[d] · i[d] over the dimensions d of a domain."""

    constant: int
    coefficients: tuple[int, ...]

    def __add__(self, other):  # type: ignore[override]
        return Affine(self.constant + other.constant, tuple([a + b for a, b in zip(self.coefficients, other.coefficients)]))

    def scaled(self, factor: int) -> Affine:
        """factor · self."""
        return Affine(self.constant * factor, tuple([c * factor for c in self.coefficients]))

    def shifted(self, by: int) -> Affine:
        """self + by."""
        return Affine(self.constant + by, self.coefficients)

    @property
    def is_constant(self) -> bool:
        return not any(self.coefficients)


def zero(rank: int) -> Affine:
    """The constant 0 over a domain of this rank."""
    return Affine(0, (0,) * rank)


def axis(d: int, rank: int) -> Affine:
    """i[d]."""
    return Affine(0, tuple([int(j == d) for j in range(rank)]))


def identity(rank: int) -> tuple[Affine, ...]:
    """The indices of the domain itself."""
    return tuple([axis(d, rank) for d in range(rank)])


def linear(index: Sequence[Affine], strides: Sequence[int], rank: int) -> Affine:
    """The flat offset of an index in memory with these strides."""
    total = zero(rank)
    for i, s in zip(index, strides):
        total = total + i.scaled(s)
    return total


def delinearize(flat: Affine, domain: Sequence[int], shape: Sequence[int]) -> tuple[Affine, ...] | None:
    """The index in `shape` (row-major) whose flat offset is `flat`, if it is affine: each term must stay inside one dimension."""
    rank = len(domain)
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    strides.reverse()
    constants = []
    rest = flat.constant
    for s in strides:
        q, rest = divmod(rest, s) if s else (0, rest)
        constants.append(q)
    coefficients = [[0] * rank for _ in shape]
    for j, (c, n) in enumerate(zip(flat.coefficients, domain)):
        if c == 0 or n == 1:
            continue
        if c < 0:
            return None
        for d, (s, size) in enumerate(zip(strides, shape)):
            if size > 1 and c % s == 0 and c // s * (n - 1) < size:
                coefficients[d][j] = c // s
                break
        else:
            return None
    result = []
    for d, size in enumerate(shape):
        reach = constants[d] + sum(c * (n - 1) for c, n in zip(coefficients[d], domain))
        if reach >= max(size, 1):
            return None
        result.append(Affine(constants[d], tuple(coefficients[d])))
    return tuple(result)


def collapse(domain: Sequence[int], maps: Sequence[Affine]) -> tuple[list[int], list[Affine]]:
    """Merges neighbouring dimensions that every map walks as one; dimensions of size 1 go."""
    keep = [d for d, n in enumerate(domain) if n != 1]
    sizes = [domain[d] for d in keep]
    coefficients = [[m.coefficients[d] for d in keep] for m in maps]
    d = len(sizes) - 2
    while d >= 0:
        if all(c[d] == c[d + 1] * sizes[d + 1] for c in coefficients):
            sizes[d:d + 2] = [sizes[d] * sizes[d + 1]]
            for c in coefficients:
                c[d:d + 2] = [c[d + 1]]
        d -= 1
    return sizes, [Affine(m.constant, tuple(c)) for m, c in zip(maps, coefficients)]
