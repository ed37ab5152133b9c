"""`save`: an object tree to a file."""
from __future__ import annotations

import io
import os
import pickle
import sys
from contextlib import nullcontext
from typing import Any

import numpy as np

from . import _legacy
from ._archive import ALIGNMENT, ArchiveWriter
from ._atomic import atomic_write
from ._options import options
from ._pickler import StorageKeys, pickler_class

DEFAULT_PROTOCOL = 2


def save(obj: Any, f: Any, pickle_module: Any = pickle, pickle_protocol: int = DEFAULT_PROTOCOL,
         _use_new_zipfile_serialization: bool = True, _disable_byteorder_record: bool = False) -> None:
    """Writes `obj` to a file that flambeau and PyTorch load.

    obj: anything that pickles. Tensors are written bit for bit; those that share memory still share it when loaded.
    f: a path, or an object with `write` (and `flush`, if it has one). A path is replaced in one step when all data are
        safely on disk: whatever goes wrong before, the old file stays. Its permissions are kept.
    pickle_module: `pickle`, or a module whose Pickler is derived from `pickle._Pickler`. pickle_protocol: 2 to 5.
    Errors: RuntimeError if the folder does not exist; AttributeError if f cannot be written to; OSError; whatever
        pickling raises.
    """
    _check_target(f)
    if not _use_new_zipfile_serialization:
        with _open(f) as stream:
            _legacy.save(obj, stream, pickle_module, pickle_protocol)
            _flush(stream)
        return
    keys = StorageKeys()
    pickled = io.BytesIO()
    pickler_class(pickle_module)(pickled, keys, pickle_protocol).dump(obj)
    with _open(f) as stream:
        with ArchiveWriter(stream, _folder_of(f), options.compute_crc32) as archive:
            _write_records(archive, pickled.getbuffer(), keys, not _disable_byteorder_record)
        _flush(stream)


def _write_records(archive: ArchiveWriter, pickled: Any, keys: StorageKeys, byte_order: bool) -> None:
    """The records in PyTorch's order."""
    archive.write_record("data.pkl", pickled)
    archive.write_record(".format_version", b"1")
    archive.write_record(".storage_alignment", str(ALIGNMENT).encode())
    if byte_order:
        archive.write_record("byteorder", sys.byteorder.encode())
    for key, (_, array) in keys.stored.items():
        if options.skip_data:
            archive.write_empty(f"data/{key}", array.nbytes)
        else:
            archive.write_record(f"data/{key}", array.view(np.uint8))
    archive.write_record("version", b"3\n")
    archive.write_record(".data/serialization_id", archive.content_id().encode())


def _check_target(f: Any) -> None:
    if isinstance(f, (str, os.PathLike)):
        if not os.fspath(f):
            raise ValueError("expected a file name, got an empty one")
    elif not hasattr(f, "write"):
        raise AttributeError(
            f"expected 'f' to be string, path, or a file-like object with a 'write' attribute, got {type(f).__name__}"
        )


def _open(f: Any) -> Any:
    return atomic_write(f) if isinstance(f, (str, os.PathLike)) else nullcontext(f)


def _flush(stream: Any) -> None:
    flush = getattr(stream, "flush", None)
    if flush is not None:
        flush()


def _folder_of(f: Any) -> str:
    """The folder inside the archive: as in PyTorch, the file's name without its last extension, if that is ASCII."""
    if not isinstance(f, (str, os.PathLike)):
        return "archive"
    name = os.path.basename(os.fspath(f))
    stem = os.path.splitext(name)[0]
    return stem if stem and stem.isascii() else "archive"
