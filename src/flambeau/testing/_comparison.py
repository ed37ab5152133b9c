"""`assert_close`: whether two tensors, numbers, or collections of them agree within tolerances."""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import flambeau as torch

from ..tensor.attributes import host_array
from ..tensor.tensor import Tensor

# (rtol, atol) by dtype; others are compared exactly
PRECISIONS = {"float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7),
              "complex32": (1e-3, 1e-5), "complex64": (1.3e-6, 1e-5), "complex128": (1e-7, 1e-7)}
_NUMBERS = (bool, int, float, complex, np.number, np.bool_)


def default_tolerances(*inputs: Any) -> tuple[float, float]:
    """The wider of the tolerances that the dtypes of the inputs (tensors or dtypes) have by default."""
    pairs = [PRECISIONS.get((x.dtype if isinstance(x, Tensor) else x).name, (0.0, 0.0)) for x in inputs]
    return max(p[0] for p in pairs), max(p[1] for p in pairs)


class _Comparison:
    """What `assert_close` was asked to look at."""

    def __init__(self, rtol: float | None, atol: float | None, equal_nan: bool, checks: dict[str, bool],
                 msg: str | Callable[[str], str] | None):
        self.rtol, self.atol, self.equal_nan, self.checks, self.msg = rtol, atol, equal_nan, checks, msg

    def tolerances(self, *inputs: Any) -> tuple[float, float]:
        if (self.rtol is None) != (self.atol is None):
            missing = "rtol" if self.rtol is None else "atol"
            raise ValueError(f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}.")
        return default_tolerances(*inputs) if self.rtol is None or self.atol is None else (self.rtol, self.atol)

    def fail(self, text: str, place: tuple) -> None:
        if place:
            text += "\n\nThe failure occurred for item " + "".join(f"[{key!r}]" for key in place)
        raise AssertionError(self.msg(text) if callable(self.msg) else self.msg or text)

    def misfit(self, text: str, place: tuple) -> None:
        """The failure of collections that are not alike, whose message is always the same."""
        _Comparison(None, None, False, {}, None).fail(text, place)

    def pair(self, actual: Any, expected: Any, place: tuple) -> None:
        """Compares two inputs of any kind; place: the indices and keys that lead to them."""
        if isinstance(actual, Tensor) and isinstance(expected, Tensor):
            self.tensors(actual, expected, place)
        elif isinstance(actual, np.ndarray) and isinstance(expected, np.ndarray):
            self.tensors(torch.tensor(actual), torch.tensor(expected), place)
        elif isinstance(actual, _NUMBERS) and isinstance(expected, _NUMBERS):
            self.numbers(actual, expected, place)
        elif isinstance(actual, Mapping) and isinstance(expected, Mapping):
            self.mappings(actual, expected, place)
        elif _is_sequence(actual) and _is_sequence(expected):
            if len(actual) != len(expected):
                self.misfit(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", place)
            for i, (a, b) in enumerate(zip(actual, expected)):
                self.pair(a, b, (*place, i))
        elif actual is None or expected is None:
            if actual is not expected:
                self.fail(f"None mismatch: {actual} is not {expected}", place)
        else:
            raise TypeError(f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}.")

    def mappings(self, actual: Mapping, expected: Mapping, place: tuple) -> None:
        if actual.keys() != expected.keys():
            missing, more = expected.keys() - actual.keys(), actual.keys() - expected.keys()
            self.misfit("The keys of the mappings do not match:\n"
                      f"Missing keys in the actual mapping: {sorted(missing, key=str)}\n"
                      f"Additional keys in the actual mapping: {sorted(more, key=str)}", place)
        for key in actual:
            self.pair(actual[key], expected[key], (*place, key))

    def numbers(self, actual: Any, expected: Any, place: tuple) -> None:
        kinds = [torch.complex128 if isinstance(x, complex) else torch.float64 if isinstance(x, float) else torch.int64
                 for x in (actual, expected)]
        rtol, atol = self.tolerances(*kinds)
        if self.checks["dtype"] and type(actual) is not type(expected):
            self.fail(f"The (d)types do not match: {type(actual)} != {type(expected)}.", place)
        self.number(actual, expected, rtol, atol, place)

    def number(self, actual: Any, expected: Any, rtol: float, atol: float, place: tuple) -> None:
        both_nan = self.equal_nan and actual != actual and expected != expected
        difference = abs(actual - expected)
        if actual == expected or both_nan or math.isfinite(difference) and difference <= atol + rtol * abs(expected):
            return
        if rtol == atol == 0:
            self.fail(f"Scalars are not equal!\n\nExpected {expected} but got {actual}.\nAbsolute difference: {difference}\n"
                      f"Relative difference: {_ratio(difference, abs(expected))}", place)
        self.fail(f"Scalars are not close!\n\nExpected {expected} but got {actual}.\n"
                  f"Absolute difference: {difference} (up to {atol} allowed)\n"
                  f"Relative difference: {_ratio(difference, abs(expected))} (up to {rtol} allowed)", place)

    def tensors(self, actual: Any, expected: Any, place: tuple) -> None:
        rtol, atol = self.tolerances(actual, expected)
        for name, what in (("shape", "shape"), ("layout", "layout"), ("device", "device"), ("dtype", "dtype"), ("stride", "stride()")):
            if not self.checks.get(name, True):
                continue
            a, b = [x.stride() if name == "stride" else getattr(x, name) for x in (actual, expected)]
            if a != b:
                self.fail(f"The values for attribute '{what}' do not match: {a} != {b}.", place)
        if actual.layout is not torch.strided:
            actual, expected = actual.to_dense(), expected.to_dense()
        a, b = [np.asarray(host_array(x.detach().resolve_conj())) for x in (actual, expected)]  # type: ignore[attr-defined]
        if a.ndim == 0:
            self.number(a.item(), b.item(), rtol, atol, place)
            return
        shown = np.result_type(a.dtype, b.dtype)  # what the differences are shown in
        wide = np.result_type(shown, np.float64) if shown.kind in "fc" else np.dtype(np.int64)
        wrong = ~np.isclose(a.astype(wide), b.astype(wide), rtol=rtol, atol=atol, equal_nan=self.equal_nan)
        if wrong.any():
            shown = shown if shown.kind in "fc" else wide
            self.fail(_report(a.astype(shown), b.astype(shown), wrong, rtol, atol), place)


def _is_sequence(x: Any) -> bool:
    return isinstance(x, Sequence) and not isinstance(x, (str, bytes))


def _ratio(difference: float, size: float) -> float:
    return difference / size if size else math.inf if difference else 0.0


def _report(a: np.ndarray, b: np.ndarray, wrong: np.ndarray, rtol: float, atol: float) -> str:
    """How many elements differ, and where they do most."""
    with np.errstate(all="ignore"):
        absolute = np.where(wrong, np.abs(a - b), 0)
        ratio = absolute / np.abs(b) if a.dtype.kind in "fc" else np.float32(absolute) / np.float32(np.abs(b))
        relative = np.where(wrong, ratio, 0)

    def greatest(what: str, errors: np.ndarray, allowed: float) -> str:
        place = np.unravel_index(int(np.argmax(errors)), errors.shape)
        limit = f" (up to {allowed} allowed)" if rtol or atol else ""
        return f"Greatest {what} difference: {errors[place].item()} at index {tuple(map(int, place))}" + limit
    count = int(wrong.sum())
    return (f"Tensor-likes are not {'close' if rtol or atol else 'equal'}!\n\n"
            f"Mismatched elements: {count} / {wrong.size} ({count / wrong.size:.1%})\n"
            f"{greatest('absolute', absolute, atol)}\n{greatest('relative', relative, rtol)}")


def assert_close(actual: Any, expected: Any, *, allow_subclasses: bool = True, rtol: float | None = None, atol: float | None = None,
                 equal_nan: bool = False, check_device: bool = True, check_dtype: bool = True, check_layout: bool = True,
                 check_stride: bool = False, msg: str | Callable[[str], str] | None = None) -> None:
    """AssertionError unless |actual − expected| ≤ atol + rtol · |expected| everywhere, with equal shapes and, by default,
    dtypes, devices and layouts.

    Tensors, NumPy arrays, numbers, and sequences and mappings of them. rtol and atol go together; by default they depend on the
    dtypes (float32: 1.3e-6 and 1e-5), and integers and booleans must be equal. equal_nan: whether NaNs are equal.
    msg: the message, or a function from the one that would be shown.
    Errors: TypeError for other inputs, and of different types without allow_subclasses.
    """
    if not allow_subclasses and type(actual) is not type(expected):
        raise TypeError(f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}.")
    checks = {"device": check_device, "dtype": check_dtype, "layout": check_layout, "stride": check_stride}
    comparison = _Comparison(rtol, atol, equal_nan, checks, msg)
    comparison.pair(actual, expected, ())
