"""Hooks that average gradients, in their own dtype or in one of 16 bits: half the bytes on the way.

A hook is called with a state (here: the process group, None for all) and a `GradBucket`, and returns a `Future` of the averaged gradients.
"""
from __future__ import annotations

from typing import Any, Callable

from ....dtypes import bfloat16, dtype, float16
from ....futures import Future
from ....tensor.tensor import Tensor
from ..._buckets import GradBucket
from ..._collectives import all_reduce
from ..._world import the_group

Hook = Callable[[Any, GradBucket], Future]

__all__ = ["allreduce_hook", "bf16_compress_hook", "bf16_compress_wrapper", "fp16_compress_hook", "fp16_compress_wrapper"]


def _mean(t: Tensor, process_group: Any) -> Future[Tensor]:
    """Everybody's t, divided before it is added up: sums of 16 bits overflow."""
    group = the_group(process_group)
    t.div_(group.size())  # type: ignore[attr-defined]
    work = all_reduce(t, group=group, async_op=True)
    assert work is not None
    return work.get_future().then(lambda done: done.value()[0])


def allreduce_hook(process_group: Any, bucket: GradBucket) -> Future[Tensor]:
    """The mean of everybody's gradients: what happens without a hook."""
    return _mean(bucket.buffer(), process_group)


def _compressed(kind: dtype, process_group: Any, bucket: GradBucket) -> Future[Tensor]:
    buffer = bucket.buffer()
    return _mean(buffer.to(kind, copy=True), process_group).then(lambda done: buffer.copy_(done.value()))  # type: ignore[attr-defined]


def fp16_compress_hook(process_group: Any, bucket: GradBucket) -> Future[Tensor]:
    """The mean, computed and sent in float16."""
    return _compressed(float16, process_group, bucket)


def bf16_compress_hook(process_group: Any, bucket: GradBucket) -> Future[Tensor]:
    """The mean, computed and sent in bfloat16. Differs: PyTorch has it for NCCL only."""
    return _compressed(bfloat16, process_group, bucket)


def _wrapper(kind: dtype, hook: Hook) -> Hook:
    def wrapped(state: Any, bucket: GradBucket) -> Future[Tensor]:
        own = bucket.buffer()
        bucket.set_buffer(own.to(kind))  # type: ignore[attr-defined]
        return hook(state, bucket).then(lambda done: own.copy_(done.value()))  # type: ignore[attr-defined]
    return wrapped


def fp16_compress_wrapper(hook: Hook) -> Hook:
    """`hook`, given gradients in float16."""
    return _wrapper(float16, hook)


def bf16_compress_wrapper(hook: Hook) -> Hook:
    """`hook`, given gradients in bfloat16. Differs: PyTorch has it for NCCL only."""
    return _wrapper(bfloat16, hook)
