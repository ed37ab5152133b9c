"""The tables of mistakes hold what PyTorch raises."""
import warnings

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
