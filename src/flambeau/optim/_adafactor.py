"""Adafactor (Shazeer & Stern 2018)."""
from __future__ import annotations

from ..autograd.grad_mode import no_grad
from ..dtypes import finfo, float32
from ..ops.creation import filled, zeros_like
from ..tensor.tensor import Tensor
from .elementwise import check_rate
from .optimizer import Optimizer, ParamsT

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """The second moment of a matrix is kept as the means of its rows and of its columns: V = R·C/mean(R).

    With b = t^beta2_decay, R and C move by b towards the gradient's mean squares; U = g/√max(V, ε₁²) is scaled down to a root mean
    square of d at most; param ← (1 − lr·weight_decay)·param − max(ε₂, rms(param))·min(lr, 1/√t)·U.

    beta2_decay: at most 0; eps: (ε₁, ε₂), ε₁ None for the dtype's epsilon; d: at least 1. Vectors keep their whole second moment.
    """

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-2, beta2_decay: float = -0.8, eps: tuple[float | None, float] = (None, 1e-3),
                 d: float = 1.0, weight_decay: float = 0.0, *, foreach: bool | None = None, maximize: bool = False):
        check_rate(lr, "Learning rate should be >= 0 but is: {}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not eps[0] >= 0.0:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not eps[1] >= 0.0:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        super().__init__(params, dict(lr=lr, beta2_decay=beta2_decay, eps=eps, d=d, weight_decay=weight_decay, foreach=foreach,
                                      maximize=maximize))

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("foreach", None)
            for x in group["params"]:
                s = self.state.get(x, {})
                if s and not isinstance(s["step"], Tensor):
                    s["step"] = filled((), float(s["step"]), float32)

    def step(self, closure=None):
        """Performs one update."""
        loss = self.closure_loss(closure)
        with no_grad():
            for group in self.param_groups:
                for x, g in zip(*self.with_gradients(group)):
                    if x.dtype.is_complex:
                        raise RuntimeError("Adafactor does not support complex parameters")
                    if not self.state[x]:
                        self.state[x].update(_first_state(g))
                    _update(x, -g if group["maximize"] else g, self.state[x], group)
        return loss


def _first_state(g: Tensor) -> dict[str, Tensor]:
    shape = list(g.shape)
    step = filled((), 0, float32)
    if len(shape) < 2:
        return {"step": step, "variance": zeros_like(g)}
    return {"step": step, "row_var": g.new_zeros((*shape[:-1], 1)),  # type: ignore[attr-defined]
            "col_var": g.new_zeros((*shape[:-2], 1, shape[-1]))}  # type: ignore[attr-defined]


def _update(x, g, state, group) -> None:
    t = float(state["step"]) + 1  # the last step's count, computed by now
    state["step"] += 1
    lr, weight = float(group["lr"]), t ** group["beta2_decay"]
    eps1, eps2 = group["eps"]
    eps1 = finfo(x.dtype).eps if eps1 is None else eps1
    size = (x.norm(2) / x.numel() ** 0.5).clamp(min=eps2)
    if group["weight_decay"] != 0:
        x.mul_(1 - lr * group["weight_decay"])
    if g.dim() > 1:
        row, column = state["row_var"], state["col_var"]
        row.lerp_(g.norm(dim=-1, keepdim=True).square() / g.size(-1), weight)
        column.lerp_(g.norm(dim=-2, keepdim=True).square() / g.size(-2), weight)
        variance = row @ column / row.mean(dim=-2, keepdim=True).clamp(min=eps1)
    else:
        state["variance"].lerp_(g * g, weight)
        variance = state["variance"]
    update = g * variance.clamp(min=eps1 * eps1).rsqrt()
    clip = (update.norm(2) / (update.numel() ** 0.5 * group["d"])).clamp(min=1.0)
    x.sub_(update * (size * min(lr, 1 / t**0.5) / clip))
