"""Custom functions inside `vmap` and forward mode: by the rules that their classes define."""
from __future__ import annotations

from typing import Any, Callable, NamedTuple

from ..runtime.levels import running
from ..runtime.transform import BatchLevel, Transformed
from ..tensor.tensor import Tensor
from ..tensor.transforms import aside, batch, is_batched, pair, primal_part, tangent_part, unbatch
from ..utils._pytree import broadcast_prefix, tree_flatten, tree_unflatten
from .grad_mode import is_grad_enabled, no_grad, set_grad_enabled


class VmapInfo(NamedTuple):
    """What a function's `vmap` rule is told of the batch."""

    batch_size: int
    randomness: str


def _innermost(args: tuple) -> Any:
    """The level of the innermost transformation that an argument is in; None if they are plain."""
    values = [a._storage.value for a in args if isinstance(a, Tensor)]
    levels = [v.level for v in values if isinstance(v, Transformed) and v.level.alive]
    return max(levels, key=lambda level: level.number, default=None)


def check_transformable(cls: Any) -> None:
    """RuntimeError for a class that cannot say apart what it computes and what it keeps, inside a functional transformation."""
    from .function import Function
    if cls.setup_context is Function.setup_context and any(level.functional for level in running()):
        raise RuntimeError("In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, jacrev, ...), it must override the "
                           "setup_context staticmethod. For more details, please see "
                           "https://pytorch.org/docs/main/notes/extending.func.html")


def apply_transformed(cls: Any, args: tuple, kwargs: dict, plain: Callable) -> Any:
    """Calls a function on arguments of which some may be transformed. plain(*args, **kwargs) traces through its forward."""
    from .function import Function
    level = _innermost(args)
    if level is None:
        return plain(*args, **kwargs)
    if not isinstance(level, BatchLevel):
        return _forward_mode(cls, args, kwargs, level)
    if cls.vmap is not Function.vmap:
        return _by_rule(cls, args, level)
    if not cls.generate_vmap_rule:
        raise RuntimeError(f"You tried to vmap over {cls.__name__}, but it does not have vmap support. Please override and implement the vmap "
                           "staticmethod or set generate_vmap_rule=True. For more details, please see "
                           "https://pytorch.org/docs/main/notes/extending.func.html")
    return plain(*args, **kwargs)


def _by_rule(cls: Any, args: tuple, level: BatchLevel) -> Any:
    """The class's own `vmap`, outside of this level, on whole batches."""
    flat, spec = tree_flatten(args)
    dims = [0 if isinstance(a, Tensor) and is_batched(a, level) else None for a in flat]
    whole = [a if d is None else unbatch(a, level) for a, d in zip(flat, dims)]
    with aside(level):
        found = cls.vmap(VmapInfo(level.size, level.randomness), tree_unflatten(dims, spec), *tree_unflatten(whole, spec))
    if not (isinstance(found, tuple) and len(found) == 2):
        raise RuntimeError("Expected the vmap staticmethod to have two returns, an output and out_dims with pytree structure compatible with the "
                           f"output. Got a {type(found).__name__}.")
    outputs, out_spec = tree_flatten(found[0])
    out_dims = broadcast_prefix(found[1], out_spec)
    if out_dims is None:
        raise RuntimeError(f"{cls.__name__}.vmap: the out_dims {found[1]} do not fit the outputs")
    return tree_unflatten([o if d is None else batch(o.movedim(d, 0), level) for o, d in zip(outputs, out_dims)], out_spec)


def _forward_mode(cls: Any, args: tuple, kwargs: dict, level: Any) -> Any:
    """forward on the primal values, and the class's own `jvp` on the tangents; the function's node sees the dual numbers."""
    from .function import Function, attached, call
    if cls.jvp is Function.jvp:
        raise NotImplementedError("You must implement the jvp function for custom autograd.Function to use it with forward mode AD.")
    primals = tuple(primal_part(a, level) if isinstance(a, Tensor) else a for a in args)
    tangents = [tangent_part(a, level) if isinstance(a, Tensor) else None for a in args]
    separate = cls.setup_context is not Function.setup_context
    with set_grad_enabled(is_grad_enabled() and not separate):
        result, context = call(cls, primals, kwargs)
    with no_grad():
        moved = _tangents(cls, context, primals, tangents)
        outputs = result if isinstance(result, tuple) else (result,)
        if len(moved) != len(outputs):
            raise RuntimeError(f"A jvp of a custom function must return as many tangents as forward has outputs: {len(outputs)}, not "
                               f"{len(moved)}")
    made = tuple(o if t is None or not isinstance(o, Tensor) else pair(o, t, level) for o, t in zip(outputs, moved))
    whole = made if isinstance(result, tuple) else made[0]
    return attached(cls, args, whole)[0] if separate else whole


def _tangents(cls: Any, context: Any, primals: tuple, tangents: list) -> tuple:
    if context._materialize:
        tangents = [a.new_zeros(a.shape) if t is None and isinstance(a, Tensor) and a.dtype.kind in "fc" else t
                    for a, t in zip(primals, tangents)]
    if hasattr(context, "saved_for_forward"):
        context.saved_values, context._saved_versions = context.saved_for_forward, []
    moved = cls.jvp(context, *tangents)
    return moved if isinstance(moved, tuple) else (moved,)
