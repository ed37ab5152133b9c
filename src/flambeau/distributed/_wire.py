"""Messages of the TCP store: a list of byte strings, each with its length in front. No pickle: peers are not trusted."""
from __future__ import annotations

import socket
import struct
from typing import Sequence

_LENGTH = struct.Struct("<q")
LIMIT = 1 << 40  # a length beyond this is not a message of ours


def pack(parts: Sequence[bytes]) -> bytes:
    """One message."""
    return b"".join([_LENGTH.pack(len(parts)), *(piece for part in parts for piece in (_LENGTH.pack(len(part)), part))])


def unpack(message: bytes) -> list[bytes]:
    """The parts of one message."""
    view = memoryview(message)
    (count,), at, parts = _LENGTH.unpack_from(view), _LENGTH.size, []
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(view, at)
        at += _LENGTH.size
        parts.append(bytes(view[at:at + length]))
        at += length
    return parts


def send(connection: socket.socket, parts: Sequence[bytes]) -> None:
    connection.sendall(pack(parts))


def receive(connection: socket.socket) -> list[bytes]:
    """The next message. ConnectionError where the peer has closed or speaks otherwise."""
    count = _receive_length(connection)
    return [receive_exactly(connection, _receive_length(connection)) for _ in range(count)]


def _receive_length(connection: socket.socket) -> int:
    (length,) = _LENGTH.unpack(receive_exactly(connection, _LENGTH.size))
    if not 0 <= length < LIMIT:
        raise ConnectionError("not a message of a store")
    return length


def receive_exactly(connection: socket.socket, count: int) -> bytes:
    """The next `count` bytes. ConnectionError where the peer has closed before."""
    buffer = bytearray(count)
    view, done = memoryview(buffer), 0
    while done < count:
        read = connection.recv_into(view[done:])
        if read == 0:
            raise ConnectionError("Connection closed by peer")
        done += read
    return bytes(buffer)
