"""Primitives as ONNX operators: what an op that has no rule of its own (`_operators`) is made of.

A rule takes the emitter, the primitive's node and its operands, and returns an operand, or one for each output.
"""
from __future__ import annotations

import math
from typing import Any, Callable, Sequence

import numpy as np

from ..dtypes import bool_, int32, int64
from ..ir.graph import Graph, Node, Var
from ..ir.types import TensorType, tensor_type
from ..primitives.scan import scan_p, written_out
from ._emit import Array, Emitter, Ints, OnnxExporterError, Operand, Scalar, element_type
from ._views import take_apart

Rule = Callable[[Emitter, Node, Sequence[Operand]], Any]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Makes a function the rule of these primitives."""
    def decorate(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function
    return decorate


def lower_graph(em: Emitter, graph: Graph, operands: Sequence[Operand]) -> list[Operand]:
    """Emits the calls of a graph of primitives; returns its outputs."""
    env: dict[Var, Operand] = dict(zip(graph.inputs, operands))
    used = {v for node in graph.nodes for v in node.inputs} | set(graph.outputs)
    for node in graph.nodes:
        found = RULES.get(node.prim.name)
        inputs = [env[v] for v in node.inputs]
        if node.prim is scan_p:
            results: Any = lower_graph(em, written_out(node), inputs)
        elif found is None and node.prim.definition is not None:
            results = lower_graph(em, node.prim.definition(node), inputs)
        elif found is None:
            raise OnnxExporterError(f"{em.label} computes '{node.prim.name}', for which there is no ONNX operator")
        elif node.prim.name == "max_pool":
            results = found(em, node, inputs) if node.outputs[1] in used else [_max_pool_values(em, node, inputs)]
        else:
            results = found(em, node, inputs)
        env.update(zip(node.outputs, [results] if isinstance(results, Operand) else results))
    return [env[v] for v in graph.outputs]


def _type(node: Node) -> TensorType:
    return node.outputs[0].type


# ------------------------------------------------------------------ elementwise

_UNARY = {"neg": "Neg", "abs": "Abs", "floor": "Floor", "ceil": "Ceil", "round": "Round", "sqrt": "Sqrt", "exp": "Exp",
          "log": "Log", "sin": "Sin", "cos": "Cos", "tan": "Tan", "asin": "Asin", "acos": "Acos", "atan": "Atan",
          "sinh": "Sinh", "cosh": "Cosh", "tanh": "Tanh", "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh",
          "relu": "Relu", "sigmoid": "Sigmoid", "erf": "Erf",
          "sgn": "Sign"}
_BINARY = {"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "pow": "Pow", "maximum": "Max", "minimum": "Min",
           "eq": "Equal",
           "lt": "Less", "le": "LessOrEqual", "gt": "Greater", "ge": "GreaterOrEqual"}
_LOGIC = {"add": "Or", "maximum": "Or", "bitwise_or": "Or", "mul": "And", "minimum": "And", "bitwise_and": "And",
          "bitwise_xor": "Xor", "eq": "Equal"}
_BITS = {"bitwise_and": "BitwiseAnd", "bitwise_or": "BitwiseOr", "bitwise_xor": "BitwiseXor"}


@rule(*_UNARY)
def _unary(em, node, inputs):
    return em.elementwise(_UNARY[node.prim.name], inputs, _type(node))


@rule(*_BINARY, *_BITS)
def _binary(em, node, inputs):
    name = node.prim.name
    if inputs[0].dtype is bool_:
        if name not in _LOGIC:  # comparisons: false is less than true
            inputs = [_cast_to(em, x, int32) for x in inputs]
        else:
            return em.elementwise(_LOGIC[name], inputs, _type(node))
    return em.elementwise(_BINARY.get(name) or _BITS[name], inputs, _type(node))


@rule("ne")
def _not_equal(em, node, inputs):
    return em.elementwise("Not", [em.elementwise("Equal", inputs, _type(node))], _type(node))


@rule("bitwise_not")
def _not(em, node, inputs):
    return em.elementwise("Not" if inputs[0].dtype is bool_ else "BitwiseNot", inputs, _type(node))


@rule("stop_gradient")
def _identity(em, node, inputs):
    return inputs[0]


def _cast_to(em: Emitter, x: Operand, dt: Any) -> Operand:
    type = tensor_type(dt, x.type.shape)
    if isinstance(x.ref, Scalar) and x.ref.dtype.kind in "biuf" and dt.kind in "biuf" and not dt.encoded:
        return Operand(Scalar(np.asarray(x.ref.value).astype(dt.np).item(), dt), type, x.shape)
    return em.elementwise("Cast", [x], type, to=element_type(dt))


@rule("cast")
def _cast(em, node, inputs):
    return _cast_to(em, inputs[0], node.params[0])


@rule("select")
def _select(em, node, inputs):
    return em.elementwise("Where", inputs, _type(node))


def _number(x: Operand, value: float) -> Operand:
    """A constant to be broadcast against x."""
    return Operand(Scalar(value, x.dtype), x.type, ())


def formula(name: str, body: Callable[[Any, Operand], Operand]) -> None:
    """A rule for a unary primitive: body(o, x), where o(operator, *operands) is a call."""
    def apply(em, node, inputs):
        def o(operator: str, *operands: Any) -> Operand:
            made = [x if isinstance(x, Operand) else _number(inputs[0], x) for x in operands]
            return em.elementwise(operator, made, _type(node))
        return body(o, *inputs)
    RULES[name] = apply


formula("rsqrt", lambda o, x: o("Reciprocal", o("Sqrt", x)))
formula("trunc", lambda o, x: o("Mul", o("Sign", x), o("Floor", o("Abs", x))))
formula("exp2", lambda o, x: o("Pow", 2.0, x))
formula("expm1", lambda o, x: o("Sub", o("Exp", x), 1.0))
formula("log1p", lambda o, x: o("Log", o("Add", x, 1.0)))
formula("log2", lambda o, x: o("Mul", o("Log", x), 1 / math.log(2)))
formula("log10", lambda o, x: o("Mul", o("Log", x), 1 / math.log(10)))
formula("erfc", lambda o, x: o("Sub", 1.0, o("Erf", x)))


def _floored(em, node, inputs, of_quotient: bool):
    """x − ⌊x/y⌋·y, or ⌊x/y⌋; integers by Mod, whose sign is the divisor's."""
    type = _type(node)
    if type.dtype.kind in "iu":
        rest = em.elementwise("Mod", inputs, type)
        if not of_quotient:
            return rest
        return em.elementwise("Div", [em.elementwise("Sub", [inputs[0], rest], type), inputs[1]], type)
    quotient = em.elementwise("Floor", [em.elementwise("Div", inputs, type)], type)
    if of_quotient:
        return quotient
    return em.elementwise("Sub", [inputs[0], em.elementwise("Mul", [quotient, inputs[1]], type)], type)


