"""FLAMBEAU_MIRROR: where data sets come from instead of their official addresses, and the hashes they have there.

The variable names a URL or a folder. It holds archives under their official names, or unpacked files laid out as below
a data set's `root` (`cifar-10-batches-py/data_batch_1`, `MNIST/raw/train-images-idx3-ubyte`). A file `SHA256SUMS` there
(lines `HASH  path`, as sha256sum writes them) takes the place of the built-in hashes, for files in place, too.
"""
from __future__ import annotations

import functools
import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Iterator

USER_AGENT = "flambeau"
TIMEOUT = 30.0  # seconds without a byte before a connection counts as dead


def open_url(url: str, headers: dict[str, str] | None = None):
    """The response to a GET of `url` (http, https, ftp or file), after redirects."""
    return urllib.request.urlopen(urllib.request.Request(url, headers={"User-Agent": USER_AGENT, **(headers or {})}),
                                  timeout=TIMEOUT)


class Mirror:
    """A folder or URL that holds data sets. `sums` maps paths there to SHA-256 hashes; empty without a SHA256SUMS."""

    def __init__(self, location: str):
        if location.startswith("file:"):
            location = urllib.request.url2pathname(urllib.parse.urlparse(location).path)
        self.location = location.rstrip("/") or location
        self.is_url = "://" in location
        self.sums = dict(_parse_sums(self._read("SHA256SUMS")))

    def __str__(self) -> str:
        return self.location

    def _read(self, name: str) -> str:
        if not self.is_url:
            path = Path(self.location, name)
            return path.read_text() if path.is_file() else ""
        try:
            with open_url(self.url(name)) as response:
                return response.read().decode()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (403, 404, 410):  # there is none; any other failure is the caller's to hear about
                return ""
            raise

    def url(self, name: str) -> str:
        return f"{self.location}/{urllib.parse.quote(name)}"

    def names(self, path: str | os.PathLike) -> Iterator[str]:
        """The names under which the file at `path` may lie here: MNIST/raw/x.gz, raw/x.gz, x.gz; longest first."""
        parts = Path(path).absolute().parts[1:]
        for length in range(min(len(parts), 4), 0, -1):
            yield "/".join(parts[-length:])

    def sha256(self, path: str | os.PathLike) -> str | None:
        """The hash that this mirror states for the file at `path`, found by the longest matching end of the path."""
        return next((self.sums[name] for name in self.names(path) if name in self.sums), None) if self.sums else None

    def find(self, path: str | os.PathLike) -> list[str]:
        """Names to try for the file at `path`: those that exist in a folder, those that may exist at a URL."""
        names = list(self.names(path))
        if self.is_url:
            return [name for name in names if name in self.sums] or names[::-1]
        return [name for name in names if Path(self.location, name).is_file()]

    def files(self, name: str) -> list[str]:
        """The unpacked files that `name`, a file or folder below a data set's root, stands for; empty if not here."""
        if self.is_url:
            return [file for file in self.sums if file == name or file.startswith(name + "/")]
        path = Path(self.location, name)
        if path.is_dir():
            return sorted(file.relative_to(self.location).as_posix() for file in path.rglob("*") if file.is_file())
        return [name] if path.is_file() else []


def _parse_sums(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        digest, _, name = line.strip().partition(" ")
        name = name.strip().lstrip("*")
        if len(digest) == 64 and name:
            yield os.path.normpath(name).replace(os.sep, "/"), digest.lower()


@functools.lru_cache(maxsize=4)
def _mirror(location: str, _changed: int) -> Mirror:
    return Mirror(location)


def current_mirror() -> Mirror | None:
    """The mirror that FLAMBEAU_MIRROR names now, or None. A folder's hashes are read again when they change."""
    location = os.environ.get("FLAMBEAU_MIRROR")
    if not location:
        return None
    try:
        changed = os.stat(os.path.join(location, "SHA256SUMS")).st_mtime_ns
    except OSError:
        changed = 0
    return _mirror(location, changed)
