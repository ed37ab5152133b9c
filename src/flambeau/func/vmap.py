"""`vmap`: a function of one example as a function of a batch."""
from __future__ import annotations

import functools
from typing import Any, Callable

from ..ops.shape import cat
from ..tensor.tensor import Tensor
from ..tensor.transforms import batch, batch_level, is_batched, unbatch
from ..tensor.views import movedim
from ..utils._pytree import TreeSpec, broadcast_prefix, tree_flatten, tree_unflatten

RANDOMNESS = ("error", "different", "same")


def name_of(func: Callable) -> str:
    """func's name for messages."""
    if isinstance(func, functools.partial):
        return f"functools.partial({name_of(func.func)}, ...)"
    return getattr(func, "__name__", repr(func))


def vmap(func: Callable, in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *, chunk_size: int | None = None) -> Callable:
    """A function that does func for every example of a batch at once.

    in_dims: the batch dimension of every input: an int, or a tuple like the arguments (nested as they are) of ints and None
    for what all examples share. out_dims: where the outputs have theirs; an int, or a tree like the outputs. randomness: what
    random operations do inside: 'error' raises, 'different' draws for each example, 'same' once for all. chunk_size: how
    many examples to do at a time. ValueError for inputs and outputs that do not fit, RuntimeError for a function whose
    control flow depends on the values of one example.
    """
    if randomness not in RANDOMNESS:
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    if chunk_size is not None and not chunk_size > 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        leaves, dims, spec, size = _inputs(func, in_dims, args)
        if chunk_size is None or chunk_size >= size:
            return _run(func, leaves, dims, spec, size, out_dims, randomness, kwargs)
        return _chunked(func, leaves, dims, spec, size, out_dims, randomness, chunk_size, kwargs)
    return wrapped


def _inputs(func: Callable, in_dims: Any, args: tuple) -> tuple[list, list, TreeSpec, int]:
    """(leaves of the arguments, their batch dimensions or None, structure, batch size); PyTorch's errors."""
    call = f"vmap({name_of(func)}, in_dims={in_dims}, ...)(<inputs>): "
    if isinstance(in_dims, bool) or not isinstance(in_dims, (int, tuple)):
        raise ValueError(f"{call}expected `in_dims` to be int or a (potentially nested) tuple matching the structure of inputs, got: "
                         f"{type(in_dims)}.")
    if not args:
        raise ValueError(f"vmap({name_of(func)})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over "
                         "a function with no inputs. The latter is unsupported.")
    leaves, spec = tree_flatten(args)
    dims = broadcast_prefix(in_dims, spec)
    if dims is None:
        raise ValueError(f"{call}in_dims is not compatible with the structure of `inputs`. in_dims has structure "
                         f"{tree_flatten(in_dims)[1]} but inputs has structure {spec}.")
    dims = [_in_dim(call, leaf, dim) for leaf, dim in zip(leaves, dims)]
    sizes = [leaf.shape[dim] for leaf, dim in zip(leaves, dims) if dim is not None]
    if not sizes:
        raise ValueError(f"{call}at least one input must have a dimension to map over (in_dims other than None).")
    if any(n != sizes[0] for n in sizes):
        raise ValueError(f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sizes} for the mapped "
                         "dimension")
    return leaves, dims, spec, sizes[0]


def _in_dim(call: str, leaf: Any, dim: Any) -> int | None:
    if dim is None:
        return None
    if not isinstance(dim, int):
        raise ValueError(f"{call}Got in_dim={dim} for an input but in_dim must be either an integer dimension or None.")
    if not isinstance(leaf, Tensor):
        raise ValueError(f"{call}Got in_dim={dim} for an input but the input is of type {type(leaf)}. We cannot vmap over non-Tensor "
                         "arguments, please use None as the respective in_dim")
    if not -leaf.ndim <= dim < leaf.ndim:
        raise ValueError(f"{call}Got in_dim={dim} for some input, but that input is a Tensor of dimensionality {leaf.ndim} so expected "
                         f"in_dim to satisfy -{leaf.ndim} <= in_dim < {leaf.ndim}.")
    return dim % leaf.ndim


def _run(func: Callable, leaves: list, dims: list, spec: TreeSpec, size: int, out_dims: Any, randomness: str, kwargs: dict) -> Any:
    with batch_level(size, randomness) as level:
        examples = [x if dim is None else batch(movedim(x, dim, 0), level) for x, dim in zip(leaves, dims)]
        versions = [x._storage.version if isinstance(x, Tensor) else 0 for x in examples]
        outputs, out_spec = tree_flatten(func(*tree_unflatten(examples, spec), **kwargs))
        dims_out = _out_dims(func, out_dims, outputs, out_spec)
        results = [_output(func, out, dim, level) for out, dim in zip(outputs, dims_out)]
        for x, example, dim, version in zip(leaves, examples, dims, versions):
            if dim is not None and example._storage.version != version:  # changed in place: so is what it came from
                movedim(x, dim, 0).copy_(unbatch(example, level))  # type: ignore[attr-defined]
    return tree_unflatten(results, out_spec)


def _out_dims(func: Callable, out_dims: Any, outputs: list, spec: TreeSpec) -> list:
    call = f"vmap({name_of(func)}, ..., out_dims={out_dims})"
    given, _ = tree_flatten(out_dims)
    if any(d is not None and not isinstance(d, int) for d in given):
        raise ValueError(f"{call}: `out_dims` must be an int, None or a python collection of ints representing where in the outputs the "
                         "vmapped dimension should appear.")
    alone = spec.is_leaf() and isinstance(out_dims, tuple) and len(out_dims) == 1  # a tensor may have its dimension in a tuple
    dims = broadcast_prefix(out_dims[0] if alone else out_dims, spec)
    if dims is None:
        raise ValueError(f"{call}(<inputs>): out_dims is not compatible with the structure of `outputs`. out_dims has structure "
                         f"{tree_flatten(out_dims)[1]} but outputs has structure {spec}.")
    return dims


def _output(func: Callable, out: Any, dim: int | None, level: Any) -> Any:
    name = name_of(func)
    if dim is None:
        if isinstance(out, Tensor) and is_batched(out, level):
            raise ValueError(f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is None")
        return out
    if not isinstance(out, Tensor):
        raise ValueError(f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(out)}. Did you mean to set out_dims= to "
                         "None for output?")
    whole = unbatch(out, level)
    return movedim(whole, 0, dim) if dim else whole


def _chunked(func: Callable, leaves: list, dims: list, spec: TreeSpec, size: int, out_dims: Any, randomness: str, chunk_size: int,
             kwargs: dict) -> Any:
    """The batch in parts; random numbers of mode 'same' are the same in all of them."""
    from ..random import get_rng_state, set_rng_state
    state = get_rng_state() if randomness == "same" else None
    parts, out_spec = [], None
    for start in range(0, size, chunk_size):
        if state is not None:
            set_rng_state(state)
        n = min(chunk_size, size - start)
        some = [x if dim is None else x.narrow(dim, start, n) for x, dim in zip(leaves, dims)]
        outputs, out_spec = tree_flatten(_run(func, some, dims, spec, n, out_dims, randomness, kwargs))
        parts.append(outputs)
    assert out_spec is not None
    dims_out = _out_dims(func, out_dims, parts[0], out_spec)
    joined = [xs[0] if dim is None else cat(xs, dim) for xs, dim in zip(zip(*parts), dims_out)]
    return tree_unflatten(joined, out_spec)
