"""Logic on booleans and bits."""
# ruff: noqa: F821
from __future__ import annotations

from typing import Any, Callable

from .. import primitives as p
from ..dtypes import bool_
from ..ir.graph import Var
from ..tensor.op import inplace, inplace_operator, op, operator, reflected
from ..tensor.tensor import Tensor
from .promotion import need_tensor, not_implemented, promoted


def bitwise(name: str, primitive: Callable[[Any, Any], Var], doc: str, kinds: str = "biu") -> Any:
    """A public function of two integral operands."""
    def body(input: Scalar, other: Scalar):
        need_tensor(name, input, other)
        x, y = promoted(input, other)
        if x.dtype.kind not in kinds:
            raise not_implemented(f"{name}_cpu", x.dtype)
        return primitive(x, y)
    body.__name__ = body.__qualname__ = name
    body.__doc__, body.__module__ = doc, __name__
    return op(None)(body)


bitwise_and = bitwise("bitwise_and", p.bitwise_and, "The bits that both have; the logical and of booleans.")
bitwise_or = bitwise("bitwise_or", p.bitwise_or, "The bits that either has; the logical or of booleans.")
bitwise_xor = bitwise("bitwise_xor", p.bitwise_xor, "The bits that just one has; the logical exclusive or of booleans.")
bitwise_left_shift = bitwise("bitwise_left_shift", p.shift_left, "input · 2^other in integers: its bits moved up by other.", "iu")
bitwise_right_shift = bitwise("bitwise_right_shift", p.shift_right, "input / 2^other rounded down: its bits moved down by other.", "iu")


@op(None, strict_out="dtype")
def bitwise_not(input: Tensor):
    """Every bit reversed; the logical not of booleans."""
    if input.dtype.kind not in "biu":
        raise not_implemented("bitwise_not_cpu", input.dtype)
    return p.bitwise_not(input)


# ------------------------------------------------------------------ logic

def truth(x: Var) -> Var:
    """Which elements are not zero."""
    return x if x.dtype is bool_ else p.ne(x, 0)


def logical(name: str, primitive: Callable[[Any, Any], Var], doc: str) -> Any:
    """A public function of the truth values of two tensors of any dtypes."""
    def body(input: Tensor, other: Tensor):
        return primitive(*p.as_vars(truth(input), truth(other)))
    body.__name__ = body.__qualname__ = name
    body.__doc__, body.__module__ = doc, __name__
    return op(None)(body)


logical_and = logical("logical_and", p.bitwise_and, "Whether both are nonzero.")
logical_or = logical("logical_or", p.bitwise_or, "Whether either is nonzero.")
logical_xor = logical("logical_xor", p.bitwise_xor, "Whether just one is nonzero.")


@op(None)
def logical_not(input: Tensor):
    """Whether each element is zero."""
    return p.logical_not(input)


def _invert(self: Tensor) -> Tensor:
    """~self: every bit reversed; the logical not of booleans."""
    if self.dtype.kind not in "biu":
        raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
    return bitwise_not(self)


_NAMED = {
    "bitwise_and": bitwise_and, "bitwise_or": bitwise_or, "bitwise_xor": bitwise_xor, "bitwise_not": bitwise_not,
    "bitwise_left_shift": bitwise_left_shift, "bitwise_right_shift": bitwise_right_shift, "logical_and": logical_and,
    "logical_or": logical_or, "logical_xor": logical_xor, "logical_not": logical_not,
}

METHODS = {
    **_NAMED, **{name + "_": inplace(function) for name, function in _NAMED.items()},
    "__and__": operator(bitwise_and), "__rand__": operator(bitwise_and), "__iand__": inplace_operator(bitwise_and),
    "__or__": operator(bitwise_or), "__ror__": operator(bitwise_or), "__ior__": inplace_operator(bitwise_or),
    "__xor__": operator(bitwise_xor), "__rxor__": operator(bitwise_xor), "__ixor__": inplace_operator(bitwise_xor),
    "__lshift__": operator(bitwise_left_shift), "__rlshift__": reflected(bitwise_left_shift), "__ilshift__": inplace_operator(bitwise_left_shift),
    "__rshift__": operator(bitwise_right_shift), "__rrshift__": reflected(bitwise_right_shift), "__irshift__": inplace_operator(bitwise_right_shift),
    "__invert__": _invert,
}
