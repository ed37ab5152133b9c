"""`gradcheck` and `gradgradcheck`: gradients against central differences.

Everything is compared as real numbers: a complex tensor counts as its real and imaginary parts, and the gradient that
autograd gives for it, ∂L/∂re + i ∂L/∂im, as the two. So one comparison serves real, complex and mixed functions.
"""
from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import Any, Callable, Iterator, NamedTuple, Sequence

import numpy as np

from ..tensor.tensor import Tensor

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """A gradient is not what differences say, or does not keep the rules."""


class _Settings(NamedTuple):
    eps: float
    atol: float
    rtol: float
    nondet_tol: float
    fast: bool


# ------------------------------------------------------------------ tensors as vectors of real numbers

def _as_reals(t: Tensor | None, like: Tensor) -> np.ndarray:
    """The elements of t (zeros for None) as real numbers, a complex one as two."""
    if t is None:
        return np.zeros(like.numel() * (2 if like.is_complex() else 1))  # type: ignore[attr-defined]
    t = t.detach().resolve_conj()  # type: ignore[attr-defined]
    if like.is_complex() and not t.is_complex():  # type: ignore[attr-defined]
        t = t.to(like.dtype)
    array = np.ascontiguousarray(t.double().numpy() if not t.is_complex() else t.numpy())
    return array.reshape(-1).view(np.float64 if array.dtype != np.complex64 else np.float32).astype(np.float64)


def _like(reals: np.ndarray, t: Tensor) -> Tensor:
    """A tensor of t's shape and dtype from real numbers."""
    from ..ops.from_data import from_numpy
    array = np.ascontiguousarray(reals, np.float64)
    if t.is_complex():  # type: ignore[attr-defined]
        array = array.view(np.complex128)
    return from_numpy(array.reshape(tuple(t.shape)).copy()).to(t.dtype)


def _size(t: Tensor) -> int:
    return t.numel() * (2 if t.is_complex() else 1)  # type: ignore[attr-defined]


# ------------------------------------------------------------------ Jacobians of one output in one input, (input reals, output reals)

@contextmanager
def _moved(x: Tensor, step: np.ndarray) -> Iterator[None]:
    """Inside, x has moved by a step. It moves in its memory, since func may know it by other ways than its arguments."""
    storage = x._storage
    kept, version = storage.value, storage.version
    x.detach().copy_(_like(_as_reals(x, x) + step, x))  # type: ignore[attr-defined]
    try:
        yield
    finally:
        storage.value, storage.version = kept, version


def _numeric(fn: Callable, inputs: Sequence[Any], which: int, output: int, directions: np.ndarray, eps: float) -> np.ndarray:
    """Central differences along each direction (rows)."""
    rows = []
    for d in directions:
        ends = []
        for step in (eps, -eps):
            with _moved(inputs[which], step * d):
                out = _outputs(fn(*inputs))[output]
                ends.append(_as_reals(out, out))
        rows.append((ends[0] - ends[1]) / (2 * eps))
    return np.array(rows).reshape(len(directions), -1)


def _backward(outputs: Sequence[Tensor], output: int, inputs: Sequence[Tensor], weights: np.ndarray, s: _Settings) -> list[np.ndarray]:
    """Vector-Jacobian products for each vector (rows): one (vectors, input reals) for each input; checked to be repeatable."""
    from . import grad
    out = outputs[output]
    found: list[list] = [[] for _ in inputs]
    for w in weights:
        runs = [grad(out, inputs, _like(w, out), retain_graph=True, allow_unused=True) for _ in range(2)]
        for i, (g, again, x) in enumerate(zip(*runs, inputs)):
            if g is not None and g.shape != x.shape:
                raise GradcheckError("Analytical gradient has incorrect size")
            first, second = _as_reals(g, x), _as_reals(again, x)
            if np.abs(first - second).max(initial=0) > s.nondet_tol:
                raise GradcheckError("Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives "
                                     "different values, although analytical gradient matches numerical gradient. The tolerance for "
                                     f"nondeterminism was {s.nondet_tol}.")
            found[i].append(first)
    return [np.array(rows).reshape(len(weights), -1) for rows in found]


