"""Programs on tensors without elements compile, and give what the interpreter gives."""
import numpy as np
import pytest

from flambeau import primitives as p
from flambeau.dtypes import float32
from flambeau.interpret import Interpreter
from flambeau.ir.graph import GraphBuilder
from flambeau.ir.types import tensor_type
from flambeau.runtime.tiers import Native


def both(body, *shapes):
    """The results of the compiled and of the interpreted program on ones."""
    builder = GraphBuilder()
    graph = builder.finish(body(*[builder.input(tensor_type(float32, shape)) for shape in shapes]))
    arrays = [np.ones(shape, np.float32) for shape in shapes]
    native = Native().prepare(graph)(arrays)
    for got, want in zip(native, Interpreter().prepare(graph)(arrays)):
        np.testing.assert_array_equal(got, want)
    return native


def test_a_part_of_a_concatenation():
    out, = both(lambda x, y: [p.mul(p.concat([p.add(x, x), y], 1), 3.0)], (2, 0), (2, 3))
    assert out.shape == (2, 3)


def test_slices_of_nothing_are_padded():
    out, = both(lambda x: [p.pad(p.slice_dim(p.exp(x), 1, 2, 2), (0, 1), (0, 2))], (2, 3))
    assert out.shape == (2, 3) and not out.any()


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 4)])
def test_chains_of_views(shape):
    def body(x):
        y = p.permute(p.add(x, 1.0), tuple(reversed(range(x.ndim))))
        return [p.reshape(y, (0, 5)), p.flip(y, (0,))]
    both(body, shape)


def test_nothing_to_contract():
    out, = both(lambda a, b: [p.dot(p.mul(a, 2.0), b, (1,), (0,))], (3, 0), (0, 2))
    assert out.shape == (3, 2) and not out.any()


def test_sums_of_nothing():
    rows, everything = both(lambda x: [p.reduce_sum(p.mul(x, x), (1,)), p.reduce_sum(x, (0, 1))], (3, 0))
    assert not rows.any() and everything == 0


def test_written_with_nothing():
    both(lambda x, y: [p.strided_write(x, y, (1,), 2)], (4,), (0,))
