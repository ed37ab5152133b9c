"""`load`: a file to an object tree. How a file is taken apart:

Source ──► zip?  ArchiveReader ─► data.pkl ─┐                        ┌─ weights_only=True:  PickleMachine + WeightsOnly
           old?  LegacyReader  ─► pickles ──┼─► one pickle at a time ┴─ weights_only=False: Python's unpickler
           tar?  TarReader     ─► pickle ───┘   each persistent id ─► bytes of a storage ─► restore (map_location)
"""
from __future__ import annotations

import io
import os
import pickle
import warnings
from pickle import UnpicklingError
from typing import Any, Callable

import numpy as np

from ._allowlist import WeightsOnly
from ._archive import ArchiveReader, is_archive
from ._guards import GLOBALS
from ._legacy import LegacyReader, assumed_byte_order
from ._location import restorer
from ._machine import NotAllowed, PickleMachine
from ._names import canonical, find
from ._options import options
from ._source import Source
from ._storages import Memory, StoredStorage, other_byte_order, persistent_storage
from ._tar import TarReader, is_tar

ADVICE = (
    "\n\nweights_only=True, the default, builds tensors and plain data and never runs code from the file. What "
    "it refused "
    "can be allowed by name as the message says; torch.load(..., weights_only=False) loads everything, but it "
    "can result "
    "in arbitrary code execution: do that only if you trust the source of the file. `flambeau inspect FILE` "
    "shows what is "
    "in it.")


def load(f: Any, map_location: Any = None, pickle_module: Any = None, *, weights_only: bool | None = None,
         mmap: bool | None = None, **pickle_load_args: Any) -> Any:
    """Loads what `save` wrote, here or in PyTorch (zip files, the format before 1.6, the tar files of 0.1).

    f: a path, or a seekable binary file object (read from its position on).
    map_location: where storages go: None (as saved), a device or its name, a dict of names, or a function
        (storage, location) -> storage or None.
    pickle_module: with weights_only=False, the module whose Unpickler reads the file.
    weights_only: True (the default) builds tensors and plain data only and runs no code from the file;
        `add_safe_globals` lets more types in. False runs whatever the file says.
    mmap: True maps the file into memory instead of reading it (zip files given by path); checksums are not tested then.
    pickle_load_args: encoding and errors, for strings of Python 2.
    Errors: pickle.UnpicklingError for what weights_only refuses; RuntimeError for damaged files, TorchScript
        archives and devices that are not here; EOFError for an empty file; FileNotFoundError.
    """
    weights_only = _decide_weights_only(weights_only, pickle_module)
    if mmap and not isinstance(f, (str, os.PathLike)):
        raise ValueError("f must be a file path in order to use the mmap argument")
    pickle_load_args.setdefault("encoding", "utf-8")
    run_pickle = _Weights(pickle_load_args) if weights_only else _Trusting(pickle_module or pickle, pickle_load_args)
    restore = restorer(map_location)
    try:
        with Source(f) as source:
            if is_archive(source):
                return _load_archive(source, run_pickle, restore, bool(mmap))
            if mmap:
                raise RuntimeError(
                    "mmap can only be used with files saved with `torch.save(_use_new_zipfile_serialization=True)`, "
                    "please torch.save your checkpoint with this option in order to use mmap."
                )
            if is_tar(source):
                return TarReader(source, run_pickle, restore).read()
            refuse_other_files(source)
            return LegacyReader(source, run_pickle, restore).read()
    except UnpicklingError as error:
        if weights_only:
            advice = ADVICE if isinstance(error, NotAllowed) else ""
            raise UnpicklingError(f"Weights only load failed: {error}{advice}") from None
        raise


