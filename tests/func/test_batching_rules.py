# ruff: noqa: F821
"""Every primitive has a batching rule, and each rule gives what doing the examples one by one gives."""
from __future__ import annotations

import flambeau as torch
import pytest
from flambeau import fft, linalg, nn, signal, special  # noqa: F401  (their primitives)
from flambeau.dtypes import float64, int64
from flambeau.ir.graph import GraphBuilder
from flambeau.ir.types import tensor_type
from flambeau.primitives.base import PRIMITIVES
from flambeau.primitives.batching import batch_graph, rule_of
from flambeau.tensor.op import op
from flambeau import primitives as p


def test_every_primitive_has_a_rule():
    made_of_nothing = {"full", "iota"}  # no operands, so never batched
    # gamma and Dirichlet draws are made at once, which vmap refuses before it meets these (they are there once draws are)
    made_of_nothing |= {"gamma_draw", "gamma_gradient", "dirichlet_draw", "dirichlet_gradient"}

    def has_rule(primitive):
        try:
            return rule_of(primitive) is not None
        except KeyError:
            return False
    assert [name for name, primitive in PRIMITIVES.items() if name not in made_of_nothing and not has_rule(primitive)] == []


def _randn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def recorded(body, n_operands):
    """body as a function on tensors."""
    if n_operands == 1:
        @op(None)
        def unary(input: Tensor):
            return body(input)
        return unary

    @op(None)
    def binary(input: Tensor, other: Tensor):
        return body(input, other)
    return binary


CONV = ((2, 1), (1, 0), (0, 2), (1, 2))  # stride, low, high, dilation

CASES = {
    "dot": (lambda a, b: p.dot(a, b, (1,), (2,), (0,), (1,)), (3, 4, 2), (5, 3, 4)),
    "dot_free": (lambda a, b: p.dot(a, b, (1,), (0,)), (2, 4), (4, 3)),
    "conv": (lambda x, w: p.conv(x, w, *CONV, 1), (2, 4, 6, 7), (6, 4, 3, 2)),
    "conv_grouped": (lambda x, w: p.conv(x, w, *CONV, 2), (2, 4, 6, 7), (6, 2, 3, 2)),
    "conv_input_grad": (lambda g, w: p.conv_input_grad(g, w, (6, 7), *CONV, 2), (2, 6, 3, 7), (6, 2, 3, 2)),
    "conv_weight_grad": (lambda x, g: p.conv_weight_grad(x, g, (3, 2), *CONV, 2), (2, 4, 6, 7), (2, 6, 3, 7)),
    "strided_write": (lambda x, y: p.strided_write(x, y, (1, 4), 1), (4, 5), (2, 3)),
    "strided_sum": (lambda x: p.strided_sum(x, (3, 3), (1, 2), 1), (2, 3)),
    "strided_view": (lambda x: p.strided_view(x, (2, 2), (1, 3), 2), (4, 3)),
    "strided_write_at": (lambda x, y: p.strided_write_at(x, y, p.constant(1, int64, x.builder), (1, 4)), (4, 5), (2, 3)),
    "strided_view_at": (lambda x: p.strided_view_at(x, p.constant(2, int64, x.builder), (2, 2), (1, 3)), (4, 3)),
    "broadcast_to": (lambda x: p.broadcast_to(x, (2, 3, 4)), (3, 1)),
    "max_pool": (lambda x: p.max_pool(x, (2, 2), (1, 2), (0, 1), (0, 0), (1, 1))[0], (2, 3, 5, 5)),
    "pad": (lambda x: p.pad(x, (1, 0), (-1, 2), (0, 1), 3.0), (3, 4)),
    "sort": (lambda x: p.sort(x, 1, True)[0], (3, 4)),
    "slogdet": (lambda x: torch.linalg.slogdet.op.body(x)[1], (3, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_rules_agree_with_a_loop(name):
    body, *shapes = CASES[name]
    f = recorded(body, len(shapes))
    n = 3
    for mask in {(0,) * len(shapes), (0, None)[:len(shapes)], (None, 0)[-len(shapes):]}:
        if all(d is None for d in mask):
            continue
        xs = [_randn(n, *s) if d == 0 else _randn(*s) for s, d in zip(shapes, mask)]
        expected = torch.stack([f(*[x if d is None else x[i] for x, d in zip(xs, mask)]) for i in range(n)])
        got = torch.vmap(f, in_dims=mask)(*xs)
        assert got.shape == expected.shape
        assert torch.allclose(got, expected, rtol=1e-12, atol=1e-12), mask


@pytest.mark.parametrize("mask", [(0, 0, 0), (0, None, None), (None, 0, None), (None, None, 0)])
@pytest.mark.parametrize("dim", [0, 1])
def test_reading_and_writing_at_positions(mask, dim):
    index = torch.tensor([[0, 2], [1, 0], [2, 2]]) if mask[1] == 0 else torch.tensor([2, 0])
    x = _randn(*(3,) * (mask[0] == 0), 4, 3)
    rows = _randn(*(3,) * (mask[2] == 0), *((2, 3) if dim == 0 else (4, 2)))

    def read(x, i):
        return x.index_select(dim, i)

    def write(x, i, r):
        return x.index_add(dim, i, r), x.index_copy(dim, i, r)
    for f, given in ((read, (x, index)), (write, (x, index, rows))):
        dims = mask[:len(given)]
        if all(d is None for d in dims):
            continue
        got = torch.vmap(f, in_dims=dims)(*given)
        one_by_one = [f(*[v if d is None else v[i] for v, d in zip(given, dims)]) for i in range(3)]
        expected = torch.stack(one_by_one) if f is read else tuple(torch.stack(parts) for parts in zip(*one_by_one))
        for a, b in zip(*[v if isinstance(v, tuple) else (v,) for v in (got, expected)]):
            if f is write and index.ndim == 1:  # a repeated index may be written in either order
                assert torch.equal(a, b)
            else:
                assert a.shape == b.shape


def test_what_is_shared_stays_shared():
    builder = GraphBuilder()
    x, w = builder.input(tensor_type(float64, (2,))), builder.input(tensor_type(float64, (2,)))
    graph = builder.finish([p.mul(x, p.exp(w))])
    batched = batch_graph(graph, (True, False), 5)
    assert [v.type.shape for v in batched.inputs] == [(5, 2), (2,)]
    assert next(node for node in batched.nodes if node.prim.name == "exp").outputs[0].shape == (2,)
    assert batched.outputs[0].shape == (5, 2) and int64 is not float64
