"""The autograd graph for those who look at it: nodes, edges, hooks on what is saved and on several gradients at once."""
from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Any, Callable, Iterable, Iterator, NamedTuple, Sequence

from ..tensor import saved
from ..tensor.node import Node, edge, shown
from ..tensor.tensor import Tensor, make_tensor

__all__ = ["GradientEdge", "Node", "allow_mutation_on_saved_tensors", "disable_saved_tensors_hooks", "get_gradient_edge", "increment_version",
           "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks"]


class GradientEdge(NamedTuple):
    """A place in the graph: an output of a node. `autograd.grad` and `backward` take it in place of a tensor."""

    node: Node
    output_nr: int
    ownership_token: Any = None


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Where the gradient of a tensor goes. RuntimeError for one that requires none."""
    found = edge(tensor) if tensor.requires_grad else None  # type: ignore[attr-defined]
    if found is None:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    return GradientEdge(shown(found[0]), found[1])


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Says that tensors have been written to by other means, so that a backward that saved them is refused."""
    for t in (tensor,) if isinstance(tensor, Tensor) else tensor:
        t._storage.version += 1


# ------------------------------------------------------------------ saved tensors

class saved_tensors_hooks:
    """A context in which pack_hook(tensor) is kept in place of every tensor that is saved for backward; backward gets
    unpack_hook of what was kept, which must be a tensor of the same values. The innermost context counts."""

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        saved.push(self.pack_hook, self.unpack_hook)

    def __exit__(self, *args: object) -> None:
        saved.pop()


class save_on_cpu(saved_tensors_hooks):
    """A context in which what is saved for backward is kept in the computer's main memory, which all tensors are in here.

    pin_memory: whether in memory that a device of type device_type can read by itself.
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        def to_cpu(tensor: Tensor) -> tuple:
            return tensor.device, tensor.detach().cpu()  # type: ignore[attr-defined]

        def back(packed: tuple) -> Tensor:
            device, tensor = packed
            return tensor.to(device)
        super().__init__(to_cpu, back)


@contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Inside, hooks on saved tensors are refused with a RuntimeError of this message."""
    saved.refuse(error_message)
    try:
        yield
    finally:
        saved.pop()


class _AllowMutationOnSavedContext:
    """What `allow_mutation_on_saved_tensors` yields. clear() does nothing: what was saved is immutable."""

    def clear(self) -> None:
        """Forgets copies, of which there are none."""


@contextmanager
def allow_mutation_on_saved_tensors() -> Iterator[_AllowMutationOnSavedContext]:
    """Inside, tensors that are saved for backward may be written to: backward has what they held when they were saved."""
    with saved_tensors_hooks(lambda t: make_tensor(t._value()), lambda t: t):
        yield _AllowMutationOnSavedContext()


# ------------------------------------------------------------------ gradients of several tensors

def register_multi_grad_hook(tensors: Sequence[Tensor], fn: Callable, *, mode: str = "all") -> Any:
    """fn runs in every backward in which the tensors take part.

    mode 'all': fn(gradients) when those of all that the backward reaches are known, None for the others; 'any': fn(gradient)
    at the first. Returns a handle with `remove()`.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    lock = threading.Lock()
    state: dict[str, Any] = {"pass": None}

    def start() -> None:
        from .engine import current_pass
        here = current_pass()
        if state["pass"] is not here:
            expected = [here is not None and here.reaches(t) for t in tensors]
            state.update({"pass": here, "missing": sum(expected), "gradients": [None] * len(tensors), "called": False})

    def arrived(i: int) -> Callable:
        def hook(g: Tensor) -> None:
            with lock:
                start()
                state["gradients"][i] = g
                state["missing"] -= 1
                first, last = not state["called"], state["missing"] == 0
                state["called"] = True
            if mode == "any" and first:
                fn(g)
            elif mode == "all" and last:
                fn(state["gradients"])
        return hook
    return _together([t.register_hook(arrived(i)) for i, t in enumerate(tensors)])  # type: ignore[attr-defined]


def _together(handles: list) -> Any:
    """One handle for several."""
    from ..utils.hooks import RemovableHandle

    class Handle(RemovableHandle):
        def __init__(self) -> None:
            self.handles = handles

        def remove(self) -> None:
            for handle in self.handles:
                handle.remove()
    return Handle()
