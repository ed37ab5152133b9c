"""Sums over the steps of a scan that its steps add up: the interpreter's results, the same bits for any number of threads."""
import numpy as np
import pytest

import flambeau as torch
from flambeau import primitives as p
from flambeau.compiler.executor import CompiledProgram
from flambeau.compiler.loop import is_total
from flambeau.compiler.plan import plan
from flambeau.compiler.schedule import Contract, Scan
from flambeau.compiler.totals import LEAST_ROWS
from flambeau.dtypes import complex64, float16, float32, float64, int64
from flambeau.interpret import Interpreter
from flambeau.ir.graph import GraphBuilder
from flambeau.ir.types import tensor_type
from flambeau.runtime import tiers

from .test_loops import arrays_of, on_threads

HIDDEN, WIDE = 20, 24


def recurrence(length, rows=LEAST_ROWS, reverse=False, dtype=float32, wanted=False):
    """A scan whose results and sequence are summed in many ways. wanted: whether the program returns a factor as well."""
    builder = GraphBuilder()
    h, xs, w = [builder.input(tensor_type(dtype, s)) for s in ((rows, HIDDEN), (length, rows, WIDE), (HIDDEN, WIDE))]

    def step(c, r, s):
        new = p.sin(p.dot(r[0], s[0], (1,), (1,)) + c[0])
        return (new,), (new * 2, p.reshape(p.exp(new), (2, rows // 2, HIDDEN)))
    (history,), (a, b) = p.scan(step, (h,), (xs,), (w,), reverse)
    sums = [p.dot(a, xs, (0, 1), (0, 1)), p.dot(xs, a, (1, 0), (1, 0)), p.dot(a, a, (0, 1), (0, 1)), p.dot(b, b, (1, 2, 0), (1, 2, 0)),
            p.reduce_sum(a, (0, 1)), p.reduce_sum(b, (0, 1, 2))]
    others = [p.dot(a, xs, (1,), (1,), (0,), (0,)), p.reduce_sum(a, (1,)), p.reduce_sum(a, (0,))]
    return builder.finish([*sums, history, *(others if wanted else ())])


def totals(graph):
    """How many results of its scan the plan's steps add up, and how many contractions come after it."""
    steps = plan(graph).steps
    scans = [s for s in steps if isinstance(s, Scan)]
    return sum(is_total(v) for s in scans for v in s.loop.graph.outputs), sum(isinstance(s, Contract) for s in steps)


@pytest.mark.parametrize("dtype", [float32, float64])
@pytest.mark.parametrize("wanted", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [1, 3])
def test_as_the_interpreter(length, reverse, wanted, dtype):
    graph = recurrence(length, 2 * LEAST_ROWS, reverse, dtype, wanted)
    assert totals(graph) == (4, int(wanted))
    arrays = arrays_of(graph)
    expected = Interpreter().prepare(graph)(arrays)
    program = CompiledProgram(graph)
    for _ in range(2):  # the sums begin with zero each time
        for a, b in zip(on_threads(program, arrays), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5 if dtype is float32 else 1e-12, atol=1e-4 if dtype is float32 else 1e-10)


def test_not_for_few_rows():
    assert totals(recurrence(3, LEAST_ROWS - 2)) == (0, 4)


def test_no_steps():
    graph = recurrence(0)
    arrays = arrays_of(graph)
    for a, b in zip(CompiledProgram(graph)(arrays), Interpreter().prepare(graph)(arrays), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", [float16, complex64])
def test_other_dtypes_are_summed_after_the_scan(dtype):
    graph = recurrence(2, dtype=dtype)
    assert totals(graph)[0] == 0
    arrays = [a.astype(dtype.np) for a in arrays_of(recurrence(2))]
    for a, b in zip(CompiledProgram(graph)(arrays), Interpreter().prepare(graph)(arrays), strict=True):
        np.testing.assert_allclose(a.astype(np.complex128), b.astype(np.complex128), rtol=2e-2, atol=1e-2)


def test_whole_numbers():
    builder = GraphBuilder()
    xs = builder.input(tensor_type(int64, (3, LEAST_ROWS, 4)))
    (_,), (ys,) = p.scan(lambda c, r, s: ((c[0] + r[0],), (c[0] * r[0],)), (p.zeros_like(p.reduce_sum(xs, (0,))),), (xs,))
    graph = builder.finish([p.reduce_sum(ys, (0, 1))])
    arrays = [np.arange(3 * LEAST_ROWS * 4).reshape(3, LEAST_ROWS, 4)]
    np.testing.assert_array_equal(CompiledProgram(graph)(arrays)[0], Interpreter().prepare(graph)(arrays)[0])


def test_weights_gradients_of_a_recurrence():
    """Compiled, they are those of the same layer in float64, for lengths that share one loop."""
    layer = torch.nn.LSTM(8, 12, bidirectional=True)
    double = torch.nn.LSTM(8, 12, bidirectional=True).double()
    double.load_state_dict(layer.state_dict())

    def gradients(layer, x):
        layer.zero_grad()
        layer(x)[0].square().sum().backward()
        return [w.grad.numpy().copy() for w in layer.parameters()]
    for length in (3, 5):
        x = torch.randn(length, LEAST_ROWS, 8)
        for _ in range(tiers.SWITCH_AT):
            found = gradients(layer, x)
        for a, b in zip(found, gradients(double, x.double()), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
