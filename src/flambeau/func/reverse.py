"""Reverse mode as transformations: `grad`, `grad_and_value`, `vjp` and `jacrev`.

The inputs are given a place of their own in the autograd graph (`source`), so that gradients stop there, and go on to what
lies outside only where someone outside differentiates, too.
"""
from __future__ import annotations

import functools
import weakref
from typing import Any, Callable, Sequence

from .. import autograd
from ..autograd.grad_mode import enable_grad, is_grad_enabled
from ..tensor.node import AccumulateGrad, Node
from ..tensor.tensor import Tensor, alias
from ..runtime.levels import running
from ..tensor.transforms import PassageNode, ReverseLevel, reverse_level
from ..utils._pytree import TreeSpec, tree_flatten, tree_map, tree_unflatten
from .vmap import vmap


_made: weakref.WeakSet[Node] = weakref.WeakSet()  # the leaves that gradient transformations, running or not, made


def source(x: Any, level: ReverseLevel) -> Any:
    """An input as a variable to differentiate in: the same memory, with a node that only this transformation knows."""
    if not isinstance(x, Tensor):
        return x
    if x.dtype.kind not in "fc":
        raise RuntimeError("only Tensors of floating point dtype can require gradients")
    out = alias(x)
    if x.requires_grad:  # type: ignore[attr-defined]
        out._node = PassageNode([x], lambda gs: [gs[0]])
    else:
        out._node = AccumulateGrad(out)
        _made.add(out._node)
        level.variables.add(out._node)
    return out


def _beyond(t: Any, level: ReverseLevel) -> bool:
    """Whether t depends on variables outside of a transformation: of the program, or of a transformation around it."""
    if not isinstance(t, Tensor) or not t.requires_grad:  # type: ignore[attr-defined]
        return False
    around = {v for other in running() if isinstance(other, ReverseLevel) and other is not level for v in other.variables}
    seen: set[Node] = {t._node}
    stack = [t._node]
    while stack:
        node = stack.pop()
        if type(node) is AccumulateGrad and (node not in _made or node in around):
            return True
        for e in node.edges:
            if e is not None and e[0] not in seen:
                seen.add(e[0])
                stack.append(e[0])
    return False


def _result(t: Any, level: ReverseLevel) -> Any:
    """t as it leaves a transformation: with its history only if that is someone else's business."""
    keep = not isinstance(t, Tensor) or t._node is None or is_grad_enabled() and _beyond(t, level)
    return t if keep else alias(t)


def _gradients(outputs: Sequence[Tensor], inputs: Sequence[Tensor], cotangents: Sequence[Tensor | None], retain: bool,
               create: bool) -> list[Tensor]:
    """One gradient for each input, zeros where there is none."""
    from ..ops.creation import zeros_like
    tracked = [(o, g) for o, g in zip(outputs, cotangents) if o.requires_grad]  # type: ignore[attr-defined]
    variables = [x for x in inputs if isinstance(x, Tensor)]
    if not tracked:
        return [zeros_like(alias(x)) for x in variables]
    found = autograd.grad([o for o, _ in tracked], variables, [g for _, g in tracked], retain_graph=retain or create, create_graph=create,
                          allow_unused=True)
    return [zeros_like(alias(x)) if g is None else g for g, x in zip(found, variables)]


# ------------------------------------------------------------------ argnums

def check_argnums(argnums: Any, count: int) -> None:
    """PyTorch's errors for the numbers of the arguments to differentiate in."""
    if isinstance(argnums, int):
        numbers: tuple = (argnums,)
    elif isinstance(argnums, tuple):
        numbers = argnums
        if not all(isinstance(n, int) for n in numbers):
            raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {argnums}")
        if len(set(numbers)) != len(numbers):
            raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    else:
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    for n in numbers:
        if not -count <= n < count:
            raise RuntimeError(f"Got argnum={n}, but only {count} positional inputs")


def chosen(args: tuple, argnums: Any) -> Any:
    """The argument, or tuple of arguments, that argnums names."""
    return args[argnums] if isinstance(argnums, int) else tuple(args[n] for n in argnums)


def replaced(args: tuple, argnums: Any, values: Any) -> tuple:
    """args with those that argnums names replaced."""
    new = list(args)
    for n, value in [(argnums, values)] if isinstance(argnums, int) else zip(argnums, values):
        new[n] = value
    return tuple(new)


# ------------------------------------------------------------------ grad

def grad_and_value(func: Callable, argnums: Any = 0, has_aux: bool = False) -> Callable:
    """A function that returns (gradient, value) of func, whose output is a tensor without dimensions.

    argnums: the argument, or tuple of arguments, to differentiate in; they may be nested containers of tensors, and the
    gradient is like them. has_aux: func returns (output, more), and the value is that pair. RuntimeError for other outputs.
    """
    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        check_argnums(argnums, len(args))
        with reverse_level() as level:
            with enable_grad():
                variables = tree_map(lambda x: source(x, level), chosen(args, argnums))
                output = func(*replaced(args, argnums, variables), **kwargs)
            output, aux = _with_aux("grad_and_value(f)(*args): output of function f", output, has_aux)
            _check_scalar(output)
            flat, spec = tree_flatten(variables)
            create = is_grad_enabled() and _beyond(output, level)
            gradients = _gradients([output], flat, [None], retain=create, create=create)
            value = _result(output, level)
            gradient = tree_unflatten(gradients, spec)
            return (gradient, (value, tree_map(lambda x: _result(x, level), aux))) if has_aux else (gradient, value)
    return wrapped


def _with_aux(what: str, output: Any, has_aux: bool) -> tuple:
    if not has_aux:
        return output, None
    if not (isinstance(output, tuple) and len(output) == 2):
        raise RuntimeError(f"{what} should be a tuple: (output, aux) if has_aux is True")
    return output


