"""What the error of a module says beside PyTorch's words: where in the model it was raised, and how its input came about."""
from __future__ import annotations

import re
from typing import Any

from ...tensor.node import OpNode, ViewNode
from ...tensor.tensor import Tensor

MAX_STEPS = 8


def path_of(module: Any, inner: Any) -> str | None:
    """`in module 'fc1': Linear(…)` for a part `inner` of `module`; None where the traceback shows it as well."""
    text = repr(inner)
    if "\n" in text:
        if inner is module:
            return None  # raised by the model's own forward
        text = type(inner).__name__
    path = next((name for name, child in module.named_modules() if child is inner), "")
    return f"in module {f'{path!r}: ' if path else ''}{text}"


def way_of(tensor: Any) -> str | None:
    """`its input: [2, 3, 8, 8] → conv2d [2, 6, 6, 6] → flatten [2, 216]`, as far as autograd has recorded it."""
    if not isinstance(tensor, Tensor):
        return None
    shape: Any = tuple(tensor.shape)
    node = tensor._node
    steps: list[str] = []
    while len(steps) < MAX_STEPS:
        if isinstance(node, OpNode):
            of, wrt = node.gradient.of, node.gradient.wrt
            steps.append(f"{of.name} {list(shape)}")
            shape = of.graph.inputs[0].shape
            node = node.edges[wrt.index(0)][0] if 0 in wrt else None
        elif isinstance(node, ViewNode) and node.edges[0] is not None:
            steps.append(_view_name(node.grad_name) + (f" {list(shape)}" if shape is not None else ""))
            shape, node = None, node.edges[0][0]  # a view does not tell the shape it was made of; the call before it does
            if isinstance(node, OpNode):
                shape = node.gradient.of.out_types[0].shape
        else:
            break
    if not steps:
        return None
    start = "…" if len(steps) == MAX_STEPS else str(list(shape)) if shape is not None else ""
    return "its input: " + " → ".join([start] * bool(start) + steps[::-1])


def _view_name(grad_name: str) -> str:
    """ReshapeAliasBackward0 → reshape_alias."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", re.sub(r"Backward\d+$", "", grad_name)).lower()
