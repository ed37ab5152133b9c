"""Matrix products: matmul and its relatives, einsum's building blocks, linear layers."""
# ruff: noqa: F821
from __future__ import annotations

from typing import Any

from .. import primitives as p
from ..ir.graph import Var
from ..tensor.op import inplace, op
from ..tensor.tensor import Tensor as TensorClass
from ..tensor.views import resize_
from ..tensor.write import assign, check_writable


def same_dtype(name: str, *xs: Var) -> None:
    """Matrix products do not promote."""
    for x in xs[1:]:
        if x is not None and x.dtype is not xs[0].dtype:
            raise RuntimeError(f"expected m1 and m2 to have the same dtype, but got: {_c_name(xs[0])} != {_c_name(x)}")


def _same_dtype_as_product(addend: Var, mat1: Var, mat2: Var) -> None:
    """Nor does what is added to a product."""
    for name, x in (("self", addend), ("mat1", mat1)):
        if x.dtype is not mat2.dtype:
            raise RuntimeError(f"{name} and mat2 must have the same dtype, but got {x.dtype._legacy} and {mat2.dtype._legacy}")


def _c_name(x: Var) -> str:
    return {"float32": "float", "float64": "double", "int64": "long int", "int32": "int", "int16": "short int", "int8": "signed char",
            "uint8": "unsigned char", "float16": "c10::Half", "bfloat16": "c10::BFloat16", "complex64": "c10::complex<float>",
            "complex128": "c10::complex<double>", "bool": "bool"}.get(x.dtype.name, x.dtype.name)


def _sizes(x: Var) -> str:
    return "x".join(map(str, x.shape))


@op("MmBackward0", strict_out="dtype")
def mm(input: Tensor, mat2: Tensor):
    """The product of two matrices (N, M) and (M, P)."""
    if input.ndim != 2:
        raise RuntimeError("self must be a matrix")
    if mat2.ndim != 2:
        raise RuntimeError("mat2 must be a matrix")
    same_dtype("mm", input, mat2)
    if input.shape[1] != mat2.shape[0]:
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({_sizes(input)} and {_sizes(mat2)})")
    return p.dot(input, mat2, (1,), (0,))


@op("BmmBackward0", strict_out="dtype")
def bmm(input: Tensor, mat2: Tensor):
    """Products of B pairs of matrices (B, N, M) and (B, M, P)."""
    for i, x in ((1, input), (2, mat2)):
        if x.ndim != 3:
            raise RuntimeError(f"batch{i} must be a 3D tensor")
    same_dtype("bmm", input, mat2)
    if input.shape[0] != mat2.shape[0] or input.shape[2] != mat2.shape[1]:
        raise RuntimeError(f"Expected size for first two dimensions of batch2 tensor to be: [{input.shape[0]}, {input.shape[2]}] but got: "
                           f"[{mat2.shape[0]}, {mat2.shape[1]}].")
    return p.matmul(input, mat2)


@op("DotBackward0", strict_out="dtype")
def dot(input: Tensor, tensor: Tensor):
    """The sum of products of two vectors."""
    if input.ndim != 1 or tensor.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors")
    if input.dtype is not tensor.dtype:
        raise RuntimeError(f"dot : expected both vectors to have same dtype, but found {input.dtype._legacy} and {tensor.dtype._legacy}")
    if input.shape != tensor.shape:
        raise RuntimeError(f"inconsistent tensor size, expected tensor [{input.shape[0]}] and src [{tensor.shape[0]}] to have the same "
                           f"number of elements, but got {input.shape[0]} and {tensor.shape[0]} elements respectively")
    return p.dot(input, tensor, (0,), (0,))


@op("VdotBackward0", strict_out="dtype")
def vdot(input: Tensor, other: Tensor):
    """The sum of products of conj(input) and other, two vectors."""
    return dot.op.body(p.conj(input), other)


@op("MvBackward0", strict_out="dtype")
def mv(input: Tensor, vec: Tensor):
    """The product of a matrix (N, M) and a vector (M,)."""
    if input.ndim != 2 or vec.ndim != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got 1, {input.ndim}, {vec.ndim}")
    same_dtype("mv", input, vec)
    if input.shape[1] != vec.shape[0]:
        raise RuntimeError(f"size mismatch, got input ({input.shape[0]}), mat ({_sizes(input)}), vec ({vec.shape[0]})")
    return p.dot(input, vec, (1,), (0,))


