"""Whether all processes of a group are about to do the same: small notes over connections of their own, in a tree.

A collective of XLA's would cost as much as moving a megabyte, and who waits in one cannot be called back.
"""
from __future__ import annotations

import hmac
import secrets
import socket
import time
from datetime import timedelta

from . import _wire
from .errors import DistBackendError
from .store import Store

_NOTE = 8  # bytes
_DIFFERENT = b"\0" * _NOTE  # the note that says so
_GREETING = 32  # bytes
_PATIENCE = 5.0  # seconds that a caller has for its greeting


class Agreement:
    """A connection with the process above in the tree (number (rank - 1) // 2), and with at most two below.

    Made by all `size` processes at once, with the same `store`; host: where this process can be reached.
    """

    def __init__(self, store: Store, rank: int, size: int, host: str, timeout: timedelta) -> None:
        self._below: list[socket.socket] = []
        self._above: socket.socket | None = None
        try:
            self._connect(store, rank, size, host, timeout.total_seconds())
        except OSError as error:
            raise DistBackendError(f"rank {rank} could not connect with the group's other processes: {error}") from error

    def _connect(self, store: Store, rank: int, size: int, host: str, seconds: float) -> None:
        """Callers greet with what only those can know who read the store: strangers are not let in."""
        if rank == 0:
            store.set("secret", secrets.token_bytes(_GREETING))
        secret = store.get("secret")
        with socket.create_server((host, 0)) as server:
            store.set(f"below {rank}", f"{host}:{server.getsockname()[1]}")
            if rank:
                address, _, port = store.get(f"below {(rank - 1) // 2}").decode().rpartition(":")
                self._above = _prepared(socket.create_connection((address, int(port)), seconds))
                self._above.sendall(_greeting(secret, rank))
            expected = {_greeting(secret, child): child for child in (2 * rank + 1, 2 * rank + 2) if child < size}
            deadline = time.monotonic() + seconds
            while expected:
                server.settimeout(max(0.001, deadline - time.monotonic()))
                caller = _prepared(server.accept()[0])
                if expected.pop(_greeting_of(caller), None) is None:
                    caller.close()
                else:
                    self._below.append(caller)

    def reached(self, note: int) -> bool:
        """Whether all processes have given the same note, a positive number of 63 bits. Waits for all of them. DistBackendError if one
        beside this one in the tree is gone, or `close` was called."""
        try:
            mine = note.to_bytes(_NOTE, "little")
            for child in self._below:
                if _wire.receive_exactly(child, _NOTE) != mine:
                    mine = _DIFFERENT
            if self._above is not None:
                self._above.sendall(mine)
                mine = _wire.receive_exactly(self._above, _NOTE)
            for child in self._below:
                child.sendall(mine)
        except OSError as error:
            raise DistBackendError(f"Connection closed by peer ({error.strerror})") from None
        return mine != _DIFFERENT

    def close(self) -> None:
        """Ends the connections. Who waits in `reached`, here or beside this process, is told."""
        for connection in filter(None, [self._above, *self._below]):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other end was first
            connection.close()


def _greeting(secret: bytes, rank: int) -> bytes:
    return hmac.digest(secret, b"%d" % rank, "sha256")


def _greeting_of(caller: socket.socket) -> bytes:
    """What a caller says first; nothing if it says too little."""
    caller.settimeout(_PATIENCE)
    try:
        return _wire.receive_exactly(caller, _GREETING)
    except OSError:
        return b""
    finally:
        caller.settimeout(None)


def _prepared(connection: socket.socket) -> socket.socket:
    """A connection that waits for as long as it takes, and sends at once."""
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
