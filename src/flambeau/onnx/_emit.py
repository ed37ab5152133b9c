"""The nodes of an ONNX graph while it is being made, and the operands that rules hand around.

A graph is made once for each sample of the dynamic sizes (see `_dynamic`). What may differ from sample to sample is not
an attribute but an input: `Ints` and `Scalar`, which become initializers where all samples agree, and computed values
where they do not.
"""
from __future__ import annotations

from typing import Any, Iterable, Sequence

import numpy as np

from ..dtypes import dtype
from ..ir.types import TensorType, tensor_type

INT64_MAX = (1 << 63) - 1

# TensorProto.DataType by dtype; a fact of the format
ELEMENT_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9,
                 "float16": 10, "float64": 11, "uint32": 12, "uint64": 13, "bfloat16": 16}


class OnnxExporterError(RuntimeError):
    """A model that cannot be exported, and why."""


def element_type(dt: dtype) -> int:
    """ONNX's number of a dtype."""
    if dt.name not in ELEMENT_TYPES:
        raise OnnxExporterError(f"ONNX models here hold no tensors of {dt}")
    return ELEMENT_TYPES[dt.name]


class Ints:
    """Integers that may depend on the dynamic sizes: a 1-D int64 tensor, or with `scalar` a 0-D one."""

    __slots__ = ("values", "scalar")

    def __init__(self, values: Iterable[int], scalar: bool = False):
        self.values, self.scalar = tuple(int(v) for v in values), scalar


class Scalar:
    """One number, 0-D. It may depend on the dynamic sizes (the count that a mean divides by)."""

    __slots__ = ("value", "dtype")

    def __init__(self, value: Any, dtype: dtype):
        self.value, self.dtype = value, dtype


class Array:
    """A constant; encoded dtypes as their bits."""

    __slots__ = ("array", "dtype")

    def __init__(self, array: np.ndarray, dtype: dtype):
        self.array, self.dtype = array, dtype


class Call:
    """One call of an ONNX operator. inputs: names, `Ints`, `Scalar`, `Array`, or None for one that is left out."""

    __slots__ = ("operator", "inputs", "outputs", "attributes")

    def __init__(self, operator: str, inputs: Sequence[Any], outputs: Sequence[str], attributes: dict[str, Any]):
        self.operator, self.inputs, self.outputs, self.attributes = operator, tuple(inputs), tuple(outputs), attributes


class Operand:
    """A value of the recorded graph: its type, and what stands for it in ONNX.

    ref: a name or a constant. Its shape may be smaller than the type's: ONNX broadcasts the operands of elementwise
    operators, so a broadcast is only made where something else needs it.
    """

    __slots__ = ("ref", "shape", "type")

    def __init__(self, ref: Any, type: TensorType, shape: tuple[int, ...] | None = None):
        self.ref, self.type = ref, type
        self.shape = type.shape if shape is None else shape

    @property
    def dtype(self) -> dtype:
        return self.type.dtype


