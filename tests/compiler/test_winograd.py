"""Minimal filtering: 3×3 convolutions and both gradients against the interpreter, and when it is chosen."""
import numpy as np
import pytest

from flambeau import primitives as p
from flambeau.compiler import winograd
from flambeau.compiler.executor import CompiledProgram
from flambeau.compiler.legalize import legalize
from flambeau.compiler.threads import get_num_threads, set_num_threads
from flambeau.dtypes import float32
from flambeau.interpret import Interpreter
from flambeau.ir.graph import GraphBuilder
from flambeau.ir.types import tensor_type

ONE = (1, 1)


def graph_of(kind, n, c_in, c_out, size, low=ONE, high=ONE, stride=ONE, dilation=ONE):
    """One convolution, or one of its gradients; its inputs are both operands."""
    builder = GraphBuilder()
    geometry = (stride, low, high, dilation, 1)
    out = [(s + a + b - 2 * d - 1) // t + 1 for s, a, b, d, t in zip(size, low, high, dilation, stride)]
    x, w, g = (n, c_in, *size), (c_out, c_in, 3, 3), (n, c_out, *out)
    first, second = (builder.input(tensor_type(float32, s)) for s in {"conv": (x, w), "input": (g, w), "weight": (x, g)}[kind])
    result = {"conv": lambda: p.conv(first, second, *geometry), "input": lambda: p.conv_input_grad(first, second, size, *geometry),
              "weight": lambda: p.conv_weight_grad(first, second, (3, 3), *geometry)}[kind]()
    return builder.finish([result])


def lowered(graph):
    return {node.prim.name for node in legalize(graph).nodes}


def operands(graph, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(v.shape, np.float32) for v in graph.inputs]


@pytest.fixture
def always(monkeypatch):
    monkeypatch.setattr(winograd, "pays", lambda c_in, out: True)


# widths of the image's rows: tiles in runs of 1, 2, 4 and 8 or more; several blocks, parts and groups of channels
SHAPES = [(16, 16, 16, (2, 2), ONE, ONE), (8, 32, 16, (2, 4), ONE, ONE), (4, 16, 48, (4, 8), ONE, ONE), (3, 16, 16, (4, 16), (0, 0), (2, 2)),
          (2, 32, 32, (8, 16), (2, 0), (0, 2)), (16, 16, 256, (4, 4), ONE, ONE), (24, 32, 32, (16, 16), ONE, ONE)]


@pytest.mark.parametrize("kind", ["conv", "input", "weight"])
@pytest.mark.parametrize("shape", SHAPES)
def test_agrees_with_the_interpreter(always, kind, shape):
    graph = graph_of(kind, *shape)
    assert any(name.startswith("winograd") for name in lowered(graph))
    arrays = operands(graph)
    got, = CompiledProgram(graph)(arrays)
    want, = Interpreter().prepare(graph)([a.astype(np.float64) for a in arrays])
    assert np.abs(got - want).max() <= 3e-6 * np.abs(want).max()


@pytest.mark.parametrize("kind", ["conv", "input", "weight"])
def test_results_do_not_depend_on_the_number_of_threads(always, kind):
    graph = graph_of(kind, 8, 32, 64, (16, 16))
    arrays = operands(graph)
    results, before = [], get_num_threads()
    try:
        for threads in (1, 2, 4):
            set_num_threads(threads)
            results.append(CompiledProgram(graph)(arrays)[0].copy())
    finally:
        set_num_threads(before)
    assert all(np.array_equal(results[0], r) for r in results[1:])


def test_not_a_number_stays_where_it_belongs(always):
    graph = graph_of("conv", 2, 16, 16, (8, 8))
    x, w = operands(graph)
    x[1, 3, 0, 0] = np.nan
    got, = CompiledProgram(graph)([x, w])
    assert np.isnan(got[1, :, 0, 0]).all() and not np.isnan(got[0]).any() and not np.isnan(got[1, :, 4:, 4:]).any()


def test_it_is_chosen_for_wide_layers_alone():
    assert "winograd_conv" in lowered(graph_of("conv", 24, 64, 64, (16, 16)))
    assert "winograd_products" in lowered(graph_of("weight", 24, 64, 64, (16, 16)))
    for other in [graph_of("conv", 24, 3, 64, (16, 16)), graph_of("conv", 24, 64, 64, (15, 16)), graph_of("conv", 1, 512, 512, (4, 8)),
                  graph_of("conv", 24, 64, 64, (32, 32), stride=(2, 2)), graph_of("conv", 24, 64, 64, (18, 18), dilation=(2, 2))]:
        assert not any(name.startswith("winograd") for name in lowered(other))
