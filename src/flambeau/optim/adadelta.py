"""Adadelta (Zeiler 2012)."""
from __future__ import annotations

from types import SimpleNamespace

from .. import primitives as p
from ..tensor.tensor import Tensor
from .elementwise import ElementwiseOptimizer, check_nonnegative, check_rate
from .optimizer import ParamsT

__all__ = ["Adadelta"]


class Adadelta(ElementwiseOptimizer):
    """v ← ρv + (1 − ρ)g²;  d = √(u + ε)/√(v + ε)·g;  u ← ρu + (1 − ρ)d²;  param ← param − lr·d.

    rho: decay ρ of the two running squares; eps: ε; weight_decay: an L2 term in the gradient.
    """

    _numbers = ("lr", "rho", "eps", "weight_decay")
    _flags = ("maximize", "decays")

    def __init__(self, params: ParamsT, lr: float | Tensor = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0,
                 foreach: bool | None = None, *, capturable: bool = False, maximize: bool = False, differentiable: bool = False):
        check_rate(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_nonnegative(epsilon=eps, weight_decay=weight_decay)
        super().__init__(params, dict(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize, capturable=capturable,
                                      foreach=foreach, differentiable=differentiable))

    def _tensor_state(self, group):
        return {"square_avg": 0, "acc_delta": 0}

    @staticmethod
    def shared(o, numbers):
        return SimpleNamespace(rest=1 - o.rho), [numbers[0] + 1]

    @staticmethod
    def element(o, c, x, g, tensors):
        v, u = tensors
        g = g + x * o.weight_decay if o.decays else g
        v = v * o.rho + g * g * c.rest
        d = p.sqrt(u + o.eps) / p.sqrt(v + o.eps) * g
        return x - d * o.lr, [v, u * o.rho + d * d * c.rest]
