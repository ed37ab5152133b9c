"""What programs read off an op's node about what it saved for backward: `y.grad_fn._saved_self`, `._saved_result`, `._saved_dim`…

Tensors are there where backward reads them (which may be others than in PyTorch), the op's other arguments where they are given. `_raw_saved_…` is a tensor not yet unpacked, on
which hooks can be registered.
"""
from __future__ import annotations

from functools import lru_cache
from typing import Any, Callable

from .node import FREED, AccumulateGrad, HookedOpNode, OpNode, shown_class
from .saved import Packed, pack
from .tensor import Tensor, make_tensor

_WITH_INPUT = ("ConvolutionBackward0", "NativeBatchNormBackward0", "NativeGroupNormBackward0", "NativeLayerNormBackward0")
_RENAMED = {"MmBackward0": {"other": "mat2"}, "AddmmBackward0": {"self": "mat1", "weight": "mat2"}}  # of `matmul` and `linear`
_NUMBERS = (bool, int, float, complex)


@lru_cache(maxsize=None)
def _entries(gradient: Any) -> dict[str, tuple[str, Any]]:
    """By PyTorch's name: ("place", number of what is saved) or ("argument", its value)."""
    spec = gradient.of
    inputs = {id(v): i for i, v in enumerate(spec.graph.inputs)} if spec.arguments else {}
    at = {place: k for k, place in enumerate(gradient.saved)}
    found: dict[str, tuple[str, Any]] = {}
    for name, value in (spec.arguments or {}).items():
        name = _name_of(spec, name)
        if id(value) in inputs:
            place = at.get(("in", inputs[id(value)]))
            if place is not None:
                found[name] = ("place", place)
        elif value is not None and not isinstance(value, list):
            found[name] = ("argument", value)
    for i in range(gradient.n_visible):
        if ("out", i) in at:
            found["result" if gradient.n_visible == 1 else f"result{i}"] = ("place", at["out", i])
    return found


def _name_of(spec: Any, name: str) -> str:
    name = "self" if name == "input" and spec.grad_name not in _WITH_INPUT else name
    if spec.name == "linear" and spec.grad_name == "MmBackward0":
        return "mat2" if name == "weight" else name
    return _RENAMED.get(spec.grad_name, {}).get(name, name) if spec.name in ("linear", "matmul") else name


def _saved_tensor(node: Any, k: int) -> Any:
    """What is saved as number k: a number, or a tensor with its history; a leaf itself."""
    if node.saved is None:
        raise RuntimeError(FREED)
    node.check_unchanged()
    value = node.saved[k]
    if value.__class__ in _NUMBERS:
        return value
    place = node.gradient.saved[k]
    t = value.unpack() if value.__class__ is Packed else _with_history(value, node._history(place))
    of = node.gradient.of
    transposed = of.name == "linear" and place[0] == "in" and of.graph.inputs[place[1]] is of.arguments["weight"]
    return t.mT if transposed else t


def _with_history(value: Any, history: tuple | None) -> Tensor:
    """The leaf that has this value, or else a tensor with the history."""
    leaf = history[0].variable if history is not None and history[0].__class__ is AccumulateGrad else None
    if leaf is not None and leaf._view is None and leaf._storage.value is value:
        return leaf
    return make_tensor(value, *(history or (None, 0)))


class SavedTensor:
    """A tensor as a node keeps it."""

    def __init__(self, node: Any, k: int) -> None:
        self._node, self._k = node, k

    def register_hooks(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        """Keeps pack_hook(tensor), at once; backward gets unpack_hook of that. RuntimeError where there are hooks already, or
        nothing any more."""
        node, k = self._node, self._k
        if node.saved is None:
            raise RuntimeError("Calling register_hooks on a saved tensor after it has been freed. " + FREED.partition(". ")[2])
        if node.saved[k].__class__ is Packed:
            raise RuntimeError("Calling register_hooks on a saved tensor whose hooks have already been set. Hint: only one pair of hooks is "
                               "allowed at a time.")
        node.saved[k] = pack(_saved_tensor(node, k), (pack_hook, unpack_hook))
        if node.family is OpNode:
            node.__class__ = shown_class(HookedOpNode, node.kind())


def _attribute(node: Any, name: str) -> Any:
    for prefix, read in (("_saved_", _saved_tensor), ("_raw_saved_", SavedTensor)):
        found = _entries(node.gradient).get(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if found is not None and found[0] == "place":
            return read(node, found[1])
        if found is not None and prefix == "_saved_":
            return found[1]
    raise AttributeError(f"'{node.kind()}' object has no attribute '{name}'")


def _names(node: Any) -> list[str]:
    entries = _entries(node.gradient)
    return [*object.__dir__(node), *["_saved_" + name for name in entries],
            *["_raw_saved_" + name for name, (kind, _) in entries.items() if kind == "place"]]


ATTRIBUTES = {"__getattr__": _attribute, "__dir__": _names}  # of the classes of nodes that somebody has looked at
