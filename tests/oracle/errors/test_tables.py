"""The tables of mistakes hold what PyTorch raises."""
import warnings

import flambeau
import pytest
from mistakes import CASES, message, run

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("name, kind, words, code", CASES, ids=[case[0] for case in CASES])
def test_mistake(name, kind, words, code):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        error = run(torch, name, code)
    assert type(error).__name__ == kind, error
    assert words in message(error)


@pytest.mark.parametrize("name, kind, words, code", CASES, ids=[case[0] for case in CASES])
def test_a_failed_call_draws_as_much(name, kind, words, code):
    if name == "F-dropout-int":
        return  # PyTorch draws a mask before it refuses
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        after = []
        for library in (torch, flambeau):
            run(library, name, code)
            after.append(library.rand(3).tolist())
    assert after[0] == after[1]
