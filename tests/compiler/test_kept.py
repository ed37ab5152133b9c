"""What programs keep of their results is bounded, and goes to whoever wants the like of it first."""
import numpy as np
import pytest

import flambeau as torch
from flambeau import primitives as p
from flambeau.compiler import kept
from flambeau.compiler.executor import CompiledProgram
from flambeau.ir.graph import trace as trace_graph
from flambeau.ir.types import tensor_type

N = 192  # an array of N × N doubles is large enough to be shared


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """What the programs of other tests keep does not count."""
    for name in ("_keepers", "_pools"):
        monkeypatch.setattr(kept, name, type(getattr(kept, name))())


def program(factor, n=N):
    """x → factor · x and its rows' sums."""
    def body(x):
        return [p.mul(x, p.full((n, n), factor, torch.float64, x.builder)), p.reduce_sum(x, (1,))]
    graph, _ = trace_graph(body, [tensor_type(torch.float64, (n, n))])
    return CompiledProgram(graph)


def kept_bytes(programs):
    return [sum(a.nbytes for a in each.kept.arrays if a is not None) for each in programs]


def test_what_nobody_holds_goes_to_the_next_program():
    a = np.random.rand(N, N)
    first, second = program(2.0), program(3.0)
    at = first([a])[0].ctypes.data
    result = second([a])[0]
    assert result.ctypes.data == at
    assert kept_bytes([first, second]) == [8 * N, 8 * N * N + 8 * N]
    np.testing.assert_array_equal(result, 3 * a)
    again = first([a])[0]  # nobody is left to give it anything
    assert again.ctypes.data != at
    np.testing.assert_array_equal(again, 2 * a)
    np.testing.assert_array_equal(result, 3 * a)


@pytest.mark.parametrize("hold", [lambda x: x, lambda x: x[3:], memoryview], ids=["array", "view", "memory"])
def test_what_somebody_holds_does_not(hold):
    a = np.random.rand(N, N)
    first, second = program(2.0), program(3.0)
    held = hold(first([a])[0])
    values = np.array(held)
    np.testing.assert_array_equal(second([a])[0], 3 * a)
    np.testing.assert_array_equal(np.asarray(held), values)


def test_a_small_result_that_is_held_until_the_next_lies_in_two_places():
    n, places, out = 20, set(), None
    first = program(2.0, n)
    for i in range(8):
        before, old = out, None if out is None else out.copy()
        out = first([np.full((n, n), float(i))])[1]
        places.add(out.ctypes.data)
        assert (out == n * i).all() and (before is None or (before == old).all())
        del before
    assert len(places) == 2


def test_programs_that_take_turns_need_the_memory_of_one():
    a = np.random.rand(N, N)
    programs = [program(float(i)) for i in range(4)]
    for _ in range(3):
        for i, each in enumerate(programs):
            np.testing.assert_array_equal(each([a])[0], i * a)
    assert sum(x >= 8 * N * N for x in kept_bytes(programs)) == 1
    assert sum(each.nbytes for each in kept._keepers) == sum(kept_bytes(programs))


def test_a_program_that_is_gone_keeps_nothing():
    a = np.random.rand(N, N)
    first, second = program(2.0), program(3.0)
    first([a])
    del first
    second([a])
    assert sum(each.nbytes for each in kept._keepers) == 8 * N * N + 8 * N


def test_kept_results_are_bounded(monkeypatch):
    n = 20
    monkeypatch.setattr(kept, "KEPT_BYTES", 3 * (n * n + n) * 8)
    programs = [program(float(i), n) for i in range(6)]
    a = np.random.rand(n, n)
    for each in programs:
        each([a])
    assert [each.kept.arrays[1] is not None for each in programs] == [False] * 3 + [True] * 3
    np.testing.assert_array_equal(programs[0]([a])[0], 0 * a)
    assert programs[0].kept.arrays[1] is not None and programs[3].kept.arrays[1] is None
