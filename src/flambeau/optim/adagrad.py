"""Adagrad (Duchi, Hazan & Singer 2011)."""
from __future__ import annotations

from types import SimpleNamespace

from .. import primitives as p
from ..autograd.grad_mode import no_grad
from ..tensor.tensor import Tensor
from .elementwise import ElementwiseOptimizer, check_nonnegative, check_rate
from .optimizer import ParamsT

__all__ = ["Adagrad"]


class Adagrad(ElementwiseOptimizer):
    """s ← s + g²;  param ← param − lr/(1 + (t − 1)·lr_decay) · g/(√s + ε).

    initial_accumulator_value: s at first; eps: ε; weight_decay: an L2 term in the gradient. State exists from the start.
    """

    _numbers = ("lr", "lr_decay", "eps", "weight_decay")
    _flags = ("maximize", "decays")
    _group_defaults = {"foreach": None, "maximize": False, "differentiable": False, "fused": None}

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
                 initial_accumulator_value: float = 0, eps: float = 1e-10, foreach: bool | None = None, *, maximize: bool = False,
                 differentiable: bool = False, fused: bool | None = None):
        check_rate(lr)
        check_nonnegative(lr_decay=lr_decay, weight_decay=weight_decay, initial_accumulator_value=initial_accumulator_value,
                          epsilon=eps)
        super().__init__(params, dict(lr=lr, lr_decay=lr_decay, eps=eps, weight_decay=weight_decay,
                                      initial_accumulator_value=initial_accumulator_value, foreach=foreach, maximize=maximize,
                                      differentiable=differentiable, fused=fused))
        if fused and differentiable:
            raise RuntimeError("`fused` does not support `differentiable`")
        if fused and foreach:
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
        for group in self.param_groups:
            self._init_state(group["params"], group)

    def _tensor_state(self, group):
        return {"sum": self.defaults["initial_accumulator_value"]}

    def _with_sparse(self, group, x, g):
        """Updates the elements that g has."""
        if group["weight_decay"]:
            raise RuntimeError("weight_decay option is not compatible with sparse gradients")
        state = self.state[x]
        g = (-g if group["maximize"] else g).coalesce()
        with no_grad():
            state["step"] += 1
            state["sum"].add_(g._with(g.values() ** 2))
            deviation = state["sum"].sparse_mask(g).values().sqrt() + group["eps"]
            rate = float(group["lr"]) / (1 + (state["step"].item() - 1) * group["lr_decay"])
            x.add_(g._with(g.values() / deviation), alpha=-rate)
        return False

    @staticmethod
    def shared(o, numbers):
        return SimpleNamespace(lr=o.lr / (1 + numbers[0] * o.lr_decay)), [numbers[0] + 1]

    @staticmethod
    def element(o, c, x, g, tensors):
        g = g + x * o.weight_decay if o.decays else g
        s = tensors[0] + g * g
        return x - g / (p.sqrt(s) + o.eps) * c.lr, [s]