RULES["floor_divide"] = lambda em, node, inputs: _floored(em, node, inputs, True)
RULES["remainder"] = lambda em, node, inputs: _floored(em, node, inputs, False)
RULES["fmod"] = lambda em, node, inputs: em.elementwise("Mod", inputs, _type(node), fmod=1)


# ------------------------------------------------------------------ constants, and what moves data

@rule("full")
def _full(em, node, inputs):
    value, dt, _ = node.params
    element_type(dt)
    return Operand(Scalar(value, dt), _type(node))


@rule("iota")
def _iota(em, node, inputs):
    n, dt = node.params
    made = em.call("Range", [Ints([0], True), Ints([n], True), Ints([1], True)], tensor_type(int64, (n,)))
    return Operand(made if dt is int64 else em.cast(made, dt, _type(node)), _type(node))


@rule("broadcast_to")
def _broadcast(em, node, inputs):
    return Operand(inputs[0].ref, _type(node), inputs[0].shape)


@rule("reshape")
def _reshape(em, node, inputs):
    x, type = inputs[0], _type(node)
    if x.shape == ():  # one number, whatever its shape
        return Operand(x.ref, type, ())
    return Operand(em.reshape(em.real(x), type.shape, type.dtype), type)


@rule("permute")
def _permute(em, node, inputs):
    x, type = inputs[0], _type(node)
    return Operand(x.ref, type, ()) if x.shape == () else em.result("Transpose", [x], type, perm=list(node.params[0]))


