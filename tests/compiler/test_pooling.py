"""Bias and ReLU after max pooling instead of before, where nobody else wants the plane."""
import numpy as np
import pytest

from flambeau import primitives as p
from flambeau.compiler.executor import CompiledProgram
from flambeau.compiler.legalize import legalize
from flambeau.dtypes import float32
from flambeau.interpret import Interpreter
from flambeau.ir.graph import GraphBuilder
from flambeau.ir.types import tensor_type
from flambeau.primitives.base import broadcast_to
from flambeau.primitives.window import _flat_scatter

SHAPE = (2, 3, 10, 36)


def graph_of(bias=(3, 1, 1), relu=True, keeps=None, gradient=True):
    """max_pool(relu(x + bias)) and its gradient. keeps: what is wanted as well, the plane or the places of the maxima."""
    builder = GraphBuilder()
    x, b = builder.input(tensor_type(float32, SHAPE)), builder.input(tensor_type(float32, bias))
    y = x + broadcast_to(b, SHAPE)
    y = p.relu(y) if relu else y
    values, index = p.max_pool(y, (2, 2), (2, 2), (0, 0), (0, 0), (1, 1))
    g = builder.input(values.type)
    wide = _flat_scatter(g, index, SHAPE)
    wide = p.select(p.le(y, 0), 0, wide) if relu else wide
    return builder.finish([values, *[wide] * gradient, *[y] * (keeps == "plane"), *[index] * (keeps == "places")])


@pytest.mark.parametrize("graph, moves", [
    (graph_of(), True), (graph_of(relu=False), True), (graph_of(gradient=False), True), (graph_of(bias=(1,)), True),
    (graph_of(bias=(10, 36)), False), (graph_of(keeps="plane"), False), (graph_of(keeps="places"), False)])
def test_pooling_comes_before(graph, moves):
    names = [n.prim.name for n in legalize(graph).nodes]
    assert (names.index("max_pool") < names.index("add")) == moves
    rng = np.random.default_rng(0)
    arrays = [rng.integers(-4, 4, v.shape).astype(np.float32) for v in graph.inputs]  # exact sums, and maxima that are equal
    arrays[0][0, 0, :2, :4], arrays[0][1, 2, :2, :2] = -9, np.nan
    for got, want in zip(CompiledProgram(graph)(arrays), Interpreter().prepare(graph)(arrays), strict=True):
        np.testing.assert_array_equal(got, want)


def test_values_are_the_same_where_sums_are_rounded():
    graph = graph_of(gradient=False)
    rng = np.random.default_rng(0)
    arrays = [(rng.standard_normal(v.shape) * 10.0 ** rng.integers(-8, 8, v.shape)).astype(np.float32) for v in graph.inputs]
    np.testing.assert_array_equal(CompiledProgram(graph)(arrays)[0], Interpreter().prepare(graph)(arrays)[0])
