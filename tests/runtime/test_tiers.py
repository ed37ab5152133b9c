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
