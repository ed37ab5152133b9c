# ruff: noqa: F821
"""Sums of products over named or paired dimensions: einsum, tensordot, kron, cross."""
from __future__ import annotations

import string
from typing import Any

from .. import primitives as p
from ..ir.graph import Var
from ..tensor.op import op
from ..tensor.tensor import Tensor
from ..tensor.views import wrap_dim
from .promotion import not_implemented, promoted
from .reduction import integral_to_long

# ------------------------------------------------------------------ einsum


def _labels(text: str, what: str) -> list[str]:
    """One label a dimension, "..." for those unnamed."""
    labels = text.replace("...", "\0").replace(" ", "")
    if labels.count("\0") > 1:
        raise RuntimeError(f"einsum(): found '.' for {what} for which an ellipsis was already found")
    for c in labels:
        if c != "\0" and c not in string.ascii_letters:
            raise RuntimeError(f"einsum(): invalid subscript given at index {text.find(c)} in the equation string, subscripts must be "
                               "in [a-zA-Z]")
    return ["..." if c == "\0" else c for c in labels]


def _spell_out(labels: list[str], unnamed: int) -> list[str]:
    """The ellipsis as labels that are counted from the last dimension."""
    if "..." not in labels:
        return labels
    at = labels.index("...")
    return labels[:at] + [f".{i}" for i in range(unnamed, 0, -1)] + labels[at + 1:]


def _parse(equation: str, operands: list[Var]) -> tuple[list[list[str]], list[str]]:
    left, arrow, right = equation.partition("->")
    terms = [_labels(term, "operand") for term in left.split(",")]
    if len(terms) != len(operands):
        amount = "more" if len(terms) < len(operands) else "fewer"
        raise RuntimeError(f"einsum(): {amount} operands were provided than specified in the equation")
    named, most = [], 0
    for i, (labels, x) in enumerate(zip(terms, operands)):
        unnamed = x.ndim - len(labels) + 1 if "..." in labels else 0
        if unnamed < 0 or "..." not in labels and len(labels) != x.ndim:
            raise RuntimeError(f"einsum(): the number of subscripts in the equation ({len(labels)}) does not match the number of "
                               f"dimensions ({x.ndim}) for operand {i} and no ellipsis was given")
        named.append(_spell_out(labels, unnamed))
        most = max(most, unnamed)
    if arrow:
        output = _spell_out(_labels(right, "output"), most)
    else:
        counts: dict[str, int] = {}
        for labels in named:
            for c in labels:
                counts[c] = counts.get(c, 0) + 1
        output = [f".{i}" for i in range(most, 0, -1)]
        output += sorted((c for c, n in counts.items() if n == 1 and c[0] != "."), key=lambda c: (c.islower(), c))
    for c in output:
        if output.count(c) > 1:
            raise RuntimeError(f"einsum(): output subscript {c} appears more than once in the output")
        if c[0] != "." and not any(c in labels for labels in named):
            raise RuntimeError(f"einsum(): output subscript {c} does not appear in the equation for any input operand")
    return named, output


