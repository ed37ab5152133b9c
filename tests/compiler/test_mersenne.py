"""MT19937 in vector code against NumPy's, word for word."""
import ctypes

import numpy as np
import pytest

from flambeau.compiler.executor import CompiledProgram
from flambeau.compiler.llvm import emit, jit
from flambeau.compiler.llvm.mersenne import define_mt19937
from flambeau.compiler.llvm.target import host_target, make_target
from flambeau.interpret import Interpreter
from flambeau.ir.graph import GraphBuilder
from flambeau.primitives.random import STATE, random_permutation


def compiled(target):
    module = emit.new_module(target)
    define_mt19937(module, target, internal=False)
    return jit.load(jit.compile_module(module, target), ["mt19937"]).function(
        "mt19937", None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


HOST = compiled(host_target())


def seeded(seed):
    generator = np.random.RandomState(seed)
    _, key, position, *_ = generator.get_state()
    return generator, np.append(key, np.uint32(position)).astype(np.uint32)


def draw(generator, n):
    return generator.randint(0, 2 ** 32, n, dtype=np.uint32)


def fill(function, state, n):
    out = np.full(n + 2, 7, np.uint32)
    function(state.ctypes.data, out.ctypes.data, n)
    assert (out[n:] == 7).all()
    return out[:n]


@pytest.mark.parametrize("function", [HOST, compiled(make_target("baseline"))], ids=["host", "baseline"])
@pytest.mark.parametrize("seed", [0, 1, 42, 2 ** 32 - 1])
def test_words_and_state_are_numpys(function, seed):
    generator, state = seeded(seed)
    for n in (1, 0, 3, 620, 1, 624, 5, 1248, 17, 10_000, 623, 8):
        assert (fill(function, state, n) == draw(generator, n)).all(), n
        _, key, position, *_ = generator.get_state()
        assert (state[:624] == key).all() and state[624] == position


def test_many_fills_are_one():
    _, one = seeded(5)
    _, many = seeded(5)
    whole = fill(HOST, one, 5000)
    parts = np.concatenate([fill(HOST, many, n) for n in [100] * 50])
    assert (whole == parts).all() and (one == many).all()


def test_a_program_draws_what_the_interpreter_draws():
    from flambeau.compiler.executor import CompiledProgram
    from flambeau.interpret import Interpreter
    from flambeau.ir.graph import trace
    from flambeau.primitives.random import STATE, random_bits

    def body(state):
        few, state = random_bits(state, 5)
        many, state = random_bits(state, 3000)
        return few, many, state
    graph, _ = trace(body, [STATE])
    program = CompiledProgram(graph)
    assert len(program.parts) == 1
    _, state = seeded(11)
    for _ in range(3):
        expected = Interpreter().prepare(graph)([state.copy()])
        got = program([state])
        assert all((x == y).all() for x, y in zip(got, expected))
        state = got[2]


@pytest.mark.parametrize("n", [1, 2, 700])
def test_compiled_permutations_are_the_interpreters(n):
    builder = GraphBuilder()
    graph = builder.finish(list(random_permutation(builder.input(STATE), n)))
    _, state = seeded(5)
    program = CompiledProgram(graph)
    assert all(part.__class__.__name__ == "Segment" for part in program.parts)
    for got, want in zip(program([state.copy()]), Interpreter().prepare(graph)([state])):
        assert (got == want).all()