@rule("slice")
def _slice(em, node, inputs):
    x, type = inputs[0], _type(node)
    if x.shape == ():
        return Operand(x.ref, type, ())
    return Operand(em.slice(em.real(x), node.params[0], node.params[1], x.type.shape, type, node.params[2]), type)


@rule("flip")
def _flip(em, node, inputs):
    dims = node.params[0]
    ends = Ints([-(1 << 63)] * len(dims))
    return em.result("Slice", [inputs[0], Ints([-1] * len(dims)), ends, Ints(dims), Ints([-1] * len(dims))],
                     _type(node))


@rule("pad")
def _pad(em, node, inputs):
    low, high, inner, value = node.params
    if any(inner):
        raise OnnxExporterError(f"{em.label} puts numbers between the elements of a tensor, for which there is no ONNX "
                                "operator")
    x, type = inputs[0], _type(node)
    if type.dtype is bool_:
        padded = em.call("Pad", [em.cast(em.real(x), int32), Ints((*low, *high)), Scalar(int(value), int32)], None,
                         mode="constant")
        return Operand(em.cast(padded, bool_, type), type)
    return em.result("Pad", [x, Ints((*low, *high)), Scalar(value, type.dtype)], type, mode="constant")


@rule("concat")
def _concat(em, node, inputs):
    parts = [x for x in inputs if x.type.size] or inputs[:1]
    return em.result("Concat", parts, _type(node), axis=node.params[0])


@rule("bitcast")
def _bitcast(em, node, inputs):
    raise OnnxExporterError(f"{em.label} reads a tensor's memory as another dtype, for which there is no ONNX operator")


@rule("strided_view")
def _strided_view(em, node, inputs):
    x, type = inputs[0], _type(node)
    shape, strides, offset = node.params
    steps = take_apart(x.type.shape, shape, strides, offset)
    if steps is None:
        index = offset + sum(np.arange(n).reshape(-1, *(1,) * (len(shape) - 1 - i)) * s
                             for i, (n, s) in enumerate(zip(shape, strides)))
        flat = em.reshape(em.real(x), [x.type.size], type.dtype)
        return em.result("Gather", [flat, Array(np.broadcast_to(index, shape).astype(np.int64), int64)], type, axis=0)
    ref = em.real(x)
    if steps.levels != x.type.shape:
        ref = em.reshape(ref, steps.levels, type.dtype)
    cut = tuple(b - a for a, b in zip(steps.starts, steps.stops))
    ref = em.slice(ref, steps.starts, steps.stops, steps.levels, tensor_type(type.dtype, cut))
    ref = em.transpose(ref, steps.perm, type.dtype, cut)
    if tuple(cut[i] for i in steps.perm) != steps.kept:
        ref = em.reshape(ref, steps.kept, type.dtype)
    return Operand(ref, type, steps.kept)