def _check_scalar(output: Any) -> None:
    if not isinstance(output, Tensor):
        raise RuntimeError(f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got {type(output)}")
    if output.ndim:
        raise RuntimeError(f"grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor with {output.ndim} dims. "
                           "Maybe you wanted to use the vjp or jacrev APIs instead?")


def grad(func: Callable, argnums: Any = 0, has_aux: bool = False) -> Callable:
    """A function that returns the gradient of func, whose output is a tensor without dimensions; with has_aux, (gradient, more).

    As `grad_and_value`, without the value.
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient
    return wrapped


# ------------------------------------------------------------------ vjp

def check_tensors(what: str, values: Sequence[Any]) -> None:
    """RuntimeError for an output that is no tensor."""
    for v in values:
        if not isinstance(v, Tensor):
            raise RuntimeError(f"{what}: expected f(*{'primals' if 'primals' in what else 'args'}) to return only tensors, got unsupported "
                               f"type {type(v)}")


def check_real(what: str, kind: str, values: Sequence[Any]) -> None:
    """RuntimeError for a complex input or output of a Jacobian, which would have to say of which parts it is."""
    for i, v in enumerate(values):
        if isinstance(v, Tensor) and v.dtype.kind == "c":
            raise RuntimeError(f"{what}: Expected all {kind}s to be real but received complex tensor at flattened input idx: {i}")


def vjp(func: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """(func(*primals), vjp_fn[, more]): vjp_fn(cotangents) gives the tuple of vector-Jacobian products, one like each primal.

    cotangents are like the output. has_aux: func returns (output, more). RuntimeError for outputs that are not tensors and
    for cotangents of another structure.
    """
    with reverse_level() as level:
        with enable_grad():
            variables = tree_map(lambda x: source(x, level), primals)
            output = func(*variables)
        output, aux = _with_aux("vjp(f, *primals): output of function f", output, has_aux)
        outputs, out_spec = tree_flatten(output)
        check_tensors("vjp(f, *primals)", outputs)
        for o in outputs:
            if o.dtype.kind not in "fc":
                raise RuntimeError("vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got Tensor with dtype "
                                   f"{o.dtype!r}")
        if has_aux:
            for x in tree_flatten(aux)[0]:
                if not isinstance(x, Tensor):
                    raise RuntimeError(f"Expected tensors, got unsupported type {type(x)}")
        flat, spec = tree_flatten(variables)
        deeper = any(_beyond(o, level) for o in outputs)
        pull = _pullback(outputs, out_spec, flat, spec, deeper)
        result, aux = tree_map(lambda x: _result(x, level), (output, aux))
        return (result, pull, aux) if has_aux else (result, pull)


def _pullback(outputs: list, out_spec: TreeSpec, variables: list, spec: TreeSpec, deeper: bool) -> Callable:
    def vjp_fn(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        flat, given = tree_flatten(cotangents)
        if given != out_spec:
            raise RuntimeError("Expected pytree structure of cotangents to be the same as pytree structure of outputs to the function. "
                               f"cotangents: {_structure(given)}, primal output: {_structure(out_spec)}")
        if create_graph is None:
            create_graph = is_grad_enabled() and (deeper or any(g.requires_grad for g in flat))
        return tree_unflatten(_gradients(outputs, variables, flat, retain_graph, create_graph), spec)
    return vjp_fn


class _Star:
    def __repr__(self) -> str:
        return "*"


def _structure(spec: TreeSpec) -> str:
    return repr(tree_unflatten([_Star()] * spec.num_leaves, spec))


# ------------------------------------------------------------------ jacrev

def basis(shapes: Sequence[tuple], like: Sequence[Tensor]) -> list[Tensor]:
    """One tensor (N, *shape) for each shape: together, row by row, the N unit vectors of their direct sum."""
    from ..ops.creation import eye
    sizes = [t.numel() for t in like]  # type: ignore[attr-defined]
    total, at, parts = sum(sizes), 0, []
    for t, n, shape in zip(like, sizes, shapes):
        parts.append(eye(total, dtype=t.dtype).narrow(1, at, n).reshape((total, *shape)))  # type: ignore[attr-defined]
        at += n
    return parts


def jacrev(func: Callable, argnums: Any = 0, *, has_aux: bool = False, chunk_size: int | None = None,
           _preallocate_and_copy: bool = False) -> Callable:
    """A function that returns the Jacobian of func in the arguments `argnums`, by reverse mode: one VJP for each output element.

    For an output of shape O and an input of shape I it has the shape O + I; containers of outputs hold containers of inputs.
    chunk_size: how many VJPs to do at a time.
    """
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        check_argnums(argnums, len(args))
        numbers = (argnums,) if isinstance(argnums, int) else argnums
        check_real("jacrev", "input", tree_flatten(chosen(args, numbers))[0])
        found = vjp(lambda *xs: func(*replaced(args, numbers, xs), **kwargs), *chosen(args, numbers), has_aux=has_aux)
        output, pull = found[0], found[1]
        outputs, out_spec = tree_flatten(output)
        check_real("jacrev", "output", outputs)
        units = basis([tuple(o.shape) for o in outputs], outputs)
        rows = vmap(pull, chunk_size=chunk_size)(tree_unflatten(units, out_spec))
        if isinstance(argnums, int):
            rows = rows[0]
        flat, in_spec = tree_flatten(rows)
        jacobians = [[part.reshape((*o.shape, *r.shape[1:])) for part, o in zip(r.split([x.numel() for x in outputs]), outputs)]
                     for r in flat]
        result = tree_unflatten([tree_unflatten(list(js), in_spec) for js in zip(*jacobians)], out_spec)
        return (result, found[2]) if has_aux else result
    return wrapped
