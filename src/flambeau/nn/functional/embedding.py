"""Embeddings and one-hot vectors."""
# ruff: noqa: F821
from __future__ import annotations

import numpy as np

from ... import primitives as p
from ...dtypes import int64
from ...tensor.attributes import every_value, host_array
from ...tensor.grad_mode import mode
from ...tensor.indexing import first_outside, known_array
from ...tensor.node import AccumulateGrad, Node, edge
from ...tensor.op import op
from ...tensor.placement import is_transformed
from ...tensor.tensor import Tensor, make_tensor


def _check_rows(input, weight, padding_idx) -> None:
    rows = weight._geometry()[0][0]
    bad = first_outside(input, 0, rows)
    if bad is not None:
        raise IndexError(f"index out of range in self: embedding got index {bad} for a weight of {rows} rows")


def _check_integral(name: str, index) -> None:
    if not isinstance(index, Tensor):
        raise TypeError(f"{name}(): argument 'indices' (position 2) must be Tensor, not {type(index).__name__}")
    if index.dtype.name not in ("int64", "int32"):
        raise RuntimeError(f"Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
                           f"torch.{index.dtype._legacy}Tensor instead (while checking arguments for {name})")


@op("EmbeddingBackward0", name="embedding", check=_check_rows)
def _embedding(input: Tensor, weight: Tensor, padding_idx):
    index = p.cast(input, int64)
    rows = p.take(weight, index, 0)
    if padding_idx is None or padding_idx < 0:
        return rows
    padded = p.broadcast_to(p.reshape(p.eq(index, padding_idx), (*index.shape, 1)), rows.shape)
    return p.select(padded, p.stop_gradient(rows), rows)  # padding gets no gradient


def renorm_rows(weight, index, max_norm: float, norm_type: float) -> None:
    """Scales the rows of `weight` that are looked up down to norm max_norm, in place."""
    import flambeau as torch
    with torch.no_grad():
        rows = torch.unique(index.reshape(-1))
        picked = weight[rows]
        norms = picked.norm(norm_type, dim=1, keepdim=True)
        scaled = torch.where(norms > max_norm, picked * (max_norm / (norms + 1e-7)), picked)
        weight[rows] = scaled


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    """weight[input]: rows of weight (V, D) by integer index; padding_idx's row gets no gradient.

    max_norm limits the norm of the rows looked up, in place; scale_grad_by_freq divides gradients by each index's count;
    sparse=True gives a sparse COO gradient.
    """
    _check_integral("embedding", input)
    if weight.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    if padding_idx is not None:
        if not -weight.shape[0] <= padding_idx < weight.shape[0]:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx = padding_idx % weight.shape[0]
    if max_norm is not None:
        renorm_rows(weight, input, max_norm, norm_type)
    if sparse and weight.requires_grad and mode.enabled:
        return _with_sparse_gradient(input, weight, padding_idx, scale_grad_by_freq)
    if scale_grad_by_freq and weight.requires_grad:
        import flambeau as torch
        counts = torch.bincount(input.reshape(-1), minlength=weight.shape[0])[input.reshape(-1)].reshape(input.shape)
        out = _embedding(input, weight, padding_idx)
        return _scaled_gradient(out, counts.to(out.dtype).unsqueeze(-1))
    return _embedding(input, weight, padding_idx)


class SparseRows(Node):
    """The node of an embedding whose weight gets a sparse gradient: the rows that were looked up, with their positions."""

    __slots__ = ("index", "weight_shape", "padding_idx", "scaled")

    def __init__(self, index: Tensor, weight: Tensor, padding_idx: int | None, scaled: bool):
        super().__init__((edge(weight),))
        self.index, self.weight_shape, self.padding_idx, self.scaled = index, tuple(weight.shape), padding_idx, scaled

    def name(self) -> str:
        return "EmbeddingBackward0"

    def backward(self, grads: list, create_graph: bool) -> list:
        if grads[0] is None:
            return [None]
        if self.scaled:
            raise RuntimeError("embedding_backward: scale_grad_by_freq not supported with sparse gradients")
        from ...sparse.coo import index_tensor, sparse
        positions = np.array(host_array(self.index).reshape(-1), np.int64)
        rows = grads[0].reshape(-1, self.weight_shape[1])
        if self.padding_idx is not None and (positions == self.padding_idx).any():
            kept = np.flatnonzero(positions != self.padding_idx)
            positions, rows = positions[kept], rows.index_select(0, index_tensor(kept, rows))
        gradient = sparse(positions[None, :], rows, self.weight_shape, False)
        # nodes other than a leaf's compute with strided tensors
        return [gradient if isinstance(self.edges[0][0], AccumulateGrad) else gradient.to_dense()]


