"""The CRC-32 of large buffers is zlib's."""
import zlib

import numpy as np
import pytest

from flambeau.serialization import _checksum
from flambeau.serialization._checksum import crc32

DATA = np.random.default_rng(0).integers(0, 256, 200_000, dtype=np.uint8)


@pytest.fixture(params=["compiled", "zlib"])
def way(request, monkeypatch):
    monkeypatch.setattr(_checksum, "_BEFORE", 0 if request.param == "compiled" else 1 << 60)
    monkeypatch.setattr(_checksum, "_SHORT", 128)  # a block of the widest vectors
    if request.param == "compiled" and _checksum._fold() is None:
        pytest.skip("this CPU has no carry-less multiplication")


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 127, 128, 1000, 65536, 200_000])
@pytest.mark.parametrize("before", [0, 1, 0xDEADBEEF, 0xFFFFFFFF])
def test_crc32_is_that_of_zlib(way, size, before):
    data = DATA[:size]
    wanted = zlib.crc32(data.tobytes(), before)
    assert crc32(data, before) == crc32(data.tobytes(), before) == crc32(memoryview(data), before) == wanted


def test_one_wrong_bit_anywhere_changes_it(way):
    data = DATA[:500].copy()
    right = crc32(data)
    for at in range(500):
        data[at] ^= 1 << at % 8
        assert crc32(data) != right
        data[at] ^= 1 << at % 8


def test_a_process_that_sums_little_needs_no_compiler(monkeypatch):
    monkeypatch.setattr(_checksum, "_so_far", 0)
    monkeypatch.setattr(_checksum, "_fold", lambda: pytest.fail("fetched the function"))
    assert crc32(DATA) == zlib.crc32(DATA)
