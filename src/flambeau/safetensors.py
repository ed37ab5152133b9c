"""The safetensors format: named tensors in one file, with nothing in it that could run. As `safetensors.torch`.

The format (huggingface/safetensors, README, "Format"):

    8 bytes     N, the header's length, little-endian
    N bytes     a JSON object: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, …,
                                "__metadata__": {text: text}}; may end in spaces
    the rest    the data, C-contiguous and little-endian; offsets count from here, leave no holes and do not overlap

Tensors that share memory are refused by `save_file`, as by the safetensors package; `save_model` keeps one name.
"""
from __future__ import annotations

import io
import json
import os
import struct
import sys
from math import prod
from typing import Any, Iterable

import numpy as np

from . import dtypes
from .ir.types import contiguous_strides
from .serialization._atomic import atomic_write
from .serialization._location import restorer
from .serialization._rebuild import rebuild_tensor_v2
from .serialization._memory import memory_to_fill
from .serialization._source import Source
from .serialization._storages import Memory, StoredStorage
from .serialization._tensors import buffer_of, describe
from .tensor.tensor import Tensor

MAX_HEADER = 100_000_000  # bytes; the safetensors package's limit
# in the safetensors package's order; a file has the tensors of the last dtype first, so that all are aligned
CODES = {
    "BOOL": dtypes.bool_, "U8": dtypes.uint8, "I8": dtypes.int8, "F8_E5M2": dtypes.float8_e5m2,
    "F8_E4M3": dtypes.float8_e4m3fn, "I16": dtypes.int16, "U16": dtypes.uint16, "F16": dtypes.float16,
    "BF16": dtypes.bfloat16, "I32": dtypes.int32, "U32": dtypes.uint32, "F32": dtypes.float32, "C64": dtypes.complex64,
    "F64": dtypes.float64, "I64": dtypes.int64, "U64": dtypes.uint64,
}
_CODE_OF = {d: code for code, d in CODES.items()}
_RANK = {d: rank for rank, d in enumerate(CODES.values())}


class SafetensorError(Exception):
    """A file that is no safetensors file, or a damaged one."""


# ------------------------------------------------------------------ saving

def save_file(tensors: dict[str, Tensor], filename: str | os.PathLike, metadata: dict[str, str] | None = None) -> None:
    """Writes named tensors to a file, which is replaced in one step (see `torch.save`).

    tensors: contiguous, none sharing memory with another. metadata: text by name, kept in the header.
    Raises ValueError for tensors that are not contiguous, RuntimeError for shared memory.
    """
    header, arrays = _layout(tensors, metadata)
    with atomic_write(filename) as f:
        _write(f, header, arrays)


