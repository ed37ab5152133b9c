"""`explain` shows each program that runs, with the user's lines, and leaves nothing behind."""
import io

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.runtime.trace import trace


def test_a_training_step():
    model = nn.Sequential(nn.Linear(20, 300), nn.ReLU(), nn.Linear(300, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(8, 20), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    out = io.StringIO()
    with torch.explain(out) as programs:
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        value = loss.item()
    assert value > 0
    program, = programs
    assert [c.name for c in program.calls] == ["linear", "relu", "linear", "cross_entropy", "backward", "sgd"]
    assert [str(t) for t in program.calls[0].operands] == ["float32[8,20]", "float32[300,20]", "float32[300]"]
    first = program.calls[0].site.lineno
    assert [c.site.lineno - first for c in program.calls] == [0, 0, 0, 0, 1, 2]
    assert program.site.lineno == first + 2
    text = out.getvalue()
    assert "float32[8,20], float32[300,20], float32[300]" in text
    assert "9.4 KB" in text and f"test_explain.py:{first}" in text and "memory: " in text


def test_nothing_is_left_behind():
    x = torch.ones(3)
    with torch.explain(io.StringIO()) as programs:
        with pytest.raises(RuntimeError, match="active already"):
            torch.explain().__enter__()
        (x + 1).tolist()
    (x + 2).tolist()
    assert len(programs) == 1 and trace.observer is None and type(trace.records) is list


def test_what_was_recorded_before_runs_first():
    y = torch.ones(3) * 3
    with torch.explain(io.StringIO()) as programs:
        z = y + 1
    assert [[c.name for c in p.calls] for p in programs] == [["add"]] and z.tolist() == [4.0] * 3