def _matmul(a: Var, b: Var) -> Var:
    """torch.matmul's cases on Vars."""
    if a.ndim == 0 or b.ndim == 0:
        raise RuntimeError(f"both arguments to matmul need to be at least 1D, but they are {a.ndim}D and {b.ndim}D")
    if a.dtype is not b.dtype:
        same_dtype("matmul", a, b)
    if a.ndim == 1 and b.ndim == 1:
        return dot.op.body(a, b)
    k_a, k_b = a.ndim - 1, max(b.ndim - 2, 0)
    if a.shape[k_a] != b.shape[k_b]:
        if a.ndim <= 2 and b.ndim <= 2:
            if b.ndim == 1:
                raise RuntimeError(f"size mismatch, got input ({a.shape[0]}), mat ({_sizes(a)}), vec ({b.shape[0]})")
            left = f"1x{a.shape[0]}" if a.ndim == 1 else _sizes(a)
            raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({left} and {_sizes(b)})")
        if b.ndim <= 2 and a.ndim >= 3:
            rows = a.size // max(a.shape[-1], 1)
            right = _sizes(b) if b.ndim == 2 else f"{b.shape[0]}x1"
            raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({rows}x{a.shape[-1]} and {right})")
        raise RuntimeError(f"Expected size for first two dimensions of batch2 tensor to be: [{_batch(a, b)}, {a.shape[-1]}] but got: "
                           f"[{_batch(a, b)}, {b.shape[k_b]}].")
    if b.ndim <= 2 or a.ndim == 1 and b.ndim == 2:
        return p.dot(a, b, (k_a,), (k_b,))
    if a.ndim == 1:
        return _matmul_1(a, b)
    lead = p.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return p.matmul(p.broadcast_to(a, (*lead, *a.shape[-2:])), p.broadcast_to(b, (*lead, *b.shape[-2:])))


def _matmul_1(a: Var, b: Var) -> Var:
    row = p.reshape(a, (1, *a.shape))
    out = _matmul(p.broadcast_to(row, (*b.shape[:-2], *row.shape)), b)
    return p.reshape(out, (*out.shape[:-2], out.shape[-1]))


def _batch(a: Var, b: Var) -> int:
    n = 1
    for s in p.broadcast_shapes(a.shape[:-2], b.shape[:-2]):
        n *= s
    return n


def _matmul_grad_name(input, other) -> str:
    if input.ndim == 1:
        return "DotBackward0" if other.ndim == 1 else "SqueezeBackward4"
    if input.ndim == 2 and other.ndim <= 2:
        return "MmBackward0" if other.ndim == 2 else "MvBackward0"
    return "UnsafeViewBackward0"


@op(_matmul_grad_name, strict_out="dtype")
def matmul(input: Tensor, other: Tensor):
    """The matrix product: of vectors, matrices, or stacks of matrices, whose leading dimensions broadcast."""
    return _matmul(input, other)


@op("MmBackward0")
def _rmatmul(input: Tensor, other: Tensor):
    return _matmul(other, input)


def _scaled_sum(input: Var, product: Var, beta, alpha) -> Var:
    """beta · input + alpha · product; beta = 0 ignores input, NaN included."""
    if isinstance(alpha, Var) or alpha != 1:
        product = product * (p.cast(alpha, product.dtype) if isinstance(alpha, Var) else alpha)
    if not isinstance(beta, Var) and beta == 0:
        return product
    if isinstance(beta, Var) or beta != 1:
        beta = p.cast(beta, input.dtype) if isinstance(beta, Var) else beta
        zero = p.eq(beta, 0) if isinstance(beta, Var) else None
        scaled = input * beta
        input = scaled if zero is None else p.select(zero, p.zeros_like(scaled), scaled)
    shape = p.broadcast_shapes(input.shape, product.shape)
    if shape != product.shape:
        raise RuntimeError(f"The expanded size of the tensor ({product.shape[-1]}) must match the existing size ({input.shape[-1]}) at "
                           f"non-singleton dimension {product.ndim - 1}.  Target sizes: {list(product.shape)}.  Tensor sizes: "
                           f"{list(input.shape)}")
    return p.add(input, product)


@op("AddmmBackward0", strict_out="dtype")
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Scalar = 1, alpha: Scalar = 1):
    """beta · input + alpha · (mat1 @ mat2)."""
    _same_dtype_as_product(input, mat1, mat2)
    return _scaled_sum(input, mm.op.body(mat1, mat2), beta, alpha)


@op("AddmvBackward0", strict_out="dtype")
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Scalar = 1, alpha: Scalar = 1):
    """beta · input + alpha · (mat @ vec)."""
    return _scaled_sum(input, mv.op.body(mat, vec), beta, alpha)


@op("BaddbmmBackward0", strict_out="dtype")
def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Scalar = 1, alpha: Scalar = 1):
    """beta · input + alpha · (batch1 @ batch2)."""
    return _scaled_sum(input, bmm.op.body(batch1, batch2), beta, alpha)


@op("AddbmmBackward0", strict_out="dtype")
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Scalar = 1, alpha: Scalar = 1):
    """beta · input + alpha · Σ over the batch of (batch1 @ batch2)."""
    bmm.op.body(batch1, batch2)  # its checks
    return _scaled_sum(input, p.dot(batch1, batch2, (0, 2), (0, 1)), beta, alpha)


