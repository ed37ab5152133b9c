"""Copies of views: `permute_copy` is `permute` with memory of its own. `unsafe_split` and relatives are copies here,
too."""
from __future__ import annotations

from typing import Any, Callable

from ..tensor import views
from ..tensor.op import op
from ..tensor.tensor import Tensor
from ..tensor.views import clone, wrap_dim
from .. import primitives as p
from . import bits, shape
from .memory_format import contiguous_format


def _copy(x: Tensor) -> Tensor:
    """A row-major copy."""
    return clone(x, memory_format=contiguous_format)


def _copying(name: str, view: Callable, what: str) -> Callable:
    def fn(input: Tensor, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        viewed = view(input, *args, **kwargs)
        result = tuple([_copy(v) for v in viewed]) if isinstance(viewed, tuple) else _copy(viewed)
        if out is None:
            return result
        from ..tensor.write import write_out
        written = write_out(result, out, True, name)
        return None if isinstance(result, tuple) else written
    fn.__name__ = fn.__qualname__ = name
    fn.__doc__ = f"`{what}` as a copy."
    return fn


def _slice(input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    if input.ndim == 0:
        raise RuntimeError("slice() cannot be applied to a 0-dim tensor.")
    d = wrap_dim(dim, input.ndim)
    first, last, _ = slice(start, end, step).indices(input.shape[d])
    return views.slice_view(input, d, first, last, step)


def _view(input: Tensor, size: Any = None, *, dtype: Any = None) -> Tensor:
    return views.view(input, dtype=dtype) if size is None else views.reshape(input, size)


def _expand(input: Tensor, size: Any, *, implicit: bool = False) -> Tensor:
    return views.expand(input, size)


alias_copy = _copying("alias_copy", views.alias_view, "alias")
as_strided_copy = _copying("as_strided_copy", views.as_strided, "as_strided")
detach_copy = _copying("detach_copy", lambda input: input.detach(), "detach")
diagonal_copy = _copying("diagonal_copy", views.diagonal, "diagonal")
expand_copy = _copying("expand_copy", _expand, "expand")
narrow_copy = _copying("narrow_copy", views.narrow, "narrow")
permute_copy = _copying("permute_copy", views.permute, "permute")
select_copy = _copying("select_copy", views.select, "select")
slice_copy = _copying("slice_copy", _slice, "slice")
split_copy = _copying("split_copy", shape.split, "split")
split_with_sizes_copy = _copying("split_with_sizes_copy", shape.split_with_sizes, "split_with_sizes")
squeeze_copy = _copying("squeeze_copy", views.squeeze, "squeeze")
t_copy = _copying("t_copy", views.t, "t")
transpose_copy = _copying("transpose_copy", views.transpose, "transpose")
unbind_copy = _copying("unbind_copy", views.unbind, "unbind")
unfold_copy = _copying("unfold_copy", views.unfold, "unfold")
unsqueeze_copy = _copying("unsqueeze_copy", views.unsqueeze, "unsqueeze")
view_copy = _copying("view_copy", _view, "view")
view_as_complex_copy = _copying("view_as_complex_copy", bits.view_as_complex, "view_as_complex")
view_as_real_copy = _copying("view_as_real_copy", bits.view_as_real, "view_as_real")


# ------------------------------------------------------------------ parts that are not views

@op("UnsafeSplitBackward0", name="unsafe_split")
def _unsafe_split(input: Tensor, sizes, dim):  # noqa: F821
    parts, at = [], 0
    for n in sizes:
        parts.append(p.slice_dim(input, dim, at, at + n))
        at += n
    return tuple(parts)


def unsafe_split(input: Tensor, split_size: int, dim: int = 0) -> tuple[Tensor, ...]:
    """`split` whose parts may be written to independently."""
    if input.ndim == 0:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    if split_size < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={split_size}")
    return _unsafe_split(input, shape.equal_parts(input, split_size, dim), wrap_dim(dim, input.ndim))


def unsafe_split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """`split_with_sizes` whose parts may be written to independently."""
    return _unsafe_split(input, *shape.checked_sizes(input, split_sizes, dim))


def unsafe_chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """`chunk` whose parts may be written to independently."""
    size = shape.chunk_size(input, chunks, dim)
    return unsafe_split(input, size, dim) if size else unsafe_split_with_sizes(input, [0] * chunks, dim)


METHODS = {"unsafe_split": unsafe_split, "unsafe_split_with_sizes": unsafe_split_with_sizes,
           "unsafe_chunk": unsafe_chunk, "narrow_copy": narrow_copy}
