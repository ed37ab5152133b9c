"""Adamax: Adam with the infinity norm (Kingma & Ba 2014, section 7)."""
from __future__ import annotations

from types import SimpleNamespace

from .. import primitives as p
from ..tensor.tensor import Tensor
from .elementwise import ElementwiseOptimizer, check_betas, check_nonnegative, check_rate
from .optimizer import ParamsT

__all__ = ["Adamax"]


class Adamax(ElementwiseOptimizer):
    """m ← β₁m + (1 − β₁)g;  u ← max(β₂u, |g| + ε);  param ← param − lr/(1 − β₁ᵗ) · m/u.

    betas: β₁, β₂; eps: ε; weight_decay: an L2 term in the gradient.
    """

    _numbers = ("lr", "beta1", "beta2", "eps", "weight_decay")
    _flags = ("maximize", "decays")

    def __init__(self, params: ParamsT, lr: float | Tensor = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, foreach: bool | None = None, *, maximize: bool = False, differentiable: bool = False,
                 capturable: bool = False):
        check_rate(lr)
        check_nonnegative(epsilon=eps)
        check_betas(betas)
        check_nonnegative(weight_decay=weight_decay)
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, foreach=foreach, maximize=maximize,
                                      differentiable=differentiable, capturable=capturable))

    def _tensor_state(self, group):
        return {"exp_avg": 0, "exp_inf": 0}

    @staticmethod
    def shared(o, numbers):
        t = numbers[0] + 1
        return SimpleNamespace(lr=o.lr / (1 - p.power(o.beta1, t)), rest=1 - o.beta1), [t]

    @staticmethod
    def element(o, c, x, g, tensors):
        m, u = tensors
        g = g + x * o.weight_decay if o.decays else g
        m = m + (g - m) * c.rest
        u = p.maximum(u * o.beta2, p.absolute(g) + o.eps)
        return x - m / u * c.lr, [m, u]
