"""`torch.hub`: models and weights by name, from a folder, a GitHub repository or a mirror of one.

A repository publishes functions in its `hubconf.py`. They run only after the user, or an earlier decision of his kept
in `trusted_list`, has said that he trusts the repository. With FLAMBEAU_MIRROR set, weights come from there under
their own names, and repositories as `OWNER_NAME_REF.zip`, `.tar.gz` or a folder of that name.
"""
from __future__ import annotations

import builtins
import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
import urllib.error
import warnings
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Iterator
from urllib.parse import urlparse

from .download import archives
from .download.fetch import fetch
from .download.mirror import Mirror, current_mirror, open_url

__all__ = ["download_url_to_file", "get_dir", "help", "list", "load", "load_state_dict_from_url", "set_dir"]

HUBCONF = "hubconf.py"
HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")  # resnet18-bf5a0c23.pth: the SHA-256 begins so
TRUSTED_OWNERS = ("facebookresearch", "facebookincubator", "pytorch", "fairinternal")

_hub_dir: str | None = None


# ------------------------------------------------------------------------------------------------- folders

def get_dir() -> str:
    """The folder for repositories and weights: what `set_dir` set, else $TORCH_HOME/hub, else ~/.cache/torch/hub
    ($XDG_CACHE_HOME in place of ~/.cache, if set)."""
    if _hub_dir is not None:
        return _hub_dir
    if os.getenv("TORCH_HUB"):
        warnings.warn("TORCH_HUB is deprecated, please use env TORCH_HOME instead", stacklevel=2)
    cache = os.getenv("XDG_CACHE_HOME", "~/.cache")
    return os.path.join(os.path.expanduser(os.getenv("TORCH_HOME", os.path.join(cache, "torch"))), "hub")


def set_dir(d: str | os.PathLike) -> None:
    """Makes `d` the folder for repositories and weights, for this process."""
    global _hub_dir
    _hub_dir = os.path.expanduser(d)


# ------------------------------------------------------------------------------------------------- entry points

def load(repo_or_dir: str, model: str, *args: Any, source: str = "github", trust_repo: bool | str | None = "check",
         force_reload: bool = False, verbose: bool = True, skip_validation: bool = False, **kwargs: Any) -> Any:
    """What the entry point `model` of a repository returns for `args` and `kwargs`.

    repo_or_dir: "owner/name[:ref]", ref a branch (default: main, else master), tag or commit; with source="local",
    a folder.
    trust_repo: "check" asks about repositories not trusted yet, True trusts, False asks in any case, None only warns.
    force_reload: downloads again. skip_validation: does not check that ref belongs to the repository and not a fork.
    Errors: ValueError for another source; RuntimeError for a missing entry point or dependency.
    """
    source = source.lower()
    if source not in ("github", "local"):
        raise ValueError(f'Unknown source: "{source}". Allowed values: "github" | "local".')
    if source == "github":
        repo_or_dir = _provide(repo_or_dir, force_reload, trust_repo, verbose, skip_validation)
    return _load_local(repo_or_dir, model, *args, **kwargs)


def list(github: str, force_reload: bool = False, skip_validation: bool = False,
         trust_repo: bool | str | None = "check", verbose: bool = True) -> builtins.list[str]:
    """The names of a repository's entry points. Arguments as of `load`."""
    folder = _provide(github, force_reload, trust_repo, verbose, skip_validation)
    with _hubconf(folder) as module:
        return _entry_points(module)


def help(github: str, model: str, force_reload: bool = False, skip_validation: bool = False,
         trust_repo: bool | str | None = "check") -> str | None:
    """The docstring of the entry point `model`. Arguments as of `load`."""
    folder = _provide(github, force_reload, trust_repo, True, skip_validation)
    with _hubconf(folder) as module:
        return _entry_point(module, model).__doc__


def _load_local(hubconf_dir: str, model: str, *args: Any, **kwargs: Any) -> Any:
    with _hubconf(hubconf_dir) as module:
        return _entry_point(module, model)(*args, **kwargs)


