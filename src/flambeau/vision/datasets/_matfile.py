"""MATLAB files of version 5, in which several data sets keep their labels: numbers, text, cells and structures."""
from __future__ import annotations

import math
import os
import struct
import zlib
from typing import Any, Iterator

import numpy as np

_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR, _SPARSE, _FIRST_NUMBER, _LAST_NUMBER = 1, 2, 4, 5, 6, 15
MAX_RATIO = 1100  # deflate cannot do better than 1032 : 1
MAX_DEPTH = 32
MAX_SPARSE = 1 << 26  # entries of a sparse matrix, which is made dense


class _Damaged(Exception):
    pass


def load_mat(path: str | os.PathLike) -> dict[str, Any]:
    """The variables in a MATLAB 5 file, by name.

    Numbers are arrays of the dtype in the file (sparse ones made dense), text is str (or a list of str, one a row), a
    cell array is an array of objects, a structure array a dict of arrays of objects, one for each field.
    Errors: RuntimeError if the file is damaged or of another version; FileNotFoundError.
    """
    with open(path, "rb") as file:
        content = file.read()
    try:
        return dict(_variables(content))
    except (_Damaged, struct.error, zlib.error, ValueError, KeyError, IndexError) as error:
        raise RuntimeError(f"{path} is not a MATLAB 5 file, or truncated or damaged ({error}). Delete it and download "
                           "it again.") from error


def _variables(content: bytes) -> Iterator[tuple[str, Any]]:
    if len(content) < 128 or content[126:128] not in (b"IM", b"MI"):
        raise _Damaged(f"it begins with {content[:16]!r}")
    reader = _Reader("<" if content[126:128] == b"IM" else ">")
    version = struct.unpack_from(reader.order + "H", content, 124)[0]
    if version != 0x0100:
        raise _Damaged(f"its version is {version:#x}")
    at = 128
    while at < len(content):
        kind, data, at = reader.element(content, at, padded=False)
        if kind == _COMPRESSED:
            inflater = zlib.decompressobj()
            data = inflater.decompress(data, MAX_RATIO * len(data) + 64)
            if not inflater.eof:
                raise _Damaged("a compressed variable ends early")
            kind, data, _ = reader.element(data, 0)
        if kind == _MATRIX:
            name, value = reader.matrix(data)
            if name:
                yield name, value


class _Reader:
    """Reads elements in one byte order, "<" or ">"."""

    def __init__(self, order: str):
        self.order = order

    def element(self, content: Any, at: int, padded: bool = True) -> tuple[int, Any, int]:
        """(type, contents, where the next element begins) of the element at `at`."""
        content = memoryview(content)
        first = struct.unpack_from(self.order + "I", content, at)[0]
        if first >> 16:  # a small element: type and size share four bytes, the contents the next four
            kind, size, start = first & 0xFFFF, first >> 16, at + 4
            following = at + 8
        else:
            kind, size, start = first, struct.unpack_from(self.order + "I", content, at + 4)[0], at + 8
            following = start + (size + 7) // 8 * 8 if padded else start + size
        if start + size > len(content) or (first >> 16 and size > 4):
            raise _Damaged(f"an element of {size} bytes at {at} goes beyond the end")
        return kind, content[start:start + size], following

    def numbers(self, content: Any, at: int) -> tuple[np.ndarray, int]:
        kind, data, at = self.element(content, at)
        return np.frombuffer(data, self.order + _NUMBERS[kind]).astype(_NUMBERS[kind], copy=False), at

    def matrix(self, data: Any, depth: int = 0) -> tuple[str, Any]:
        """(name, value) of what a matrix element holds."""
        if depth > MAX_DEPTH:
            raise _Damaged("it is nested too deeply")
        if not len(data):
            return "", np.empty((0, 0))
        flags, at = self.numbers(data, 0)
        kind = int(flags[0]) & 0xFF
        dims, at = self.numbers(data, at)
        shape = tuple(int(n) for n in dims)
        if len(shape) < 2 or min(shape) < 0:
            raise _Damaged(f"a variable has the shape {shape}")
        name, at = self.numbers(data, at)
        return name.tobytes().decode("latin-1"), self._value(kind, shape, data, at, depth)

    def _value(self, kind: int, shape: tuple[int, ...], data: Any, at: int, depth: int) -> Any:
        if kind == _CHAR:
            return self._text(shape, data, at)
        if kind == _CELL:
            return self._objects(math.prod(shape), data, at, depth)[0].reshape(shape, order="F")
        if kind == _STRUCT:
            length, at = self.numbers(data, at)
            names, at = self.numbers(data, at)
            size = int(length[0])
            fields = [names.tobytes()[k:k + size].split(b"\0")[0].decode() for k in range(0, len(names), size)]
            values, _ = self._objects(math.prod(shape) * len(fields), data, at, depth)
            return {field: values[k::len(fields)].reshape(shape, order="F") for k, field in enumerate(fields)}
        if kind == _SPARSE:
            return self._sparse(shape, data, at)
        if _FIRST_NUMBER <= kind <= _LAST_NUMBER:
            values, _ = self.numbers(data, at)
            return values.reshape(shape, order="F")
        raise _Damaged(f"variables of class {kind} are not supported")

    def _objects(self, count: int, data: Any, at: int, depth: int) -> tuple[np.ndarray, int]:
        if count > len(data):
            raise _Damaged(f"it cannot hold {count} elements")
        values = np.empty(count, object)
        for k in range(count):
            kind, inner, at = self.element(data, at)
            if kind != _MATRIX:
                raise _Damaged(f"an element of type {kind} where a matrix should be")
            values[k] = self.matrix(inner, depth + 1)[1]
        return values, at

    def _sparse(self, shape: tuple[int, ...], data: Any, at: int) -> np.ndarray:
        """Compressed columns: rows of the entries, where each column begins among them, the entries."""
        rows, at = self.numbers(data, at)
        starts, at = self.numbers(data, at)
        entries, _ = self.numbers(data, at)
        if math.prod(shape) > MAX_SPARSE:
            raise _Damaged(f"a sparse matrix has the shape {shape}")
        dense = np.zeros(shape, entries.dtype)
        columns = np.repeat(np.arange(shape[1]), np.diff(starts))
        dense[rows[:len(columns)], columns] = entries[:len(columns)]
        return dense

    def _text(self, shape: tuple[int, ...], data: Any, at: int) -> Any:
        kind, raw, _ = self.element(data, at)
        encoding = _TEXTS[kind]
        if encoding in ("utf-16", "utf-32"):
            encoding += "-le" if self.order == "<" else "-be"
        text = bytes(raw).decode(encoding)
        if shape[0] <= 1:
            return text
        return ["".join(text[row::shape[0]]) for row in range(shape[0])]
