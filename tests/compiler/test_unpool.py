"""The gradient of max pooling where windows tile the plane: one kernel, equal to scattering."""
import numpy as np
import pytest

from flambeau import primitives as p
from flambeau.compiler.executor import CompiledProgram
from flambeau.compiler.legalize import legalize
from flambeau.dtypes import float32, float64
from flambeau.interpret import Interpreter
from flambeau.ir.graph import GraphBuilder
from flambeau.ir.types import tensor_type
from flambeau.primitives.window import _flat_scatter


def graph_of(shape, window, stride=None, low=None, dtype=float32, flat=False):
    """The gradient that arrives has the pooled shape, or one of a layer that flattens."""
    builder, nd = GraphBuilder(), len(window)
    x = builder.input(tensor_type(dtype, shape))
    low = low or (0,) * nd
    values, index = p.max_pool(x, window, stride or window, low, low, (1,) * nd)
    g = builder.input(tensor_type(dtype, (shape[0], values.size // shape[0]) if flat else values.shape))
    return builder.finish([values, _flat_scatter(p.reshape(g, values.shape), index, shape)])


def check(graph, unpools):
    assert ("unpool" in [n.prim.name for n in legalize(graph).nodes]) == unpools
    rng = np.random.default_rng(0)
    # few values: the first of equal ones is the maximum
    arrays = [rng.integers(0, 3, v.shape).astype(v.dtype.name) if i == 0 else rng.standard_normal(v.shape).astype(v.dtype.name)
              for i, v in enumerate(graph.inputs)]
    for got, want in zip(CompiledProgram(graph)(arrays), Interpreter().prepare(graph)(arrays)):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("shape, window", [
    ((2, 3, 28, 28), (2, 2)), ((1, 2, 10, 10), (2, 2)), ((3, 1, 6, 64), (3, 2)), ((2, 2, 34), (2,)), ((2, 2, 4, 6, 70), (2, 3, 2)),
    ((2, 3, 8, 5), (4, 1)), ((1, 1, 2, 2), (2, 2)), ((2, 1, 4, 66), (2, 2)),
])
@pytest.mark.parametrize("dtype", [float32, float64])
@pytest.mark.parametrize("flat", [False, True])
def test_windows_that_tile(shape, window, dtype, flat):
    check(graph_of(shape, window, dtype=dtype, flat=flat), True)


@pytest.mark.parametrize("shape, window, stride, low", [
    ((2, 3, 9, 10), (2, 2), None, None), ((2, 3, 10, 10), (3, 3), (2, 2), None), ((2, 3, 10, 10), (2, 2), None, (1, 1)),
    ((2, 3, 9, 9), (3, 3), None, None),
])
def test_other_windows_scatter(shape, window, stride, low):
    check(graph_of(shape, window, stride, low), False)


def relu_graph(bound=0, kept=False, of_input=False):
    """The gradient of max_pool(relu(x)): relu's is asked of its result, as the VJP does."""
    builder, shape = GraphBuilder(), (2, 3, 10, 36)
    x = builder.input(tensor_type(float32, shape))
    y = p.relu(x)
    values, index = p.max_pool(y, (2, 2), (2, 2), (0, 0), (0, 0), (1, 1))
    g = builder.input(values.type)
    wide = _flat_scatter(g, index, shape)
    masked = p.select(p.le(x if of_input else y, bound), 0, wide)
    return builder.finish([values, masked, *[wide] * kept])


@pytest.mark.parametrize("graph, moves", [(relu_graph(), True), (relu_graph(kept=True), False), (relu_graph(bound=1), False),
                                          (relu_graph(of_input=True), False)])
def test_relu_masks_what_is_unpooled_before(graph, moves):
    names = [n.prim.name for n in legalize(graph).nodes]
    assert (names.index("select") < names.index("unpool")) == moves
    rng = np.random.default_rng(0)
    x, g = rng.integers(-3, 3, graph.inputs[0].shape).astype(np.float32), rng.standard_normal(graph.inputs[1].shape).astype(np.float32)
    x[0, 0, :2, :4], x[0, 1, 0, 0], x[1, 2, :2, :2] = -1, np.nan, np.nan
    for got, want in zip(CompiledProgram(graph)([x, g]), Interpreter().prepare(graph)([x, g]), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("places, source", [((1, 1, 50), (1, 1, 50)), ((1, 2, 25), (1, 2, 40))])
def test_other_scatters_at_the_places_of_maxima(places, source):
    """All places in the first channel; or a source of which only a part is added."""
    builder = GraphBuilder()
    x = builder.input(tensor_type(float32, (1, 2, 10, 10)))
    values, index = p.max_pool(x, (2, 2), (2, 2), (0, 0), (0, 0), (1, 1))
    g = builder.input(tensor_type(float32, source))
    check(builder.finish([values, p.scatter(p.full((1, 2, 100), 0, float32, builder), p.reshape(index, places), g, 2, "add")]), False)
