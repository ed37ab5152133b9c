"""How loops are shared out: by what an element costs, and evenly where there are few chunks."""
import pytest

from flambeau import primitives as p
from flambeau.compiler.executor import CompiledProgram
from flambeau.compiler.kernel import CHUNK, FEW, LEAST, units_per_chunk
from flambeau.compiler.llvm.target import host_target
from flambeau.dtypes import float32
from flambeau.ir.graph import GraphBuilder
from flambeau.ir.types import tensor_type

LANES = host_target().isa.lanes(4)  # so many columns at least are a chunk's


def chunks(call, *shape):
    builder = GraphBuilder()
    graph = builder.finish([call(builder.input(tensor_type(float32, shape)))])
    return [n for part in CompiledProgram(graph).parts for _, n, _ in part.steps]


@pytest.mark.parametrize("shape, then", [((400, 128), lambda x: p.mul(x, x)), ((400, 128), lambda x: p.reduce_sum(x, (1,))),
                                         ((800 // LANES, 512), lambda x: p.reduce_sum(x, (0,)))])
def test_expensive_calls_make_more_chunks(shape, then):
    assert chunks(lambda x: then(p.tanh(x)), *shape)[-1] > chunks(then, *shape)[-1]


@pytest.mark.parametrize("full", [1, 2, 3, 5, 7, 100])
def test_few_chunks_are_an_even_number(full):
    per = units_per_chunk(full * CHUNK, 1)
    count = -(-full * CHUNK // per)
    assert per <= CHUNK and full <= count <= full + 1
    assert count % 2 == 0 or count >= FEW


def test_two_threads_share_what_is_worth_claiming_a_half_of():
    assert [-(-n // units_per_chunk(n, 1)) for n in (1, LEAST - 1, LEAST, CHUNK)] == [1, 1, 2, 2]
    assert units_per_chunk(1, CHUNK) == 1
