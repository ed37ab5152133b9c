"""`Primitive` and the helpers that every family uses.

A primitive owns a type rule (on `TensorType`s), a NumPy kernel (the reference) and a VJP rule (on `Var`s); executors
keep one lowering for each, under the primitive's name. Primitives are strict: operands of one call have one dtype, and
`binary` and friends make broadcasting explicit, so executors and VJPs never see implicit conversions.
"""
from __future__ import annotations

from typing import Any, Callable, Sequence

import numpy as np

from ..dtypes import bool_, dtype, narrow
from ..ir.graph import Graph, GraphBuilder, Node, Var, trace
from ..ir.types import TensorType, tensor_type

PRIMITIVES: dict[str, Primitive] = {}


class Primitive:
    """name; types(*input_types, *params) -> output types; kernel(*arrays, *params) -> array(s); vjp.

    vjp(cotangents, outputs, inputs, *params) returns one cotangent (or None) per input; for a primitive with one output
    the first two are that output's, not tuples. `differentiable` is False for those with integer or boolean results.
    `moves_data` marks those that never compute on elements, so that half-precision bits pass unconverted.
    `cheap` marks those that a gradient would rather recompute than keep the result of.
    `definition` is None, or gives the graph of other primitives that a call stands for: see `composite`.
    `saving` is None, or gives (params, output types) of the call that returns, after the same results, what its VJP wants.
    """

    __slots__ = ("name", "types", "kernel", "vjp", "n_outputs", "moves_data", "cheap", "kind", "definition",
                 "saving")

    def __init__(self, name: str, types: Callable[..., Any], kernel: Callable[..., Any],
                 vjp: Callable[..., Any] | None, *, n_outputs: int = 1, moves_data: bool = False, cheap: bool = False,
                 kind: str = "other"):
        self.name, self.types, self.kernel, self.vjp = name, types, kernel, vjp
        self.n_outputs, self.moves_data, self.cheap, self.kind = n_outputs, moves_data, cheap, kind
        self.definition: Callable[[Node], Graph] | None = None
        self.saving: Callable[[Node], tuple[tuple, list[TensorType]]] | None = None
        PRIMITIVES[name] = self

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __call__(self, inputs: Sequence[Var], *params: Any) -> Any:
        """Records a call in the graph that `inputs` belong to; returns its output, or outputs as a tuple."""
        types = self.types(*[v.type for v in inputs], *params)
        outputs = inputs[0].builder.call(self, tuple(inputs), params, types if self.n_outputs > 1 else (types,))
        return outputs if self.n_outputs > 1 else outputs[0]


def _full_kernel(value, dt: dtype, _sign):
    return narrow(np.asarray(value, dtype=dt.wide if dt.encoded else dt.np), dt)


full_p = Primitive("full", lambda value, dt, sign: tensor_type(dt, ()), _full_kernel, None, moves_data=True, cheap=True,
                   kind="constant")
iota_p = Primitive("iota", lambda n, dt: tensor_type(dt, (n,)), lambda n, dt: np.arange(n, dtype=dt.np), None,
                   moves_data=True, cheap=True, kind="constant")


def constant(value: Any, dt: dtype, builder: GraphBuilder) -> Var:
    """A 0-dim constant. The sign is part of the parameters because -0.0 == 0.0 would merge the two."""
    if dt.kind == "b":
        value = bool(value)
    elif dt.kind in "iu":
        value = int(value)
        info = np.iinfo(dt.np)
        if not info.min <= value <= info.max:
            value = int(np.array(value & (2 ** info.bits - 1), dtype=np.uint64).astype(dt.np))
    elif dt.kind == "f":
        value = float(value)
    sign = isinstance(value, float) and bool(np.signbit(value))
    return builder.call(full_p, (), (value, dt, sign), (tensor_type(dt, ()),))[0]


def full(shape: tuple[int, ...], value: Any, dt: dtype, builder: GraphBuilder) -> Var:
    """A constant of this shape."""
    return broadcast_to(constant(value, dt, builder), shape)


