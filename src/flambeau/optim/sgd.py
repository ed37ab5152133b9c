"""Stochastic gradient descent, with momentum (Sutskever et al. 2013)."""
from __future__ import annotations

from typing import Any

from .. import primitives as p
from ..autograd.grad_mode import no_grad
from ..ops.creation import filled
from ..tensor.tensor import Tensor
from .optimizer import Optimizer, ParamsT, record_update, state_like

__all__ = ["SGD", "sgd"]


def _body(rows, reads, scalars, static):
    """d = grad + weight_decay·param;  v = momentum·v + (1 − dampening)·d (v = d at first);  d = d + momentum·v (nesterov) or v."""
    has_momentum, first, has_decay, has_dampening, nesterov, maximize = static
    lr, momentum, dampening, decay = scalars
    params, grads = rows[0], reads[0]
    new_params, new_buffers = [], []
    for i, (x, d) in enumerate(zip(params, grads)):
        dt = x.dtype
        d = p.neg(d) if maximize else d
        if has_decay:
            d = d + x * p.cast(decay, dt)
        if has_momentum:
            m = p.cast(momentum, dt)
            if first:
                v = d
            else:
                v = rows[1][i] * m + (d * p.cast(1 - dampening, dt) if has_dampening else d)
            new_buffers.append(v)
            d = d + v * m if nesterov else v
        new_params.append(x - d * p.cast(lr, dt))
    return [new_params, new_buffers] if has_momentum else [new_params]


class SGD(Optimizer):
    """param ← param − lr·v, where v is the gradient, or with momentum its decaying sum.

    With weight_decay the gradient gets weight_decay·param added; dampening scales each new gradient by 1 − dampening; nesterov
    looks ahead by one momentum step; maximize climbs. foreach, fused: accepted, every step is one call anyway.
    """

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-3, momentum: float = 0, dampening: float = 0,
                 weight_decay: float | Tensor = 0, nesterov: bool = False, *, maximize: bool = False, foreach: bool | None = None,
                 differentiable: bool = False, fused: bool | None = None):
        if isinstance(lr, Tensor) and lr.shape.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if lr < 0.0:  # type: ignore[operator]
            raise ValueError(f"Invalid learning rate: {lr}")
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0.0:  # type: ignore[operator]
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov,
                                      maximize=maximize, foreach=foreach, differentiable=differentiable, fused=fused))

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in (("nesterov", False), ("maximize", False), ("foreach", None), ("differentiable", False), ("fused", False)):
                group.setdefault(name, value)

    def _with_sparse(self, group: dict[str, Any], x: Tensor, g: Tensor) -> bool:
        """Updates the rows that g has; its momentum is sparse, too."""
        if group["weight_decay"]:
            raise RuntimeError("add(sparse, dense) is not supported. Use add(dense, sparse) instead.")
        g = -g if group["maximize"] else g  # type: ignore[operator]
        if group["momentum"]:
            buffer = self.state[x].get("momentum_buffer")
            buffer = g.clone() if buffer is None else buffer * group["momentum"] + g * (1 - group["dampening"])  # type: ignore
            self.state[x]["momentum_buffer"] = buffer
            g = g + buffer * group["momentum"] if group["nesterov"] else buffer
        with no_grad():
            x.add_(g, alpha=-float(group["lr"]))  # type: ignore[attr-defined]
        return False

    def step(self, closure=None):
        """Performs one update."""
        loss = self.closure_loss(closure)
        for group in self.param_groups:
            params, grads = self.with_gradients(group)
            if not group["momentum"]:
                _update(params, grads, None, group, False)
                continue
            state = self.state
            buffers = [state[x].get("momentum_buffer") for x in params]
            fresh = [i for i, b in enumerate(buffers) if b is None]
            for i in fresh:  # −0 and not 0: (−0)·momentum + d is d, down to the sign of a zero, so that the first step is like all others
                buffers[i] = state[params[i]]["momentum_buffer"] = state_like(params[i], -0.0)
            if not fresh or not group["dampening"]:
                _update(params, grads, buffers, group, False)
                continue
            for first in (True, False):
                some = [i for i in range(len(params)) if (i in fresh) is first]
                _update([params[i] for i in some], [grads[i] for i in some], [buffers[i] for i in some], group, first)
        return loss


def _update(params, grads, buffers, group, first) -> None:
    """Records the update. first: of buffers that take the gradient as it is, without dampening."""
    if not params:
        return
    decay = group["weight_decay"]
    static = (bool(group["momentum"]), first, bool(decay != 0), bool(group["dampening"]), group["nesterov"], group["maximize"])
    scalars = [_number(group["lr"]), float(group["momentum"]), float(group["dampening"]), _number(decay)]
    record_update("sgd", _body, [params] if buffers is None else [params, buffers], [grads], scalars, static)


def _number(x: Any) -> Any:
    return x if isinstance(x, Tensor) else float(x)


def sgd(params, d_p_list, momentum_buffer_list, has_sparse_grad=False, foreach=None, fused=None, grad_scale=None, found_inf=None, *,
        weight_decay, momentum, lr, dampening, nesterov, maximize):
    """The functional form: updates params (and momentum buffers, None at first) in place."""
    group = dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov, maximize=maximize)
    if not momentum:
        _update(params, d_p_list, None, group, False)
        return
    for i, (x, g) in enumerate(zip(params, d_p_list)):
        first = momentum_buffer_list[i] is None
        if first:
            momentum_buffer_list[i] = filled(tuple(x.shape), 0, x.dtype)
        _update([x], [g], [momentum_buffer_list[i]], group, first)
