"""The zip container: the layout that is written, and what the reader does with damaged or hostile files."""
import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from flambeau.serialization._archive import ArchiveReader, ArchiveWriter
from flambeau.serialization._source import Source


def written(records, **options):
    stream = io.BytesIO()
    with ArchiveWriter(stream, "model", **options) as archive:
        for name, data in records.items():
            archive.write_record(name, data)
    return stream.getvalue()


def reader(data):
    return ArchiveReader(Source(io.BytesIO(data)))


RECORDS = {"data.pkl": b"N.", "data/0": np.arange(256, dtype=np.uint8), "data/1": b"", "version": b"3\n"}


def test_records_are_aligned_stored_and_readable_by_any_zip_program():
    data = written(RECORDS)
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        assert z.testzip() is None
        assert z.namelist() == [f"model/{name}" for name in RECORDS]
        for info in z.infolist():
            name_size, extra_size = struct.unpack_from("<HH", data, info.header_offset + 26)
            assert (info.header_offset + 30 + name_size + extra_size) % 64 == 0
            assert info.compress_type == zipfile.ZIP_STORED
            assert z.read(info) == bytes(RECORDS[info.filename[6:]])


def test_reading_gives_the_records_back():
    archive = reader(written(RECORDS))
    assert archive.names() == list(RECORDS)
    assert {name: archive.read(name) for name in RECORDS} == {name: bytes(v) for name, v in RECORDS.items()}
    with pytest.raises(RuntimeError, match="file not found"):
        archive.read("data/2")


def test_an_archive_may_begin_in_the_middle_of_a_file():
    stream = io.BytesIO(b"before" + written(RECORDS))
    stream.seek(6)
    assert ArchiveReader(Source(stream)).read("data.pkl") == b"N."