def _forward(fn: Callable, inputs: Sequence[Any], which: int, output: int, directions: np.ndarray) -> np.ndarray:
    """Jacobian-vector products along each direction (rows), by forward mode."""
    from .forward_ad import dual_level, make_dual, unpack_dual
    x = inputs[which].detach()
    rows = []
    for d in directions:
        with dual_level():
            dual = make_dual(x, _like(d, x))
            out = _outputs(fn(*inputs[:which], dual, *inputs[which + 1:]))[output]
            primal, tangent = unpack_dual(out)
            rows.append(_as_reals(tangent, primal))
    return np.array(rows).reshape(len(directions), -1)


def _compare(numeric: np.ndarray, analytic: np.ndarray, i: int, o: int, s: _Settings, how: str = "") -> None:
    """GradcheckError unless the two agree."""
    if not np.allclose(analytic, numeric, rtol=s.rtol, atol=s.atol):
        from ..ops.from_data import from_numpy
        first, second = (from_numpy(np.ascontiguousarray(j)) for j in (numeric, analytic))
        raise GradcheckError(f"Jacobian {how}mismatch for output {o} with respect to input {i},\nnumerical:{first}\nanalytical:{second}\n")


def _directions(n: int, fast: bool, rng: np.random.Generator) -> np.ndarray:
    """All unit vectors, or in fast mode one random vector of length 1."""
    if not fast:
        return np.eye(n)
    v = rng.standard_normal((1, n))
    return v / max(float(np.linalg.norm(v)), 1e-12)


# ------------------------------------------------------------------ what is checked

def _outputs(result: Any) -> list[Tensor]:
    return [t for t in (result if isinstance(result, (tuple, list)) else (result,)) if isinstance(t, Tensor)]


def _differentiable(t: Any) -> bool:
    return isinstance(t, Tensor) and (t.is_floating_point() or t.is_complex())  # type: ignore[attr-defined]


def _check_inputs(inputs: Sequence[Any]) -> None:
    checked = False
    for i, x in enumerate(inputs):
        if isinstance(x, Tensor) and x.requires_grad:  # type: ignore[attr-defined]
            checked = True
            if x.dtype.name not in ("float64", "complex128"):
                warnings.warn(f"Input #{i} requires gradient and is not a double precision floating point or complex. This check will likely "
                              "fail if all the inputs are not of double precision floating point or complex. ", UserWarning, stacklevel=4)
            if not all(st > 0 or sz <= 1 for st, sz in zip(x.stride(), x.shape)):  # type: ignore[attr-defined]
                raise RuntimeError(f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are non-overlapping to "
                                   "be able to compute the numerical gradients correctly. You should call .contiguous on the input before "
                                   "passing it to gradcheck.")
    if not checked:
        raise ValueError("gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True.")


def _check_no_gradient(fn: Callable, inputs: Sequence[Any], places: Sequence[int], outputs: Sequence[Tensor], s: _Settings) -> None:
    """The outputs require no gradient: then nothing may depend on the inputs."""
    for i in places:
        for o, out in enumerate(outputs):
            if _differentiable(out) and _numeric(fn, inputs, i, o, np.eye(_size(inputs[i])), s.eps).any():
                raise GradcheckError("Numerical gradient for function expected to be zero")


def _check_reverse(fn: Callable, inputs: Sequence[Any], places: Sequence[int], outputs: Sequence[Tensor], s: _Settings) -> None:
    rng = np.random.default_rng(0)
    xs = [inputs[i] for i in places]
    for o, out in enumerate(outputs):
        if not _differentiable(out) or not out.requires_grad:  # type: ignore[attr-defined]
            continue
        weights = _directions(_size(out), s.fast, rng)
        products = _backward(outputs, o, xs, weights, s)
        for i, x, vj in zip(places, xs, products):
            directions = _directions(_size(x), s.fast, rng)
            numeric = _numeric(fn, inputs, i, o, directions, s.eps)
            _compare(numeric @ weights.T, directions @ vj.T, i, o, s)


