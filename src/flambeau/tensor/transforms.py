"""Tensors going in and out of transformations (`runtime/transform.py`), and how gradients follow them.

Inside a transformation tensors and autograd nodes see one example, or dual numbers; outside, whole batches, or pairs of
tensors. Each passage is a node of its own, and its gradient is the passage the other way. What a function closes over goes
in without a passage: `leave` is what happens to a gradient that comes out that way.
"""
from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Iterator, Sequence

from ..runtime.levels import outside, running
from ..runtime.trace import Value, record
from ..runtime.transform import Batched, BatchLevel, Dual, DualLevel, Transformed, batch_levels, batched, cover, primal_of, returning_levels
from .grad_mode import mode
from .node import Node, _next_sequence, edge
from .tensor import Tensor, make_tensor


class ReverseLevel:
    """A running gradient transformation. variables: the leaves that it has made of its inputs."""

    __slots__ = ("variables",)

    functional = True

    def __init__(self) -> None:
        self.variables: set[Node] = set()


@contextmanager
def reverse_level() -> Iterator[ReverseLevel]:
    """Inside, a gradient transformation runs."""
    level = ReverseLevel()
    running().append(level)
    try:
        yield level
    finally:
        running().remove(level)


@contextmanager
def batch_level(size: int, randomness: str) -> Iterator[BatchLevel]:
    """Inside, a `vmap` over `size` examples runs."""
    level = BatchLevel(_next_sequence(), size, randomness)
    running().append(level)
    try:
        yield level
    finally:
        running().remove(level)
        level.alive = False


def enter_dual(functional: bool = False) -> DualLevel:
    """Starts a level of forward-mode differentiation. functional: of a function, not of a context in the program."""
    level = DualLevel(_next_sequence(), functional)
    running().append(level)
    return level


def exit_dual(level: DualLevel) -> None:
    """Ends a level: tensors keep their primal values and lose their tangents."""
    running().remove(level)
    level.alive = False


@contextmanager
def dual_level() -> Iterator[DualLevel]:
    """Inside, a function is differentiated in forward mode."""
    level = enter_dual(functional=True)
    try:
        yield level
    finally:
        exit_dual(level)


def _batches() -> list[BatchLevel]:
    return [level for level in running() if isinstance(level, BatchLevel)]


def per_example(t: Tensor, like: Tensor) -> Tensor:
    """t, a new tensor, with memory for every example that `like` is one of."""
    t._storage.value = cover(t._storage.value, like._storage.value)
    return t


# ------------------------------------------------------------------ random numbers

RANDOM = ("vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' randomness flags on "
          "vmap or perform the randomness operation out of vmap")
SAME = "Vmap does not currently support same randomness with a batched tensor input. Please file an issue with functorch"


def record_draw(spec: Any, operands: list, levels: list[BatchLevel] | None = None) -> list[Value]:
    """Records a draw of random numbers, whose last result is the generator's next state, in every running `vmap`."""
    levels = _batches() if levels is None else levels
    if not levels:
        return record(spec, operands)
    *outer, level = levels
    if level.randomness == "error":
        raise RuntimeError(RANDOM)
    values, batched_ones = level.strip(operands)
    if level.randomness == "same":
        if any(batched_ones):
            raise RuntimeError(SAME)
        return record_draw(spec, operands, outer)
    *outs, state = record_draw(level.specialize(spec, batched_ones, True), values, outer)
    return [*[Batched(t, v, level) for t, v in zip(spec.out_types, outs)], state]


def drawn(make: Callable[[tuple[int, ...]], Value], shape: tuple[int, ...]) -> Value:
    """Random numbers of `shape` in every running `vmap`; make(shape) draws them outside, the numbers of an example together."""
    levels = _batches()
    if any(level.randomness == "error" for level in levels):
        raise RuntimeError(RANDOM)
    different = [level for level in levels if level.randomness == "different"]
    with outside():
        value = make((*[level.size for level in different], *shape))
    return _seen_from(value, different)


def _seen_from(value: Value, levels: list[BatchLevel]) -> Value:
    """One example of a value whose first dimensions are the batches of `levels`."""
    if not levels:
        return value
    *outer, level = levels
    inner = _seen_from(value, outer)  # (level.size, *shape), of the batches outside
    return batched(inner, level)


@contextmanager
def aside(level: BatchLevel) -> Iterator[None]:
    """Inside, this level is not among the running ones: what belongs to it is done by other means."""
    at = running().index(level)
    running().remove(level)
    try:
        yield
    finally:
        running().insert(at, level)


class PassageNode(Node):
    """The node of tensors that cross the border of a transformation. fn(gradients) gives one for each edge."""

    __slots__ = ("fn",)

    def __init__(self, tensors: Sequence[Tensor], fn: Callable[[list], list]):
        super().__init__(tuple(edge(t) for t in tensors))
        self.fn = fn

    def backward(self, grads: list, create_graph: bool) -> list:
        return self.fn(grads) if grads[0] is not None else [None] * len(self.edges)


def _made(value: Value, sources: Sequence[Tensor], fn: Callable[[list], list]) -> Tensor:
    """A tensor of `value` that comes from `sources`."""
    tracked = mode.enabled and value.type.dtype.kind in "fc" and any(t.requires_grad for t in sources)  # type: ignore[attr-defined]
    return make_tensor(value, PassageNode(sources, fn)) if tracked else make_tensor(value)


