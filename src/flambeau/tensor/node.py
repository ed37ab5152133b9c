"""Nodes of the autograd graph. Every non-leaf tensor that requires a gradient points to the node that made it;
a leaf points to its `AccumulateGrad`. Nodes point to the nodes of their inputs; nothing points forward."""
from __future__ import annotations

import gc
import itertools
import weakref
from functools import lru_cache
from textwrap import indent
from typing import Any, Callable, Iterable, NoReturn

from ..runtime.specialization import Gradient
from .grad_mode import anomaly
from .saved import Packed, hooks, pack_saved
from .strides import is_dense, lay_out
from .tensor import Tensor, make_tensor

_next_sequence = itertools.count().__next__

FREED = ("Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
         "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
         "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors "
         "after calling backward.")


class Hooks:
    """The hooks of one node: before it, after it, and for each output's gradient."""

    __slots__ = ("pre", "post", "tensor")

    def __init__(self) -> None:
        self.pre: dict = {}
        self.post: dict = {}
        self.tensor: dict[int, dict] = {}


class Node:
    """edges: (node, output number) or None for each input that may get a gradient. sequence: creation order."""

    __slots__ = ("edges", "sequence", "hooks", "_metadata", "__weakref__", "where")

    n_outputs = 1
    family: type | None = None  # of nodes that somebody has looked at: what their class derives from (`shown`)
    requires_grad = True

    def __init__(self, edges: tuple):
        self.edges = edges
        self.sequence = _next_sequence()
        self.hooks: Hooks | None = None
        self.where = _call_site() if anomaly.enabled else None

    def _own_hooks(self) -> Hooks:
        if self.hooks is None:
            self.hooks = Hooks()
        return self.hooks

    def kind(self) -> str:
        """PyTorch's name of this kind of node, as it is printed."""
        return type(self).__name__

    def name(self) -> str:
        """`kind`, qualified where it is one of the engine's own."""
        kind = self.kind()
        return "torch::autograd::" + kind if kind in ("AccumulateGrad", "CopySlices") else kind

    @property
    def next_functions(self) -> tuple:
        """The nodes that gradients flow to, each with the number of its output."""
        return tuple((None, 0) if e is None else (shown(e[0]), e[1]) for e in self._all_edges())

    def _all_edges(self) -> Iterable[tuple | None]:
        """The edges, and None where an operand requires no gradient."""
        return self.edges

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
        return _handle(self._own_hooks().post, fn)

    def register_prehook(self, fn: Callable) -> Any:
        """fn(grad_outputs) runs before this node; what it returns replaces grad_outputs."""
        return _handle(self._own_hooks().pre, fn)

    def add_tensor_hook(self, nr: int, fn: Callable) -> Any:
        """fn(grad) runs when the gradient of output `nr` is complete."""
        return _handle(self._own_hooks().tensor.setdefault(nr, {}), fn)

    def backward(self, grads: list, create_graph: bool) -> list:
        """One gradient (tensor or None) per edge, given one (or None) per output."""
        raise NotImplementedError

    def release(self) -> None:
        """Forgets what was saved for backward."""

    def __repr__(self) -> str:
        return f"<{self.kind()} object at {hex(id(self))}>"


@lru_cache(maxsize=None)
def shown_class(family: type, kind: str) -> type:
    """The class of the nodes of one kind, for those who go by its name."""
    members: dict[str, Any] = {"__slots__": (), "__module__": "builtins"}
    if issubclass(family, OpNode):
        from .saved_attributes import ATTRIBUTES
        members |= ATTRIBUTES
    return type(kind, (family,), members)


def shown(node: Any) -> Any:
    """A node for a program that looks at it: from now on of the class that PyTorch has for its kind. Nodes are not made so: one class
    for all keeps the statements that fill them in fast."""
    if node is not None and node.__class__ is node.family:
        node.__class__ = shown_class(node.family, node.kind())
    return node


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


def maker_of(storage: Any, shape: tuple[int, ...], before: Any) -> Node | None:
    """The node that made the memory's tensor of this shape, in place or not; `before`, which had made it when it was saved, where the
    tensor does not live any more. None for a leaf."""
    living = [t for t in gc.get_referrers(storage) if isinstance(t, Tensor) and tuple(t.shape) == shape and t._node is not None]
    return living[0].grad_fn if living else None if before.__class__ is AccumulateGrad else before  # type: ignore[attr-defined]


def refuse_changed(storage: Any, version: int, shape: tuple[int, ...], maker: Node | None, nr: int, was_view: bool = False) -> NoReturn:
    """PyTorch's error for a saved tensor that was written to. maker: the node that made it, as output number `nr`; None for a leaf.
    was_view: whether it was a view, which whatever made it is one by strides after a write."""
    if was_view or maker is not None and maker.family is ViewNode:
        name: str | None = "AsStrided"
    else:
        name = None if maker is None else maker.name().partition("Backward")[0]
    made = "" if name is None else f", which is output {nr} of {name},"
    raise RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[torch.{storage.value.type.dtype._legacy}Tensor {list(shape)}]{made} is at version {storage.version}; expected version {version} "
        "instead. Hint: "
        + ("the backtrace further above shows the operation that failed to compute its gradient. The variable in question was changed "
           "in there or anywhere later. Good luck!" if anomaly.enabled else
           "enable anomaly detection to find the operation that failed to compute its gradient, with "
           "torch.autograd.set_detect_anomaly(True, check_nan=False)."))


