"""dtype objects, the promotion lattice, and `finfo`/`iinfo`.

Most dtypes are the NumPy type of the same name. Those that NumPy lacks (bfloat16, complex32, float8_*) are *encoded*: their
arrays hold bits as unsigned integers (`dtype.np`), and `widen`/`narrow` convert to and from numbers (`dtype.wide`).
"""
from __future__ import annotations

from functools import partial
from typing import Any, Callable

import numpy as np

from . import number_formats as formats


class dtype:
    """A tensor's element type. Instances are singletons (`flambeau.float32`), compared by identity.

    kind: 'b' bool, 'i' signed, 'u' unsigned, 'f' floating, 'c' complex. np: the NumPy type of its arrays. wide: the one that
    arithmetic uses. encoded: whether the arrays hold bits of a format that NumPy lacks.
    """

    __slots__ = ("name", "np", "wide", "itemsize", "kind", "order", "encoded", "_decode", "_encode", "_legacy", "__weakref__")

    def __init__(self, name: str, np_type: Any, kind: str, order: int, legacy: str, wide: Any = None,
                 decode: Callable[[np.ndarray], np.ndarray] | None = None, encode: Callable[[np.ndarray], np.ndarray] | None = None):
        self.name = name
        self.np = np.dtype(np_type)
        self.wide = self.np if wide is None else np.dtype(wide)
        self.itemsize = self.np.itemsize
        self.kind = kind
        self.order = order
        self.encoded = decode is not None
        self._decode, self._encode = decode, encode
        self._legacy = legacy

    def __repr__(self) -> str:
        return "torch." + self.name

    def __reduce__(self):
        # as PyTorch, a global of the module `torch`, where that is what programs import
        return self.name if type(self).__module__ == "torch" else (_by_name, (self.name,))

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    @property
    def is_floating_point(self) -> bool:
        return self.kind == "f"

    @property
    def is_complex(self) -> bool:
        return self.kind == "c"

    @property
    def is_signed(self) -> bool:
        return self.kind in "ifc"

    @property
    def c_name(self) -> str:
        """What PyTorch's C++ messages call it."""
        return _C_NAMES.get(self.name, self.name)

    def to_real(self) -> dtype:
        """The dtype of this dtype's real part."""
        return {complex32: float16, complex64: float32, complex128: float64}.get(self, self)

    def to_complex(self) -> dtype:
        """The complex dtype whose parts have this dtype's precision."""
        return {float16: complex32, float64: complex128}.get(self, self if self.kind == "c" else complex64)


def _float8(name: str, legacy: str) -> dtype:
    return dtype(name, np.uint8, "f", 5, legacy, np.float32, partial(formats.decode_float8, name=name),
                 partial(formats.encode_float8, name=name))


bool_ = dtype("bool", np.bool_, "b", 0, "Bool")
uint8 = dtype("uint8", np.uint8, "u", 1, "Byte")
int8 = dtype("int8", np.int8, "i", 1, "Char")
int16 = dtype("int16", np.int16, "i", 2, "Short")
int32 = dtype("int32", np.int32, "i", 3, "Int")
int64 = dtype("int64", np.int64, "i", 4, "Long")
uint16 = dtype("uint16", np.uint16, "u", 2, "UInt16")
uint32 = dtype("uint32", np.uint32, "u", 3, "UInt32")
uint64 = dtype("uint64", np.uint64, "u", 4, "UInt64")
float16 = dtype("float16", np.float16, "f", 5, "Half", np.float32)
bfloat16 = dtype("bfloat16", np.uint16, "f", 5, "BFloat16", np.float32, formats.decode_bfloat16, formats.encode_bfloat16)
float32 = dtype("float32", np.float32, "f", 6, "Float")
float64 = dtype("float64", np.float64, "f", 7, "Double")
complex32 = dtype("complex32", np.uint32, "c", 7, "ComplexHalf", np.complex64, formats.decode_complex32, formats.encode_complex32)
complex64 = dtype("complex64", np.complex64, "c", 8, "ComplexFloat")
complex128 = dtype("complex128", np.complex128, "c", 9, "ComplexDouble")
float8_e4m3fn = _float8("float8_e4m3fn", "Float8_e4m3fn")
float8_e5m2 = _float8("float8_e5m2", "Float8_e5m2")
float8_e4m3fnuz = _float8("float8_e4m3fnuz", "Float8_e4m3fnuz")
float8_e5m2fnuz = _float8("float8_e5m2fnuz", "Float8_e5m2fnuz")

