"""The compiler against the interpreter, on random graphs: shapes with 0, 1, odd and prime sizes, several dtypes, views between
the calls, values that several calls use, and NaN and infinities among the inputs."""
import numpy as np
from hypothesis import HealthCheck, given, settings, strategies as st

from flambeau import dtypes
from flambeau import primitives as p
from flambeau.compiler.executor import CompiledProgram
from flambeau.interpret import Interpreter
from flambeau.ir.graph import GraphBuilder
from flambeau.ir.types import tensor_type

SIZES = st.sampled_from([0, 1, 2, 3, 5, 7, 8, 13, 17, 33])
UNARY = [p.neg, p.absolute, p.relu, p.tanh, p.exp, p.sqrt, p.sin]
BINARY = [p.add, p.sub, p.mul, p.maximum, p.minimum, p.div]
COMPARISONS = [p.lt, p.ge, p.eq]
REDUCTIONS = [p.reduce_sum, p.reduce_max, p.reduce_min]


def pick(draw, values, test=lambda v: True):
    found = [v for v in values if test(v)]
    return draw(st.sampled_from(found)) if found else None


def is_float(v):
    return v.dtype.kind == "f"


def unary(draw, values):
    x = pick(draw, values, is_float)
    return None if x is None else draw(st.sampled_from(UNARY))(x)


def binary(draw, values):
    x = pick(draw, values, is_float)
    if x is None:
        return None
    y = pick(draw, values, lambda v: v.type is x.type)
    return draw(st.sampled_from(BINARY))(x, y)


def choose(draw, values):
    x = pick(draw, values, is_float)
    if x is None:
        return None
    y = pick(draw, values, lambda v: v.type is x.type)
    return p.select(draw(st.sampled_from(COMPARISONS))(x, y), x, p.neg(y))


def broadcast(draw, values):
    x = pick(draw, values, lambda v: is_float(v) and v.ndim < 3)
    return None if x is None else p.broadcast_to(x, (draw(SIZES), *x.shape))


def permuted(draw, values):
    x = pick(draw, values, lambda v: v.ndim >= 2)
    return None if x is None else p.permute(x, draw(st.permutations(range(x.ndim))))


def flattened(draw, values):
    x = pick(draw, values, lambda v: v.ndim >= 2)
    return None if x is None else p.reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:]))


def padded(draw, values):
    x = pick(draw, values, lambda v: is_float(v) and v.ndim >= 1 and v.size)
    if x is None:
        return None
    low = tuple(draw(st.integers(0, 2)) for _ in x.shape)
    high = tuple(draw(st.integers(0, 2)) for _ in x.shape)
    return p.pad(x, low, high)


def joined(draw, values):
    x = pick(draw, values, lambda v: v.ndim >= 1)
    if x is None:
        return None
    y = pick(draw, values, lambda v: v.type is x.type)
    return p.concat([x, y], draw(st.integers(0, x.ndim - 1)))


def reduced(draw, values):
    x = pick(draw, values, lambda v: is_float(v) and v.ndim >= 1 and v.size)
    if x is None:
        return None
    dims = draw(st.sets(st.integers(0, x.ndim - 1), min_size=1))
    return draw(st.sampled_from(REDUCTIONS))(x, tuple(sorted(dims)))


def product(draw, values):
    x = pick(draw, values, lambda v: is_float(v) and v.ndim == 2)
    if x is None:
        return None
    y = pick(draw, values, lambda v: v.dtype is x.dtype and v.ndim == 2 and any(n in x.shape for n in v.shape))
    if y is None:
        return None
    i, j = next((i, j) for i in range(2) for j in range(2) if x.shape[i] == y.shape[j])
    return p.dot(x, y, (i,), (j,), (), ())


STEPS = [unary, unary, binary, binary, choose, broadcast, permuted, flattened, padded, joined, reduced, product]


@st.composite
def graphs(draw):
    builder = GraphBuilder()
    values = []
    dtype = draw(st.sampled_from([dtypes.float32, dtypes.float32, dtypes.float64]))
    shape = tuple(draw(st.lists(SIZES, min_size=0, max_size=3)))
    for _ in range(draw(st.integers(1, 3))):
        values.append(builder.input(tensor_type(dtype, shape)))
    if draw(st.booleans()):
        values.append(builder.input(tensor_type(dtype, tuple(reversed(shape)))))
    for step in draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=8)):
        new = step(draw, values)
        if new is not None and new.size <= 20_000:
            values.append(new)
    outputs = [v for v in values[-3:] if v.node is not None] or [p.neg(values[0])]
    return builder.finish(outputs), draw(st.integers(0, 2 ** 32 - 1)), draw(st.booleans())


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs())
def test_compiler_and_interpreter_agree(case):
    graph, seed, special = case
    rng = np.random.default_rng(seed)
    inputs = []
    for v in graph.inputs:
        a = rng.standard_normal(v.shape).astype(v.dtype.np)
        if special and a.size:
            a.reshape(-1)[rng.integers(a.size)] = rng.choice([np.nan, np.inf, -np.inf, 0.0])
        inputs.append(a)
    with np.errstate(all="ignore"):
        expected = Interpreter().prepare(graph)([a.copy() for a in inputs])
    got = CompiledProgram(graph)(inputs)
    for v, x, y in zip(graph.outputs, got, expected):
        assert x.dtype == y.dtype and x.shape == y.shape
        finite = np.abs(y[np.isfinite(y)]).max(initial=1.0)
        tolerance = (2e-5 if v.dtype is dtypes.float32 else 1e-12) * float(finite)
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=tolerance, equal_nan=True)