@rule("strided_write")
def _strided_write(em, node, inputs):
    x, new = inputs
    strides, offset = node.params
    type, shape = _type(node), new.type.shape
    if new.type.size == type.size and take_apart(type.shape, shape, strides, offset) is not None and offset == 0:
        order = sorted(range(len(shape)), key=lambda i: -strides[i])
        moved = em.transpose(em.real(new), order, type.dtype, shape)
        return Operand(em.reshape(moved, type.shape, type.dtype), type)
    places = offset + sum((np.arange(n).reshape(-1, *(1,) * (len(shape) - 1 - i)) * s
                           for i, (n, s) in enumerate(zip(shape, strides))), np.zeros((), np.int64))
    index = np.broadcast_to(places, shape).reshape(-1).astype(np.int64)
    flat = em.reshape(em.real(x), [type.size], type.dtype)
    source = em.reshape(em.real(new), [new.type.size], type.dtype)
    written = em.call("ScatterElements", [flat, Array(index, int64), source], tensor_type(type.dtype, (type.size,)),
                      axis=0)
    return Operand(em.reshape(written, type.shape, type.dtype), type)


# ------------------------------------------------------------------ indices

@rule("take")
def _take(em, node, inputs):
    return em.result("Gather", inputs, _type(node), axis=node.params[0])


@rule("gather")
def _gather(em, node, inputs):
    return em.result("GatherElements", inputs, _type(node), axis=node.params[0])


def _reduction_name(em: Emitter, mode: str) -> str | None:
    needed = 18 if mode in ("max", "min") else 16
    if mode != "set" and em.opset < needed:
        raise OnnxExporterError(f"{em.label} scatters with '{mode}', which needs opset_version >= {needed}")
    return None if mode == "set" else mode


@rule("scatter")
def _scatter(em, node, inputs):
    x, index, source = inputs
    dim, mode = node.params
    shape = index.type.shape
    part = em.slice(em.real(source), (0,) * len(shape), shape, source.type.shape, None)
    return em.result("ScatterElements", [x, index, part], _type(node), axis=dim, reduction=_reduction_name(em, mode))


@rule("put")
def _put(em, node, inputs):
    """ScatterND writes whole slices of the first dimension: `dim` goes there and back."""
    x, index, source = inputs
    dim, mode = node.params
    ndim, n = len(x.type.shape), len(index.type.shape)
    front = [dim, *[i for i in range(ndim) if i != dim]]
    source_front = [*range(dim, dim + n), *[i for i in range(len(source.type.shape)) if not dim <= i < dim + n]]
    moved = em.transpose(em.real(x), front)
    rows = em.transpose(em.real(source), source_front)
    at = em.reshape(em.real(index), (*index.type.shape, 1), int64)
    written = em.call("ScatterND", [moved, at, rows], tensor_type(x.dtype, tuple(x.type.shape[i] for i in front)),
                      reduction=_reduction_name(em, mode))
    return Operand(em.transpose(written, [front.index(i) for i in range(ndim)], x.dtype,
                                [x.type.shape[i] for i in front]), _type(node))


@rule("sort")
def _sort(em, node, inputs):
    dim, descending = node.params
    types = [v.type for v in node.outputs]
    names = em.calls_for("TopK", [inputs[0], Ints([types[0].shape[dim]])], types, axis=dim, largest=int(descending),
                         sorted=1)
    return [Operand(name, type) for name, type in zip(names, types)]


# ------------------------------------------------------------------ reductions and scans

_REDUCTIONS = {"reduce_sum": "ReduceSum", "reduce_prod": "ReduceProd", "reduce_max": "ReduceMax",
               "reduce_min": "ReduceMin"}


@rule(*_REDUCTIONS)
def _reduction(em, node, inputs):
    name, x, type = node.prim.name, inputs[0], _type(node)
    if x.dtype is not bool_:
        return Operand(em.reduce(_REDUCTIONS[name], em.real(x), node.params[0], type), type)
    operator = "ReduceMax" if name in ("reduce_sum", "reduce_max") else "ReduceMin"  # any, or all
    reduced = em.reduce(operator, em.cast(em.real(x), int32), node.params[0], None)
    return Operand(em.cast(reduced, bool_, type), type)