@contextlib.contextmanager
def _hubconf(folder: str) -> Iterator[ModuleType]:
    """The folder's hubconf.py, executed, with the folder importable meanwhile and flambeau as `torch`."""
    from .hook import install

    install()
    path = os.path.join(folder, HUBCONF)
    spec = importlib.util.spec_from_file_location(HUBCONF, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)


def _entry_points(module: ModuleType) -> builtins.list[str]:
    return [name for name in dir(module) if callable(getattr(module, name)) and not name.startswith("_")]


def _entry_point(module: ModuleType, name: str) -> Callable[..., Any]:
    if not isinstance(name, str):
        raise ValueError("Invalid input: model should be a string of function name")
    missing = _missing_dependencies(module)
    if missing:
        raise RuntimeError(f"Missing dependencies: {', '.join(missing)}")
    function = getattr(module, name, None)
    if not callable(function):
        raise RuntimeError(f"Cannot find callable {name} in hubconf")
    return function


def _missing_dependencies(module: ModuleType) -> builtins.list[str]:
    """The packages that the module's `dependencies` name and that cannot be imported; `torch` is flambeau."""
    from .hook.names import ROOTS
    needed = getattr(module, "dependencies", None) or ()
    return [name for name in needed if name not in ROOTS and importlib.util.find_spec(name) is None]


# ------------------------------------------------------------------------------------------------- repositories

def _provide(github: str, force_reload: bool, trust_repo: bool | str | None, verbose: bool,
             skip_validation: bool) -> str:
    """The folder that holds the repository, downloaded if need be; nothing in it has run."""
    os.makedirs(get_dir(), exist_ok=True)
    owner, name, ref = _parse_repo_info(github)
    label = "_".join([owner, name, ref.replace("/", "_")])
    folder = os.path.join(get_dir(), label)
    _check_trust(owner, name, label, trust_repo)
    if os.path.exists(folder) and not force_reload:
        if verbose:
            sys.stderr.write(f"Using cache found in {folder}\n")
        return folder
    mirror = current_mirror()
    if mirror is not None:
        _install_from_mirror(mirror, label, folder)
        return folder
    if not skip_validation:
        _check_not_a_fork(owner, name, ref)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=get_dir()) as scratch:
        archive = os.path.join(scratch, label + ".zip")
        url = f"https://github.com/{owner}/{name}/zipball/{ref}"
        sys.stderr.write(f'Downloading: "{url}" to {archive}\n')
        fetch(url, archive, lambda part: True, show_progress=False)
        _install_archive(archive, folder, ref)
    return folder


def _parse_repo_info(github: str) -> tuple[str, str, str]:
    """(owner, name, ref) of "owner/name[:ref]". Without a ref: main if the repository has it, else master."""
    repository, _, ref = github.partition(":")
    owner, name = repository.split("/")
    if ref:
        return owner, name, ref
    known = [ref for ref in ("main", "master") if os.path.exists(os.path.join(get_dir(), f"{owner}_{name}_{ref}"))]
    mirror = current_mirror()
    if mirror is not None:
        known += [ref for ref in ("main", "master") if _mirrored(mirror, f"{owner}_{name}_{ref}")]
        return owner, name, known[0] if known else "main"
    try:
        with open_url(f"https://github.com/{owner}/{name}/tree/main/"):
            return owner, name, "main"
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 404:
            return owner, name, "master"
        raise
    except urllib.error.URLError as error:
        if known:
            return owner, name, known[0]
        raise RuntimeError("It looks like there is no internet connection and the repo could not be found in the "
                           f"cache ({get_dir()})") from error


