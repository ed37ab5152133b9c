"""The interpreter's convolutions, whose windows are copied for some examples of a batch at a time."""
import numpy as np
import pytest

from flambeau import primitives as p
from flambeau.dtypes import float64
from flambeau.interpret import Interpreter
from flambeau.ir.graph import GraphBuilder
from flambeau.ir.types import tensor_type
from flambeau.primitives import contraction

GEOMETRY = (2, 1), (1, 1), (1, 0), (1, 2), 2  # stride, padding low and high, dilation, groups


def results(n):
    builder = GraphBuilder()
    x, w = [builder.input(tensor_type(float64, s)) for s in ((n, 4, 7, 9), (6, 2, 3, 2))]
    y = p.conv(x, w, *GEOMETRY)
    graph = builder.finish([y, p.conv_input_grad(y, w, (7, 9), *GEOMETRY), p.conv_weight_grad(x, y, (3, 2), *GEOMETRY)])
    rng = np.random.default_rng(0)
    return Interpreter().prepare(graph)([rng.standard_normal(v.shape) for v in graph.inputs])


@pytest.mark.parametrize("n", [0, 1, 5])
@pytest.mark.parametrize("nbytes", [1, 10_000])
def test_slabs_make_no_difference(monkeypatch, n, nbytes):
    whole = results(n)
    assert n != 5 or len(contraction._slabs(n, 4 * nbytes)) == 1
    monkeypatch.setattr(contraction, "SLAB_BYTES", nbytes)
    assert n != 5 or len(contraction._slabs(n, 4 * nbytes)) > 1
    for got, want in zip(results(n), whole):
        assert got.shape == want.shape and got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=1e-12)
