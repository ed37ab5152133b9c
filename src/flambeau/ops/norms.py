# ruff: noqa: F821
"""Vector norms on Vars: shared by `normalize`, the distances, and `linalg`; `torch.norm` and relatives."""
from __future__ import annotations

import math
from typing import Any

from .. import primitives as p
from ..ir.graph import Var
from ..tensor.op import inplace, op
from ..tensor.tensor import Tensor
from ..tensor.views import wrap_dim
from .promotion import in_opmath
from .reduction import dims_of, kept


def vector_norm(x: Var, order: float, dim, keepdim: bool) -> Var:
    """(Σ |x|^order)^(1/order) over dim; ±inf gives the extremes of |x|, 0 the number of non-zeros. The gradient at 0 is
    0. Half precision is summed in single."""
    return in_opmath(lambda x: _vector_norm(x, order, dim, keepdim), x)


def _vector_norm(x: Var, order: float, dim, keepdim: bool) -> Var:
    dims = dims_of(dim, x.ndim)
    if order < 0 or order == math.inf:
        _require_elements(x, order, dim, dims)
    size = p.absolute(x)
    if order == math.inf:
        out = p.reduce_max(size, dims)
    elif order == -math.inf:
        out = p.reduce_min(size, dims)
    elif order == 0:
        out = p.reduce_sum(p.cast(p.ne(size, 0), size.dtype), dims)
    elif order == 1:
        out = p.reduce_sum(size, dims)
    elif order == 2:
        square = p.real(x * p.conj(x))
        out = root(p.reduce_sum(square, dims), 0.5)
    else:
        zero = p.eq(size, 0)
        powers = p.select(zero, 0.0 if order > 0 else math.inf, p.power(p.select(zero, 1.0, size), order))
        out = root(p.reduce_sum(powers, dims), 1.0 / order)
    return kept(out, x, dims, keepdim)


def _require_elements(x: Var, order: float, dim, dims: tuple[int, ...]) -> None:
    """RuntimeError for the extreme of nothing."""
    empty = [i for i, d in enumerate(dims) if not x.shape[d]]
    if empty:
        listed = () if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
        where = f"the dimension {listed[empty[0]]}because this dimension is empty and" if listed else "an empty tensor because"
        raise RuntimeError(f"linalg.vector_norm cannot compute the {order:g} norm on {where} the operation does not have an identity")


def root(total: Var, exponent: float) -> Var:
    """total^exponent with a zero gradient at total = 0, where the formula's is infinite."""
    zero = p.eq(total, 0)
    safe = p.select(zero, 1.0, total)
    root = p.sqrt(safe) if exponent == 0.5 else p.power(safe, exponent)
    return p.select(zero, 0.0 if exponent > 0 else math.inf, root)


def require_float(x: Var) -> None:
    """PyTorch's error for norms of integers."""
    if x.dtype.kind not in "fc":
        raise RuntimeError("linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
                           f"{x.dtype._legacy}")


@op("LinalgVectorNormBackward0", name="norm", strict_out="dtype")
def _norm(input: Tensor, order, dim, keepdim, dtype):
    require_float(input)
    return vector_norm(p.cast(input, dtype or input.dtype), float(order), dim, keepdim)


def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, out: Any = None,
         dtype: Any = None) -> Tensor:
    """The p-norm over `dim` (all by default) of the elements as one vector; "fro" is 2, "nuc" the sum of a matrix'
    singular values."""
    if isinstance(p, str) and p not in ("fro", "nuc"):
        raise RuntimeError(f"only valid string values are 'fro' and 'nuc', found {p}")
    if p == "nuc":
        from .. import linalg  # type: ignore[attr-defined]
        return linalg.matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, dtype=dtype, out=out)
    order = 2.0 if p is None or p == "fro" else p
    return _norm(input, order, dim, keepdim, dtype, **({} if out is None else {"out": out}))


def _method_norm(self: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """The p-norm over `dim` (all by default): see `torch.norm`."""
    return norm(self, p, dim, keepdim, dtype=dtype)


@op("DistBackward0")
def dist(input: Tensor, other: Tensor, p=2):
    """The p-norm of input − other."""
    from .promotion import promoted
    x, y = promoted(input, other)
    if x.dtype.kind not in "fc":
        raise RuntimeError(f"norm(): input dtype should be either floating point or complex. Got {x.dtype._legacy} "
                           "instead.")
    return vector_norm(x - y, float(p), None, False)


@op("RenormBackward0", strict_out="dtype")
def renorm(input: Tensor, p, dim, maxnorm):
    """input with each slice along `dim` whose p-norm exceeds maxnorm scaled down to it."""
    if not p > 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    if input.ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions")
    d = wrap_dim(dim, input.ndim)
    require_float(input)
    return _renormed(input, float(p), d, float(maxnorm))


def _renormed(x: Var, order: float, d: int, maxnorm: float) -> Var:
    size = vector_norm(x, order, tuple(i for i in range(x.ndim) if i != d), True)
    factor = p.select(p.gt(size, maxnorm), p.div(maxnorm, size + 1e-7), 1.0)
    return x * p.cast(factor, x.dtype)


METHODS = {"norm": _method_norm, "dist": dist, "renorm": renorm, "renorm_": inplace(renorm)}