def _check_trust(owner: str, name: str, label: str, trust_repo: bool | str | None) -> None:
    """Asks, warns or notes down, as `trust_repo` says. Raises Exception if the user does not trust the repository."""
    listing = Path(get_dir(), "trusted_list")
    listing.touch()
    repository = f"{owner}_{name}"
    trusted = (repository in listing.read_text().splitlines() or owner in TRUSTED_OWNERS
               or os.path.isdir(os.path.join(get_dir(), label)))  # one that is here was trusted when it came
    if trust_repo is None:
        if not trusted:
            warnings.warn("You are about to download and run code from an untrusted repository. In a future release, "
                          "this won't be allowed. To add the repository to your trusted list, change the command to "
                          "{calling_fn}(..., trust_repo=False) and a command prompt will appear asking for an "
                          "explicit confirmation of trust, or load(..., trust_repo=True), which will assume that the "
                          "prompt is to be answered with 'yes'.", stacklevel=4)
        return
    if trust_repo is False or trust_repo == "check" and not trusted:
        answer = input(f"The repository {repository} does not belong to the list of trusted repositories and as such "
                       "cannot be downloaded. Do you trust this repository and wish to add it to the trusted list of "
                       "repositories (y/N)?").lower()
        if answer in ("n", "no", ""):
            raise Exception("Untrusted repository.")
        if answer not in ("y", "yes"):
            raise ValueError(f"Unrecognized response {answer}.")
        if trusted:
            print("The repository is already trusted.")
    if not trusted:
        with open(listing, "a") as file:
            file.write(repository + "\n")


def _check_not_a_fork(owner: str, name: str, ref: str) -> None:
    """GitHub answers for a fork's commits under the original's name: ValueError unless ref is a branch or tag of the
    repository, or a commit at the head of one."""
    headers = {"Accept": "application/vnd.github.v3+json"}
    if os.environ.get("GITHUB_TOKEN"):
        headers["Authorization"] = f"token {os.environ['GITHUB_TOKEN']}"
    for kind in ("branches", "tags"):
        page = 0
        while True:
            page += 1
            url = f"https://api.github.com/repos/{owner}/{name}/{kind}?per_page=100&page={page}"
            with open_url(url, headers) as response:
                entries = json.loads(response.read())
            if not entries:
                break
            if any(ref == entry["name"] or entry["commit"]["sha"].startswith(ref) for entry in entries):
                return
    raise ValueError(f"Cannot find {ref} in https://github.com/{owner}/{name}. If it's a commit from a forked repo, "
                     "please call hub.load() with forked repo directly.")


def _mirrored(mirror: Mirror, label: str) -> str | None:
    """The archive or folder in the mirror that holds the repository."""
    for candidate in (label + ".zip", label + ".tar.gz", label):
        if mirror.is_url:
            if candidate in mirror.sums or f"{candidate}/{HUBCONF}" in mirror.sums:
                return candidate
        elif os.path.exists(os.path.join(mirror.location, candidate)):
            return candidate
    return None


def _install_from_mirror(mirror: Mirror, label: str, folder: str) -> None:
    name = _mirrored(mirror, label)
    if name is None:
        raise RuntimeError(f"FLAMBEAU_MIRROR={mirror} has no {label}.zip, {label}.tar.gz or folder {label}"
                           + (" in its SHA256SUMS" if mirror.is_url else "")
                           + f". Put it there, put the repository at {folder}, or unset FLAMBEAU_MIRROR.")
    with tempfile.TemporaryDirectory(prefix=".download-", dir=get_dir()) as scratch:
        for file in mirror.files(name):
            _take(mirror, file, os.path.join(scratch, file))
        place = os.path.join(scratch, name)
        if name == label:
            _replace_folder(place, folder)
        else:
            _install_archive(place, folder, None)


def _install_archive(archive: str, folder: str, ref: str | None) -> None:
    """Puts the repository in `archive`, whose one top folder is the repository, in place of `folder`."""
    if ref is not None and re.fullmatch("[0-9a-f]{7,40}", ref):
        with zipfile.ZipFile(archive) as file:  # git writes the commit's hash into the archive's comment
            commit = file.comment.decode("ascii", "replace")
        if commit and not commit.startswith(ref):
            raise RuntimeError(f"The archive for commit {ref} holds commit {commit}")
    unpacked = archive + ".unpacked"
    archives.unpack(archive, unpacked)
    entries = os.listdir(unpacked)
    inner = os.path.join(unpacked, entries[0]) if len(entries) == 1 else unpacked
    _replace_folder(inner if os.path.isdir(inner) else unpacked, folder)


def _replace_folder(source: str, folder: str) -> None:
    """Moves `source` to `folder`; what was there goes last, so that a failure leaves one of them whole."""
    old = tempfile.mkdtemp(prefix=".old-", dir=os.path.dirname(folder))
    if os.path.exists(folder):
        os.rename(folder, os.path.join(old, "repository"))
    os.rename(source, folder)
    shutil.rmtree(old)


