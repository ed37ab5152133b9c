"""Nodes of the autograd graph. Every non-leaf tensor that requires a gradient points to the node that made it;
a leaf points to its `AccumulateGrad`. Nodes point to the nodes of their inputs; nothing points forward."""
from __future__ import annotations

import itertools
import weakref
from typing import Any, Callable

from ..runtime.specialization import Gradient
from .grad_mode import mode
from .tensor import Tensor, make_tensor

_next_sequence = itertools.count().__next__

FREED = ("Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
         "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
         "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors "
         "after calling backward.")


class Node:
    """edges: (node, output number) or None for each input that may get a gradient. sequence: creation order."""

    __slots__ = ("edges", "sequence", "pre_hooks", "post_hooks", "tensor_hooks", "_metadata", "__weakref__", "where")

    n_outputs = 1

    def __init__(self, edges: tuple):
        self.edges = edges
        self.sequence = _next_sequence()
        self.pre_hooks: dict | None = None
        self.post_hooks: dict | None = None
        self.tensor_hooks: dict[int, dict] | None = None
        self.where = _call_site() if mode.anomaly else None

    def name(self) -> str:
        """PyTorch's name of this kind of node."""
        return type(self).__name__

    @property
    def next_functions(self) -> tuple:
        """The nodes that gradients flow to, each with the number of its output."""
        return tuple((None, 0) if e is None else e for e in self.edges)

    @property
    def metadata(self) -> dict:
        """A dict for the user."""
        try:
            return self._metadata
        except AttributeError:
            self._metadata: dict = {}
            return self._metadata

    def _sequence_nr(self) -> int:
        return self.sequence

    def register_hook(self, fn: Callable) -> Any:
        """fn(grad_inputs, grad_outputs) runs after this node; what it returns replaces grad_inputs."""
        if self.post_hooks is None:
            self.post_hooks = {}
        return _handle(self.post_hooks, fn)

    def register_prehook(self, fn: Callable) -> Any:
        """fn(grad_outputs) runs before this node; what it returns replaces grad_outputs."""
        if self.pre_hooks is None:
            self.pre_hooks = {}
        return _handle(self.pre_hooks, fn)

    def add_tensor_hook(self, nr: int, fn: Callable) -> Any:
        """fn(grad) runs when the gradient of output `nr` is complete."""
        if self.tensor_hooks is None:
            self.tensor_hooks = {}
        return _handle(self.tensor_hooks.setdefault(nr, {}), fn)

    def backward(self, grads: list, create_graph: bool) -> list:
        """One gradient (tensor or None) per edge, given one (or None) per output."""
        raise NotImplementedError

    def release(self) -> None:
        """Forgets what was saved for backward."""

    def __repr__(self) -> str:
        return f"<{self.name()} object at {hex(id(self))}>"


def _handle(hooks: dict, fn: Callable):
    from ..utils.hooks import RemovableHandle
    handle = RemovableHandle(hooks)
    hooks[handle.id] = fn
    return handle


def _call_site():
    import traceback
    return traceback.extract_stack()


def edge(t: Tensor):
    """Where gradients of t go."""
    return None if t._node is None else (t._node, t._nr)


class AccumulateGrad(Node):
    """The sink of a leaf: adds gradients up in `.grad`."""

    __slots__ = ("grad", "_variable", "post_accumulate_hooks")

    def __init__(self, leaf: Tensor):
        super().__init__(())
        self.grad: Tensor | None = None
        self._variable = weakref.ref(leaf)
        self.post_accumulate_hooks: dict | None = None

    @property
    def variable(self) -> Tensor | None:
        """The leaf tensor."""
        return self._variable()

    def accumulate(self, g: Tensor, create_graph: bool) -> None:
        """Adds g to `.grad`, in place where that is allowed."""
        from ..ops.arithmetic import add
        if self.grad is None:
            # a gradient is a tensor of its own: not a view of, and not the same object as, someone else's
            self.grad = g if create_graph else make_tensor(g._value())
        elif create_graph:
            self.grad = add(self.grad, g)
        else:
            total = add(self.grad, g)
            from .write import assign
            assign(self.grad, total)
        if self.post_accumulate_hooks:
            for fn in list(self.post_accumulate_hooks.values()):
                fn(self.variable)


