"""Accuracy of the generated elementary functions, in units in the last place, against NumPy's and libm's float64."""
import ctypes
import math

import numpy as np
import pytest

from flambeau.compiler.llvm import emit, functions, jit
from flambeau.compiler.llvm.emit import F32, F64, I64, PTR, Emitter
from flambeau.compiler.llvm.target import host_target, make_target
from flambeau.primitives import elementwise

ELEMENT = {np.float32: F32, np.float64: F64}


def build(fn, dtype, lanes, arity=1, target=None):
    """f(out, x[, y], n): the function over arrays whose length is a multiple of `lanes`."""
    target = target or host_target()
    module = emit.new_module(target)
    e = Emitter.define(module, target, "f", [PTR] * (1 + arity) + [I64])
    out, *inputs, n = e.args
    element = ELEMENT[dtype]
    t = emit.vector(element, lanes)
    with e.loop(0, n, lanes) as i:
        e.store(fn(e, *[e.load(e.at(p, i, element), t) for p in inputs]), e.at(out, i, element))
    e.b.ret_void()
    return jit.load(jit.compile_module(module, target), ["f"]).function(
        "f", None, *[ctypes.c_void_p] * (1 + arity), ctypes.c_int64)


def call(compiled, lanes, *arrays):
    n = arrays[0].size
    padded = [np.concatenate([a, np.ones(-n % lanes, a.dtype)]) for a in arrays]
    out = np.empty_like(padded[0])
    compiled(out.ctypes.data, *[a.ctypes.data for a in padded], out.size)
    return out[:n]


def ulps(got, want):
    """|got - want| in ulps of `got`'s dtype at the exact `want`; equal infinities, NaNs and zeros count 0."""
    dtype = got.dtype.type
    with np.errstate(all="ignore"):
        rounded = want.astype(dtype)
        same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
        info = np.finfo(dtype)
        _, exponent = np.frexp(np.abs(want).astype(np.float64))
        spacing = np.ldexp(1.0, np.maximum(exponent - info.nmant - 1, info.minexp - info.nmant))
        error = np.abs(got.astype(want.dtype) - want) / spacing
    return np.where(same, 0.0, np.where(np.isfinite(error), error, np.inf))


def sigmoid64(x):
    small = np.exp(-np.abs(x))
    return np.where(x < 0, small, 1.0) / (1 + small)


erf64 = np.frompyfunc(lambda v: math.erf(v), 1, 1)
REFERENCE = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10, "log1p": np.log1p,
    "tanh": np.tanh, "sigmoid": sigmoid64, "erf": lambda x: erf64(x).astype(np.float64), "sin": np.sin, "cos": np.cos,
    "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x), "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "sinh": np.sinh, "cosh": np.cosh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
}
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 0.5, -0.5, 2.0, 1e-45, -1e-45, 1.2e-38, 3.4e38, -3.4e38,
                    88.7, 88.8, -87.4, -103.9, -104.1, 127.99, -149.5, 0.625, 4.0, 1e6, 3e7], np.float32)


