"""Stores: small tables of bytes by key, which processes share to find each other.

`HashStore` lives in one process, `FileStore` in a file, `TCPStore` in the process that hosts it. `PrefixStore` puts a prefix
before each key of another store. All of them do their work on a `Table`, which TCP clients reach by messages.
"""
from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import socket
import socketserver
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

from . import _wire
from ._table import Table
from .errors import DistError, DistNetworkError, DistStoreError

DEFAULT_TIMEOUT = timedelta(seconds=300)
_TURN = 0.01  # seconds in which other threads get their turn with a connection; locks are not fair
_SLICE = 1.0  # seconds that one waiting request may take, so that others can use the connection
_POLL = 0.01  # seconds between two looks into a file
_INTRODUCTION = 10.0  # seconds in which each end of a connection has to show that it knows the secret
_NONCE = 16  # bytes
_LOOPBACK = "127.0.0.1"


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(text)


class Store:
    """What all stores do. Keys are str; values are str or bytes, and come back as bytes.

    A subclass says how to `_do` one of Table's methods by name.
    """

    _timeout = DEFAULT_TIMEOUT

    def _do(self, method: str, *args: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not say how to reach its table")

    @property
    def timeout(self) -> timedelta:
        """How long `get` and `wait` wait."""
        return self._timeout

    def set_timeout(self, timeout: timedelta) -> None:
        self._timeout = timeout

    def set(self, key: str, value: str | bytes) -> None:
        """Writes, whether or not the key is there."""
        self._do("set", _bytes(key), _bytes(value))

    def get(self, key: str) -> bytes:
        """The value; waits for it. DistStoreError after the timeout."""
        self.wait([key])
        return self._do("get", _bytes(key))

    def add(self, key: str, amount: int) -> int:
        """Adds to a counter, which begins at 0; the sum."""
        return self._do("add", _bytes(key), amount)

    def append(self, key: str, value: str | bytes) -> None:
        """Writes behind what is there."""
        self._do("append", _bytes(key), _bytes(value))

    def compare_set(self, key: str, expected_value: str, desired_value: str) -> bytes:
        """Writes `desired_value` if `expected_value` is there (or it is "" and nothing is); what is there afterwards."""
        return self._do("compare_set", _bytes(key), _bytes(expected_value), _bytes(desired_value))

    def delete_key(self, key: str) -> bool:
        """Whether the key was there."""
        return self._do("delete", _bytes(key))

    def check(self, keys: Sequence[str]) -> bool:
        """Whether all keys are there."""
        return self._do("check", [_bytes(key) for key in keys])

    def num_keys(self) -> int:
        return self._do("__len__")

    def wait(self, keys: Sequence[str], timeout: timedelta | None = None) -> None:
        """Waits for all keys. DistStoreError after the timeout (default: the store's own)."""
        seconds = (self._timeout if timeout is None else timeout).total_seconds()
        deadline = time.monotonic() + seconds
        wanted = [_bytes(key) for key in keys]
        while not self._do("wait", wanted, max(0.0, min(_SLICE, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                raise DistStoreError(f"wait timeout after {round(seconds * 1000)}ms, keys: /{', /'.join(keys)}")
            time.sleep(_TURN)

    def multi_get(self, keys: Sequence[str]) -> list[bytes]:
        return [self.get(key) for key in keys]

    def multi_set(self, keys: Sequence[str], values: Sequence[str | bytes]) -> None:
        for key, value in zip(keys, values, strict=True):
            self.set(key, value)


class HashStore(Store):
    """A store for the threads of one process."""

    def __init__(self) -> None:
        self._table = Table()

    def _do(self, method: str, *args: Any) -> Any:
        return getattr(self._table, method)(*args)


class PrefixStore(Store):
    """`store`, with `prefix` and a slash before each key."""

    def __init__(self, prefix: str, store: Store) -> None:
        self.prefix, self.underlying_store = prefix, store
        self._timeout = store.timeout

    def _do(self, method: str, *args: Any) -> Any:
        before = _bytes(self.prefix) + b"/"
        if args:
            key, *others = args
            args = ([before + k for k in key] if isinstance(key, list) else before + key, *others)
        return self.underlying_store._do(method, *args)

    def set_will(self, key: str, value: str | bytes) -> None:
        """TCPStore.set_will, under the prefix."""
        self._do("will", _bytes(key), _bytes(value))

    def local_address(self) -> str:
        """TCPStore.local_address."""
        return self.underlying_store.local_address()  # type: ignore[attr-defined]


class FileStore(Store):
    """A store in a file that all processes can reach. world_size: how many there are; it is not looked at.

    Each call reads and writes the whole file, under a lock: for rendezvous, not for data.
    """

    def __init__(self, file_name: str, world_size: int = -1) -> None:
        self.path = file_name
        Path(file_name).touch()

    def _do(self, method: str, *args: Any) -> Any:
        if method == "wait":
            return self._poll(*args)
        with self._locked() as file:
            parts = _wire.unpack(file.read() or _wire.pack(()))
            table = Table()
            table.replace_all(dict(zip(parts[::2], parts[1::2])))
            result = getattr(table, method)(*args)
            file.seek(0)
            file.truncate()
            file.write(_wire.pack([piece for entry in table.items().items() for piece in entry]))
        return result

    def _poll(self, keys: Sequence[bytes], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self._do("check", keys):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL)
        return True

    @contextmanager
    def _locked(self) -> Iterator[Any]:
        with open(self.path, "r+b") as file:
            if os.name == "posix":
                import fcntl
                fcntl.flock(file, fcntl.LOCK_EX)  # closing the file releases it
            else:
                import msvcrt
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]
            yield file


class TCPStore(Store):
    """A store that one process hosts (`is_master`) and others reach at host_name:port.

    port: 0 has the host take a free one; `port` then says which. world_size: how many processes, host included, to wait
    for (default: do not wait). timeout: for connecting, for `get` and `wait`, and for the host to answer. secret: what host and clients
    must all know (default: anybody may connect). The host listens on
    all interfaces, but for localhost and 127.0.0.1.
    Errors: DistNetworkError if the port is in use, the host is not there in time, or has another secret; DistStoreError if processes
    are missing.
    Differs: `multi_tenant`, `master_listen_fd` and `use_libuv` choose between implementations in PyTorch; here is one.
    """

    def __init__(self, host_name: str, port: int, world_size: int | None = None, is_master: bool = False,
                 timeout: timedelta = DEFAULT_TIMEOUT, wait_for_workers: bool = True, multi_tenant: bool = False,
                 master_listen_fd: int | None = None, use_libuv: bool = True, *, secret: bytes | None = None) -> None:
        self._timeout = timeout
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._server = _Server.start(host_name, port, secret) if is_master else None
        self.host, self.port = host_name, self._server.server_address[1] if self._server else port
        try:
            self._connection = _connect(host_name, self.port, timeout)
            if secret is not None:
                self._introduce(self._connection, secret)
            self._connection.settimeout(max(timeout.total_seconds(), 2 * _SLICE))
            if world_size is not None and world_size > 0 and wait_for_workers:
                self._wait_for_workers(world_size)
        except DistError:
            self.shutdown()
            raise

    def _introduce(self, connection: socket.socket, secret: bytes) -> None:
        """Shows the host that this process knows the secret, and has the host show it."""
        connection.settimeout(_INTRODUCTION)
        try:
            mine = secrets.token_bytes(_NONCE)
            connection.sendall(mine)
            answer = _wire.receive_exactly(connection, _NONCE + hashlib.sha256().digest_size)
            connection.sendall(_proof(secret, b"client", answer[:_NONCE]))
            if not hmac.compare_digest(answer[_NONCE:], _proof(secret, b"host", mine)) or _wire.receive_exactly(connection, 1) != b"1":
                raise ConnectionError("it has another secret")
        except OSError as error:
            raise DistNetworkError(f"the store at {self.host}:{self.port} was not asked for this job's secret, or has another one: "
                                   f"{error}") from None

    def _wait_for_workers(self, world_size: int) -> None:
        if self.add("workers", 1) == world_size:
            self.set("workers complete", b"")
        try:
            self.wait(["workers complete"])
        except DistStoreError:
            raise DistStoreError(f"Timed out after {round(self._timeout.total_seconds()) + 1} seconds waiting for clients. "
                                 f"{self.add('workers', 0)}/{world_size} clients joined.") from None

    def _do(self, method: str, *args: Any) -> Any:
        encode, decode = _CALLS[method]
        with self._lock:
            if self._connection is None:
                raise DistNetworkError("the store is closed")
            try:
                _wire.send(self._connection, [method.encode(), *encode(*args)])
                found, reply = _wire.receive(self._connection)
            except TimeoutError:
                self._disconnect()
                raise DistStoreError(f"the process that hosts the store at {self.host}:{self.port} has not answered for "
                                     f"{round(self._timeout.total_seconds() * 1000)}ms") from None
            except OSError as error:
                self._disconnect()
                raise DistNetworkError(f"lost the connection to the store at {self.host}:{self.port}: {error}. "
                                       "The process that hosts it is gone") from None
        return decode(reply) if found else None

    @property
    def is_host(self) -> bool:
        """Whether the table is in this process."""
        return self._server is not None

    def local_address(self) -> str:
        """The address of this machine on the way to the store's host."""
        assert self._connection is not None
        return self._connection.getsockname()[0]

    def set_will(self, key: str, value: str | bytes) -> None:
        """What the host shall append to `key` if this process ends without `close`."""
        self._do("will", _bytes(key), _bytes(value))

    def close(self) -> None:
        """Says goodbye. The host goes on serving others as long as its process lives, or until `shutdown`."""
        if self._connection is not None:
            try:
                self._do("goodbye")
            except DistError:
                pass
            self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def shutdown(self) -> None:
        """Closes, and ends the server if it is here."""
        self.close()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __del__(self) -> None:
        """Without goodbye: at the end of a program that has failed, the others are to be told."""
        if hasattr(self, "_connection"):
            self._disconnect()


def _connect(host: str, port: int, timeout: timedelta) -> socket.socket:
    """Tries again until the timeout: the host may start later than its clients."""
    seconds = timeout.total_seconds()
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection = socket.create_connection((host, port), max(1.0, deadline - time.monotonic()))
            break
        except OSError as error:
            if time.monotonic() >= deadline:
                raise DistNetworkError(
                    f"The client socket has timed out after {round(seconds * 1000)}ms while trying to connect to "
                    f"({host}, {port}): {error}") from None
            time.sleep(0.05)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _proof(secret: bytes, side: bytes, nonce: bytes) -> bytes:
    """What shows that one end of a connection knows the secret, to the other, which chose the nonce."""
    return hmac.digest(secret, side + nonce, "sha256")


# How the arguments and the result of each call travel: to byte strings, and back from one.
_Codec = tuple[Callable[..., list[bytes]], Callable[[bytes], Any]]
_CALLS: dict[str, _Codec] = {
    "set": (lambda key, value: [key, value], lambda reply: None),
    "append": (lambda key, value: [key, value], lambda reply: None),
    "will": (lambda key, value: [key, value], lambda reply: None),
    "goodbye": (lambda: [], lambda reply: None),
    "get": (lambda key: [key], bytes),
    "add": (lambda key, amount: [key, b"%d" % amount], int),
    "compare_set": (lambda key, expected, desired: [key, expected, desired], bytes),
    "delete": (lambda key: [key], lambda reply: reply == b"1"),
    "check": (lambda keys: list(keys), lambda reply: reply == b"1"),
    "wait": (lambda keys, seconds: [repr(seconds).encode(), *keys], lambda reply: reply == b"1"),
    "__len__": (lambda: [], int),
}


class _Server(socketserver.ThreadingTCPServer):
    """The host of a TCPStore: a table, and a thread for each client."""

    allow_reuse_address = os.name == "posix"  # elsewhere it would let two servers listen on one port
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, host: str, port: int, secret: bytes | None) -> None:
        self.table, self.secret = Table(), secret
        self.connections: set[socket.socket] = set()
        super().__init__((_LOOPBACK if host in (_LOOPBACK, "localhost") else "", port), _Client)

    @classmethod
    def start(cls, host: str, port: int, secret: bytes | None) -> _Server:
        try:
            server = cls(host, port, secret)
        except (OSError, OverflowError) as error:
            raise DistNetworkError(f"The server socket has failed to listen on any local network address. port: {port}, "
                                   f"{'EADDRINUSE, address already in use' if 'in use' in str(error) else error}") from None
        threading.Thread(target=server.serve_forever, name="store", daemon=True).start()
        return server

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)  # its thread closes it
            except OSError:
                pass  # it has gone by itself

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: a client that has gone is told by its will."""


class _Client(socketserver.BaseRequestHandler):
    """Answers the calls of one client until it goes."""

    def handle(self) -> None:
        will: list[bytes] | None = None
        self.server.connections.add(self.request)  # type: ignore[attr-defined]
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.server.secret is not None:  # type: ignore[attr-defined]
                self._introduce(self.server.secret)  # type: ignore[attr-defined]
            while True:
                name, *parts = _wire.receive(self.request)
                if name == b"will":
                    will = parts
                elif name == b"goodbye":
                    will = None
                _wire.send(self.request, self._answer(name.decode(), parts))
        except OSError:
            if will is not None:
                self.server.table.append(*will)  # type: ignore[attr-defined]
        finally:
            self.server.connections.discard(self.request)  # type: ignore[attr-defined]

    def _introduce(self, secret: bytes) -> None:
        """ConnectionError if the client does not know the secret."""
        self.request.settimeout(_INTRODUCTION)
        theirs, mine = _wire.receive_exactly(self.request, _NONCE), secrets.token_bytes(_NONCE)
        self.request.sendall(mine + _proof(secret, b"host", theirs))
        proof = _wire.receive_exactly(self.request, hashlib.sha256().digest_size)
        if not hmac.compare_digest(proof, _proof(secret, b"client", mine)):
            raise ConnectionError("a client without the secret")
        self.request.sendall(b"1")
        self.request.settimeout(None)

    def _answer(self, name: str, parts: list[bytes]) -> list[bytes]:
        """[b"1", result], or [b"", b""] for None."""
        if name in ("will", "goodbye"):
            return [b"", b""]
        if name not in _CALLS:
            raise ConnectionError("not a call")
        args: Any = {"check": lambda: [parts], "wait": lambda: [parts[1:], float(parts[0])],
                     "add": lambda: [parts[0], int(parts[1])]}.get(name, lambda: parts)()
        result = getattr(self.server.table, name)(*args)  # type: ignore[attr-defined]
        if result is None:
            return [b"", b""]
        return [b"1", result if isinstance(result, bytes) else b"%d" % result]
