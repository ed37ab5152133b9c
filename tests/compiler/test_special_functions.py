"""Special functions that executors see in parts: compiled they give what their NumPy kernels give."""
import numpy as np
import pytest

from flambeau.dtypes import float32, float64
from flambeau.ir.graph import GraphBuilder, trace
from flambeau.ir.types import tensor_type
from flambeau.primitives.base import PRIMITIVES
from flambeau.primitives.kernels import bessel, erf, gamma
from flambeau.primitives.traced import Symbol, traced
from flambeau.runtime.tiers import Native

KERNELS = {"erfinv": erf.erfinv, "erfcx": erf.erfcx, "ndtri": erf.ndtri, "log_ndtr": erf.log_ndtr, "lgamma": gamma.lgamma,
           "digamma": gamma.digamma, "bessel_j0": bessel.bessel_j0, "bessel_y1": bessel.bessel_y1,
           "spherical_bessel_j0": bessel.spherical_bessel_j0}


def arguments():
    r = np.random.default_rng(0)
    edges = [0.0, -0.0, 1, -1, 2, -2, np.inf, -np.inf, np.nan, 0.5, -0.5, 1e-30, 170, -3.0000001, -7]
    return np.concatenate([r.normal(size=100) * 3, r.uniform(-1, 1, 100), r.normal(size=50) * 30, edges])


@pytest.mark.parametrize("dtype", [float32, float64])
@pytest.mark.parametrize("name", KERNELS)
def test_kernel_and_machine_code_agree(name, dtype):
    assert PRIMITIVES[name].definition is not None
    x = arguments().astype(dtype.np)
    builder = GraphBuilder()
    graph = builder.finish([traced(KERNELS[name], builder.input(tensor_type(dtype, x.shape)))])
    got, = Native().prepare(graph)([x])
    with np.errstate(all="ignore"):
        want = KERNELS[name](x.astype(np.float64)).astype(dtype.np)
    np.testing.assert_allclose(got, want, rtol=3e-7 if dtype is float32 else 1e-12)


@pytest.mark.parametrize("name, kernel, single, precision, x, ulps", [
    ("erfinv", erf.erfinv, erf.erfinv_single, float32, np.linspace(-1, 1, 4001), 4),
    ("lgamma", gamma.lgamma, gamma.lgamma_to_single, float64, np.concatenate([np.linspace(1e-3, 40, 4001), [1e-30, 1, 2, 1e30]]), 1)])
def test_cheaper_kernels_of_single_precision(name, kernel, single, precision, x, ulps):
    x = x.astype(np.float32)
    builder = GraphBuilder()
    graph = builder.finish([traced(single, builder.input(tensor_type(float32, x.shape)), precision)])
    got, = Native().prepare(graph)([x])
    with np.errstate(all="ignore"):
        want = kernel(x.astype(np.float64))
        exact = want.astype(np.float32)
        assert ((got == exact) | (np.abs(got - want) <= ulps * np.spacing(np.abs(exact)))).all()
    call, = PRIMITIVES[name].definition(trace(lambda v: PRIMITIVES[name]((v,)), [tensor_type(float32, (3,))])[0].nodes[0]).outputs
    assert call.dtype is float32
    edges = arguments().astype(np.float32)
    graph = (builder := GraphBuilder()).finish([traced(single, builder.input(tensor_type(float32, edges.shape)), precision)])
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(Native().prepare(graph)([edges])[0], kernel(edges.astype(np.float64)), rtol=5e-7, atol=1e-6)


def test_symbols_know_only_their_functions():
    builder = GraphBuilder()
    x = Symbol(builder.input(tensor_type(float64, (3,))))
    assert np.clip(x, 0.0, 1.0).shape == (3,)
    with pytest.raises(KeyError):
        np.arctan(x)
    with pytest.raises(TypeError):
        np.add.reduce(x)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64])
def test_shifts_beyond_the_number_of_bits(dtype):
    from flambeau import primitives as p
    from flambeau.dtypes import from_numpy_dtype
    from flambeau.interpret import Interpreter
    d = from_numpy_dtype(np.dtype(dtype))
    x = np.array([-128, -3, -1, 0, 1, 5, 100, 127] if dtype is not np.uint8 else [0, 1, 3, 127, 128, 200, 254, 255], dtype)
    y = np.array([0, 1, 7, 8, 31, 63, 64, 100], dtype)
    builder = GraphBuilder()
    a, b = [builder.input(tensor_type(d, (8, 8))) for _ in range(2)]
    graph = builder.finish([p.shift_left(a, b), p.shift_right(a, b)])
    arrays = [np.repeat(x, 8).reshape(8, 8), np.tile(y, 8).reshape(8, 8)]
    if dtype is not np.uint8:
        arrays[1][0] = -1
    for got, want in zip(Native().prepare(graph)(arrays), Interpreter().prepare(graph)(arrays)):
        np.testing.assert_array_equal(got, want)
