"""RMSprop (Hinton's lecture 6e, 2012), and its centered form (Graves 2013)."""
from __future__ import annotations

from types import SimpleNamespace

from .. import primitives as p
from ..tensor.tensor import Tensor
from .elementwise import ElementwiseOptimizer, check_nonnegative, check_rate
from .optimizer import ParamsT

__all__ = ["RMSprop"]


class RMSprop(ElementwiseOptimizer):
    """v ← αv + (1 − α)g²;  param ← param − lr · g/(√v + ε), or with momentum by its decaying sum b ← momentum·b + g/(√v + ε).

    alpha: α; eps: ε; centered: the gradient's running mean squared is taken from v; weight_decay: an L2 term in the gradient.
    """

    _numbers = ("lr", "alpha", "eps", "weight_decay", "momentum")
    _flags = ("maximize", "decays", "has_momentum", "centered")

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0,
                 momentum: float = 0, centered: bool = False, capturable: bool = False, foreach: bool | None = None,
                 maximize: bool = False, differentiable: bool = False):
        check_rate(lr)
        check_nonnegative(epsilon=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        super().__init__(params, dict(lr=lr, momentum=momentum, alpha=alpha, eps=eps, centered=centered, weight_decay=weight_decay,
                                      capturable=capturable, foreach=foreach, maximize=maximize, differentiable=differentiable))

    def __setstate__(self, state):
        for group in state["param_groups"]:
            group.setdefault("momentum", 0)
            group.setdefault("centered", False)
        super().__setstate__(state)

    def _options(self, group):
        return {**super()._options(group), "has_momentum": group["momentum"] > 0}

    def _tensor_state(self, group):
        names = ["square_avg"] + ["momentum_buffer"] * (group["momentum"] > 0) + ["grad_avg"] * bool(group["centered"])
        return dict.fromkeys(names, 0)

    @staticmethod
    def shared(o, numbers):
        return SimpleNamespace(rest=1 - o.alpha), [numbers[0] + 1]

    @staticmethod
    def element(o, c, x, g, tensors):
        g = g + x * o.weight_decay if o.decays else g
        v = tensors[0] * o.alpha + g * g * c.rest
        new, variance = [v], v
        if o.centered:
            mean = tensors[-1] + (g - tensors[-1]) * c.rest
            variance = v - mean * mean
        d = g / (p.sqrt(variance) + o.eps)
        if o.has_momentum:
            d = tensors[1] * o.momentum + d
            new.append(d)
        if o.centered:
            new.append(mean)
        return x - d * o.lr, new