def iota(n: int, dt: dtype, builder: GraphBuilder) -> Var:
    """0, 1, …, n-1."""
    return builder.call(iota_p, (), (n, dt), (tensor_type(dt, (n,)),))[0]


def _broadcast_vjp(g, out, inputs, shape):
    return (sum_to(g, inputs[0].shape),)


broadcast_p = Primitive("broadcast_to", lambda x, shape: tensor_type(x.dtype, shape), np.broadcast_to, _broadcast_vjp,
                        moves_data=True, cheap=True, kind="view")


def broadcast_to(x: Var, shape: tuple[int, ...]) -> Var:
    """x repeated along new leading and size-1 dimensions."""
    return x if x.shape == shape else broadcast_p((x,), tuple(shape))


def sum_to(g: Var, shape: tuple[int, ...]) -> Var:
    """The transpose of broadcasting: sums `g` down to `shape`."""
    if g.shape == shape:
        return g
    from .reduction import reduce_sum
    from .shape import reshape
    lead = len(g.shape) - len(shape)
    dims = tuple(range(lead)) + tuple(i + lead for i, s in enumerate(shape) if s == 1 and g.shape[i + lead] != 1)
    return reshape(reduce_sum(g, dims), shape) if dims else reshape(g, shape)


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape, or PyTorch's error."""
    if len(shapes) == 2 and shapes[0] == shapes[1]:
        return shapes[0]
    ndim = max(map(len, shapes), default=0)
    result = [1] * ndim
    for shape in shapes:
        for i, s in enumerate(shape, ndim - len(shape)):
            if s != 1:
                if result[i] != 1 and result[i] != s:
                    raise RuntimeError(f"The size of tensor a ({result[i]}) must match the size of tensor b ({s}) "
                                       f"at non-singleton dimension {i}")
                result[i] = s
    return tuple(result)


def as_vars(*args: Any) -> list[Var]:
    """Vars of one shape: Python numbers become constants of the Vars' dtype, shapes are broadcast."""
    first = next(a for a in args if isinstance(a, Var))
    like = next((a for a in args if isinstance(a, Var) and a.dtype is not bool_), first)
    made = [a if isinstance(a, Var) else constant(a, like.dtype, first.builder) for a in args]
    shape = broadcast_shapes(*[v.shape for v in made])
    return [broadcast_to(v, shape) for v in made]


def composite(name: str, body: Callable[..., Var], vjp: Callable[..., tuple]) -> Callable[..., Var]:
    """A function on Vars with a gradient rule of its own, where the one derived from its body would be inexact.

    Executors see its body. body(x, …) and vjp(g, y, x, …) take operands of one dtype; numbers and shapes broadcast.
    """
    def types(*operands: TensorType) -> TensorType:
        return trace(body, operands)[0].outputs[0].type

    def definition(node: Node) -> Graph:
        return trace(body, [v.type for v in node.inputs])[0]

    def kernel(*arrays):
        raise AssertionError(f"{name} is defined by other primitives")
    prim = Primitive(name, types, kernel, lambda g, y, xs: vjp(g, y, *xs), cheap=True, kind="composite")
    prim.definition = definition

    def apply(*xs: Any) -> Var:
        return prim(as_vars(*xs))
    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = body.__doc__
    return apply


def _undefined(x, what):
    raise NotImplementedError(f"the derivative for '{what}' is not implemented.")


no_derivative_p = Primitive("no_derivative", lambda x, what: x, _undefined, None)


def no_derivative(x: Var, what: str) -> Var:
    """The cotangent of an operand x of `what` whose derivative is not known: an error if anything needs it."""
    return no_derivative_p((x,), what)


def same_type(name: str, *types: TensorType) -> TensorType:
    """The common type of operands that must agree; a mismatch is a mistake in an op's body."""
    for t in types[1:]:
        if t.dtype is not types[0].dtype or t.shape != types[0].shape:
            raise AssertionError(f"{name}: operands differ: {types}")
    return tensor_type(types[0].dtype, types[0].shape)