def test_every_flipped_bit_in_the_data_is_found():
    data = written({"data.pkl": b"N.", "data/0": b"weights!"})
    at = data.index(b"weights!")
    for bit in range(64):
        damaged = bytearray(data)
        damaged[at + bit // 8] ^= 1 << bit % 8
        with pytest.raises(RuntimeError, match="damaged"):
            reader(bytes(damaged)).read("data/0")


def test_a_file_without_checksums_reads():
    data = written(RECORDS, checksums=False)
    assert reader(data).read("data/0") == bytes(range(256))
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        assert [i.CRC for i in z.infolist()] == [0] * 4


@pytest.mark.parametrize("cut", [0, 1, 3, 4, 30, 60, 100, 300, -1, -10, -22, -60, -200])
def test_a_truncated_archive_says_so(cut):
    data = written(RECORDS)[:cut or None][:0 if cut == 0 else None]
    with pytest.raises(RuntimeError, match="central directory|corrupt|archive"):
        reader(data)


def zipped(*records, compression=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as z:
        for name, data in records:
            z.writestr(name, data)
    return stream.getvalue()


def test_recompressed_archives_read():
    data = zipped(("m/data.pkl", b"N."), ("m/data/0", bytes(range(256)) * 100), compression=zipfile.ZIP_DEFLATED)
    assert reader(data).read("data/0") == bytes(range(256)) * 100
    at = data.index(b"m/data/0") + 20
    with pytest.raises(RuntimeError, match="corrupt archive"):
        reader(data[:at] + b"0123456789" + data[at + 10:]).read("data/0")


def test_a_zip_bomb_is_refused_before_anything_is_unpacked():
    data = zipped(("m/data.pkl", b"N."), ("m/data/0", bytes(200_000_000)), compression=zipfile.ZIP_DEFLATED)
    assert len(data) < 300_000
    tracemalloc.start()
    with pytest.raises(RuntimeError, match="zip bomb"):
        reader(data)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_bomb_that_lies_about_its_size_is_cut_off():
    data = zipped(("m/data/0", bytes(50_000_000)), compression=zipfile.ZIP_DEFLATED)
    data = data.replace(struct.pack("<I", 50_000_000), struct.pack("<I", 1000))
    tracemalloc.start()
    with pytest.raises(RuntimeError, match="does not unpack to the 1000 bytes"):
        reader(data).read("data/0")
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def directory_entry(data, name):
    """Where the central directory describes a record."""
    at = data.rindex(name.encode())
    assert data[at - 46:at - 42] == b"PK\x01\x02"
    return at - 46


def patched(data, name, offset, layout, value):
    at = directory_entry(data, name) + offset
    return data[:at] + struct.pack(layout, value) + data[at + struct.calcsize(layout):]


def test_overlapping_records_are_refused():
    """The densest zip bombs let thousands of directory entries name the same data."""
    data = written(RECORDS)
    first = struct.unpack_from("<I", data, directory_entry(data, "model/data.pkl") + 42)[0]
    with pytest.raises(RuntimeError, match="overlaps"):
        reader(patched(data, "model/data/0", 42, "<I", first))


@pytest.mark.parametrize(
    "offset,layout,value,message",
    [
        (42, "<I", 0x7FFFFFFF, "beyond the end"),
        (24, "<I", 5, "sizes differ"),
        (10, "<H", 14, "method 14"),
        (8, "<H", 1, "encrypted"),
        (20, "<I", 0xFFFFFFFF, "zip64"),
        (28, "<H", 60_000, "damaged"),
    ],
)
def test_impossible_directories_are_refused(offset, layout, value, message):
    with pytest.raises(RuntimeError, match=message):
        reader(patched(written(RECORDS), "model/data/0", offset, layout, value))


@pytest.mark.parametrize("name", ["../../etc/passwd", "m/../../x", "/etc/passwd", "C:\\x", "m\\..\\..\\x", "m/a\0b"])
def test_names_that_point_outside_are_refused(name):
    data = zipped(("m/data.pkl", b"N."), ("m/" + "x" * (len(name) - 2), b""))
    data = data.replace(("m/" + "x" * (len(name) - 2)).encode(), name.encode())
    with pytest.raises(RuntimeError, match="points outside"):
        reader(data)


def test_other_archives_are_named():
    with pytest.raises(RuntimeError, match="no records"):
        reader(zipped())
    with pytest.raises(RuntimeError, match="not in a subdirectory"):
        reader(zipped(("data.pkl", b"N.")))
    with pytest.raises(RuntimeError, match="two records"), pytest.warns(UserWarning, match="Duplicate"):
        reader(zipped(("m/data.pkl", b"N."), ("m/data.pkl", b"N.")))
    with pytest.raises(RuntimeError, match="version 99"):
        reader(zipped(("m/data.pkl", b"N."), ("m/version", b"99\n")))


def test_every_changed_byte_is_an_error_or_harmless():
    data = written({"data.pkl": b"N.", "data/0": b"weights!"})
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 0x55
        try:
            archive = reader(bytes(damaged))
            assert archive.read("data.pkl") == b"N."
            assert archive.read("data/0") == b"weights!"
        except RuntimeError:
            pass


class SparseFile(io.RawIOBase):
    """A file that remembers only what is not zero, so that archives over 4 GiB can be tested."""

    def __init__(self):
        self.pieces, self.size, self.at = {}, 0, 0

    def write(self, data):
        data = bytes(data)
        if data.count(0) != len(data):
            self.pieces[self.at] = data
        self.at += len(data)
        self.size = max(self.size, self.at)
        return len(data)

    def seek(self, offset, whence=0):
        self.at = offset + (self.size if whence == 2 else 0)
        return self.at

    def tell(self):
        return self.at

    def read(self, n=-1):
        n = self.size - self.at if n < 0 else min(n, self.size - self.at)
        out = bytearray(n)
        for begin, data in self.pieces.items():
            low, high = max(begin, self.at), min(begin + len(data), self.at + n)
            if low < high:
                out[low - self.at:high - self.at] = data[low - begin:high - begin]
        self.at += n
        return bytes(out)

    def readinto(self, buffer):
        data = self.read(len(buffer))
        buffer[:len(data)] = data
        return len(data)


def test_records_beyond_4_gib_use_zip64():
    stream = SparseFile()
    with ArchiveWriter(stream, "m") as archive:
        archive.write_record("data.pkl", b"N.")
        archive.write_empty("data/0", 5 << 30)
        archive.write_record("data/1", b"after")
    stream.seek(0)
    archive = ArchiveReader(Source(stream))
    assert archive.size("data/0") == 5 << 30
    assert archive.read("data/1") == b"after"
    stream.seek(0)
    with zipfile.ZipFile(stream) as z:
        assert z.read("m/data/1") == b"after"
        assert z.getinfo("m/data/0").file_size == 5 << 30
