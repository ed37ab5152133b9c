"""dtype objects, the promotion lattice, and `finfo`/`iinfo`.

bfloat16 has no NumPy type: its arrays hold the upper 16 bits of a float32 as uint16 (`dtype.np` is uint16), and
`widen`/`narrow` convert. Everything else is the NumPy type of the same name.
"""
from __future__ import annotations

from typing import Any

import numpy as np


class dtype:
    """A tensor's element type. Instances are singletons (`flambeau.float32`), compared by identity."""

    __slots__ = ("name", "np", "itemsize", "kind", "order", "_legacy", "__weakref__")

    def __init__(self, name: str, np_type: Any, kind: str, order: int, legacy: str):
        self.name = name
        self.np = np.dtype(np_type)
        self.itemsize = self.np.itemsize
        self.kind = kind  # 'b' bool, 'i' signed, 'u' unsigned, 'f' floating, 'c' complex
        self.order = order
        self._legacy = legacy

    def __repr__(self) -> str:
        return "torch." + self.name

    def __reduce__(self):
        return _by_name, (self.name,)

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
        return {complex64: float32, complex128: float64}.get(self, self)

    def to_complex(self) -> dtype:
        """The complex dtype whose parts have this dtype's precision."""
        return {float64: complex128}.get(self, self if self.kind == "c" else complex64)


bool_ = dtype("bool", np.bool_, "b", 0, "Bool")
uint8 = dtype("uint8", np.uint8, "u", 1, "Byte")
int8 = dtype("int8", np.int8, "i", 1, "Char")
int16 = dtype("int16", np.int16, "i", 2, "Short")
int32 = dtype("int32", np.int32, "i", 3, "Int")
int64 = dtype("int64", np.int64, "i", 4, "Long")
uint16 = dtype("uint16", np.uint16, "u", 2, "UInt16")
uint32 = dtype("uint32", np.uint32, "u", 3, "UInt32")
uint64 = dtype("uint64", np.uint64, "u", 4, "UInt64")
float16 = dtype("float16", np.float16, "f", 5, "Half")
bfloat16 = dtype("bfloat16", np.uint16, "f", 5, "BFloat16")
float32 = dtype("float32", np.float32, "f", 6, "Float")
float64 = dtype("float64", np.float64, "f", 7, "Double")
complex64 = dtype("complex64", np.complex64, "c", 8, "ComplexFloat")
complex128 = dtype("complex128", np.complex128, "c", 9, "ComplexDouble")

ALL = (bool_, uint8, int8, int16, int32, int64, uint16, uint32, uint64, float16, bfloat16, float32, float64,
       complex64, complex128)
BY_NAME = {d.name: d for d in ALL}
ALIASES = {"half": float16, "float": float32, "double": float64, "short": int16, "int": int32, "long": int64,
           "cfloat": complex64, "cdouble": complex128}
_FROM_NUMPY = {d.np: d for d in ALL if d is not bfloat16}

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


def promote(a: dtype, b: dtype) -> dtype:
    """The smallest dtype that both convert to (PyTorch's lattice, which is not NumPy's: int64 + float16 is float16)."""
    if a is b:
        return a
    if a.kind == "c" or b.kind == "c":
        if a.kind == "c" and b.kind == "c":
            return complex128
        z, other = (a, b) if a.kind == "c" else (b, a)
        return complex128 if other is float64 else z
    if a.kind == "f" or b.kind == "f":
        if a.kind == "f" and b.kind == "f":
            if {a, b} == {float16, bfloat16}:
                return float32
            return a if a.order > b.order else b
        return a if a.kind == "f" else b
    if a.kind == "b":
        return b
    if b.kind == "b":
        return a
    if a.kind == b.kind:
        return a if a.order > b.order else b
    unsigned, signed = (a, b) if a.kind == "u" else (b, a)
    if unsigned is uint8:
        return int16 if signed is int8 else signed
    raise RuntimeError(f"Promotion for uint16, uint32, uint64 types is not supported, attempted to promote "
                       f"{a._legacy} and {b._legacy}")


def category(d: dtype) -> int:
    """0 bool, 1 integral, 2 floating, 3 complex: a 0-dim tensor or number changes a result's dtype only if its is higher."""
    return 0 if d.kind == "b" else 1 if d.kind in "iu" else 2 if d.kind == "f" else 3


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether a result of dtype `from_` may be written into a tensor of dtype `to` (no lower category)."""
    if category(from_) > category(to):
        return category(from_) <= 0
    return True


def widen(array: np.ndarray, d: dtype) -> np.ndarray:
    """`array` as NumPy can compute with it: bfloat16 bits become float32, everything else is returned as it is."""
    if d is not bfloat16:
        return array
    return (array.astype(np.uint32) << np.uint32(16)).view(np.float32)


def narrow(array: np.ndarray, d: dtype) -> np.ndarray:
    """The inverse of `widen`: rounds float32 to bfloat16 bits, ties to even, NaN kept a NaN."""
    if d is not bfloat16:
        return array if array.dtype == d.np else array.astype(d.np)
    bits = np.ascontiguousarray(array, dtype=np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    rounded = np.where(np.isnan(bits.view(np.float32)), np.uint32(0x7FC0), rounded)
    return rounded.astype(np.uint16).reshape(array.shape)


_BF16_INFO = {"bits": 16, "eps": 2.0 ** -7, "max": 3.3895313892515355e38, "min": -3.3895313892515355e38,
              "tiny": 2.0 ** -126, "resolution": 0.01}


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
        if d is bfloat16:
            info = _BF16_INFO
        else:
            n = np.finfo(d.np)
            info = {"bits": n.bits, "eps": float(n.eps), "max": float(n.max), "min": float(n.min),
                    "tiny": float(n.tiny), "resolution": float(n.resolution)}
        self.bits, self.eps, self.max, self.min = info["bits"], info["eps"], info["max"], info["min"]
        self.tiny = self.smallest_normal = info["tiny"]
        self.resolution = info["resolution"]

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
