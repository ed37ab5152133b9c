"""Equal steps share one body: which steps are equal, and that each works on buffers of its own."""
import numpy as np

from flambeau import primitives as p
from flambeau.compiler.executor import CompiledProgram
from flambeau.compiler.schedule import Scheduler
from flambeau.compiler.sharing import signature
from flambeau.compiler.special import SPECIAL
from flambeau.dtypes import float32, int64
from flambeau.interpret import Interpreter
from flambeau.ir.graph import GraphBuilder
from flambeau.ir.types import tensor_type


def graph_of(body, *types):
    builder = GraphBuilder()
    return builder.finish(body(*[builder.input(t) for t in types]))


def keys(graph):
    return [signature(step)[0] for step in Scheduler(graph, SPECIAL).run()]


VECTOR = tensor_type(float32, (64,))


def test_a_deep_network_has_few_bodies():
    def layers(x, *weights):
        for w in weights:
            x = p.tanh(p.dot(x, w, (1,), (0,)))
        return [x]
    graph = graph_of(layers, *[tensor_type(float32, (32, 32))] * 6)
    assert len(keys(graph)) == 10 and len(set(keys(graph))) == 2
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((32, 32), np.float32) / 6 for _ in range(6)]
    want, = Interpreter().prepare(graph)(arrays)
    np.testing.assert_allclose(CompiledProgram(graph)(arrays)[0], want, rtol=1e-4, atol=1e-6)


def test_what_steps_do_with_one_buffer_twice_is_not_what_they_do_with_two():
    same, other = keys(graph_of(lambda x, y: [p.reduce_sum(p.mul(x, x), (0,)), p.reduce_sum(p.mul(x, y), (0,))], VECTOR, VECTOR))
    assert same != other


def test_constants_are_told_apart_by_their_signs():
    graph = graph_of(lambda x, y: [p.reduce_sum(p.mul(x, 0.0), (0,)), p.reduce_sum(p.mul(y, -0.0), (0,))], VECTOR, VECTOR)
    assert len(set(keys(graph))) == 2


def test_zeros_below_a_scatter_are_part_of_it():
    index = tensor_type(int64, (64,))

    def body(x, i, y):
        zeros = p.full((64,), 0.0, float32, x.builder)
        return [p.scatter(zeros, i, y, 0, "add"), p.scatter(x, i, y, 0, "add")]
    graph = graph_of(body, VECTOR, index, VECTOR)
    scatters = [signature(s)[0] for s in Scheduler(graph, SPECIAL).run() if type(s).__name__ == "Special"]
    assert len(set(scatters)) == 2
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(64, np.float32), rng.integers(0, 64, 64), rng.standard_normal(64, np.float32)]
    for got, want in zip(CompiledProgram(graph)(arrays), Interpreter().prepare(graph)(arrays)):
        np.testing.assert_allclose(got, want, rtol=1e-6)