def _with_sparse_gradient(input, weight, padding_idx, scaled: bool):
    out = _embedding(input, weight.detach(), padding_idx)
    out._node, out._nr = SparseRows(make_tensor(input._value()), weight, padding_idx, scaled), 0
    return out


@op("EmbeddingBackward0")
def _scaled_gradient(x: Tensor, counts: Tensor):
    """x, whose gradient is divided by counts."""
    scaled = p.div(x, p.broadcast_to(counts, x.shape))
    return p.stop_gradient(x - scaled) + scaled


def _check_offsets(offsets, n: int) -> None:
    """RuntimeError for bags that do not begin at 0, or begin after the input's end, where the offsets are already known."""
    known = known_array(offsets)
    if known is None or not known.size:
        return
    if known[0] != 0:
        raise RuntimeError("offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. However, got "
                           f"{known[0]}")
    if known[-1] > n:
        raise RuntimeError(f"offsets[-1] can not be greater than input's length {n} but got offsets[-1] of {known[-1]}")


def embedding_bag(input, weight, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False, mode="mean", sparse=False,
                  per_sample_weights=None, include_last_offset=False, padding_idx=None):
    """Sums, means or maxima of the embeddings of each bag: a row of a 2-D input, or input[offsets[i]:offsets[i+1]]."""
    import flambeau as torch
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(f"embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' (got "
                                  f"mode='{mode}'). Please open a feature request on GitHub.")
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        raise ValueError(f"embedding_bag: If per_sample_weights ({list(per_sample_weights.shape)}) is not None, then it must have the same "
                         f"shape as the input ({list(input.shape)})")
    _check_integral("embedding_bag", input)
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError("if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences. "
                             f"However, found offsets of type {type(offsets)}")
        n = input.shape[0]
        bag = torch.arange(n, device=input.device).repeat_interleave(input.shape[1])
        flat = input.reshape(-1)
    elif input.ndim == 1:
        if offsets is None:
            raise ValueError("offsets has to be a 1D Tensor but got None")
        if offsets.ndim != 1:
            raise ValueError("offsets has to be a 1D Tensor")
        _check_offsets(offsets, input.shape[0])
        n = offsets.shape[0] - include_last_offset
        flat = input
        bag = torch.searchsorted(offsets[:n].contiguous(), torch.arange(flat.shape[0], device=flat.device), right=True) - 1
    else:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    bad = first_outside(flat, 0, weight.shape[0])
    if bad is not None:
        raise RuntimeError(f"embedding_bag: Index {int((host_array(flat) == bad).argmax())} of input takes value {bad} which is not in the valid range "
                           f"[0, {weight.shape[0]})")
    if padding_idx is not None:
        keep = flat != padding_idx % weight.shape[0]
        flat, bag = flat[keep], bag[keep]
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights.reshape(-1)[keep]
    rows = embedding(flat, weight, None, max_norm, norm_type, scale_grad_by_freq, sparse)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1, 1)
    dim = weight.shape[1]
    index = bag.unsqueeze(-1).expand(-1, dim)
    zeros = weight.new_zeros(n, dim)
    if mode == "max":
        return zeros.scatter_reduce(0, index, rows, "amax", include_self=False)
    total = zeros.index_add(0, bag, rows)
    if mode == "sum":
        return total
    counts = torch.bincount(bag, minlength=n).clamp(min=1).to(weight.dtype)
    return total / counts.unsqueeze(-1)


@op(None)
def _one_hot(tensor: Tensor, num_classes):
    classes = p.iota(num_classes, int64, tensor.builder)
    return p.cast(p.eq(*p.as_vars(p.reshape(tensor, (*tensor.shape, 1)), classes)), int64)


def one_hot(tensor, num_classes=-1):
    """int64 vectors with a one at each index: (…) → (…, num_classes)."""
    if tensor.dtype is not int64:
        raise RuntimeError(f"one_hot is only applicable to index tensor of type LongTensor. Got: {tensor.dtype}")
    a = every_value(tensor)
    if a.size == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
    elif a.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    largest = int(a.max(initial=0))
    if num_classes == -1:
        if is_transformed(tensor):
            raise RuntimeError("When vmap-ing torch.nn.functional.one_hot, please provide an explicit positive num_classes argument.")
        num_classes = largest + 1
    elif num_classes < 1:
        raise RuntimeError("num_classes should be positive")
    elif largest >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    return _one_hot(tensor, num_classes)
