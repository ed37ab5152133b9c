"""The fixture `agree(program)`: a program text, run with `torch` as PyTorch and as flambeau, prints the same.

Numbers are printed by the programs with few digits, so that the text decides.
"""
import contextlib
import io
import re
import textwrap
import warnings

import pytest

import flambeau

# warnings from PyTorch's C++, and ours that come once a process, too
PYTORCHS_OWN = ("prototype stage", "Triggered internally", "Converting a tensor with requires_grad=True to a scalar")


def run(module, program):
    """What the program prints, warns and raises."""
    printed = io.StringIO()
    names = {"torch": module, "nn": module.nn, "F": module.nn.functional, "__name__": "program",
             "tried": tried(printed)}
    module.manual_seed(0)
    with contextlib.redirect_stdout(printed), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        exec(compile(textwrap.dedent(program), "program", "exec"), names)
    lines = [printed.getvalue(), *(f"{w.category.__name__}: {w.message}" for w in warned
                                     if not any(own in str(w.message) for own in PYTORCHS_OWN))]
    return re.sub(r"0x[0-9a-f]+", "0x", "\n".join(lines).replace("flambeau.", "torch."))


def tried(printed):
    def attempt(function):
        """Call the function and print what it raises."""
        try:
            result = function()
        except Exception as error:
            message = re.split("\n  (?:in module|linear:) |[.] flambeau reaches", str(error))[0]  # what flambeau says more than PyTorch
            print(f"{type(error).__name__}: {message}", file=printed)
        else:
            print(f"nothing raised, {result}", file=printed)
    return attempt


@pytest.fixture
def agree():
    torch = pytest.importorskip("torch")

    def compare(program):
        assert run(flambeau, program).splitlines() == run(torch, program).splitlines()
    return compare


@pytest.fixture(autouse=True, scope="session")
def interpreted():
    """These tests are about layers: the reference executor computes, so that nothing waits for the compiler."""
    from flambeau.interpret import Interpreter
    from flambeau.runtime.program import set_executor
    from flambeau.runtime.tiers import default_executor

    set_executor(Interpreter())
    yield
    set_executor(default_executor())
