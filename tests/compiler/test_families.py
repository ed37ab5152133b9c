"""Kernels that differ in numbers alone share their machine code, and compute what they would if each were compiled."""
import ctypes
from weakref import WeakValueDictionary

import numpy as np
import pytest

from flambeau import primitives as p
from flambeau.compiler import bodies, families
from flambeau.compiler.cache import ObjectCache
from flambeau.compiler.executor import CompiledProgram
from flambeau.compiler.llvm import jit
from flambeau.compiler.llvm.emit import I64, PTR, Emitter, new_module
from flambeau.compiler.llvm.target import host_target
from flambeau.dtypes import float32, int64
from flambeau.ir.graph import GraphBuilder
from flambeau.ir.types import tensor_type


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(families, "_families", {})
    monkeypatch.setattr(bodies, "_bodies", WeakValueDictionary())
    monkeypatch.setattr(bodies, "object_cache", lambda disk=ObjectCache(None): disk)


@pytest.fixture
def compiled(monkeypatch):
    """The texts that were compiled."""
    texts = []
    original = jit.compile_module

    def compile_module(module, *args, **kwargs):
        texts.append(str(module))
        return original(module, *args, **kwargs)
    monkeypatch.setattr(jit, "compile_module", compile_module)
    return texts


def recurrent(rows):
    """A weight's gradient over many rows, a turned copy, a sum over rows, and rows by index: what depends on a sentence's length."""
    builder = GraphBuilder()
    x, g = (builder.input(tensor_type(float32, (rows, n))) for n in (48, 96))
    index = builder.input(tensor_type(int64, (rows,)))
    taken = p.take(g, index, 0)
    graph = builder.finish([p.dot(g, x, (0,), (0,)), p.concat((p.permute(x, (1, 0)),), 0), p.reduce_sum(taken, (0,)), p.tanh(p.mul(x, x))])
    rng = np.random.default_rng(rows)
    return graph, [rng.standard_normal((rows, 48), np.float32), rng.standard_normal((rows, 96), np.float32), rng.integers(0, rows, rows)]


def run(rows):
    graph, arrays = recurrent(rows)
    program = CompiledProgram(graph)
    return program, program(arrays)


LENGTHS = (100, 104, 160, 116, 2200, 24)


def test_members_compute_the_same_bits_as_kernels_that_are_compiled_alone(monkeypatch):
    shared = [run(rows) for rows in LENGTHS]
    assert any(family.code for family in families._families.values())
    monkeypatch.setattr(bodies, "family_of", lambda kernel: None)
    bodies._bodies.clear()
    for rows, (_, results) in zip(LENGTHS, shared):
        for got, want in zip(results, run(rows)[1]):
            np.testing.assert_array_equal(got, want)


def test_further_members_are_only_linked(compiled):
    programs = [run(rows)[0] for rows in (2208, 2240, 2336)]
    before = len(compiled)
    programs.append(run(2272)[0])
    assert len(compiled) == before


def test_what_is_the_same_in_all_members_stays_a_constant(compiled):
    programs = [run(rows)[0] for rows in (100, 104)]
    opened = [text for text in compiled if '@"n0" = external' in text]
    assert programs and any("i64 96" in text for text in opened)


def test_numbers_that_were_equal_by_chance_are_opened_when_they_differ(compiled):
    def padded(low, size):
        builder = GraphBuilder()
        x = builder.input(tensor_type(float32, (size,)))
        return CompiledProgram(builder.finish([p.concat((x, p.full((low,), 2.0, float32, builder), x), 0)]))
    for low, size in ((100, 300), (101, 300), (101, 301), (203, 517)):
        x = np.arange(size, dtype=np.float32)
        np.testing.assert_array_equal(padded(low, size)([x])[0], np.concatenate([x, np.full(low, 2, np.float32), x]))


def test_members_are_kept_on_disk_with_the_values_of_their_symbols(tmp_path, monkeypatch, compiled):
    monkeypatch.setattr(bodies, "object_cache", lambda disk=ObjectCache(tmp_path): disk)
    wanted = [run(rows) for rows in LENGTHS]
    before = len(compiled)
    bodies._bodies.clear()
    families._families.clear()
    again = [run(rows) for rows in LENGTHS]
    assert len(compiled) == before
    for (_, results), (_, want) in zip(again, wanted):
        for got, x in zip(results, want):
            np.testing.assert_array_equal(got, x)


def test_zeros_and_negative_numbers_belong_to_the_text():
    module = new_module(host_target())
    e = Emitter.define(module, host_target(), families.NAME, [I64, PTR])
    for n in (0, -3, 7):
        e.store(e.b.add(e.args[0], e.i64(n)), e.args[1])
    e.b.ret_void()
    assert families.KernelText(module).numbers == (7,)


def test_code_never_has_other_symbols_than_the_family_names():
    def text(numbers):
        module = new_module(host_target())
        e = Emitter.define(module, host_target(), families.NAME, [I64, PTR])
        for n in numbers:
            e.store(e.b.add(e.args[0], e.i64(n)), e.args[1])
        e.b.ret_void()
        return families.KernelText(module)
    family = families.Family(text((1, 1, 5)).numbers)
    assert family.member(text((2, 2, 5)), str.encode)[1] == {"n0": 2}
    family.open((3, 4, 5))
    code, values = family.member(text((6, 7, 5)), str.encode)
    assert values == {"n0": 6, "n1": 7} and b'@"n1" to i64' in code


def test_numbers_of_two_symbols_may_be_equal():
    """To LLVM two variables have two addresses, unless they hold nothing."""
    def text(numbers):
        module = new_module(host_target())
        e = Emitter.define(module, host_target(), families.NAME, [PTR])
        a, b = (e.b.and_(e.i64(n), I64(-1)) for n in numbers)
        e.store(e.b.zext(e.b.icmp_signed("==", a, b), I64), e.args[0])
        e.b.ret_void()
        return families.KernelText(module)

    def equal(numbers):
        code, values = family.member(text(numbers), lambda ir: bodies._compiled(ir, host_target()))
        library = jit.load(code, [families.NAME], values)
        result = np.full(1, -1)
        ctypes.CFUNCTYPE(None, ctypes.c_void_p)(library[families.NAME])(result.ctypes.data)
        return result[0]
    family = families.Family(text((5, 7)).numbers)
    assert [equal(numbers) for numbers in ((6, 8), (9, 9), (10, 11))] == [0, 1, 0]
    assert len(family.examples) == 2