def _sizes(named: list[list[str]], operands: list[Var]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for i, (labels, x) in enumerate(zip(named, operands)):
        for d, (c, n) in enumerate(zip(labels, x.shape)):
            if n != 1 and sizes.get(c, 1) not in (1, n):
                raise RuntimeError(f"einsum(): subscript {c} has size {n} for operand {i} which does not broadcast with previously "
                                   f"seen size {sizes[c]}")
            sizes[c] = n if sizes.get(c, 1) == 1 else sizes[c]
    return sizes


def _take_diagonals(x: Var, labels: list[str]) -> tuple[Var, list[str]]:
    """x with one dimension for each label: a repeated one is read along its diagonal."""
    for c in dict.fromkeys(labels):
        while labels.count(c) > 1:
            a = labels.index(c)
            b = labels.index(c, a + 1)
            if x.shape[a] != x.shape[b]:
                raise RuntimeError(f"einsum(): subscript {c} is repeated for operand but the sizes don't match, "
                                   f"{x.shape[b]} != {x.shape[a]}")
            x = p.select(p.eq(p.index_along(x, a), p.index_along(x, b)), x, p.zeros_like(x))
            x = p.reduce_sum(x, (b,))
            labels = labels[:b] + labels[b + 1:]
    return x, labels


def _sum_out(x: Var, labels: list[str], kept: set[str]) -> tuple[Var, list[str]]:
    gone = tuple(i for i, c in enumerate(labels) if c not in kept)
    return (p.reduce_sum(x, gone) if gone else x), [c for c in labels if c in kept]


def _drop_ones(x: Var, labels: list[str], sizes: dict[str, int]) -> tuple[Var, list[str]]:
    """Without the size-1 dimensions that broadcast."""
    keep = [i for i, c in enumerate(labels) if not (x.shape[i] == 1 and sizes[c] != 1)]
    return p.reshape(x, tuple(x.shape[i] for i in keep)), [labels[i] for i in keep]


def _contract(x: Var, lx: list[str], y: Var, ly: list[str], later: set[str]) -> tuple[Var, list[str]]:
    """x · y, summed over the labels that nothing reads later."""
    x, lx = _sum_out(x, lx, later | set(ly))
    y, ly = _sum_out(y, ly, later | set(lx))
    shared = [c for c in lx if c in ly]
    batch = [c for c in shared if c in later]
    over = [c for c in shared if c not in later]

    def places(labels, of):
        return [labels.index(c) for c in of]
    result = p.dot(x, y, places(lx, over), places(ly, over), places(lx, batch), places(ly, batch))
    return result, batch + [c for c in lx if c not in shared] + [c for c in ly if c not in shared]


@op("EinsumBackward0", name="einsum")
def _einsum(operands: Tensors, equation):
    for x in operands[1:]:
        if x.dtype is not operands[0].dtype:
            raise RuntimeError(f"expected scalar type {operands[0].dtype._legacy} but found {x.dtype._legacy}")
    named, output = _parse(equation, operands)
    sizes = _sizes(named, operands)
    terms = [_drop_ones(*_take_diagonals(x, labels), sizes) for x, labels in zip(operands, named)]
    x, labels = terms[0]
    for i, (y, ly) in enumerate(terms[1:], 1):
        later = set(output).union(*[t[1] for t in terms[i + 1:]])
        x, labels = _contract(x, labels, y, ly, later)
    if len(operands) == 1 and not set(labels) <= set(output):
        x = integral_to_long(x, None)
    x, labels = _sum_out(x, labels, set(output))
    missing = [c for c in output if c not in labels]  # all operands have size 1 there
    x = p.reshape(x, x.shape + (1,) * len(missing))
    labels = labels + missing
    x = p.permute(x, [labels.index(c) for c in output])
    return p.broadcast_to(x, tuple(sizes.get(c, 1) for c in output))


def _from_sublists(args: tuple) -> tuple[str, list[Any]]:
    """einsum(x, [0, 1], y, [1, 2], [0, 2]) as an equation and its operands."""
    def text(labels: Any) -> str:
        return "".join("..." if c is Ellipsis else string.ascii_letters[c] for c in labels)
    pairs = args[:-1] if len(args) % 2 else args
    equation = ",".join(text(labels) for labels in pairs[1::2])
    return equation + ("->" + text(args[-1]) if len(args) % 2 else ""), list(pairs[::2])


def einsum(*args: Any) -> Tensor:
    """Sums of products of operands, by Einstein's convention: einsum("ij,jk->ik", a, b) is a @ b.

    Labels that the right side lacks are summed over; without "->" the result has, in alphabetical order, those that occur once.
    "..." stands for dimensions that broadcast. Also einsum(a, [0, 1], b, [1, 2], [0, 2]).
    """
    if len(args) < 2:
        raise ValueError("einsum(): must specify the equation string and at least one operand, or at least one operand and its "
                         "subscripts list")
    if isinstance(args[0], Tensor):
        equation, operands = _from_sublists(args)
    else:
        equation, operands = args[0], list(args[1:])
        if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = list(operands[0])
    return _einsum(operands, equation)


# ------------------------------------------------------------------ other products

@op("TensordotBackward0", name="tensordot")
def _tensordot(a: Tensor, b: Tensor, dims_a, dims_b):
    if len(dims_a) != len(dims_b):
        raise RuntimeError("both dimension lists should have same length")
    if a.dtype is not b.dtype:
        raise RuntimeError("both inputs should have same dtype")
    dims_a, dims_b = [wrap_dim(d, a.ndim) for d in dims_a], [wrap_dim(d, b.ndim) for d in dims_b]
    for i, j in zip(dims_a, dims_b):
        if a.shape[i] != b.shape[j] and 1 not in (a.shape[i], b.shape[j]):
            raise RuntimeError(f"contracted dimensions need to match, but first has size {a.shape[i]} in dim {i} and second has size "
                               f"{b.shape[j]} in dim {j}")
        if a.shape[i] != b.shape[j]:  # a size of 1 broadcasts: sum the other
            if a.shape[i] == 1:
                b = p.reshape(p.reduce_sum(b, (j,)), (*b.shape[:j], 1, *b.shape[j + 1:]))
            else:
                a = p.reshape(p.reduce_sum(a, (i,)), (*a.shape[:i], 1, *a.shape[i + 1:]))
    return p.dot(a, b, dims_a, dims_b)


def tensordot(a: Tensor, b: Tensor, dims: Any = 2, out: Any = None) -> Tensor:
    """Sums products over the last `dims` dimensions of a and the first of b, or over a pair (dims of a, dims of b)."""
    if isinstance(dims, Tensor):
        dims = dims.tolist()  # type: ignore[attr-defined]
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.ndim, b.ndim):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        dims = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    first, second = ([d] if isinstance(d, int) else list(d) for d in dims)
    if out is not None and out.dtype is not a.dtype:
        raise RuntimeError(f"tensordot: Expected the output tensor to have dtype {a.dtype._legacy}, but got an output tensor with dtype "
                           f"{out.dtype._legacy}")
    return _tensordot(a, b, first, second, **({} if out is None else {"out": out}))


