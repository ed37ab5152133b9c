"""Helpers of the data sets: integrity, downloads, archives, arguments.

What a data set downloads comes from the address it names, or from FLAMBEAU_MIRROR (see `download.mirror`).
"""
from __future__ import annotations

import hashlib
import os
import pathlib
import re
import shutil
import urllib.error
from typing import Any, Iterable, Sequence, TypeVar
from urllib.parse import urlparse

from ...download import archives
from ...download.fetch import fetch
from ...download.mirror import Mirror, current_mirror

T = TypeVar("T", str, bytes)

_known_digests: dict[tuple, str] = {}


def _digest(path: str | os.PathLike, algorithm: str, chunk_size: int = 1 << 20) -> str:
    digest = hashlib.md5(usedforsecurity=False) if algorithm == "md5" else hashlib.new(algorithm)
    with open(path, "rb") as file:
        while chunk := file.read(chunk_size):
            digest.update(chunk)
    return digest.hexdigest()


def _cached_digest(path: str | os.PathLike, algorithm: str) -> str:
    """The digest, computed once in a process for a file that stays as it is (a train and a test set share files)."""
    state = os.stat(path)
    key = (os.path.realpath(path), algorithm, state.st_size, state.st_mtime_ns, state.st_ino)
    if key not in _known_digests:
        _known_digests[key] = _digest(path, algorithm)
    return _known_digests[key]


def calculate_md5(fpath: str | pathlib.Path, chunk_size: int = 1024 * 1024) -> str:
    """The MD5 of a file, in hexadecimal."""
    return _digest(fpath, "md5", chunk_size)


def check_md5(fpath: str | pathlib.Path, md5: str, **kwargs: Any) -> bool:
    """Whether the file has this MD5."""
    return md5 == calculate_md5(fpath, **kwargs)


def check_integrity(fpath: str | pathlib.Path, md5: str | None = None) -> bool:
    """Whether `fpath` is a file with the right hash: the mirror's SHA-256 where it states one, else `md5` if given."""
    if not os.path.isfile(fpath):
        return False
    mirror = current_mirror()
    return _has_hash(fpath, fpath, md5, mirror)


def _has_hash(file: str | os.PathLike, named: str | os.PathLike, md5: str | None, mirror: Mirror | None) -> bool:
    """Whether `file` has the hash that belongs to the path `named`."""
    sha256 = mirror.sha256(named) if mirror else None
    if sha256 is not None:
        return _cached_digest(file, "sha256") == sha256
    return md5 is None or _cached_digest(file, "md5") == md5


def _is_right(part: str, path: str, md5: str | None, mirror: Mirror | None, sha256: str | None) -> bool:
    """Whether a download to `path` has its hash: `sha256` where that is known, else what belongs to the path."""
    return _digest(part, "sha256") == sha256 if sha256 is not None else _has_hash(part, path, md5, mirror)


def download_url(url: str, root: str | pathlib.Path, filename: str | pathlib.Path | None = None, md5: str | None = None,
                 max_redirect_hops: int = 3) -> None:
    """Downloads `url` to `root/filename` (default: the URL's last part), unless it is there with the right hash.

    With FLAMBEAU_MIRROR set the file comes from the mirror. `max_redirect_hops` is accepted; up to 10 are followed.
    Errors: RuntimeError for wrong bytes; URLError/OSError, saying which file to put where, when there is no way to it.
    """
    root = os.path.expanduser(root)
    path = os.path.join(root, filename or os.path.basename(urlparse(url).path))
    os.makedirs(root, exist_ok=True)
    if check_integrity(path, md5):
        return
    mirror = current_mirror()
    if mirror is not None:
        _download_from_mirror(mirror, url, path, md5)
        return
    file_id = _google_drive_file_id(url)
    if file_id is not None:
        url = _google_drive_url(file_id)
    _fetch(url, path, md5, None)


def _fetch(url: str, path: str, md5: str | None, mirror: Mirror | None, sha256: str | None = None) -> None:
    try:
        fetch(url, path, lambda part: _is_right(part, path, md5, mirror, sha256))
    except urllib.error.URLError as error:
        hint = f"Could not download {url} ({error.reason}). Put the file at {os.path.abspath(path)} by hand, " \
               "or set FLAMBEAU_MIRROR to a folder or URL that has it."
        if isinstance(error, urllib.error.HTTPError):
            error.close()
            raise urllib.error.HTTPError(url, error.code, hint, error.headers, None) from error
        raise urllib.error.URLError(hint) from error