# ------------------------------------------------------------------------------------------------- weights

def download_url_to_file(url: str, dst: str, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Downloads `url` to the file `dst`, which appears when it is complete; a broken-off download with a hash is
    taken up again.

    hash_prefix: how the SHA-256 has to begin, in hexadecimal. RuntimeError if it does not.
    """
    path = os.path.abspath(os.path.expanduser(dst))
    digests: builtins.list[str] = []

    def is_right(part: str) -> bool:
        if hash_prefix is None:
            return True
        digests.append(_sha256(part))
        return digests[-1].startswith(hash_prefix)

    if hash_prefix is None:  # nothing would tell an old beginning from another file's
        with contextlib.suppress(FileNotFoundError):
            os.remove(path + ".part")
    try:
        fetch(url, path, is_right, show_progress=progress)
    except RuntimeError:
        raise _wrong_hash(hash_prefix, digests[-1]) from None


def _wrong_hash(expected: str | None, digest: str) -> RuntimeError:
    return RuntimeError(f'invalid hash value (expected "{expected}", got "{digest}")')


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def load_state_dict_from_url(url: str, model_dir: str | None = None, map_location: Any = None, progress: bool = True,
                             check_hash: bool = False, file_name: str | None = None,
                             weights_only: bool = False) -> dict[str, Any]:
    """What is saved at `url`, from the cache if it is there.

    model_dir: the cache (default: get_dir()/checkpoints); file_name: the name there (default: the URL's).
    check_hash: whether the -xxxxxxxx in the name is the start of the file's SHA-256, to be checked on arrival.
    map_location, weights_only: as of `load`. A zip file that holds one file stands for that.
    """
    if os.getenv("TORCH_MODEL_ZOO"):
        warnings.warn("TORCH_MODEL_ZOO is deprecated, please use env TORCH_HOME instead", stacklevel=2)
    if model_dir is None:
        model_dir = os.path.join(get_dir(), "checkpoints")
    os.makedirs(model_dir, exist_ok=True)
    name = file_name if file_name is not None else os.path.basename(urlparse(url).path)
    path = os.path.join(model_dir, name)
    if not os.path.exists(path):
        sys.stdout.write(f'Downloading: "{url}" to {path}\n')
        found = HASH_REGEX.search(name) if check_hash else None
        _provide_weights(url, path, found.group(1) if found else None, progress)
    from .serialization import load as load_file

    single = _only_member(path)
    if single is not None:
        archives.unpack(path, model_dir, ".zip")
        path = os.path.join(model_dir, single)
    return load_file(path, map_location=map_location, weights_only=weights_only)


def _provide_weights(url: str, path: str, hash_prefix: str | None, progress: bool) -> None:
    mirror = current_mirror()
    names = mirror.find(path) if mirror is not None else []
    if mirror is None or urlparse(url).scheme == "file":
        download_url_to_file(url, path, hash_prefix, progress)
    elif names:
        _take(mirror, names[0], path, hash_prefix, progress)
    else:
        raise RuntimeError(f"FLAMBEAU_MIRROR={mirror} does not have {os.path.basename(path)} (officially from {url}). "
                           f"Put it there, put it at {path}, or unset FLAMBEAU_MIRROR.")


def _take(mirror: Mirror, name: str, path: str, hash_prefix: str | None = None, progress: bool = False) -> None:
    """Downloads or copies one file of the mirror; with the hash that the mirror states, if it does."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    location = mirror.url(name) if mirror.is_url else Path(mirror.location, name).absolute().as_uri()
    stated = mirror.sums.get(name)
    download_url_to_file(location, path, stated or hash_prefix, progress)
    if stated and hash_prefix and not stated.startswith(hash_prefix):
        os.remove(path)
        raise _wrong_hash(hash_prefix, stated)


def _only_member(path: str) -> str | None:
    """The one file in an old-style zip of weights, or None for a file that `load` reads itself."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as file:
        members = file.infolist()
    return members[0].filename if len(members) == 1 and not members[0].is_dir() else None
