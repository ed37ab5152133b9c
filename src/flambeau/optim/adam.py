"""Adam (Kingma & Ba 2014) and AdamW (Loshchilov & Hutter 2017)."""
from __future__ import annotations

from typing import Any

from .. import primitives as p
from ..dtypes import float32, float64
from ..ops.creation import filled
from ..tensor.tensor import Tensor, make_tensor
from .optimizer import Optimizer, ParamsT, record_update, state_like

__all__ = ["Adam", "adam"]


def adam_body(rows, reads, scalars, static):
    """m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;  param ← param − lr/(1 − β₁ᵗ)·m/(√v/√(1 − β₂ᵗ) + ε).

    ε is added after the bias correction (the ε of the paper's algorithm 1).
    """
    amsgrad, has_decay, decoupled, maximize = static
    lr, beta1, beta2, decay, eps = [p.cast(s, float64) for s in scalars]
    params, ms, vs, steps = rows[:4]
    new = [[] for _ in rows]
    corrections: dict[Any, tuple] = {}
    for i, (x, g) in enumerate(zip(params, reads[0])):
        dt = x.dtype
        step = steps[i]
        if step not in corrections:
            t = step + 1
            t64 = p.cast(t, float64)
            corrections[step] = (t, p.div(lr, 1 - p.power(beta1, t64)), p.sqrt(1 - p.power(beta2, t64)))
        t, step_size, root = corrections[step]
        g = p.neg(g) if maximize else g
        if has_decay:
            if decoupled:
                x = x * p.cast(1 - lr * decay, dt)
            else:
                g = g + x * p.cast(decay, dt)
        m = ms[i] + (g - ms[i]) * p.cast(1 - beta1, dt)
        v = vs[i] * p.cast(beta2, dt) + g * g * p.cast(1 - beta2, dt)
        second = v
        if amsgrad:
            second = p.maximum(rows[4][i], v)
            new[4].append(second)
        denominator = p.sqrt(second) / p.cast(root, dt) + p.cast(eps, dt)
        new[0].append(x - m / denominator * p.cast(step_size, dt))
        new[1].append(m)
        new[2].append(v)
        new[3].append(t)
    return new


def _check_tensors(lr: float | Tensor, betas: tuple, refused: bool | None) -> None:
    """ValueError for a learning rate or betas that are tensors as PyTorch does not take them. refused: it takes none at all."""
    if refused and isinstance(lr, Tensor):
        raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
    if isinstance(lr, Tensor) and lr.shape.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if isinstance(betas[0], Tensor) != isinstance(betas[1], Tensor):
        raise ValueError("betas must be either both floats or both Tensors")
    for i, beta in enumerate(betas):
        if refused and isinstance(beta, Tensor):
            raise ValueError(f"betas[{i}] as a Tensor is not supported for capturable=False and foreach=True")


class Adam(Optimizer):
    """Steps of size lr along the running mean of the gradients over the root of their running square.

    betas: decay of the two running means; eps: added to the root; weight_decay: an L2 term in the gradient, or with
    decoupled_weight_decay (AdamW) a decay of the parameter itself; amsgrad: the largest running square so far (Reddi et al. 2018).
    """

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-3, betas: tuple = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, amsgrad: bool = False, *, foreach: bool | None = None, maximize: bool = False,
                 capturable: bool = False, differentiable: bool = False, fused: bool | None = None, decoupled_weight_decay: bool = False):
        _check_tensors(lr, betas, foreach and not capturable)
        if not lr >= 0.0:  # type: ignore[operator]
            raise ValueError(f"Invalid learning rate: {lr}")
        if not eps >= 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        for i in (0, 1):
            if not 0.0 <= betas[i] < 1.0:
                raise ValueError(f"Invalid beta parameter at index {i}: {betas[i]}")
        if not weight_decay >= 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if fused and foreach:
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize,
                                      foreach=foreach, capturable=capturable, differentiable=differentiable, fused=fused,
                                      decoupled_weight_decay=decoupled_weight_decay))

    def _with_sparse(self, group: dict[str, Any], x: Tensor, g: Tensor) -> bool:
        raise RuntimeError("Adam does not support sparse gradients, please consider SparseAdam instead")

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in (("amsgrad", False), ("maximize", False), ("foreach", None), ("capturable", False),
                                ("differentiable", False), ("decoupled_weight_decay", False), ("fused", None)):
                group.setdefault(name, value)
            for x in group["params"]:
                s = self.state.get(x, {})
                if s and not isinstance(s["step"], Tensor):
                    s["step"] = filled((), float(s["step"]), float32)

    def _init_state(self, params: list[Tensor], amsgrad: bool) -> None:
        fresh = [x for x in params if not self.state[x]]
        if fresh:
            zero = filled((), 0, float32)._storage.value  # one value for all step counts: they are then updated as one
            for x in fresh:
                s = self.state[x]
                s["step"] = make_tensor(zero)
                s["exp_avg"], s["exp_avg_sq"] = state_like(x), state_like(x)
                if amsgrad:
                    s["max_exp_avg_sq"] = state_like(x)

    def step(self, closure=None):
        """Performs one update."""
        loss = self.closure_loss(closure)
        for group in self.param_groups:
            params, grads = self.with_gradients(group)
            if not params:
                continue
            self._init_state(params, group["amsgrad"])
            states = [self.state[x] for x in params]
            names = ("exp_avg", "exp_avg_sq", "step") + (("max_exp_avg_sq",) if group["amsgrad"] else ())
            _update([params, *[[s[n] for s in states] for n in names]], grads, group)
        return loss


def _update(rows, grads, group) -> None:
    decay = group["weight_decay"]
    static = (group["amsgrad"], bool(decay != 0), group["decoupled_weight_decay"], group["maximize"])
    beta1, beta2 = group["betas"]
    scalars = [x if isinstance(x, Tensor) else float(x) for x in (group["lr"], beta1, beta2, decay, group["eps"])]
    record_update("adam", adam_body, rows, [grads], scalars, static)


def adam(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, foreach=None, capturable=False, differentiable=False,
         fused=None, grad_scale=None, found_inf=None, has_complex=False, decoupled_weight_decay=False, *, amsgrad, beta1, beta2, lr,
         weight_decay, eps, maximize):
    """The functional form: updates params, moments and step counts in place."""
    rows = [params, exp_avgs, exp_avg_sqs, state_steps] + ([max_exp_avg_sqs] if amsgrad else [])
    _update(rows, grads, dict(weight_decay=weight_decay, amsgrad=amsgrad, decoupled_weight_decay=decoupled_weight_decay,
                              maximize=maximize, betas=(beta1, beta2), lr=lr, eps=eps))
