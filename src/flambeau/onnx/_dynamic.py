"""Dynamic axes: one graph from passes that were recorded at several sizes.

A recorded pass knows numbers only. Where they come from shows when the sizes change: the same calls are recorded at a
few sizes, and each integer that differs is found again among the sizes of tensors that the graph has computed so far,
times, over or plus a constant. An attribute that differs, or another number of calls, means that an axis cannot be
dynamic.
"""
from __future__ import annotations

from fractions import Fraction
from typing import Any, Callable, Iterator, Mapping, Sequence

import numpy as np

from ..dtypes import int64
from ._emit import Array, Ints, OnnxExporterError, Scalar, element_type
from ._record import Sample

# What is added to the size of each axis, sample by sample, in units. Two axes must not seem to be one, also where a
# model has divided their sizes by 32.
_STEPS = ((0, 5, 13, 19), (0, 17, 3, 11), (0, 11, 19, 5), (0, 3, 7, 23), (0, 13, 23, 7), (0, 21, 9, 2))
SAMPLES = len(_STEPS[0])
# 1 where sizes are limited, negative ones where the example is already the largest (a table of positions), 32 where
# they are multiples of something.
UNITS = (7, 1, -7, -1, 32)

Vector = tuple[int, ...]


def sample_sizes(axes: Mapping[str, int], unit: int, together: bool) -> dict[str, Vector]:
    """Sizes to record at, by name of a dynamic axis; `axes` has the example's. A size of 1 would broadcast: it is at
    least 2.

    together: whether axes whose sizes are equal in the example stay equal. A negative unit makes all sizes smaller that
    are large enough for it, and leaves out the example's own: there, a model may not cut its tables.
    """
    found: dict[str, Vector] = {}
    rows: dict[Any, int] = {}
    for name, size in axes.items():
        row = rows.setdefault(size if together else name, len(rows))
        lap, row = divmod(row, len(_STEPS))
        steps = [step + lap * i for i, step in enumerate(_STEPS[row])]
        if unit < 0 and size + unit * (max(steps) + 1) >= 2:
            found[name] = tuple(size + unit * (step + 1) for step in steps)
        else:
            found[name] = tuple(max(size, 2) + abs(unit) * step for step in steps)
    return found