def inner(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """Sums products over the last dimension of both, (…, n) and (*, n), of equal size; a 0-dim operand scales the other."""
    keywords = {} if out is None else {"out": out}
    if not input.ndim or not other.ndim:
        from .arithmetic import mul
        return mul(input, other, **keywords)
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError("inner() the last dimension must match on both input tensors but got shapes "
                           f"{list(input.shape)} and {list(other.shape)}")
    return _tensordot(input, other, [-1], [-1], **keywords)


@op("ViewBackward0")
def kron(input: Tensor, other: Tensor):
    """The Kronecker product: each element of input times all of other. Missing leading dimensions are of size 1."""
    first = p.reshape(input, (1,) * (other.ndim - input.ndim) + input.shape)
    second = p.reshape(other, (1,) * (input.ndim - other.ndim) + other.shape)
    sizes = [(m, n) for m, n in zip(first.shape, second.shape)]
    x = p.reshape(first, tuple(s for m, _ in sizes for s in (m, 1)))
    y = p.reshape(second, tuple(s for _, n in sizes for s in (1, n)))
    x, y = promoted(x, y)
    return p.reshape(p.mul(x, y), tuple(m * n for m, n in sizes))


def cross_product(x: Var, y: Var, dim: int) -> Var:
    """x × y along a dimension of size 3."""
    x, y = promoted(x, y)
    shape = p.broadcast_shapes(x.shape, y.shape)
    x, y = p.broadcast_to(x, shape), p.broadcast_to(y, shape)

    def rolled(v: Var, by: int) -> Var:
        return p.concat([p.slice_dim(v, dim, by, 3), p.slice_dim(v, dim, 0, by)], dim)
    return p.sub(p.mul(rolled(x, 1), rolled(y, 2)), p.mul(rolled(x, 2), rolled(y, 1)))


@op("LinalgCrossBackward0", strict_out="dtype")
def cross(input: Tensor, other: Tensor, dim=None):
    """The vector product along dim: by default the first dimension of size 3."""
    if dim is None:
        dim = next((i for i, n in enumerate(input.shape) if n == 3), None)
        if dim is None:
            raise RuntimeError("no dimension of size 3 in input")
    return linalg_cross(input, other, dim)


def linalg_cross(x: Var, y: Var, dim: int) -> Var:
    """The vector product of Vars, checked."""
    if x.ndim != y.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    if x.dtype is not y.dtype:
        raise RuntimeError(f"expected scalar type {x.dtype._legacy} but found {y.dtype._legacy}")
    if x.dtype.kind == "b":
        raise not_implemented("cross", x.dtype)
    d = wrap_dim(dim, x.ndim)
    if x.shape[d] != 3 or y.shape[d] != 3:
        raise RuntimeError(f"linalg.cross: inputs dimension {dim} must have length 3. Got {x.shape[d]} and {y.shape[d]}")
    return cross_product(x, y, d)


METHODS = {"kron": kron, "inner": inner, "cross": cross}
