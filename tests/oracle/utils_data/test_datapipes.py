"""Data pipes against PyTorch's: the same program prints the same."""
import contextlib
import io

import pytest

import flambeau

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")

PROGRAM = """
from itertools import islice
data = torch.utils.data

class Count(data.IterDataPipe):
    def __init__(self, n):
        self.n = n
    def __iter__(self):
        yield from range(self.n)
    def reset(self):
        print("reset")

class Twice(data.MapDataPipe):
    def __getitem__(self, i):
        return i * 2
    def __len__(self):
        return 3

@data.functional_datapipe("timed")
class Timed(data.IterDataPipe):
    def __init__(self, source, k=2):
        self.source, self.k = source, k
    def __iter__(self):
        for x in self.source:
            yield x * self.k

pipe = Count(3)
print(pipe, repr(pipe), list(pipe), list(pipe))
first = iter(pipe)
print(next(first))
second = iter(pipe)
print(next(second))
for attempt in (lambda: next(first), lambda: len(pipe), lambda: Timed(pipe).source.missing, lambda: data.MapDataPipe()[0],
                lambda: data.functional_datapipe("timed")(Timed)):
    try:
        attempt()
    except Exception as error:
        print(type(error).__name__, str(error).split("\\n")[0].rstrip("'"))
print([Twice()[i] for i in range(3)], len(Twice()))
print(pipe.timed(5), list(pipe.timed(5)), "timed" in dir(pipe))
data.IterDataPipe.register_function("tail", lambda self, n: list(self)[-n:])
print(pipe.tail(2))
"""


def test_pipes():
    printed = []
    for library in (torch, flambeau):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(PROGRAM, {"torch": library})
        printed.append(out.getvalue().splitlines())
        library.utils.data.IterDataPipe.functions.pop("timed")
        library.utils.data.IterDataPipe.functions.pop("tail")
    assert printed[1] == printed[0]


class Squares(flambeau.utils.data.IterDataPipe):
    def __iter__(self):
        return (i * i for i in range(4))


def test_pipes_in_loaders():
    assert [x.item() for x in flambeau.utils.data.DataLoader(Squares())] == [0, 1, 4, 9]
    assert [x.item() for x in flambeau.utils.data.DataLoader(Squares(), num_workers=1)] == [0, 1, 4, 9]
