"""`pad`: constant, reflecting, replicating and circular padding."""
# ruff: noqa: F821
from __future__ import annotations

from ... import primitives as p
from ...ir.graph import Var
from ...tensor.op import op


@op("ConstantPadNdBackward0", name="constant_pad_nd")
def constant_pad_nd(input: Tensor, pad, value=0):
    """pad lists (before, after) from the last dimension on; negative values crop."""
    low, high = _per_dimension(pad, input.ndim)
    for n, a, b in zip(input.shape, low, high):
        if n + a + b < 0:
            raise RuntimeError(f"The input size {n}, plus negative padding {a} and {b} resulted in a negative output size, which is invalid.")
    if value == 0 or input.dtype.name != "bfloat16":
        return p.pad(input, low, high, value=value)
    inside = p.pad(p.full(input.shape, True, _bool(), input.builder), low, high, value=False)
    return p.select(inside, p.pad(input, low, high), value)


def _bool():
    from ...dtypes import bool_
    return bool_


def _per_dimension(pad, ndim: int) -> tuple[list[int], list[int]]:
    low, high = [0] * ndim, [0] * ndim
    for i in range(len(pad) // 2):
        low[ndim - 1 - i], high[ndim - 1 - i] = pad[2 * i], pad[2 * i + 1]
    return low, high


def _take(x: Var, dim: int, start: int, stop: int, reverse: bool = False) -> Var:
    part = p.slice_dim(x, dim, start, stop)
    return p.flip(part, (dim,)) if reverse else part


def _crop(x: Var, dim: int, before: int, after: int) -> Var:
    return p.slice_dim(x, dim, before, x.shape[dim] - after)


def _edges(x: Var, dim: int, before: int, after: int, mode: str) -> Var:
    """x with `before` and `after` elements added along dim, by mode. Negative amounts crop: in advance what is to wrap around,
    and afterwards what is reflected or repeated, which still sees the whole of x."""
    if before < 0 or after < 0:
        added = max(before, 0), max(after, 0)
        cropped = max(-before, 0), max(-after, 0)
        if mode == "circular":
            return _edges(_crop(x, dim, *cropped), dim, *added, mode)
        return _crop(_edges(x, dim, *added, mode), dim, *cropped)
    n = x.shape[dim]
    parts = [x]
    if mode == "reflect":
        if before:
            parts.insert(0, _take(x, dim, 1, before + 1, True))
        if after:
            parts.append(_take(x, dim, n - 1 - after, n - 1, True))
    elif mode == "replicate":
        def repeated(at, count):
            edge = p.slice_dim(x, dim, at, at + 1)
            return p.broadcast_to(edge, tuple(count if i == dim else s for i, s in enumerate(edge.shape)))
        if before:
            parts.insert(0, repeated(0, before))
        if after:
            parts.append(repeated(n - 1, after))
    else:
        if before:
            parts.insert(0, _take(x, dim, n - before, n))
        if after:
            parts.append(_take(x, dim, 0, after))
    return p.concat(parts, dim)


@op("ReflectionPad1DBackward0", name="pad")
def _shaped(input: Tensor, pad, mode):
    x = input
    nd = len(pad) // 2
    for i in range(nd):
        dim = x.ndim - 1 - i
        before, after, n = pad[2 * i], pad[2 * i + 1], input.shape[dim]
        if mode == "reflect" and (before >= n or after >= n):
            raise RuntimeError(f"Argument #4: Padding size should be less than the corresponding input dimension, but got: padding "
                               f"({before}, {after}) at dimension {dim} of input {list(input.shape)}")
        if mode == "circular" and (before > n or after > n):
            raise RuntimeError("Padding value causes wrapping around more than once.")
        if n + before + after < 0:
            raise RuntimeError(f"The input size {n}, plus negative padding {before} and {after} resulted in a negative output size, which is "
                               "invalid.")
        x = _edges(x, dim, before, after, mode)
    return x


def pad(input, pad, mode="constant", value=None):
    """input padded at both ends: `pad` lists (before, after) pairs from the last dimension on.

    mode: "constant" (by `value`, 0 by default; any dimensions), "reflect", "replicate" or "circular" (last one to three dimensions).
    """
    pad = tuple(int(x) for x in pad)
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) // 2 > input.ndim:
        raise RuntimeError("Padding length should be less than or equal to two times the input dimension but got padding length "
                           f"{len(pad)} and input of dimension {input.ndim}")
    if mode == "constant":
        return constant_pad_nd(input, pad, 0 if value is None else value)
    if value is not None and value != 0:
        raise ValueError(f"Padding mode \"{mode}\" doesn't take in value argument")
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    nd = len(pad) // 2
    if input.ndim not in (nd + 1, nd + 2) or nd > 3:
        raise NotImplementedError("Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now")
    return _shaped(input, pad, mode)
