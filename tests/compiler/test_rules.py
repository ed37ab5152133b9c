"""What `rules` puts in the place of other calls, and loads of elements apart: the interpreter's results, in as few steps as meant."""
import numpy as np
import pytest

from flambeau import dtypes
from flambeau import primitives as p
from flambeau.compiler.executor import CompiledProgram
from flambeau.compiler.legalize import legalize
from flambeau.compiler.schedule import Contract, Map, Scheduler
from flambeau.compiler.sharing import signature
from flambeau.compiler.special import SPECIAL
from flambeau.dtypes import float32
from flambeau.interpret import Interpreter
from flambeau.ir.graph import GraphBuilder, trace
from flambeau.ir.types import tensor_type


def steps_of(graph):
    return Scheduler(legalize(graph), SPECIAL).run()


def check(graph):
    """Runs a graph of float inputs by both executors; returns the kinds of its steps."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(v.shape).astype(v.dtype.np) for v in graph.inputs]
    for got, want in zip(CompiledProgram(graph)(arrays), Interpreter().prepare(graph)(arrays)):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    return [type(step) for step in steps_of(graph)]


@pytest.mark.parametrize("shape, strides, offset, steps", [
    ((4, 6, 10), (60, 10, 1), 0, 1),     # the tensor as it is
    ((10, 4, 6), (1, 60, 10), 0, 1),     # permuted
    ((4, 6, 5), (60, 10, 1), 3, 1),      # a slice of the rows
    ((6, 2, 5), (10, 120, 2), 61, 1),    # every second element of some of them, permuted
    ((6, 1, 10), (10, 7, 1), 60, 1),     # a dimension of size 1 may have any stride
    ((4, 12, 5), (60, 5, 1), 0, 2),      # other sizes: a reshape that only memory has
    ((20, 4), (3, 1), 0, 2),             # windows that overlap
    ((3, 8, 10), (60, 10, 1), 0, 2),     # rows that reach into the next
    ((5, 5), (0, 1), 2, 2),              # one row again and again
    ((), (), 7, 1)])
def test_strided_views(shape, strides, offset, steps):
    graph, _ = trace(lambda x: p.strided_view(x * 2, shape, strides, offset) + 1, [tensor_type(float32, (4, 6, 10))])
    assert check(graph) == [Map] * steps


def test_of_a_product_only_the_transpose_is_computed_where_only_that_is_wanted():
    types = [tensor_type(float32, (3, 5, 7)), tensor_type(float32, (3, 7, 11))]

    def product(a, b):
        return p.dot(a, b, (2,), (1,), (0,), (0,))
    assert check(trace(lambda a, b: p.permute(product(a, b), (0, 2, 1)), types)[0]) == [Contract]
    assert check(trace(lambda a, b: p.permute(product(a, b), (2, 0, 1)), types)[0]) == [Contract, Map]

    def both(a, b):
        y = product(a, b)
        return p.permute(y, (0, 2, 1)), p.exp(y)
    assert check(trace(both, types)[0]).count(Contract) == 1


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "bool_"])
@pytest.mark.parametrize("step", [2, 3, 4, 5])
def test_elements_apart(step, dtype):
    d = getattr(dtypes, dtype)
    x = np.random.default_rng(0).integers(0, 2, 200).astype(d.np)
    for n in (1, 7, 8, 9, 40):
        for start in (0, 1):
            stop = start + (n - 1) * step + 1
            graph, _ = trace(lambda v: p.cast(p.slice_dim(v, 0, start, stop, step), float32) * 3, [tensor_type(d, (stop,))])
            got, = CompiledProgram(graph)([x[:stop].copy()])
            np.testing.assert_array_equal(got, x[start:stop:step] * np.float32(3))


def test_what_is_built_again_is_what_would_be_built_at_once():
    """Views that need memory under them, one behind the other, are found round by round."""
    builder = GraphBuilder()
    x = builder.input(tensor_type(float32, (20, 30)))
    first = p.reshape(p.permute(p.exp(x), (1, 0)), (20, 30))
    second = p.reshape(p.permute(first + 1, (1, 0)), (25, 24))
    third = p.reshape(p.permute(second * 2, (1, 0)), (30, 20))
    graph = builder.finish([third + 1, first * 3])
    assert len(check(graph)) > 2
    by_rounds, at_once = Scheduler(graph, SPECIAL), Scheduler(graph, SPECIAL)
    steps = by_rounds.run()
    at_once.forced = set(by_rounds.forced)
    assert [signature(s)[0] for s in steps] == [signature(s)[0] for s in at_once.run()]
