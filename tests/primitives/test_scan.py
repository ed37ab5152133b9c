# ruff: noqa: F821
"""scan against the same steps written out: values, gradients of any order, tangents, batches."""
from __future__ import annotations

import numpy as np
import pytest

import flambeau as torch
from flambeau import primitives as p
from flambeau.dtypes import int64
from flambeau.primitives.scan import scan_p
from flambeau.tensor.op import op

STEPS, SIZE = 5, 3


def step(carries, rows, shared):
    """Two carries that read each other, a counter, a product with a shared matrix, and a composite."""
    a, b, n = carries
    w, = shared
    z = p.tanh(p.dot(a, w, (0,), (0,)) + rows[0]) * b
    n = n + 1
    return (z, p.sigmoid(b + z) * p.cast(n, z.dtype), n), (p.logaddexp(a, b) * rows[0],)


def first_count(x):
    return p.constant(0, int64, x.builder)


def ends(xs, reverse):
    return (xs.shape[0], 0) if reverse else (0, xs.shape[0])


def row(x, t):
    return p.reshape(p.slice_dim(x, 0, t, t + 1), x.shape[1:])


def stack(rows):
    return p.concat([p.reshape(x, (1, *x.shape)) for x in rows], 0)


@op("ScannedBackward0")
def scanned(xs: Tensor, a: Tensor, b: Tensor, w: Tensor, reverse):
    histories, (ys,) = p.scan(step, (a, b, first_count(a)), (xs,), (w,), reverse)
    return histories[0], histories[1], ys


@op("UnrolledBackward0")
def unrolled(xs: Tensor, a: Tensor, b: Tensor, w: Tensor, reverse):
    carries, histories, results = (a, b, first_count(a)), [(a, b)], []
    for t in (range(xs.shape[0] - 1, -1, -1) if reverse else range(xs.shape[0])):
        carries, (y,) = step(carries, (row(xs, t),), (w,))
        histories.append(carries[:2])
        results.append(y)
    if reverse:
        histories.reverse()
        results.reverse()
    return stack([h[0] for h in histories]), stack([h[1] for h in histories]), stack(results)


def operands(*lead, dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    shapes = (STEPS, SIZE), (SIZE,), (SIZE,), (SIZE, SIZE)
    return [torch.randn(*lead, *s, generator=generator, dtype=dtype) for s in shapes]


def close(xs, ys):
    for x, y in zip(xs, ys, strict=True):
        np.testing.assert_allclose(x.detach().numpy(), y.detach().numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
def test_values(reverse):
    close(scanned(*operands(), reverse), unrolled(*operands(), reverse))


def test_no_steps():
    xs, *rest = operands()
    histories = scanned(xs[:0], *rest, False)
    assert [tuple(x.shape) for x in histories] == [(1, SIZE), (1, SIZE), (0, SIZE)]
    assert torch.equal(histories[0][0], rest[0])


def gradients(fn, reverse, weights, twice):
    xs = [x.requires_grad_() for x in operands()]
    total = sum(w * (out * out.cos()).sum() for w, out in zip(weights, fn(*xs, reverse)) if w)
    first = torch.autograd.grad(total, xs, create_graph=twice)
    return torch.autograd.grad(sum((g ** 2).sum() for g in first), xs) if twice else first


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("weights", [(1, 2, 3), (1, 0, 0), (0, 0, 1)])
@pytest.mark.parametrize("reverse", [False, True])
def test_gradients(reverse, weights, twice):
    close(gradients(scanned, reverse, weights, twice), gradients(unrolled, reverse, weights, twice))


@pytest.mark.parametrize("reverse", [False, True])
def test_gradients_of_the_last_state(reverse):
    """A cotangent of one row of a history does not become one of all rows."""
    xs = [x.requires_grad_() for x in operands()]
    last = 0 if reverse else STEPS

    def grads(fn):
        return torch.autograd.grad(fn(*xs, reverse)[0][last].sum(), xs)
    close(grads(scanned), grads(unrolled))


@pytest.mark.parametrize("reverse", [False, True])
def test_tangents(reverse):
    xs, ts = operands(), [x.cos() for x in operands()]
    for active in ([0, 1, 2, 3], [0], [3], [1]):
        def run(fn):
            def inner(*some):
                given = list(xs)
                for i, x in zip(active, some):
                    given[i] = x
                return fn(*given, reverse)
            return torch.func.jvp(inner, tuple(xs[i] for i in active), tuple(ts[i] for i in active))[1]
        close(run(scanned), run(unrolled))


@pytest.mark.parametrize("shared", [(), (0,), (1, 3), (3,)])
def test_batches(shared):
    xs = [x if i not in shared else x[0] for i, x in enumerate(operands(2))]
    dims = tuple(None if i in shared else 0 for i in range(4))
    batched = torch.func.vmap(lambda *a: scanned(*a, True), in_dims=dims)(*xs)
    singles = [unrolled(*[x if i in shared else x[k] for i, x in enumerate(xs)], True) for k in range(2)]
    close(batched, [torch.stack(s) for s in zip(*singles)])


def test_products_with_what_is_shared_are_summed_once():
    """The gradient in a weight is one product over all steps, not one a step."""
    from flambeau.ops.recurrent import lstm_layer
    x, h, w = torch.randn(7, 2, 3), torch.zeros(2, 4), torch.randn(16, 4)
    lstm_layer(x, h, h, torch.randn(16, 3), w, None, None, None, False)
    spec = list(lstm_layer.op.specializations.values())[-1]
    gradient = spec.gradient((False, False, False, True, True))
    forward, backward = gradient.forward.graph, gradient.backward((True, True, True))[0].graph
    scans = [n for g in (forward, backward) for n in g.nodes if n.prim is scan_p]
    assert [sum(n.prim.name == "dot" for n in s.params[0].graph.nodes) for s in scans] == [1, 1]
    assert sum(n.prim.name == "dot" for n in backward.nodes) == 2