def sum_of_gradients(a: Tensor, b: Tensor) -> Tensor:
    """a + b, where either may be sparse."""
    from ..ops.arithmetic import add
    return add(b, a) if a.is_sparse and not b.is_sparse else add(a, b)  # type: ignore[attr-defined]


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

    def start(self, g: Tensor) -> None:
        """Makes g, which nobody else has, the first gradient: it lies in memory as the leaf does."""
        self.grad = g
        leaf = self._variable()
        if leaf is not None and leaf._view is not None and is_dense(leaf._view.shape, leaf._view.strides):
            lay_out(g, leaf._view.strides)

    def accumulate(self, g: Tensor, create_graph: bool, fresh: bool = False) -> None:
        """Adds g to `.grad`, in place where that is allowed. fresh: nobody else has this tensor or its storage."""
        if g.__class__ is not Tensor and g.is_sparse or self.grad.__class__ is not Tensor and self.grad is not None and self.grad.is_sparse:
            self.grad = g if self.grad is None else sum_of_gradients(self.grad, g)
        elif self.grad is None:
            # a gradient is a tensor of its own: not a view of, and not the same object as, someone else's
            if create_graph:
                self.grad = g
            else:
                self.start(g if fresh else make_tensor(g._value()))
        else:
            from ..ops.arithmetic import add
            from .write import assign
            total = add(self.grad, g)
            if create_graph:
                self.grad = total
            else:
                assign(self.grad, total)
        if self.post_accumulate_hooks:
            for fn in list(self.post_accumulate_hooks.values()):
                fn(self.variable)


_NUMBERS_AS_TENSORS = ("add", "sub", "mul", "div")  # ops whose numbers PyTorch counts among the tensors


class OpNode(Node):
    """The node of a recorded op call. saved: the values that backward wants. watched: the storages they lie in, each with
    the version that must not have changed."""

    __slots__ = ("gradient", "saved", "watched")

    gradient: Gradient
    saved: list | None
    watched: list

    @property
    def n_outputs(self) -> int:  # type: ignore[override]
        return self.gradient.n_visible

    def kind(self) -> str:
        return self.gradient.of.grad_name

    def _all_edges(self) -> Iterable[tuple | None]:
        graph = getattr(self.gradient.of, "graph", None)
        if graph is None:  # a compiled call: nobody knows its operands
            return self.edges
        of, edges = self.gradient.of, dict(zip(self.gradient.wrt, self.edges))
        found = [edges.get(i) for i, v in enumerate(graph.inputs) if not v.type.weak or of.name in _NUMBERS_AS_TENSORS]
        return found[-1:] + found[:-1] if of.name == "linear" and of.grad_name == "AddmmBackward0" else found  # the bias comes first

    def watch_outputs(self, tensors: list) -> None:
        """Adds the outputs that backward reads to those that must not change meanwhile."""
        for i in self.gradient.saved_outputs:
            self.watched.append((tensors[i]._storage, tensors[i]._storage.version))

    def check_unchanged(self) -> None:
        """RuntimeError if a saved value has been overwritten."""
        for k, (storage, version) in enumerate(self.watched):
            if storage.version != version:
                self._refuse(k)

    def _refuse(self, k: int) -> NoReturn:
        """Number k of what is watched has changed: of the inputs, without the one that an in-place call overwrites, and the outputs."""
        storage, version = self.watched[k]
        of = self.gradient.of
        places = [("in", i) for i in self.gradient.saved_inputs] + [("out", i) for i in self.gradient.saved_outputs]
        kind, i = places[k - len(self.watched)] if places else ("in", None)  # a compiled call does not tell
        if kind == "out":
            refuse_changed(storage, version, of.out_types[i].shape, self, i)
        shape = storage.value.type.shape if i is None else of.graph.inputs[i].type.shape
        if i is not None and of.name == "linear" and len(shape) == 2 and of.graph.inputs[i] is of.arguments["weight"]:  # PyTorch saves its transpose
            refuse_changed(storage, version, shape[::-1], None, 0, was_view=True)
        before, nr = self._history((kind, i)) or (None, 0)
        refuse_changed(storage, version, shape, maker_of(storage, shape, before), nr)

    def _history(self, place: tuple[str, int]) -> tuple | None:
        """Where a saved value's own gradient goes, for a gradient of the gradient."""
        kind, i = place
        if kind == "out":
            return self, i
        return self.edges[self.gradient.wrt.index(i)] if kind == "in" and i in self.gradient.wrt else None

    def backward(self, grads: list, create_graph: bool) -> list:
        if self.saved is None:
            raise RuntimeError(FREED)
        self.check_unchanged()
        from .op import record_specialization
        present = tuple([g is not None and d for g, d in zip(grads, self.gradient.is_differentiable)])
        spec, (places, missing) = self.gradient.backward(present, create_graph)
        if all(missing) or not any(present):
            return [None] * len(self.edges)
        if spec.undefined is not None:
            raise NotImplementedError(f"the derivative for '{spec.undefined}' is not implemented.")
        if places is self.gradient.saved:
            values = self.saved
        else:  # fewer cotangents may need fewer saved values
            at = {place: k for k, place in enumerate(self.gradient.saved)}
            values = [self.saved[at[p]] for p in places]
        if create_graph:
            inputs = [self._with_history(v, p) for v, p in zip(values, places)]
        else:
            inputs = [v if v.__class__ in _NUMBERS else make_tensor(v) for v in values]
        inputs.extend([g for g, p in zip(grads, present) if p])
        results = record_specialization(spec, inputs)
        return [None if m else r for r, m in zip(results, missing)] if any(missing) else results

    def _with_history(self, value: Any, place: tuple[str, int]) -> Any:
        if value.__class__ in _NUMBERS:
            return value
        t = make_tensor(value)
        history = self._history(place)
        if history is not None:
            t._node, t._nr = history
        return t

    def release(self) -> None:
        self.saved = None
        self.watched = []


