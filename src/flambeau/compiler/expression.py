"""Expressions: what a kernel computes at one point of its domain, as a tree over memory.

Views disappear here: a chain of permutes, slices and reshapes between an elementwise call and the memory that it reads
becomes the affine map of one load.
"""
from __future__ import annotations

from typing import Any, Sequence, Union

from ..ir.graph import Var
from ..ir.types import contiguous_strides
from .affine import Affine, delinearize, linear, zero


class NeedsBuffer(Exception):
    """Raised where an index map is not affine: `var` must lie in memory first."""

    def __init__(self, var: Var):
        super().__init__(var)
        self.var = var


class Load:
    """Memory of a buffer at an affine offset."""

    __slots__ = ("var", "offset")

    def __init__(self, var: Var, offset: Affine):
        self.var, self.offset = var, offset


class Constant:
    """A number."""

    __slots__ = ("value", "dtype")

    def __init__(self, value: Any, dtype: Any):
        self.value, self.dtype = value, dtype


class Position:
    """An affine function of the position itself (iota)."""

    __slots__ = ("map", "dtype")

    def __init__(self, map: Affine, dtype: Any):
        self.map, self.dtype = map, dtype


class Apply:
    """An elementwise primitive on expressions. params: the primitive's static parameters."""

    __slots__ = ("name", "args", "dtype", "params", "arg_dtypes")

    def __init__(self, name: str, args: tuple, dtype: Any, params: tuple, arg_dtypes: tuple):
        self.name, self.args, self.dtype, self.params, self.arg_dtypes = name, args, dtype, params, arg_dtypes


Expression = Union[Load, Constant, Position, Apply]


class ExpressionBuilder:
    """Builds expressions over one domain. buffers: the Vars that lie in memory; asked: takes those of which it mattered."""

    def __init__(self, domain: Sequence[int], buffers: set[Var], asked: set[Var]):
        self.domain = tuple(domain)
        self.rank = len(self.domain)
        self.buffers, self.asked = buffers, asked
        self._memo: dict[tuple, Expression] = {}

    def build(self, var: Var, index: tuple[Affine, ...], compute: bool = False) -> Expression:
        """The value of `var` at `index`; with `compute` from its definition even if it has a buffer."""
        key = (var, index, compute)
        found = self._memo.get(key)
        if found is None:
            self.asked.add(var)
            found = self._memo[key] = self._build(var, index, compute)
        return found

    def _build(self, var: Var, index: tuple[Affine, ...], compute: bool) -> Expression:
        if var in self.buffers and not compute:
            return Load(var, linear(index, contiguous_strides(var.shape), self.rank))
        node = var.node
        assert node is not None, var
        name, params = node.prim.name, node.params
        if node.prim.kind == "elementwise":
            return Apply(name, tuple([self.build(v, index) for v in node.inputs]), var.dtype, params,
                         tuple([v.dtype for v in node.inputs]))
        if name == "full":
            return Constant(params[0], params[1])
        if name == "iota":
            return Position(index[0], var.dtype)
        return self._through_view(name, params, node.inputs[0], var, index)

    def _through_view(self, name: str, params: tuple, x: Var, var: Var, index: tuple[Affine, ...]) -> Expression:
        if name == "broadcast_to":
            lead = var.ndim - x.ndim
            return self.build(x, tuple([zero(self.rank) if n == 1 else i for n, i in zip(x.shape, index[lead:])]))
        if name == "permute":
            source: list[Affine] = [zero(self.rank)] * x.ndim
            for i, d in enumerate(params[0]):
                source[d] = index[i]
            return self.build(x, tuple(source))
        if name == "slice":
            starts, _, steps = params
            return self.build(x, tuple([i.scaled(s).shifted(a) for i, a, s in zip(index, starts, steps)]))
        if name == "flip":
            return self.build(x, tuple([i.scaled(-1).shifted(n - 1) if d in params[0] else i
                                        for d, (i, n) in enumerate(zip(index, x.shape))]))
        if name == "reshape":
            flat = linear(index, contiguous_strides(var.shape), self.rank)
            self.asked.add(x)
            if x in self.buffers:
                return Load(x, flat)
            at = delinearize(flat, self.domain, x.shape)
            if at is None:
                raise NeedsBuffer(x)
            return self.build(x, at)
        if name == "strided_view":
            _, strides, offset = params
            self.asked.add(x)
            if x not in self.buffers:
                raise NeedsBuffer(x)
            return Load(x, linear(index, strides, self.rank).shifted(offset))
        raise NeedsBuffer(var)


def loads(e: Expression, found: list | None = None, seen: set | None = None) -> list[Load]:
    """All loads and positions of an expression (each object once)."""
    found = [] if found is None else found
    seen = set() if seen is None else seen
    if id(e) in seen:
        return found
    seen.add(id(e))
    if isinstance(e, (Load, Position)):
        found.append(e)  # type: ignore[arg-type]
    elif isinstance(e, Apply):
        for a in e.args:
            loads(a, found, seen)
    return found
