"""Comparisons, and tests of single elements: which are NaN, infinite, close, equal."""
# ruff: noqa: F821
from __future__ import annotations

import math
from typing import Any, Callable

from .. import primitives as p
from ..dtypes import bool_
from ..ir.graph import Var
from ..tensor.attributes import host_array
from ..tensor.op import inplace, op, operator
from ..tensor.tensor import Tensor
from .promotion import not_implemented, promoted


def comparison(name: str, primitive: Callable[[Any, Any], Var], doc: str, *, ordered: bool = True) -> Any:
    """A public comparison of promoted operands."""
    def body(input: Tensor, other: Scalar):
        x, y = promoted(input, other)
        if ordered and x.dtype.kind == "c":
            raise not_implemented(f"{name}_cpu", x.dtype)
        return primitive(x, y)
    body.__name__ = body.__qualname__ = name
    body.__doc__, body.__module__ = doc, __name__
    return op(None)(body)


eq = comparison("eq", p.eq, "input = other, elementwise.", ordered=False)
ne = comparison("ne", p.ne, "input ≠ other, elementwise.", ordered=False)
lt = comparison("lt", p.lt, "input < other, elementwise.")
le = comparison("le", p.le, "input ≤ other, elementwise.")
gt = comparison("gt", p.gt, "input > other, elementwise.")
ge = comparison("ge", p.ge, "input ≥ other, elementwise.")


# ------------------------------------------------------------------ classes of numbers

def _false(x: Var) -> Var:
    return p.full(x.shape, False, bool_, x.builder)


def _either_part(test: Callable[[Var], Var], x: Var) -> Var:
    return p.bitwise_or(test(p.real(x)), test(p.imag(x))) if x.dtype.kind == "c" else test(x)


@op(None)
def isnan(input: Tensor):
    """Whether each element is NaN (complex: whether a part is)."""
    return p.isnan(input) if input.dtype.kind in "fc" else _false(input)


@op(None)
def isinf(input: Tensor):
    """Whether each element is infinite (complex: whether a part is)."""
    return _either_part(lambda x: p.eq(p.absolute(x), math.inf), input) if input.dtype.kind in "fc" else _false(input)


@op(None)
def isfinite(input: Tensor):
    """Whether each element is neither NaN nor infinite (complex: neither part)."""
    if input.dtype.kind not in "fc":
        return p.full(input.shape, True, bool_, input.builder)
    if input.dtype.kind == "c":
        return p.bitwise_and(*[p.lt(p.absolute(part), math.inf) for part in (p.real(input), p.imag(input))])
    return p.lt(p.absolute(input), math.inf)


def _signed_infinity(name: str, value: float) -> Any:
    def body(input: Tensor):
        if input.dtype.kind == "c":
            raise RuntimeError(f"{name} does not support complex inputs.")
        return p.eq(input, value) if input.dtype.kind == "f" else _false(input)
    body.__name__ = body.__qualname__ = name
    body.__doc__ = f"Whether each element is {'+' if value > 0 else '−'}∞."
    body.__module__ = __name__
    return op(None, strict_out="dtype")(body)


isposinf = _signed_infinity("isposinf", math.inf)
isneginf = _signed_infinity("isneginf", -math.inf)


@op(None)
def isreal(input: Tensor):
    """Whether each element has no imaginary part."""
    return p.eq(p.imag(input), 0) if input.dtype.kind == "c" else p.full(input.shape, True, bool_, input.builder)


# ------------------------------------------------------------------ closeness

@op(None)
def isclose(input: Tensor, other: Tensor, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether |input − other| ≤ atol + rtol · |other|, elementwise; infinities are close to themselves, NaN if equal_nan."""
    if input.dtype is not other.dtype:
        raise RuntimeError(f"{input.dtype._legacy} did not match {other.dtype._legacy}")
    if rtol < 0:
        raise RuntimeError(f"rtol must be greater than or equal to zero, but got {rtol}")
    if atol < 0:
        raise RuntimeError(f"atol must be greater than or equal to zero, but got {atol}")
    x, y = p.as_vars(input, other)
    close = p.eq(x, y)
    if equal_nan and x.dtype.kind in "fc":
        close = p.bitwise_or(close, p.bitwise_and(p.isnan(x), p.isnan(y)))
    if rtol == 0 and atol == 0:
        return close
    if x.dtype.kind not in "fc":
        from ..dtypes import get_default_dtype
        x, y = p.cast(x, get_default_dtype()), p.cast(y, get_default_dtype())
    distance = p.absolute(p.sub(x, y))
    allowed = p.add(p.mul(p.absolute(y), rtol), atol)
    near = p.bitwise_and(p.le(distance, allowed), p.lt(distance, math.inf))
    return p.bitwise_or(close, near)


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close, as a bool; see `isclose`."""
    return bool(host_array(isclose(input, other, rtol, atol, equal_nan)).all())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and the same elements, as a bool."""
    for position, (name, x) in enumerate((("input", input), ("other", other)), 1):
        if not isinstance(x, Tensor):
            raise TypeError(f"equal(): argument '{name}' (position {position}) must be Tensor, not {type(x).__name__}")
    return input.shape == other.shape and bool(host_array(eq(input, other)).all())


def is_nonzero(input: Tensor) -> bool:
    """The truth value of a tensor of one element."""
    n = input.shape.numel()
    if n != 1:
        raise RuntimeError("Boolean value of Tensor with " + ("no values" if n == 0 else "more than one value") + " is ambiguous")
    return bool(host_array(input).item())


# aliases that PyTorch gives
not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge

_NAMED = {"eq": eq, "ne": ne, "not_equal": ne, "lt": lt, "less": lt, "le": le, "less_equal": le, "gt": gt, "greater": gt, "ge": ge,
          "greater_equal": ge}


def _contains(self: Tensor, element: Any) -> bool:
    if not isinstance(element, (Tensor, int, float, complex)):
        raise RuntimeError(f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}.")
    return bool(host_array(eq(self, element)).any())


METHODS = {
    **_NAMED, **{name + "_": inplace(function) for name, function in _NAMED.items()},
    "isnan": isnan, "isinf": isinf, "isfinite": isfinite, "isposinf": isposinf, "isneginf": isneginf, "isreal": isreal,
    "isclose": isclose, "allclose": allclose, "equal": equal, "is_nonzero": is_nonzero, "__contains__": _contains,
    "__eq__": operator(eq), "__ne__": operator(ne), "__lt__": operator(lt), "__le__": operator(le), "__gt__": operator(gt),
    "__ge__": operator(ge),
}