FLOAT8 = (float8_e4m3fn, float8_e5m2, float8_e4m3fnuz, float8_e5m2fnuz)
ALL = (bool_, uint8, int8, int16, int32, int64, uint16, uint32, uint64, float16, bfloat16, float32, float64, complex32,
       complex64, complex128, *FLOAT8)
BY_NAME = {d.name: d for d in ALL}
ALIASES = {"half": float16, "float": float32, "double": float64, "short": int16, "int": int32, "long": int64,
           "chalf": complex32, "cfloat": complex64, "cdouble": complex128}
_FROM_NUMPY = {d.np: d for d in ALL if not d.encoded}

_C_NAMES = {"int64": "long int", "int32": "int", "int16": "short int", "int8": "signed char", "uint8": "unsigned char", "float32": "float",
            "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16", "complex64": "c10::complex<float>",
            "complex128": "c10::complex<double>"}

_default_float: dtype = float32


def _by_name(name: str) -> dtype:
    return BY_NAME[name]


def from_numpy_dtype(np_type: Any) -> dtype:
    """The dtype of a NumPy type, or a TypeError in PyTorch's words."""
    try:
        return _FROM_NUMPY[np.dtype(np_type).newbyteorder("=")]
    except KeyError:
        raise TypeError(
            f"can't convert np.ndarray of type {np.dtype(np_type).type.__module__}.{np.dtype(np_type).type.__name__}. "
            "The only supported types are: float64, float32, float16, complex64, complex128, int64, int32, int16, int8, "
            "uint64, uint32, uint16, uint8, and bool.") from None


def get_default_dtype() -> dtype:
    """The floating dtype of new tensors made from Python floats (float32 unless changed)."""
    return _default_float


def set_default_dtype(d: dtype, /) -> None:
    """Sets the dtype of tensors made from Python floats. `d` must be floating."""
    global _default_float
    if not isinstance(d, dtype):
        raise TypeError(f"invalid type object: only floating-point types are supported as the default type, got {d!r}")
    if d.kind != "f":
        raise TypeError("only floating-point types are supported as the default type")
    _default_float = d


def default_complex() -> dtype:
    return _default_float.to_complex()


_UNSIGNED_WIDE = (uint16, uint32, uint64)


def _unsupported(what: str, a: dtype, b: dtype) -> RuntimeError:
    return RuntimeError(f"Promotion for {what} is not supported, attempted to promote {a._legacy} and {b._legacy}")


