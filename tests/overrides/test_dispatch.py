"""Functions are overridden only once something asks for it, and stay the same objects."""
import inspect
import subprocess
import sys

import pytest

import flambeau as torch

_UNTOUCHED = """
import flambeau as torch
from flambeau import add, reshape
from flambeau.tensor.overriding import _state
code = add.__code__, torch.Tensor.shape.fget.__code__
class Sub(torch.Tensor):
    pass
(torch.ones(2) + 1).sum().item()
try:
    torch.add("x", 1)
except TypeError:
    pass
assert not _state["installed"] and torch.Tensor.shape.fget.__code__ is code[1]
{first}
assert _state["installed"] and torch.Tensor.shape.fget.__code__ is not code[1] and torch.add is add and torch.reshape is reshape
"""
_FIRST = ["torch.ones(2).as_subclass(Sub)", "Sub(2)", "with torch.overrides.BaseTorchFunctionMode(): pass",
          "import types\nDuck = type('Duck', (), {'__torch_function__': classmethod(lambda *a: 7)})\nassert reshape(Duck(), (1,)) == 7"]


@pytest.mark.parametrize("first", _FIRST)
def test_nothing_dispatches_before_the_first_use(first):
    subprocess.run([sys.executable, "-c", _UNTOUCHED.format(first=first)], check=True, timeout=120)


def test_signatures_survive():
    before = inspect.signature(torch.flatten), inspect.signature(torch.Tensor.flatten)
    torch.overrides.BaseTorchFunctionMode().__enter__().__exit__()
    assert (inspect.signature(torch.flatten), inspect.signature(torch.Tensor.flatten)) == before
    assert list(before[0].parameters) == ["input", "start_dim", "end_dim"]


def test_results_are_as_without_dispatch():
    class Sub(torch.Tensor):
        pass
    x = torch.arange(6.0).reshape(2, 3)
    s = x.clone().as_subclass(Sub)
    for f in (torch.exp, lambda t: t[0], lambda t: t.T.reshape(-1), lambda t: torch.cat([t, x]), lambda t: t @ x.T):
        assert type(f(s)) is Sub and f(s).tolist() == f(x).tolist()
    s[0] = 7
    assert s[0].tolist() == [7.0] * 3


def test_views_of_subclasses_keep_their_history():
    class Sub(torch.Tensor):
        pass
    leaf = torch.ones(4, requires_grad=True)
    s = (leaf * 2).as_subclass(Sub)
    s[:2].mul_(5)
    s.sum().backward()
    assert leaf.grad.tolist() == [10.0, 10.0, 2.0, 2.0]


def test_an_error_inside_a_handler_is_the_users():
    class Duck:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            raise KeyError("mine")
    with pytest.raises(KeyError, match="mine"):
        torch.squeeze(Duck())


def test_errors_are_as_without_guards():
    with pytest.raises(TypeError):
        torch.nn.functional.relu("x")
    with pytest.raises(IndexError):
        torch.squeeze(torch.ones(2), 5)
