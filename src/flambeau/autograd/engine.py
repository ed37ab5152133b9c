"""The backward engine: walks the nodes that the roots reach, from the newest to the oldest.

A node is always newer than the nodes its gradients flow to, so descending creation order is a topological order.
"""
from __future__ import annotations

import threading
import weakref
from functools import lru_cache
from typing import Any, Iterable, Sequence

from ..ir.types import TensorType, tensor_type
from ..runtime.trace import Value
from ..tensor.grad_mode import anomaly, mode
from ..tensor.node import AccumulateGrad, Node, sum_of_gradients
from ..tensor.placement import follow
from ..tensor.tensor import Tensor, make_tensor
from .plan import run_latest_plan, run_plan


def _reachable(roots: Sequence[Node]) -> list[Node]:
    """Every node that gradients may reach, newest first."""
    seen = set(roots)
    stack = list(seen)
    while stack:
        for e in stack.pop().edges:
            if e is not None and e[0] not in seen:
                seen.add(e[0])
                stack.append(e[0])
    return sorted(seen, key=lambda n: n.sequence, reverse=True)


def _leading(nodes: Sequence[Node], targets: set[Node]) -> set[Node]:
    """The nodes on some way to a target."""
    on_way: set[Node] = set()
    for node in reversed(nodes):
        if node in targets or any(e is not None and e[0] in on_way for e in node.edges):
            on_way.add(node)
    return on_way


def _run_pre_hooks(node: Node, grads: list) -> list:
    if node.hooks.tensor:  # type: ignore[union-attr]
        for nr, hooks in node.hooks.tensor.items():  # type: ignore[union-attr]
            if nr < len(grads) and grads[nr] is not None:
                for fn in list(hooks.values()):
                    new = fn(grads[nr])
                    if new is not None:
                        grads[nr] = new
    if node.hooks.pre:  # type: ignore[union-attr]
        for fn in list(node.hooks.pre.values()):  # type: ignore[union-attr]
            new = fn(tuple(grads))
            if new is not None:
                grads = list(new) if isinstance(new, (tuple, list)) else [new]
    return grads


def _run_post_hooks(node: Node, results: list, grads: list) -> list:
    for fn in list(node.hooks.post.values()):  # type: ignore[union-attr]
        new = fn(tuple(results), tuple(grads))
        if new is not None:
            results = list(new) if isinstance(new, (tuple, list)) else [new]
    return results


def _check_nan(node: Node, results: list) -> None:
    """Anomaly mode: names the first node whose gradient is NaN, and shows where its forward was called."""
    for i, g in enumerate(results):
        if g is not None and bool(g.isnan().any()):  # type: ignore[attr-defined]
            raise RuntimeError(f"Function '{node.name()}' returned nan values in its {i}th output.")


def _warn_anomaly(node: Node) -> None:
    import traceback
    import warnings
    if node.where is None:
        where = "No forward pass information available. Enable detect anomaly during forward pass for more information."
    else:
        from ..errors import user_frames
        where = "Traceback of forward call that caused the error:\n" + "".join(traceback.format_list(user_frames(node.where)))
    warnings.warn(f"Error detected in {node.name()}. {where}", UserWarning, stacklevel=5)


def _step(node: Node, grads: list, create_graph: bool) -> list:
    if not anomaly.enabled:
        return node.backward(grads, create_graph)
    try:
        results = node.backward(grads, create_graph)
        if anomaly.check_nan:
            _check_nan(node, results)
        return results
    except Exception:
        _warn_anomaly(node)
        raise


class Pass:
    """A running backward pass, node by node. chosen: whether it computes the gradients of given inputs only."""

    __slots__ = ("nodes", "chosen")

    def __init__(self, order: Sequence[Node], on_way: set[Node] | None):
        self.nodes = set(order) if on_way is None else on_way
        self.chosen = on_way is not None

    def reaches(self, t: Tensor) -> bool:
        """Whether t gets a gradient in this pass."""
        return t._node in self.nodes


class _Passes(threading.local):
    """running: the passes under way, the outermost first. reached: the nodes of those that have accumulated gradients inside
    of it."""

    def __init__(self) -> None:
        self.running: list[Pass] = []
        self.reached: set[Node] = set()


_passes = _Passes()

observers: weakref.WeakSet = weakref.WeakSet()  # each one's `after_pass(nodes)` runs when all gradients of a pass are there


def _tell_observers(nodes: Iterable[Node]) -> None:
    """Tells of a pass that has accumulated gradients, once the outermost one is done."""
    _passes.reached.update(nodes)
    if not _passes.running:
        reached, _passes.reached = _passes.reached, set()
        for observer in list(observers):
            observer.after_pass(reached)


