"""Where a checkpoint is read from: a path or a seekable file object, behind `size` and `read_into`."""
from __future__ import annotations

import io
import mmap
import os
from typing import IO, Any

import numpy as np

from ._options import options


class Source:
    """Bytes addressed from 0. file: a binary file object; the source begins at its current position.

    Use as a context manager; a file opened here is closed, one that came from the caller is not.
    """

    def __init__(self, f: Any):
        self.path = os.fspath(f) if isinstance(f, (str, os.PathLike)) else None
        self.file: IO[bytes] = open(self.path, "rb", buffering=0) if self.path is not None else _seekable(f)  # type: ignore
        self.origin = self.file.tell()
        self.file.seek(0, io.SEEK_END)
        self.size = self.file.tell() - self.origin
        self.file.seek(self.origin)
        self._map: mmap.mmap | None = None

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exc: Any) -> None:
        if self.path is not None:
            self.file.close()

    def read(self, offset: int, n: int) -> bytes:
        """n bytes at `offset`, fewer only at the end."""
        self.file.seek(self.origin + offset)
        parts = []
        while n > 0:
            part = self.file.read(n)
            if not part:
                break
            parts.append(part)
            n -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_into(self, offset: int, buffer: Any) -> None:
        """Fills a writable buffer; EOFError if the source ends before it is full."""
        self.file.seek(self.origin + offset)
        view = memoryview(buffer).cast("B") if len(buffer) else memoryview(b"")
        readinto = getattr(self.file, "readinto", None)
        while len(view):
            if readinto is not None:
                n = readinto(view)
            else:
                part = self.file.read(len(view))
                n = len(part)
                view[:n] = part
            if not n:
                raise EOFError("unexpected end of file: the file is shorter than it says")
            view = view[n:]

    def map(self) -> np.ndarray:
        """The file as an array of bytes that the operating system reads when they are touched (`mmap=True`)."""
        if options.maps_are_shared:
            with open(self.path, "r+b") as f:  # type: ignore[arg-type]
                mapped = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_WRITE)
        else:
            mapped = mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_COPY)
        return np.frombuffer(mapped, np.uint8)

    def window(self) -> Any:
        """The whole source as bytes or a read-only map: for the pickles of a legacy file, whose length nobody says."""
        if isinstance(self.file, io.BytesIO):
            return self.file.getvalue()[self.origin:]
        if self.path is not None and self.size:
            return mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_READ)
        return self.read(0, self.size)


def _seekable(f: Any) -> Any:
    """The file object itself, if PyTorch would load from it."""
    try:
        f.seek(f.tell())
    except (AttributeError, io.UnsupportedOperation) as error:
        raise AttributeError(
            f"{error}. You can only torch.load from a file that is seekable. Please pre-load the data into a buffer "
            "like io.BytesIO and try to load from it instead."
        ) from None
    if not hasattr(f, "read"):
        raise AttributeError(f"'{type(f).__name__}' object has no attribute 'read'")
    if isinstance(f, io.TextIOBase):
        raise TypeError("the file was opened in text mode: open it with 'rb'")
    return f
