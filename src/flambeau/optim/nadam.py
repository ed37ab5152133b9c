"""NAdam: Adam with Nesterov momentum (Dozat 2016)."""
from __future__ import annotations

from types import SimpleNamespace

from .. import primitives as p
from ..tensor.tensor import Tensor
from .elementwise import ElementwiseOptimizer, check_betas, check_nonnegative, check_rate
from .optimizer import ParamsT

__all__ = ["NAdam"]


class NAdam(ElementwiseOptimizer):
    """Adam's means m and v, with a momentum that grows: μₜ = β₁(1 − ½·0.96^(t·ψ)), M = μ₁·…·μₜ.

    param ← param − lr·((1 − μₜ)/(1 − M)·g + μₜ₊₁/(1 − M·μₜ₊₁)·m) / (√(v/(1 − β₂ᵗ)) + ε)

    betas: β₁, β₂; eps: ε; momentum_decay: ψ; weight_decay: an L2 term in the gradient, or with decoupled_weight_decay a decay of
    the parameter itself.
    """

    _numbers = ("lr", "beta1", "beta2", "eps", "weight_decay", "momentum_decay")
    _flags = ("maximize", "decays", "decoupled_weight_decay")
    _group_defaults = {**ElementwiseOptimizer._group_defaults, "decoupled_weight_decay": False}

    def __init__(self, params: ParamsT, lr: float | Tensor = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False, *,
                 foreach: bool | None = None, maximize: bool = False, capturable: bool = False, differentiable: bool = False):
        check_rate(lr)
        check_nonnegative(epsilon=eps)
        check_betas(betas)
        check_nonnegative(weight_decay=weight_decay, momentum_decay=momentum_decay)
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay,
                                      decoupled_weight_decay=decoupled_weight_decay, maximize=maximize, foreach=foreach,
                                      capturable=capturable, differentiable=differentiable))

    def _shared_state(self, group):
        return {"step": 0.0, "mu_product": 1.0}

    def _tensor_state(self, group):
        return {"exp_avg": 0, "exp_avg_sq": 0}

    @staticmethod
    def shared(o, numbers):
        step, product = numbers
        t = step + 1

        def momentum(at):
            return o.beta1 * (1.0 - 0.5 * p.power(p.ones_like(at) * 0.96, at * o.momentum_decay))
        mu, following = momentum(t), momentum(t + 1)
        product = product * mu
        c = SimpleNamespace(rest1=1 - o.beta1, rest2=1 - o.beta2, correction2=1 - p.power(o.beta2, t),
                            from_gradient=o.lr * (1.0 - mu) / (1.0 - product),
                            from_mean=o.lr * following / (1.0 - product * following), keep=1 - o.lr * o.weight_decay)
        return c, [t, product]

    @staticmethod
    def element(o, c, x, g, tensors):
        m, v = tensors
        if o.decays and o.decoupled_weight_decay:
            x = x * c.keep
        elif o.decays:
            g = g + x * o.weight_decay
        m = m + (g - m) * c.rest1
        v = v * o.beta2 + g * g * c.rest2
        root = p.sqrt(v / c.correction2) + o.eps
        return x - g / root * c.from_gradient - m / root * c.from_mean, [m, v]