def save(tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """The bytes that `save_file` would write."""
    header, arrays = _layout(tensors, metadata)
    stream = io.BytesIO()
    _write(stream, header, arrays)
    return stream.getvalue()


def save_model(model: Any, filename: str, metadata: dict[str, str] | None = None,
               force_contiguous: bool = True) -> None:
    """Writes a module's state_dict. Of names that share one tensor one is kept; the metadata name it for the others.

    force_contiguous=False raises ValueError for tensors that are not contiguous instead of copying them.
    Raises RuntimeError for tensors that share memory only in part.
    """
    state = model.state_dict()
    metadata = dict(metadata or {})
    for names in _shared(state):
        kept, *dropped = sorted(names)
        for name in dropped:
            metadata[name] = kept
            del state[name]
    if force_contiguous:
        state = {name: t.contiguous() for name, t in state.items()}
    save_file(state, filename, metadata)


def _layout(tensors: Any, metadata: dict[str, str] | None) -> tuple[bytes, list[np.ndarray]]:
    """The header, and the arrays in the order of the data: by dtype (see CODES), then by name."""
    if not isinstance(tensors, dict):
        raise ValueError(f"Expected a dict of [str, torch.Tensor] but received {type(tensors)}")
    for name, t in tensors.items():
        if not isinstance(name, str) or not isinstance(t, Tensor):
            raise ValueError(f"Key `{name}` is invalid, expected torch.Tensor but received {type(t)}")
        if t.dtype not in _CODE_OF:
            raise ValueError(f"Key `{name}`: safetensors has no dtype for {t.dtype}")
        if not _contiguous(t):
            raise ValueError(
                f"You are trying to save a non contiguous tensor: `{name}` which is not allowed. Call "
                "`.contiguous()` on it, or, if it is a part of another tensor, save that one and slice it when loaded."
            )
    shared = [names for names in _overlapping(tensors) if len(names) > 1]
    if shared:
        raise RuntimeError(
            f"Some tensors share memory, this will lead to duplicate memory on disk and potential differences when "
            f"loading them again: {shared}. Use `save_model`, which keeps one of each."
        )
    if metadata is not None and not all(isinstance(k, str) and isinstance(v, str) for k, v in metadata.items()):
        raise ValueError("metadata must be a dict of text by text")
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    arrays = []
    end = 0
    for name in sorted(tensors, key=lambda name: (-_RANK[tensors[name].dtype], name)):
        t = tensors[name]
        array = _elements(t)
        header[name] = {"dtype": _CODE_OF[t.dtype], "shape": list(t.shape), "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
        arrays.append(array)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return text + b" " * (-len(text) % 8), arrays


def _write(f: Any, header: bytes, arrays: Iterable[np.ndarray]) -> None:
    f.write(struct.pack("<Q", len(header)) + header)
    for array in arrays:
        view = memoryview(array.view(np.uint8) if sys.byteorder == "little" else array.byteswap().view(np.uint8))  # type: ignore[arg-type]
        while len(view):
            view = view[f.write(view):]


def _contiguous(t: Tensor) -> bool:
    record = describe(t)
    return prod(record.shape) == 0 or all(n == 1 or have == want for n, have, want in zip(
        record.shape, record.strides, contiguous_strides(record.shape)))


def _elements(t: Tensor) -> np.ndarray:
    """A contiguous tensor's elements, flat, without a copy."""
    record = describe(t)
    begin, nbytes = record.offset * t.dtype.itemsize, prod(record.shape) * t.dtype.itemsize
    return buffer_of(record.storage).view(np.uint8)[begin:begin + nbytes].view(t.dtype.np)


def _overlapping(tensors: dict[str, Tensor]) -> list[list[str]]:
    """Names grouped by storage, only those whose memory really overlaps."""
    by_storage: dict[int, list[tuple[int, int, str]]] = {}
    for name, t in tensors.items():
        record = describe(t)
        if prod(record.shape):
            begin = record.offset * t.dtype.itemsize
            reach = begin + (1 + sum((n - 1) * st for n, st in zip(record.shape, record.strides))) * t.dtype.itemsize
            by_storage.setdefault(id(record.storage), []).append((begin, reach, name))
    groups: list[list[str]] = []
    for spans in by_storage.values():
        end = -1
        for begin, reach, name in sorted(spans):
            if begin < end:
                groups[-1].append(name)
            else:
                groups.append([name])
            end = max(end, reach)
    return groups


def _shared(state: dict[str, Tensor]) -> list[list[str]]:
    """Groups of names that are the very same tensor; RuntimeError if memory is shared only in part."""
    groups = [names for names in _overlapping(state) if len(names) > 1]
    for names in groups:
        if len({describe(state[name])[1:5] for name in names}) > 1:
            raise RuntimeError(
                f"Error while trying to find names to remove to save state dict: {names} share memory only in part"
            )
    return groups


# ------------------------------------------------------------------ loading

def load_file(filename: str | os.PathLike, device: Any = "cpu") -> dict[str, Tensor]:
    """The tensors of a file, by name, in the order of their data. Raises SafetensorError, FileNotFoundError."""
    restorer(device)(StoredStorage(Memory(np.empty(0, np.uint8)), None), str(device))
    with Source(filename) as source:
        return _read(source)


def load(data: bytes) -> dict[str, Tensor]:
    """The tensors in the bytes of a file."""
    with Source(io.BytesIO(data)) as source:
        return _read(source)


def load_model(model: Any, filename: str | os.PathLike, strict: bool = True,
               device: Any = "cpu") -> tuple[list[str], list[str]]:
    """Loads what `save_model` wrote into a module. Returns (missing, unexpected) names.

    Raises RuntimeError if strict and there are any.
    """
    state = load_file(filename, device)
    missing, unexpected = map(list, model.load_state_dict(state, strict=False))
    for names in _shared(model.state_dict()):
        kept = min(names, key=lambda name: (name not in state, name))  # one name of a shared tensor fills it under all
        for name in set(names) - {kept}:
            (missing.remove if name in missing else unexpected.append)(name)
    if strict and (missing or unexpected):
        problems = "".join(
            f"\n    {what} key(s) in state_dict: " + ", ".join(f'"{name}"' for name in sorted(names))
            for what, names in (("Missing", missing), ("Unexpected", unexpected)) if names)
        raise RuntimeError(f"Error(s) in loading state_dict for {type(model).__name__}:{problems}")
    return sorted(missing), unexpected


def read_header(source: Source) -> tuple[dict[str, Any], int]:
    """(header, where the data begin), all of it checked. SafetensorError says what is wrong."""
    head = source.read(0, 8)
    if len(head) < 8:
        raise SafetensorError(
            "Error while deserializing header: header too small (the file is no safetensors file, or truncated)"
        )
    size = struct.unpack("<Q", head)[0]
    if size > MAX_HEADER:
        raise SafetensorError("Error while deserializing header: header too large")
    if size > source.size - 8:
        raise SafetensorError("Error while deserializing header: invalid header length (the file is truncated)")
    raw = source.read(8, size)
    try:
        header = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise SafetensorError(f"Error while deserializing header: invalid JSON ({error})") from None
    if not raw.startswith(b"{") or not isinstance(header, dict):
        raise SafetensorError("Error while deserializing header: invalid start character in header")
    _check_entries(header, source.size - 8 - size)
    return header, 8 + size


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _check_entries(header: dict[str, Any], available: int) -> None:
    """Each entry has a dtype, a shape and offsets that fit each other; all together cover the data exactly."""
    metadata = header.get("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise SafetensorError("Error while deserializing header: __metadata__ must be text by name")
    spans = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        try:
            shape, (begin, end), code = entry["shape"], entry["data_offsets"], entry["dtype"]
            sizes_right = isinstance(code, str) and isinstance(shape, list) and len(shape) <= 64 and all(
                type(n) is int and 0 <= n < 1 << 62 for n in (*shape, begin, end)) and begin <= end
        except (KeyError, TypeError, ValueError):
            sizes_right = False
        if not sizes_right:
            raise SafetensorError(f"Error while deserializing header: the entry of {name!r} is malformed")
        if code in CODES and end - begin != prod(shape) * CODES[code].itemsize:
            raise SafetensorError(
                f"Error while deserializing header: the data of {name!r} do not fit its shape {shape} and dtype {code}"
            )
        spans.append((begin, end, name))
    reach = 0
    for begin, end, name in sorted(spans):
        if begin != reach:
            raise SafetensorError(
                f"Error while deserializing header: invalid offset for tensor `{name}` (a hole, or two tensors overlap)"
            )
        reach = end
    if reach != available:
        raise SafetensorError(
            f"Error while deserializing: metadata incomplete buffer: the data should have {reach} bytes and "
            f"have {available}"
        )


def _read(source: Source) -> dict[str, Tensor]:
    header, start = read_header(source)
    entries = [(entry["data_offsets"], name, entry) for name, entry in header.items() if name != "__metadata__"]
    tensors = {}
    for (begin, end), name, entry in sorted(entries, key=lambda e: e[0]):
        dtype = CODES.get(entry["dtype"])
        if dtype is None:
            raise SafetensorError(f"tensor {name!r} is of type {entry['dtype']}, which flambeau does not have yet")
        data = memory_to_fill(end - begin)
        source.read_into(start + begin, data)
        shape = tuple(entry["shape"])
        stored = StoredStorage(Memory(data, sys.byteorder == "big"), dtype)
        tensors[name] = rebuild_tensor_v2(stored, 0, shape, contiguous_strides(shape), False, None)
    return tensors
