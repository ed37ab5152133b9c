"""Which op has which sparse variant. `VARIANTS` maps the names of ops to functions of their positional arguments."""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ..ops.creation import filled
from ..tensor.not_strided import NotStrided
from . import arithmetic, compressed, csr, products, reductions, shape
from .coo import SparseTensor, sparse


def _no_elements(input: SparseTensor, *rest: Any) -> SparseTensor:
    """A sparse tensor of zeros, of input's shape."""
    values = input._values_tensor
    empty = filled((0, *values.shape[1:]), 0, values.dtype)
    return sparse(np.zeros((input.sparse_dim(), 0), np.int64), empty, tuple(input.shape), True)


VARIANTS: dict[str, Callable[..., Any]] = {
    **arithmetic.VARIANTS, **products.VARIANTS, **reductions.VARIANTS, **shape.VARIANTS,
    "_cast_to": lambda input, dtype: input.to(dtype),
    "zeros_like": _no_elements, "empty_like": _no_elements, "clone": lambda input, *rest: input.clone(),
}


def call(name: str, args: tuple) -> Any:
    """The sparse variant of the op `name` on these arguments; NotImplementedError if there is none."""
    variant = VARIANTS.get(name)
    if variant is None:
        raise NotStrided(name)
    if any(isinstance(a, compressed.SparseCompressedTensor) for a in args):
        return compressed.call(variant, name, args)
    return csr.call(variant, name, args) if any(isinstance(a, csr.SparseCSRTensor) for a in args) else variant(*args)


def zero_(self: SparseTensor) -> SparseTensor:
    """Forgets all elements."""
    return self._replace(_no_elements(self))


def copy_(self: SparseTensor, src: SparseTensor, non_blocking: bool = False) -> SparseTensor:
    """Takes over the elements of another sparse tensor, in this one's dtype."""
    if not isinstance(src, SparseTensor):
        raise RuntimeError("copy_() between dense and sparse Tensors is not implemented! Found self type = torch.sparse.FloatTensor and "
                           f"src type = torch.{src.dtype._legacy}Tensor")
    return self._replace(src.to(self.dtype).clone())


def _operator(name: str, swapped: bool = False) -> Callable:
    variant = VARIANTS[name]

    def method(self: Any, other: Any) -> Any:
        return variant(other, self) if swapped else variant(self, other)
    return method


def _in_place(name: str) -> Callable:
    variant = VARIANTS[name]

    def method(self: SparseTensor, *args: Any, **kwargs: Any) -> SparseTensor:
        return self._replace(variant(self, *args, **kwargs))
    method.__doc__ = f"`{name}`, in place."
    return method


METHODS: dict[str, Any] = {
    "__add__": _operator("add"), "__radd__": _operator("add", True), "__sub__": _operator("sub"), "__rsub__": _operator("sub", True),
    "__mul__": _operator("mul"), "__rmul__": _operator("mul"), "__truediv__": _operator("div"), "__rtruediv__": _operator("div", True),
    "__floordiv__": _operator("floor_divide"), "__pow__": _operator("pow"), "__matmul__": _operator("matmul"),
    "__rmatmul__": _operator("matmul", True), "__iadd__": arithmetic.add_, "__isub__": arithmetic.sub_,
    "__imul__": _in_place("mul"), "__itruediv__": _in_place("div"), "__neg__": VARIANTS["neg"], "__abs__": VARIANTS["abs"],
    "__getitem__": shape.getitem, "zero_": zero_, "copy_": copy_,
    **{name + "_": _in_place(name) for name in ("add", "sub", "mul", "div", "floor_divide", "pow", "neg", "abs", "sqrt", "relu", "sin", "tanh")},
    **{name: VARIANTS[name] for name in ("transpose", "permute", "t", "unsqueeze", "select", "narrow_copy", "norm")},
    "T": property(shape.t), "mT": property(shape.t),
    "__iter__": lambda self: (shape.select(self, 0, i) for i in range(self.shape[0])),
}

def _called(name: str, swapped: bool = False) -> Callable:
    def method(self: Any, *args: Any) -> Any:
        return call(name, (*args, self) if swapped else (self, *args))
    return method


METHODS_BY_ROWS: dict[str, Any] = {
    "__add__": _called("add"), "__radd__": _called("add", True), "__mul__": _called("mul"), "__rmul__": _called("mul"),
    "__sub__": _called("sub"), "__truediv__": _called("div"), "__matmul__": _called("matmul"), "__rmatmul__": _called("matmul", True),
    "__neg__": _called("neg"), "__abs__": _called("abs"), "select": _called("select"), "t": _called("t"), "transpose": _called("transpose"),
    "__getitem__": lambda self, key: shape.getitem(self.to_sparse_coo(), key),
}

_COMPRESSED = {name: method for name, method in METHODS_BY_ROWS.items() if name not in ("t", "transpose")}
_COMPRESSED["__getitem__"] = lambda self, key: self.select(0, key) if isinstance(key, int) else shape.getitem(self.to_sparse_coo(), key)

for _class, _methods in ((SparseTensor, METHODS), (csr.SparseCSRTensor, METHODS_BY_ROWS), (compressed.SparseCompressedTensor, _COMPRESSED)):
    for _name, _method in _methods.items():
        setattr(_class, _name, _method)
    for _name in ("to_sparse_csc", "to_sparse_bsr", "to_sparse_bsc"):
        setattr(_class, _name, getattr(compressed, _name))
SparseTensor.to_sparse_csr = csr.to_sparse_csr  # type: ignore[attr-defined]
compressed.SparseCompressedTensor.to_sparse_csr = compressed._to_sparse_csr  # type: ignore[attr-defined]