_MAKE = """
def make(gradient, tensors, operands, results):
    {unpack}
{node}
    return node
"""

_NODE = """
node = new(OpNode)
node.edges = ({edges})
node.sequence = next_sequence()
node.hooks = None
node.where = call_site() if anomaly.enabled else None
node.gradient = gradient
node.saved = [{saved}]
node.watched = [{watched}]
if hooks:
    pack_saved(node, ({tensors}))
"""
NAMES = {"OpNode": OpNode, "anomaly": anomaly, "call_site": _call_site, "hooks": hooks, "new": object.__new__, "next_sequence": _next_sequence,
         "pack_saved": pack_saved}  # what the statements of `node_text` refer to


def node_text(wrt: tuple[int, ...], saved: tuple[int, ...], watched: tuple[int, ...], n: int) -> str:
    """The statements that make the `node` of a call of n operands v0, v1…, which belong to the tensors a0, a1…, with the results r0,
    r1…: this is the recorder's path. The other arguments number tensors, and the values that are saved, first operands, then results."""
    return _NODE.format(edges="".join(f"(a{i}._node, a{i}._nr), " for i in wrt), tensors="".join(f"a{i}, " for i in range(n)),
                        saved=", ".join(f"v{i}" if i < n else f"r{i - n}" for i in saved),
                        watched=", ".join(f"(a{i}._storage, a{i}._storage.saved_version)" for i in watched))


@lru_cache(maxsize=None)
def _maker(wrt: tuple[int, ...], saved: tuple[int, ...], watched: tuple[int, ...], n: int, n_results: int) -> Callable[..., OpNode]:
    def each(letter, count):
        return "".join(f"{letter}{i}, " for i in range(count))
    unpack = f"({each('a', n)}), ({each('v', n)}), ({each('r', n_results)}) = tensors, operands, results"
    names = dict(NAMES)
    exec(compile(_MAKE.format(unpack=unpack, node=indent(node_text(wrt, saved, watched, n), " " * 4)), __file__, "exec"), names)
    return names["make"]


def node_maker(gradient: Gradient, skip: int = -1) -> Callable[..., OpNode]:
    """The function (gradient, tensors, operands, results) → node of a call on `operands`, which belong to `tensors`. An in-place
    call overwrites its own operand (number `skip`) on purpose."""
    watched = tuple([i for i in gradient.saved_inputs if i != skip])
    return _maker(gradient.wrt, gradient.saved_places, watched, len(gradient.of.graph.inputs), len(gradient.forward.out_types))


class HookedOpNode(OpNode):
    """An `OpNode` whose saved values a hook has packed."""

    __slots__ = ()

    def backward(self, grads: list, create_graph: bool) -> list:
        packed = self.saved
        if packed is None:
            raise RuntimeError(FREED)
        self.saved = [p.unpack()._value() if p.__class__ is Packed else p for p in packed]
        try:
            return super().backward(grads, create_graph)
        finally:
            self.saved = packed


_NUMBERS = {bool, int, float, complex}


class ViewNode(Node):
    """The node of a view: its gradient is a function on tensors."""

    __slots__ = ("grad_name", "fn")

    def __init__(self, grad_name: str, t: Tensor, fn: Callable[[Tensor], Tensor]):
        super().__init__(((t._node, t._nr),))
        self.grad_name, self.fn = grad_name, fn

    def kind(self) -> str:
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

    def kind(self) -> str:
        return self.grad_name

    def backward(self, grads: list, create_graph: bool) -> list:
        return [None if all(g is None for g in grads) else self.fn(grads)]


for _family in (OpNode, HookedOpNode, ViewNode, MultiViewNode):
    _family.family = _family


def as_strided_node(base: Tensor, view: Any) -> ViewNode:
    """The node of a view that a write has cut off from the way it was made."""
    from .views import as_strided_backward
    geometry = base._geometry()
    return ViewNode("AsStridedBackward0", base, lambda g: as_strided_backward(
        g, *geometry, base.dtype, view.shape, view.strides, view.offset))
