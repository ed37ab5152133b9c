"""Values computed again instead of kept: the same results to the bit, from less memory."""
import numpy as np
import pytest

from flambeau import primitives as p
from flambeau.compiler import rematerialize as r
from flambeau.compiler.executor import CompiledProgram, peak_memory
from flambeau.compiler.legalize import legalize
from flambeau.dtypes import float32
from flambeau.interpret import Interpreter
from flambeau.ir.graph import trace
from flambeau.ir.types import tensor_type

N, LAYERS = 32, 6


def network(residual=False, costly=False):
    """Layers x → x·w, normalized, relu, and what their gradients read, from the last layer to the first."""
    def body(x, *weights):
        kept, one = [], p.full((N, N), 1.0, float32, x.builder)
        for w in weights:
            y = p.dot(x, w, (1,), (0,))
            mean = p.broadcast_to(p.reshape(p.reduce_sum(y, (0,)), (1, N)), (N, N))
            normal = p.mul(p.sub(y, p.mul(mean, one)), 0.5)
            out = p.tanh(normal) if costly else p.maximum(normal, p.mul(one, 0.0))
            kept.append((x, normal, out))
            x = p.add(out, x) if residual else out
        g = x
        grads = []
        for (x, normal, out), w in zip(kept[::-1], weights[::-1]):
            g = p.add(p.mul(g, 0.5), p.mul(out, normal))
            grads.append(p.dot(x, g, (0,), (0,)))
            g = p.dot(g, w, (1,), (1,))
        return [g, *grads]
    return trace(body, [tensor_type(float32, (N, N))] * (1 + LAYERS))[0]


def arrays():
    rng = np.random.default_rng(0)
    return [rng.standard_normal((N, N), np.float32) / 4 for _ in range(1 + LAYERS)]


@pytest.fixture
def everything_is_large(monkeypatch):
    monkeypatch.setattr(r, "LARGE_PROGRAM", 0)
    monkeypatch.setattr(r, "LARGE", N * N * 4)


@pytest.mark.parametrize("residual, share", [(False, 0.8), (True, 0.9)])
def test_the_results_are_the_same_and_the_memory_is_less(residual, share, monkeypatch):
    graph = network(residual)
    kept, arena = CompiledProgram(graph)(arrays()), peak_memory(graph).arena
    monkeypatch.setattr(r, "LARGE_PROGRAM", 0)
    monkeypatch.setattr(r, "LARGE", N * N * 4)
    again = CompiledProgram(graph)(arrays())
    assert peak_memory(graph).arena < share * arena
    for a, b, c in zip(kept, again, Interpreter().prepare(graph)(arrays())):
        np.testing.assert_array_equal(a, b)
        assert np.abs(b - c).max() <= 1e-4 * np.abs(c).max()


def test_what_costs_much_is_kept(everything_is_large):
    names = [node.prim.name for node in legalize(network(costly=True)).nodes]
    assert names.count("tanh") == LAYERS
    assert [node.prim.name for node in legalize(network()).nodes].count("maximum") > LAYERS


def test_long_ways_are_not_gone_again(everything_is_large, monkeypatch):
    """Residual sums reach back to the first layer: somewhere on the way they are kept."""
    whole = len(legalize(network(residual=True)).nodes)
    monkeypatch.setattr(r, "MOST_CALLS", 10 ** 6)
    assert len(legalize(network(residual=True)).nodes) >= whole
    monkeypatch.setattr(r, "MOST_CALLS", 0)
    assert len(legalize(network(residual=True)).nodes) < whole


def test_small_programs_are_left_alone():
    graph = network()
    assert r.rematerialize(graph) is graph
