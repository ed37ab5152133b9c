"""The gradients of DistributedDataParallel: which are there, and their average over all processes.

A backward pass is one recorded call; nothing in it waits for other processes. When it is over, gradients are joined into
buckets (part of the same program), everybody's buckets are summed, and the gradients become parts of the sums.
"""
from __future__ import annotations

from typing import Any, Callable, Iterable, NamedTuple, Sequence

import numpy as np

from ...autograd.engine import _reachable, observers
from ...distributed._buckets import GradBucket
from ...distributed._group import Call, ProcessGroup, Work
from ...distributed._tensors import flat, from_numbers, made, numbers, write
from ...ops.creation import filled
from ...tensor.grad_mode import mode
from ...tensor.tensor import Tensor


class Bucket(NamedTuple):
    """Parameters (by number) of one dtype whose gradients travel together, and where each ends in the joined array."""

    indices: list[int]
    ends: list[int]


def make_buckets(parameters: Sequence[Tensor], limits: Sequence[int]) -> list[Bucket]:
    """Buckets of about limits[0], limits[1], … bytes, the others as the last, one by one for each dtype, in the order in which backward
    makes gradients: from the last parameter on."""
    buckets: list[Bucket] = []
    opened: dict[Any, tuple[Bucket, int]] = {}
    for index in reversed(range(len(parameters))):
        p = parameters[index]
        size = p.shape.numel()
        bucket, room = opened.get(p.dtype, (None, 0))
        if bucket is None or room <= 0:
            bucket, room = Bucket([], []), limits[min(len(buckets), len(limits) - 1)]
            buckets.append(bucket)
        bucket.indices.append(index)
        bucket.ends.append((bucket.ends[-1] if bucket.ends else 0) + size)
        opened[p.dtype] = bucket, room - size * p.dtype.itemsize
    return buckets


class Reducer:
    """Averages the gradients of `parameters` after each backward pass that follows `prepare`.

    limits: of the buckets, in bytes. find_unused: whether parameters may have no part in the loss. static: whether they are the same ones
    each time. divisor: by how much sums are divided; usually the number of processes. hook: what averages a GradBucket instead.
    """

    def __init__(self, parameters: Sequence[Tensor], group: ProcessGroup, limits: Sequence[int], find_unused: bool, static: bool) -> None:
        self.parameters, self.group = list(parameters), group
        self.buckets = make_buckets(self.parameters, limits)
        self.hook: Callable[[GradBucket], Any] | None = None
        self.find_unused, self.static = find_unused or static, static
        self.divisor = group.size()
        self._armed = False
        self._ready: set[int] = set()  # parameters whose gradients are there, or will not come
        self._unused: set[int] | None = None
        observers.add(self)

    def prepare(self, outputs: Any) -> None:
        """After a forward pass: the next backward passes from `outputs` are to be averaged."""
        self._armed, self._ready = True, set()
        if self.find_unused:
            if not self.static or self._unused is None:
                roots = [t._node for t in tensors_in(outputs) if t._node is not None]
                reached = set(_reachable(roots))
                self._unused = {i for i, p in enumerate(self.parameters) if p._node not in reached}
            self._ready |= self._unused

    def disarm(self) -> None:
        """The next backward passes stay this process's own."""
        self._armed, self._ready = False, set()

    def missing(self) -> list[int]:
        """The parameters that the last backward passes have left out, though they reached others."""
        begun = self._ready - (self._unused or set())
        return [i for i in range(len(self.parameters)) if i not in self._ready] if begun else []

    def after_pass(self, nodes: set) -> None:
        """Once a backward pass is over: `nodes` were reached."""
        if not self._armed:
            return
        reached = {i for i, p in enumerate(self.parameters) if p._node in nodes}
        if not reached:
            return
        self._ready |= reached
        if len(self._ready) == len(self.parameters):
            self._ready = set(self._unused or ())
            self.reduce()

    def reduce(self, absent: bool = False) -> None:
        """Averages all gradients. absent: this process has none, and only helps the others."""
        enabled, mode.enabled = mode.enabled, False
        try:
            joined = [self._join(bucket, absent) for bucket in self.buckets]
            arriving = [self._start(number, t) for number, t in enumerate(joined)]
            used = self._used_anywhere(absent)
            for bucket, finish in zip(self.buckets, arriving):
                self._hand_out(bucket, finish(), used, absent)
        finally:
            mode.enabled = enabled

    def _start(self, number: int, joined: Tensor) -> Callable[[], np.ndarray]:
        """Sends a bucket of gradients; what is returned waits for everybody's mean."""
        if self.hook is None:
            t: Tensor = joined / self.divisor  # type: ignore[operator, assignment]
            work = self._sum(numbers(flat(t), t), t)

            def finish() -> np.ndarray:
                work.wait()
                return from_numbers(work.sums, t)  # type: ignore[attr-defined]
            return finish
        parameters = [self.parameters[i] for i in self.buckets[number].indices]
        future = self.hook(GradBucket(number, joined, parameters, number == len(self.buckets) - 1))
        return lambda: flat(future.wait())

    def _join(self, bucket: Bucket, absent: bool) -> Tensor:
        """The gradients one after another; zeros for those that are missing."""
        from ...ops.shape import cat
        parts = []
        for i in bucket.indices:
            p = self.parameters[i]
            if p.grad is not None and p.grad.is_sparse:  # type: ignore[attr-defined]
                raise RuntimeError("DistributedDataParallel: sparse gradients cannot be averaged; use sparse=False")
            if p.grad is None or absent:
                parts.append(filled((p.shape.numel(),), 0, p.dtype))
            else:
                parts.append(p.grad.detach().reshape(-1))  # type: ignore[attr-defined]
        return cat(parts)

    def _sum(self, array: np.ndarray, t: Tensor) -> Work:
        """A Work whose `sums` are everybody's arrays, added up."""
        def keep(sums: np.ndarray) -> None:
            work.sums = sums  # type: ignore[attr-defined]
        call = Call("ALLREDUCE", array.shape, t.dtype.name, "gradients of DistributedDataParallel")
        work = self.group.submit(call, lambda engine: engine.all_reduce(array, "sum"), lambda: array, keep)
        return work

    def _used_anywhere(self, absent: bool) -> np.ndarray | None:
        """For each parameter, in how many processes it had a part in the loss; None where all have in all."""
        if not self.find_unused:
            return None
        unused = range(len(self.parameters)) if absent else self._unused or ()
        mine = np.ones(len(self.parameters), np.int32)
        mine[list(unused)] = 0
        counts: list[np.ndarray] = []
        call = Call("ALLREDUCE", mine.shape, "int32", "used parameters of DistributedDataParallel")
        self.group.submit(call, lambda engine: engine.all_reduce(mine, "sum"), lambda: mine, counts.append).wait()
        return counts[0]

    def _hand_out(self, bucket: Bucket, sums: np.ndarray, used: np.ndarray | None, absent: bool) -> None:
        """Makes the sums the gradients. What nobody used keeps the gradient it had."""
        begin = 0
        for i, end in zip(bucket.indices, bucket.ends):
            p = self.parameters[i]
            if not absent and (used is None or used[i]):
                if p.grad is None:
                    p.grad = made(p, sums[begin:end])
                else:
                    write(p.grad, sums[begin:end])
            begin = end


def tensors_in(value: Any) -> Iterable[Tensor]:
    """The tensors in what a module returns: a tensor, or tuples, lists, dicts and objects of them."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors_in(part)
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))
    elif hasattr(value, "__dataclass_fields__"):
        yield from tensors_in(list(vars(value).values()))