def current_pass() -> Pass | None:
    """The backward pass that calls this hook or function."""
    return _passes.running[-1] if _passes.running else None


def run_backward(roots: Sequence[Tensor], grads: Sequence[Tensor], retain_graph: bool, create_graph: bool,
                 inputs: Sequence[tuple[Node, int]] | None, accumulate: bool) -> list[Tensor | None]:
    """Pushes `grads` from `roots` through the graph.

    inputs: (node, output number) pairs whose gradients are returned, or, with `accumulate`, the leaves that alone get
    theirs accumulated. Without inputs every reached leaf accumulates.
    """
    order = _reachable([t._node for t in roots])
    if inputs is None and not create_graph and not anomaly.enabled and run_plan(order, roots, grads, retain_graph):
        if observers:
            _tell_observers(order)
        return []
    pending: dict[Node, list] = {}

    def arrive(node: Node, nr: int, g: Tensor) -> None:
        slots = pending.get(node)
        if slots is None:
            slots = pending[node] = [None] * node.n_outputs
        slots[nr] = g if slots[nr] is None else sum_of_gradients(slots[nr], g)

    for t, g in zip(roots, grads):
        arrive(t._node, t._nr, g)
    captured: dict[tuple[Node, int], Tensor] = {}
    wanted = set(inputs) if inputs is not None else None
    on_way = None if wanted is None else _leading(order, {n for n, _ in wanted})
    was_enabled = mode.enabled
    mode.enabled = create_graph
    _passes.running.append(Pass(order, on_way))
    try:
        for node in order:
            slots = pending.pop(node, None)
            if slots is None or on_way is not None and node not in on_way:
                continue
            if node.hooks is not None:
                slots = _run_pre_hooks(node, slots)
            if wanted is not None:
                for nr, g in enumerate(slots):
                    if g is not None and (node, nr) in wanted:
                        captured[node, nr] = g
            if node.__class__ is AccumulateGrad:
                if slots[0] is not None and (wanted is None or accumulate and (node, 0) in wanted):
                    node.accumulate(slots[0], create_graph)
                continue
            if wanted is not None and not any(e is not None and e[0] in on_way for e in node.edges):  # type: ignore[operator]
                continue
            results = _step(node, slots, create_graph)
            if node.hooks is not None and node.hooks.post:
                results = _run_post_hooks(node, results, slots)
            for e, g in zip(node.edges, results):
                if e is not None and g is not None:
                    if g._storage.value.__class__ is not Value:
                        from ..tensor.transforms import leave
                        g = leave(g, node, e[0])
                    arrive(e[0], e[1], g)
            if not retain_graph:
                node.release()
    finally:
        _passes.running.pop()
        mode.enabled = was_enabled
    if observers and accumulate:
        _tell_observers(order if on_way is None else on_way)
    return [captured.get(i) for i in inputs] if inputs is not None else []


def run_again(root: Tensor, retain_graph: bool) -> bool:
    """Does the backward pass from `root`, whose gradient is 1, if the last one from such a node went through the same graph."""
    if anomaly.enabled:
        return False
    nodes = run_latest_plan(root, _one, retain_graph)
    if nodes is None:
        return False
    if observers:
        _tell_observers(nodes)
    return True


@lru_cache(maxsize=64)
def _one(type: TensorType) -> Value:
    """The value 1, made once: nothing writes to a value that someone still holds."""
    from ..ops.creation import filled
    return filled(type.shape, 1, type.dtype)._value()


def root_gradient(t: Tensor, grad: Any, index: int = 0) -> Tensor:
    """The gradient to start with: ones for a scalar, or the given one, checked."""
    if t._node is None:
        raise RuntimeError(f"element {index} of tensors does not require grad and does not have a grad_fn")
    if grad is None:
        if t.shape.numel() != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        if not t.dtype.is_floating_point:
            raise RuntimeError("grad can be implicitly created only for real scalar outputs but got " + repr(t.dtype))
        return follow(make_tensor(_one(tensor_type(t.dtype, tuple(t.shape)))), t)
    if not isinstance(grad, Tensor):
        raise TypeError(f"gradients can be either Tensors or None, but got {type(grad).__name__}")
    if grad.shape != t.shape:
        raise RuntimeError(f"Mismatch in shape: grad_output[{index}] has a shape of {grad.shape} and output[{index}] has a shape of "
                           f"{t.shape}.")
    return grad


