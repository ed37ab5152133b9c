"""A program's second start takes its machine code from the disk; a damaged entry is compiled anew."""
import numpy as np
import pytest

from flambeau import dtypes
from flambeau import primitives as p
from flambeau.compiler import cache, executor
from flambeau.ir.graph import trace
from flambeau.ir.types import tensor_type


@pytest.fixture
def directory(tmp_path, monkeypatch):
    found = cache.ObjectCache(tmp_path / "objects")
    monkeypatch.setattr(executor, "object_cache", lambda: found)
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
        m.setattr(executor.jit, "compile_module", lambda *a, **k: pytest.fail("compiled again"))
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
