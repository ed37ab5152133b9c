"""Averaged stochastic gradient descent (Polyak & Juditsky 1992)."""
from __future__ import annotations

from types import SimpleNamespace

from .. import primitives as p
from ..tensor.tensor import Tensor
from .elementwise import ElementwiseOptimizer, check_nonnegative, check_rate
from .optimizer import ParamsT

__all__ = ["ASGD"]


class ASGD(ElementwiseOptimizer):
    """param ← (1 − λη)·param − η·g;  ax ← ax + μ·(param − ax);  η ← lr/(1 + λ·lr·t)^α;  μ ← 1/max(1, t − t₀).

    lambd: λ; alpha: α; t0: the step from which the average state["ax"] is taken; weight_decay: an L2 term in the gradient.
    """

    _numbers = ("lr", "lambd", "alpha", "t0", "weight_decay")
    _flags = ("maximize", "decays")

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-2, lambd: float = 1e-4, alpha: float = 0.75, t0: float = 1e6,
                 weight_decay: float = 0, foreach: bool | None = None, maximize: bool = False, differentiable: bool = False,
                 capturable: bool = False):
        check_rate(lr)
        check_nonnegative(weight_decay=weight_decay)
        super().__init__(params, dict(lr=lr, lambd=lambd, alpha=alpha, t0=t0, weight_decay=weight_decay, foreach=foreach,
                                      maximize=maximize, differentiable=differentiable, capturable=capturable))

    def _shared_state(self, group):
        return {"step": 0.0, "eta": float(group["lr"]), "mu": 1.0}

    def _tensor_state(self, group):
        return {"ax": 0}

    @staticmethod
    def shared(o, numbers):
        step, eta, mu = numbers
        t = step + 1
        new_eta = o.lr / p.power(1 + o.lambd * o.lr * t, o.alpha)
        late = t - o.t0
        new_mu = 1 / p.maximum(p.ones_like(late), late)
        return SimpleNamespace(eta=eta, mu=mu, shrink=1 - o.lambd * eta), [t, new_eta, new_mu]

    @staticmethod
    def element(o, c, x, g, tensors):
        g = g + x * o.weight_decay if o.decays else g
        x = x * c.shrink - g * c.eta
        ax = tensors[0]
        return x, [p.select(p.eq(c.mu, p.ones_like(c.mu)), x, ax + (x - ax) * c.mu)]
