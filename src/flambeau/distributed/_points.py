"""Messages from one process to another. They go through the world's store, so they suit small tensors; a message waits there
until it is taken, so `send` does not wait for `recv`."""
from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, Callable

import numpy as np

from ..tensor.tensor import Tensor
from . import _wire
from ._group import ProcessGroup, Work
from ._tensors import check_tensor, flat, write
from ._world import get_global_rank, is_outside, peer_of, the_group

_PAUSE = 0.002  # seconds between two looks for a message from anybody


def _key(source: int, destination: int, tag: int, number: int) -> str:
    return f"message {number} from {source} to {destination}, tag {tag}"


def _other(members: ProcessGroup, rank: int | None, group_rank: int | None, name: str, verb: str) -> int:
    peer = peer_of(members, rank, group_rank, name)
    if peer == members.rank():
        raise ValueError(f"Invalid {'destination' if name == 'dst' else 'source'} rank: {verb} rank should not be the same "
                         "as the rank of the current process.")
    return peer


def send(tensor: Tensor, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: int | None = None) -> None:
    """Sends `tensor` to the process `dst`, which has to call `recv`. tag: tells apart what both agree to."""
    work = isend(tensor, dst, group, tag, group_dst)
    if work is not None:
        work.wait()


def isend(tensor: Tensor, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: int | None = None) -> Work | None:
    """As `send`; a Work."""
    check_tensor(tensor, "tensor")
    if is_outside(group, "isend"):
        return None
    members = the_group(group)
    peer = _other(members, dst, group_dst, "dst", "destination")
    array = flat(tensor)
    shape = ",".join(map(str, tensor.shape)).encode()
    key = _key(members.rank(), peer, tag, members.next_message(members.rank(), peer, tag))
    members.get_group_store().set(key, _wire.pack([tensor.dtype.name.encode(), shape, array.tobytes()]))
    work = Work()
    work._finish()
    return work


def recv(tensor: Tensor, src: int | None = None, group: Any = None, tag: int = 0, group_src: int | None = None) -> int:
    """Overwrites `tensor` with what the process `src` (None: anybody) sends; the sender's rank in the world.

    Errors: RuntimeError if what comes has another dtype or number of elements; DistBackendError if the sender is gone, or
    nothing comes within the group's timeout.
    """
    check_tensor(tensor, "tensor")
    if is_outside(group, "recv"):
        return -1
    members = the_group(group)
    if src is None and group_src is None:
        peer = _first_sender(members, tag)
    else:
        peer = _other(members, src, group_src, "src", "source")
    _Message(members, tensor, peer, tag).wait()
    return get_global_rank(members, peer)


def irecv(tensor: Tensor, src: int | None = None, group: Any = None, tag: int = 0, group_src: int | None = None) -> Work | None:
    """As `recv`; a Work, whose `wait` takes the message."""
    check_tensor(tensor, "tensor")
    if is_outside(group, "irecv"):
        return None
    members = the_group(group)
    if src is None and group_src is None:
        return _MessageFromAnybody(members, tensor, tag)
    return _Message(members, tensor, _other(members, src, group_src, "src", "source"), tag)


class _MessageFromAnybody(Work):
    """A message to be taken, from a process that is found when it is waited for."""

    def __init__(self, members: ProcessGroup, tensor: Tensor, tag: int) -> None:
        super().__init__()
        self._members, self._tensor, self._tag = members, tensor, tag

    def wait(self, timeout: timedelta | None = None) -> bool:
        if not self._done.is_set():
            peer = _first_sender(self._members, self._tag, timeout)
            _Message(self._members, self._tensor, peer, self._tag).wait(timeout)
            self._finish()
        return True


class _Message(Work):
    """A message to be taken, from a known process. Its place in the order was settled when it was asked for."""

    def __init__(self, members: ProcessGroup, tensor: Tensor, peer: int, tag: int) -> None:
        super().__init__()
        self._members, self._tensor, self._peer = members, tensor, peer
        self._key = _key(peer, members.rank(), tag, members.next_message(peer, members.rank(), tag))

    def is_completed(self) -> bool:
        return self._done.is_set() or self._members.get_group_store().check([self._key]) and self.wait()

    def wait(self, timeout: timedelta | None = None) -> bool:
        if not self._done.is_set():
            rank = get_global_rank(self._members, self._peer)
            message = self._members.receive(self._key, self._peer, f"a message from rank {rank}", timeout)
            dtype, shape, data = _wire.unpack(message)
            t = self._tensor
            sent = tuple(int(n) for n in shape.split(b",") if n)
            if dtype.decode() != t.dtype.name or len(data) != t.shape.numel() * t.dtype.itemsize:
                raise RuntimeError(f"recv: rank {rank} sent a tensor of shape {list(sent)} and dtype torch.{dtype.decode()}, rank "
                                   f"{get_global_rank(self._members, self._members.rank())} expected shape {list(t.shape)} and "
                                   f"dtype {t.dtype}")
            write(t, np.frombuffer(data, t.dtype.np))
            self._finish()
        return True


def _first_sender(members: ProcessGroup, tag: int, timeout: timedelta | None = None) -> int:
    """Waits until anybody has sent something; who."""
    store, look = members.get_group_store(), members.watch(timeout)
    here = members.rank()
    keys = {peer: _key(peer, here, tag, members.messages(peer, here, tag) + 1) for peer in range(members.size()) if peer != here}
    while True:
        for peer, key in keys.items():
            if store.check([key]):
                return peer
        look("a message from any rank")
        time.sleep(_PAUSE)


class P2POp:
    """One part of `batch_isend_irecv`. op: `isend` or `irecv`; peer: a rank in the world (or group_peer: in the group)."""

    def __init__(self, op: Callable, tensor: Tensor, peer: int | None = None, group: Any = None, tag: int = 0,
                 group_peer: int | None = None) -> None:
        if op not in (isend, irecv):
            raise ValueError("Invalid ``op``. Expected ``op`` to be of type ``torch.distributed.isend`` or "
                             "``torch.distributed.irecv``.")
        check_tensor(tensor, "tensor")
        self.op, self.tensor, self.group, self.tag = op, tensor, group, tag
        self.group_peer = peer_of(the_group(group), peer, group_peer, "peer")
        self.peer = get_global_rank(group, self.group_peer)

    def __repr__(self) -> str:
        return f"P2POp({self.op.__name__}, peer={self.peer}, shape={list(self.tensor.shape)}, dtype={self.tensor.dtype})"


def batch_isend_irecv(p2p_op_list: list[P2POp]) -> list[Work]:
    """Starts all of them; their Works. ValueError for an empty list or one with other things in it."""
    if not p2p_op_list or not all(isinstance(part, P2POp) for part in p2p_op_list):
        raise ValueError("Invalid ``p2p_op_list``. Each op is expected to to be of type ``torch.distributed.P2POp``.")
    argument = {isend: "group_dst", irecv: "group_src"}
    return [part.op(part.tensor, group=part.group, tag=part.tag, **{argument[part.op]: part.group_peer}) for part in p2p_op_list]