# ------------------------------------------------------------------ batches

def batch(t: Tensor, level: BatchLevel) -> Tensor:
    """One example of t, whose first dimension is the batch."""
    return _made(batched(t._value(), level), [t], lambda gs: [unbatch(gs[0], level)])


def is_batched(t: Tensor, level: BatchLevel) -> bool:
    """Whether examples have values of t of their own."""
    value = t._storage.value
    return value.__class__ is Batched and value.level is level  # type: ignore[attr-defined]


def unbatch(t: Tensor, level: BatchLevel) -> Tensor:
    """All examples of t along a new first dimension."""
    if not is_batched(t, level):
        from .views import expand
        return expand(t, (level.size, *t.shape))
    return _made(t._value().physical, [t], lambda gs: [batch(gs[0], level)])  # type: ignore[attr-defined]


def has_examples(tree: Any) -> bool:
    """Whether a tensor in nested containers is an example of a running `vmap`."""
    from ..utils._pytree import tree_leaves
    return any(level.alive for t in tree_leaves(tree) if isinstance(t, Tensor) for level in batch_levels(t._storage.value))


def in_turn(fn: Callable, args: tuple, kwargs: dict) -> Any:
    """fn for one example after another of the innermost `vmap` that an argument is an example of; the results as examples."""
    from ..ops.shape import stack
    from ..utils._pytree import tree_flatten, tree_unflatten
    leaves, spec = tree_flatten((args, kwargs))
    levels = [t._storage.value.level for t in leaves if isinstance(t, Tensor) and t._storage.value.__class__ is Batched]
    if not levels:
        return fn(*args, **kwargs)
    level = max(levels, key=lambda level: level.number)
    batches = [unbatch(t, level) if isinstance(t, Tensor) and is_batched(t, level) else None for t in leaves]
    results = []
    with aside(level):
        for i in range(level.size):
            some_args, some_kwargs = tree_unflatten([t if b is None else b.select(0, i) for t, b in zip(leaves, batches)], spec)
            outputs, out_spec = tree_flatten(in_turn(fn, some_args, some_kwargs))
            results.append(outputs)
    return tree_unflatten([batch(stack(outs), level) for outs in zip(*results)], out_spec)


# ------------------------------------------------------------------ dual numbers

def _zeros(t: Tensor) -> Tensor:
    from ..ops.creation import zeros_like
    return zeros_like(t)


def pair(primal: Tensor, tangent: Tensor, level: DualLevel, swapped: bool = False) -> Tensor:
    """primal + ε tangent."""
    def back(gs: list) -> list:
        g = gs[0]
        value = g._storage.value
        if value.__class__ is Dual and value.level is level and value.swapped:
            return [tangent_part(g, level), primal_part(g, level)]
        return [g, None]  # a backward inside the level: the gradient is a dual number, too
    return _made(Dual(primal._value(), tangent._value(), level, swapped), [primal, tangent], back)


def is_dual(t: Tensor, level: DualLevel) -> bool:
    """Whether t has a tangent."""
    value = t._storage.value
    return value.__class__ is Dual and value.level is level  # type: ignore[attr-defined]


def primal_part(t: Tensor, level: DualLevel) -> Tensor:
    """t without its tangent."""
    if not is_dual(t, level):
        return t
    return _made(t._value().primal, [t], lambda gs: [pair(_zeros(gs[0]), gs[0], level, True)])  # type: ignore[attr-defined]


def tangent_part(t: Tensor, level: DualLevel) -> Tensor | None:
    """t's tangent, or None."""
    if not is_dual(t, level):
        return None
    return _made(t._value().tangent, [t], lambda gs: [pair(gs[0], _zeros(gs[0]), level, True)])  # type: ignore[attr-defined]


def without_tangents(t: Tensor) -> Tensor:
    """t's values at no level of forward mode; t itself if it has no tangent."""
    value = t._value()
    plain = primal_of(value)
    return t if plain is value else make_tensor(plain)


@contextmanager
def returning(gradients: Sequence[Tensor | None]) -> Iterator[None]:
    """Inside, levels that have ended but that gradients return to are there again, for what a custom function has saved."""
    ended = [level for g in gradients if g is not None for level in returning_levels(g._storage.value) if not level.alive]
    for level in ended:
        level.alive = True
    try:
        yield
    finally:
        for level in ended:
            level.alive = False


# ------------------------------------------------------------------ gradients of what was closed over

def leave(g: Tensor, source: Node, target: Node) -> Tensor:
    """A gradient on its way from `source`, inside a transformation, to `target`, which was made outside: examples add up,
    and a dual number's part for the value outside remains."""
    while True:
        value: Any = g._storage.value
        if not isinstance(value, Transformed) or not target.sequence < value.level.number <= source.sequence:
            return g
        if value.__class__ is Batched:
            g = unbatch(g, value.level).sum(0)  # type: ignore[attr-defined]
        elif value.swapped:
            g = tangent_part(g, value.level)  # type: ignore[assignment]
        else:
            return g


def check_control_flow(t: Tensor) -> None:
    """RuntimeError if a program is about to branch on an example's value."""
    if any(level.alive for level in batch_levels(t._storage.value)):
        raise RuntimeError("vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow. We don't support "
                           "that yet, please file an issue at https://github.com/pytorch/pytorch/issues .")