@rule("argmax", "argmin")
def _argument(em, node, inputs):
    return em.result("ArgMax" if node.prim.name == "argmax" else "ArgMin", inputs, _type(node), axis=node.params[0],
                     keepdims=0)


@rule("cumsum")
def _cumsum(em, node, inputs):
    return em.result("CumSum", [inputs[0], Ints([node.params[0]], True)], _type(node))


# ------------------------------------------------------------------ contractions and windows

@rule("dot")
def _dot(em, node, inputs):
    """MatMul where each operand has one contracted dimension and at most one free one (a matrix times vectors: any
    number); else Einsum."""
    a, b = inputs
    ca, cb, ba, bb = node.params
    fa, fb = ([i for i in range(len(x.type.shape)) if i not in (*c, *batch)]
              for x, c, batch in ((a, ca, ba), (b, cb, bb)))
    if len(ca) == 1 and len(fb) == 1 and (len(fa) == 1 or fa and not ba):
        left = em.transpose(em.real(a), (*ba, *fa, *ca), a.dtype, a.type.shape)
        right = em.transpose(em.real(b), (*bb, *cb, *fb), b.dtype, b.type.shape)
        return em.result("MatMul", [left, right], _type(node))
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    of_a = [next(letters) for _ in a.type.shape]
    pairs = dict(zip((*cb, *bb), (*ca, *ba)))
    of_b = [of_a[pairs[i]] if i in pairs else next(letters) for i in range(len(b.type.shape))]
    out = [of_a[i] for i in (*ba, *fa)] + [of_b[i] for i in fb]
    return em.result("Einsum", inputs, _type(node), equation=f"{''.join(of_a)},{''.join(of_b)}->{''.join(out)}")


def convolution(em: Emitter, inputs: Sequence[Any], type: TensorType, kernel, stride, low, high, dilation,
                groups) -> Operand:
    return em.result("Conv", inputs, type, kernel_shape=list(kernel), strides=list(stride), pads=[*low, *high],
                     dilations=list(dilation), group=groups)


@rule("conv")
def _conv(em, node, inputs):
    return convolution(em, inputs, _type(node), inputs[1].type.shape[2:], *node.params)


@rule("conv_input_grad")
def _conv_transposed(em, node, inputs):
    size, stride, low, high, dilation, groups = node.params
    kernel, out = inputs[1].type.shape[2:], inputs[0].type.shape[2:]
    extra = [n - ((t - 1) * s - a - b + d * (k - 1) + 1)
             for n, t, s, a, b, d, k in zip(size, out, stride, low, high, dilation, kernel)]
    return em.result("ConvTranspose", inputs, _type(node), kernel_shape=list(kernel), strides=list(stride),
                     pads=[*low, *high],
                     dilations=list(dilation), group=groups, output_padding=extra)


def _pool(node: Node) -> dict[str, Any]:
    window, stride, low, high = node.params[:4]
    return {"kernel_shape": list(window), "strides": list(stride), "pads": [*low, *high]}


def _max_pool_values(em, node, inputs):
    return em.result("MaxPool", inputs, _type(node), **_pool(node), dilations=list(node.params[4]))


@rule("max_pool")
def _max_pool(em, node, inputs):
    """ONNX counts positions through the whole tensor, flambeau through each plane."""
    types = [v.type for v in node.outputs]
    values, index = em.calls_for("MaxPool", inputs, types, **_pool(node), dilations=list(node.params[4]))
    plane = em.call("Mod", [index, Ints([math.prod(inputs[0].type.shape[2:])], True)], types[1])
    return [Operand(values, types[0]), Operand(plane, types[1])]


@rule("window_sum")
def _window_sum(em, node, inputs):
    type = _type(node)
    mean = em.result("AveragePool", inputs, type, **_pool(node), count_include_pad=1)
    return em.elementwise("Mul", [mean, _number(mean, float(math.prod(node.params[0])))], type)
