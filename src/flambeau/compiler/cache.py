"""Compiled code on disk, so that the second start of a script is warm.

An entry is a file named by the SHA-256 of its key, which holds all that the code depends on: what was compiled, the CPU
and its features, the versions of LLVM and flambeau, and the compiler's own sources. It begins with the checksum of its
contents; one that does not fit (cut short by a crash, damaged, of another format) is as good as absent. Files appear by
`os.replace`, whole or not at all, so any number of processes may share the directory. The least recently used entries go
when there are too many bytes.

The directory is FLAMBEAU_CACHE_DIR (empty: no cache), else the user's cache directory. Since its files are executed, a
directory that other users can write to is not used. If it cannot be written (read-only, full disk), one warning says so,
and everything is compiled as if there were no cache.
"""
from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import threading
import time
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Callable

import llvmlite
import llvmlite.binding as llvm

from ..version import flambeau as VERSION
from .llvm import ir
from .llvm.jit import compile_module
from .llvm.target import Target

MAGIC = b"flambeau object 1\n"
LIMIT_BYTES = 512 * 2 ** 20
WRITES_PER_CHECK = 64
ABANDONED_SECONDS = 3600           # a temporary file this old was left by a process that died


@lru_cache(None)
def _versions() -> str:
    """What code depends on beside its source and its target: a change of the compiler's own files counts as a version."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    stats = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in sources]
    return f"{VERSION}/{llvmlite.__version__}/{llvm.llvm_version_info}/{stats}"


def cache_key(source: str | bytes, target: Target) -> str:
    """The name of an entry: a hash of `source` (a program's key, or the text of its IR) and all that else matters."""
    digest = hashlib.sha256()
    for part in (source.encode() if isinstance(source, str) else source, target.key.encode(), _versions().encode()):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def default_directory() -> Path | None:
    """FLAMBEAU_CACHE_DIR, or `flambeau` in the user's cache directory; None if there is to be no cache."""
    chosen = os.environ.get("FLAMBEAU_CACHE_DIR")
    if chosen is not None:
        return Path(chosen) if chosen else None
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "flambeau" / "cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "flambeau"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "flambeau"


class ObjectCache:
    """Entries of one directory (None: always empty). All methods are safe in many threads and processes, and never raise
    for what is wrong with the disk."""

    def __init__(self, directory: Path | str | None, limit: int = LIMIT_BYTES, keep: int | None = None):
        self._directory = Path(directory) if directory is not None else None
        self._limit, self._keep = limit, limit * 3 // 4 if keep is None else keep
        self._lock = threading.Lock()
        self._ready: bool | None = None  # whether the directory can be used; unknown before the first look
        self._writes = 0
        self._writable = True

    def get(self, key: str) -> bytes | None:
        """The contents stored under a key, or None."""
        if not self._usable(create=False):
            return None
        path = self._path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        checksum, contents = data[len(MAGIC):len(MAGIC) + 32], data[len(MAGIC) + 32:]
        if not data.startswith(MAGIC) or hashlib.sha256(key.encode() + contents).digest() != checksum:
            return None
        try:
            os.utime(path)  # the last use decides what is thrown away
        except OSError:
            pass
        return contents

    def put(self, key: str, contents: bytes) -> None:
        """Stores contents under a key; does nothing if the disk does not let it."""
        if not self._writable or not self._usable(create=True):
            return
        temporary = None
        try:
            handle, temporary = tempfile.mkstemp(prefix="new-", dir=self._directory)
            with os.fdopen(handle, "wb") as f:
                f.write(MAGIC + hashlib.sha256(key.encode() + contents).digest() + contents)
            os.replace(temporary, self._path(key))
        except OSError as error:
            if temporary is not None:
                try:
                    os.unlink(temporary)
                except OSError:
                    pass
            self._give_up(f"cannot write to {self._directory}: {error.strerror or error}")
            return
        with self._lock:
            self._writes += 1
            check = self._writes % WRITES_PER_CHECK == 1
        if check:
            self.clean()

    def get_or_make(self, key: str, make: Callable[[], bytes]) -> bytes:
        """The stored contents, or what `make` returns, stored."""
        contents = self.get(key)
        if contents is None:
            contents = make()
            self.put(key, contents)
        return contents

    def clean(self) -> None:
        """Removes abandoned temporary files and, over the limit, the entries that were not used for longest."""
        if not self._usable(create=False):
            return
        entries = []
        try:
            with os.scandir(self._directory) as files:
                for f in files:
                    try:
                        stat = f.stat(follow_symlinks=False)
                    except OSError:  # another process was faster
                        continue
                    if f.name.startswith("new-"):
                        if time.time() - stat.st_mtime > ABANDONED_SECONDS:
                            self._remove(f.path)
                    elif f.name.endswith(".o"):
                        entries.append((stat.st_mtime_ns, stat.st_size, f.path))
        except OSError:
            return
        total = sum(size for _, size, _ in entries)
        if total <= self._limit:
            return
        for _, size, path in sorted(entries):
            if total <= self._keep:
                break
            self._remove(path)
            total -= size

    # -------------------------------------------------------------- internals

    def _path(self, key: str) -> Path:
        assert self._directory is not None
        return self._directory / f"{key}.o"

    @staticmethod
    def _remove(path: str) -> None:
        try:
            os.unlink(path)
        except OSError:
            pass

    def _usable(self, create: bool) -> bool:
        """Whether the directory exists (or could be made) and is the user's own."""
        if self._directory is None:
            return False
        if self._ready is None:
            try:
                if create:
                    self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                elif not self._directory.is_dir():
                    return False
                self._ready = self._is_private(self._directory)
                if not self._ready:
                    self._give_up(f"{self._directory} belongs to, or can be written by, other users")
            except OSError as error:
                self._ready = False
                self._give_up(f"cannot use {self._directory}: {error.strerror or error}")
        return self._ready

    @staticmethod
    def _is_private(directory: Path) -> bool:
        if not hasattr(os, "geteuid"):
            return True
        stat = directory.stat()
        return stat.st_uid in (os.geteuid(), 0) and not stat.st_mode & 0o002

    def _give_up(self, reason: str) -> None:
        """No more writing; says so once."""
        with self._lock:
            first, self._writable = self._writable, False
        if first:
            warnings.warn(f"compiled code will not be kept for the next start: {reason}. "
                          "Set FLAMBEAU_CACHE_DIR to another directory, or to nothing for no cache.", RuntimeWarning, stacklevel=3)


@lru_cache(None)
def object_cache() -> ObjectCache:
    """The process's cache."""
    return ObjectCache(default_directory())


def compile_cached(module: ir.Module | str, target: Target, level: int = 2, vectorize: bool = False) -> bytes:
    """`jit.compile_module`, through the cache: the entry's source is the text of the module and the options."""
    text = str(module)
    return object_cache().get_or_make(cache_key(f"{level} {vectorize}\n{text}", target),
                                      lambda: compile_module(text, target, level, vectorize))