def _download_from_mirror(mirror: Mirror, url: str, path: str, md5: str | None) -> None:
    names = mirror.find(path)
    for name in names:
        if not mirror.is_url:
            _copy(mirror, name, path, md5)
            return
        try:
            _fetch(mirror.url(name), path, md5, mirror)
            return
        except urllib.error.HTTPError as error:
            if error.code not in (403, 404, 410) or name == names[-1]:
                raise
    raise RuntimeError(f"FLAMBEAU_MIRROR={mirror} does not have {os.path.basename(path)} (officially from {url}). "
                       f"Put it there, put it at {os.path.abspath(path)}, or unset FLAMBEAU_MIRROR.")


def _copy(mirror: Mirror, name: str, path: str, md5: str | None, sha256: str | None = None) -> None:
    """Copies a file of a mirror's folder, verified and atomic."""
    part = path + ".part"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        shutil.copyfile(os.path.join(mirror.location, name), part)
        if not _is_right(part, path, md5, mirror, sha256):
            raise RuntimeError(f"File not found or corrupted. {name} in FLAMBEAU_MIRROR={mirror} does not have the "
                               "expected hash.")
        os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.remove(part)


def provide_from_mirror(root: str | pathlib.Path, names: Iterable[str]) -> bool:
    """Whether the mirror has these unpacked files and folders (paths below `root`), which are then copied to `root`."""
    mirror = current_mirror()
    found = [(name, mirror.files(name)) for name in names] if mirror is not None else []
    if not found or not all(files for _, files in found):
        return False
    for name, files in found:
        if files == [name]:
            _provide(mirror, name, os.path.join(root, name))
            continue
        if os.path.isdir(os.path.join(root, name)):
            continue
        draft = os.path.join(root, name) + ".part"  # a folder appears when all of it is there
        for file in files:
            _provide(mirror, file, os.path.join(draft, os.path.relpath(file, name)))
        os.replace(draft, os.path.join(root, name))
    return True


def _provide(mirror: Mirror, name: str, path: str) -> None:
    sha256 = mirror.sums.get(name)
    if sha256 is not None and os.path.isfile(path) and _cached_digest(path, "sha256") == sha256:
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if mirror.is_url:
        _fetch(mirror.url(name), path, None, mirror, sha256)
    else:
        _copy(mirror, name, path, None, sha256)


def not_found(message: str, paths: Iterable[str | os.PathLike], source: str) -> RuntimeError:
    """The error for a set that lacks these files or folders: `message`, what is wrong with each, and their `source`."""
    lines = []
    for path in paths:
        if os.path.isfile(path):
            lines.append(f"  wrong hash: {os.path.abspath(path)} ({os.path.getsize(path):,} bytes)")
        else:
            lines.append(f"  missing: {os.path.abspath(path)}")
    return RuntimeError("\n".join([message, *lines, f"  Source: {source}"]))


def _google_drive_file_id(url: str) -> str | None:
    parts = urlparse(url)
    if re.match(r"(drive|docs)[.]google[.]com", parts.netloc) is None:
        return None
    match = re.match(r"/file/d/(?P<id>[^/]*)", parts.path)
    return match.group("id") if match else None


def _google_drive_url(file_id: str) -> str:
    return f"https://drive.usercontent.google.com/download?id={file_id}&export=download&confirm=t"


def download_file_from_google_drive(file_id: str, root: str | pathlib.Path, filename: str | pathlib.Path | None = None,
                                    md5: str | None = None) -> None:
    """Downloads a public Google Drive file to `root/filename` (default: its id)."""
    download_url(f"https://drive.google.com/file/d/{file_id}/view", root, filename or file_id, md5)


