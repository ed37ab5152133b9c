"""Messages between the loader and a worker process.

A message is a pickle (protocol 5) whose large buffers travel beside it, so that an array is not copied into the
pickle. Up to `INLINE_LIMIT` bytes go through a socket of which the parent and this one worker hold the two ends. More
go through an anonymous file in memory, of which only the descriptor is sent: the other side maps it, without another
copy. It has no name, so nothing is left behind however a process dies, and its size is limited by memory, not by that
of /dev/shm. No lock is shared: a worker that is killed at any point leaves its own socket broken and nothing else.

Where descriptors cannot be sent (Windows), `PipeChannel` sends everything through a pipe.
"""

from __future__ import annotations

import io
import mmap
import multiprocessing
import os
import pickle
import queue
import socket
import struct
import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import flambeau as torch
from flambeau.tensor.attributes import stored_array
from flambeau.utils.data._utils import arrays

INLINE_LIMIT = 256 * 1024  # bytes; two such messages fit in a socket's buffer, one being read and one ahead
ALIGNMENT = 64  # bytes; of each buffer within a message, for vector loads
MAX_MAPS = 64  # batches that may stay mapped at a time, since each holds a descriptor; further ones are copied
# Bytes of all buffers with their padding, of the table of their sizes, of the pickle; whether buffers are in a file.
HEADER = struct.Struct("<QQQ?")
MSG_NOSIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)  # an end that is gone is an error, not a SIGPIPE

_live_maps: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()


# ---- objects ↔ a pickle and buffers


def _rebuild_tensor(values: np.ndarray, dtype: torch.dtype, requires_grad: bool) -> torch.Tensor:
    tensor = arrays.tensor_of(values, dtype)
    return tensor.requires_grad_() if requires_grad else tensor


def _contiguous(values: np.ndarray) -> np.ndarray:
    """Row-major, which travels as a buffer and a tensor can take over."""
    return values if values.flags.c_contiguous else np.ascontiguousarray(values).reshape(values.shape)


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is not torch.Tensor:
            return NotImplemented
        if obj.requires_grad and not obj.is_leaf:
            raise RuntimeError(
                "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd does not support "
                "crossing process boundaries.  If you just want to transfer the data, call detach() on the tensor "
                "before serializing (e.g., putting it on the queue)."
            )
        return _rebuild_tensor, (_contiguous(stored_array(obj)), obj.dtype, obj.requires_grad)


def encode(message: Any) -> tuple[bytes, list[memoryview]]:
    """A pickle and the buffers that belong to it."""
    stream, buffers = io.BytesIO(), []
    _Pickler(stream, protocol=5, buffer_callback=buffers.append).dump(message)
    return stream.getvalue(), [buffer.raw() for buffer in buffers]


def _padded(size: int) -> int:
    return -size % ALIGNMENT + size


def decode(stream: memoryview, sizes: Sequence[int], block: Any) -> Any:
    """The message. Its arrays lie in `block`, which is writable and which they keep alive."""
    buffers, view, start = [], memoryview(block), 0
    for size in sizes:
        buffers.append(view[start : start + size])
        start += _padded(size)
    return pickle.loads(stream, buffers=buffers)


# ---- files without a name


