"""Which loops become one, and what need not lie in memory."""
from itertools import product
from math import prod

import numpy as np
import pytest

import flambeau as torch
from flambeau import primitives as p
from flambeau.compiler.affine import Affine
from flambeau.compiler.executor import CompiledProgram
from flambeau.compiler.schedule import Scheduler, _are_apart
from flambeau.compiler.special import SPECIAL
from flambeau.dtypes import float32, int64
from flambeau.interpret import Interpreter
from flambeau.ir.graph import GraphBuilder
from flambeau.ir.types import tensor_type


def kinds(graph):
    return [type(step).__name__ for step in Scheduler(graph, SPECIAL).run()]


def assert_interpreted_alike(graph):
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 5, v.shape) if v.dtype is int64 else rng.standard_normal(v.shape, np.float32) for v in graph.inputs]
    for got, want in zip(CompiledProgram(graph)(arrays), Interpreter().prepare(graph)(arrays)):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dim", [0, 1])
def test_parts_of_one_result_are_one_loop(dim):
    builder = GraphBuilder()
    x, y = [builder.input(tensor_type(float32, (20, 16))) for _ in range(2)]
    graph = builder.finish([p.concat([p.mul(x, y), p.add(x, y), p.sub(x, y)], dim)])
    assert kinds(graph) == ["Map"]
    assert_interpreted_alike(graph)


def test_a_write_over_a_part_comes_after_what_it_overwrites():
    builder = GraphBuilder()
    x, y = [builder.input(tensor_type(float32, (20, 16))) for _ in range(2)]
    graph = builder.finish([p.strided_write(x, y, (16, -1), 15)])
    assert kinds(graph) == ["Map"] * 2
    assert_interpreted_alike(graph)


@pytest.mark.parametrize("primitive", [p.put, p.scatter])
def test_zeros_that_values_are_put_into_are_not_stored(primitive):
    builder = GraphBuilder()
    index, x = builder.input(tensor_type(int64, (6,))), builder.input(tensor_type(float32, (6,)))
    zeros = p.broadcast_to(p.full((), 0.0, float32, builder), (9,))
    graph = builder.finish([primitive(zeros, index, x, 0, "add")])
    assert kinds(graph) == ["Special"]
    assert_interpreted_alike(graph)


@pytest.mark.parametrize("distance", range(14))
def test_places_are_apart(distance):
    for domain, steps in [((3, 2), (6, 1)), ((2, 3), (1, 4)), ((2, 2, 2), (8, 3, 1)), ((1, 4), (5, 2)), ((), ())]:
        a, b = Affine(1, steps), Affine(1 + distance, steps)
        places = [{m.constant + sum(c * i for c, i in zip(steps, at)) for at in product(*map(range, domain))} for m in (a, b)]
        if _are_apart(domain, a, b):
            assert places[0].isdisjoint(places[1])
    assert _are_apart((3, 2), Affine(0, (6, 1)), Affine(distance, (6, 1))) == (distance in (2, 3, 4))


def test_single_numbers_do_not_keep_loops_apart():
    """An optimizer's first loop is followed by a number that the next one wants, and a number that a loop makes stays after it."""
    builder = GraphBuilder()
    x, y, rate = [builder.input(tensor_type(float32, s)) for s in ((40,), (40,), ())]
    moved = p.mul(x, y)
    square = p.mul(rate, rate)
    halved = p.sub(y, p.mul(moved, p.broadcast_to(square, (40,))))
    first = p.reshape(p.slice_dim(moved, 0, 0, 1), ())
    scaled = p.mul(first, rate)
    graph = builder.finish([moved, square, halved, scaled, p.add(halved, p.broadcast_to(scaled, (40,)))])
    steps = Scheduler(graph, SPECIAL).run()
    assert [(step.domain, len(step.stores)) for step in steps] == [((), 1), ((40,), 2), ((), 1), ((40,), 1)]
    assert_interpreted_alike(graph)


@pytest.mark.parametrize("low, high", [((0, 0, 1), (0, 0, 1)), ((0, 2, 0), (0, 1, 3)), ((1, 0, 19), (2, 3, 0)), ((0, -1, 2), (0, 1, -3)),
                                       ((0, 1, 0), (0, 0, 0))])
@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 1, 40), (1, 3, 16), (1, 1, 7), (4, 3, 1)])
def test_padding_is_written_between_the_rows(shape, low, high):
    builder = GraphBuilder()
    x = builder.input(tensor_type(float32, shape))
    y = p.add(x, x)
    graph = builder.finish([p.pad(y, low, high, value=-2.5), p.neg(y)])
    assert_interpreted_alike(graph)
    rows = [n + min(a, 0) + min(b, 0) for n, a, b in zip(shape, low, high)]
    between = rows[0] * max(rows[1], 0) > 1 < rows[2] < shape[2] + low[2] + high[2]
    assert between == ("Fill" not in kinds(graph) and prod(rows) < prod(n + a + b for n, a, b in zip(shape, low, high)))


def test_padding_in_many_chunks():
    """The rows of a chunk bring the padding before them along, and the last one's what comes after."""
    builder = GraphBuilder()
    x = builder.input(tensor_type(float32, (50, 31, 60)))
    graph = builder.finish([p.pad(x, (1, 2, 3), (1, 1, 1), value=1.0), p.exp(x)])
    assert kinds(graph) == ["Map"]
    arrays = [np.zeros((50, 31, 60), np.float32)]
    program, before = CompiledProgram(graph), torch.get_num_threads()
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            padded, _ = program(arrays)
            assert padded.sum() == padded.size - arrays[0].size
    finally:
        torch.set_num_threads(before)