def _check_forward(fn: Callable, inputs: Sequence[Any], places: Sequence[int], outputs: Sequence[Tensor], s: _Settings) -> None:
    rng = np.random.default_rng(0)
    for o, out in enumerate(outputs):
        if not _differentiable(out):
            continue
        for i in places:
            directions = _directions(_size(inputs[i]), s.fast, rng)
            analytic = _forward(fn, inputs, i, o, directions)
            numeric = _numeric(fn, inputs, i, o, directions, s.eps)
            _compare(numeric, analytic, i, o, s, "computed with forward mode ")


def _check_batched(fn: Callable, xs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
    """Several backward passes at once, by `vmap`, give what they give one by one."""
    from . import grad
    for out in outputs:
        if not _differentiable(out) or not out.requires_grad:  # type: ignore[attr-defined]
            continue
        from ..ops.random import randn
        weights = randn(2, *out.shape, dtype=out.dtype)
        together = grad(out, xs, weights, retain_graph=True, allow_unused=True, is_grads_batched=True)
        alone = [grad(out, xs, w, retain_graph=True, allow_unused=True) for w in weights]
        for k, x in enumerate(xs):
            for row, g in enumerate(alone):
                here = None if together[k] is None else together[k][row]
                if not np.allclose(_as_reals(here, x), _as_reals(g[k], x), rtol=1e-5, atol=1e-6):
                    raise GradcheckError("gradcheck or gradgradcheck failed while testing batched gradient computation. It compares the "
                                         "gradients of a batch of vectors, computed at once with vmap, with those computed one by one, and "
                                         f"they differ for input {k}.")


def _check_batched_forward(fn: Callable, inputs: Sequence[Any], places: Sequence[int], outputs: Sequence[Tensor]) -> None:
    from ..func import jvp, vmap
    from ..ops.random import randn
    for i in places:
        x = inputs[i].detach()
        tangents = randn(2, *x.shape, dtype=x.dtype)

        def push(t: Tensor) -> tuple:
            def of_one(value: Tensor) -> tuple:
                changed = list(inputs)
                changed[i] = value
                return tuple(o for o in _outputs(fn(*changed)) if _differentiable(o))
            return jvp(of_one, (x,), (t,))[1]
        together = vmap(push)(tangents)
        for row, t in enumerate(tangents):
            for a, b in zip(together, push(t)):
                if not np.allclose(_as_reals(a[row], b), _as_reals(b, b), rtol=1e-5, atol=1e-6):
                    raise GradcheckError("While considering inputs as a batch of tangents, forward-mode gradients computed at once with vmap "
                                         f"differ from those computed one by one, for input {i}.")


def _check_undefined(xs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
    """A missing gradient of one output counts as zeros."""
    from . import grad
    live = [o for o in outputs if _differentiable(o) and o.requires_grad]  # type: ignore[attr-defined]
    if len(live) < 2:
        return
    for o in live:
        alone = grad(o, xs, o.new_ones(o.shape), retain_graph=True, allow_unused=True)  # type: ignore[attr-defined]
        weights = [p.new_ones(p.shape) if p is o else p.new_zeros(p.shape) for p in live]  # type: ignore[attr-defined]
        both = grad(live, xs, weights, retain_graph=True, allow_unused=True)
        if any(not np.allclose(_as_reals(a, x), _as_reals(b, x), equal_nan=True) for a, b, x in zip(alone, both, xs)):
            raise GradcheckError("Expected all undefined gradients to be treated as zeros: the gradients with one output's left out are not "
                                 "those with it filled with zeros")


def _check_dtypes(xs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
    from . import grad
    for o in outputs:
        if _differentiable(o) and o.requires_grad:  # type: ignore[attr-defined]
            for g, x in zip(grad(o, xs, o.new_ones(o.shape), retain_graph=True, allow_unused=True), xs):  # type: ignore[attr-defined]
                if g is not None and g.dtype is not x.dtype:
                    raise GradcheckError("Analytical gradient has incorrect type")


# ------------------------------------------------------------------ doors

def gradcheck(func: Callable, inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3, raise_exception: bool = True,
              nondet_tol: float = 0.0, check_undefined_grad: bool = True, check_grad_dtypes: bool = False, check_batched_grad: bool = False,
              check_batched_forward_grad: bool = False, check_forward_ad: bool = False, check_backward_ad: bool = True,
              fast_mode: bool = False, masked: bool | None = None) -> bool:
    """Whether the gradients of func in those inputs that require them agree with differences of step eps; True, or GradcheckError
    (False if not raise_exception).

    Inputs ought to be float64 or complex128. nondet_tol: how much two backward passes may differ. check_*: forward mode,
    gradients of batches of vectors by `vmap`, missing gradients of outputs, dtypes of gradients. fast_mode: compares random
    projections of the Jacobians instead of all elements. masked: of no consequence for dense tensors.
    """
    assert check_forward_ad or check_backward_ad, "Expected at least one of check_forward_ad or check_backward_ad to be True"
    assert not (check_batched_grad and not check_backward_ad), "Setting check_batched_grad=True requires check_backward_ad to be True"
    assert not (check_batched_forward_grad and not check_forward_ad), \
        "Setting check_batched_forward_grad=True requires check_forward_ad to be True"
    settings = _Settings(eps, atol, rtol, nondet_tol, fast_mode)
    try:
        given = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
        _check_inputs(given)
        outputs = _outputs(func(*given))
        places = [i for i, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]  # type: ignore[attr-defined]
        xs = [given[i] for i in places]
        if check_backward_ad and not any(_differentiable(o) and o.requires_grad for o in outputs):  # type: ignore[attr-defined]
            _check_no_gradient(func, given, places, outputs, settings)
            return True
        if check_backward_ad:
            _check_reverse(func, given, places, outputs, settings)
        if check_forward_ad:
            _check_forward(func, given, places, outputs, settings)
        if check_batched_forward_grad:
            _check_batched_forward(func, given, places, outputs)
        if check_backward_ad:
            if check_batched_grad:
                _check_batched(func, xs, outputs)
            if check_grad_dtypes:
                _check_dtypes(xs, outputs)
            if check_undefined_grad:
                _check_undefined(xs, outputs)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(func: Callable, inputs: Any, grad_outputs: Any = None, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
                  gen_non_contig_grad_outputs: bool = False, raise_exception: bool = True, nondet_tol: float = 0.0,
                  check_undefined_grad: bool = True, check_grad_dtypes: bool = False, check_batched_grad: bool = False,
                  check_fwd_over_rev: bool = False, check_rev_over_rev: bool = True, fast_mode: bool = False,
                  masked: bool = False) -> bool:
    """`gradcheck` of the gradients: in the inputs and in grad_outputs, which are random unless given.

    gen_non_contig_grad_outputs: whether the random ones are made non-contiguous. check_fwd_over_rev: whether forward mode over
    the backward pass is checked, check_rev_over_rev: whether the backward pass of the backward pass is.
    """
    assert check_fwd_over_rev or check_rev_over_rev, "Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True"
    from . import grad
    given = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    if grad_outputs is None:
        outputs = [o for o in _outputs(func(*given)) if _differentiable(o) and o.requires_grad]  # type: ignore[attr-defined]
        weights = tuple(_random_like(o, gen_non_contig_grad_outputs) for o in outputs)
    else:
        weights = tuple(grad_outputs) if isinstance(grad_outputs, (tuple, list)) else (grad_outputs,)
    n = len(weights)
    where = [i for i, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]  # type: ignore[attr-defined]

    def gradients(*args: Any) -> tuple:
        xs, ws = [x.requires_grad_() if i in where and x.is_leaf else x for i, x in enumerate(args[:-n])], args[-n:]
        outs = [o for o in _outputs(func(*xs)) if _differentiable(o) and o.requires_grad]  # type: ignore[attr-defined]
        found = grad(outs, [xs[i] for i in where], ws, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)
    return gradcheck(gradients, given + weights, eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception, nondet_tol=nondet_tol,
                     check_undefined_grad=check_undefined_grad, check_grad_dtypes=check_grad_dtypes, check_batched_grad=check_batched_grad,
                     fast_mode=fast_mode, check_forward_ad=check_fwd_over_rev, check_backward_ad=check_rev_over_rev, masked=masked)


def _random_like(o: Tensor, strided: bool) -> Tensor:
    from ..testing import make_tensor
    return make_tensor(o.shape, dtype=o.dtype, device=o.device, low=-1, high=1, noncontiguous=strided, requires_grad=True)  # type: ignore
