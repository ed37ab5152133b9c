"""Tensors cut along their first dimension, a part for each process of a group, as `torch.chunk` cuts.

All parts but the last are of one length; the last may be shorter, or empty. On their way parts are padded to the length of the first.
"""
from __future__ import annotations

from typing import Any, Callable, Iterator, Sequence

import numpy as np

from ..dtypes import dtype
from ..ops.creation import from_array
from ..tensor.tensor import Tensor
from ._group import Call, ProcessGroup
from ._tensors import flat, from_numbers, numbers, words


def part_length(length: int, size: int) -> int:
    """How many of `length` rows the first of `size` processes gets."""
    return -(-length // size)


def part_of(t: Tensor, rank: int, size: int) -> Tensor:
    """Process `rank`'s part of t, with memory of its own."""
    rows = part_length(t.shape[0], size)
    begin = min(rank * rows, t.shape[0])
    return t.detach()[begin:begin + rows].clone()  # type: ignore[attr-defined]


def gather(parts: Sequence[Tensor], lengths: Sequence[int], group: ProcessGroup, what: str) -> list[Tensor]:
    """The whole tensors, so many rows long, of which `parts` are this process's. One message for each dtype. what: for errors."""
    return start_gather(parts, lengths, group, what)()


def start_gather(parts: Sequence[Tensor], lengths: Sequence[int], group: ProcessGroup, what: str) -> Callable[[], list[Tensor]]:
    """Sends the parts; what is returned waits for the others' and makes the whole tensors: see `gather`."""
    messages = []
    for kind, indices in _by_dtype(parts):
        widths = [part_length(lengths[i], group.size()) * _row_size(parts[i]) for i in indices]
        joined = np.concatenate([_padded(flat(parts[i]), width) for i, width in zip(indices, widths)])
        messages.append((indices, widths, joined, _start_gathering(group, Call("ALLGATHER", joined.shape, kind.name, what), words(joined))))

    def finish() -> list[Tensor]:
        whole: list[Any] = [None] * len(parts)
        for indices, widths, joined, received in messages:
            rows = np.ascontiguousarray(received()).view(np.uint8)[:, :joined.nbytes]
            for i, columns in zip(indices, _split(np.ascontiguousarray(rows).view(joined.dtype), widths)):
                shape = (lengths[i], *parts[i].shape[1:])
                whole[i] = _made(np.ascontiguousarray(columns).reshape(-1), shape, parts[i])
        return whole
    return finish


def _start_gathering(group: ProcessGroup, call: Call, sent: np.ndarray) -> Callable[[], np.ndarray]:
    return _start(group, call, lambda engine: engine.all_gather(sent), lambda: sent[None])


def start_reduce_scatter(tensors: Sequence[Tensor], group: ProcessGroup, what: str) -> Callable[[], list[Tensor]]:
    """Sends the tensors; what is returned waits for this process's parts of the means of everybody's. One message for each dtype.
    what: for errors."""
    size, rank = group.size(), group.rank()
    messages = []
    for kind, indices in _by_dtype(tensors):
        widths = [part_length(tensors[i].shape[0], size) * _row_size(tensors[i]) for i in indices]
        means: list[Any] = [tensors[i] / size for i in indices]  # type: ignore[operator]
        joined = np.concatenate([_padded(flat(t), size * width).reshape(size, -1) for t, width in zip(means, widths)], axis=1)
        rows = numbers(joined, means[0])
        messages.append((indices, widths, _start_adding(group, Call("REDUCE_SCATTER", rows.shape, kind.name, what), rows)))
    like = [t.new_empty(0) for t in tensors]  # type: ignore[attr-defined]  # not the tensors, whose memory may go
    shapes = [tuple(t.shape) for t in tensors]

    def finish() -> list[Tensor]:
        parts: list[Any] = [None] * len(like)
        for indices, widths, received in messages:
            for i, columns in zip(indices, _split(from_numbers(received(), like[indices[0]])[None], widths)):
                length, *rest = shapes[i]
                rows_here = part_length(length, size)
                parts[i] = _made(columns[0], (min(max(length - rank * rows_here, 0), rows_here), *rest), like[i])
        return parts
    return finish


def _start_adding(group: ProcessGroup, call: Call, rows: np.ndarray) -> Callable[[], np.ndarray]:
    return _start(group, call, lambda engine: engine.reduce_scatter(rows, "sum"), lambda: rows[0])


def _start_summing(group: ProcessGroup, call: Call, sent: np.ndarray) -> Callable[[], np.ndarray]:
    return _start(group, call, lambda engine: engine.all_reduce(sent, "sum"), lambda: sent)


def mean(tensors: Sequence[Tensor], group: ProcessGroup, what: str) -> list[Tensor]:
    """The means of everybody's tensors. One message for each dtype. what: for errors."""
    found: list[Any] = [None] * len(tensors)
    waiting = []
    for kind, indices in _by_dtype(tensors):
        shares: list[Any] = [tensors[i] / group.size() for i in indices]  # type: ignore[operator]
        sent = numbers(np.concatenate([flat(t) for t in shares]), shares[0])
        call = Call("ALLREDUCE", sent.shape, kind.name, what)
        waiting.append((indices, shares, _start_summing(group, call, sent)))
    for indices, shares, received in waiting:
        ends = np.cumsum([t.shape.numel() for t in shares])[:-1]
        for i, share, part in zip(indices, shares, np.split(from_numbers(received(), shares[0]), ends)):
            found[i] = _made(part, share.shape, share)
    return found


def _by_dtype(tensors: Sequence[Tensor]) -> Iterator[tuple[dtype, list[int]]]:
    """(dtype, numbers of the tensors that have it)."""
    for kind in dict.fromkeys(t.dtype for t in tensors):
        yield kind, [i for i, t in enumerate(tensors) if t.dtype is kind]


def _row_size(t: Tensor) -> int:
    return int(np.prod(t.shape[1:], dtype=np.int64))


def _padded(array: np.ndarray, length: int) -> np.ndarray:
    """A flat array with zeros added at its end."""
    if array.size == length:
        return array
    padded = np.zeros(length, array.dtype)
    padded[:array.size] = array
    return padded


def _split(rows: np.ndarray, widths: Sequence[int]) -> list[np.ndarray]:
    """Columns, so many for each tensor."""
    return np.split(rows, np.cumsum(widths)[:-1], axis=1)


def _made(array: np.ndarray, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """A tensor of the array's first elements, of like's dtype and on its device."""
    count = int(np.prod(shape, dtype=np.int64))
    return from_array(np.ascontiguousarray(array[:count]).reshape(shape), like.dtype, like)


def _start(group: ProcessGroup, call: Call, body: Callable[[Any], np.ndarray], alone: Callable[[], np.ndarray]) -> Callable[[], np.ndarray]:
    """Begins a collective; what is returned waits for what it gives this process."""
    results: list[np.ndarray] = []
    work = group.submit(call, body, alone, results.append)

    def finish() -> np.ndarray:
        work.wait()
        return results[0]
    return finish
