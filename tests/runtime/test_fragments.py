"""Updates of parameters inside interpreted programs: taken out, shared by programs that differ elsewhere, native soon."""
import numpy as np
import pytest

from flambeau import primitives as p
from flambeau.dtypes import float32
from flambeau.interpret import Interpreter
from flambeau.ir.graph import Graph, GraphBuilder
from flambeau.ir.types import tensor_type
from flambeau.runtime import fragments, tiers
from flambeau.runtime.fragments import fragment_p, outlined

SIZE = 64


@pytest.fixture(autouse=True)
def small_fragments_too(monkeypatch):
    monkeypatch.setattr(fragments, "LEAST_BYTES", SIZE * 4)
    monkeypatch.setattr(tiers, "_fragments", type(tiers._fragments)())


def step(rows: int, calls: int = 40, through: bool = False) -> Graph:
    """A gradient from `rows` rows, and an update of many calls with two results. through: what is in its midst is wanted, too."""
    builder = GraphBuilder()
    x, w, state = [builder.input(tensor_type(float32, shape)) for shape in ((rows, SIZE), (SIZE,), (SIZE,))]
    builder.origin = ((0, "loss"),)
    g = p.reduce_sum(p.tanh(x), (0,))
    builder.origin = ((1, "update"),)
    new = state
    for _ in range(calls // 2):
        new = p.add(p.mul(new, 0.5), g)
    between = p.mul(new, 0.1)
    return builder.finish([p.sub(w, between), new, *[between] * through])


def arrays(rows):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape, np.float32) for shape in ((rows, SIZE), (SIZE,), (SIZE,))]


def fragments_of(graph):
    return [n for n in graph.nodes if n.prim is fragment_p]


@pytest.mark.parametrize("through", [False, True])
def test_an_update_is_one_node(through):
    graph = outlined(step(3, through=through))
    node, = fragments_of(graph)
    assert len(node.outputs) == 2 + through and len(graph.nodes) < 6
    for a, b in zip(Interpreter(tiers._tiered).prepare(graph)(arrays(3)), Interpreter().prepare(step(3, through=through))(arrays(3))):
        np.testing.assert_array_equal(a, b)


def test_short_updates_and_small_ones_stay(monkeypatch):
    assert not fragments_of(outlined(step(3, calls=10)))
    monkeypatch.setattr(fragments, "LEAST_BYTES", 1 << 20)
    assert not fragments_of(outlined(step(3)))


def test_programs_share_it_and_it_is_native_from_its_fourth_run(monkeypatch):
    compiled = []
    compile = tiers._compile
    monkeypatch.setattr(tiers, "_compile", lambda graph, *keeps: compiled.append(graph) or compile(graph, *keeps))
    programs = {rows: Interpreter(tiers._tiered).prepare(outlined(step(rows))) for rows in (2, 3, 5)}
    assert len(tiers._fragments) == 1
    fragment, = tiers._fragments.values()
    for rows in (2, 3, 5, 2, 3):
        for a, b in zip(programs[rows](arrays(rows)), Interpreter().prepare(step(rows))(arrays(rows))):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert len(compiled) == 1 and fragment.ascent.native is not None


def test_results_of_one_run_outlive_the_next():
    run = Interpreter(tiers._tiered).prepare(outlined(step(2)))
    x, w, state = arrays(2)
    kept = []
    for _ in range(8):
        w, state = run([x, w, state])
        kept.append((w, w.copy(), state, state.copy()))
    for now_w, then_w, now_state, then_state in kept:
        np.testing.assert_array_equal(now_w, then_w)
        np.testing.assert_array_equal(now_state, then_state)
