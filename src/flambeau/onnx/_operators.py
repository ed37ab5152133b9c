"""Ops that ONNX has an operator for. Everything else is made of primitives (`_primitives`).

A rule takes the emitter, the op's arguments by name (tensors as operands) and the types of its results. It returns an
operand, or one for each result, or None where ONNX's operator would not give the op's numbers.
"""
from __future__ import annotations

import math
from typing import Any, Callable, Sequence

import numpy as np

from ..ir.types import TensorType, tensor_type
from ..nn.functional.interpolation import RANK, _taps
from ._emit import Emitter, Ints, Operand, Scalar
from ._primitives import convolution

Arguments = dict[str, Any]
Rule = Callable[[Emitter, Arguments, Sequence[TensorType]], Any]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Makes a function the rule of these ops."""
    def decorate(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function
    return decorate


def _is_half(x: Operand) -> bool:
    return x.dtype.name in ("float16", "bfloat16")


# ------------------------------------------------------------------ layers

@rule("linear")
def _linear(em, a, types):
    x, weight, bias = a["input"], a["weight"], a["bias"]
    if len(weight.type.shape) != 2 or len(x.type.shape) < 2:
        return None
    if len(x.type.shape) == 2:
        return em.result("Gemm", [x, weight] if bias is None else [x, weight, bias], types[0], transB=1)
    turned = em.transpose(em.real(weight), (1, 0), weight.dtype, weight.type.shape)
    product = em.result("MatMul", [x, turned], types[0])
    return product if bias is None else em.elementwise("Add", [product, bias], types[0])


def _per_dimension(value: Any, n: int) -> tuple[int, ...]:
    value = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    return value * n if len(value) == 1 else value


@rule("conv1d", "conv2d", "conv3d")
def _conv(em, a, types):
    x, weight, bias = a["input"], a["weight"], a["bias"]
    nd = len(weight.type.shape) - 2
    if len(x.type.shape) != nd + 2:
        return None
    dilation, kernel = _per_dimension(a["dilation"], nd), weight.type.shape[2:]
    if a["padding"] == "same":
        total = [d * (k - 1) for d, k in zip(dilation, kernel)]
        low = [n // 2 for n in total]
        high = [n - m for n, m in zip(total, low)]
    else:
        low = high = _per_dimension(0 if a["padding"] == "valid" else a["padding"], nd)
    return convolution(em, [x, weight] if bias is None else [x, weight, bias], types[0], kernel,
                       _per_dimension(a["stride"], nd), low, high,
                       dilation, a["groups"])


@rule("embedding")
def _embedding(em, a, types):
    return em.result("Gather", [a["weight"], a["input"]], types[0], axis=0)


# ------------------------------------------------------------------ normalisations

def _ones_or(em: Emitter, x: Operand | None, like: Operand, n: int, value: float) -> Any:
    """x, or n times a number where a layer has no such parameter."""
    return x if x is not None else em.expand(Scalar(value, like.dtype), (), tensor_type(like.dtype, (n,)))


@rule("batch_norm")
def _batch_norm(em, a, types):
    x = a["input"]
    if "mean" not in a or any(v is not None and v.dtype is not x.dtype
                              for v in (a["mean"], a["weight"])) or _is_half(x):
        return None
    n = x.type.shape[1]
    scale, bias = _ones_or(em, a["weight"], x, n, 1.0), _ones_or(em, a["bias"], x, n, 0.0)
    return em.result("BatchNormalization", [x, scale, bias, a["mean"], a["var"]], types[0], epsilon=float(a["eps"]))


@rule("layer_norm")
def _layer_norm(em, a, types):
    x, weight, bias = a["input"], a["weight"], a["bias"]
    if em.opset < 17 or weight is None or _is_half(x) or not isinstance(a["eps"], float):
        return None
    return em.result("LayerNormalization", [x, weight] if bias is None else [x, weight, bias], types[0],
                     axis=len(x.type.shape) - len(weight.type.shape), epsilon=a["eps"])


@rule("instance_norm")
def _instance_norm(em, a, types):
    x = a["input"]
    if _is_half(x):
        return None
    n = x.type.shape[1]
    scale, bias = _ones_or(em, a["weight"], x, n, 1.0), _ones_or(em, a["bias"], x, n, 0.0)
    out = em.result("InstanceNormalization", [x, scale, bias], types[0], epsilon=float(a["eps"]))
    return [out, None, None]  # the running statistics are training's


# ------------------------------------------------------------------ activations and means

@rule("gelu")
def _gelu(em, a, types):
    if em.opset < 20 or _is_half(a["input"]):
        return None
    return em.elementwise("Gelu", [a["input"]], types[0], approximate=a["approximate"])


@rule("silu")
def _silu(em, a, types):
    x = a["input"]
    return em.elementwise("Mul", [x, em.elementwise("Sigmoid", [x], types[0])], types[0])


@rule("hardswish")
def _hardswish(em, a, types):
    return em.elementwise("HardSwish", [a["input"]], types[0]) if em.opset >= 14 else None


@rule("hardsigmoid")
def _hardsigmoid(em, a, types):
    return em.elementwise("HardSigmoid", [a["input"]], types[0], alpha=1 / 6, beta=0.5)


def _clip(em: Emitter, x: Operand, low: Any, high: Any, type: TensorType) -> Any:
    """x limited by two numbers or Nones; None if one of them is a tensor, or converts x."""
    limits = []
    for limit in (low, high):
        if isinstance(limit, Operand):
            limit = limit.ref.value if isinstance(limit.ref, Scalar) else limit
        if isinstance(limit, Operand) or type.dtype is not x.dtype:
            return None
        limits.append(None if limit is None
                      else Scalar(np.asarray(limit, x.dtype.wide if x.dtype.encoded else x.dtype.np).item(), x.dtype))
    return Operand(em.call("Clip", [x.ref, *limits], tensor_type(type.dtype, x.shape)), type, x.shape)


RULES["relu6"] = lambda em, a, types: _clip(em, a["input"], 0, 6, types[0])
RULES["hardtanh"] = lambda em, a, types: _clip(em, a["input"], a["min_val"], a["max_val"], types[0])
RULES["clamp"] = lambda em, a, types: _clip(em, a["input"], a["min"], a["max"], types[0])
RULES["clamp_min"] = lambda em, a, types: _clip(em, a["input"], a["min"], None, types[0])
RULES["clamp_max"] = lambda em, a, types: _clip(em, a["input"], None, a["max"], types[0])


@rule("softmax", "log_softmax")
def _softmax(em, a, types):
    x = a["input"]
    if a["dtype"] is not None and a["dtype"] is not x.dtype or not x.type.shape:
        return None
    return em.result("Softmax" if em.label == "softmax" else "LogSoftmax", [x], types[0], axis=a["dim"])


@rule("mean")
def _mean(em, a, types):
    x, dim = a["input"], a["dim"]
    if _is_half(x) or x.dtype is not types[0].dtype or not x.type.shape:
        return None
    axes = range(len(x.type.shape)) if dim is None or dim == () else (dim,) if isinstance(dim, int) else dim
    return Operand(em.reduce("ReduceMean", em.real(x), list(axes), types[0], bool(a["keepdim"])), types[0])


# ------------------------------------------------------------------ pooling and resizing

def _pooling(a: Arguments, nd: int) -> dict[str, Any]:
    kernel = list(_per_dimension(a["kernel_size"], nd))
    padding = list(_per_dimension(a["padding"], nd))
    stride = a["stride"]
    strides = kernel if stride is None or stride == () else list(_per_dimension(stride, nd))
    return {"kernel_shape": kernel, "strides": strides, "pads": padding * 2, "ceil_mode": int(a["ceil_mode"])}


@rule("max_pool1d", "max_pool2d", "max_pool3d")
def _max_pool(em, a, types):
    x = a["input"]
    nd = int(em.label[-2])
    if len(x.type.shape) != nd + 2:
        return None
    return em.result("MaxPool", [x], types[0], **_pooling(a, nd), dilations=list(_per_dimension(a["dilation"], nd)))


@rule("avg_pool1d", "avg_pool2d", "avg_pool3d")
def _avg_pool(em, a, types):
    """Not in ceil mode, where ONNX Runtime and PyTorch count the elements of the last windows differently."""
    x = a["input"]
    nd = int(em.label[-2])
    if len(x.type.shape) != nd + 2 or a["ceil_mode"] or a.get("divisor_override") is not None:
        return None
    return em.result("AveragePool", [x], types[0], **_pooling(a, nd), count_include_pad=int(a["count_include_pad"]))


@rule("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
def _adaptive_avg_pool(em, a, types):
    """Windows of one size, where the sizes divide; a single window is the whole plane, whatever its size."""
    x = a["input"]
    nd = int(em.label[-2])
    shape, out = x.type.shape[2:], types[0].shape[2:]
    asked = _per_dimension(a["output_size"], nd)
    if len(x.type.shape) != nd + 2 or any(n % m for n, m in zip(shape, out)):
        return None
    if all(m == 1 for m in asked):
        return em.result("GlobalAveragePool", [x], types[0])
    kernel = [n // m for n, m in zip(shape, out)]
    return em.result("AveragePool", [x], types[0], kernel_shape=kernel, strides=kernel)


def _resize(mode: str, nd: int) -> Rule:
    """Linear and cubic resizing. An op is given the taps of each dimension: it was asked for what gives these."""
    def apply(em, a, types):
        x, taps = a["input"], a["taps"]
        if x.dtype.name != "float32":
            return None
        sizes = list(zip(x.type.shape[2:], types[0].shape[2:]))
        for align in (False, True):
            wanted = [t for n, out in sizes for t in _taps(n, out, None, mode, align, np.float32)]
            if all(np.array_equal(t.ref.array, w) for t, w in zip(taps, wanted)):
                break
        else:
            return None
        place = "align_corners" if align else "half_pixel" if mode == "bicubic" else "pytorch_half_pixel"
        return em.result("Resize", [x, None, None, Ints(types[0].shape)], types[0],
                         mode="cubic" if mode == "bicubic" else "linear",
                         coordinate_transformation_mode=place, cubic_coeff_a=-0.75 if mode == "bicubic" else None)
    return apply


for _mode in ("linear", "bilinear", "trilinear", "bicubic"):
    RULES[f"Upsample{_mode.capitalize()}{RANK[_mode] - 2}D"] = _resize(_mode, RANK[_mode] - 2)


@rule("UpsampleNearest1D", "UpsampleNearest2D", "UpsampleNearest3D")
def _nearest(em, a, types):
    x = a["input"]
    for n, out, index in zip(x.type.shape[2:], types[0].shape[2:], a["taps"]):
        if not np.array_equal(index.ref.array[0],
                              np.minimum(np.floor(np.arange(out) * (n / out)).astype(np.int64), n - 1)):
            return None
    return em.result("Resize", [x, None, None, Ints(types[0].shape)], types[0], mode="nearest",
                     coordinate_transformation_mode="asymmetric", nearest_mode="floor")


# ------------------------------------------------------------------ attention

@rule("scaled_dot_product_attention")
def _attention(em, a, types):
    """Without a mask every row sees something, and the softmax needs no care."""
    q, k, v = a["query"], a["key"], a["value"]
    if a["attn_mask"] is not None or a["keep"] is not None or a["is_causal"] or a["enable_gqa"] or _is_half(q):
        return None
    ndim = len(q.type.shape)
    factor = 1.0 / math.sqrt(q.type.shape[-1]) if a["scale"] is None else a["scale"]
    scaled = em.elementwise("Mul", [q, Operand(Scalar(factor, q.dtype), q.type, ())], q.type)
    turned = em.transpose(em.real(k), [*range(ndim - 2), ndim - 1, ndim - 2], k.dtype, k.type.shape)
    scores = em.call("MatMul", [scaled, turned], types[1])
    weights = em.result("Softmax", [scores], types[1], axis=-1)
    return [em.result("MatMul", [weights, v], types[0]), weights]


# ------------------------------------------------------------------ recurrent layers

def _gates(em: Emitter, x: Operand, order: Sequence[int], n: int) -> Any:
    """The rows of a weight in the order of ONNX's gates."""
    if list(order) == list(range(n)):
        return em.real(x)
    size = x.type.shape[0] // n
    rest = x.type.shape[1:]
    parts = [em.slice(em.real(x), (i * size, *(0,) * len(rest)), ((i + 1) * size, *rest), x.type.shape,
                      tensor_type(x.dtype, (size, *rest)))
             for i in order]
    return em.call("Concat", parts, x.type, axis=0)


