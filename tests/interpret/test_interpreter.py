"""What the interpreter settles beforehand must not show: constants, broadcasts, memory of results."""
import numpy as np

from flambeau import primitives as p
from flambeau.dtypes import bfloat16, float32, int64
from flambeau.interpret import Interpreter
from flambeau.ir.graph import GraphBuilder
from flambeau.ir.types import tensor_type


def run(body, *inputs):
    builder = GraphBuilder()
    dtypes = {np.dtype(np.float32): float32, np.dtype(np.int64): int64, np.dtype(np.uint16): bfloat16}
    symbols = [builder.input(tensor_type(dtypes[a.dtype], a.shape)) for a in inputs]
    graph = builder.finish(body(*symbols))
    return Interpreter().prepare(graph)(list(inputs))


X = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_broadcasts_left_to_numpy():
    row = X[0].copy()
    out, = run(lambda x, r: [p.mul(x, r)], X, row)
    np.testing.assert_array_equal(out, X * row)


def test_broadcasts_that_are_needed():
    row = X[0].copy()

    def body(x, r):
        wide = p.broadcast_to(r, (2, 3))
        return [p.add(wide, wide), p.reduce_sum(wide, (0,)), wide, p.add(x, wide)]
    double, total, wide, added = run(body, X, row)
    np.testing.assert_array_equal(double, [row * 2] * 2)
    np.testing.assert_array_equal(total, row * 2)
    np.testing.assert_array_equal(wide, [row] * 2)
    np.testing.assert_array_equal(added, X + row)
    assert wide.flags.writeable and wide.flags.c_contiguous


def test_complex_from_a_broadcast_part():
    out, = run(lambda x, s: [p.make_complex(p.broadcast_to(s, (2, 3)), x)], X, np.float32(2).reshape(()))
    np.testing.assert_array_equal(out, 2 + 1j * X)


def test_constants_are_computed_once_and_never_handed_out():
    def body(x):
        ones = p.add(p.full((2, 3), 1, float32, x.builder), 0)
        return [ones, p.add(x, ones)]
    builder = GraphBuilder()
    graph = builder.finish(body(builder.input(tensor_type(float32, (2, 3)))))
    program = Interpreter().prepare(graph)
    first, _ = program([X])
    first += 41  # a result belongs to its receiver
    second, added = program([X])
    np.testing.assert_array_equal(second, np.ones((2, 3)))
    np.testing.assert_array_equal(added, X + 1)


def test_results_do_not_share_memory():
    a, b, c = run(lambda x: [x, p.reshape(x, (6,)), p.stop_gradient(p.neg(x))], X)
    a[0, 0] = b[1] = 99
    assert X[0, 0] == 0 and X[0, 1] == 1 and c[0, 1] == -1


def test_errors_of_constants_are_raised_at_the_run():
    def body(x):
        zero = p.constant(0, int64, x.builder)
        return [p.add(x, p.floor_divide(p.constant(1, int64, x.builder), zero))]
    builder = GraphBuilder()
    program = Interpreter().prepare(builder.finish(body(builder.input(tensor_type(int64, ())))))
    try:
        program([np.int64(1).reshape(())])
    except RuntimeError as error:
        assert "ZeroDivision" in str(error)
    else:
        raise AssertionError("no error")


def test_encoded_numbers_are_computed_in_float32():
    one_and_a_half = np.array([0x3FC0, 0x4000], np.uint16)  # 1.5 and 2 as bfloat16
    out, moved = run(lambda x: [p.mul(x, x), p.flip(x, (0,))], one_and_a_half)
    assert out.tolist() == [0x4010, 0x4080] and moved.tolist() == [0x4000, 0x3FC0]


def test_numbers_as_inputs():
    builder = GraphBuilder()
    x, s = builder.input(tensor_type(float32, (2, 3))), builder.input(tensor_type(float32, ()))
    program = Interpreter().prepare(builder.finish([p.mul(x, s)]))
    np.testing.assert_array_equal(program([X, 2.0])[0], X * 2)
