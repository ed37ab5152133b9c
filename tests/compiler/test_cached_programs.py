"""A program's second start takes its machine code from the disk; a damaged entry is compiled anew."""
import numpy as np
import pytest

from flambeau import dtypes
from flambeau import primitives as p
from flambeau.compiler import bodies, cache, executor
from flambeau.ir.graph import trace
from flambeau.ir.types import tensor_type


@pytest.fixture
def directory(tmp_path, monkeypatch):
    found = cache.ObjectCache(tmp_path / "objects")
    monkeypatch.setattr(bodies, "object_cache", lambda: found)
    return tmp_path / "objects"


def program(scale):
    """x·w, scaled, and its largest element."""
    def body(x, w):
        y = p.mul(p.dot(x, w, (1,), (0,), (), ()), p.full((9, 5), scale, dtypes.float32, x.builder))
        return y, p.reduce_max(y, (0, 1))
    graph, _ = trace(body, [tensor_type(dtypes.float32, (9, 7)), tensor_type(dtypes.float32, (7, 5))])
    return executor.CompiledProgram(graph)


def check(made, scale):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((9, 7)).astype(np.float32), rng.standard_normal((7, 5)).astype(np.float32)
    y, top = made([x, w])
    np.testing.assert_allclose(y, x @ w * np.float32(scale), rtol=1e-5, atol=1e-6)
    assert top == y.max()


def test_the_second_is_not_compiled(directory, monkeypatch):
    check(program(2.0), 2.0)
    assert len(list(directory.iterdir())) == 1
    with monkeypatch.context() as m:
        m.setattr(bodies.jit, "compile_module", lambda *a, **k: pytest.fail("compiled again"))
        check(program(2.0), 2.0)
    check(program(3.0), 3.0)
    assert len(list(directory.iterdir())) == 2


@pytest.mark.parametrize("damage", [lambda b: b[:-40], lambda b: b[:60] + b"?" + b[61:], lambda b: b""])
def test_damaged_entries_are_compiled_anew(directory, damage):
    program(2.0)
    entry, = directory.iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    check(program(2.0), 2.0)
    assert entry.read_bytes() == whole


def test_what_another_program_has_is_not_compiled(directory, monkeypatch):
    first = program(2.0)
    graph, _ = trace(lambda x, w: p.add(p.dot(x, w, (1,), (0,), (), ()), p.full((9, 5), 1.0, dtypes.float32, x.builder)),
                     [tensor_type(dtypes.float32, (9, 7)), tensor_type(dtypes.float32, (7, 5))])
    compiled = []
    emit = bodies.emit
    monkeypatch.setattr(bodies, "emit", lambda k, step: compiled.append(type(step).__name__) or emit(k, step))
    second = executor.CompiledProgram(graph)
    assert compiled == ["Map"]  # the product is there
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((9, 7), np.float32), rng.standard_normal((7, 5), np.float32)
    np.testing.assert_allclose(second([x, w])[0], x @ w + 1, rtol=1e-5, atol=1e-6)
    check(first, 2.0)


def test_entries_are_named_alike_in_every_process():
    """Signatures are told apart by what they say, not by where an object lies."""
    from flambeau.compiler.schedule import Scheduler
    from flambeau.compiler.sharing import signature
    from flambeau.compiler.special import SPECIAL

    def body(x, w, i):
        y = p.dot(p.take(x, i, 0), w, (1,), (0,), (), ())
        return p.reduce_max(p.mul(y, p.cast(p.iota(5, dtypes.int64, x.builder), dtypes.float32)), (0,)), p.cumsum(y, 0)
    graph, _ = trace(body, [tensor_type(dtypes.float32, (9, 7)), tensor_type(dtypes.float32, (7, 5)), tensor_type(dtypes.int64, (4,))])
    steps = Scheduler(graph, SPECIAL).run()
    assert len(steps) > 3 and all(" at 0x" not in repr(signature(s)[0]) for s in steps)


@pytest.mark.parametrize("alive, expected", [(True, 3), (False, 1)])
def test_kernels_are_compiled_in_batches(directory, monkeypatch, alive, expected):
    """Each kernel is larger than a batch may be. At the interpreter's exit no thread can be started: one batch."""
    monkeypatch.setattr(bodies, "BATCH", 100)
    monkeypatch.setattr(bodies.threading, "main_thread", lambda: type("Main", (), {"is_alive": lambda self: alive})())
    monkeypatch.setattr(bodies, "family_of", lambda kernel: None)
    bodies._bodies.clear()
    texts = []
    compile_module = bodies.jit.compile_module
    monkeypatch.setattr(bodies.jit, "compile_module", lambda text, *a, **k: texts.append(text) or compile_module(text, *a, **k))
    made = program(5.0)
    assert len(texts) == expected
    check(made, 5.0)
    monkeypatch.setattr(bodies.jit, "compile_module", lambda *a, **k: pytest.fail("compiled again"))
    bodies._bodies.clear()
    check(program(5.0), 5.0)
