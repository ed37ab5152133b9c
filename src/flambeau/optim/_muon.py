"""Muon: momentum, orthogonalized (Jordan et al. 2024)."""
from __future__ import annotations

import math

from ..autograd.grad_mode import no_grad
from ..ops.creation import zeros_like
from ..ops.linear import addmm
from ..tensor.tensor import Tensor
from .elementwise import check_rate
from .optimizer import Optimizer, ParamsT

__all__ = ["Muon"]


class Muon(Optimizer):
    """m ← momentum·m + (1 − momentum)·g;  param ← (1 − lr·weight_decay)·param − lr'·orthogonalized(m), for matrices only.

    nesterov: a step further along m; ns_coefficients, ns_steps: of the Newton–Schulz iteration, in bfloat16; eps: the least norm
    divided by. adjust_lr_fn: lr'/lr, "original" (the default) √max(1, rows/columns), "match_rms_adamw" 0.2·√max(rows, columns).
    """

    def __init__(self, params: ParamsT, lr: float = 1e-3, weight_decay: float = 0.1, momentum: float = 0.95, nesterov: bool = True,
                 ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315), eps: float = 1e-7, ns_steps: int = 5,
                 adjust_lr_fn: str | None = None):
        check_rate(lr, "Learning rate should be >= 0 but is: {}")
        if not momentum >= 0.0:
            raise ValueError(f"momentum should be >= 0 but is: {momentum}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight decay should be >= 0 but is: {weight_decay}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov,
                                      ns_coefficients=ns_coefficients, eps=eps, ns_steps=ns_steps, adjust_lr_fn=adjust_lr_fn))
        for group in self.param_groups:
            for x in group["params"]:
                if x.ndim != 2:
                    raise ValueError(f"Muon only supports 2D parameters whereas we found a parameter with size: {x.size()}")

    def step(self, closure=None):
        """Performs one update."""
        loss = self.closure_loss(closure)
        with no_grad():
            for group in self.param_groups:
                for x, g in zip(*self.with_gradients(group)):
                    self._update(x, g, group)
        return loss

    def _update(self, x, g, group) -> None:
        if x.dtype.is_complex:
            raise RuntimeError("Muon does not support complex parameters")
        state = self.state[x]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = zeros_like(g)
        m, momentum = state["momentum_buffer"], group["momentum"]
        m.lerp_(g, 1 - momentum)
        d = g.lerp(m, momentum) if group["nesterov"] else m
        d = _orthogonalized(d, group["ns_coefficients"], group["ns_steps"], group["eps"])
        lr = float(group["lr"])
        x.mul_(1 - lr * group["weight_decay"])
        x.add_(d, alpha=-lr * _ratio(group["adjust_lr_fn"], *x.shape))


def _orthogonalized(g: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """Near the closest orthogonal matrix: X ← aX + (bA + cA²)X with A = XXᵀ drives all singular values towards 1."""
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if g.ndim != 2:
        raise ValueError("Input tensor gradient must be a 2D matrix")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    tall = g.size(0) > g.size(1)
    x = g.bfloat16()
    x = x.T if tall else x
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = addmm(x, addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


def _ratio(name: str | None, rows: int, columns: int) -> float:
    if name == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1, rows / columns))
