"""PyTorch's zip container: a writer of its exact layout, and a reader that trusts nothing in the file.

The format, as PyTorch 2.13 writes it (the zip specification is PKWARE's APPNOTE.TXT):

- records are stored, not compressed, under one folder: `<name>/data.pkl`, `<name>/data/0`, …;
- the data of each record begin at a multiple of 64 bytes: the local header carries an extra field "FB" that pads;
- checksum and sizes follow the data in a data descriptor (flag bit 3), names are UTF-8 (bit 11), times are 0;
- the end is always written in zip64 form and then in the old form; only what passes 4 GiB uses zip64 fields.
"""
from __future__ import annotations

import struct
import zlib
from typing import IO, Any, NamedTuple

import numpy as np

from ._checksum import PIECE, crc32
from ._memory import memory_to_fill
from ._source import Source

ALIGNMENT = 64
MAX_VERSION = 10  # of the `version` record that this reader knows
INFLATED_RATIO = 50  # compressed records may be this many times larger in all than the file,
INFLATED_FREE = 1 << 24  # plus this many bytes
_U32 = 0xFFFFFFFF

_LOCAL = struct.Struct("<IHHHHHIIIHH")  # signature version flags method time date crc packed size name extra
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")  # … name extra comment disk internal external offset
_END = struct.Struct("<IHHHHIIH")
_END64 = struct.Struct("<IQHHIIQQQQ")
_LOCATOR64 = struct.Struct("<IIQI")
_LOCAL_SIGNATURE, _CENTRAL_SIGNATURE, _END_SIGNATURE = 0x04034B50, 0x02014B50, 0x06054B50
_END64_SIGNATURE, _LOCATOR64_SIGNATURE, _DESCRIPTOR_SIGNATURE = 0x06064B50, 0x07064B50, 0x08074B50
_FLAGS = 0x0808
_ZERO = bytes(1 << 20)


class ArchiveWriter:
    """Writes records to a stream in order. folder: the name that each record's name begins with.

    checksums=False writes 0 for them. `close` writes the directory; the stream stays open.
    """

    def __init__(self, stream: IO[bytes], folder: str, checksums: bool = True):
        self.stream = stream
        self.folder = folder
        self.checksums = checksums
        self.position = 0
        self._directory: list[tuple[bytes, int, int, int]] = []  # name, crc, size, offset of the local header

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(self, exc_type: Any, *exc: Any) -> None:
        if exc_type is None:
            self.close()

    def write_record(self, name: str, data: Any) -> int:
        """Writes one record; data is bytes or a flat array of bytes. Returns where its data begin."""
        begin = self._open_record(name, len(data))
        crc = 0
        for at in range(0, len(data), PIECE):
            piece = data[at:at + PIECE]
            if self.checksums:
                crc = crc32(piece, crc)
            self._write(piece)
        self._close_record(crc, len(data))
        return begin

    def write_empty(self, name: str, size: int) -> int:
        """Leaves `size` zero bytes in place of a record's data, with checksum 0 ("not known")."""
        begin = self._open_record(name, size)
        for at in range(0, size, len(_ZERO)):
            self._write(_ZERO[:size - at])
        self._close_record(0, size)
        return begin

    def _write(self, data: Any) -> None:
        view = memoryview(data)
        self.position += len(view)
        while len(view):
            written = self.stream.write(view)
            if written is None or written == len(view):  # None: a minimal file object that does not say
                break
            view = view[written:]

    def _open_record(self, name: str, size: int) -> int:
        path = f"{self.folder}/{name}".encode()
        large = size >= _U32
        sizes = struct.pack("<HHQQ", 1, 16, 0, 0) if large else b""
        packed = _U32 if large else 0
        padding = -(self.position + _LOCAL.size + len(path) + len(sizes) + 4) % ALIGNMENT
        extra = sizes + struct.pack("<2sH", b"FB", padding) + b"Z" * padding
        self._directory.append((path, 0, size, self.position))
        version = 45 if large else 0
        self._write(_LOCAL.pack(_LOCAL_SIGNATURE, version, _FLAGS, 0, 0, 0, 0, packed, packed, len(path), len(extra))
                    + path + extra)
        return self.position

    def _close_record(self, crc: int, size: int) -> None:
        path, _, _, offset = self._directory[-1]
        self._directory[-1] = (path, crc, size, offset)
        self._write(struct.pack("<IIQQ" if size >= _U32 else "<IIII", _DESCRIPTOR_SIGNATURE, crc, size, size))

    def close(self) -> None:
        """Writes the central directory and the end records."""
        start = self.position
        directory = b"".join(_central_entry(*entry) for entry in self._directory)
        n = len(self._directory)
        self._write(directory)
        end = self.position
        self._write(_END64.pack(_END64_SIGNATURE, 44, 0x031E, 45, 0, 0, n, n, len(directory), start))
        self._write(_LOCATOR64.pack(_LOCATOR64_SIGNATURE, 0, end, 1))
        n16, size32, start32 = min(n, 0xFFFF), min(len(directory), _U32), min(start, _U32)
        self._write(_END.pack(_END_SIGNATURE, 0, 0, n16, n16, size32, start32, 0))

    def content_id(self) -> str:
        """Forty digits that depend on the names and checksums of all records so far."""
        summary = repr([(path, crc, size) for path, crc, size, _ in self._directory]).encode()
        return f"{zlib.adler32(summary):020d}{zlib.crc32(summary):020d}"