def extract_archive(from_path: str | pathlib.Path, to_path: str | pathlib.Path | None = None,
                    remove_finished: bool = False) -> str | pathlib.Path:
    """Unpacks an archive into the folder `to_path` (default: where it lies), or a single compressed file beside it.

    Nothing is written outside `to_path`, and nothing at all if the archive is damaged. Returns the folder, or the file.
    Errors: RuntimeError for a damaged or malicious archive or an unknown type.
    """
    source = os.fspath(from_path)
    folder = os.path.dirname(source) if to_path is None else os.fspath(to_path)
    suffix, kind, compression = archives.file_type(source)
    if kind:
        result = folder
        archives.unpack(source, folder or ".")
    else:
        result = os.path.join(folder, os.path.basename(source)[:-len(suffix)])
        os.makedirs(folder or ".", exist_ok=True)
        archives.decompress(source, result, compression or suffix)
    if remove_finished:
        os.remove(source)
    return result if isinstance(from_path, str) else pathlib.Path(result)


def download_and_extract_archive(url: str, download_root: str | pathlib.Path,
                                 extract_root: str | pathlib.Path | None = None,
                                 filename: str | pathlib.Path | None = None, md5: str | None = None,
                                 remove_finished: bool = False, contents: Iterable[str] = ()) -> None:
    """`download_url`, then `extract_archive` into `extract_root` (default: `download_root`).

    `contents` names what the archive holds: a mirror that has these files and folders unpacked spares the archive.
    """
    download_root = os.path.expanduser(download_root)
    if provide_from_mirror(extract_root or download_root, contents):
        return
    filename = filename or os.path.basename(urlparse(url).path)
    download_url(url, download_root, filename, md5)
    extract_archive(os.path.join(download_root, filename), extract_root or download_root, remove_finished)


NOT_FOUND = "Dataset not found. You can use download=True to download it"
DAMAGED = "Dataset not found or corrupted. You can use download=True to download it"


def obtain(paths: Sequence[str | os.PathLike], archives: Sequence[tuple[str, str | None]], folder: str | pathlib.Path,
           download: bool, message: str = NOT_FOUND, root: str | pathlib.Path | None = None) -> None:
    """Makes sure that `paths` exist; with `download`, by unpacking `archives`, (URL, MD5) each, in `folder`.

    root: below which a mirror has the same paths unpacked (default: `folder`).
    Errors: RuntimeError with `message`, saying what is missing and where it comes from.
    """
    def missing() -> list[str | os.PathLike]:
        return [path for path in paths if not os.path.exists(path)]

    if download and missing():
        base = folder if root is None else root
        if not provide_from_mirror(base, [pathlib.Path(os.path.relpath(path, base)).as_posix() for path in missing()]):
            for url, md5 in archives:
                download_and_extract_archive(url, folder, md5=md5)
    if missing():
        sources = ", ".join(url for url, _ in archives)
        raise not_found(message, missing(), f"{sources}, to be unpacked in {os.path.abspath(folder)}")


def list_dir(root: str | pathlib.Path, prefix: bool = False) -> list[str]:
    """The folders in `root`; with `prefix`, as paths."""
    root = os.path.expanduser(root)
    names = [name for name in os.listdir(root) if os.path.isdir(os.path.join(root, name))]
    return [os.path.join(root, name) for name in names] if prefix else names


def list_files(root: str | pathlib.Path, suffix: str, prefix: bool = False) -> list[str]:
    """The files in `root` whose names end in `suffix`; with `prefix`, as paths."""
    root = os.path.expanduser(root)
    names = [name for name in os.listdir(root) if os.path.isfile(os.path.join(root, name)) and name.endswith(suffix)]
    return [os.path.join(root, name) for name in names] if prefix else names


def iterable_to_str(iterable: Iterable) -> str:
    """'a', 'b', 'c'."""
    return "'" + "', '".join(str(item) for item in iterable) + "'"


def verify_str_arg(value: T, arg: str | None = None, valid_values: Iterable[T] | None = None,
                   custom_msg: str | None = None) -> T:
    """`value`, if it is a string among `valid_values`; else a ValueError that names the argument and the choices."""
    if not isinstance(value, str):
        of = f" for argument {arg}" if arg is not None else ""
        raise ValueError(f"Expected type str{of}, but got type {type(value)}.")
    if valid_values is not None and value not in valid_values:
        raise ValueError(custom_msg if custom_msg is not None else
                         f"Unknown value '{value}' for argument {arg}. "
                         f"Valid values are {{{iterable_to_str(valid_values)}}}.")
    return value
