"""Writing a file so that the name always leads to a whole file: the old one until the new one is safely on disk.

The data go to a temporary file in the same directory, are forced to disk (fsync), and take the name in one step
(rename). A full disk, an exception or a killed process leaves the old file untouched. What a killed process leaves
behind, `.<name>.<random>.tmp`, the next save of that name removes. The disk works while the file grows, so that little
is left for fsync to wait for.
"""
from __future__ import annotations

import glob
import io
import os
import secrets
import stat
import sys
import time
from contextlib import contextmanager
from typing import IO, Any, Iterator

try:
    import fcntl
except ImportError:  # Windows: no advisory locks of this kind; leftovers stay
    fcntl = None  # type: ignore[assignment]

LEFTOVER_AGE = 60.0  # seconds; a younger temporary file may be one that its writer has not locked yet
WRITTEN_BACK = 1 << 24  # bytes after which the system is asked to begin putting them on disk


class GrowingFile(io.FileIO):
    """An unbuffered file, written in order, that goes to disk as it grows: by itself, the system would wait a while.

    The advice that its bytes will not be needed is what makes Linux begin writing them; they stay in memory as long as
    they are on their way, so nearly all of them are still there for the next reader. Elsewhere it does nothing.
    """

    def __init__(self, descriptor: int):
        super().__init__(descriptor, "wb")
        self._size = self._begun = 0  # bytes written; those of them that the system was asked to put on disk

    def write(self, data: Any) -> int:
        written = super().write(data)
        self._size += written
        if self._size - self._begun >= WRITTEN_BACK and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self.fileno(), self._begun, self._size - self._begun, os.POSIX_FADV_DONTNEED)
            self._begun = self._size
        return written


@contextmanager
def atomic_write(path: Any) -> Iterator[IO[bytes]]:
    """Opens a binary file that becomes `path` when the block ends without an exception.

    Permissions (and, where allowed, owner) of an existing file are kept; a symbolic link stays a link and its target
    is replaced. A path that is no regular file (a pipe, /dev/null) is written directly.
    """
    target = os.path.realpath(os.fspath(path))
    try:
        old: os.stat_result | None = os.stat(target)
    except FileNotFoundError:
        old = None
    if old is not None and not stat.S_ISREG(old.st_mode):
        with open(target, "wb") as f:
            yield f
        return
    if old is not None and not os.access(target, os.W_OK):
        raise PermissionError(13, "Permission denied", os.fspath(path))
    directory, name = os.path.split(target)
    if not os.path.isdir(directory):
        raise RuntimeError(f"Parent directory {os.path.dirname(os.fspath(path)) or directory} does not exist.")
    stem = f".{os.fsdecode(os.fsencode(name)[:200])}."  # names have at most 255 bytes
    _remove_leftovers(directory, stem)
    temporary = os.path.join(directory, f"{stem}{secrets.token_hex(6)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with GrowingFile(descriptor) as f:
            _lock(f.fileno())
            if old is not None:
                _keep_permissions(f.fileno(), temporary, old)
            yield f
            f.flush()
            os.fsync(f.fileno())
        os.replace(temporary, target)
    except BaseException:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise
    _sync_directory(directory)


def _keep_permissions(descriptor: int, temporary: str, old: os.stat_result) -> None:
    if hasattr(os, "fchown") and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        try:
            os.fchown(descriptor, old.st_uid, old.st_gid)
        except PermissionError:
            pass  # only root gives files away; the mode below still holds
    os.chmod(temporary, stat.S_IMODE(old.st_mode))


def _sync_directory(directory: str) -> None:
    """Makes the rename itself durable. Windows has no way and no need to do so."""
    if sys.platform == "win32":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network file systems refuse to sync a directory; the file itself is on disk
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Marks a temporary file as being written; the mark ends with the process, however it ends."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_leftovers(directory: str, stem: str) -> None:
    """Removes temporary files of this name whose writers are gone."""
    for leftover in glob.glob(os.path.join(glob.escape(directory), glob.escape(stem) + "[0-9a-f]" * 12 + ".tmp")):
        try:
            if time.time() - os.stat(leftover).st_mtime < LEFTOVER_AGE:
                continue
            descriptor = os.open(leftover, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
            try:
                if _lock(descriptor):
                    os.unlink(leftover)
            finally:
                os.close(descriptor)
        except OSError:
            continue  # someone else's, or gone already
