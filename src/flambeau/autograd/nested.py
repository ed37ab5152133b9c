"""`NestedIOFunction`: custom operations on containers of tensors. Kept for old programs."""
from __future__ import annotations

from typing import Any

from ..utils._pytree import tree_flatten, tree_unflatten
from .function import Function


class NestedIOFunction(Function):
    """Base of custom operations whose arguments and results are nested tuples, lists and dicts of tensors.

    Subclasses define the static methods `forward_extended(ctx, *args)` and `backward_extended(ctx, *grad_outputs)`, which
    have the gradients in containers like the results, and return them in containers like the arguments.
    """

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Runs `forward_extended` without recording and puts the function's node in its place."""
        leaves, spec = tree_flatten(args)
        shape: list = []
        flat = super().apply(spec, shape, *leaves, **kwargs)
        return tree_unflatten(flat, shape[0])

    @staticmethod
    def forward(ctx: Any, spec: Any, shape: list, *leaves: Any, **kwargs: Any) -> tuple:
        """`forward_extended` on the arguments' leaves; its results' leaves."""
        outputs, out_spec = tree_flatten(ctx.function.forward_extended(ctx, *tree_unflatten(leaves, spec), **kwargs))
        shape.append(out_spec)
        ctx.out_spec = out_spec
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """`backward_extended` on the results' leaves; the leaves of its gradients."""
        found = ctx.function.backward_extended(ctx, *_as_arguments(tree_unflatten(gradients, ctx.out_spec)))
        return (None, None, *tree_flatten(found, lambda x: x is None)[0])

    @staticmethod
    def forward_extended(ctx: Any, *input: Any) -> Any:
        """Computes the results. Defined by subclasses."""
        raise NotImplementedError("You must implement forward_extended for a NestedIOFunction.")

    @staticmethod
    def backward_extended(ctx: Any, *grad_output: Any) -> Any:
        """The gradients of the arguments. Defined by subclasses."""
        raise NotImplementedError("You must implement backward_extended for a NestedIOFunction.")


def _as_arguments(tree: Any) -> tuple:
    return tree if isinstance(tree, tuple) else (tree,)
