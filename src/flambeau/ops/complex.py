"""Complex tensors and their parts."""
# ruff: noqa: F821
from __future__ import annotations

from typing import Any

from .. import primitives as p
from ..dtypes import float16, float32, float64
from ..tensor.op import inplace, op
from ..tensor.tensor import Tensor
from .promotion import broadcast_all


def _check_parts(x: Any, y: Any) -> None:
    if x.dtype not in (float16, float32, float64) or y.dtype not in (float16, float32, float64):
        raise RuntimeError(f"Expected both inputs to be Half, Float or Double tensors but got {x.dtype._legacy} and {y.dtype._legacy}")
    if x.dtype is not y.dtype:
        raise RuntimeError(f"Expected object of scalar type {x.dtype._legacy} but got scalar type {y.dtype._legacy} for second argument")


@op("ComplexBackward0", strict_out=True)
def complex(real: Tensor, imag: Tensor):
    """real + i·imag of two real tensors of one dtype."""
    _check_parts(real, imag)
    return p.make_complex(*broadcast_all([real, imag]))


@op("PolarBackward0", strict_out=True)
def polar(abs: Tensor, angle: Tensor):
    """abs · (cos angle + i·sin angle) of two real tensors of one dtype."""
    _check_parts(abs, angle)
    size, phase = broadcast_all([abs, angle])
    return p.make_complex(p.mul(size, p.cos(phase)), p.mul(size, p.sin(phase)))


@op("ConjBackward0")
def _conj(input: Tensor):
    return p.conj(input)


def conj(input: Tensor) -> Tensor:
    """The complex conjugate; real tensors as they are."""
    return _conj(input) if input.dtype.kind == "c" else input


@op("ConjPhysicalBackward0", name="conj_physical", strict_out="dtype")
def _conj_physical(input: Tensor):
    return p.conj(input)


def conj_physical(input: Tensor, *, out: Any = None) -> Tensor:
    """The complex conjugate; real tensors as they are."""
    if out is None and input.dtype.kind != "c":
        return input
    return _conj_physical(input, out=out)


def resolve_conj(input: Tensor) -> Tensor:
    """input: conjugates here are always computed."""
    return input


def resolve_neg(input: Tensor) -> Tensor:
    """input: negations here are always computed."""
    return input


def is_conj(input: Tensor) -> bool:
    """False: conjugates here are always computed."""
    return False


METHODS = {"conj": conj, "conj_physical": conj_physical, "conj_physical_": inplace(_conj_physical), "resolve_conj": resolve_conj,
           "resolve_neg": resolve_neg, "is_conj": is_conj, "is_neg": is_conj}
