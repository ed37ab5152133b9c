"""The layer over llvmlite: targets, IR writing, loading."""
import ctypes
import os
import subprocess
import sys

import numpy as np
import pytest

from flambeau.compiler.llvm import emit, jit
from flambeau.compiler.llvm.emit import F32, F64, I64, PTR, Emitter
from flambeau.compiler.llvm.target import ISAS, host_target, make_target

TARGET = host_target()


def pointer(a):
    return a.ctypes.data


def build(args, write, result=emit.VOID, target=TARGET):
    module = emit.new_module(target)
    e = Emitter.define(module, target, "f", args, result)
    value = write(e, *e.args)
    if result == emit.VOID:
        e.b.ret_void()
    else:
        e.b.ret(value)
    return module


def run(args, write, *values, result=emit.VOID, ctype=None):
    lib = jit.load(jit.compile_module(build(args, write, result)), ["f"])
    kinds = [ctypes.c_void_p if t == PTR else ctypes.c_int64 for t in args]
    return lib.function("f", ctype, *kinds)(*[pointer(v) if isinstance(v, np.ndarray) else v for v in values])


@pytest.mark.parametrize("start,stop,step", [(0, 10, 1), (0, 10, 3), (0, 0, 1), (5, 3, 1), (7, 8, 1), (-4, 4, 2)])
@pytest.mark.parametrize("static", [True, False])
def test_loop_counts_like_range(start, stop, step, static):
    out = np.zeros(1, np.int64)

    def write(e, p, a, b):
        with e.loop(start if static else a, stop if static else b, step) as i:
            e.store(e.b.add(e.load(p, I64), e.i64(e.add(e.mul(i, i), 100))), p)
    run([PTR, I64, I64], write, out, start, stop)
    assert out[0] == sum(i * i + 100 for i in range(start, stop, step))


def test_carried_loop():
    x = np.arange(12, dtype=np.float64)

    def write(e, p):
        with e.carried_loop(0, 12, [emit.const(F64, 0.5)]) as (i, state):
            state[0] = e.b.fadd(state[0], e.load(e.at(p, i, F64), F64))
        return state[0]
    assert run([PTR], write, x, result=F64, ctype=ctypes.c_double) == 66.5


@pytest.mark.parametrize("lanes,element,dtype", [(8, F32, np.float32), (16, F32, np.float32), (4, F64, np.float64)])
@pytest.mark.parametrize("static", [True, False])
def test_masked_access_leaves_the_rest_alone(lanes, element, dtype, static):
    t = emit.vector(element, lanes)
    for count in range(1, lanes + 1):
        x = np.arange(1, lanes + 1, dtype=dtype)
        y = np.full(lanes, -1, dtype)
        z = np.full(lanes, -1, dtype)

        def write(e, x, y, z, n):
            v = e.load_some(x, t, count if static else n)
            e.store_some(v, y, count if static else n)
            e.store(v, z)
        run([PTR, PTR, PTR, I64], write, x, y, z, count)
        assert (y == np.where(np.arange(lanes) < count, x, -1)).all()
        assert (z == np.where(np.arange(lanes) < count, x, 0)).all()


def test_masked_load_does_not_touch_the_next_page():
    import mmap
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 2 * page)
    whole = np.frombuffer(memory, np.uint8)
    libc = ctypes.CDLL(None)
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    assert libc.mprotect(whole.ctypes.data + page, page, 0) == 0
    try:
        last = whole[page - 12:page].view(np.float32)
        last[:] = 1, 2, 3
        out = np.zeros(8, np.float32)
        t = emit.vector(F32, 8)
        run([PTR, PTR], lambda e, x, y: e.store(e.load_some(x, t, 3), y), last, out)
        assert out.tolist() == [1, 2, 3, 0, 0, 0, 0, 0]
    finally:
        libc.mprotect(whole.ctypes.data + page, page, 3)


def test_splat_horizontal_unravel():
    x = np.arange(8, dtype=np.float32)
    out = np.zeros(10, np.float32)
    at = np.zeros(3, np.int64)

    def write(e, x, out, at, n):
        v = e.load(x, emit.vector(F32, 8))
        e.store(e.splat(e.horizontal("fadd", v), 8), out)
        e.store(e.horizontal("maxnum", v), e.at(out, 8, F32))
        for i, value in enumerate(e.unravel(n, (3, 5, 7))):
            e.store(e.i64(value), e.at(at, i, I64))
    run([PTR, PTR, PTR, I64], write, x, out, at, 2 * 35 + 4 * 7 + 6)
    assert out.tolist() == [28.0] * 8 + [7.0, 0.0]
    assert at.tolist() == [2, 4, 6]


def test_libm_is_linked():
    def write(e, x):
        return e.b.call(emit.declare(e.module, "cbrt", F64, [F64]), [e.load(x, F64)])
    assert run([PTR], write, np.array([27.0]), result=F64, ctype=ctypes.c_double) == pytest.approx(3.0)


def test_scalar_loops_are_vectorized_on_request():
    def write(e, x, n):
        with e.loop(0, n) as i:
            p = e.at(x, i, F32)
            e.store(e.b.fmul(e.load(p, F32), emit.const(F32, 3.0)), p)
    module = build([PTR, I64], write, target=make_target("baseline"))
    assert "mulps" in jit.assembly(module, make_target("baseline"), vectorize=True) or TARGET.isa.name == "neon"


@pytest.mark.skipif(not TARGET.triple.startswith("x86_64"), reason="levels of x86-64")
@pytest.mark.parametrize("name,register,fused", [("avx512", "zmm", True), ("avx2", "ymm", True), ("baseline", "xmm", False)])
def test_each_isa_uses_its_registers(name, register, fused):
    target = make_target(name)
    t = emit.vector(F32, target.isa.lanes(4))

    def write(e, x):
        v = e.load(x, t)
        e.store(e.fma(v, v, v), x)
    text = jit.assembly(build([PTR], write, target=target), target)
    assert register in text and ("vfmadd" in text) == fused == target.isa.fma


def test_lanes():
    assert [ISAS[n].lanes(4) for n in ("avx512", "avx2", "sse2", "neon")] == [16, 8, 4, 4]
    assert ISAS["avx512"].lanes(8) == 8


def test_unknown_target_is_refused():
    with pytest.raises(ValueError, match="FLAMBEAU_TARGET is 'cray'"):
        make_target("cray")


def test_environment_forces_the_target():
    code = "from flambeau.compiler.llvm.target import host_target as h; print(h().isa.name, h().cpu)"
    env = {**os.environ, "FLAMBEAU_TARGET": "baseline"}
    out = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout.split()
    assert out[0] in ("sse2", "neon", "generic") and out[1] in ("x86-64", "generic")
