# ruff: noqa: F821
"""SparseAdam: Adam for sparse gradients, which touches only the moments and elements that a gradient has."""
from __future__ import annotations

import math
from typing import Any

from .. import primitives as p
from ..autograd.grad_mode import no_grad
from ..ops.creation import zeros_like
from ..sparse.base import index_tensor
from ..tensor.op import op
from ..tensor.tensor import Tensor
from ..tensor.write import assign
from .elementwise import check_betas
from .optimizer import Optimizer, ParamsT

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Adam (Kingma & Ba 2015) on the elements that a sparse gradient has; the moments of the others stay as they are.

    lr > 0, eps > 0: as Adam's; betas: the moments' decay rates; maximize climbs. Parameters are strided, gradients sparse.
    Errors: ValueError for options out of range and sparse parameters, RuntimeError for strided gradients.
    """

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 maximize: bool = False):
        if isinstance(lr, Tensor) and lr.shape.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not 0.0 < lr:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not 0.0 < eps:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_betas(betas)
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, maximize=maximize))
        sparse = [(i, j) for i, group in enumerate(self.param_groups) for j, x in enumerate(group["params"])
                  if x.is_sparse]  # type: ignore[attr-defined]
        if sparse:
            raise ValueError(f"Sparse params at indices {sparse}: SparseAdam requires dense parameter tensors")

    def _with_sparse(self, group: dict[str, Any], x: Tensor, g: Tensor) -> bool:
        return True

    def step(self, closure=None):
        """Performs one update."""
        loss = self.closure_loss(closure)
        for group in self.param_groups:
            params, grads = self.with_gradients(group)
            if not all(g.is_sparse for g in grads):  # type: ignore[attr-defined]
                raise RuntimeError("SparseAdam does not support dense gradients, please consider Adam instead")
            for x, g in zip(params, grads):
                self._update(group, x, g.coalesce())  # type: ignore[attr-defined]
        return loss

    def _update(self, group: dict[str, Any], x: Tensor, g: Any) -> None:
        state = self.state[x]
        if not state:
            state["step"] = 0
            state["exp_avg"], state["exp_avg_sq"] = (zeros_like(x) for _ in range(2))
        state["step"] += 1
        if not g._nnz():
            return
        beta1, beta2 = group["betas"]
        rate = float(group["lr"]) * math.sqrt(1 - beta2 ** state["step"]) / (1 - beta1 ** state["step"])
        operands = [x.detach(), state["exp_avg"], state["exp_avg_sq"]]  # type: ignore[attr-defined]
        with no_grad():
            new = _sparse_adam(*operands, index_tensor(g._linear(), x), g.values(), rate, 1.0 - beta1, 1.0 - beta2, float(group["eps"]),
                               g.sparse_dim(), group["maximize"])
            for old, value in zip((x, *operands[1:]), new):
                assign(old, value)


@op(None)
def _sparse_adam(param: Tensor, first: Tensor, second: Tensor, index: Tensor, grad: Tensor, rate: Scalar, gain1: Scalar, gain2: Scalar,
                 eps: Scalar, sparse_dim, maximize):
    """m ← m + gain1·(g − m), v ← v + gain2·(g² − v), param ← param − rate·m/(√v + ε) at the rows `index` of the sparse dimensions."""
    shape = param.shape
    flat = (math.prod(shape[:sparse_dim]), *shape[sparse_dim:])
    grad = p.neg(grad) if maximize else grad
    rate, gain1, gain2, eps = (p.cast(v, grad.dtype) for v in (rate, gain1, gain2, eps))
    x, first, second = (p.reshape(v, flat) for v in (param, first, second))
    m, v = p.take(first, index, 0), p.take(second, index, 0)
    m = (grad - m) * gain1 + m
    v = (grad * grad - v) * gain2 + v
    change = p.neg(rate) * (m / (p.sqrt(v) + eps))
    results = (p.put(x, index, change, 0, "add"), p.put(first, index, m, 0, "set"), p.put(second, index, v, 0, "set"))
    return tuple(p.reshape(r, shape) for r in results)
