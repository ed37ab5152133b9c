"""Sorting, scans, pooling and long reductions in machine code, against the interpreter."""
from math import prod

import numpy as np
import pytest

from flambeau import primitives as p
from flambeau.compiler.executor import CompiledProgram
from flambeau.compiler.legalize import legalize
from flambeau.dtypes import bfloat16, bool_, float16, float32, float64, int8, int16, int64, narrow, uint8, widen
from flambeau.interpret import Interpreter
from flambeau.ir.graph import GraphBuilder
from flambeau.ir.types import tensor_type
from flambeau.primitives.window import window_spread, window_sum

DTYPES = [float32, float64, bfloat16, float16, int8, uint8, int16, int64, bool_]
SHAPES = [(5, 7), (3, 40, 6), (2, 300), (1, 1), (33,)]


def graph_of(body, *types):
    builder = GraphBuilder()
    out = body(*[builder.input(t) for t in types])
    return builder.finish(list(out) if isinstance(out, tuple) else [out])


def compare(body, x, d, exact=True):
    """body's results in machine code are the interpreter's; nothing is left to the interpreter's kernels."""
    graph = graph_of(body, tensor_type(d, x.shape))
    stored = narrow(x, d)
    program = CompiledProgram(graph)
    assert all(part.__class__.__name__ == "Segment" for part in program.parts)
    want = Interpreter().prepare(graph)([stored])
    for g, w, v in zip(program([stored.copy()]), want, graph.outputs):
        g, w = widen(g, v.dtype), widen(w, v.dtype)
        if exact:
            np.testing.assert_array_equal(g, w)
        else:
            np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-4)


def compare_calls(body, types, arrays):
    """The same for several operands."""
    graph = graph_of(body, *types)
    program = CompiledProgram(graph)
    assert all(part.__class__.__name__ == "Segment" for part in program.parts)
    for g, w in zip(program([a.copy() for a in arrays]), Interpreter().prepare(graph)(arrays)):
        np.testing.assert_array_equal(g, w)


def values(shape, d, nan=True):
    """Numbers with ties; where they can be, zeros of both signs, infinities and NaNs among them."""
    x = np.random.default_rng(0).normal(0, 20, shape)
    if d.kind == "f":
        flat = x.reshape(-1)
        flat[::5], flat[1::9], flat[2::9] = 3.5, 0.0, -0.0
        if nan:
            flat[3::11], flat[4::17] = np.nan, np.inf
        return x.astype(d.wide)
    return np.abs(x).astype(d.np) if d.kind in "ub" else x.astype(d.np)


@pytest.mark.parametrize("d", DTYPES, ids=lambda d: d.name)
@pytest.mark.parametrize("descending", [False, True])
def test_sort(d, descending):
    for shape in SHAPES:
        for dim in range(len(shape)):
            compare(lambda v: p.sort(v, dim, descending), values(shape, d), d)


@pytest.mark.parametrize("d", [float32, float64, bfloat16, int16, int64], ids=lambda d: d.name)
@pytest.mark.parametrize("descending", [False, True])
def test_the_first_places_of_a_sort_are_found_without_sorting(d, descending):
    def body(v):
        places = p.sort(v, 1, descending)[1]
        return p.slice_dim(places, 1, 0, 5), p.slice_dim(places, 1, 2, 3)
    x = values((4, 60, 3), d)
    compare(body, x, d)
    graph = legalize(graph_of(body, tensor_type(d, x.shape)))
    assert "top" in [n.prim.name for n in graph.nodes] and "sort" not in [n.prim.name for n in graph.nodes]


def test_sorted_values_need_the_whole_sort():
    for body in (lambda v: p.slice_dim(p.sort(v, 0)[0], 0, 0, 3), lambda v: p.slice_dim(p.sort(v, 0)[1], 0, 0, 60)):
        graph = legalize(graph_of(body, tensor_type(float32, (99,))))
        assert "sort" in [n.prim.name for n in graph.nodes]
        compare(body, values((99,), float32), float32)


@pytest.mark.parametrize("d", [float32, float64, bfloat16, float16, int16, int64], ids=lambda d: d.name)
@pytest.mark.parametrize("scan", [p.cumsum, p.cumprod, p.cummax, p.cummin], ids=lambda f: f.__name__)
def test_scans(d, scan):
    for shape in SHAPES:
        for dim in range(len(shape)):
            x = values(shape, d)
            if scan is p.cumprod:
                x = np.sign(x) if d.kind == "f" else np.clip(x, -1, 1)
            exact = scan in (p.cummax, p.cummin) or d.kind == "i"
            with np.errstate(invalid="ignore"):
                compare(lambda v: scan(v, dim), x, d, exact)


