"""Collectives on objects of Python, which travel as pickles: use them among processes that trust each other only."""
from __future__ import annotations

import pickle
from typing import Any

import numpy as np

from ..ops.creation import from_array
from ..dtypes import uint8, int64
from ..tensor.tensor import Tensor
from ._collectives import _run
from ._engine import Engine
from ._group import Call, ProcessGroup
from ._points import recv, send
from ._tensors import from_words, words
from ._world import is_outside, peer_of, the_group


def _pickled(obj: Any) -> np.ndarray:
    return np.frombuffer(pickle.dumps(obj), np.uint8)


def _gather_bytes(engine: Engine, mine: np.ndarray) -> list[np.ndarray]:
    """Everybody's bytes, which may be of different lengths."""
    lengths = engine.all_gather(np.array([mine.size], np.int64))[:, 0]
    padded = np.zeros(int(lengths.max()), np.uint8)
    padded[:mine.size] = mine
    return [from_words(row, padded)[:length] for row, length in zip(engine.all_gather(words(padded)), lengths)]


def _gathered(members: ProcessGroup, call: Call, obj: Any) -> list[bytes]:
    mine = _pickled(obj)
    rows: list[bytes] = []
    _run(members, call, lambda engine: _gather_bytes(engine, mine), lambda: [mine],
         lambda result: rows.extend(row.tobytes() for row in result), False)
    return rows


def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
    """Fills `object_list`, of one entry for each process, with everybody's `obj`."""
    if is_outside(group, "all_gather_object"):
        return
    for i, row in enumerate(_gathered(the_group(group), Call("ALLGATHER_OBJECT"), obj)):
        object_list[i] = pickle.loads(row)


def gather_object(obj: Any, object_gather_list: list[Any] | None = None, dst: int | None = None, group: Any = None,
                  group_dst: int | None = None) -> None:
    """Fills `object_gather_list` of the process `dst` (default: 0) with everybody's `obj`; the others give None."""
    if is_outside(group, "gather_object"):
        return
    members = the_group(group)
    target = peer_of(members, dst, group_dst, "dst", default=0)
    if members.rank() == target and not object_gather_list:
        raise ValueError("Argument ``gather_list`` must be specified on destination rank.")
    if members.rank() != target and object_gather_list:
        raise ValueError("Argument ``gather_list`` must NOT be specified on non-destination ranks.")
    rows = _gathered(members, Call("GATHER_OBJECT", detail=f"dst={target}"), obj)
    if object_gather_list is not None and members.rank() == target:
        for i, row in enumerate(rows):
            object_gather_list[i] = pickle.loads(row)


def broadcast_object_list(object_list: list[Any], src: int | None = None, group: Any = None, device: Any = None,
                          group_src: int | None = None) -> None:
    """Overwrites everybody's list, of one length, with that of the process `src` (default: 0).

    device: where PyTorch keeps the bytes; nothing depends on it.
    """
    if is_outside(group, "broadcast_object_list"):
        return
    members = the_group(group)
    source = peer_of(members, src, group_src, "src", default=0)
    mine = list(object_list) if members.rank() == source else None
    rows = _gathered(members, Call("BROADCAST_OBJECT", detail=f"src={source}, length={len(object_list)}"), mine)
    if members.rank() != source:
        object_list[:] = pickle.loads(rows[source])


def scatter_object_list(scatter_object_output_list: list[Any], scatter_object_input_list: list[Any] | None = None,
                        src: int | None = None, group: Any = None, group_src: int | None = None) -> None:
    """Puts into the first place of each process's output list its one of the objects of `src` (default: 0)."""
    if is_outside(group, "scatter_object_list"):
        return
    if not isinstance(scatter_object_output_list, list) or len(scatter_object_output_list) < 1:
        raise ValueError("Expected argument scatter_object_output_list to be a list of size at least 1.")
    members = the_group(group)
    source = peer_of(members, src, group_src, "src", default=0)
    mine = None
    if members.rank() == source:
        if scatter_object_input_list is None:
            raise ValueError("source rank must provide non-None scatter_object_input_list")
        if len(scatter_object_input_list) != members.size():
            raise ValueError(f"scatter_object_input_list: expected as many objects as the group has processes "
                             f"({members.size()}), got {len(scatter_object_input_list)}")
        mine = [pickle.dumps(obj) for obj in scatter_object_input_list]  # others unpickle only what is theirs
    rows = _gathered(members, Call("SCATTER_OBJECT", detail=f"src={source}"), mine)
    scatter_object_output_list[0] = pickle.loads(pickle.loads(rows[source])[members.rank()])


def send_object_list(object_list: list[Any], dst: int | None = None, group: Any = None, device: Any = None,
                     group_dst: int | None = None, use_batch: bool = False) -> None:
    """Sends the objects to the process `dst`, which calls `recv_object_list` with a list of the same length."""
    if is_outside(group, "send_object_list"):
        return
    array = _pickled(list(object_list))
    send(_tensor(np.array([array.size, len(object_list)], np.int64)), dst, group, group_dst=group_dst)
    send(_tensor(array), dst, group, group_dst=group_dst)


def recv_object_list(object_list: list[Any], src: int | None = None, group: Any = None, device: Any = None,
                     group_src: int | None = None, use_batch: bool = False) -> int:
    """Overwrites the list with what `send_object_list` of `src` (None: anybody) sends; the sender's rank in the world."""
    if is_outside(group, "recv_object_list"):
        return -1
    sizes = _tensor(np.zeros(2, np.int64))
    sender = recv(sizes, src, group, group_src=group_src)
    length, count = (int(n) for n in sizes)
    if count != len(object_list):
        raise RuntimeError(f"recv_object_list: rank {sender} sends {count} objects, and {len(object_list)} were expected")
    data = _tensor(np.zeros(length, np.uint8))
    recv(data, sender, group)
    object_list[:] = pickle.loads(data.numpy().tobytes())  # type: ignore[attr-defined]
    return sender


def _tensor(array: np.ndarray) -> Tensor:
    return from_array(array, uint8 if array.dtype == np.uint8 else int64)
