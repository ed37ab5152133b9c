"""From a graph to a function on a device's arrays: each node by the rule of its primitive."""
from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any, Callable, Sequence

import jax
import jax.numpy as jnp

from ..dtypes import complex32, dtype
from ..ir.graph import Node, Var
from .backend import array_type
from .precision import Precision

FAMILIES = ("base", "contraction", "ctc", "elementwise", "fourier", "householder", "indexing", "linalg", "lu", "random", "reduction",
            "reparameterization", "scan", "shape", "special", "window")

Rule = Callable[..., Any]  # rule(context, *arrays, *params) -> array, or a tuple of arrays


@lru_cache(None)
def rules() -> dict[str, Rule]:
    """The rule of each primitive that devices compute, by its name."""
    found: dict[str, Rule] = {}
    for family in FAMILIES:
        found.update(import_module(f".rules.{family}", __package__).RULES)
    return found


@lru_cache(None)
def host_calls(platform: str) -> frozenset[str]:
    """The primitives that the host computes with their NumPy kernels: they divide a program into parts. platform: jax's name of it."""
    lists = ("HOST", "HOST_OF_CPU") if platform == "cpu" else ("HOST",)
    families = [import_module(f".rules.{family}", __package__) for family in FAMILIES]
    return frozenset(name for family in families for which in lists for name in getattr(family, which, ()))


class Fault:
    """An error that depends on values: raised when the host next looks, if `failed` came out true. message(value) words it."""

    __slots__ = ("error", "message")

    def __init__(self, error: type[Exception], message: Callable[[int], str]):
        self.error, self.message = error, message


class Context:
    """What rules know beside their operands. node: the call. platform: jax's name of it. quick: whether XLA compiles quickly, to loops
    that add one number after another. flags, values and faults: of each error that can happen, whether it did, an integer for its
    message, and its words."""

    __slots__ = ("node", "platform", "precision", "quick", "flags", "values", "faults")

    node: Node

    def __init__(self, platform: str, precision: Precision, quick: bool = False):
        self.platform, self.precision, self.quick = platform, precision, quick
        self.flags: list[Any] = []
        self.values: list[Any] = []
        self.faults: list[Fault] = []

    def fail_if(self, failed: Any, value: Any, error: type[Exception], message: Callable[[int], str]) -> None:
        """Notes that the program fails where `failed`, a 0-dim boolean, is true."""
        self.flags.append(failed)
        self.values.append(jnp.asarray(value, jnp.int64))
        self.faults.append(Fault(error, message))


# ------------------------------------------------------------------ half precision

def widen(x: Any, dt: dtype) -> Any:
    """An array in the precision that `dt` is computed in."""
    if dt is complex32:
        parts = jax.lax.bitcast_convert_type(x, jnp.float16).astype(jnp.float32)
        return jax.lax.complex(parts[..., 0], parts[..., 1])
    return x if dt.wide == array_type(dt) else x.astype(dt.wide)


def narrow(x: Any, dt: dtype) -> Any:
    """A computed array, rounded to `dt`."""
    if x.dtype == array_type(dt):
        return x
    if dt is complex32:
        parts = jnp.stack([jnp.real(x), jnp.imag(x)], -1).astype(jnp.float16)
        return jax.lax.bitcast_convert_type(parts, jnp.uint32)
    return x.astype(array_type(dt))


def _computes_half(node: Node, context: Context) -> bool:
    """Whether the rule takes half precision as it is: an accelerator's contractions do, which sum in float32."""
    return node.prim.kind == "contraction" and context.platform != "cpu" and node.inputs[0].dtype.kind == "f" \
        and node.inputs[0].dtype.itemsize == 2


def lower_node(node: Node, arrays: Sequence[Any], context: Context) -> Sequence[Any]:
    """The results of one call. Half precision is computed in single precision and rounded once, as the interpreter does."""
    context.node = node
    if not node.prim.moves_data and not _computes_half(node, context):
        arrays = [widen(a, v.dtype) for a, v in zip(arrays, node.inputs)]
    result = rules()[node.prim.name](context, *arrays, *node.params)
    results = result if node.prim.n_outputs > 1 else (result,)
    return [narrow(jnp.asarray(r), v.dtype) for r, v in zip(results, node.outputs)]


def lower(nodes: Sequence[Node], inputs: Sequence[Var], outputs: Sequence[Var], context: Context) -> Callable[..., Any]:
    """The function from the arrays of `inputs` to those of `outputs`, and to the flags and values of what can fail."""
    def run(*arrays: Any) -> Any:
        context.flags, context.values, context.faults = [], [], []
        env: dict[Var, Any] = dict(zip(inputs, arrays))
        for node in nodes:
            env.update(zip(node.outputs, lower_node(node, [env[v] for v in node.inputs], context)))
        noted = (jnp.stack(context.flags), jnp.stack(context.values)) if context.flags else ()
        return [env[v] for v in outputs], noted
    return run
