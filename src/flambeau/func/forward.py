"""Forward mode as transformations: `jvp`, `jacfwd`, `hessian` and `linearize`."""
from __future__ import annotations

import functools
from typing import Any, Callable

from .. import autograd
from ..autograd.grad_mode import enable_grad, is_grad_enabled
from ..tensor.tensor import Tensor, alias
from ..tensor.transforms import dual_level, pair, primal_part, reverse_level, tangent_part
from ..utils._pytree import tree_flatten, tree_map, tree_unflatten
from .reverse import basis, check_argnums, check_real, check_tensors, chosen, jacrev, replaced, source
from .vmap import vmap

_JVP = "jvp(f, primals, tangents)"


def jvp(func: Callable, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> tuple:
    """(func(*primals), its derivative in the direction of `tangents`[, more]), in one pass forward.

    tangents are like primals, a tuple. has_aux: func returns (output, more). strict: RuntimeError for an output that does
    not depend on the primals, rather than zeros.
    """
    if not isinstance(primals, tuple):
        raise RuntimeError(f"{_JVP}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals).")
    flat, spec = tree_flatten(primals)
    directions, given = tree_flatten(tangents)
    if given != spec:
        raise RuntimeError(f"{_JVP}: Expected primals and tangents to have the same python structure. For example, if primals is a tuple "
                           f"of 3 tensors, tangents also must be. Got primals with structure {spec} and tangents with structure {given}")
    _check_all_tensors("primals", flat)
    _check_all_tensors("tangents", directions)
    with dual_level() as level:
        duals = [_dual(x, t, level) for x, t in zip(flat, directions)]
        output = func(*tree_unflatten(duals, spec))
        aux = None
        if has_aux:
            if not (isinstance(output, tuple) and len(output) == 2):
                raise RuntimeError(f"{_JVP}: output of function f should be a tuple: (output, aux) if has_aux is True")
            output, aux = output
        outputs, out_spec = tree_flatten(output)
        check_tensors(_JVP, outputs)
        results = tree_unflatten([primal_part(o, level) for o in outputs], out_spec)
        moved = tree_unflatten([_tangent(o, level, strict) for o in outputs], out_spec)
        if has_aux:
            return results, moved, tree_map(lambda x: primal_part(x, level) if isinstance(x, Tensor) else x, aux)
        return results, moved


def _check_all_tensors(what: str, values: list) -> None:
    if not values:
        raise RuntimeError(f"{_JVP}: Expected {what} to contain at least one Tensor.")
    for v in values:
        if not isinstance(v, Tensor):
            raise RuntimeError(f"{_JVP}: Expected {what} to only contain Tensors, got {type(v)}")


def _dual(primal: Tensor, tangent: Tensor, level: Any) -> Tensor:
    from ..autograd.forward_ad import check_dual
    return pair(primal, check_dual(primal, tangent), level)


def _tangent(out: Tensor, level: Any, strict: bool) -> Tensor:
    from ..ops.creation import zeros_like
    found = tangent_part(out, level)
    if found is not None:
        return found
    if strict:
        raise RuntimeError("jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not allowed "
                           "with strict=True.")
    return zeros_like(out)


def jacfwd(func: Callable, argnums: Any = 0, has_aux: bool = False, *, randomness: str = "error") -> Callable:
    """A function that returns the Jacobian of func in the arguments `argnums`, by forward mode: one JVP for each input element.

    As `jacrev`; cheaper where there are fewer inputs than outputs. randomness: as of `vmap`.
    """
    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        check_argnums(argnums, len(args))
        numbers = (argnums,) if isinstance(argnums, int) else argnums
        primals = chosen(args, numbers)
        flat, in_spec = tree_flatten(primals)
        _check_all_tensors("primals", flat)
        check_real("jacfwd", "input", flat)

        def push(*tangents: Tensor) -> Any:
            found = jvp(lambda *xs: func(*replaced(args, numbers, xs), **kwargs), primals, tree_unflatten(tangents, in_spec),
                        has_aux=has_aux)
            return found[1:] if has_aux else found[1]
        units = basis([tuple(x.shape) for x in flat], flat)
        columns = vmap(push, randomness=randomness)(*units)
        aux = None
        if has_aux:
            columns, aux = columns
            aux = tree_map(lambda x: x[0], aux)
        outputs, out_spec = tree_flatten(columns)
        check_real("jacfwd", "output", outputs)
        result = tree_unflatten([_blocks(c, flat, in_spec, argnums) for c in outputs], out_spec)
        return (result, aux) if has_aux else result
    return wrapped


def _blocks(columns: Tensor, inputs: list, in_spec: Any, argnums: Any) -> Any:
    """(N, *output) as the blocks of the inputs, each (*output, *input)."""
    moved = columns.movedim(0, -1)  # type: ignore[attr-defined]
    parts = moved.split([x.numel() for x in inputs], -1)
    blocks = tree_unflatten([p.reshape((*p.shape[:-1], *x.shape)) for p, x in zip(parts, inputs)], in_spec)
    return blocks[0] if isinstance(argnums, int) else blocks


def hessian(func: Callable, argnums: Any = 0) -> Callable:
    """A function that returns the Hessian of func: forward mode over reverse mode."""
    return jacfwd(jacrev(func, argnums), argnums)


def linearize(func: Callable, *primals: Any) -> tuple[Any, Callable]:
    """(func(*primals), jvp_fn): jvp_fn(*tangents) gives the derivative in their direction without running func again.

    The linear map is the transpose of the VJP at the primals. ValueError for integer primals, RuntimeError for tangents
    that are not like the primals.
    """
    flat, spec = tree_flatten(primals)
    for x in flat:
        if x.dtype.kind not in "fc":
            raise ValueError(f"Expected primal to be floating point or complex, but got: {x.dtype}")
    with reverse_level() as level, enable_grad():
        variables = [source(alias(x), level) for x in flat]
        output = func(*tree_unflatten(variables, spec))
        outputs, out_spec = tree_flatten(output)
        tracked = [o for o in outputs if isinstance(o, Tensor) and o.requires_grad]  # type: ignore[attr-defined]
        weights = [alias(o).new_ones(o.shape).requires_grad_(True) for o in tracked]
        pulled = autograd.grad(tracked, variables, weights, create_graph=True, allow_unused=True) if tracked else ()
    reached = [(g, i) for i, g in enumerate(pulled) if g is not None and g.requires_grad]

    def jvp_fn(*tangents: Any) -> Any:
        directions, given = tree_flatten(tangents)
        if given != spec:
            raise RuntimeError(f"Expected the tangents {given} to have the same argspec as the primals {spec}")
        for i, (t, x) in enumerate(zip(directions, flat)):
            if t.shape != x.shape:
                raise RuntimeError(f"tangent:{i} with shape {t.shape} in flattened pytree doesn't match the shape {x.shape} of the "
                                   "corresponding primal.")
        moved = autograd.grad([g for g, _ in reached], weights, [directions[i] for _, i in reached], retain_graph=True, allow_unused=True,
                              create_graph=is_grad_enabled() and any(t.requires_grad for t in directions)) if reached else ()
        by_output = {id(o): m for o, m in zip(tracked, moved)}
        found = [by_output.get(id(o)) for o in outputs]
        return tree_unflatten([alias(o).new_zeros(o.shape) if m is None else m for o, m in zip(outputs, found)], out_spec)
    return tree_map(lambda o: alias(o) if isinstance(o, Tensor) else o, output), jvp_fn
