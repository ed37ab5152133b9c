"""Nested samples as flat lists and back: what v2 transforms accept may be any nesting of dicts, lists and tuples."""
from __future__ import annotations

from collections import OrderedDict, defaultdict
from typing import Any, Callable, Iterator

Build = Callable[[Iterator[Any]], Any]


def tree_flatten(tree: Any) -> tuple[list[Any], Build]:
    """(the leaves in order, a function that builds a like tree from an iterator over other leaves)."""
    leaves: list[Any] = []
    return leaves, _collect(tree, leaves)


def _collect(tree: Any, leaves: list[Any]) -> Build:
    kind = type(tree)
    if kind in (dict, OrderedDict, defaultdict):
        keys, builds = list(tree), [_collect(value, leaves) for value in tree.values()]
        if kind is defaultdict:
            return lambda values: defaultdict(tree.default_factory,
                                              ((k, build(values)) for k, build in zip(keys, builds)))
        return lambda values: kind((k, build(values)) for k, build in zip(keys, builds))
    if kind in (list, tuple):
        builds = [_collect(value, leaves) for value in tree]
        return lambda values: kind([build(values) for build in builds])
    if isinstance(tree, tuple) and hasattr(kind, "_fields"):
        builds = [_collect(value, leaves) for value in tree]
        return lambda values: kind(*[build(values) for build in builds])
    leaves.append(tree)
    return next


def tree_unflatten(leaves: list[Any], build: Build) -> Any:
    """The tree that `build` (from `tree_flatten`) makes of these leaves."""
    return build(iter(leaves))