class OpNode(Node):
    """The node of a recorded op call."""

    __slots__ = ("gradient", "saved", "checks", "saved_edges")

    def __init__(self, gradient: Gradient, tensors: list, operands: list, outputs: list, skip_check: int = -1):
        super().__init__(tuple([(tensors[i]._node, tensors[i]._nr) for i in gradient.wrt]))
        self.gradient = gradient
        n = gradient.n_visible
        self.saved: list | None = [operands[i] if kind == "in" else outputs[i if kind == "out" else n + i]
                                   for kind, i in gradient.saved]
        # history of the saved inputs, for a gradient of the gradient
        self.saved_edges = [edge(tensors[i]) if kind == "in" and tensors[i] is not None else None for kind, i in gradient.saved]
        self.checks = [(tensors[i]._storage, tensors[i]._storage.version) for i in gradient.saved_inputs
                       if tensors[i] is not None and i != skip_check]

    @property
    def n_outputs(self) -> int:  # type: ignore[override]
        return self.gradient.n_visible

    def name(self) -> str:
        return self.gradient.of.grad_name

    def watch_outputs(self, tensors: list) -> None:
        """Adds the outputs that backward reads to those that must not change meanwhile."""
        for i in self.gradient.saved_outputs:
            self.checks.append((tensors[i]._storage, tensors[i]._storage.version))

    def backward(self, grads: list, create_graph: bool) -> list:
        if self.saved is None:
            raise RuntimeError(FREED)
        for storage, version in self.checks:
            if storage.version != version:
                t = storage.value.type
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an inplace operation: "
                    f"[torch.{t.dtype._legacy}Tensor {list(t.shape)}], which is used by {self.name()}, is at version "
                    f"{storage.version}; expected version {version} instead. Hint: "
                    + ("the backtrace further above shows the operation that failed to compute its gradient. The variable in "
                       "question was changed in there or anywhere later. Good luck!" if mode.anomaly else
                       "enable anomaly detection to find the operation that failed to compute its gradient, with "
                       "torch.autograd.set_detect_anomaly(True)."))
        from .op import record_specialization
        present = tuple([g is not None for g in grads])
        visible = self.gradient.is_differentiable
        present = tuple(p and d for p, d in zip(present, visible))
        spec, (saved_at, missing) = self.gradient.backward(present)
        if all(missing) or not any(present):
            return [None] * len(self.edges)
        if len(saved_at) == len(self.saved):
            values, edges = self.saved, self.saved_edges
        else:  # fewer cotangents need fewer saved values
            at = {place: k for k, place in enumerate(self.gradient.saved)}
            values = [self.saved[at[p]] for p in saved_at]
            edges = [self.saved_edges[at[p]] for p in saved_at]
        inputs = []
        for k, v in enumerate(values):
            if v.__class__ in _NUMBERS:
                inputs.append(v)
            else:
                t = make_tensor(v)
                if create_graph:
                    where = edges[k]
                    if where is None and self.gradient.saved[k][0] == "out":
                        where = (self, self.gradient.saved[k][1])
                    if where is not None:
                        t._node, t._nr = where
                inputs.append(t)
        inputs.extend(g for g, p in zip(grads, present) if p)
        results = record_specialization(spec, inputs)
        return [None if m else r for r, m in zip(results, missing)]

    def release(self) -> None:
        self.saved = None
        self.checks = []
        self.saved_edges = []


_NUMBERS = {bool, int, float, complex}


class ViewNode(Node):
    """The node of a view: its gradient is a function on tensors."""

    __slots__ = ("grad_name", "fn")

    def __init__(self, grad_name: str, t: Tensor, fn: Callable[[Tensor], Tensor]):
        super().__init__(((t._node, t._nr),))
        self.grad_name, self.fn = grad_name, fn

    def name(self) -> str:
        return self.grad_name

    def backward(self, grads: list, create_graph: bool) -> list:
        return [None if grads[0] is None else self.fn(grads[0])]


class MultiViewNode(Node):
    """The node of views that are made together (split, unbind). fn(grads) takes one gradient, or None, for each view."""

    __slots__ = ("grad_name", "fn", "_count")

    def __init__(self, grad_name: str, t: Tensor, fn: Callable[[list], Tensor], count: int):
        super().__init__(((t._node, t._nr),))
        self.grad_name, self.fn, self._count = grad_name, fn, count

    @property
    def n_outputs(self) -> int:  # type: ignore[override]
        return self._count

    def name(self) -> str:
        return self.grad_name

    def backward(self, grads: list, create_graph: bool) -> list:
        return [None if all(g is None for g in grads) else self.fn(grads)]


def as_strided_node(base: Tensor, view: Any) -> ViewNode:
    """The node of a view that a write has cut off from the way it was made."""
    from .views import as_strided_backward
    geometry = base._geometry()
    return ViewNode("AsStridedBackward0", base, lambda g: as_strided_backward(
        g, *geometry, base.dtype, view.shape, view.strides, view.offset))