class Emitter:
    """Collects calls, and gives names to what they compute. `label` is what the next names begin with; `reserved` are
    names that are not given."""

    def __init__(self, opset: int, reserved: Iterable[str] = ()):
        self.opset = opset
        self.calls: list[Call] = []
        self.types: dict[str, TensorType] = {}
        self.label = ""
        self._counts: dict[str, int] = dict.fromkeys(reserved, 1)

    def name(self, label: str) -> str:
        """A name that is not taken."""
        n = self._counts.get(label, 0)
        self._counts[label] = n + 1
        return self.name(f"{label}_{n}") if n else label

    def input(self, name: str, type: TensorType) -> Operand:
        """A named value that comes from outside: an argument of the model, or a parameter."""
        self._counts.setdefault(name, 1)
        self.types[name] = type
        return Operand(name, type)

    def call(self, operator: str, inputs: Sequence[Any], type: TensorType | None, **attributes: Any) -> str:
        """Appends a call with one output of this type (None: an intermediate one whose type nobody asks for)."""
        return self.calls_for(operator, inputs, [type], **attributes)[0]

    def calls_for(self, operator: str, inputs: Sequence[Any], types: Sequence[TensorType | None],
                  **attributes: Any) -> list[str]:
        """Appends a call with several outputs; returns their names."""
        outputs = [self.name(self.label or operator.lower()) for _ in types]
        for name, type in zip(outputs, types):
            if type is not None:
                self.types[name] = type
        refs = [self.real(x) if isinstance(x, Operand) else x for x in inputs]
        self.calls.append(Call(operator, refs, outputs, {k: v for k, v in attributes.items() if v is not None}))
        return outputs

    def result(self, operator: str, inputs: Sequence[Any], type: TensorType, **attributes: Any) -> Operand:
        """`call`, as an operand."""
        return Operand(self.call(operator, inputs, type, **attributes), type)

    def real(self, x: Operand) -> Any:
        """What stands for x in its full shape."""
        if x.shape != x.type.shape:
            x.ref = self.expand(x.ref, x.shape, x.type)
            x.shape = x.type.shape
        return x.ref

    def expand(self, ref: Any, shape: tuple[int, ...], type: TensorType) -> str:
        """`ref` of `shape` broadcast to `type`. Sizes that it has already are 1: Expand takes the larger of the two."""
        have = (1,) * (len(type.shape) - len(shape)) + shape
        return self.call("Expand", [ref, Ints(1 if a == b else b for a, b in zip(have, type.shape))], type)

    def elementwise(self, operator: str, operands: Sequence[Operand], type: TensorType, **attributes: Any) -> Operand:
        """An operator that broadcasts: operands stay small, and so does the result, as its type allows."""
        shape = np.broadcast_shapes(*[x.shape for x in operands])
        name = self.call(operator, [x.ref for x in operands], tensor_type(type.dtype, shape), **attributes)
        return Operand(name, type, shape)

    def reshape(self, x: Any, shape: Sequence[int], dt: dtype) -> str:
        """x, a name, in another shape."""
        return self.call("Reshape", [x, Ints(shape)], tensor_type(dt, tuple(shape)))

    def transpose(self, x: Any, perm: Sequence[int], dt: dtype | None = None,
                  shape: Sequence[int] | None = None) -> Any:
        """x, a name, with its dimensions in the order `perm`."""
        if tuple(perm) == tuple(range(len(perm))):
            return x
        type = None if shape is None or dt is None else tensor_type(dt, tuple(shape[i] for i in perm))
        return self.call("Transpose", [x], type, perm=list(perm))

    def slice(self, x: Any, starts: Sequence[int], stops: Sequence[int], shape: Sequence[int], type: TensorType | None,
              steps: Sequence[int] | None = None) -> Any:
        """x[start:stop:step] in each dimension of `shape`; dimensions that are taken whole are not named."""
        steps = steps or (1,) * len(shape)
        axes = [i for i, n in enumerate(shape) if (starts[i], stops[i], steps[i]) != (0, n, 1)]
        if not axes:
            return x
        ends = Ints(INT64_MAX if stops[i] == shape[i] else stops[i] for i in axes)
        inputs = [x, Ints(starts[i] for i in axes), ends, Ints(axes)]
        if any(steps[i] != 1 for i in axes):
            inputs.append(Ints(steps[i] for i in axes))
        return self.call("Slice", inputs, type)

    def reduce(self, operator: str, x: Any, axes: Sequence[int], type: TensorType | None,
               keepdims: bool = False) -> str:
        """A reduction over axes: an input since opset 18 (ReduceSum: since 13), an attribute before."""
        if operator == "ReduceSum" or self.opset >= 18:
            return self.call(operator, [x, Ints(axes)], type, keepdims=int(keepdims))
        return self.call(operator, [x], type, axes=list(axes), keepdims=int(keepdims))

    def cast(self, x: Any, dt: dtype, type: TensorType | None = None) -> str:
        return self.call("Cast", [x], type, to=element_type(dt))
