"""A program in two halves computes what it computes as a whole."""
import numpy as np
import pytest

import flambeau as torch
from flambeau import primitives as p
from flambeau.compiler.executor import CompiledProgram
from flambeau.compiler.held import divided
from flambeau.ir.graph import trace
from flambeau.ir.types import tensor_type


def compiled(body, *shapes):
    graph, _ = trace(body, [tensor_type(torch.float32, shape) for shape in shapes])
    return CompiledProgram(graph)


def arrays(program):
    return [np.random.randn(*v.shape).astype(np.float32) for v in program.source.inputs]


def convolutions(x, v, w):
    y = p.conv(x, v, (1, 1), (1, 1), (1, 1), (1, 1), 1)
    return [p.conv(p.relu(y), w, (1, 1), (1, 1), (1, 1), (1, 1), 1)]


def in_halves(halves, inputs):
    held = halves.first([inputs[i] for i in halves.inputs])
    return held, halves.rest([*inputs, *held])


@pytest.mark.parametrize("fixed, shapes", [([1, 2], 2), ([2], 1), ([1], 1)], ids=str)
def test_transformed_filters(fixed, shapes):
    program = compiled(convolutions, (1, 32, 16, 16), (32, 32, 3, 3), (32, 32, 3, 3))
    halves = divided(program, frozenset(fixed))
    assert halves.inputs == fixed
    assert [v.type.shape for v in halves.first.graph.outputs] == [(16, 32, 32)] * shapes
    for _ in range(2):
        inputs = arrays(program)
        _, (result,) = in_halves(halves, inputs)
        assert (result == program(inputs)[0]).all()


def test_what_is_held_in_turn_depends_on_what_is_held():
    def body(x, w):
        return [p.dot(x, p.relu(p.sort(p.cumsum(w, 0), 1)[0]), (1,), (0,))]
    program = compiled(body, (4, 64), (64, 64))
    halves = divided(program, frozenset([1]))
    inputs = arrays(program)
    held, (result,) = in_halves(halves, inputs)
    assert len(held) == 1 and (result == program(inputs)[0]).all()


def test_nothing_is_held_that_is_a_result_or_that_others_compute_in_their_loops():
    def body(x, w):
        turned = p.sort(w, 1)[0]
        return [p.add(x, p.mul(w, w)), turned]
    assert divided(compiled(body, (64, 64), (64, 64)), frozenset([1])) is None


def test_nothing_is_held_that_takes_much_more_memory_than_it_is_made_of():
    def body(x, w):
        wide = p.sort(p.broadcast_to(w, (64, 64)), 1)[0]
        return [p.dot(x, wide, (1,), (0,))]
    assert divided(compiled(body, (4, 64), (64, 1)), frozenset([1])) is None


def test_an_index_out_of_range_is_not_looked_up_before():
    def body(x, w, i):
        rows = p.take(w, p.cast(i, torch.int64), 0)
        return [p.add(x, rows)]
    assert divided(compiled(body, (64, 64), (64, 64), (64,)), frozenset([1, 2])) is None
