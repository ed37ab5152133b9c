"""L-BFGS (Liu & Nocedal 1989), with a line search to the strong Wolfe conditions (Nocedal & Wright, algorithms 3.5 and 3.6)."""
from __future__ import annotations

from typing import Any, Callable, NamedTuple

from ..autograd.grad_mode import no_grad
from ..ops.bits import view_as_complex, view_as_real
from ..ops.creation import filled
from ..ops.shape import cat
from ..tensor.tensor import Tensor
from .elementwise import check_rate
from .optimizer import Optimizer, ParamsT

__all__ = ["LBFGS"]


def _number(loss: Any) -> float:
    return float(loss.detach() if isinstance(loss, Tensor) else loss)


class LBFGS(Optimizer):
    """Up to max_iter quasi-Newton iterations a step; step(closure) calls closure, which computes loss and gradients, each time.

    max_eval: calls of closure at most, 1.25·max_iter by default; tolerance_grad, tolerance_change: a gradient's largest element, a
    change of loss or of the parameters, at which to stop; history_size: how many differences the inverse Hessian is made of;
    line_search_fn: None (steps of lr) or "strong_wolfe". One group of parameters only (ValueError).
    """

    def __init__(self, params: ParamsT, lr: float | Tensor = 1, max_iter: int = 20, max_eval: int | None = None,
                 tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9, history_size: int = 100, line_search_fn: str | None = None):
        check_rate(lr)
        super().__init__(params, dict(lr=lr, max_iter=max_iter, max_eval=max_iter * 5 // 4 if max_eval is None else max_eval,
                                      tolerance_grad=tolerance_grad, tolerance_change=tolerance_change, history_size=history_size,
                                      line_search_fn=line_search_fn))
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    # ------------------------------------------------------------------ all parameters as one vector

    def _flat_gradient(self) -> Tensor:
        return cat([_flat(filled(tuple(x.shape), 0, x.dtype) if x.grad is None else x.grad.to_dense())
                    for x in self._params])

    def _move(self, t: Any, direction: Tensor) -> None:
        at = 0
        for x in self._params:
            shape = (*x.shape, 2) if x.dtype.is_complex else tuple(x.shape)
            n = x.numel() * (2 if x.dtype.is_complex else 1)
            d = direction[at:at + n].view(shape)
            x.add_((view_as_complex(d) if x.dtype.is_complex else d) * t)
            at += n

    # ------------------------------------------------------------------ a step

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Runs the iterations and returns the loss before the first."""
        with no_grad():
            return self._step(lambda: self.closure_loss(closure))

    def _step(self, closure: Callable[[], Any]) -> Any:
        group = self.param_groups[0]
        lr = group["lr"].squeeze() if isinstance(group["lr"], Tensor) else group["lr"]
        max_iter, max_eval = group["max_iter"], group["max_eval"]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = closure()
        loss, evaluations = _number(first_loss), 1
        state["func_evals"] += 1
        g = self._flat_gradient()
        if g.abs().max() <= group["tolerance_grad"]:
            return first_loss
        history = {name: state.get(name) for name in ("d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss")}
        for iteration in range(1, max_iter + 1):
            state["n_iter"] += 1
            if state["n_iter"] == 1:
                d = -g
                history.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
                t = min(1.0, 1.0 / g.abs().sum()) * lr
            else:
                d, t = _direction(g, history, state, group["history_size"]), lr
            previous_loss = loss
            history.update(d=d, t=t, prev_flat_grad=g, prev_loss=loss)
            slope = g.dot(d)
            if slope > -group["tolerance_change"]:
                break
            loss, g, t, calls = self._search(closure, t, d, loss, g, slope, max_eval - evaluations, iteration == max_iter)
            history["t"] = t
            evaluations += calls
            state["func_evals"] += calls
            if iteration == max_iter or evaluations >= max_eval or g.abs().max() <= group["tolerance_grad"]:
                break
            if (d * t).abs().max() <= group["tolerance_change"] or abs(loss - previous_loss) < group["tolerance_change"]:
                break
        state.update(history)
        return first_loss

    def _search(self, closure, t, d, loss, g, slope, max_calls, last) -> tuple[float, Tensor, Any, int]:
        """Moves along d; gives loss, gradient and step length there, and the calls of closure that it took."""
        search = self.param_groups[0]["line_search_fn"]
        if search is None:
            self._move(t, d)
            if last:  # nobody needs the loss after the last move
                return loss, g, t, 0
            loss = _number(closure())
            return loss, self._flat_gradient(), t, 1
        if search != "strong_wolfe":
            raise RuntimeError("only 'strong_wolfe' is supported")
        start = [x.clone() for x in self._params]

        def at(t):
            self._move(t, d)
            f = _number(closure())
            g = self._flat_gradient()
            for x, was in zip(self._params, start):
                x.copy_(was)
            return _Point(t, f, g, g.dot(d))
        point, calls = _strong_wolfe(at, _Point(0, loss, g, slope), t, d.abs().max(), max_calls)
        self._move(point.t, d)
        return point.f, point.g, point.t, calls


def _flat(x: Tensor) -> Tensor:
    return (view_as_real(x) if x.dtype.is_complex else x).reshape(-1)


def _direction(g: Tensor, history: dict[str, Any], state: dict[str, Any], size: int) -> Tensor:
    """−H·g by the two-loop recursion, after the last step entered the history (where its curvature is positive)."""
    ys, ss, ro = history["old_dirs"], history["old_stps"], history["ro"]
    y, s = g - history["prev_flat_grad"], history["d"] * history["t"]
    curvature = y.dot(s)
    if curvature > 1e-10:
        if len(ys) == size:
            for column in (ys, ss, ro):
                column.pop(0)
        ys.append(y)
        ss.append(s)
        ro.append(1.0 / curvature)
        history["H_diag"] = curvature / y.dot(y)
    alpha = state.setdefault("al", [None] * size)
    q = -g
    for i in reversed(range(len(ys))):
        alpha[i] = ss[i].dot(q) * ro[i]
        q = q - ys[i] * alpha[i]
    r = q * history["H_diag"]
    for y, s, rho, a in zip(ys, ss, ro, alpha):
        r = r + s * (a - y.dot(r) * rho)
    return r


class _Point(NamedTuple):
    """A place on the line: step length, loss, gradient, and the slope along the line."""
    t: Any
    f: float
    g: Tensor
    slope: Any


def _minimum(a: _Point, b: _Point, bounds: tuple | None = None) -> Any:
    """Where the cubic through two points' losses and slopes is least, within bounds (between them, by default)."""
    low, high = bounds or sorted((a.t, b.t))
    d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if square < 0:
        return (low + high) / 2.0
    left, right = (a, b) if a.t <= b.t else (b, a)
    d2 = square.sqrt()
    t = right.t - (right.t - left.t) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2))
    return min(max(t, low), high)


