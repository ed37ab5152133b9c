"""`torch.__version__` compares as PEP 440 orders versions; `packaging` is the reference."""
import itertools
import operator
import random

import pytest
from packaging.version import Version

from flambeau import version
from flambeau.torch_version import TorchVersion, __version__, version_key

PARTS = [["", "1!", "v"], ["1", "1.0", "1.1", "2.10", "2.9.0"], ["", "a1", "b", "rc2", ".pre3", "-Alpha"],
         ["", ".post1", "-2", ".r"], ["", ".dev0", "dev3"], ["", "+cpu", "+cu118", "+1.a", "+a.1"]]


def test_orders_as_packaging_does():
    texts = ["".join(parts) for parts in itertools.product(*PARTS)]
    pick = random.Random(0)
    for _ in range(5000):
        a, b = pick.choice(texts), pick.choice(texts)
        assert (version_key(a) < version_key(b)) == (Version(a) < Version(b)), (a, b)
        assert (version_key(a) == version_key(b)) == (Version(a) == Version(b)), (a, b)


@pytest.mark.parametrize("text", ["", "abc", "1.x", "1..2", "1+", "1.0+a b"])
def test_no_version(text):
    with pytest.raises(ValueError, match="Invalid version"):
        version_key(text)


def test_what_programs_ask():
    assert isinstance(__version__, str) and str(__version__) == version.__version__ == "2.13.0+cpu"
    assert __version__ >= "2.8" and "2.8" <= __version__ and not __version__ < "2.9"  # as text, 2.13 would be less
    assert __version__ >= (2, 6) and __version__ < (3,) and __version__ > Version("2.12") and Version("3") > __version__
    assert __version__ != "2.13.0" and __version__ == "2.13.0+cpu" and __version__ >= "2.13"
    assert __version__.split(".")[:2] == ["2", "13"] and __version__.startswith("2.")
    assert hash(__version__) == hash("2.13.0+cpu")


@pytest.mark.parametrize("other", [None, 2.13, object()])
def test_incomparable(other):
    assert __version__ != other and not __version__ == other
    with pytest.raises(TypeError):
        __version__ < other


@pytest.mark.parametrize("compare", [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne])
def test_text_that_is_no_version(compare):
    assert compare(TorchVersion("2.13.0"), "nightly") == compare("2.13.0", "nightly")
