"""Programs of a thread lie in one arena."""
import threading

import numpy as np

import flambeau as torch
from flambeau.compiler import arena as room
from flambeau.compiler.executor import CompiledProgram
from flambeau.ir.graph import trace as trace_graph
from flambeau.ir.types import tensor_type
from flambeau import primitives as p


def program(n, steps=3):
    """x → x and its rows' sums, after adding those several times, with arrays between the steps."""
    def body(x):
        for _ in range(steps):
            x = p.add(x, p.broadcast_to(p.reshape(p.reduce_sum(x, (1,)), (n, 1)), (n, n)))
        return x
    graph, _ = trace_graph(lambda x: [body(x), p.reduce_sum(body(x), (1,))], [tensor_type(torch.float64, (n, n))])
    return CompiledProgram(graph)


def expected(a, steps=3):
    for _ in range(steps):
        a = a + a.sum(1, keepdims=True)
    return a


def test_programs_share_an_arena_that_grows():
    small, large = program(3), program(40)
    a, b = np.random.rand(3, 3), np.random.rand(40, 40)
    room.arena.renew(0)
    for _ in range(2):
        np.testing.assert_allclose(small([a])[0], expected(a))
        np.testing.assert_allclose(large([b])[0], expected(b))
    assert room.arena.size == max(small.memory.size, large.memory.size) > small.memory.size
    serial = room.arena.serial
    np.testing.assert_allclose(small([a])[0], expected(a))
    assert room.arena.serial == serial


def test_threads_have_arenas_of_their_own():
    shared, results = program(20), {}
    arrays = [np.random.rand(20, 20) for _ in range(4)]

    def run(number):
        results[number] = [program(20)([arrays[number]])[0].copy() for _ in range(5)]
    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i, a in enumerate(arrays):
        for found in results[i]:
            np.testing.assert_allclose(found, expected(a))
    np.testing.assert_allclose(shared([arrays[0]])[0], expected(arrays[0]))


def test_host_calls_may_run_programs():
    """What runs amid a program has another arena."""
    inner, outer = program(30), program(10)
    outer.settle()
    serial = room.arena.serial
    with room.arena.set_aside():
        a = np.random.rand(30, 30)
        np.testing.assert_allclose(inner([a])[0], expected(a))
        assert room.arena.serial != serial
    assert room.arena.serial == serial


def test_small_results_lie_in_two_places_by_turns():
    compiled = program(20)

    def run(a):
        return compiled.call([a], [a.ctypes.data], None)[0]
    a = np.random.rand(20, 20)
    at = [[id(r) for r in run(a)] for _ in range(4)]
    assert at[0] == at[2] and at[1] == at[3] and not set(at[0]) & set(at[1])
    held = [run(a * i) for i in range(5)]
    for i, results in enumerate(held):
        np.testing.assert_allclose(results[0], expected(a * i))
    part = run(a)[0][..., 3:]  # whoever sees a part of a result holds all of it
    values = part.copy()
    for i in range(4):
        run(a + i)
    np.testing.assert_array_equal(part, values)