def _strong_wolfe(at: Callable[[Any], _Point], start: _Point, t: Any, largest: Tensor, max_calls: int, c1: float = 1e-4,
                  c2: float = 0.9, tolerance_change: float = 1e-9) -> tuple[_Point, int]:
    """A point with enough decrease (c1) and a slope flat enough (c2), or the best found; and the number of points tried."""
    def too_high(point):
        return point.f > start.f + c1 * point.t * start.slope

    def flat(point):
        return abs(point.slope) <= -c2 * start.slope
    previous, point, tried = start, at(t), 0
    while tried < max_calls:  # go on until a minimum is bracketed
        if too_high(point) or (tried > 1 and point.f >= previous.f):
            bracket = [previous, point]
            break
        if flat(point):
            return point, tried + 1
        if point.slope >= 0:
            bracket = [previous, point]
            break
        t = _minimum(previous, point, (point.t + 0.01 * (point.t - previous.t), point.t * 10))
        previous, point = point, at(t)
        tried += 1
    else:
        bracket = [start, point]
    stalled = False
    low = 0 if bracket[0].f <= bracket[1].f else 1
    while tried < max_calls:  # narrow the bracket; bracket[low] has the lower loss
        a, b = sorted((bracket[0].t, bracket[1].t))
        if (b - a) * largest < tolerance_change:
            break
        t, stalled = _inside(_minimum(*bracket), a, b, stalled)
        point = at(t)
        tried += 1
        if too_high(point) or point.f >= bracket[low].f:
            bracket[1 - low] = point
            low = 0 if bracket[0].f <= bracket[1].f else 1
            continue
        done = flat(point)
        if not done and point.slope * (bracket[1 - low].t - bracket[low].t) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = point
        if done:
            break
    return bracket[low], tried + 1


def _inside(t: Any, a: Any, b: Any, stalled: bool) -> tuple[Any, bool]:
    """t, kept a tenth of the bracket away from its ends if it came close to them twice; and whether it is close now."""
    margin = 0.1 * (b - a)
    if min(b - t, t - a) >= margin:
        return t, False
    if not (stalled or t >= b or t <= a):
        return t, True
    return (b - margin if abs(t - b) < abs(t - a) else a + margin), False