def _decide_weights_only(weights_only: bool | None, pickle_module: Any) -> bool:
    """The argument, its default (False if a pickle_module is given), and PyTorch's two environment variables."""
    given = weights_only is not None
    decided = bool(weights_only) if given else pickle_module is None
    force, force_not = (os.environ.get(name, "0").lower() in ("1", "y", "yes", "true")
                        for name in ("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"))
    if force and force_not:
        raise RuntimeError(
            "Only one of `TORCH_FORCE_WEIGHTS_ONLY_LOAD` or `TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD` should be set, "
            "but both were set."
        )
    if force:
        decided = True
    elif force_not and not given:
        warnings.warn(
            "Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD detected, since the `weights_only` argument was not "
            "explicitly passed to `torch.load`, forcing weights_only=False.",
            UserWarning,
            stacklevel=3,
        )
        decided = False
    if decided and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    return decided


# ------------------------------------------------------------------ pickles

# How to read one: (data, position, load_persistent) -> (object, position behind it)
RunPickle = Callable[[Any, int, "Callable[[Any], Any] | None"], "tuple[Any, int]"]


class _Weights:
    """Reads pickles by the machine that runs no code."""

    def __init__(self, arguments: dict[str, Any]):
        self.arguments = {k: v for k, v in arguments.items() if k in ("encoding", "errors")}

    def __call__(self, data: Any, position: int, load_persistent: Callable[[Any], Any] | None) -> tuple[Any, int]:
        machine = PickleMachine(data, WeightsOnly(load_persistent), position, **self.arguments)
        return machine.run(), machine.position


class _Trusting:
    """Reads pickles by a module's Unpickler: `weights_only=False`."""

    def __init__(self, module: Any, arguments: dict[str, Any]):
        self.arguments = arguments

        class Unpickler(module.Unpickler):  # type: ignore[misc, name-defined]
            def __init__(self, file: Any, load_persistent: Callable[[Any], Any] | None, **arguments: Any):
                super().__init__(file, **arguments)
                self.load_persistent = load_persistent

            def persistent_load(self, pid: Any) -> Any:
                if self.load_persistent is None:
                    raise UnpicklingError("a persistent id outside of the object")
                return self.load_persistent(pid)

            def find_class(self, module: str, name: str) -> Any:
                return _find_trusted(module, name)

        self.unpickler = Unpickler

    def __call__(self, data: Any, position: int, load_persistent: Callable[[Any], Any] | None) -> tuple[Any, int]:
        file = _Stream(data, position)
        return self.unpickler(file, load_persistent, **self.arguments).load(), file.at


class _Stream(io.RawIOBase):
    """Bytes or a map, from a position on, as a file: `pickle` reads it without a copy of the whole."""

    def __init__(self, data: Any, position: int):
        self.data = data
        self.at = position

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self.data[self.at:self.at + len(buffer)]
        buffer[:len(part)] = part
        self.at += len(part)
        return len(part)

    def readline(self, size: int | None = -1) -> bytes:
        stop = self.data.find(b"\n", self.at)
        stop = len(self.data) if stop < 0 else stop + 1
        line = self.data[self.at:stop]
        self.at = stop
        return line


def _find_trusted(module: str, name: str) -> Any:
    """The rebuild functions and storage classes, which are names only; else what is imported by that name."""
    full = ".".join(canonical(module, name))
    if full == "torch.storage._load_from_bytes":
        return _load_from_bytes
    found = GLOBALS.get(full) if full.startswith("torch.") else None
    return find(module, name) if found is None else found


def _load_from_bytes(data: bytes) -> Any:
    """A storage pickled without `save` (plain pickle of a tensor): a whole file inside the pickle."""
    return load(io.BytesIO(data), weights_only=False)


# ------------------------------------------------------------------ zip files

def _load_archive(source: Source, run_pickle: RunPickle, restore: Callable[[Any, str], Any], mmap: bool) -> Any:
    archive = ArchiveReader(source)
    if "constants.pkl" in archive:
        raise RuntimeError(
            "this is a TorchScript archive (torch.jit.save): it holds a program and not only data. flambeau does "
            "not run TorchScript; torch.serialization.load_torchscript_weights(f) reads its parameters and "
            "buffers as a state_dict, for a network of the same layers."
        )
    if "data.pkl" not in archive:
        raise RuntimeError(
            "PytorchStreamReader failed locating file data.pkl: file not found. This zip file was not made by "
            f"torch.save; it holds {', '.join(archive.names()[:5])}"
        )
    storages = ArchiveStorages(archive, "data/", restore, mmap)
    return run_pickle(archive.read("data.pkl"), 0, storages.load)[0]


