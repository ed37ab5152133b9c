import gc
import mmap

import numpy as np
import pytest

import flambeau as fb
from flambeau.serialization import _memory
from flambeau.serialization._memory import SparePages, memory_to_fill

MB = 1 << 20

pytestmark = pytest.mark.skipif(not hasattr(mmap, "MAP_POPULATE"), reason="the system hands pages out one by one")


@pytest.fixture
def spare(monkeypatch):
    pages = SparePages(8 * MB)
    monkeypatch.setattr(_memory, "_spare", pages)
    return pages


def test_pages_of_an_array_that_is_gone_serve_the_next_of_its_size(spare):
    a = memory_to_fill(2 * MB)
    address = a.ctypes.data
    del a
    assert spare.nbytes == 2 * MB
    assert memory_to_fill(2 * MB).ctypes.data == address


def test_a_view_keeps_pages_from_the_next_array(spare):
    part = memory_to_fill(2 * MB)[10:20].view(np.int8)
    part[:] = 7
    memory_to_fill(2 * MB)[:] = 1
    assert spare.nbytes == 2 * MB
    assert (part == 7).all()


def test_what_is_kept_and_used_is_no_more_than_was_used_at_once(spare):
    arrays = [memory_to_fill(MB) for _ in range(4)]
    del arrays
    large = memory_to_fill(3 * MB)
    assert large.size + spare.nbytes == 4 * MB


def test_no_more_than_the_limit_is_kept(spare):
    arrays = [memory_to_fill(3 * MB) for _ in range(4)]
    del arrays
    assert spare.nbytes == 6 * MB


def test_tensors_of_two_loads_share_nothing(spare, tmp_path):
    file = tmp_path / "a.pt"
    fb.save({"w": fb.zeros(600_000)}, file)
    first = fb.load(file)["w"]
    second = fb.load(file)["w"]
    second.add_(1)
    assert float(first.sum()) == 0
    part = first[5:10]
    del first, second
    gc.collect()
    third = fb.load(file)["w"].add_(3)
    assert float(part.sum()) == 0 and float(third.sum()) == 1_800_000
