"""Hooks on what the autograd graph saves: `autograd.graph.saved_tensors_hooks`, and the refusal of them."""
from __future__ import annotations

import threading
from typing import Any, Callable

from .tensor import Tensor, make_tensor

# What is in force, the innermost last: (thread, pack, unpack), or (thread, None, message) where hooks are refused.
# Empty most of the time: the recorder's path looks at no more than that.
hooks: list[tuple] = []


class Packed:
    """What a pack hook made of a saved tensor, and how to get it back."""

    __slots__ = ("content", "unpack_hook")

    def __init__(self, content: Any, unpack_hook: Callable):
        self.content, self.unpack_hook = content, unpack_hook

    def unpack(self) -> Tensor:
        """The saved tensor."""
        t = self.unpack_hook(self.content)
        if not isinstance(t, Tensor):
            raise TypeError(f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type {type(t).__name__}")
        return t


def current() -> tuple[Callable, Callable] | None:
    """(pack, unpack) in force for this thread."""
    me = threading.get_ident()
    mine = [h for h in hooks if h[0] == me]
    return (mine[-1][1], mine[-1][2]) if mine and mine[-1][1] is not None else None


def push(pack: Callable, unpack: Callable) -> None:
    """Puts hooks in force. RuntimeError where they are refused."""
    me = threading.get_ident()
    refusal = next((h[2] for h in reversed(hooks) if h[0] == me and h[1] is None), None)
    if refusal is not None:
        raise RuntimeError(refusal)
    hooks.append((me, pack, unpack))


def refuse(message: str) -> None:
    """Refuses hooks with this message."""
    hooks.append((threading.get_ident(), None, message))


def pop() -> None:
    """Ends what this thread put in force last."""
    me = threading.get_ident()
    del hooks[next(i for i in range(len(hooks) - 1, -1, -1) if hooks[i][0] == me)]


def pack(t: Tensor, hook: tuple[Callable, Callable]) -> Packed:
    """Hands a tensor that is saved to the pack hook."""
    version = t._storage.version
    content = hook[0](t)
    if t._storage.version != version:
        raise RuntimeError("A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook cannot be "
                           "modified by in-place operations as this can lead to unexpected side-effects. Please open an issue if you "
                           "need to perform in-place operations on the input to a pack hook.")
    return Packed(content, hook[1])


class _Unwatched(list):
    """No storages: whoever packs a tensor answers for it, and to watch its memory would be to keep it."""

    def append(self, item: Any) -> None:
        """Leaves it out."""


_UNWATCHED = _Unwatched()


def pack_saved(node: Any, tensors: list) -> None:
    """Packs what a new node of a call on `tensors` has saved, if hooks are in force."""
    hook = current()
    if hook is None:
        return
    from .node import HookedOpNode
    node.__class__ = HookedOpNode  # nobody has looked at it yet
    node.watched = _UNWATCHED
    node.saved = [v if v.__class__ in (bool, int, float, complex) else pack(_seen(v, node, place, tensors), hook)
                  for v, place in zip(node.saved, node.gradient.saved)]


def _seen(value: Any, node: Any, place: tuple[str, int], tensors: list) -> Tensor:
    """The tensor that a hook sees for a saved value: the operand itself, the result with its history, or a value between."""
    kind, i = place
    if kind == "in":
        return tensors[i]
    t = make_tensor(value)
    if kind == "out":
        t._node, t._nr = node, i
    return t
