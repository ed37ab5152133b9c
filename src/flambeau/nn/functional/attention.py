"""Attention."""
# ruff: noqa: F821
from __future__ import annotations

import math
from typing import Any

from ... import primitives as p
from ...dtypes import bool_
from ...ir.graph import Var
from ...ops.linear import linear
from ...tensor.op import op
from .dropout import dropout, keep_mask


def _repeat_heads(x: Var, heads: int) -> Var:
    """Each key/value head serves heads // x's heads consecutive query heads (grouped-query attention)."""
    have = x.shape[-3]
    if have == heads:
        return x
    lead, tail = x.shape[:-3], x.shape[-2:]
    x = p.broadcast_to(p.reshape(x, (*lead, have, 1, *tail)), (*lead, have, heads // have, *tail))
    return p.reshape(x, (*lead, heads, *tail))


@op("ScaledDotProductFlashAttentionForCpuBackward0", name="scaled_dot_product_attention")
def _attend(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None, keep: Tensor | None, keep_scale, is_causal, scale,
            enable_gqa):
    """(output, weights): softmax(q·kᵀ·scale + mask)·v; rows that see nothing give 0."""
    if enable_gqa:
        key, value = _repeat_heads(key, query.shape[-3]), _repeat_heads(value, query.shape[-3])
    factor = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
    lead = p.broadcast_shapes(query.shape[:-2], key.shape[:-2])
    q = p.broadcast_to(query, (*lead, *query.shape[-2:]))
    k = p.broadcast_to(key, (*lead, *key.shape[-2:]))
    v = p.broadcast_to(value, (*lead, *value.shape[-2:]))
    batch, last = tuple(range(len(lead))), len(lead) + 1
    scores = p.dot(q * factor, k, (last,), (last,), batch, batch)
    if is_causal:
        row, column = p.index_along(scores, last - 1), p.index_along(scores, last)
        scores = p.select(p.ge(row, column), scores, -math.inf)
    if attn_mask is not None:
        if attn_mask.dtype is bool_:
            scores = p.select(attn_mask, scores, -math.inf)
        else:
            scores = scores + p.cast(attn_mask, scores.dtype)
    top = p.stop_gradient(p.reduce_max(scores, (last,)))
    top = p.reshape(p.select(p.eq(top, -math.inf), 0.0, top), (*top.shape, 1))
    e = p.exp(scores - top)
    total = p.reshape(p.reduce_sum(e, (last,)), top.shape)
    weights = e / p.select(p.eq(total, 0), 1.0, total)
    used = weights if keep is None else weights * p.cast(keep, weights.dtype) * keep_scale
    return p.dot(used, v, (last,), (last - 1,), batch, batch), weights


# PyTorch's kernels that attention may use: see `nn.attention.sdpa_kernel` and the switches of `backends.cuda`
allowed_kernels = {"math", "flash", "mem_efficient", "cudnn"}
_HERE = ("math", "flash")  # those that PyTorch has on a CPU: here both are the same program


def scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, *, scale=None, enable_gqa=False):
    """softmax(query·keyᵀ·scale + mask)·value (Vaswani et al. 2017).

    query (…, L, E), key (…, S, E), value (…, S, Ev) → (…, L, Ev). attn_mask: boolean (True takes part) or additive;
    scale defaults to 1/√E; dropout_p drops weights; enable_gqa lets groups of query heads share key/value heads.
    """
    if allowed_kernels.isdisjoint(_HERE):
        raise RuntimeError("No viable backend for scaled_dot_product_attention was found. This is likely due to turning off both the math "
                           "kernel and the fused kernels.")
    if is_causal and attn_mask is not None:
        raise RuntimeError("_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
    for name, x in (("query", query), ("key", key), ("value", value)):
        if x.ndim < 2:
            raise RuntimeError(f"Both query, key and value must be at least 2 dimensional, but got {name} with {x.ndim}")
    if not query.dtype is key.dtype is value.dtype:
        raise RuntimeError(f"Expected query, key, and value to have the same dtype, but got query.dtype: {query.dtype._legacy} key.dtype: "
                           f"{key.dtype._legacy} and value.dtype: {value.dtype._legacy} instead.")
    if query.shape[-1] != key.shape[-1]:
        raise RuntimeError(f"scaled_dot_product_attention: Expected size for last dimension of query {list(query.shape)} and of key "
                           f"{list(key.shape)} to be the same, but got {query.shape[-1]} and {key.shape[-1]}")
    keep = None
    if dropout_p > 0:
        shape = (*query.shape[:-1], key.shape[-2])
        keep = keep_mask(shape, query, dropout_p)
    keep_scale = 1.0 if dropout_p == 0 else 1.0 / (1.0 - dropout_p) if dropout_p < 1 else 0.0
    return _attend(query, key, value, attn_mask, keep, keep_scale, is_causal, scale, enable_gqa)[0]


def canonical_mask(mask: Any, dtype: Any) -> Any:
    """A boolean mask (True is left out) as an additive one; floating masks as they are."""
    if mask is None or mask.dtype is not bool_:
        if mask is not None and not mask.is_floating_point():
            raise AssertionError("only bool and floating types of mask are supported")
        return mask
    return mask.new_zeros(mask.shape, dtype=dtype).masked_fill_(mask, -math.inf)


def _projections(query, key, value, embed_dim, in_proj_weight, in_proj_bias, separate, weights):
    """Queries, keys and values in the embedding of the heads."""
    if separate:
        w_q, w_k, w_v = weights
        biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
        return linear(query, w_q, biases[0]), linear(key, w_k, biases[1]), linear(value, w_v, biases[2])
    if query is key and key is value:
        return linear(query, in_proj_weight, in_proj_bias).chunk(3, -1)
    w_q, w_k, w_v = in_proj_weight.chunk(3)
    biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
    return linear(query, w_q, biases[0]), linear(key, w_k, biases[1]), linear(value, w_v, biases[2])


def _check_ranks(query, key, value, key_padding_mask, attn_mask) -> None:
    """AssertionErrors for queries, keys, values and masks that are not all with, or all without, a batch dimension."""
    if query.ndim not in (2, 3):
        raise AssertionError(f"query should be unbatched 2D or batched 3D tensor but received {query.ndim}-D query tensor")
    kind, n = ("batched", 3) if query.ndim == 3 else ("unbatched", 2)
    if key.ndim != n or value.ndim != n:
        raise AssertionError(f"For {kind} ({n}-D) `query`, expected `key` and `value` to be {n}-D but found {key.ndim}-D and {value.ndim}-D "
                             "tensors respectively")
    if key_padding_mask is not None and key_padding_mask.ndim != n - 1:
        raise AssertionError(f"For {kind} ({n}-D) `query`, expected `key_padding_mask` to be `None` or {n - 1}-D but found "
                             f"{key_padding_mask.ndim}-D tensor instead")
    if attn_mask is not None and attn_mask.ndim not in (2, 3):
        raise AssertionError(f"For {kind} ({n}-D) `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {attn_mask.ndim}-D "
                             "tensor instead")


def multi_head_attention_forward(query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k, bias_v,
                                 add_zero_attn, dropout_p, out_proj_weight, out_proj_bias, training=True, key_padding_mask=None,
                                 need_weights=True, attn_mask=None, use_separate_proj_weight=False, q_proj_weight=None,
                                 k_proj_weight=None, v_proj_weight=None, static_k=None, static_v=None, average_attn_weights=True,
                                 is_causal=False):
    """Multi-head attention on (L, N, E) tensors (or (L, E) without a batch): (output, weights or None)."""
    import flambeau as torch
    from .padding import pad
    batched = query.ndim == 3
    _check_ranks(query, key, value, key_padding_mask, attn_mask)
    if is_causal and attn_mask is None:
        raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
    if not batched:
        same = query is key and key is value
        query = query.unsqueeze(1)
        key, value = (query, query) if same else (key.unsqueeze(1), value.unsqueeze(1))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, n, embed_dim = query.shape
    if embed_dim != embed_dim_to_check:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim_to_check}, but got {embed_dim}")
    head_dim = embed_dim // num_heads
    if head_dim * num_heads != embed_dim:
        raise AssertionError(f"embed_dim {embed_dim} not divisible by num_heads {num_heads}")
    if not use_separate_proj_weight and key.shape != value.shape:
        raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
    key_padding_mask, attn_mask = canonical_mask(key_padding_mask, query.dtype), canonical_mask(attn_mask, query.dtype)
    q, k, v = _projections(query, key, value, embed_dim, in_proj_weight, in_proj_bias, use_separate_proj_weight,
                           (q_proj_weight, k_proj_weight, v_proj_weight))
    if attn_mask is not None:
        if attn_mask.ndim == 2:
            if tuple(attn_mask.shape) != (length, key.shape[0]):
                raise RuntimeError(f"The shape of the 2D attn_mask is {attn_mask.shape}, but should be {(length, key.shape[0])}.")
            attn_mask = attn_mask.unsqueeze(0)
        elif attn_mask.ndim == 3:
            if tuple(attn_mask.shape) != (n * num_heads, length, key.shape[0]):
                raise RuntimeError(f"The shape of the 3D attn_mask is {attn_mask.shape}, but should be "
                                   f"{(n * num_heads, length, key.shape[0])}.")
        else:
            raise RuntimeError(f"attn_mask's dimension {attn_mask.ndim} is not supported")
    if bias_k is not None:
        k, v = torch.cat([k, bias_k.repeat(1, n, 1)]), torch.cat([v, bias_v.repeat(1, n, 1)])
        attn_mask = None if attn_mask is None else pad(attn_mask, (0, 1))
        key_padding_mask = None if key_padding_mask is None else pad(key_padding_mask, (0, 1))
    q = q.view(length, n * num_heads, head_dim).transpose(0, 1) if q.is_contiguous() else \
        q.reshape(length, n * num_heads, head_dim).transpose(0, 1)
    k = static_k if static_k is not None else k.reshape(k.shape[0], n * num_heads, head_dim).transpose(0, 1)
    v = static_v if static_v is not None else v.reshape(v.shape[0], n * num_heads, head_dim).transpose(0, 1)
    if add_zero_attn:
        zeros = k.new_zeros(n * num_heads, 1, head_dim)
        k, v = torch.cat([k, zeros], 1), torch.cat([v, zeros], 1)
        attn_mask = None if attn_mask is None else pad(attn_mask, (0, 1))
        key_padding_mask = None if key_padding_mask is None else pad(key_padding_mask, (0, 1))
    source = k.shape[1]
    if key_padding_mask is not None:
        if tuple(key_padding_mask.shape) != (n, source):
            given = tuple(key_padding_mask.shape)
            d = 0 if given[0] != n else 1
            raise AssertionError(f"Expected key_padded_mask.shape[{d}] to be {(n, source)[d]}, but got {given[d]} "
                                 f"(key_padding_mask has shape {given})")
        padding = key_padding_mask.view(n, 1, 1, source).expand(-1, num_heads, -1, -1).reshape(n * num_heads, 1, source)
        attn_mask = padding if attn_mask is None else attn_mask + padding
    if not training:
        dropout_p = 0.0
    if need_weights:
        scores = torch.bmm(q * math.sqrt(1.0 / head_dim), k.transpose(-2, -1))
        if attn_mask is not None:
            scores = scores + attn_mask
        weights = scores.softmax(-1)
        if dropout_p > 0:
            weights = dropout(weights, dropout_p)  # PyTorch returns the dropped weights, too
        out = torch.bmm(weights, v)
    else:
        weights = None
        shaped = [x.reshape(n, num_heads, x.shape[1], head_dim) for x in (q, k, v)]
        if attn_mask is not None:
            attn_mask = attn_mask.unsqueeze(0) if attn_mask.shape[0] == 1 else attn_mask.reshape(n, num_heads, -1, source)
        out = scaled_dot_product_attention(*shaped, attn_mask, dropout_p, is_causal and attn_mask is None)
        out = out.reshape(n * num_heads, length, head_dim)
    out = out.transpose(0, 1).reshape(length * n, embed_dim)
    out = linear(out, out_proj_weight, out_proj_bias).view(length, n, -1)
    if weights is not None:
        weights = weights.view(n, num_heads, length, source)
        if average_attn_weights:
            weights = weights.mean(1)
        if not batched:
            weights = weights.squeeze(0)
    return (out if batched else out.squeeze(1)), weights
