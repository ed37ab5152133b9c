"""Compiled scans: the interpreter's results, one code for all lengths, the same bits for any number of threads."""
import numpy as np
import pytest

import flambeau as torch
from flambeau import primitives as p
from flambeau.compiler.executor import CompiledProgram
from flambeau.compiler.legalize import legalize
from flambeau.compiler.loop import loop_of
from flambeau.compiler.schedule import Scan, Scheduler
from flambeau.compiler.special import SPECIAL
from flambeau.dtypes import complex64, float16, float32, float64
from flambeau.interpret import Interpreter
from flambeau.ir.graph import GraphBuilder
from flambeau.ir.types import tensor_type
from flambeau.runtime import tiers

N, HIDDEN = 5, 6


def step(carries, rows, shared):
    """A carry that is handed on as it comes, one that is also a result, results that are an operand and the same twice."""
    h, before = carries
    new = p.tanh(p.dot(h, shared[0], (1,), (0,)) + rows[0] + rows[1])
    return (new, h), (new, rows[0], new * 2, new * 2)


def graph_of(length, reverse=False, dtype=float32):
    builder = GraphBuilder()
    h, wide, turned, w = [builder.input(tensor_type(dtype, s)) for s in (
        (N, HIDDEN), (length + 2, N, HIDDEN), (length, HIDDEN, N), (HIDDEN, HIDDEN))]
    # one sequence is a part of a buffer, the other has to be brought into rows first
    xs = p.slice_dim(wide, 0, 1, length + 1), p.permute(turned, (0, 2, 1))
    histories, ys = p.scan(step, (h, p.zeros_like(h)), xs, (w,), reverse)
    return builder.finish([p.neg(histories[0]), *histories, *ys, p.slice_dim(histories[1], 0, length, length + 1)])


def arrays_of(graph):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(v.shape).astype(v.dtype.np) for v in graph.inputs]


@pytest.mark.parametrize("dtype", [float32, float64, float16])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [1, 4])
def test_as_the_interpreter(length, reverse, dtype):
    graph = graph_of(length, reverse, dtype)
    arrays = arrays_of(graph)
    expected = Interpreter().prepare(graph)(arrays)
    program = CompiledProgram(graph)
    for _ in range(2):  # other arrays: the addresses of results and inputs are new each time
        arrays = [a.copy() for a in arrays]
        for a, b in zip(program(arrays), expected, strict=True):
            np.testing.assert_allclose(a.astype(np.float64), b.astype(np.float64), rtol=2e-5 if dtype is not float16 else 5e-3, atol=1e-6)


def scans(graph):
    return [s for s in Scheduler(graph, SPECIAL, loop_of).run() if isinstance(s, Scan)]


def test_one_code_for_all_lengths():
    loops = [scans(graph_of(n, r))[0].loop for n, r in ((2, False), (9, True), (30, False))]
    assert loops[0] is loops[1] is loops[2]


def test_what_has_no_kernel_is_left_to_the_interpreter():
    graph = graph_of(3, dtype=complex64)
    assert not scans(graph)
    arrays = [a + 1j * a for a in arrays_of(graph_of(3))]
    arrays = [a.astype(np.complex64) for a in arrays]
    for a, b in zip(CompiledProgram(graph)(arrays), Interpreter().prepare(graph)(arrays), strict=True):
        np.testing.assert_array_equal(a, b)


def on_threads(program, arrays):
    """The results, which are the same bits for 1, 2 and 4 threads."""
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            found.append([a.copy() for a in program(arrays)])
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    return found[0]


def test_same_bits_for_any_number_of_threads():
    builder = GraphBuilder()
    h, xs, w = [builder.input(tensor_type(float32, s)) for s in ((100, 128), (6, 100, 128), (128, 128))]
    (history,), _ = p.scan(lambda c, r, s: ((p.tanh(p.dot(c[0], s[0], (1,), (0,)) + r[0]),), ()), (h,), (xs,), (w,))
    graph = builder.finish([history])
    on_threads(CompiledProgram(graph), arrays_of(graph))


def test_interpreted_programs_run_native_loops():
    """Sentences of different lengths: no program is seen twice, and yet their loop is compiled."""
    layer = torch.nn.RNN(3, 4)
    before = list(tiers._ascents.values())
    with torch.no_grad():
        for n in range(3, 3 + tiers.SWITCH_AT + 2):
            x = torch.ones(n, 2, 3)
            h, states = torch.zeros(2, 4), []
            for t in range(n):
                h = torch.tanh(x[t] @ layer.weight_ih_l0.T + layer.bias_ih_l0 + layer.bias_hh_l0 + h @ layer.weight_hh_l0.T)
                states.append(h)
            np.testing.assert_allclose(layer(x)[0].numpy(), torch.stack(states).numpy(), rtol=1e-5, atol=1e-6)
    new = [ascent for ascent in tiers._ascents.values() if not any(ascent is other for other in before)]
    assert [ascent.native is not None for ascent in new] == [True]


def both_directions(length, batch=N):
    """Two scans with one body, of which the second needs something computed after the first; then one that needs the first's results."""
    builder = GraphBuilder()
    h, xs, ys, w, v = [builder.input(tensor_type(float32, s)) for s in (
        (batch, HIDDEN), (length, batch, HIDDEN), (length, batch, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, HIDDEN))]

    def run(rows, weight, reverse=False):
        return p.scan(lambda c, r, s: ((p.tanh(p.dot(c[0], s[0], (1,), (0,)) + r[0]),), (c[0] * 2,)), (h,), (rows,), (weight,), reverse)
    (forward,), (doubled,) = run(xs, w)
    summed = p.reduce_sum(forward, (0, 1))
    (backward,), (again,) = run(p.neg(ys), p.tanh(v), reverse=True)
    (above,), _ = run(doubled, w)
    return builder.finish([summed, backward, again, above, p.reduce_sum(p.exp(backward), (0,))])


@pytest.mark.parametrize("batch", [1, 5, 70])
def test_scans_that_do_not_need_each_other_run_abreast(batch):
    graph = both_directions(4, batch)
    assert [len(s.strands) for s in scans(legalize(graph))] == [2, 1]
    arrays = arrays_of(graph)
    expected = Interpreter().prepare(graph)(arrays)
    for a, b in zip(on_threads(CompiledProgram(graph), arrays), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


def test_scans_of_different_lengths_run_one_after_the_other():
    builder = GraphBuilder()
    h, xs, ys = [builder.input(tensor_type(float32, s)) for s in ((N, HIDDEN), (3, N, HIDDEN), (4, N, HIDDEN))]
    histories = [p.scan(lambda c, r, s: ((c[0] + r[0],), ()), (h,), (x,))[0][0] for x in (xs, ys)]
    assert [len(s.strands) for s in scans(legalize(builder.finish(histories)))] == [1, 1]
