"""How processes find each other: from the word in `init_method` to a store, this process's rank and the number of all.

    env://                          MASTER_ADDR, MASTER_PORT, RANK and WORLD_SIZE in the environment
    tcp://host:port?rank=R&world_size=N     the process of rank 0 hosts a TCPStore there
    file:///path?rank=R&world_size=N        a file that all can reach
"""
from __future__ import annotations

import os
from datetime import timedelta
from typing import Callable, Iterator
from urllib.parse import parse_qsl, urlparse, urlunparse

from .constants import default_pg_timeout
from .store import FileStore, PrefixStore, Store, TCPStore

SECRET = "FLAMBEAU_STORE_SECRET"
Found = tuple[Store, int, int]
_handlers: dict[str, Callable[..., Iterator[Found]]] = {}


def register_rendezvous_handler(scheme: str, handler: Callable[..., Iterator[Found]]) -> None:
    """Has `handler(url, timeout=…)` answer for `scheme://`; it yields (store, rank, world size)."""
    if scheme in _handlers:
        raise RuntimeError(f"Rendezvous handler for {scheme}:// already registered")
    _handlers[scheme] = handler


def rendezvous(url: str, rank: int = -1, world_size: int = -1, timeout: timedelta = default_pg_timeout) -> Iterator[Found]:
    """Yields (store, rank, world size) for a url. RuntimeError for an unknown scheme, ValueError for what is missing."""
    parts = urlparse(url)
    if parts.scheme not in _handlers:
        raise RuntimeError(f"No rendezvous handler for {parts.scheme}://")
    given = dict(parse_qsl(parts.query))
    for name, value in (("rank", rank), ("world_size", world_size)):
        if value != -1:
            given[name] = str(value)
    query = "&".join(f"{key}={value}" for key, value in given.items())
    return _handlers[parts.scheme](urlunparse(parts._replace(query=query)), timeout=timeout)


def _query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlparse(url).query))


def _error(scheme: str, what: str) -> ValueError:
    return ValueError(f"Error initializing torch.distributed using {scheme}:// rendezvous: {what}")


def _of_query(url: str, scheme: str) -> tuple[int, int]:
    """(rank, world size) from a url."""
    query = _query(url)
    for name, words in (("rank", "rank"), ("world_size", "world size")):
        if name not in query:
            raise _error(scheme, f"{words} parameter missing")
    return checked_rank(int(query["rank"]), int(query["world_size"]))


def checked_rank(rank: int, world_size: int) -> tuple[int, int]:
    """(rank, world_size), or ValueError."""
    if not 0 <= rank < world_size:
        raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {world_size - 1}]")
    return rank, world_size


def _tcp(url: str, timeout: timedelta = default_pg_timeout) -> Iterator[Found]:
    parts = urlparse(url)
    if parts.port is None:
        raise _error("tcp", "port number missing")
    rank, world_size = _of_query(url, "tcp")
    yield _store_at(parts.hostname or "", parts.port, rank, world_size, timeout), rank, world_size


def _env(url: str, timeout: timedelta = default_pg_timeout) -> Iterator[Found]:
    query = _query(url)

    def variable(name: str) -> str:
        value = query.get(name.lower()) or os.environ.get(name)
        if value is None:
            raise _error("env", f"environment variable {name} expected, but not set")
        return value
    rank, world_size = checked_rank(int(variable("RANK")), int(variable("WORLD_SIZE")))
    host, port = variable("MASTER_ADDR"), int(variable("MASTER_PORT"))
    yield _store_at(host, port, rank, world_size, timeout), rank, world_size


def job_secret() -> bytes | None:
    """What the processes of one job must know to come to its store: FLAMBEAU_STORE_SECRET in the environment, if it is there."""
    return os.environ.get(SECRET, "").encode() or None


def _store_at(host: str, port: int, rank: int, world_size: int, timeout: timedelta) -> Store:
    """The store there, which rank 0 hosts, unless a launcher does. Each of a launcher's attempts has a part of its own."""
    launched = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    store = TCPStore(host, port, None if launched else world_size, is_master=rank == 0 and not launched, timeout=timeout, secret=job_secret())
    return PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store) if launched else store


def _file(url: str, timeout: timedelta = default_pg_timeout) -> Iterator[Found]:
    path = urlparse(url).path
    if not path:
        raise _error("file", "path missing")
    rank, world_size = _of_query(url, "file")
    store = FileStore(path, world_size)
    store.set_timeout(timeout)
    yield store, rank, world_size


for _scheme, _handler in (("tcp", _tcp), ("env", _env), ("file", _file)):
    register_rendezvous_handler(_scheme, _handler)
