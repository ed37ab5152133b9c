"""Collectives as functions of their inputs, with gradients. The gradient is that of the sum of all processes' losses, so
all of them have to run backward, through the same collectives."""
from __future__ import annotations

from typing import Any, Sequence

import flambeau

from ...autograd.function import Function
from ...tensor.tensor import Tensor
from .. import distributed_c10d as dist
from .._reduce_op import ReduceOp
from .._world import get_world_size


def all_reduce(tensor: Tensor, op: ReduceOp = ReduceOp.SUM, group: Any = None) -> Tensor:
    """The reduction of everybody's `tensor`, for everybody. Its gradient is reduced in the same way (SUM, AVG)."""
    return _AllReduce.apply(op, group, tensor)


def broadcast(tensor: Tensor, src: int, group: Any = None) -> Tensor:
    """The `tensor` of the process `src`, for everybody."""
    return _Broadcast.apply(src, group, tensor)


def reduce(tensor: Tensor, dst: int, op: ReduceOp = ReduceOp.SUM, group: Any = None) -> Tensor:
    """The sum of everybody's `tensor` for the process `dst`; others keep theirs."""
    return _Reduce.apply(dst, op, group, tensor)


def all_gather(tensor: Tensor, group: Any = None) -> tuple[Tensor, ...]:
    """Everybody's `tensor`, for everybody."""
    return _AllGather.apply(group, tensor)


def gather(tensor: Tensor, dst: int = 0, group: Any = None) -> tuple[Tensor, ...]:
    """Everybody's `tensor` for the process `dst`; others get zeros."""
    return _Gather.apply(dst, group, tensor)


def scatter(tensors: Sequence[Tensor], src: int = 0, group: Any = None) -> Tensor:
    """This process's one of the `tensors` of the process `src`."""
    return _Scatter.apply(src, group, *tensors)


def reduce_scatter(output: Tensor, input_list: Sequence[Tensor], op: ReduceOp = ReduceOp.SUM, group: Any = None) -> Tensor:
    """The sum of everybody's tensors number i for process i. output: says the shape."""
    return _ReduceScatter.apply(op, group, output.shape, *input_list)


def all_to_all(output_tensor_list: Sequence[Tensor], input_tensor_list: Sequence[Tensor], group: Any = None) -> tuple[Tensor, ...]:
    """What each process has in `input_tensor_list` for this one. output_tensor_list: says the shapes."""
    return _AllToAll.apply(group, [t.shape for t in output_tensor_list], *input_tensor_list)


def all_to_all_single(output: Tensor, input: Tensor, output_split_sizes: Sequence[int] | None = None,
                      input_split_sizes: Sequence[int] | None = None, group: Any = None) -> Tensor:
    """`all_to_all` of the parts of one tensor along its first dimension."""
    return _AllToAllSingle.apply(group, output.shape, output_split_sizes, input_split_sizes, input)


class _AllReduce(Function):
    @staticmethod
    def forward(ctx, op, group, tensor):
        ctx.op, ctx.group = op, group
        result = tensor.clone()
        dist.all_reduce(result, op, group)
        return result

    @staticmethod
    def backward(ctx, grad):
        return None, None, _AllReduce.apply(ctx.op, ctx.group, grad)


class _Broadcast(Function):
    @staticmethod
    def forward(ctx, src, group, tensor):
        ctx.src, ctx.group = src, group
        result = tensor.clone()
        dist.broadcast(result, src, group)
        return result

    @staticmethod
    def backward(ctx, grad):
        total = _Reduce.apply(ctx.src, ReduceOp.SUM, ctx.group, grad)
        return None, None, total if dist.get_rank() == ctx.src else flambeau.zeros_like(grad)


class _Reduce(Function):
    @staticmethod
    def forward(ctx, dst, op, group, tensor):
        ctx.dst, ctx.group = dst, group
        result = tensor.clone()
        dist.reduce(result, dst, op, group)
        return result

    @staticmethod
    def backward(ctx, grad):
        return None, None, None, _Broadcast.apply(ctx.dst, ctx.group, grad)


class _AllGather(Function):
    @staticmethod
    def forward(ctx, group, tensor):
        ctx.group = group
        results = [flambeau.empty_like(tensor) for _ in range(get_world_size(group))]
        dist.all_gather(results, tensor, group)
        return tuple(results)

    @staticmethod
    def backward(ctx, *grads):
        return None, _ReduceScatter.apply(ReduceOp.SUM, ctx.group, grads[0].shape, *grads)


class _ReduceScatter(Function):
    @staticmethod
    def forward(ctx, op, group, shape, *tensors):
        ctx.group = group
        result = flambeau.empty(shape, dtype=tensors[0].dtype, device=tensors[0].device)
        dist.reduce_scatter(result, list(tensors), op, group)
        return result

    @staticmethod
    def backward(ctx, grad):
        return None, None, None, *_AllGather.apply(ctx.group, grad)


class _Gather(Function):
    @staticmethod
    def forward(ctx, dst, group, tensor):
        ctx.dst, ctx.group = dst, group
        results = [flambeau.zeros_like(tensor) for _ in range(get_world_size(group))]
        dist.gather(tensor, results if dist.get_rank() == dst else None, dst, group)
        return tuple(results)

    @staticmethod
    def backward(ctx, *grads):
        return None, None, _Scatter.apply(ctx.dst, ctx.group, *grads)


class _Scatter(Function):
    @staticmethod
    def forward(ctx, src, group, *tensors):
        ctx.src, ctx.group = src, group
        result = flambeau.zeros_like(tensors[0])
        dist.scatter(result, list(tensors) if dist.get_rank() == src else None, src, group)
        return result

    @staticmethod
    def backward(ctx, grad):
        return None, None, *_Gather.apply(ctx.src, ctx.group, grad)


class _AllToAll(Function):
    @staticmethod
    def forward(ctx, group, shapes, *tensors):
        ctx.group, ctx.shapes = group, [t.shape for t in tensors]
        results = [flambeau.empty(shape, dtype=tensors[0].dtype, device=tensors[0].device) for shape in shapes]
        dist.all_to_all(results, list(tensors), group)
        return tuple(results)

    @staticmethod
    def backward(ctx, *grads):
        return None, None, *_AllToAll.apply(ctx.group, ctx.shapes, *grads)


class _AllToAllSingle(Function):
    @staticmethod
    def forward(ctx, group, shape, output_splits, input_splits, tensor):
        ctx.group, ctx.shape, ctx.splits = group, tensor.shape, (input_splits, output_splits)
        result = flambeau.empty(shape, dtype=tensor.dtype, device=tensor.device)
        dist.all_to_all_single(result, tensor, output_splits, input_splits, group)
        return result

    @staticmethod
    def backward(ctx, grad):
        return None, None, None, None, _AllToAllSingle.apply(ctx.group, ctx.shape, *ctx.splits, grad)
