"""Batching: the graph that does for n examples at once what a graph does for one.

Each primitive has one rule. A rule gets its operands with the examples along a new first dimension, or, where all examples
share an operand, as it is (`batched` says which); its results all have that dimension. Rules that need nothing special are
made by `shared_are_repeated`, which lets each example have its own copy of what was shared: broadcasting costs no memory.
"""
from __future__ import annotations

from math import prod
from typing import Any, Callable, Sequence

from ..ir.graph import Graph, GraphBuilder, Node, Var
from ..ir.types import tensor_type
from .base import PRIMITIVES, Primitive, broadcast_to
from .contraction import conv, conv_input_grad, conv_weight_grad, dot
from .random import random_bits, random_permutation
from .shape import bitcast, concat, permute, reshape

Rule = Callable[..., Any]  # rule(n, batched, operands, *params) -> output, or outputs as a tuple

RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enters a rule for the primitives with these names."""
    def enter(fn: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, fn))
        return fn
    return enter


def repeated(n: int, x: Var) -> Var:
    """x, which all examples share, as a batch of n."""
    return broadcast_to(x, (n, *x.shape))


def _all_batched(n: int, batched: Sequence[bool], xs: Sequence[Var]) -> list[Var]:
    return [x if b else repeated(n, x) for x, b in zip(xs, batched)]


def shared_are_repeated(fn: Callable[..., Any]) -> Rule:
    """A rule from fn(n, operands, *params), where every operand is batched."""
    return lambda n, batched, xs, *params: fn(n, _all_batched(n, batched, xs), *params)


def _later(dims: Sequence[int]) -> tuple[int, ...]:
    return tuple(d + 1 for d in dims)


def _same_call(name: str, params: Callable[..., tuple] = lambda n, xs, *params: params) -> None:
    """A rule that calls the same primitive on batches; params(n, operands, *params) gives its parameters."""
    RULES[name] = shared_are_repeated(lambda n, xs, *given: PRIMITIVES[name](xs, *params(n, xs, *given)))


for _name in ("no_derivative", "frexp"):
    _same_call(_name)

# Primitives that name dimensions in their parameters
for _name in ("reduce_sum", "reduce_prod", "reduce_max", "reduce_min", "flip"):
    _same_call(_name, lambda n, xs, dims: (_later(dims),))
for _name in ("argmax", "argmin", "cumsum", "cumprod", "cummax", "cummin", "logcumsumexp"):
    _same_call(_name, lambda n, xs, dim: (dim + 1,))
_same_call("concat", lambda n, xs, dim: (dim + 1,))
_same_call("sort", lambda n, xs, dim, descending: (dim + 1, descending))
_same_call("gather", lambda n, xs, dim: (dim + 1,))
_same_call("scatter", lambda n, xs, dim, mode: (dim + 1, mode))
_same_call("fft_c2c", lambda n, xs, dims, scale, forward: (_later(dims), scale, forward))
_same_call("fft_r2c", lambda n, xs, dim, *rest: (dim + 1, *rest))
_same_call("fft_c2r", lambda n, xs, dim, *rest: (dim + 1, *rest))

# Primitives that name sizes
_same_call("reshape", lambda n, xs, shape: ((n, *shape),))
_same_call("permute", lambda n, xs, perm: ((0, *_later(perm)),))
_same_call("slice", lambda n, xs, starts, stops, steps: ((0, *starts), (n, *stops), (1, *steps)))
_same_call("pad", lambda n, xs, low, high, inner, value: ((0, *low), (0, *high), (0, *inner), value))
_same_call("strided_view", lambda n, xs, shape, strides, offset: ((n, *shape), (xs[0].size // n, *strides), offset))
_same_call("strided_write", lambda n, xs, strides, offset: ((xs[0].size // n, *strides), offset))
_same_call("strided_sum", lambda n, xs, shape, strides, offset: ((n, *shape), (prod(shape), *strides), offset))


@rule("strided_view_at", "strided_write_at")
def _strided_at(n, batched, xs, *params):
    *arrays, at = xs  # a number of the user's program, which all examples share
    arrays = _all_batched(n, batched, arrays)
    *shape, strides = params
    return PRIMITIVES["strided_view_at" if shape else "strided_write_at"]((*arrays, at), *[(n, *s) for s in shape],
                                                                          (arrays[0].size // n, *strides))


@rule("broadcast_to")
def _broadcast(n, batched, xs, shape):
    x = xs[0]
    lead = len(shape) - (x.ndim - 1)
    return broadcast_to(reshape(x, (n, *(1,) * lead, *x.shape[1:])), (n, *shape))


@rule("bitcast")
def _bitcast(n, batched, xs, dt, source):
    flat = bitcast(xs[0], dt)
    return reshape(flat, (n, flat.size // n))


# ------------------------------------------------------------------ reading and writing at positions

@rule("take")
def _take(n, batched, xs, dim):
    x, index = xs
    take = PRIMITIVES["take"]
    if not batched[1]:
        return take((x, index), dim + 1)
    if not batched[0]:
        out = take((x, index), dim)
        return permute(out, (dim, *range(dim), *range(dim + 1, out.ndim)))
    flat, spread = _index_of_all(n, index, x.shape[1:], dim)
    out = PRIMITIVES["gather"]((x, spread), dim + 1)
    return reshape(out, (n, *x.shape[1:dim + 1], *flat, *x.shape[dim + 2:]))


def _index_of_all(n: int, index: Var, shape: tuple[int, ...], dim: int) -> tuple[tuple[int, ...], Var]:
    """(the shape of one example's index, the index as gather and scatter want it: repeated in the other dimensions)."""
    own = index.shape[1:]
    k = prod(own)
    column = reshape(index, (n, *(1,) * dim, k, *(1,) * (len(shape) - dim - 1)))
    return own, broadcast_to(column, (n, *shape[:dim], k, *shape[dim + 1:]))


@rule("put")
def _put(n, batched, xs, dim, mode):
    if not batched[1]:
        x, source = _all_batched(n, (batched[0], batched[2]), (xs[0], xs[2]))
        return PRIMITIVES["put"]((x, xs[1], source), dim + 1, mode)
    x, index, source = _all_batched(n, batched, xs)
    own, spread = _index_of_all(n, index, x.shape[1:], dim)
    return PRIMITIVES["scatter"]((x, spread, reshape(source, spread.shape)), dim + 1, mode)


@rule("searchsorted")
def _searchsorted(n, batched, xs, right):
    edges, values = xs
    search = PRIMITIVES["searchsorted"]
    if edges.ndim - batched[0] == 1:  # one row of edges for all values of an example
        if not batched[0]:
            return search((edges, values), right)
        edges, values = _all_batched(n, batched, xs)
        return reshape(search((edges, reshape(values, (n, values.size // n))), right), values.shape)
    return search(_all_batched(n, batched, xs), right)


# ------------------------------------------------------------------ contractions

@rule("dot")
def _dot(n, batched, xs, ca, cb, ba, bb):
    a, b = xs
    left, right = batched
    if left:
        ca, ba = _later(ca), _later(ba)
    if right:
        cb, bb = _later(cb), _later(bb)
    if left and right:
        return dot(a, b, ca, cb, (0, *ba), (0, *bb))
    out = dot(a, b, ca, cb, ba, bb)
    # a lone batch dimension is the first of its operand's free ones
    at = len(ba) if left else out.ndim - (b.ndim - len(cb) - len(bb))
    return permute(out, (at, *range(at), *range(at + 1, out.ndim)))


def _merge(x: Var, dim: int) -> Var:
    """Batched x with the examples and its dimension `dim` (of one example) as one, the examples slower."""
    perm = (*_later(range(dim)), 0, *range(dim + 1, x.ndim))
    shape = x.shape[1:]
    return reshape(permute(x, perm), (*shape[:dim], x.shape[0] * shape[dim], *shape[dim + 1:]))


def _split(x: Var, dim: int, n: int) -> Var:
    """The inverse of `_merge`."""
    shape = (*x.shape[:dim], n, x.shape[dim] // n, *x.shape[dim + 1:])
    return permute(reshape(x, shape), (dim, *range(dim), *range(dim + 1, len(shape))))


def _merge_grouped(x: Var, dim: int, groups: int) -> Var:
    """`_merge` of a channel dimension that is made of groups, which stay the slowest."""
    shape = x.shape[1:]
    x = reshape(x, (x.shape[0], *shape[:dim], groups, shape[dim] // groups, *shape[dim + 1:]))
    merged = _merge(x, dim + 1)
    return reshape(merged, (*shape[:dim], x.shape[0] * shape[dim], *shape[dim + 1:]))


def _split_grouped(x: Var, dim: int, n: int, groups: int) -> Var:
    """The inverse of `_merge_grouped`."""
    shape = x.shape
    x = _split(reshape(x, (*shape[:dim], groups, shape[dim] // groups, *shape[dim + 1:])), dim + 1, n)
    return reshape(x, (n, *shape[:dim], shape[dim] // n, *shape[dim + 1:]))


# Examples go where a convolution has a dimension for them: with both operands batched each example is a group of its own,
# with one batched they are more of its samples (N), output channels (O) or input channels (C).

@rule("conv")
def _conv(n, batched, xs, *params):
    x, w = xs
    *geometry, groups = params
    if batched[0] and batched[1]:  # (N, n·C), (n·O, C/groups) → (N, n·O)
        return _split(conv(_merge(x, 1), _merge(w, 0), *geometry, n * groups), 1, n)
    if batched[0]:
        return _split(conv(_merge(x, 0), w, *params), 0, n)
    return _split_grouped(conv(x, _merge_grouped(w, 0, groups), *params), 1, n, groups)


@rule("conv_input_grad")
def _conv_input_grad(n, batched, xs, size, *params):
    g, w = xs
    *geometry, groups = params
    if batched[0] and batched[1]:
        return _split(conv_input_grad(_merge(g, 1), _merge(w, 0), size, *geometry, n * groups), 1, n)
    if batched[0]:
        return _split(conv_input_grad(_merge(g, 0), w, size, *params), 0, n)
    return _split_grouped(conv_input_grad(g, _merge(w, 1), size, *params), 1, n, groups)


@rule("conv_weight_grad")
def _conv_weight_grad(n, batched, xs, kernel, *params):
    x, g = xs
    *geometry, groups = params
    if batched[0] and batched[1]:
        return _split(conv_weight_grad(_merge(x, 1), _merge(g, 1), kernel, *geometry, n * groups), 0, n)
    if batched[0]:
        return _split(conv_weight_grad(_merge_grouped(x, 1, groups), g, kernel, *params), 1, n)
    return _split_grouped(conv_weight_grad(x, _merge_grouped(g, 1, groups), kernel, *params), 0, n, groups)


# ------------------------------------------------------------------ pooling, CTC: examples are more samples

def _more_samples(name: str) -> None:
    def apply(n, batched, xs, *params):
        outs = PRIMITIVES[name]((_merge(xs[0], 0),), *params)
        return tuple(_split(o, 0, n) for o in outs) if isinstance(outs, tuple) else _split(outs, 0, n)
    RULES[name] = apply


for _name in ("max_pool", "window_sum", "window_spread"):
    _more_samples(_name)


@rule("ctc")
@shared_are_repeated
def _ctc(n, xs, *params):
    log_probs, *rest = xs
    loss, grad = PRIMITIVES["ctc"]((_merge(log_probs, 1), *[_merge(x, 0) for x in rest]), *params)
    return _split(loss, 0, n), _split(grad, 1, n)


# ------------------------------------------------------------------ random numbers: each example draws its own

@rule("random_bits")
def _random_bits(n, batched, xs, k):
    bits, state = random_bits(xs[0], n * k)
    return reshape(bits, (n, k)), state


@rule("random_permutation")
def _random_permutation(n, batched, xs, k):
    state, orders = xs[0], []
    for _ in range(n):
        order, state = random_permutation(state, k)
        orders.append(reshape(order, (1, k)))
    return concat(orders, 0), state


@rule("random_poisson")
def _random_poisson(n, batched, xs):
    return PRIMITIVES["random_poisson"]((xs[0], xs[1] if batched[1] else repeated(n, xs[1])))


@rule("random_binomial")
def _random_binomial(n, batched, xs):
    return PRIMITIVES["random_binomial"]((xs[0], *_all_batched(n, batched[1:], xs[1:])))


# ------------------------------------------------------------------ graphs

def rule_of(primitive: Primitive) -> Rule:
    """A primitive's rule. Those that work element by element, or matrix by matrix on the last two dimensions, need none of
    their own."""
    name = primitive.name
    if name not in RULES and (primitive.kind in ("elementwise", "composite") or name.startswith("linalg_")):
        _same_call(name)
    return RULES[name]



def batch_graph(graph: Graph, batched: Sequence[bool], n: int, independent: bool = False) -> Graph:
    """`graph` for n examples: the inputs marked by `batched`, and all outputs, get a first dimension of n.

    independent: whether draws of random numbers give each example numbers of its own; outputs that are states of a
    generator then stay single.
    """
    builder = GraphBuilder()
    env: dict[Var, tuple[Var, bool]] = {}
    for v, b in zip(graph.inputs, batched):
        t = v.type
        env[v] = builder.input(tensor_type(t.dtype, (n, *t.shape)) if b else t), b
    states: set[Var] = set()
    for node in graph.nodes:
        outs, flags = _batch_node(node, [env[v] for v in node.inputs], n, independent, builder)
        if node.prim.kind == "random":
            states.add(node.outputs[1])
        env.update(zip(node.outputs, zip(outs, flags)))
    outputs = [env[v][0] if env[v][1] or independent and v in states else repeated(n, env[v][0]) for v in graph.outputs]
    return builder.finish(outputs)


def _batch_node(node: Node, operands: list[tuple[Var, bool]], n: int, independent: bool,
                builder: GraphBuilder) -> tuple[Sequence[Var], Sequence[bool]]:
    xs, flags = [x for x, _ in operands], [b for _, b in operands]
    draws = independent and node.prim.kind == "random"
    if not any(flags) and not draws:
        outs = builder.call(node.prim, tuple(xs), node.params, [o.type for o in node.outputs])
        return outs, [False] * len(outs)
    result = rule_of(node.prim)(n, flags, xs, *node.params)
    outs = result if isinstance(result, tuple) else (result,)
    return outs, [True, False] if draws else [True] * len(outs)
