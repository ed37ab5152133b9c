"""Unpacking archives that come from elsewhere: nothing outside the target, no bombs, no half-unpacked folders.

An archive is unpacked into a fresh folder beside its target and moved into place when all of it is there.
"""
from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, Callable, Iterator

MAX_RATIO = 200  # unpacked to packed bytes, beyond ALWAYS_ALLOWED; real data sets stay under 50
ALWAYS_ALLOWED = 1 << 30
MAX_MEMBERS = 5_000_000

OPENERS: dict[str, Callable[..., Any]] = {".bz2": bz2.open, ".gz": gzip.open, ".xz": lzma.open}
ARCHIVES = (".tar", ".zip")
ALIASES = {".tbz": (".tar", ".bz2"), ".tbz2": (".tar", ".bz2"), ".tgz": (".tar", ".gz")}
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, gzip.BadGzipFile)


class UnsafeArchiveError(RuntimeError):
    """The archive would write outside its folder, or more than any real data set of its size."""


def file_type(file: str | os.PathLike) -> tuple[str, str | None, str | None]:
    """(the suffix, the archive type, the compression) of a file name: a.tar.gz -> (".tar.gz", ".tar", ".gz")."""
    suffixes = Path(file).suffixes
    if not suffixes:
        raise RuntimeError(f"File '{file}' has no suffixes that could be used to detect the archive type and "
                           "compression.")
    suffix = suffixes[-1]
    if suffix in ALIASES:
        return (suffix, *ALIASES[suffix])
    if suffix in ARCHIVES:
        return suffix, suffix, None
    if suffix in OPENERS:
        before = suffixes[-2] if len(suffixes) > 1 else None
        return (before + suffix, before, suffix) if before in ARCHIVES else (suffix, None, suffix)
    known = sorted({*ALIASES, *ARCHIVES, *OPENERS})
    raise RuntimeError(f"Unknown compression or archive type: '{suffix}'.\nKnown suffixes are: '{known}'.")


def unpack(archive: str, target: str, kind: str | None = None) -> None:
    """Unpacks `archive` (tar or zip, maybe compressed) into the folder `target`, all or nothing.

    kind: ".tar" or ".zip", where the file's name does not say it.
    """
    compression = None
    if kind is None:
        _, kind, compression = file_type(archive)
    os.makedirs(target, exist_ok=True)
    draft = tempfile.mkdtemp(prefix=".unpacking-", dir=target)
    try:
        writer = _Writer(draft, archive)
        if kind == ".tar":
            with tarfile.open(archive, f"r:{compression[1:]}" if compression else "r:", tarinfo=_Member) as tar:  # type: ignore[call-overload]
                for member in tar:
                    _unpack_tar_member(tar, member, writer)
        else:
            with zipfile.ZipFile(archive) as zip:
                for info in zip.infolist():
                    _unpack_zip_member(zip, info, writer)
        _move_into(Path(draft), Path(target))
    except DAMAGED as error:
        raise RuntimeError(f"{archive} is damaged ({error}). Delete it and download it again.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def decompress(packed: str, target: str, compression: str) -> None:
    """Writes the contents of one compressed file to `target`, all or nothing."""
    draft = target + ".part"
    try:
        with OPENERS[compression](packed, "rb") as source:
            _Writer(os.path.dirname(target) or ".", packed).write(draft, source)
        os.replace(draft, target)
    except DAMAGED as error:
        raise RuntimeError(f"{packed} is damaged ({error}). Delete it and download it again.") from error
    finally:
        if os.path.exists(draft):
            os.remove(draft)


class _Writer:
    """Writes members below `root`, and counts their bytes against what the archive's size can honestly hold."""

    def __init__(self, root: str, archive: str):
        self.root = os.path.realpath(root)
        self.archive = archive
        self.left = max(ALWAYS_ALLOWED, MAX_RATIO * os.path.getsize(archive))
        self.members = 0

    def place(self, name: str) -> str:
        """Where the member `name` goes; raises if that is not below `root`."""
        self.members += 1
        if self.members > MAX_MEMBERS:
            raise UnsafeArchiveError(f"{self.archive} has more than {MAX_MEMBERS} members")
        path = os.path.join(self.root, name.replace("\\", "/"))
        # the parent may be a link that the archive itself made: look where it really leads
        real = os.path.join(os.path.realpath(os.path.dirname(path.rstrip("/"))), os.path.basename(path.rstrip("/")))
        if os.path.isabs(name) or os.path.splitdrive(name)[0] or not self.holds(os.path.normpath(real)):
            raise UnsafeArchiveError(f"{self.archive}: member {name!r} would be written outside its folder")
        return os.path.normpath(real)

    def holds(self, path: str) -> bool:
        return path == self.root or path.startswith(self.root + os.sep)

    def write(self, path: str, source: IO[bytes]) -> None:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        if os.path.islink(path):
            os.remove(path)
        with open(path, "wb") as file:
            while chunk := source.read(1 << 20):
                self.left -= len(chunk)
                if self.left < 0:
                    raise UnsafeArchiveError(f"{self.archive} unpacks to more than {MAX_RATIO} times its size; "
                                             "that looks like a decompression bomb")
                file.write(chunk)

    def link(self, name: str, target: str) -> None:
        """A symbolic link, if it stays below `root`."""
        path = self.place(name)
        if os.path.isabs(target) or not self.holds(os.path.realpath(os.path.join(os.path.dirname(path), target))):
            raise UnsafeArchiveError(f"{self.archive}: link {name!r} leads outside its folder, to {target!r}")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(target, path)


class _Member(tarfile.TarInfo):
    """A member of an archive that ends where it says so: `tarfile` takes a damaged header for the end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Any:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error} at byte {archive.offset:,}") from error


def _unpack_tar_member(tar: tarfile.TarFile, member: tarfile.TarInfo, writer: _Writer) -> None:
    if member.isdir():
        os.makedirs(writer.place(member.name), exist_ok=True)
    elif member.issym():
        writer.link(member.name, member.linkname)
    elif member.isfile() or member.islnk():
        if member.islnk():
            writer.place(member.linkname)
        path, source = writer.place(member.name), tar.extractfile(member)
        if source is None:
            raise UnsafeArchiveError(f"{writer.archive}: member {member.name!r} has no contents in the archive")
        writer.write(path, source)
    else:
        raise UnsafeArchiveError(f"{writer.archive}: member {member.name!r} is a device or pipe")


def _unpack_zip_member(zip: zipfile.ZipFile, info: zipfile.ZipInfo, writer: _Writer) -> None:
    if info.is_dir():
        os.makedirs(writer.place(info.filename), exist_ok=True)
    elif stat.S_ISLNK(info.external_attr >> 16):
        writer.link(info.filename, zip.read(info).decode())
    else:
        path = writer.place(info.filename)
        with zip.open(info) as source:
            writer.write(path, source)


def _entries(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.iterdir()))


def _move_into(draft: Path, target: Path) -> None:
    """Moves what `draft` holds into `target`; folders that exist on both sides are merged."""
    for entry in _entries(draft):
        place = target / entry.name
        if entry.is_dir() and not entry.is_symlink() and place.is_dir():
            _move_into(entry, place)
        else:
            os.replace(entry, place)
