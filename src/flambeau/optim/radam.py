"""RAdam: Adam with a rectified start (Liu et al. 2019)."""
from __future__ import annotations

from types import SimpleNamespace

from .. import primitives as p
from ..tensor.tensor import Tensor
from .elementwise import ElementwiseOptimizer, check_betas, check_nonnegative, check_rate
from .optimizer import ParamsT

__all__ = ["RAdam"]


class RAdam(ElementwiseOptimizer):
    """Adam's means m and v. With ρ∞ = 2/(1 − β₂) − 1 and ρ = ρ∞ − 2tβ₂ᵗ/(1 − β₂ᵗ), the variance of 1/√v is tractable once ρ > 5:

    param ← param − lr·m/(1 − β₁ᵗ)·r·√(1 − β₂ᵗ)/(√v + ε),  r² = (ρ − 4)(ρ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρ);  before, − lr·m/(1 − β₁ᵗ).

    betas: β₁, β₂; eps: ε; weight_decay: an L2 term in the gradient, or with decoupled_weight_decay a decay of the parameter itself.
    """

    _numbers = ("lr", "beta1", "beta2", "eps", "weight_decay")
    _flags = ("maximize", "decays", "decoupled_weight_decay")
    _group_defaults = {**ElementwiseOptimizer._group_defaults, "decoupled_weight_decay": False}

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
                 maximize: bool = False, capturable: bool = False, differentiable: bool = False):
        check_rate(lr)
        check_nonnegative(epsilon=eps)
        check_betas(betas)
        check_nonnegative(weight_decay=weight_decay)
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize, foreach=foreach,
                                      capturable=capturable, decoupled_weight_decay=decoupled_weight_decay,
                                      differentiable=differentiable))

    def _tensor_state(self, group):
        return {"exp_avg": 0, "exp_avg_sq": 0}

    @staticmethod
    def shared(o, numbers):
        t = numbers[0] + 1
        power = p.power(o.beta2, t)
        limit = 2 / (1 - o.beta2) - 1
        rho = limit - 2 * t * power / (1 - power)
        tractable = p.gt(rho, p.ones_like(rho) * 5.0)
        rectified = (rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho) * (1 - power)
        c = SimpleNamespace(rest1=1 - o.beta1, rest2=1 - o.beta2, lr=o.lr / (1 - p.power(o.beta1, t)), keep=1 - o.lr * o.weight_decay,
                            tractable=p.cast(tractable, rho.dtype),
                            factor=p.sqrt(p.select(tractable, rectified, p.ones_like(rho))))
        return c, [t]

    @staticmethod
    def element(o, c, x, g, tensors):
        m, v = tensors
        if o.decays and o.decoupled_weight_decay:
            x = x * c.keep
        elif o.decays:
            g = g + x * o.weight_decay
        m = m + (g - m) * c.rest1
        v = v * o.beta2 + g * g * c.rest2
        adaptive = c.factor / (p.sqrt(v) + o.eps)
        scale = p.select(p.gt(c.tractable, p.zeros_like(c.tractable)), adaptive, p.ones_like(v))
        return x - m * c.lr * scale, [m, v]