def _central_entry(path: bytes, crc: int, size: int, offset: int) -> bytes:
    large = [v for v in (size, size, offset) if v >= _U32]
    extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    version, size32, offset32 = 45 if large else 0, min(size, _U32), min(offset, _U32)
    return _CENTRAL.pack(_CENTRAL_SIGNATURE, 0, version, _FLAGS, 0, 0, 0, crc, size32, size32, len(path), len(extra),
                         0, 0, 0, 0, offset32) + path + extra


# ------------------------------------------------------------------ reading

class Entry(NamedTuple):
    """One record as the central directory describes it. packed: bytes in the file; offset: of its local header."""

    name: str
    method: int
    crc: int
    packed: int
    size: int
    offset: int


class ArchiveReader:
    """Reads the records of a PyTorch zip file by name (without the folder that all names share).

    Everything is checked before it is used: offsets and sizes against the file, records against each other (no two may
    overlap: that is how zip bombs are made), compressed sizes against a limit, data against their checksum. A file that
    fails raises RuntimeError.
    """

    def __init__(self, source: Source):
        self.source = source
        entries = _read_directory(source)
        if not entries:
            raise RuntimeError("PytorchStreamReader failed: the archive holds no records")
        folder, slash, _ = entries[0].name.partition("/")
        if not slash:
            raise RuntimeError(
                f"PytorchStreamReader failed: file in archive is not in a subdirectory: {entries[0].name!r}"
            )
        self.folder = folder
        self.entries: dict[str, Entry] = {}
        for entry in entries:
            if entry.name.startswith(folder + "/") and not entry.name.endswith("/"):
                name = entry.name[len(folder) + 1:]
                if name in self.entries:
                    raise RuntimeError(f"corrupt archive: two records are called {entry.name!r}")
                self.entries[name] = entry
        self._check_sizes(entries)
        self._map: np.ndarray | None = None
        version = self.text("version", self.text(".data/version", "3"))
        if not version.strip().isdecimal() or not 1 <= int(version) <= MAX_VERSION:
            raise RuntimeError(
                f"Attempted to read a PyTorch file with version {version.strip()[:20]}, but the maximum supported "
                f"version for reading is {MAX_VERSION}."
            )

    def _check_sizes(self, entries: list[Entry]) -> None:
        reach = 0
        for entry in sorted(entries, key=lambda e: e.offset):
            if entry.offset < reach:
                raise RuntimeError(f"corrupt archive: record {entry.name!r} overlaps another one")
            reach = entry.offset + _LOCAL.size + len(entry.name.encode("utf-8", "surrogateescape")) + entry.packed
            if reach > self.source.size:
                raise RuntimeError(f"corrupt archive: record {entry.name!r} reaches beyond the end of the file")
        inflated = sum(e.size for e in entries if e.method)
        if inflated > INFLATED_FREE + INFLATED_RATIO * self.source.size:
            raise RuntimeError(f"refused: the archive's compressed records would unpack to {inflated} bytes, over "
                               f"{INFLATED_RATIO} times the file's size (a zip bomb)")

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def names(self) -> list[str]:
        """The records' names, in the file's order."""
        return list(self.entries)

    def size(self, name: str) -> int:
        """A record's size in bytes, unpacked."""
        return self._entry(name).size

    def text(self, name: str, default: str) -> str:
        """A small text record, or `default` if there is none."""
        if name not in self.entries:
            return default
        if self.size(name) > 4096:
            raise RuntimeError(f"corrupt archive: record {name!r} has {self.size(name)} bytes, expected a short text")
        return self.read(name).decode("utf-8", "replace")

    def read(self, name: str) -> bytes:
        """A record as bytes."""
        return self.read_array(name).tobytes()

    def read_array(self, name: str, size: int | None = None) -> np.ndarray:
        """A record (or its first `size` bytes) as a new, writable array of bytes. RuntimeError if it is damaged."""
        entry = self._entry(name)
        begin = self._data_offset(entry)
        if entry.method:
            data = self._inflate(entry, begin)
        else:
            data = memory_to_fill(entry.size)
            self._read_checked(entry, begin, data)
        return data if size is None or size == entry.size else data[:size].copy()

    def map_array(self, name: str, size: int) -> np.ndarray:
        """A stored record's first `size` bytes as part of the mapped file: nothing is read now, nothing is checked."""
        entry = self._entry(name)
        if entry.method:
            raise RuntimeError(
                f"mmap needs records that are stored, and {name!r} is compressed: load without mmap=True"
            )
        begin = self._data_offset(entry)
        if self._map is None:
            self._map = self.source.map()
        return self._map[begin:begin + size]

    def _entry(self, name: str) -> Entry:
        try:
            return self.entries[name]
        except KeyError:
            raise RuntimeError(f"PytorchStreamReader failed locating file {name}: file not found") from None

    def _data_offset(self, entry: Entry) -> int:
        header = self.source.read(entry.offset, _LOCAL.size)
        if len(header) < _LOCAL.size or header[:4] != b"PK\x03\x04":
            raise RuntimeError(f"corrupt archive: record {entry.name!r} has no local header")
        flags, name_size, extra_size = (_LOCAL.unpack(header)[i] for i in (2, 9, 10))
        if flags & 0x41:
            raise RuntimeError(f"record {entry.name!r} is encrypted")
        begin = entry.offset + _LOCAL.size + name_size + extra_size
        if begin + entry.packed > self.source.size:
            raise RuntimeError(f"corrupt archive: record {entry.name!r} reaches beyond the end of the file")
        return begin

    def _read_checked(self, entry: Entry, begin: int, data: np.ndarray) -> None:
        crc = 0
        try:
            for at in range(0, entry.size, PIECE):
                piece = data[at:at + PIECE]
                self.source.read_into(begin + at, piece)
                crc = crc32(piece, crc)
        except EOFError as error:
            raise RuntimeError(f"corrupt archive: record {entry.name!r}: {error}") from None
        _compare(entry, crc)

    def _inflate(self, entry: Entry, begin: int) -> np.ndarray:
        inflater = zlib.decompressobj(-15)
        try:
            raw = inflater.decompress(self.source.read(begin, entry.packed), entry.size + 1)
        except zlib.error as error:
            raise RuntimeError(f"corrupt archive: record {entry.name!r} does not unpack: {error}") from None
        if len(raw) != entry.size:
            raise RuntimeError(
                f"corrupt archive: record {entry.name!r} does not unpack to the {entry.size} bytes it should have"
            )
        _compare(entry, zlib.crc32(raw))
        return np.frombuffer(bytearray(raw), np.uint8)