def promote(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that both convert to (PyTorch's lattice, which is not NumPy's: int64 + float16 is float16)."""
    a, b = type1, type2
    if a is b:
        return a
    if a in FLOAT8 or b in FLOAT8:
        raise _unsupported("Float8 Types", a, b)
    if a in _UNSIGNED_WIDE and b.kind != "f" or b in _UNSIGNED_WIDE and a.kind != "f":
        raise _unsupported("uint16, uint32, uint64 types", a, b)
    if a.kind == "c" or b.kind == "c":
        return _promote_complex(a, b)
    if a.kind == "f" or b.kind == "f":
        if a.kind == "f" and b.kind == "f":
            if {a, b} == {float16, bfloat16}:
                return float32
            return a if a.order > b.order else b
        return a if a.kind == "f" else b
    if a.kind == "b" or b.kind == "b":
        return b if a.kind == "b" else a
    if {a, b} == {uint8, int8}:
        return int16
    return a if a.order > b.order else b


def _promote_complex(a: dtype, b: dtype) -> dtype:
    """Complex, with parts of the wider of both precisions."""
    if a.kind == b.kind:
        return a if a.order > b.order else b
    z, other = (a, b) if a.kind == "c" else (b, a)
    if other.kind != "f":
        return z
    wide = other.to_complex()
    return z if z.order > wide.order else wide


def category(d: dtype) -> int:
    """0 bool, 1 integral, 2 floating, 3 complex: a 0-dim tensor or number changes a result's dtype only if its is higher."""
    return 0 if d.kind == "b" else 1 if d.kind in "iu" else 2 if d.kind == "f" else 3


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether a result of dtype `from_` may be written into a tensor of dtype `to` (no lower category)."""
    if category(from_) > category(to):
        return category(from_) <= 0
    return True


def overflow_error(value: Any, d: dtype, check_half: bool = True) -> RuntimeError | None:
    """PyTorch's error if a Python number does not fit into `d`, else None. Negative integers fit into unsigned types modulo 2^n.

    check_half: whether float16 and bfloat16 are checked, too (`fill_` lets them become infinite).
    """
    if d.kind == "b":
        return None
    bad = isinstance(value, complex) and d.kind != "c"
    if not bad and d.kind in "iu":
        info = np.iinfo(d.np)
        least = info.min if d.kind == "i" else -info.max if isinstance(value, int) else 0
        bad = not least <= value <= info.max
    elif not bad and (check_half or d not in (float16, bfloat16)):
        largest = finfo(d).max
        parts = (value.real, value.imag) if isinstance(value, complex) else (value,)
        bad = any(largest < abs(v) < float("inf") for v in parts)
    if not bad:
        return None
    name = d.name + "_t" if d.kind in "iu" else d.c_name
    return RuntimeError(f"value cannot be converted to type {name} without overflow")


def widen(array: np.ndarray, d: dtype) -> np.ndarray:
    """`array` as numbers: the bits of an encoded dtype are read, everything else is returned as it is."""
    return array if d._decode is None else d._decode(array)


def narrow(array: np.ndarray, d: dtype) -> np.ndarray:
    """The inverse of `widen`: numbers as an array of d's NumPy type, rounded to the nearest, ties to even."""
    if d._encode is not None:
        return d._encode(array.astype(d.wide, copy=False))
    return array if array.dtype == d.np else array.astype(d.np)


# (bits, eps, largest, smallest normal, resolution) of the formats that NumPy does not know
_LIMITS = {"bfloat16": (16, 2.0 ** -7, 3.3895313892515355e38, 2.0 ** -126, 0.01), "float8_e4m3fn": (8, 0.125, 448.0, 2.0 ** -6, 1.0),
           "float8_e5m2": (8, 0.25, 57344.0, 2.0 ** -14, 1.0), "float8_e4m3fnuz": (8, 0.125, 240.0, 2.0 ** -7, 1.0),
           "float8_e5m2fnuz": (8, 0.125, 57344.0, 2.0 ** -15, 1.0)}


class finfo:
    """Limits of a floating dtype: bits, eps, max, min, tiny, smallest_normal, resolution."""

    def __init__(self, type: dtype | None = None):
        d = _default_float if type is None else type
        if not isinstance(d, dtype):
            raise TypeError(f"torch.finfo() requires a floating point input type. Use torch.iinfo to handle '{d}'")
        if d.kind not in "fc":
            raise TypeError(f"torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.{d.name}'")
        d = d.to_real()
        self.dtype = d.name
        if d.name in _LIMITS:
            self.bits, self.eps, self.max, self.tiny, self.resolution = _LIMITS[d.name]
        else:
            n = np.finfo(d.np)
            self.bits, self.eps, self.max = n.bits, float(n.eps), float(n.max)
            self.tiny, self.resolution = float(n.tiny), 10.0 ** -n.precision
        self.min, self.smallest_normal = -self.max, self.tiny

    def __repr__(self):
        return (f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
                f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})")


class iinfo:
    """Limits of an integral dtype: bits, max, min."""

    def __init__(self, type: dtype):
        if not isinstance(type, dtype) or type.kind not in "iu":
            raise TypeError(f"torch.iinfo() requires an integer input type. Use torch.finfo to handle '{type}'")
        n = np.iinfo(type.np)
        self.bits, self.max, self.min, self.dtype = n.bits, int(n.max), int(n.min), type.name

    def __repr__(self):
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"
