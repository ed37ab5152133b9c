"""Views of memory as another dtype: `Tensor.view(dtype)`, complex numbers as pairs of reals and back, their parts."""
from __future__ import annotations

from typing import Any

from ..dtypes import dtype as dtype_class, float16, float32, float64
from ..ir.types import contiguous_strides
from ..tensor.autocast import in_float32
from ..tensor.tensor import Tensor
from ..tensor.views import make_view, select


def view_dtype(self: Tensor, dtype: dtype_class) -> Tensor:
    """The same bytes read as `dtype`; the last dimension grows or shrinks with the size of the elements. No gradient flows."""
    shape, strides, offset = self._geometry()
    old, new = self.dtype.itemsize, dtype.itemsize
    if old == new:
        return make_view(self, shape, strides, offset, "", None, dtype)
    if not shape:
        raise RuntimeError(f"self.dim() cannot be 0 to view {self.dtype._legacy} as {dtype._legacy} (different element sizes)")
    if strides[-1] != 1 and shape[-1] != 1:
        raise RuntimeError(f"self.stride(-1) must be 1 to view {self.dtype._legacy} as {dtype._legacy} (different element sizes), but got "
                           f"{strides[-1]}")
    if new < old:
        ratio = old // new
        return make_view(self, (*shape[:-1], shape[-1] * ratio), (*[s * ratio for s in strides[:-1]], 1), offset * ratio, "", None, dtype)
    ratio = new // old
    if shape[-1] % ratio:
        raise RuntimeError(f"self.size(-1) must be divisible by {ratio} to view {self.dtype._legacy} as {dtype._legacy} (different element "
                           f"sizes), but got {shape[-1]}")
    if offset % ratio:
        raise RuntimeError(f"self.storage_offset() must be divisible by {ratio} to view {self.dtype._legacy} as {dtype._legacy} (different "
                           f"element sizes), but got {offset}")
    for i, s in enumerate(strides[:-1]):
        if s % ratio:
            raise RuntimeError(f"self.stride({i}) must be divisible by {ratio} to view {self.dtype._legacy} as {dtype._legacy} (different "
                               f"element sizes), but got {s}")
    new_shape = (*shape[:-1], shape[-1] // ratio)
    new_strides = (*[s // ratio for s in strides[:-1]], 1) if 0 not in shape else contiguous_strides(new_shape)
    return make_view(self, new_shape, new_strides, offset // ratio, "", None, dtype)


def view_as_real(input: Tensor) -> Tensor:
    """A complex tensor as a real one with a last dimension of size 2 (real part, imaginary part), on the same memory."""
    if input.dtype.kind != "c":
        raise RuntimeError("view_as_real is only supported for complex tensors")
    shape, strides, offset = input._geometry()
    return make_view(input, (*shape, 2), (*[2 * s for s in strides], 1), 2 * offset, "ViewAsRealBackward0",
                     lambda g: view_as_complex(g.contiguous()), input.dtype.to_real())


@in_float32
def view_as_complex(input: Tensor) -> Tensor:
    """A real tensor whose last dimension has size 2 (real part, imaginary part) as a complex one, on the same memory."""
    if input.dtype not in (float16, float32, float64):
        raise RuntimeError("view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar type: "
                           f"{input.dtype._legacy}")
    shape, strides, offset = input._geometry()
    if not shape:
        raise RuntimeError("Input tensor must have one or more dimensions")
    if shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    if strides[-1] != 1:
        raise RuntimeError("Tensor must have a last dimension with stride 1")
    if any(s % 2 for s in strides[:-1]):
        raise RuntimeError("Tensor must have a stride divisible by 2 for all but last dimension")
    if offset % 2:
        raise RuntimeError("Tensor must have a storage_offset divisible by 2")
    return make_view(input, shape[:-1], tuple(s // 2 for s in strides[:-1]), offset // 2, "ViewAsComplexBackward0", view_as_real,
                     input.dtype.to_complex())


def real(input: Tensor) -> Tensor:
    """A view of the real parts; a real tensor itself."""
    return select(view_as_real(input), -1, 0) if input.dtype.kind == "c" else input


def imag(input: Tensor) -> Tensor:
    """A view of the imaginary parts of a complex tensor."""
    if input.dtype.kind != "c":
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return select(view_as_real(input), -1, 1)


def _set(part: Tensor, value: Any) -> None:
    if isinstance(value, Tensor):
        part.copy_(value)  # type: ignore[attr-defined]
    else:
        part.fill_(value)  # type: ignore[attr-defined]


METHODS = {"real": property(real, lambda self, value: _set(real(self), value)),
           "imag": property(imag, lambda self, value: _set(imag(self), value))}