@pytest.mark.parametrize("d", [float32, float64], ids=lambda d: d.name)
def test_log_of_running_sums_of_exponentials(d):
    for shape in SHAPES:
        for dim in range(len(shape)):
            compare(lambda v: p.logcumsumexp(v, dim), values(shape, d), d, exact=False)
    x = np.full((3, 4), -np.inf, d.np)
    x[1, 2] = 1
    compare(lambda v: p.logcumsumexp(v, 0), x, d, exact=False)


@pytest.mark.parametrize("d", [float32, bfloat16, int64], ids=lambda d: d.name)
@pytest.mark.parametrize("window, stride, low, high", [((2, 2), (2, 2), (0, 0), (0, 0)), ((3, 2), (1, 3), (1, 0), (1, 1)), ((3, 3), (2, 2), (1, 1), (2, 1))])
def test_window_sums(d, window, stride, low, high):
    x = np.round(values((2, 3, 9, 11), d, nan=False))
    compare(lambda v: window_sum(v, window, stride, low, high), x, d, exact=False)


@pytest.mark.parametrize("size", [(8, 9), (9, 10)])
def test_window_spread_without_overlap(size):
    x = values((2, 3, 4, 3), float32, nan=False)
    compare(lambda v: window_spread(v, size, (2, 3), (2, 3), (0, 0), (0, 0)), x, float32)


@pytest.mark.parametrize("d", [float32, bfloat16, int64], ids=lambda d: d.name)
@pytest.mark.parametrize("shape, dims", [((1 << 18,), (0,)), ((512, 600), (0, 1)), ((4096, 48), (0,)), ((2, 3, 211 * 211), (2,))])
def test_long_reductions_are_cut_into_parts(d, shape, dims):
    x = np.random.default_rng(1).integers(-2, 3, shape).astype(d.wide)
    for reduce in (p.reduce_sum, p.reduce_max, p.reduce_min):
        compare(lambda v: reduce(v, dims), x, d)
    nodes = legalize(graph_of(lambda v: p.reduce_sum(v, dims), tensor_type(d, shape))).nodes
    assert sum(n.prim.name == "reduce_sum" for n in nodes) == (1 if 211 * 211 in shape else 2)


def test_padding_that_crops_as_much_as_it_adds():
    compare(lambda v: p.pad(v, (0, 1), (0, -1), value=0.5), values((3, 4), float32), float32)


@pytest.mark.parametrize("d", [float32, bfloat16, int8, uint8, int64], ids=lambda d: d.name)
@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("edges, shape", [((7,), (3, 5)), ((8,), ()), ((2, 16), (2, 9)), ((1,), (4,)), ((300,), (40,))], ids=str)
def test_searchsorted(d, right, edges, shape):
    x = values((prod(edges) + prod(shape),), d)
    rows = np.sort(x[:prod(edges)].reshape(edges), axis=-1)
    wanted = x[prod(edges):].reshape(shape)
    types = [tensor_type(d, v.shape) for v in (rows, wanted)]
    compare_calls(lambda a, b: p.searchsorted(a, b, right), types, [narrow(rows, d), narrow(wanted, d)])


@pytest.mark.parametrize("d", [int8, uint8, int16, int64], ids=lambda d: d.name)
@pytest.mark.parametrize("name", ["div", "floor_divide", "remainder", "fmod"])
def test_division_of_integers(d, name):
    x = values((9, 40), d)
    x[0, 0], y = np.iinfo(d.np).min, np.roll(values((9, 40), d), 7)
    y[y == 0] = 3
    y[0, 1:] = y[0, 1:] if d is uint8 else -1
    x[0, 1] = np.iinfo(d.np).min + 1
    types = [tensor_type(d, x.shape)] * 2
    compare_calls(getattr(p, name), types, [x, y])
    y[8, 3] = 0
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        CompiledProgram(graph_of(getattr(p, name), *types))([x, y])


@pytest.mark.parametrize("reduce", [p.reduce_sum, p.reduce_prod, p.reduce_max, p.reduce_min], ids=lambda f: f.__name__)
@pytest.mark.parametrize("dims", [(0,), (1,), (0, 2)], ids=str)
def test_reductions_of_booleans(reduce, dims):
    x = np.random.default_rng(1).random((3, 4, 5)) < 0.7
    compare(lambda v: reduce(v, dims), x, bool_)


@pytest.mark.parametrize("mode", ["add", "mul", "max", "min"])
@pytest.mark.parametrize("write", [p.put, p.scatter])
def test_truths_written_to_one_place(mode, write):
    """Two of them, which a sum of bits would take for none."""
    graph = graph_of(lambda x, i, v: write(x, i, v, 0, mode), *[tensor_type(d, (n,)) for d, n in ((bool_, 6), (int64, 12), (bool_, 12))])
    inputs = [np.arange(6) > 2, np.arange(12) % 6, np.array([1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 0], bool)]
    got, = CompiledProgram(graph)([a.copy() for a in inputs])
    np.testing.assert_array_equal(got, Interpreter().prepare(graph)(inputs)[0])
    assert set(got.tolist()) == {False, True}
