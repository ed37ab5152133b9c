"""The order in memory of what an op returns: where operands are not row-major, PyTorch's results follow them.

A result is computed in row-major order all the same. Its storage holds a permuted copy, which exists where somebody looks at the
memory only: what reads the tensor before the program runs finds the row-major value (`View.slot`).
"""
from __future__ import annotations

import functools
from typing import Any, Callable, Sequence

from ..ir.graph import Graph, trace as trace_graph
from ..ir.types import TensorType, contiguous_strides
from ..primitives.shape import permute
from ..runtime.specialization import Specialization
from ..runtime.trace import Value, record
from .tensor import Tensor, View

Geometry = tuple[tuple[int, ...], tuple[int, ...]]  # shape and strides
Rule = Callable[[tuple[int, ...], Sequence[Geometry]], "tuple[int, ...] | None"]


# ------------------------------------------------------------------ rules: (shape of the result, operands) → its strides

def elementwise_strides(shape: tuple[int, ...], operands: Sequence[Geometry]) -> tuple[int, ...] | None:
    """Those of the operands if they agree and are dense; else dimensions lie in the order of the first operand that tells them
    apart."""
    if all(s == shape for s, _ in operands):
        for format in (contiguous_strides(shape), channels_last_strides(shape)):
            if format is not None and all(_same_places(shape, strides, format) for _, strides in operands):
                return format
        first = operands[0][1]
        if all(strides == first for _, strides in operands) and is_dense(shape, first):
            return first
    spread = [_broadcast_strides(s, strides, shape) for s, strides in operands]
    order = list(reversed(range(len(shape))))  # the fastest dimension first
    for i in range(1, len(order)):
        at = i
        for j in range(i - 1, -1, -1):
            slower = _compare(order[j], order[at], shape, spread)
            if slower > 0:
                order[j], order[at] = order[at], order[j]
                at = j
            elif slower < 0:
                break
    return strides_in_order(shape, order)


def followed_format(shape: tuple[int, ...], operands: Sequence[Geometry]) -> tuple[int, ...] | None:
    """Channels last if the first operand is."""
    return channels_last_strides(shape) if is_channels_last(*operands[0]) else None


def convolved_format(shape: tuple[int, ...], operands: Sequence[Geometry]) -> tuple[int, ...] | None:
    """Channels last if the input or the weight is."""
    return channels_last_strides(shape) if any(is_channels_last(*o) for o in operands[:2]) else None


def common_format(shape: tuple[int, ...], operands: Sequence[Geometry]) -> tuple[int, ...] | None:
    """Channels last if all operands are."""
    return channels_last_strides(shape) if all(is_channels_last(*o) for o in operands) else None


def kept_strides(shape: tuple[int, ...], operands: Sequence[Geometry]) -> tuple[int, ...] | None:
    """Those of the first operand, if it is dense."""
    return operands[0][1] if is_dense(*operands[0]) else None


_RULES: dict[str, Rule | None] = {
    **dict.fromkeys(("conv2d", "conv3d", "conv_transpose2d", "conv_transpose3d"), convolved_format),
    **dict.fromkeys(("cat", "concat", "concatenate"), common_format),
    **dict.fromkeys(("_flip", "roll"), kept_strides), **dict.fromkeys(("sort", "argsort", "msort"), elementwise_strides),
    **dict.fromkeys((f"{kind}_pool{n}d{tail}" for kind in ("max", "avg", "adaptive_max", "adaptive_avg") for n in (2, 3)
                     for tail in ("", "_with_indices")), followed_format),
    **dict.fromkeys(("batch_norm", "group_norm", "local_response_norm", "constant_pad_nd", "pad", "pixel_shuffle",
                     "pixel_unshuffle", "channel_shuffle", "prelu"), followed_format),
    **dict.fromkeys(("masked_fill", "logsigmoid"), None),
}


def rule_of(name: str, graph: Graph) -> Rule | None:
    """How the results of an op that computes `graph` are laid out; None: always row-major."""
    if name.startswith("Upsample"):
        return followed_format
    if name in _RULES:
        return _RULES[name]
    return elementwise_strides if _is_elementwise(graph) else None


def _is_elementwise(graph: Graph) -> bool:
    shape = graph.outputs[0].type.shape if graph.outputs else ()
    return len(shape) > 1 and bool(graph.nodes) and all(
        n.prim.kind in ("elementwise", "composite", "constant") or n.prim.name == "broadcast_to" for n in graph.nodes)


# ------------------------------------------------------------------ strides

