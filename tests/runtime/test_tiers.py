import numpy as np
import pytest

import flambeau as fb
from flambeau import nn
from flambeau.runtime import tiers
from flambeau.runtime.program import set_executor
from flambeau.runtime.trace import flush


@pytest.fixture
def compiled(monkeypatch):
    """The graphs that are compiled, as they are."""
    graphs = []
    compile = tiers._compile
    monkeypatch.setattr(tiers, "_compile", lambda graph, *keeps, **named: graphs.append(graph) or compile(graph, *keeps, **named))
    set_executor(tiers.Tiered())
    yield graphs
    flush()
    set_executor(tiers.default_executor())


def drawn(n):
    fb.manual_seed(0)
    return nn.Linear(1024, n).weight.detach().numpy()


def test_many_first_weights_are_drawn_by_a_compiled_program(compiled, monkeypatch):
    few = drawn(16)
    assert not compiled
    monkeypatch.setattr(tiers, "DRAWN", 1024 * 16)
    assert np.array_equal(drawn(17)[:16], few)
    assert len(compiled) == 1


def test_a_step_that_draws_much_climbs_the_tiers(compiled, monkeypatch):
    monkeypatch.setattr(tiers, "DRAWN", 64)
    x = fb.ones(16, 16)
    fb.dropout(x @ x, 0.5, True).numpy()
    assert not compiled


def steps(n, weight=fb.ones(16, 48)):
    """Programs of one structure; n: a size that differs."""
    return (fb.ones(n, 16) @ weight).relu().sum().item()


@pytest.fixture
def alike(compiled, monkeypatch):
    """Those that are compiled, where each program is worth it."""
    monkeypatch.setattr(tiers, "ALIKE", 0.0)
    monkeypatch.setattr(tiers, "_alike", type(tiers._alike)())
    return compiled


def test_programs_that_differ_in_sizes_alone_climb_together(alike):
    kept = [steps(n) for n in (3, 4, 5)]
    assert len(alike) == 1  # the second
    assert steps(6) == 6 * 16 * 48  # at first sight, as its like is native by now
    assert len(alike) == 2
    assert [steps(n) for n in (3, 4, 5, 6)] == [*kept, 6 * 16 * 48]
    assert len(alike) == 4
    for n in (3, 4, 5, 6):
        steps(n)
    assert len(alike) == 4


def test_programs_that_do_not_come_again_are_soon_compiled_at_second_sight_only(alike, monkeypatch):
    monkeypatch.setattr(tiers, "MOST_ONCE", 3)
    for n in range(3, 20):
        steps(n)
    assert len(alike) == 1 + 3
    steps(6)  # has come again: makes place for one
    steps(30)
    steps(31)
    assert len(alike) == 5
    for _ in range(2):
        assert steps(31) == 31 * 16 * 48
    steps(31)
    assert len(alike) == 6


def test_small_programs_climb_alone(compiled):
    for n in range(3, 10):
        steps(n)
    assert not compiled


def test_other_dtypes_are_not_alike(alike):
    for n in range(3, 8):
        steps(n)
    before = len(alike)
    steps(3, fb.ones(16, 48, dtype=fb.float64).to(fb.float32))
    assert len(alike) == before


def test_an_error_while_compiling_at_first_sight_reaches_the_user(alike, monkeypatch):
    for n in (3, 4, 5, 6):
        steps(n)

    def fail(graph, keeps=True):
        raise MemoryError("no room")
    with monkeypatch.context() as patch:
        patch.setattr(tiers, "_compile", fail)
        with pytest.raises(MemoryError, match="no room"):
            steps(7)
    assert steps(8) == 8 * 16 * 48


def test_where_the_first_of_those_alike_is_lost_the_others_climb_alone(alike, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(tiers._Compilation, "done", lambda self: False)
        steps(3)
        steps(4)
        patch.setattr(tiers, "_forks", tiers._forks + 1)  # as in a child, which has none of the compiler's threads
        steps(5)
        steps(6)
    assert len(alike) <= 1
    alike.clear()
    for _ in range(tiers.SWITCH_AT):
        assert steps(7) == 7 * 16 * 48
    assert len(alike) == 1
