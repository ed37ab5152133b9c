"""Copies that turn rows into columns, of every cut: whole blocks, tails on either side, further dimensions."""
import numpy as np
import pytest

from flambeau import dtypes
from flambeau.compiler.executor import CompiledProgram
from flambeau.compiler.schedule import Scheduler
from flambeau.compiler.special import SPECIAL
from flambeau.ir.graph import trace
from flambeau.ir.types import tensor_type
from flambeau.primitives.shape import concat_p, permute


def turned(x, perm):
    """permute, and a copy of it in memory."""
    y = permute(x, perm)
    return x.builder.call(concat_p, (y,), (0,), [tensor_type(y.dtype, y.shape)])[0]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "uint8", "bool_"])
@pytest.mark.parametrize("shape, perm", [
    ((16, 16), (1, 0)), ((37, 53), (1, 0)), ((33, 9), (1, 0)), ((8, 8), (1, 0)), ((100, 8), (1, 0)), ((7, 40), (1, 0)),
    ((8, 12, 24), (2, 0, 1)), ((3, 19, 8), (0, 2, 1)), ((3, 19, 9), (2, 1, 0)), ((5, 17, 33), (2, 0, 1)), ((2, 9, 3, 17), (3, 2, 0, 1)),
    ((300, 200), (1, 0))])
def test_turned(shape, perm, dtype):
    d = getattr(dtypes, dtype)
    graph, _ = trace(lambda x: turned(x, perm), [tensor_type(d, shape)])
    a = (np.random.default_rng(0).standard_normal(shape) * 50).astype(d.np)
    out = CompiledProgram(graph)([a])[0]
    assert out.shape == a.transpose(perm).shape and (out == a.transpose(perm)).all()


def test_copies_of_two_tensors_both_move_blocks():
    """In one loop they would go element by element."""
    t = tensor_type(dtypes.float32, (40, 24))
    graph, _ = trace(lambda x, y: [turned(x, (1, 0)), turned(y, (1, 0))], [t, t])
    assert [len(step.stores) for step in Scheduler(graph, SPECIAL).run()] == [1, 1]
    a, b = np.random.default_rng(0).standard_normal((2, 40, 24)).astype(np.float32)
    assert all(np.array_equal(out, x.T) for out, x in zip(CompiledProgram(graph)([a, b]), (a, b)))
