"""Whether a graph has the nodes of one that was seen before: a function, written out for that one.

In a training loop the same few graphs come again and again. Walking one, putting its nodes in order and describing them by a
key costs more than to go along the known graph and ask of each node whether it is the one expected there.
"""
from __future__ import annotations

from types import FunctionType
from typing import Any, Callable, Sequence

from ..tensor.node import AccumulateGrad, MultiViewNode, Node, OpNode, ViewNode, shown_class

_OP = """
    if {n}.__class__ is not OpNode and {n}.__class__ is not {expected}_shown or {n}.gradient is not {expected} or {n}.hooks is not None or {n}.saved is None:
        return None
    for storage, version in {n}.watched:
        if storage.version != version:
            return None
    operands += {n}.saved
"""
_VIEW = """
    if {n}.__class__ is not {kind} and {n}.__class__ is not {expected}_shown or {n}.hooks is not None or {n}.fn is not {expected} and static_key({n}.fn) != {expected}_key:
        return None
"""
_LEAF = """
    if {n}.__class__ is not AccumulateGrad or {n}.hooks is not None or {n}.post_accumulate_hooks:
        return None
"""


def recognizer(order: Sequence[Node], static_key: Callable[[Callable], Any]) -> Callable[[Node, list], tuple[Node, ...] | None]:
    """A function of a graph's root and a list: the graph's nodes in the order of `order`, or None if it is not like the graph of
    `order`, if somebody watches it, or if it cannot be gone through any more. What the nodes saved is appended to the list.

    order: of op nodes, views' nodes and leaves, newest first, the root before all others. static_key: of a view's gradient.
    """
    number = {node: i for i, node in enumerate(order)}
    names: dict[str, Any] = {"AccumulateGrad": AccumulateGrad, "MultiViewNode": MultiViewNode, "OpNode": OpNode, "ViewNode": ViewNode,
                             "static_key": static_key}
    text = "def recognize(n0, operands):"
    found = {0}
    for i, node in enumerate(order):
        n, expected, kind = f"n{i}", f"e{i}", node.family
        if kind is None:  # a leaf
            text += _LEAF.format(n=n)
            continue
        names[expected + "_shown"] = shown_class(kind, node.kind())
        if kind is OpNode:
            names[expected] = node.gradient  # type: ignore[attr-defined]
            text += _OP.format(n=n, expected=expected)
        else:
            names[expected], names[expected + "_key"] = node.fn, static_key(node.fn)  # type: ignore[attr-defined]
            text += _VIEW.format(n=n, expected=expected, kind=kind.__name__)
        text += _edges(n, [(number[to], nr) for to, nr in node.edges], found)
    inner = [i for i, node in enumerate(order) if node.edges]
    if len(inner) > 1:  # sums of gradients are added up in this order
        text += f"    if not {' > '.join(f'n{i}.sequence' for i in inner)}:\n        return None\n"
    everyone = "".join(f"n{i}, " for i in range(len(order)))
    text += f"    nodes = ({everyone})\n    return nodes if len(set(nodes)) == {len(order)} else None\n"
    exec(compile(text, __file__, "exec"), names)
    assert isinstance(names["recognize"], FunctionType)
    return names["recognize"]


def _edges(n: str, edges: list[tuple[int, int]], found: set[int]) -> str:
    """The statements that look where a node's edges lead, and name the nodes that they lead to first."""
    targets, conditions = [], []
    for k, (to, nr) in enumerate(edges):
        target = f"n{to}"
        if to in found:
            target = f"t{k}"
            conditions.append(f"{target} is not n{to}")
        found.add(to)
        targets.append(f"({target}, r{k})")
        conditions.append(f"r{k} != {nr}")
    return f"    {', '.join(targets)}, = {n}.edges\n    if {' or '.join(conditions)}:\n        return None\n" if edges else ""
