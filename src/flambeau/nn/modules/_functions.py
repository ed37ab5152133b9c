"""Autograd functions that layers need."""
from __future__ import annotations

from flambeau.autograd import Function


class BackwardHookFunction(Function):
    """The identity on any number of tensors, as one node of the graph: a place for a module's backward hooks."""

    @staticmethod
    def forward(ctx, *tensors):
        ctx.mark_non_differentiable(*(tensor for tensor in tensors if not tensor.requires_grad))
        return tensors

    @staticmethod
    def backward(ctx, *grads):
        return grads