def _recurrent(operator: str, order: Sequence[int], **attributes: Any) -> Rule:
    """order: which of PyTorch's gates each of ONNX's is."""
    def apply(em, a, types):
        if a.get("w_hr") is not None or a["mask"] is not None or a["input"].dtype.name != "float32":
            return None
        n = len(order)
        x, h, hidden = a["input"], a["h"], a["w_hh"].type.shape[1]
        w, r = (em.reshape(_gates(em, a[name], order, n), (1, *a[name].type.shape), x.dtype)
                for name in ("w_ih", "w_hh"))
        bias = None
        if a["b_ih"] is not None:
            both = em.call("Concat", [_gates(em, a[name], order, n) for name in ("b_ih", "b_hh")], None, axis=0)
            bias = em.reshape(both, (1, 2 * n * hidden), x.dtype)
        states = [h] + ([a["c"]] if "c" in a else [])
        initial = [em.reshape(em.real(s), (1, *s.type.shape), x.dtype) for s in states]
        length, batch = x.type.shape[0], x.type.shape[1]
        inner = [tensor_type(x.dtype, (length, 1, batch, hidden)),
                 *[tensor_type(x.dtype, (1, batch, hidden))] * len(states)]
        extra = {"activations": ["Tanh" if a["activation"] == "tanh" else "Relu"]} if "activation" in a else {}
        made = em.calls_for(operator, [x, w, r, bias, None, *initial], inner, hidden_size=hidden,
                            direction="reverse" if a["reverse"] else "forward", **attributes, **extra)
        squeezed = [em.call("Squeeze", [made[0], Ints([1])], types[0])]
        squeezed += [em.call("Squeeze", [name, Ints([0])], type) for name, type in zip(made[1:], types[1:])]
        return [Operand(name, type) for name, type in zip(squeezed, types)]
    return apply


RULES["lstm_layer"] = _recurrent("LSTM", (0, 3, 1, 2))  # PyTorch: i f g o; ONNX: i o f c
RULES["gru_layer"] = _recurrent("GRU", (1, 0, 2), linear_before_reset=1)  # PyTorch: r z n; ONNX: z r h
RULES["rnn_layer"] = _recurrent("RNN", (0,))

