"""float16 and bfloat16 in compiled programs: computed in float32 and rounded as the interpreter does."""
import ctypes

import numpy as np
import pytest

from flambeau import primitives as p
from flambeau.compiler import elements
from flambeau.compiler.executor import CompiledProgram
from flambeau.compiler.llvm import emit, jit
from flambeau.compiler.llvm.emit import F32, I16, I64, PTR, Emitter
from flambeau.compiler.llvm.target import host_target, make_target
from flambeau.dtypes import bfloat16, float16, float32, float64, int32, narrow, widen
from flambeau.interpret import Interpreter
from flambeau.ir.graph import GraphBuilder
from flambeau.ir.types import tensor_type

HALF = [float16, bfloat16]


def both(body, *arrays, dtypes):
    """body's results in the interpreter and compiled, as arrays of numbers."""
    builder = GraphBuilder()
    out = body(*[builder.input(tensor_type(d, a.shape)) for a, d in zip(arrays, dtypes)])
    graph = builder.finish(list(out) if isinstance(out, tuple) else [out])
    with np.errstate(over="ignore", invalid="ignore"):
        stored = [narrow(a, d) for a, d in zip(arrays, dtypes)]
    program = CompiledProgram(graph)
    got = program([a.copy() for a in stored])
    want = Interpreter().prepare(graph)(stored)
    kinds = [v.dtype for v in graph.outputs]
    assert all(part.__class__.__name__ == "Segment" for part in program.parts)
    return [(widen(g, d), widen(w, d)) for g, w, d in zip(got, want, kinds)]


def sample(n=1003, scale=3.0, seed=0):
    x = np.random.default_rng(seed).normal(0, scale, n).astype(np.float32)
    x[:12] = [0, -0.0, np.inf, -np.inf, np.nan, 65504, 65519, 65520, 1e-8, 6e-8, -3e-5, 3e38]
    return x


def conversion(fn, source, target_type, target):
    """An array function out of a conversion of vectors."""
    module = emit.new_module(target)
    e = Emitter.define(module, target, "f", [PTR, PTR, I64])
    out, x, n = e.args
    with e.loop(0, n, 4) as i:
        e.store(fn(e, e.load(e.at(x, i, source), emit.vector(source, 4))), e.at(out, i, target_type))
    e.b.ret_void()
    library = jit.load(jit.compile_module(module, target), ["f"])
    return library.function("f", None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


@pytest.mark.parametrize("machine", ["host", "baseline"])
@pytest.mark.parametrize("d", HALF, ids=lambda d: d.name)
def test_every_half_is_read_and_written(d, machine):
    target = host_target() if machine == "host" else make_target("baseline")
    codes = np.arange(1 << 16, dtype=np.uint16)
    numbers = np.empty(codes.size, np.float32)
    conversion(lambda e, v: elements.read(e, v, d), I16, F32, target)(numbers.ctypes.data, codes.ctypes.data, codes.size)
    want = widen(codes.view(d.np), d).astype(np.float32)
    np.testing.assert_array_equal(numbers, want)
    assert np.array_equal(np.signbit(numbers[want == 0]), np.signbit(want[want == 0]))
    # each number, its neighbours in float32, and the middles between halves
    with np.errstate(over="ignore", invalid="ignore"):
        near = np.concatenate([want, np.nextafter(want, np.float32(np.inf)), np.nextafter(want, np.float32(-np.inf)),
                               (want[:-1].astype(np.float64) / 2 + want[1:].astype(np.float64) / 2).astype(np.float32),
                               np.zeros(1, np.float32)])
    out = np.empty(near.size, np.uint16)
    conversion(lambda e, v: elements.write(e, v, d), F32, I16, target)(out.ctypes.data, near.ctypes.data, near.size)
    with np.errstate(over="ignore"):
        expected = narrow(near, d).view(np.uint16)
    number = ~np.isnan(near)
    np.testing.assert_array_equal(out[number], expected[number])
    assert np.isnan(widen(out[~number].view(d.np), d)).all()


@pytest.mark.parametrize("d", HALF, ids=lambda d: d.name)
@pytest.mark.parametrize("name, body", [
    ("arithmetic", lambda x, y: x * y + x - y / 3),
    ("choices", lambda x, y: p.select(p.lt(x, y), p.maximum(x, y), p.neg(y))),
    ("functions", lambda x, y: p.tanh(x) * p.sigmoid(y)),
    ("views", lambda x, y: p.flip(p.pad(x, (2,), (3,)), (0,))),
])
def test_elementwise_programs_give_the_same_bits(d, name, body):
    (got, want), = both(body, sample(), sample(seed=1), dtypes=(d, d))
    if name == "functions":  # the interpreter's tanh may differ in float32's last digit, and so in a rounding
        np.testing.assert_allclose(got, want, rtol=2.0 ** -7 if d is bfloat16 else 2.0 ** -10, atol=1e-7)
    else:
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("d", HALF, ids=lambda d: d.name)
@pytest.mark.parametrize("other", [float32, float64, int32, float16, bfloat16], ids=lambda d: d.name)
def test_casts_give_the_same_bits(d, other):
    x = sample() if other.kind == "f" else np.arange(-500, 503, dtype=np.int32) * 77
    with np.errstate(over="ignore", invalid="ignore"):
        (got, want), = both(lambda v: p.cast(v, d), x.astype(other.wide), dtypes=(other,))
        np.testing.assert_array_equal(got, want)
        (got, want), = both(lambda v: p.cast(v, other), x.astype(np.float32), dtypes=(d,))
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("d", HALF, ids=lambda d: d.name)
def test_sums_are_rounded_once(d):
    x = np.random.default_rng(0).normal(1, 1, (37, 300)).astype(np.float32)
    for dims in ((0,), (1,), (0, 1)):
        (got, want), = both(lambda v: p.reduce_sum(v, dims), x, dtypes=(d,))
        np.testing.assert_allclose(got, want, rtol=2.0 ** -8 if d is bfloat16 else 2.0 ** -11)
        (got, want), = both(lambda v: p.reduce_max(v, dims), x, dtypes=(d,))
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("d", HALF, ids=lambda d: d.name)
def test_products(d):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(33, 40)).astype(np.float32), rng.normal(size=(40, 21)).astype(np.float32)
    (got, want), = both(lambda x, y: p.dot(x, y, (1,), (0,), (), ()), a, b, dtypes=(d, d))
    np.testing.assert_allclose(got, want, rtol=2.0 ** -7 if d is bfloat16 else 2.0 ** -10, atol=1e-2)


@pytest.mark.parametrize("d", HALF, ids=lambda d: d.name)
def test_moving_and_choosing(d):
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    for got, want in both(lambda v: p.max_pool(v, (2, 2), (2, 2), (0, 0), (0, 0), (1, 1)), x, dtypes=(d,)):
        np.testing.assert_array_equal(got, want)
    (got, want), = both(lambda v: p.argmax(v, 2), x, dtypes=(d,))
    np.testing.assert_array_equal(got, want)
    (got, want), = both(lambda v: p.permute(v, (3, 1, 0, 2)) + 0, x, dtypes=(d,))
    np.testing.assert_array_equal(got, want)
