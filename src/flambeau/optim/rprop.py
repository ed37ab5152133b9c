"""Resilient backpropagation (Riedmiller & Braun 1993)."""
from __future__ import annotations

from .. import primitives as p
from ..tensor.tensor import Tensor
from .elementwise import ElementwiseOptimizer, check_rate
from .optimizer import ParamsT

__all__ = ["Rprop"]


class Rprop(ElementwiseOptimizer):
    """Every element has a step size of its own: multiplied by η₊ while the gradient keeps its sign, by η₋ where it turned.

    param ← param − sign(g)·step size; where the sign turned, g counts as 0 (here and in the next comparison).
    lr: the first step size; etas: (η₋, η₊), with 0 < η₋ < 1 < η₊ (ValueError); step_sizes: least and most.
    """

    _numbers = ("eta_minus", "eta_plus", "least", "most")

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
                 step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False, foreach: bool | None = None,
                 maximize: bool = False, differentiable: bool = False):
        check_rate(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        super().__init__(params, dict(lr=lr, etas=etas, step_sizes=step_sizes, foreach=foreach, maximize=maximize,
                                      differentiable=differentiable, capturable=capturable))

    def _options(self, group):
        minus, plus = group["etas"]
        least, most = group["step_sizes"]
        return {**super()._options(group), "eta_minus": minus, "eta_plus": plus, "least": least, "most": most}

    def _tensor_state(self, group):
        return {"prev": 0, "step_size": float(group["lr"])}

    @staticmethod
    def element(o, c, x, g, tensors):
        previous, size = tensors
        agreement = g * previous
        zero = p.zeros_like(g)
        turned = p.lt(agreement, zero)
        factor = p.select(p.gt(agreement, zero), o.eta_plus, p.select(turned, o.eta_minus, p.ones_like(g)))
        size = p.minimum(p.maximum(size * factor, o.least), o.most)
        g = p.select(turned, zero, g)
        return x - p.sgn(g) * size, [g, size]
