"""Limiting gradients: all norms together, and the scaling of all gradients, are one recorded call each.

parameters: tensors whose `.grad` is looked at, or one tensor.  foreach: accepted; it makes no difference here.
"""
# ruff: noqa: F821
from __future__ import annotations

import warnings
from collections.abc import Iterable
from types import GeneratorType
from typing import Any

import flambeau

from ... import primitives as p
from ...ops.norms import vector_norm
from ...optim.optimizer import record_update
from ...tensor.op import op
from ...tensor.parted import local_part
from ...tensor.tensor import Tensor


@op(None, name="total_norm")
def _total_norm(tensors: Tensors, order):
    """The norm of all elements of all tensors as one vector, by the norm of the norms of each."""
    norms = [p.reshape(vector_norm(x, order, None, False), (1,)) for x in tensors]
    widest = max((norm.dtype for norm in norms), key=lambda dtype: dtype.itemsize)
    return vector_norm(p.concat([p.cast(norm, widest) for norm in norms], 0), order, None, False)


def _alike(grads: list[Tensor]) -> list[list[Tensor]]:
    """The gradients in lists that one call can take: whole ones, and those in parts."""
    parted = [x for x in grads if local_part(x) is not x]
    return [some for some in ([x for x in grads if local_part(x) is x] if parted else grads, parted) if some]


def _norm(tensors: list[Tensor], norm_type: float) -> Tensor:
    if local_part(tensors[0]) is tensors[0]:
        return _total_norm(tensors, norm_type)
    from ...distributed.tensor._norms import norm_of_parts
    return norm_of_parts(tensors, norm_type, _total_norm)


def _gradients(parameters: Any) -> list[Tensor]:
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [x.grad for x in parameters if x.grad is not None]


def get_total_norm(tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False,
                   foreach: bool | None = None) -> Tensor:
    """The `norm_type`-norm of all elements of `tensors` together, a tensor without dimensions.

    error_if_nonfinite: raise RuntimeError if it is NaN or infinite.
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    norm_type = float(norm_type)
    if not tensors:
        return flambeau.tensor(0.0)
    with flambeau.no_grad():
        norms = [_norm(alike, norm_type) for alike in _alike(tensors)]
        total = norms[0] if len(norms) == 1 else _total_norm(norms, norm_type)
    if error_if_nonfinite and not flambeau.isfinite(total):
        raise RuntimeError(f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it "
                           "cannot be clipped. To disable this error and scale the gradients by the non-finite norm "
                           "anyway, set `error_if_nonfinite=False`")
    return total


def _scale(rows: list, readonly: list, scalars: list, static: Any) -> list:
    """Every gradient times max_norm / total_norm, where that is less than 1."""
    max_norm, total = scalars
    factor = p.minimum(p.cast(max_norm, total.dtype) / (total + 1e-6), 1.0)
    return [[grad * p.cast(factor, grad.dtype) for grad in rows[0]]]


def clip_grads_with_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor,
                          foreach: bool | None = None) -> None:
    """Scale the gradients, in place, by max_norm / total_norm if that is less than 1."""
    for grads in _alike(_gradients(parameters)):
        record_update("clip_grads_with_norm", _scale, [grads], [], [float(max_norm), total_norm], ())


def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0,
                    error_if_nonfinite: bool = False, foreach: bool | None = None) -> Tensor:
    """Scale the gradients, in place, so that their common norm is at most `max_norm`; returns the norm before.

    Pascanu et al. 2012, arXiv:1211.5063.
    """
    if not isinstance(parameters, Tensor):
        generated = isinstance(parameters, GeneratorType)
        parameters = list(parameters)
        if generated and not parameters:
            warnings.warn("`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_norm(parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0,
                   error_if_nonfinite: bool = False, foreach: bool | None = None) -> Tensor:
    """Deprecated name of `clip_grad_norm_`."""
    warnings.warn("`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.",
                  FutureWarning, stacklevel=2)
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite)


def _limit(rows: list, readonly: list, scalars: list, static: Any) -> list:
    bound = scalars[0]
    return [[p.maximum(p.minimum(grad, p.cast(bound, grad.dtype)), p.cast(-bound, grad.dtype)) for grad in rows[0]]]


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Limit every element of the gradients, in place, to ±clip_value."""
    for grads in _alike(_gradients(parameters)):
        record_update("clip_grad_value", _limit, [grads], [], [float(clip_value)], ())