class Joiner:
    """Writes the calls that all samples share. `node(operator, inputs, outputs, attributes)` and
    `constant(array, element_type) -> name` are the writer's."""

    def __init__(self, samples: Sequence[Sample], node: Callable[..., None],
                 constant: Callable[[np.ndarray, int], str]):
        self.samples, self.node, self.constant = samples, node, constant
        # what is known of sizes that differ: a tensor and its dimension
        self._sizes: dict[Vector, tuple[str, int]] = {}
        self._made: dict[Any, str] = {}

    def run(self, inputs: Sequence[str]) -> None:
        """Writes all calls; `inputs` are the names that are there from the start."""
        if len({len(s.calls) for s in self.samples}) > 1:
            raise OnnxExporterError("the number of operations changes with the size of a dynamic axis (a Python loop "
                                    "over it?)")
        for name in inputs:
            self._note(name)
        for calls in zip(*[s.calls for s in self.samples]):
            first = calls[0]
            if any((c.operator, c.outputs, len(c.inputs)) != (first.operator, first.outputs, len(first.inputs))
                   for c in calls):
                raise OnnxExporterError(f"the operations at '{first.outputs[0]}' change with the size of a dynamic "
                                        "axis")
            if any(c.attributes != first.attributes for c in calls):
                raise OnnxExporterError(f"{first.operator} at '{first.outputs[0]}' has settings that depend on the "
                                        f"size of a dynamic axis: {first.attributes}")
            names = [self._input(refs, first, i) for i, refs in enumerate(zip(*[c.inputs for c in calls]))]
            self.node(first.operator, names, first.outputs, first.attributes)
            for name in first.outputs:
                self._note(name)

    def result(self, index: int) -> str:
        """The name of a result of the model."""
        return self._input(tuple(s.outputs[index] for s in self.samples), None, index)

    def shapes(self, name: str) -> list[Vector]:
        """The sizes of a tensor, each as it is in the samples."""
        return list(zip(*[s.types[name].shape for s in self.samples]))

    def _note(self, name: str) -> None:
        if name in self.samples[0].types:
            for dim, vector in enumerate(self.shapes(name)):
                if len(set(vector)) > 1:
                    self._sizes.setdefault(vector, (name, dim))

    # ------------------------------------------------------------------ operands

    def _input(self, refs: tuple, call: Any, place: int) -> str:
        first = refs[0]
        if first is None:
            return ""
        if isinstance(first, str):
            if any(ref != first for ref in refs):
                raise OnnxExporterError(f"what '{first}' is used for changes with the size of a dynamic axis")
            return first
        if isinstance(first, Ints):
            vectors = list(zip(*[ref.values for ref in refs]))
            return self._integers(vectors, first.scalar, call is not None and call.operator == "Reshape")
        return self._scalar(refs) if isinstance(first, Scalar) else self._array(refs)

    def _scalar(self, refs: Sequence[Scalar]) -> str:
        values, dt = [ref.value for ref in refs], refs[0].dtype
        if all(v == values[0] or v != v for v in values):
            return self.constant(_bits(values[0], dt), element_type(dt))
        inverse = not all(float(v).is_integer() for v in values)
        counts = tuple(round(1 / v if inverse else v) for v in values)
        if any(v != (np.asarray(1 / n, dt.np).item() if inverse else n) and abs(v * n - 1) > 1e-12
               for v, n in zip(values, counts)):
            raise OnnxExporterError(f"the numbers {values} do not follow from the sizes of the dynamic axes")
        number = self._call("Cast", [self._integers([counts], True, False)], to=element_type(dt))
        return self._call("Reciprocal", [number]) if inverse else number

    def _array(self, refs: Sequence[Array]) -> str:
        first = refs[0]
        if all(np.array_equal(ref.array, first.array) for ref in refs):
            return self.constant(first.array, element_type(first.dtype))
        if all(ref.dtype is int64 and np.array_equal(ref.array, np.arange(ref.array.size)) for ref in refs):
            length = self._integers([tuple(ref.array.size for ref in refs)], True, False)
            return self._call("Range", [self._point(0), length, self._point(1)])
        if len({ref.array.ndim for ref in refs}) > 1 or any((ref.array != first.array.flat[0]).any() for ref in refs):
            raise OnnxExporterError("the model has a constant that changes with the size of a dynamic axis: "
                                    f"{[ref.array.shape for ref in refs]}")
        shape = self._integers(list(zip(*[ref.array.shape for ref in refs])), False, False)
        return self._call("Expand",
                          [self.constant(first.array.reshape(-1)[:1].reshape(()), element_type(first.dtype)), shape])

    # ------------------------------------------------------------------ integers

    def _integers(self, vectors: Sequence[Vector], scalar: bool, is_shape: bool) -> str:
        """A tensor of integers; in a reshape's shape, one that is hard to come by may be inferred."""
        if all(len(set(v)) <= 1 for v in vectors):
            return self.constant(np.array(vectors[0][0] if scalar else [v[0] for v in vectors], np.int64),
                                 element_type(int64))
        open_ = [i for i, v in enumerate(vectors) if len(set(v)) > 1]
        inferred = None
        if is_shape:
            inferred = next((i for i in open_ if self._express(vectors[i]) is None), open_[0])
        if scalar:
            return self._call("Squeeze", [self._integer(vectors[0]), self._one(0)])
        pieces = [self._one(-1) if i == inferred else self._integer(v) for i, v in enumerate(vectors)]
        if inferred is not None and len(open_) == 1:
            return self.constant(np.array([-1 if i == inferred else v[0] for i, v in enumerate(vectors)], np.int64),
                                 element_type(int64))
        return pieces[0] if len(pieces) == 1 else self._call("Concat", pieces, axis=0)

    def _point(self, value: int) -> str:
        """A 0-D integer."""
        return self.constant(np.array(value, np.int64), element_type(int64))

    def _one(self, value: int) -> str:
        """A 1-D tensor of one integer."""
        return self.constant(np.array([value], np.int64), element_type(int64))

    def _integer(self, vector: Vector) -> str:
        """A tensor of one integer."""
        found = self._express(vector)
        if found is None:
            raise OnnxExporterError(f"the model computes with the numbers {vector}, which do not follow from the sizes "
                                    "of the dynamic axes")
        return found()

    def _express(self, vector: Vector) -> Callable[[], str] | None:
        """How a number comes about, as a function that writes it."""
        if len(set(vector)) == 1:
            return lambda: self._one(vector[0])
        if vector in self._sizes:
            return lambda: self._size(vector)
        for known in self._sizes:
            line = _line(known, vector)
            if line is not None:
                return lambda: self._scaled(self._size(known), *line)  # type: ignore[misc]
        for a, b in self._pairs():
            line = _line(tuple(x * y for x, y in zip(a, b)), vector)
            if line is not None and line[1] == 0:
                return lambda: self._scaled(self._call("Mul", [self._size(a), self._size(b)]), *line)
        return None

    def _pairs(self) -> Iterator[tuple[Vector, Vector]]:
        known = list(self._sizes)
        return ((a, b) for i, a in enumerate(known) for b in known[:i + 1])

    def _size(self, vector: Vector) -> str:
        name, dim = self._sizes[vector]
        return self._call("Gather", [self._call("Shape", [name]), self._one(dim)], axis=0)

    def _scaled(self, ref: str, slope: Fraction, shift: Fraction) -> str:
        """(numerator·x + shift·denominator) / denominator, exactly."""
        under = slope.denominator
        if slope.numerator != 1:
            ref = self._call("Mul", [ref, self._one(slope.numerator)])
        if shift:
            ref = self._call("Add", [ref, self._one(int(shift * under))])
        return ref if under == 1 else self._call("Div", [ref, self._one(under)])

    def _call(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        """Writes a call on sizes, once."""
        key = (operator, *inputs, *attributes.items())
        if key not in self._made:
            self._made[key] = f"sizes.{len(self._made)}"
            self.node(operator, inputs, [self._made[key]], attributes)
        return self._made[key]


def _line(x: Vector, y: Vector) -> tuple[Fraction, Fraction] | None:
    """(slope, shift) of the line through all points, shift · slope's denominator an integer; None if there is none."""
    at = next((i for i, v in enumerate(x) if v != x[0]), None)
    if at is None:
        return None
    slope = Fraction(y[at] - y[0], x[at] - x[0])
    shift = y[0] - slope * x[0]
    fits = all(slope * a + shift == b for a, b in zip(x, y)) and (shift * slope.denominator).denominator == 1
    return (slope, shift) if fits and slope else None


def _bits(value: Any, dt: Any) -> np.ndarray:
    """A number as it is stored."""
    from ..dtypes import narrow
    return narrow(np.asarray(value, dtype=dt.wide), dt) if dt.encoded else np.asarray(value, dt.np)