def addbmm_(self: TensorClass, batch1: TensorClass, batch2: TensorClass, *, beta: Any = 1, alpha: Any = 1) -> TensorClass:
    """`addbmm` in place; a self that only broadcasts to the result takes its shape."""
    shape = (batch1.shape[1], batch2.shape[2])
    if tuple(self.shape) == shape:
        return _addbmm_in_place(self, batch1, batch2, beta=beta, alpha=alpha)
    check_writable(self)
    result = addbmm(self, batch1, batch2, beta=beta, alpha=alpha)
    resize_(self, shape)
    assign(self, result)
    return self


_addbmm_in_place = inplace(addbmm)


@op("AddrBackward0")
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Scalar = 1, alpha: Scalar = 1):
    """beta · input + alpha · outer(vec1, vec2)."""
    from .promotion import convert, result_dtype
    input, vec1, vec2 = convert(result_dtype(input, vec1, vec2), input, vec1, vec2)
    return _scaled_sum(input, outer.op.body(vec1, vec2), beta, alpha)


@op("MulBackward0")
def outer(input: Tensor, vec2: Tensor):
    """All products of an element of input with one of vec2: (N, M)."""
    from .arithmetic import mul
    if input.ndim != 1 or vec2.ndim != 1:
        raise RuntimeError(f"outer: Expected 1-D argument {'self' if input.ndim != 1 else 'vec2'}, but got "
                           f"{(input if input.ndim != 1 else vec2).ndim}-D")
    return mul.op.body(p.reshape(input, (input.shape[0], 1)), vec2)


def _linear_grad_name(input, weight, bias=None) -> str:
    if input.ndim == 2:
        return "MmBackward0" if bias is None else "AddmmBackward0"
    if bias is not None:
        return "ViewBackward0"
    return "SqueezeBackward4" if input.ndim == 1 else "UnsafeViewBackward0"


@op(_linear_grad_name, strict_out="dtype")
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None):
    """input @ weightᵀ + bias. input (…, in), weight (out, in) or (in,), bias (out,) or () → (…, out)."""
    if weight.ndim not in (1, 2):
        raise RuntimeError(f"linear(): weight must be 1D or 2D, got {weight.ndim}D")
    if bias is None:
        same_dtype("linear", input, weight)
    else:
        _same_dtype_as_product(bias, input, weight)
    features = weight.shape[-1]
    if input.ndim == 0 or input.shape[-1] != features:
        rows = f"{input.size // max(input.shape[-1], 1)}x{input.shape[-1]}" if input.ndim else "0-D"
        right = f"{weight.shape[1]}x{weight.shape[0]}" if weight.ndim == 2 else f"{features}"
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({rows} and {right})\n"
                           f"  linear: input {list(input.shape)} has {input.shape[-1] if input.ndim else 'no'} features, "
                           f"the weight {list(weight.shape)} takes {features}")
    out = p.dot(input, weight, (input.ndim - 1,), (weight.ndim - 1,))
    return out if bias is None else p.add(out, bias)


@op("BilinearBackward0")
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None):
    """y_k = x1ᵀ W_k x2 + b_k. input1 (…, in1), input2 (…, in2), weight (out, in1, in2), bias (out,) → (…, out)."""
    if input1.shape[:-1] != input2.shape[:-1]:
        raise RuntimeError(f"bilinear(): input batch dimensions do not match: got {list(input1.shape)} and {list(input2.shape)}")
    if input1.shape[-1] != weight.shape[1]:
        raise RuntimeError(f"bilinear(): input1 size does not match weight size: got {input1.shape[-1]} but expected {weight.shape[1]}")
    if input2.shape[-1] != weight.shape[2]:
        raise RuntimeError(f"bilinear(): input2 size does not match weight size: got {input2.shape[-1]} but expected {weight.shape[2]}")
    half = p.dot(input1, weight, (input1.ndim - 1,), (1,))  # (…, out, in2)
    lead = tuple(range(input2.ndim - 1))
    out = p.dot(half, input2, (half.ndim - 1,), (input2.ndim - 1,), lead, lead)
    return out if bias is None else p.add(out, bias)


def ger(input, vec2, *, out=None):
    """An older name of `outer`."""
    return outer(input, vec2, out=out)


METHODS = {
    "mm": mm, "bmm": bmm, "dot": dot, "vdot": vdot, "mv": mv, "matmul": matmul, "__matmul__": matmul, "__rmatmul__": _rmatmul,
    "addmm": addmm, "addmv": addmv, "baddbmm": baddbmm, "addbmm": addbmm, "addr": addr, "outer": outer, "ger": ger,
    "addmm_": inplace(addmm), "addmv_": inplace(addmv), "baddbmm_": inplace(baddbmm), "addbmm_": addbmm_, "addr_": inplace(addr),
}

