"""Pytrees: nested tuples, lists, dicts, named tuples and dataclass-like classes that a program registers, and their leaves."""
from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from typing import Any, Callable, NamedTuple, Sequence


class NodeDef(NamedTuple):
    """How a container is taken apart (value -> (children, context)) and put together again ((children, context) -> value)."""

    flatten_fn: Callable[[Any], tuple[list, Any]]
    unflatten_fn: Callable[[Sequence, Any], Any]


def _dict_parts(d: Any) -> tuple[list, Any]:
    return list(d.values()), list(d)


SUPPORTED_NODES: dict[type, NodeDef] = {
    tuple: NodeDef(lambda x: (list(x), None), lambda xs, _: tuple(xs)),
    list: NodeDef(lambda x: (list(x), None), lambda xs, _: list(xs)),
    dict: NodeDef(_dict_parts, lambda xs, keys: dict(zip(keys, xs))),
    OrderedDict: NodeDef(_dict_parts, lambda xs, keys: OrderedDict(zip(keys, xs))),
    defaultdict: NodeDef(lambda d: (list(d.values()), (d.default_factory, list(d))),
                         lambda xs, context: defaultdict(context[0], zip(context[1], xs))),
    deque: NodeDef(lambda x: (list(x), x.maxlen), lambda xs, maxlen: deque(xs, maxlen)),
}
_NAMED = NodeDef(lambda x: (list(x), type(x)), lambda xs, kind: kind(*xs))


def register_pytree_node(cls: type, flatten_fn: Callable, unflatten_fn: Callable, **kwargs: Any) -> None:
    """Makes instances of cls containers. flatten_fn(x) -> (children, context); unflatten_fn(children, context) -> x."""
    SUPPORTED_NODES[cls] = NodeDef(flatten_fn, unflatten_fn)


def _node_of(x: Any) -> NodeDef | None:
    found = SUPPORTED_NODES.get(type(x))
    if found is None and isinstance(x, tuple):
        if hasattr(type(x), "_fields"):
            return _NAMED
        if type(x).__module__.endswith("return_types"):  # what torch.max and its like return
            return NodeDef(lambda x: (list(x), type(x)), lambda xs, kind: kind(xs))
    return found


class TreeSpec:
    """The structure of a pytree without its leaves. type: of the container, None for a leaf; context: what rebuilds it."""

    __slots__ = ("type", "context", "children_specs", "num_leaves", "node")

    def __init__(self, type: Any, context: Any, children_specs: list[TreeSpec], node: NodeDef | None = None):
        self.type, self.context, self.children_specs, self.node = type, context, children_specs, node
        self.num_leaves = sum(c.num_leaves for c in children_specs) if type is not None else 1

    def is_leaf(self) -> bool:
        """Whether this is the structure of something that is no container."""
        return self.type is None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TreeSpec) and self.type is other.type and self.context == other.context \
            and self.children_specs == other.children_specs

    def __hash__(self) -> int:
        return hash((self.type, self.num_leaves))

    def __repr__(self, indent: int = 0) -> str:
        if self.type is None:
            return "*"
        inner = (",\n" + " " * (indent + 2)).join(c.__repr__(indent + 2) for c in self.children_specs)
        return f"TreeSpec({self.type.__name__}, {self.context}, [{inner}])"


LEAF = TreeSpec(None, None, [])


def tree_flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list, TreeSpec]:
    """(the leaves in order, the structure)."""
    leaves: list = []
    return leaves, _flatten(tree, leaves, is_leaf)


def _flatten(tree: Any, leaves: list, is_leaf: Callable[[Any], bool] | None) -> TreeSpec:
    node = None if is_leaf is not None and is_leaf(tree) else _node_of(tree)
    if node is None:
        leaves.append(tree)
        return LEAF
    children, context = node.flatten_fn(tree)
    return TreeSpec(type(tree), context, [_flatten(c, leaves, is_leaf) for c in children], node)


def tree_unflatten(leaves: Any, treespec: TreeSpec) -> Any:
    """The tree of this structure with these leaves."""
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(f"tree_unflatten(leaves, treespec): `leaves` has length {len(leaves)} but the spec refers to a pytree that "
                         f"holds {treespec.num_leaves} items ({treespec}).")
    return _unflatten(iter(leaves), treespec)


def _unflatten(leaves: Any, spec: TreeSpec) -> Any:
    if spec.node is None:
        return next(leaves)
    return spec.node.unflatten_fn([_unflatten(leaves, c) for c in spec.children_specs], spec.context)


def tree_leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list:
    """The leaves in order."""
    return tree_flatten(tree, is_leaf)[0]


def tree_map(func: Callable, tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """The tree with func(leaf, *leaves of the others at the same place) for each leaf."""
    leaves, spec = tree_flatten(tree, is_leaf)
    others = [tree_leaves(r, is_leaf) for r in rests]
    return tree_unflatten([func(*xs) for xs in zip(leaves, *others)], spec)


def tree_map_(func: Callable, tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """Calls func for each leaf; returns the tree as it is."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def tree_map_only(type_or_types: Any, func: Callable, tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """`tree_map` that leaves leaves of other types as they are."""
    return tree_map(lambda x: func(x) if isinstance(x, type_or_types) else x, tree, is_leaf=is_leaf)


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether pred holds for all leaves."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether pred holds for some leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))


def broadcast_prefix(tree: Any, treespec: TreeSpec) -> list | None:
    """Leaves for `treespec` from a tree of which each leaf may stand for a whole subtree; None if it does not fit."""
    node = _node_of(tree)
    if node is None:
        return [tree] * treespec.num_leaves
    children, context = node.flatten_fn(tree)
    if treespec.is_leaf() or type(tree) is not treespec.type or len(children) != len(treespec.children_specs) or context != treespec.context:
        return None
    leaves: list = []
    for child, spec in zip(children, treespec.children_specs):
        part = broadcast_prefix(child, spec)
        if part is None:
            return None
        leaves += part
    return leaves