def _compare(entry: Entry, crc: int) -> None:
    if crc != entry.crc and entry.crc != 0:  # 0: written without checksums (`set_crc32_options(False)`, `skip_data`)
        raise RuntimeError(
            f"corrupt archive: record {entry.name!r} is damaged (its CRC-32 is {crc:08x}, not {entry.crc:08x})"
        )


def is_archive(source: Source) -> bool:
    """Whether the source begins as PyTorch's zip files do."""
    return source.read(0, 4) == b"PK\x03\x04"


def _read_directory(source: Source) -> list[Entry]:
    """The central directory. Raises RuntimeError if there is none or it does not fit the file."""
    count, size, start = _find_directory(source)
    if start + size > source.size or count * _CENTRAL.size > size:
        raise RuntimeError(
            "PytorchStreamReader failed reading zip archive: the central directory lies outside the file"
        )
    raw = source.read(start, size)
    entries: list[Entry] = []
    at = 0
    for _ in range(count):
        if len(raw) - at < _CENTRAL.size or raw[at:at + 4] != b"PK\x01\x02":
            raise RuntimeError("PytorchStreamReader failed reading zip archive: the central directory is damaged")
        fields = _CENTRAL.unpack_from(raw, at)
        at += _CENTRAL.size
        name_size, extra_size, comment_size = fields[10:13]
        name = raw[at:at + name_size].decode("utf-8", "surrogateescape")
        extra = raw[at + name_size:at + name_size + extra_size]
        at += name_size + extra_size + comment_size
        if at > len(raw):
            raise RuntimeError("PytorchStreamReader failed reading zip archive: the central directory is damaged")
        entries.append(_entry_of(name, fields, extra))
    return entries