def _anonymous_file() -> int:
    """A descriptor of a file in memory, or where the system has none of an unlinked temporary file."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("flambeau-batch", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _write_file(fd: int, buffers: Sequence[memoryview], total: int) -> None:
    os.truncate(fd, total)
    start = 0
    for buffer in buffers:
        written = 0
        while written < len(buffer):
            written += os.pwrite(fd, buffer[written:], start + written)
        start += _padded(len(buffer))


def _read_file(fd: int, size: int) -> mmap.mmap | np.ndarray:
    if len(_live_maps) < MAX_MAPS:
        mapped = mmap.mmap(fd, size)
        _live_maps.add(mapped)
        return mapped
    block, filled = np.empty(size, np.uint8), 0
    while filled < size:
        filled += os.preadv(fd, [block[filled:]], filled)
    return block


# ---- channels


class SocketChannel:
    """One end of a connected pair of sockets.

    `timeout`: seconds that an end waits in one go, to receive or because the other end does not read; 0: not at all.
    """

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self._socket = sock
        self._timeout = timeout
        sock.settimeout(timeout)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * INLINE_LIMIT)
        self._start_message()

    @classmethod
    def pair(cls, timeout: float) -> tuple[SocketChannel, SocketChannel]:
        """The parent's end, which never waits, and the worker's, which waits `timeout` seconds at most."""
        parent, worker = socket.socketpair()
        return cls(parent, 0), cls(worker, timeout)

    def __reduce__(self) -> tuple:
        return SocketChannel, (self._socket, self._timeout)

    @property
    def waitable(self) -> socket.socket:
        """What `multiprocessing.connection.wait` takes."""
        return self._socket

    def hang_up(self) -> None:
        """Close the connection, for both ends and whoever has a copy of one."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # the other end was faster
            pass
        self.close()

    def close(self) -> None:
        """Close this process's copy of this end."""
        self._socket.close()
        if self._file is not None:  # of a message that broke off
            os.close(self._file)
            self._file = None

    def send(self, message: Any, while_full: Callable[[], None]) -> None:
        """Send all of `message`; `while_full` is called as long as the socket takes no more.

        Errors: what pickling raises, before anything is sent; OSError when the other end is closed.
        """
        stream, buffers = encode(message)
        sizes = struct.pack(f"<{len(buffers)}Q", *map(len, buffers))
        total = sum(_padded(len(buffer)) for buffer in buffers)
        in_file = total > 0 and total + len(stream) > INLINE_LIMIT
        head = HEADER.pack(total, len(sizes), len(stream), in_file)
        if in_file:
            self._send_file(head[:1], buffers, total, while_full)
            data = b"".join([head[1:], sizes, stream])
        else:
            padded = [part for buffer in buffers for part in (buffer, bytes(_padded(len(buffer)) - len(buffer)))]
            data = b"".join([head, *padded, sizes, stream])
        rest = memoryview(data)
        while rest:
            sent = self._retry(lambda: self._socket.send(rest, MSG_NOSIGNAL), while_full)
            rest = rest[sent:]

    def _send_file(self, first: bytes, buffers: Sequence[memoryview], total: int, while_full: Callable) -> None:
        """The descriptor of a file with the buffers, on the first byte of the message."""
        fd = _anonymous_file()
        try:
            _write_file(fd, buffers, total)
            self._retry(lambda: socket.send_fds(self._socket, [first], [fd], MSG_NOSIGNAL), while_full)
        finally:
            os.close(fd)

    @staticmethod
    def _retry(send: Callable[[], int], while_full: Callable[[], None]) -> int:
        while True:
            try:
                return send()
            except (BlockingIOError, TimeoutError):
                while_full()

    def receive(self) -> Any:
        """The next message, or None where it is not there, or not wholly there, in time.

        Errors: EOFError when the other end is closed.
        """
        try:
            if self._body is None:
                self._receive_head()
            while self._filled < len(self._body):
                self._filled += self._some(self._socket.recv_into(self._body[self._filled :]))
        except (BlockingIOError, TimeoutError):
            return None
        except ConnectionError as error:
            raise EOFError from error
        return self._finish_message()

    @staticmethod
    def _some(count: int) -> int:
        if count == 0:
            raise EOFError
        return count

    def _start_message(self) -> None:
        self._head = bytearray()
        self._file: int | None = None
        self._body: np.ndarray | None = None
        self._filled = 0

    def _receive_head(self) -> None:
        while len(self._head) < HEADER.size:
            data, descriptors, _, _ = socket.recv_fds(self._socket, HEADER.size - len(self._head), 1)
            for fd in descriptors:
                self._file = fd
            self._some(len(data))
            self._head += data
        total, sizes, stream, in_file = HEADER.unpack(self._head)
        self._body = np.empty((0 if in_file else total) + sizes + stream, np.uint8)

    def _finish_message(self) -> Any:
        total, sizes_length, stream_length, in_file = HEADER.unpack(self._head)
        body, fd = self._body, self._file
        self._start_message()
        block = body[: len(body) - sizes_length - stream_length]
        if in_file:
            if fd is None:
                raise OSError("too many open files: the descriptor of a batch could not be received (see `ulimit -n`)")
            try:
                block = _read_file(fd, total)
            finally:
                os.close(fd)
        table = body[len(body) - sizes_length - stream_length : len(body) - stream_length]
        sizes = struct.unpack(f"<{sizes_length // 8}Q", table)
        return decode(memoryview(body)[len(body) - stream_length :], sizes, block)


class PipeChannel:
    """The same for systems whose sockets carry no descriptors: all of a message goes through a pipe.

    A thread does the sending, so that an end whose pipe is full can still receive.
    """

    def __init__(self, connection: Any, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._outbox: queue.SimpleQueue | None = None
        self._error: OSError | None = None

    @classmethod
    def pair(cls, timeout: float) -> tuple[PipeChannel, PipeChannel]:
        parent, worker = multiprocessing.Pipe()
        return cls(parent, 0), cls(worker, timeout)

    def __reduce__(self) -> tuple:
        return PipeChannel, (self._connection, self._timeout)

    @property
    def waitable(self) -> Any:
        return self._connection

    def hang_up(self) -> None:
        self.close()

    def close(self) -> None:
        if self._outbox is None:
            self._connection.close()
        else:
            self._outbox.put(None)  # the thread closes the pipe after the last message

    def send(self, message: Any, while_full: Callable[[], None]) -> None:
        """As `SocketChannel.send`; never waits. An OSError shows at the next call."""
        if self._error is not None:
            raise self._error
        if self._outbox is None:
            self._outbox = queue.SimpleQueue()
            threading.Thread(target=self._drain, args=(self._outbox,), daemon=True).start()
        stream, buffers = encode(message)
        self._outbox.put([stream, *buffers])

    def _drain(self, outbox: queue.SimpleQueue) -> None:
        with self._connection:
            while (parts := outbox.get()) is not None:
                try:
                    self._connection.send_bytes(struct.pack("<Q", len(parts)))
                    for part in parts:
                        self._connection.send_bytes(part)
                except OSError as error:
                    self._error = error
                    return

    def receive(self) -> Any:
        """As `SocketChannel.receive`, but once a message has begun waits for all of it."""
        try:
            if not self._connection.poll(self._timeout):
                return None
            (count,) = struct.unpack("<Q", self._connection.recv_bytes())
            stream, *buffers = [self._connection.recv_bytes() for _ in range(count)]
        except (OSError, EOFError) as error:
            raise EOFError from error
        return pickle.loads(stream, buffers=[bytearray(buffer) for buffer in buffers])


Channel = SocketChannel if hasattr(socket, "send_fds") else PipeChannel
