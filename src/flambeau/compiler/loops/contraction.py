"""`Contraction`: what a matmul, a convolution or one of its gradients computes, as affine access maps.

    out[Σ iₓ·outₓ] = Σ_r  a[Σ iₓ·aₓ + Σ r·a_r] · b[Σ iₓ·bₓ + Σ r·b_r]

for all indices i of the output axes, summed over all indices r of the reduced axes. Each axis has a size and a stride (in
elements, of any sign, 0 for "does not depend on it") in each operand. That is all: transposes, batches, groups, strides
and dilations are numbers in this table. A convolution is a matrix product with more reduced axes; there is no im2col
buffer. Padding is the producer's matter: a padded operand is one with other strides and offset.

The functions at the end make the table for the usual cases. Read `schedule` next, then `contraction_kernel`.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided


@dataclass(frozen=True)
class Axis:
    """size; strides in elements. `out` is None for a reduced axis."""

    size: int
    out: int | None
    a: int
    b: int

    def stride(self, operand: str) -> int:
        """The stride in operand `a` or `b`."""
        return self.a if operand == "a" else self.b


@dataclass(frozen=True)
class Border:
    """Zeros around operand a: it has others only where the index on the output axis that walks it by `stride`, less that on the
    reduced axis that walks it by −`stride`, is one of low … high−1."""

    stride: int
    low: int
    high: int


@dataclass(frozen=True)
class Contraction:
    """Output axes, reduced axes and the dtypes (NumPy names) of a, b, out and the sum. borders: zeros that may be left out."""

    outer: tuple[Axis, ...]
    reduced: tuple[Axis, ...]
    dtypes: tuple[str, str, str] = ("float32", "float32", "float32")
    accumulate: str = "float32"
    borders: tuple[Border, ...] = ()

    @property
    def multiplications(self) -> int:
        return prod(x.size for x in self.outer + self.reduced)

    def simplify(self) -> Contraction:
        """Drops axes of size 1 and joins neighbours that every operand walks as one."""
        outer, reduced = ([x for x in axes if x.size != 1] for axes in (self.outer, self.reduced))
        return replace(self, outer=tuple(_joined(outer)), reduced=tuple(_joined(reduced)))

    def cut_outer(self, axis: int, size: int) -> Contraction:
        """An output axis as two: blocks of `size`, which must divide it, and the positions in one."""
        return replace(self, outer=_cut(self.outer, axis, size))

    def cut_reduced(self, axis: int, size: int) -> Contraction:
        """A reduced axis as two: blocks of `size`, which must divide it, and the positions in one."""
        return replace(self, reduced=_cut(self.reduced, axis, size))

    def reference(self, a: np.ndarray, b: np.ndarray, out: np.ndarray, offsets: tuple[int, int, int] = (0, 0, 0)) -> None:
        """Computes into `out` with NumPy, in float64; the operands are flat arrays, `offsets` where index 0 lies."""
        axes = self.outer + self.reduced

        def view(x: np.ndarray, strides: Sequence[int], offset: int) -> np.ndarray:
            return as_strided(x[offset:], [ax.size for ax in axes[:len(strides)]], [s * x.itemsize for s in strides])
        letters = list(range(len(axes)))
        result = np.einsum(view(a, [x.a for x in axes], offsets[0]).astype(np.float64), letters,
                           view(b, [x.b for x in axes], offsets[1]).astype(np.float64), letters, letters[:len(self.outer)])
        view(out, [x.out or 0 for x in self.outer], offsets[2])[...] = result


def _cut(axes: tuple[Axis, ...], number: int, size: int) -> tuple[Axis, ...]:
    x = axes[number]
    assert x.size % size == 0, (x, size)
    blocks = Axis(x.size // size, None if x.out is None else x.out * size, x.a * size, x.b * size)
    return (*axes[:number], blocks, replace(x, size=size), *axes[number + 1:])


def _joined(axes: list[Axis]) -> list[Axis]:
    """Axes from the outermost in, with those merged that are one walk in all operands."""
    result: list[Axis] = []
    # merging wants neighbours: order by stride, output first
    for x in sorted(axes, key=lambda x: (-(abs(x.out) if x.out is not None else 0), -abs(x.a) - abs(x.b))):
        if result:
            y = result[-1]
            steps = [(y.out, x.out), (y.a, x.a), (y.b, x.b)]
            if all(p == q * x.size for p, q in steps if q is not None):
                result[-1] = Axis(y.size * x.size, x.out, x.a, x.b)
                continue
        result.append(x)
    return result


# ------------------------------------------------------------------ the usual tables

Ints = Sequence[int]


def matmul(m: int, n: int, k: int, a: Ints | None = None, b: Ints | None = None, out: Ints | None = None,
           batch: Sequence[tuple[int, int, int, int]] = (), dtype: str = "float32") -> Contraction:
    """out (m, n) = a (m, k) · b (k, n), with each operand's (row, column) strides, row-major unless given.

    batch: (size, out stride, a stride, b stride) of each further output axis.
    """
    a, b, out = a or (k, 1), b or (n, 1), out or (n, 1)
    outer = [Axis(*x) for x in batch] + [Axis(m, out[0], a[0], 0), Axis(n, out[1], 0, b[1])]
    return Contraction(tuple(outer), (Axis(k, None, a[1], b[0]),), (dtype,) * 3, dtype)


@dataclass(frozen=True)
class ConvShape:
    """Sizes of a convolution: batch, input and output channels, groups; per spatial dimension the output size, kernel
    size, stride and dilation. Its operands' strides are given as (batch, channel, *spatial), the weight's as
    (output channel, input channel, *kernel). The input is already padded: index 0 is its first padded element."""

    n: int
    c_in: int
    c_out: int
    out: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1

    @property
    def padded(self) -> tuple[int, ...]:
        """The part of the padded input that windows touch."""
        return tuple((t - 1) * s + (k - 1) * d + 1 for t, s, k, d in zip(self.out, self.stride, self.kernel, self.dilation))


def conv_shape(out: Ints, c_in: int, kernel: Ints, stride: Ints, dilation: Ints, groups: int) -> ConvShape:
    """The description of a convolution with output shape `out` (N, O, *T)."""
    return ConvShape(out[0], c_in, out[1], tuple(out[2:]), tuple(kernel), tuple(stride), tuple(dilation), groups)


def row_major(sizes: Ints) -> tuple[int, ...]:
    """Strides of a dense array whose last dimension is contiguous."""
    return tuple(prod(sizes[i + 1:]) for i in range(len(sizes)))


def channels_last(sizes: Ints) -> tuple[int, ...]:
    """Strides, in the order of `sizes` (N, C, *S), of a dense array that stores channels innermost."""
    n, c, *s = sizes
    inner = row_major([n, *s, c])
    return (inner[0], inner[-1], *inner[1:-1])


def _channel_axes(c: ConvShape) -> tuple[int, int]:
    return c.c_out // c.groups, c.c_in // c.groups


def conv_forward(c: ConvShape, x: Ints, w: Ints, y: Ints, dtype: str = "float32") -> Contraction:
    """y[n, o, t] = Σ x[n, c, t·stride + k·dilation] · w[o, c, k]: a is x, b is w, by their strides."""
    o, i = _channel_axes(c)
    outer = [Axis(c.n, y[0], x[0], 0), Axis(c.groups, o * y[1], i * x[1], o * w[0]), Axis(o, y[1], 0, w[0])]
    outer += [Axis(t, sy, s * sx, 0) for t, sy, s, sx in zip(c.out, y[2:], c.stride, x[2:])]
    reduced = [Axis(i, None, x[1], w[1])]
    reduced += [Axis(k, None, d * sx, sw) for k, d, sx, sw in zip(c.kernel, c.dilation, x[2:], w[2:])]
    return Contraction(tuple(outer), tuple(reduced), (dtype,) * 3, dtype)


def conv_weight_grad(c: ConvShape, x: Ints, y: Ints, w: Ints, dtype: str = "float32") -> Contraction:
    """w[o, c, k] = Σ y[n, o, t] · x[n, c, t·stride + k·dilation]: a is y (the output's gradient), b is x."""
    o, i = _channel_axes(c)
    outer = [Axis(c.groups, o * w[0], o * y[1], i * x[1]), Axis(o, w[0], y[1], 0), Axis(i, w[1], 0, x[1])]
    outer += [Axis(k, sw, 0, d * sx) for k, sw, d, sx in zip(c.kernel, w[2:], c.dilation, x[2:])]
    reduced = [Axis(c.n, None, y[0], x[0])]
    reduced += [Axis(t, None, sy, s * sx) for t, sy, s, sx in zip(c.out, y[2:], c.stride, x[2:])]
    return Contraction(tuple(outer), tuple(reduced), (dtype,) * 3, dtype)


@dataclass(frozen=True)
class Phase:
    """One part of an input gradient: a contraction, where its operands begin, and where its output begins."""

    contraction: Contraction
    y_offset: int
    w_offset: int
    x_offset: int


def conv_input_grad(c: ConvShape, low: Ints, size: Ints, y: Ints, w: Ints, x: Ints, border: Ints,
                    dtype: str = "float32") -> list[Phase]:
    """x[n, c, p] = Σ y[n, o, t] · w[o, c, k] over all t, k with t·stride + k·dilation - low = p, for p within `size`.

    a is y (the output's gradient), b is w. y has `border` zeros at both ends of each spatial dimension, and its index 0 is
    the first element that is not border: `input_grad_border` says how many it needs. With stride s the positions p fall
    into classes, each with kernel positions of its own: one contraction each. Classes with none stay unwritten: x must be
    zero there.
    """
    o, i = _channel_axes(c)
    phases: list[tuple[list[Axis], list[Axis], list[Border], int, int, int]] = [([], [], [], 0, 0, 0)]
    for axis, (k, s, d, lo, n) in enumerate(zip(c.kernel, c.stride, c.dilation, low, size)):
        sy, sw, sx = y[2 + axis], w[2 + axis], x[2 + axis]
        phases = [(outer + [Axis(count, s * sx, sy, 0)], reduced + [Axis(taps, None, step_t * sy, step_k * sw)],
                   borders + [Border(sy, -t0, c.out[axis] - t0)], oy + t0 * sy, ow + k0 * sw, ox + p0 * sx)
                  for outer, reduced, borders, oy, ow, ox in phases
                  for p0, count, k0, step_k, taps, t0, step_t in _classes(k, s, d, lo, n)]
    head = [Axis(c.n, x[0], y[0], 0), Axis(c.groups, i * x[1], o * y[1], o * w[0]), Axis(i, x[1], 0, w[1])]
    return [Phase(Contraction((*head, *outer), (Axis(o, None, y[1], w[0]), *reduced), (dtype,) * 3, dtype, tuple(borders)), oy, ow, ox)
            for outer, reduced, borders, oy, ow, ox in phases]


def _classes(kernel: int, stride: int, dilation: int, low: int, size: int) -> list[tuple[int, ...]]:
    """For one dimension: (first p, number of p, first k, step of k, number of k, first t, step of t as k steps)."""
    found: list[tuple[int, ...]] = []
    for p0 in range(min(stride, size)):
        taps = [k for k in range(kernel) if (p0 + low - k * dilation) % stride == 0]
        if taps:
            k0 = taps[0]
            step = taps[1] - k0 if len(taps) > 1 else 1
            found.append((p0, -(-(size - p0) // stride), k0, step, len(taps), (p0 + low - k0 * dilation) // stride,
                          -(step * dilation) // stride))
    return found


def input_grad_border(c: ConvShape, low: Ints, size: Ints) -> tuple[int, ...]:
    """How many zeros the output's gradient needs at both ends of each spatial dimension."""
    borders = []
    for k, s, d, lo, n, t in zip(c.kernel, c.stride, c.dilation, low, size, c.out):
        firsts = [t0 + (taps - 1) * step_t for _, _, _, _, taps, t0, step_t in _classes(k, s, d, lo, n)]
        lasts = [t0 + count - 1 for _, count, _, _, _, t0, _ in _classes(k, s, d, lo, n)]
        borders.append(max(0, -min(firsts, default=0), max(lasts, default=0) - (t - 1)))
    return tuple(borders)
