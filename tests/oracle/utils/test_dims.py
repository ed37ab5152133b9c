"""torch.export.Dim as in PyTorch."""
import pytest

torch = pytest.importorskip("torch")

import flambeau.export


@pytest.mark.parametrize("make", [
    lambda e: e.Dim("batch"), lambda e: e.Dim("b", min=2), lambda e: e.Dim("b", max=8),
    lambda e: e.Dim("b", min=1, max=8), lambda e: e.Dim("b").__name__,
    lambda e: e.Dim("b", min=3).min, lambda e: e.Dim("b").min, lambda e: e.Dim("a b"),
    lambda e: e.Dim("b", min=3, max=2), lambda e: [d.__name__ for d in e.dims("x", "y", min=2)], lambda e: e.Dim.AUTO,
    lambda e: e.Dim.STATIC, lambda e: e.Dim.DYNAMIC(min=2, max=9), lambda e: e.Dim.DYNAMIC(max=4)])
def test_dims(make):
    def outcome(module):
        try:
            return repr(make(module))
        except Exception as error:
            return type(error), str(error)
    assert outcome(flambeau.export) == outcome(torch.export)
