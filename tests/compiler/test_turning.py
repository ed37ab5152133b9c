"""Convolutions whose vectors lie along channels: operands are turned once, and chunks need not gather them."""
from types import SimpleNamespace

import numpy as np
import pytest

from flambeau import primitives as p
from flambeau.compiler import turning
from flambeau.compiler.executor import CompiledProgram
from flambeau.compiler.legalize import legalize
from flambeau.compiler.llvm.target import ISAS, host_target
from flambeau.compiler.loops.schedule import make_schedule
from flambeau.compiler.schedule import Contract, Scheduler
from flambeau.compiler.special import SPECIAL
from flambeau.dtypes import float32
from flambeau.interpret import Interpreter
from flambeau.ir.graph import GraphBuilder
from flambeau.ir.types import tensor_type

PLAIN = (1, 1), (0, 0), (0, 0), (1, 1), 1
X, W, Y = (16, 6, 14, 14), (16, 6, 5, 5), (16, 16, 10, 10)  # the second convolution of LeNet


def graph_of(kind):
    builder = GraphBuilder()
    x, w, g = [builder.input(tensor_type(float32, s)) for s in (X, W, Y)]
    make = {"forward": lambda: [p.conv(x, w, *PLAIN)], "weight": lambda: [p.conv_weight_grad(x, g, (5, 5), *PLAIN)],
            "both": lambda: [p.conv(x, w, *PLAIN), p.conv(p.mul(x, 2.0), w, *PLAIN)]}[kind]
    return builder.finish(make())


def schedules(graph):
    steps = Scheduler(legalize(graph), SPECIAL).run()
    return [make_schedule(s.kernel.contraction, host_target().isa) for s in steps if isinstance(s, Contract)]


@pytest.mark.parametrize("kind", ["forward", "weight"])
def test_no_chunk_gathers_vectors(kind):
    graph = graph_of(kind)
    schedule, = schedules(graph)
    strides = [schedule.contraction.outer[schedule.vector_axis].stride(pack.operand) for pack in schedule.packs]
    assert set(strides) <= {0, 1} and schedule.n_chunks >= (16 if host_target().isa.lanes(4) <= 8 else 6)  # wide vectors leave fewer
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s, np.float32) for s in (X, W, Y)]
    want, = Interpreter().prepare(graph)(arrays)
    np.testing.assert_allclose(CompiledProgram(graph)(arrays)[0], want, rtol=1e-4, atol=2e-4)


def test_what_two_convolutions_want_is_turned_once(monkeypatch):
    """With vectors of 8: which way they lie depends on the machine."""
    monkeypatch.setattr(turning, "host_target", lambda: SimpleNamespace(isa=ISAS["avx2"]))
    copies = [n for n in legalize(graph_of("both")).nodes if n.prim.name == "concat"]
    assert len(copies) == 1


@pytest.mark.parametrize("size, kernel, stride, dilation, low, high", [
    ((1, 128, 4, 4), (3, 3), (1, 1), (1, 1), (1, 1), (1, 1)), ((2, 96, 7, 5), (3, 3), (2, 1), (1, 2), (1, 2), (0, 1)),
    ((3, 700, 9), (2,), (4,), (3,), (0,), (2,)), ((1, 40, 3, 4, 4), (2, 3, 3), (1, 2, 1), (1, 1, 1), (0, 1, 0), (1, 0, 0))])
def test_few_results_of_large_filters_are_products_of_patches(size, kernel, stride, dilation, low, high):
    builder = GraphBuilder()
    x, w = builder.input(tensor_type(float32, size)), builder.input(tensor_type(float32, (400, size[1], *kernel)))
    graph = builder.finish([p.conv(x, w, stride, low, high, dilation, 1)])
    assert not any(node.prim.name == "conv" for node in legalize(graph).nodes)
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(v.shape).astype(np.float32) for v in graph.inputs]
    for got, want in zip(CompiledProgram(graph)(arrays), Interpreter().prepare(graph)(arrays), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-3)