class ArchiveStorages:
    """The storages of a zip file, read when the pickle first names them. prefix: of their records' names."""

    def __init__(self, archive: ArchiveReader, prefix: str, restore: Callable[[Any, str], Any], mmap: bool):
        self.archive = archive
        self.prefix = prefix
        self.restore = restore
        self.mmap = mmap
        self.swapped = other_byte_order(archive.text("byteorder", assumed_byte_order()))
        self.loaded: dict[str, StoredStorage] = {}

    def load(self, pid: Any) -> StoredStorage:
        """The storage that a persistent id names. One key is one memory, however often it is named."""
        dtype, key, location, size, _ = persistent_storage(pid, (5,))
        stored = self.loaded.get(key)
        if stored is None:
            nbytes = size * (dtype.itemsize if dtype else 1)
            stored = self.restore(StoredStorage(self._memory(f"{self.prefix}{key}", nbytes), dtype), location)
            self.loaded[key] = stored
        if isinstance(stored, StoredStorage) and stored.dtype is not dtype:
            return StoredStorage(stored.memory, dtype)
        return stored

    def _memory(self, name: str, nbytes: int) -> Memory:
        held = self.archive.size(name)
        if nbytes > held:
            raise RuntimeError(
                f"corrupt archive: a storage of {nbytes} bytes has only {held} bytes of data (record {name!r})"
            )
        if options.skip_data:
            return Memory(np.zeros(nbytes, np.uint8))
        if self.mmap:  # what is written to a shared map must reach the file
            return Memory(self.archive.map_array(name, nbytes), self.swapped, shared=options.maps_are_shared)
        return Memory(self.archive.read_array(name, nbytes), self.swapped)


def refuse_other_files(source: Source) -> None:
    """Says what a file is that people try to load by mistake."""
    head = source.read(0, 64)
    if not head:
        raise EOFError("Ran out of input: the file is empty")
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise UnpicklingError(
            "invalid load key, '<'. The file is a web page, probably an error page saved in place of the download"
        )
    if text.startswith(b"version https://git-lfs"):
        raise UnpicklingError(
            "invalid load key, 'v'. The file is a Git LFS pointer: the data were not downloaded (git lfs pull)"
        )
    if head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < source.size:
        raise UnpicklingError(
            f"invalid load key, '\\x{head[0]:02x}'. The file looks like safetensors: flambeau.safetensors.load_file "
            "loads it"
        )
    if head.startswith(b"\x89HDF"):
        raise UnpicklingError("invalid load key, '\\x89'. The file is HDF5, which h5py reads")
    if head[:1] not in (b"\x80", b"L"):  # with which a pickled number begins
        raise UnpicklingError(f"invalid load key, {ascii(head[:1])[1:]}. The file was not made by torch.save")


# ------------------------------------------------------------------ what a file would need

def get_unsafe_globals_in_checkpoint(f: Any) -> list[str]:
    """The names in a zip file that `load(weights_only=True)` does not allow, without running anything.

    Those already added by `add_safe_globals` are left out. Raises ValueError for legacy files.
    """
    from ._describe import globals_of
    with Source(f) as source:
        if not is_archive(source):
            raise ValueError("Expected input to be a checkpoint returned by torch.save")
        names = globals_of(ArchiveReader(source).read("data.pkl"))
    policy = WeightsOnly()
    unsafe = []
    for module, name in names:
        try:
            policy.find_global(module, name)
        except UnpicklingError:
            unsafe.append(f"{module}.{name}")
    return unsafe