def channels_last_strides(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The strides of (N, C, *S) with channels next to each other; None for other than four or five dimensions."""
    if len(shape) not in (4, 5):
        return None
    return strides_in_order(shape, [1, *range(len(shape) - 1, 1, -1), 0])


def is_channels_last(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether strides ascend from the channels over the last dimension to the first, and not as row-major ones do, too."""
    if len(shape) not in (4, 5) or strides[1] == 0 or 0 in shape:
        return False
    reach = 0
    for d in (1, *range(len(shape) - 1, 1, -1), 0):
        if strides[d] < reach or d == 0 and reach == strides[1]:
            return False
        reach = strides[d] * max(shape[d], 1)
    return True


def is_dense(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether each element has a place of its own, without gaps between them."""
    step = 1
    for stride, size in sorted((st, sz) for sz, st in zip(shape, strides) if sz != 1):
        if stride != step:
            return False
        step *= size
    return True


def _same_places(shape: tuple[int, ...], strides: tuple[int, ...], others: tuple[int, ...]) -> bool:
    return all(a == b for n, a, b in zip(shape, strides, others) if n != 1)


def _broadcast_strides(shape: tuple[int, ...], strides: tuple[int, ...], to: tuple[int, ...]) -> tuple[int, ...]:
    lead = len(to) - len(shape)
    return (0,) * lead + tuple(0 if n == 1 != m else s for n, s, m in zip(shape, strides, to[lead:]))


def _compare(a: int, b: int, shape: tuple[int, ...], operands: Sequence[tuple[int, ...]]) -> int:
    """1 if dimension a is slower than b, -1 if it is faster; 0 if no operand tells."""
    for strides in operands:
        if strides[a] and strides[b]:
            if strides[a] != strides[b]:
                return 1 if strides[a] > strides[b] else -1
            if shape[a] > shape[b]:
                return 1
    return 0


def strides_in_order(shape: tuple[int, ...], order: Sequence[int]) -> tuple[int, ...]:
    """Dense strides, the first of `order` being the fastest dimension."""
    strides, step = [0] * len(shape), 1
    for d in order:
        strides[d] = step
        step *= max(shape[d], 1)
    return tuple(strides)


# ------------------------------------------------------------------ laying out

@functools.lru_cache(maxsize=4096)
def _strides_by(rule: Rule, shape: tuple[int, ...], geometries: tuple[Geometry, ...]) -> tuple[int, ...] | None:
    return rule(shape, geometries)


def follow(rule: Rule, operands: Sequence[Any], outs: Sequence[Tensor]) -> None:
    """Lays results out as the operands' strides ask for. operands: tensors, or None for what is not one."""
    geometries = tuple([t._geometry()[:2] for t in operands if isinstance(t, Tensor)])
    rank = outs[0].ndim
    for out in outs:
        shape = out._geometry()[0]
        strides = _strides_by(rule, shape, geometries) if len(shape) == rank else None
        if strides is not None:
            lay_out(out, strides)


def lay_out(out: Tensor, strides: tuple[int, ...]) -> Tensor:
    """out, to which nobody else refers, with memory in the order of dense strides."""
    if out._geometry()[1] == strides:
        return out
    value = out._value()
    if value.__class__ is not Value:  # one example of a batch, or a value with a tangent, has no memory to look at
        return out
    shape = value.type.shape
    out._storage.value, out._view = value, None
    if strides == contiguous_strides(shape):
        return out
    slowest_first = tuple(sorted(range(len(shape)), key=lambda d: (-strides[d], d)))
    if slowest_first != tuple(range(len(shape))):
        out._storage.value = record(_permutation(value.type, slowest_first), [value])[0]
    view = out._view = View(shape, strides, 0, value.type.dtype, None, False, out._storage.version)
    if value.buffer is None:
        view.epoch, view.slot = value.epoch, value.slot
    return out


_permutations: dict[tuple, Specialization] = {}


def _permutation(type: TensorType, dims: tuple[int, ...]) -> Specialization:
    spec = _permutations.get((type, dims))
    if spec is None:
        graph, _ = trace_graph(lambda x: permute(x, dims), [type])
        spec = _permutations[type, dims] = Specialization("permute", None, graph, True)
    return spec


def is_permuted(view: View) -> bool:
    """Whether a view is not row-major."""
    return view.strides != contiguous_strides(view.shape)


def laid_out(order_of: Callable[..., "Sequence[int] | None"]) -> Callable[[Callable], Callable]:
    """Lays a function's result (the first of several) out in the order of dimensions, the fastest first, that `order_of` says for the
    result and the function's arguments; None: as it is."""
    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def call(*args, **kwargs):
            result = function(*args, **kwargs)
            out = result[0] if isinstance(result, tuple) else result
            if kwargs.get("out") is None and isinstance(out, Tensor) and out.ndim > 1:
                order = order_of(out, *args, **kwargs)
                if order is not None:
                    lay_out(out, strides_in_order(out._geometry()[0], order))
            return result
        return call
    return decorate


def order_of_memory(t: Tensor) -> list[int]:
    """The dimensions of a tensor, the fastest first; row-major where it is not dense."""
    shape, strides, _ = t._geometry()
    rows = list(reversed(range(len(shape))))
    return sorted(rows, key=lambda d: strides[d]) if is_dense(shape, strides) else rows


def _shapes(given: Any) -> list[Any] | None:
    """Those of the tensors that are given to hold a function's results; None where there are none."""
    return None if given is None else [x.shape for x in (given if isinstance(given, (tuple, list)) else (given,))]


def _is_new(out: Tensor, before: Any, into: str, args: tuple) -> bool:
    """Whether a given `out`, which had the shape `before`, is one of those that `column_major` lays out."""
    if into == "empty":
        return before.numel() == 0 and bool(args) and out.dtype is args[0].dtype
    return into == "resized" and before != out.shape


def column_major(*numbers: int, when: Callable[..., bool] | None = None, into: str = "resized") -> Callable[[Callable], Callable]:
    """Lays these of a function's results (0 is the only one) out column by column, as LAPACK leaves matrices. when: says of the
    arguments whether it is so; None: always. into: which given `out` is laid out so, too: "resized", one that had another shape;
    "empty", one that had no elements and the first argument's dtype; "none"."""
    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def call(*args, **kwargs):
            before = _shapes(kwargs.get("out"))
            result = function(*args, **kwargs)
            kwargs.pop("out", None)
            if when is None or when(*args, **kwargs):
                outs = result if isinstance(result, tuple) else (result,)
                for n in numbers:
                    out = outs[n]
                    rank = out.ndim if isinstance(out, Tensor) else 0
                    if rank > 1 and out.numel() > 1 and (before is None or _is_new(out, before[n], into, args)):
                        lay_out(out, strides_in_order(out._geometry()[0], [rank - 2, rank - 1, *range(rank - 3, -1, -1)]))
            return result
        return call
    return decorate
