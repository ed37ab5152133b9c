"""Forward-mode differentiation: dual tensors carry a tangent through what is computed with them.

    with forward_ad.dual_level():
        y = f(forward_ad.make_dual(x, v))
        derivative = forward_ad.unpack_dual(y).tangent
"""
from __future__ import annotations

from typing import Any, NamedTuple

from ..tensor.tensor import Tensor
from ..tensor.transforms import enter_dual, exit_dual, is_dual, pair, primal_part, tangent_part
from .grad_mode import _ContextDecorator

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]

_levels: list = []  # of this module's making; functional transformations have their own


def enter_dual_level() -> int:
    """Starts a level; returns its number, which is 0: there is one at a time."""
    if _levels:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    _levels.append(enter_dual())
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Ends the level: dual tensors lose their tangents."""
    if not _levels:
        raise RuntimeError("Dual level must be a positive number.")
    if level not in (None, 0):
        raise RuntimeError("Trying to exit a forward AD level that was not the last one that was created. This is not supported.")
    exit_dual(_levels.pop())


def check_dual(primal: Tensor, tangent: Tensor) -> Tensor:
    """The tangent as it is kept, of the primal's dtype; RuntimeError for another shape."""
    if tangent.shape != primal.shape:
        raise RuntimeError("Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
                           f"supported. Tensor is of size {list(primal.shape)} while the given forward gradient is of size "
                           f"{list(tangent.shape)}.")
    return tangent if tangent.dtype is primal.dtype else tangent.to(primal.dtype)  # type: ignore[attr-defined]


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """A dual tensor: `tensor` with its derivative `tangent`, of the same shape. Both keep their place in the autograd graph.

    RuntimeError outside of a level, for a tensor that is dual already, and for shapes that differ; ValueError for integers.
    """
    if not _levels:
        raise RuntimeError("Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first.")
    for name, t in (("primal", tensor), ("tangent", tangent)):
        if not (t.is_floating_point() or t.is_complex()):  # type: ignore[attr-defined]
            raise ValueError(f"Expected {name} to be floating point or complex, but got: {t.dtype}")
    if is_dual(tensor, _levels[-1]):
        raise RuntimeError("Making a dual Tensor based on a Tensor that already has a forward gradient at the same level 0 is not "
                           "supported.")
    return pair(tensor, check_dual(tensor, tangent), _levels[-1])


class UnpackedDualTensor(NamedTuple):
    """What `unpack_dual` returns: the value, and its derivative or None."""

    primal: Tensor
    tangent: Tensor | None


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """(primal, tangent) of a dual tensor; the tangent of any other tensor, and outside of a level, is None."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"_unpack_dual(): argument 'dual' (position 1) must be Tensor, not {type(tensor).__name__}")
    if not _levels:
        return UnpackedDualTensor(tensor, None)
    return UnpackedDualTensor(primal_part(tensor, _levels[-1]), tangent_part(tensor, _levels[-1]))


class dual_level(_ContextDecorator):
    """A context in which dual tensors can be made; its value is the level's number."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exc: Any) -> None:
        exit_dual_level(level=0)
