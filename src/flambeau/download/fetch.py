"""One file from the network: resumed, verified, atomic, with a progress bar.

Bytes go to `PATH.part`; a later attempt asks for the rest (HTTP Range). Only a complete file whose hash is right is
renamed to PATH, so that whatever lies at PATH is whole.
"""
from __future__ import annotations

import contextlib
import errno
import http.client
import os
import sys
import time
import urllib.error
from typing import Any, Callable

from .mirror import open_url

CHUNK = 1 << 18
ATTEMPTS = 4  # how often a connection that breaks off is taken up again


class _NoProgress:
    """Shows nothing."""

    def update(self, n: int) -> None:
        pass


class _PlainProgress:
    """What `progress` returns where tqdm is not installed: a line on a terminal's standard error, rewritten in
    place."""

    def __init__(self, total: int | None, initial: int, desc: str):
        self.total, self.n, self.desc = total, initial, desc
        self.shown = 0.0

    def update(self, n: int) -> None:
        self.n += n
        now = time.monotonic()
        if sys.stderr.isatty() and (now - self.shown > 0.1 or self.n == self.total):
            self.shown = now
            done = f"{100 * self.n // self.total:3d}%" if self.total else ""
            sys.stderr.write(f"\r{self.desc}: {done} | {self.n / 1e6:.1f} MB")
            sys.stderr.flush()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.shown:
            sys.stderr.write("\n")


def progress(total: int | None, initial: int, desc: str | None) -> Any:
    """A progress bar over bytes, on standard error; none without a description."""
    if desc is None:
        return contextlib.nullcontext(_NoProgress())
    try:
        from tqdm import tqdm
    except ImportError:
        return _PlainProgress(total, initial, desc)
    return tqdm(total=total, initial=initial, desc=desc, unit="B", unit_scale=True)


def fetch(url: str, path: str, is_right: Callable[[str], bool], show_progress: bool = True) -> None:
    """Downloads `url` to `path`. `is_right(part)` says whether the complete bytes are the wanted ones.

    Errors: RuntimeError if the bytes are wrong, URLError or OSError if they cannot be had (what came stays in
    `path + ".part"` for the next attempt, except when the disk is full).
    """
    part = path + ".part"
    desc = os.path.basename(path) if show_progress else None
    with _alone(part) as alone:
        if not alone and os.path.isfile(path):  # another process has just downloaded it
            return
        resumed = _fill(url, part, desc)
        if not is_right(part) and resumed:  # the old beginning was another file's: once more, from the start
            os.remove(part)
            _fill(url, part, desc)
        if not is_right(part):
            os.remove(part)
            raise RuntimeError(f"File not found or corrupted. What {url} sent for {path} does not have the expected "
                               "hash.")
        os.replace(part, path)


def _fill(url: str, part: str, desc: str | None) -> bool:
    """Completes `part`, over several connections if need be; whether bytes of an earlier call were kept."""
    kept = os.path.exists(part) and os.path.getsize(part) > 0
    for attempt in range(ATTEMPTS):
        have = os.path.getsize(part) if os.path.exists(part) else 0
        try:
            _receive(url, part, have, desc)
            return kept
        except urllib.error.HTTPError as error:
            if error.code == 416 and have:  # nothing after what we have: complete, or longer than the file
                return True
            raise
        except OSError as error:
            if error.errno == errno.ENOSPC:
                os.remove(part)
                raise OSError(errno.ENOSPC, f"No space left on the disk for {url}; the partial file was removed",
                              part) from None
            got = os.path.getsize(part) if os.path.exists(part) else 0
            if got <= have or attempt == ATTEMPTS - 1:  # no progress: the server is gone
                raise
        time.sleep(0.2 * attempt)
    raise AssertionError("unreachable")


def _receive(url: str, part: str, have: int, desc: str | None) -> None:
    """One request for the bytes from `have` on. A connection that ends early raises ConnectionError."""
    with open_url(url, {"Range": f"bytes={have}-"} if have else None) as response:
        continues = getattr(response, "status", 200) == 206
        start = have if continues else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length is not None else None
        with open(part, "ab" if continues else "wb") as file, progress(total, start, desc) as bar:
            try:
                while chunk := response.read(CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
            except http.client.HTTPException as error:
                raise ConnectionError(f"{url}: the server cut the connection ({error})") from error
            got = file.tell()
    if total is not None and got < total:
        raise ConnectionError(f"{url}: the server cut the connection after {got} of {total} bytes")


@contextlib.contextmanager
def _alone(part: str):
    """Holds `part` for this process; others wait. Yields whether nobody else held it.

    Where the system has no flock (Windows), two processes may both download; the rename stays atomic.
    """
    with open(part, "ab") as file:
        try:
            import fcntl
        except ImportError:
            file.close()
            yield True
            return
        alone = True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            alone = False
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield alone
        finally:
            if os.path.exists(part) and os.path.getsize(part) == 0:
                os.remove(part)