def float32_sample(n, seed=0):
    """n float32 of random bits (all magnitudes, NaNs too), n of everyday size, and the special ones."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2 ** 32, n, dtype=np.uint32).view(np.float32)
    return np.concatenate([SPECIAL, bits, rng.normal(0, 8, n).astype(np.float32), 1 + rng.normal(0, 1e-3, n // 4).astype(np.float32)])


def check32(name, x, lanes=8, bound=2.0, compiled=None):
    compiled = compiled or build(functions.UNARY[name], np.float32, lanes)
    with np.errstate(all="ignore"):
        want = REFERENCE[name](x.astype(np.float64))
    got = call(compiled, lanes, x)
    error = ulps(got, want)
    worst = error.argmax()
    assert error[worst] <= bound, f"{name}({x[worst]!r}) = {got[worst]!r}, exactly {want[worst]!r}: {error[worst]} ulp"
    zero = (want == 0) & (x == 0)
    assert (np.signbit(got[zero]) == np.signbit(want[zero])).all()
    return error[worst]


@pytest.mark.parametrize("name", REFERENCE)
def test_float32_within_2_ulp(name):
    check32(name, float32_sample(200_000 if name != "erf" else 40_000))


@pytest.mark.parametrize("name", REFERENCE)
@pytest.mark.parametrize("lanes", [1, 4, 16])
def test_any_number_of_lanes_gives_the_same(name, lanes):
    x = float32_sample(3000, 1)
    got = call(build(functions.UNARY[name], np.float32, lanes), lanes, x)
    assert np.array_equal(got, call(build(functions.UNARY[name], np.float32, 8), 8, x), equal_nan=True)


@pytest.mark.parametrize("name", REFERENCE)
def test_float32_without_fused_multiply_add(name):
    target = make_target("baseline")
    check32(name, float32_sample(20_000), 4, compiled=build(functions.UNARY[name], np.float32, 4, target=target))


@pytest.mark.parametrize("name", REFERENCE)
def test_float64_within_2_ulp(name):
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.normal(0, 3, 1500), rng.normal(0, 200, 500), np.exp(rng.uniform(-700, 700, 500)),
                        1 + rng.normal(0, 1e-5, 300), rng.normal(0, 1e-7, 300), [1e-310, 4e-324, 708.9, -744.0, 1e5, 9.9e5]])
    x = x[x > 0] if name in ("log", "log2", "log10", "sqrt", "rsqrt") else x
    x = x[x > -1] if name == "log1p" else x
    x = x[np.abs(x) <= 1] if name in ("asin", "acos", "atanh") else x[x >= 1] if name == "acosh" else x
    exact = {
        "exp2": lambda v: mpmath.mpf(2) ** v, "log2": lambda v: mpmath.log(v, 2), "sigmoid": lambda v: 1 / (1 + mpmath.exp(-v)),
        "rsqrt": lambda v: 1 / mpmath.sqrt(v)}.get(name) or getattr(mpmath, name)
    got = call(build(functions.UNARY[name], np.float64, 4), 4, x)
    with mpmath.workprec(160):
        for v, g in zip(x, got):
            want = exact(mpmath.mpf(float(v)))
            if not 1e-305 < abs(want) < mpmath.mpf(2) ** 1024:
                assert np.isclose(g, float(want), rtol=0, atol=1e-320) or g == float(want), (name, v)
                continue
            ulp = np.spacing(abs(float(want))) if np.isfinite(float(want)) else 2.0 ** 971
            error = abs((mpmath.mpf(float(g)) - want) / ulp)
            assert error <= 2, f"{name}({v!r}) = {g!r}: {float(error)} ulp"


@pytest.mark.parametrize("name", REFERENCE)
def test_float64_edges(name):
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, 1.0, 1e308, -1e308, 800.0, -800.0, 1e22])
    got = call(build(functions.UNARY[name], np.float64, 4), 4, x)
    with np.errstate(all="ignore"):
        want = REFERENCE[name](x)
    assert np.allclose(got, want, rtol=1e-14, atol=0, equal_nan=True)
    assert (np.signbit(got) == np.signbit(want))[want == 0].all()


def test_pow_float32():
    rng = np.random.default_rng(3)
    n = 100_000
    x = np.abs(float32_sample(n))[:n]
    y = float32_sample(n, 5)[:n]
    base = np.exp(rng.normal(0, 2, n)).astype(np.float32)
    power = rng.normal(0, 10, n).astype(np.float32)
    edges = np.array(np.meshgrid(np.append(SPECIAL, [3.0, -3.0, -2.0]), np.append(SPECIAL, [3.0, -3.0, 4.0, 16777217.0])),
                     np.float32).reshape(2, -1)
    compiled = build(functions.BINARY["pow"], np.float32, 8, 2)
    for a, b in ((x, y), (base, power), edges, (-base, np.round(power))):
        with np.errstate(all="ignore"):
            want = np.power(a.astype(np.float64), b.astype(np.float64))
        got = call(compiled, 8, a, b)
        error = ulps(got, want)
        worst = error.argmax()
        assert error[worst] <= 1, (a[worst], b[worst], got[worst], want[worst])
        assert (np.signbit(got) == np.signbit(want))[want == 0].all()


def pairs(n, dtype=np.float32):
    """Operands of everyday size, of all magnitudes, integers, and each of the special ones with each."""
    rng = np.random.default_rng(6)
    special = SPECIAL.astype(dtype)
    edges = np.array(np.meshgrid(special, special)).reshape(2, -1)
    whole = rng.integers(-1000, 1000, (2, n)).astype(dtype)
    with np.errstate(invalid="ignore"):
        wild = np.stack([float32_sample(n)[:n], float32_sample(n, 5)[:n]]).astype(dtype)
    return [edges, rng.normal(0, 3, (2, n)).astype(dtype), whole, whole / dtype(8), wild]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name, reference, bound", [
    ("atan2", np.arctan2, 2), ("fmod", np.fmod, 0), ("remainder", elementwise._rem_kernel, 0),
    ("floor_divide", elementwise._floor_divide_kernel, 0)])
def test_functions_of_two_operands(name, reference, bound, dtype):
    compiled = build(functions.BINARY[name], dtype, 8, 2)
    for a, b in pairs(20_000, dtype):
        with np.errstate(all="ignore"):
            want = reference(a.astype(np.float64), b.astype(np.float64)) if bound else reference(a, b)
        got = call(compiled, 8, a, b)
        error = ulps(got, want)
        worst = error.argmax()
        assert error[worst] <= bound, (a[worst], b[worst], got[worst], want[worst])
        zero = want == 0
        assert (np.signbit(got) == np.signbit(want))[zero & ~np.isnan(got)].all()


@pytest.mark.parametrize("name", ["fmod", "remainder"])
def test_remainders_without_fused_multiply_add(name):
    a, b = pairs(2000, np.float64)[1]
    got = call(build(functions.BINARY[name], np.float64, 4, 2, target=make_target("baseline")), 4, a, b)
    assert np.array_equal(got, {"fmod": np.fmod, "remainder": elementwise._rem_kernel}[name](a, b))


def bit_patterns(name, start, stop):
    """All float32 bit patterns between two, thinned where the function hardly changes or NumPy's reference is slow: where
    |x| < 2^-30 or > 128 (but for the logarithm) every 64th, for erf (Python's) every 61st."""
    step = 61 if name == "erf" else 1
    exponent = start >> 23 & 0xFF
    if name != "log" and not 127 - 30 <= exponent <= 127 + 7:
        step = 64
    if name == "log" and start >= 1 << 31:
        step = 4096  # negative: NaN
    return np.arange(start + (start >> 23) % step, stop, step, dtype=np.uint64).astype(np.uint32).view(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sigmoid", "erf"])
def test_float32_over_the_whole_range(name):
    compiled = build(functions.UNARY[name], np.float32, 8)
    worst = 0.0
    for start in range(0, 1 << 32, 1 << 23):
        worst = max(worst, check32(name, bit_patterns(name, start, start + (1 << 23)), compiled=compiled))
    print(f"{name}: {worst:.3f} ulp at most")
