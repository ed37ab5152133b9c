"""The IR writer: what it writes is what LLVM reads."""
import ctypes
import math

import llvmlite.ir as reference
import pytest
from hypothesis import given, strategies as st

from flambeau.compiler.llvm import ir, jit
from flambeau.compiler.llvm.emit import F16, F32, F64, I1, I32, I64, PTR, VOID, Emitter, const, new_module, undefined, vector
from flambeau.compiler.llvm.target import host_target

TARGET = host_target()


def verified(module):
    return str(jit.optimize(module, TARGET, level=1))


@given(st.floats(width=16))
def test_constants_have_the_bits_that_llvmlite_writes(value):
    for t, other in ((F16, reference.HalfType()), (F32, reference.FloatType()), (F64, reference.DoubleType())):
        assert int(const(t, value).text, 16) == int(other.format_constant(value), 16)


def test_equal_types_are_one():
    assert ir.IntType(32) is I32 and ir.PointerType() is PTR and ir.VectorType(F32, 8) is vector(F32, 8)
    assert ir.VectorType(F32, 8) is not ir.VectorType(F32, 4) and F32 is not F64
    assert str(vector(I1, 4)) == "<4 x i1>" and str(ir.StructType((I64, I1))) == "{i64, i1}"


def test_a_vector_takes_as_many_elements_as_it_has():
    with pytest.raises(AssertionError):
        const(vector(I32, 4), [1, 2, 3])
    assert const(vector(I32, 2), [1, -2]).text == "<i32 1, i32 -2>"
    with pytest.raises(TypeError, match="ptr has no constants"):
        ir.Constant(PTR, 0)


INTEGERS = ["add", "sub", "mul", "udiv", "sdiv", "urem", "srem", "shl", "lshr", "ashr", "and_", "or_", "xor"]
FLOATS = ["fadd", "fsub", "fmul", "fdiv", "frem"]
COMPARISONS = ["==", "!=", "<", "<=", ">", ">="]


@pytest.mark.parametrize("lanes", [1, 4])
def test_every_instruction_is_read(lanes):
    module = new_module(TARGET)
    i, f, h = vector(I64, lanes), vector(F64, lanes), vector(F32, lanes)
    e = Emitter.define(module, TARGET, "f", [PTR, PTR, PTR])
    b, p, q = e.b, e.args[0], e.args[1]
    n = 0

    def keep(value):
        nonlocal n
        n += 1
        e.store(value, e.at(q, n, I64))
    x, y = e.load(p, i), e.load(e.at(p, 64), i)
    u, v = e.load(e.at(p, 128), f), e.load(e.at(p, 256), f)
    for name in INTEGERS:
        keep(getattr(b, name)(x, y))
    for name in FLOATS:
        keep(getattr(b, name)(u, v, flags=["contract"]))
    for op in COMPARISONS:
        for comparison in (b.icmp_signed, b.icmp_unsigned):
            keep(b.select(comparison(op, x, y), x, y))
        for comparison in (b.fcmp_ordered, b.fcmp_unordered):
            keep(b.select(comparison(op, u, v), u, v))
    keep(b.select(b.fcmp_ordered("ord", u, v), u, v))
    keep(b.select(b.fcmp_unordered("uno", u, v), u, v))
    for value in (b.neg(x), b.not_(x), b.fneg(u), b.fpext(b.fptrunc(u, h), f), b.sitofp(x, f), b.uitofp(x, f), b.fptosi(u, i),
                  b.fptoui(u, i), b.bitcast(u, i), b.zext(b.trunc(x, vector(I32, lanes)), i), b.sext(b.trunc(x, vector(I1, lanes)), i)):
        keep(value)
    assert b.zext(x, i) is x
    if lanes > 1:
        keep(b.shuffle_vector(x, y, const(vector(I32, lanes), list(range(lanes)))))
        keep(b.insert_element(undefined(i), b.extract_element(x, I32(1)), I32(0)))
    keep(b.ptrtoint(p, I64))
    keep(e.load(b.inttoptr(b.ptrtoint(p, I64), PTR), I64))
    keep(e.load(e.alloca(I64, 3, align=64), I64))
    b.store_atomic(b.load_atomic(p, I64, "acquire", 8), q, "release", 8)
    keep(b.atomic_rmw("add", p, I64(1), "seq_cst"))
    swapped = b.cmpxchg(p, I64(1), I64(2), "acq_rel", "acquire")
    keep(b.extract_value(swapped, 0))
    with e.when(b.extract_value(swapped, 1), likely=True):
        keep(x)
    b.ret_void()
    verified(module)
    text = str(module)
    for opcode in ("udiv", "srem", "ashr", "frem contract", "fcmp ord", "fcmp uno", "cmpxchg", "atomicrmw add", "!prof"):
        assert opcode in text, opcode
    assert text.count("store") >= n


def test_branches_join_where_both_go_on():
    module = new_module(TARGET)
    e = Emitter.define(module, TARGET, "sign", [I64], I64)
    b, x = e.b, e.args[0]
    with b.if_else(b.icmp_signed("<", x, I64(0)), likely=False) as (then, otherwise):
        with then:
            b.ret(I64(-1))
        with otherwise:
            with b.if_then(b.icmp_signed("==", x, I64(0))):
                b.ret(I64(0))
            end = b.block
    phi = b.phi(I64)
    phi.add_incoming(I64(1), end)
    b.ret(phi)
    sign = jit.load(jit.compile_module(module), ["sign"]).function("sign", ctypes.c_int64, ctypes.c_int64)
    assert [sign(x) for x in (-5, 0, 7)] == [-1, 0, 1]


def test_what_is_written_at_a_blocks_end_comes_before_it_is_left():
    module = new_module(TARGET)
    e = Emitter.define(module, TARGET, "f", [], F64)
    with e.loop(0, 3):
        slot = e.alloca(F64)  # in the entry, which a branch has left by now
        e.store(const(F64, math.pi), slot)
    e.b.ret(const(F64, 1.0))
    entry = e.function.blocks[0].lines
    assert "alloca" in str(entry[-2]) and "br label" in str(entry[-1])
    verified(module)


def test_a_block_is_left_once():
    e = Emitter.define(new_module(TARGET), TARGET, "f", [])
    e.b.ret_void()
    with pytest.raises(AssertionError):
        e.b.ret_void()


def test_declarations_of_any_number_of_arguments():
    module = new_module(TARGET)
    print_ = ir.Function(module, ir.FunctionType(I32, [PTR], var_arg=True), "printf")
    e = Emitter.define(module, TARGET, "f", [PTR], VOID, noalias=False)
    e.b.call(print_, [e.args[0], I64(3)])
    e.call_pointer(e.args[0], ir.FunctionType(VOID, [I64]), [I64(1)])
    e.b.ret_void()
    assert 'declare i32 @"printf"(ptr, ...)' in str(module)
    verified(module)
