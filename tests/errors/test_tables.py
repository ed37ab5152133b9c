"""Mistakes: PyTorch's exception class and key words, on the user's line."""
import traceback
import warnings

import pytest

import flambeau
from flambeau.errors import without_own_frames
from mistakes import CASES, message, run



@pytest.mark.parametrize("name, kind, words, code", CASES, ids=[case[0] for case in CASES])
def test_mistake(name, kind, words, code):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        error = run(flambeau, name, code)
    assert error is not None, "nothing was raised"
    assert type(error).__name__ == kind, error
    assert words in message(error)
    frames = traceback.extract_tb(without_own_frames(error, error.__traceback__))
    assert f"<{name}>" in [frame.filename for frame in frames]