def _entry_of(name: str, fields: tuple, extra: bytes) -> Entry:
    flags, method, crc, packed, size, offset = fields[3], fields[4], fields[7], fields[8], fields[9], fields[16]
    if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or "\0" in name or ":" in name[:3]:
        raise RuntimeError(f"refused: the archive holds a record called {name!r}, which points outside of it")
    size, packed, offset = _zip64_values(extra, size, packed, offset)
    if flags & 0x41:
        raise RuntimeError(f"record {name!r} is encrypted")
    if method not in (0, 8):
        raise RuntimeError(
            f"record {name!r} is compressed by method {method}; only stored and deflated records can be read"
        )
    if method == 0 and packed != size:
        raise RuntimeError(f"corrupt archive: record {name!r} is stored, but its two sizes differ")
    return Entry(name, method, crc, packed, size, offset)


def _zip64_values(extra: bytes, *values: int) -> list[int]:
    """Replaces each value that says "see the zip64 field" by the next number of that field."""
    at = 0
    field = b""
    while at + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, at)
        if tag == 1:
            field = extra[at + 4:at + 4 + length]
            break
        at += 4 + length
    result = []
    for value in values:
        if value == _U32:
            if len(field) < 8:
                raise RuntimeError("PytorchStreamReader failed reading zip archive: a zip64 field is missing")
            value = int.from_bytes(field[:8], "little")
            field = field[8:]
        result.append(value)
    return result


def _find_directory(source: Source) -> tuple[int, int, int]:
    """(number of entries, size, offset) of the central directory."""
    tail_size = min(source.size, _END.size + 0xFFFF)
    tail = source.read(source.size - tail_size, tail_size)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise RuntimeError(
            "PytorchStreamReader failed reading zip archive: failed finding central directory (the file is "
            "truncated or damaged)"
        )
    count, size, start = (_END.unpack_from(tail, at)[i] for i in (4, 5, 6))
    end = source.size - tail_size + at
    if _U32 in (size, start) or count == 0xFFFF:
        locator = source.read(max(end - _LOCATOR64.size, 0), _LOCATOR64.size)
        if len(locator) == _LOCATOR64.size and locator[:4] == b"PK\x06\x07":
            end64 = _LOCATOR64.unpack(locator)[2]
            record = source.read(min(end64, source.size), _END64.size)
            if len(record) < _END64.size or record[:4] != b"PK\x06\x06":
                raise RuntimeError("PytorchStreamReader failed reading zip archive: the zip64 end record is missing")
            count, size, start = (_END64.unpack(record)[i] for i in (7, 8, 9))
    return count, size, start
