"""NumPy values out of a pickle without trusting it: dtypes, scalars and arrays, each checked before NumPy sees it.

NumPy's own `__setstate__` of a dtype believes the file about offsets and flags, and so could be made to read outside
an array. Here a dtype is rebuilt from checked parts, and an array's data must be as long as its shape says.
"""
from __future__ import annotations

import re
from math import prod
from pickle import UnpicklingError
from typing import Any

import numpy as np

_CODE = re.compile(r"[?bBhHiIlLqQefdgFDGOM]|[biufc](?:1|2|4|8|16|32)|[SUVa]\d{0,9}|M8|m8|m|O8|O4")
_MAX_ITEM = 1 << 30
_NEEDS_PYAPI, _ALIGNED_STRUCT = 0x10, 0x80  # of numpy's dtype flags


def _text(value: Any) -> Any:
    return value.decode("latin1") if isinstance(value, bytes) else value


def make_dtype(code: Any, align: Any = False, copy: Any = False) -> np.dtype:
    """np.dtype("f4"): a new one, whose state may be set."""
    code = _text(code)
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        raise UnpicklingError(f"refused: a NumPy dtype made of {code!r:.80}")
    return np.dtype(code, False, True)


def set_dtype_state(dtype: np.dtype, state: Any) -> np.dtype:
    """The byte order, and the fields, shape or unit of time, of a dtype made by `make_dtype`."""
    if not isinstance(state, tuple) or len(state) < 5:
        raise UnpicklingError("refused: a NumPy dtype with a state of unknown form")
    order, subarray, names, fields = _text(state[1]), state[2], state[3], state[4]
    if order not in ("<", ">", "|", "="):
        raise UnpicklingError("refused: a NumPy dtype with an unknown byte order")
    if names is not None or fields is not None or subarray is not None:
        new = _structured(names, fields, subarray, state)
    elif dtype.kind in "Mm":
        new = np.dtype(dtype.str[1:] + _time_unit(state)).newbyteorder(order)
    elif dtype.kind in "SUVa" and len(state) > 5 and type(state[5]) is int and state[5] > 0:
        if dtype.itemsize not in (0, state[5]):
            raise UnpicklingError("refused: a NumPy dtype with two sizes")
        new = np.dtype(f"{dtype.kind}{_item_size(state[5]) // (4 if dtype.kind == 'U' else 1)}").newbyteorder(order)
    else:
        new = dtype.newbyteorder(order)
    dtype.__setstate__(new.__reduce__()[2])  # type: ignore[attr-defined, index]  # the state of a dtype that NumPy itself has made
    return dtype


def _item_size(size: Any) -> int:
    if type(size) is not int or not 0 <= size <= _MAX_ITEM:
        raise UnpicklingError("refused: a NumPy dtype of an impossible size")
    return size


def _structured(names: Any, fields: Any, subarray: Any, state: tuple) -> np.dtype:
    """A dtype with fields {name: (dtype, offset)}, or of a small array (dtype, shape) as one element."""
    if subarray is not None:
        base, shape = subarray
        shape = shape if isinstance(shape, tuple) else (shape,)
        _plain(base)
        if not all(type(n) is int and n >= 0 for n in shape) or prod(shape) * base.itemsize > _MAX_ITEM:
            raise UnpicklingError("refused: a NumPy dtype of an impossible shape")
        return np.dtype((base, shape))
    if not isinstance(names, tuple) or not isinstance(fields, dict) or len(state) < 6:
        raise UnpicklingError("refused: a NumPy dtype with fields of unknown form")
    formats, offsets = [], []
    for name in names:
        if name not in fields or not isinstance(name, (str, bytes)):
            raise UnpicklingError("refused: a NumPy dtype with fields of unknown form")
        format_, offset = fields[name][:2]
        _plain(format_)
        formats.append(format_)
        offsets.append(_item_size(offset))
    aligned = len(state) > 7 and type(state[7]) is int and bool(state[7] & _ALIGNED_STRUCT)
    return np.dtype({"names": [_text(n) for n in names], "formats": formats, "offsets": offsets,
                     "itemsize": _item_size(state[5]), "aligned": aligned})  # type: ignore[call-overload]


def _plain(dtype: Any) -> None:
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise UnpicklingError("refused: a NumPy dtype with Python objects inside a structure")


def _time_unit(state: tuple) -> str:
    if len(state) < 9 or not isinstance(state[8], tuple):
        return ""
    unit = state[8][-1] if isinstance(state[8][-1], tuple) else state[8]
    name, count = _text(unit[0]), unit[1]
    if name == "generic":
        return ""
    if (
        not isinstance(name, str)
        or not re.fullmatch(r"[YMWDhm]|[mun\u03bcpfa]?s", name)
        or type(count) is not int
        or not 0 < count < 1 << 30
    ):
        raise UnpicklingError("refused: a NumPy dtype with an unknown unit of time")
    return f"[{count}{name}]"


def make_scalar(dtype: Any, data: Any = b"") -> Any:
    """A NumPy scalar from its bytes."""
    _plain(dtype)
    data = data.encode("latin1") if isinstance(data, str) else data
    if type(data) is not bytes or len(data) != dtype.itemsize:
        raise UnpicklingError("refused: a NumPy scalar whose bytes do not fit its dtype")
    if not data:
        return dtype.type()
    return np.frombuffer(data, dtype, 1)[0]


def make_empty_array(cls: Any, shape: Any, code: Any) -> np.ndarray:
    """The empty array whose state follows."""
    if cls is not np.ndarray or shape != (0,):
        raise UnpicklingError("refused: a NumPy array of unknown form")
    return np.ndarray((0,), np.int8)


def _shape(shape: Any, limit: int) -> tuple[int, ...]:
    """A checked shape of `limit` elements."""
    if not isinstance(shape, tuple) or len(shape) > 32 or not all(type(n) is int and 0 <= n < 1 << 62 for n in shape):
        raise UnpicklingError("refused: a NumPy array of an impossible shape")
    if prod(shape) != limit or prod(max(n, 1) for n in shape) >= 1 << 62:
        raise UnpicklingError("refused: a NumPy array whose data do not fit its shape")
    return shape


def set_array_state(array: np.ndarray, state: Any) -> np.ndarray:
    """(version, shape, dtype, is Fortran order, data) of an array made by `make_empty_array`."""
    if not isinstance(state, tuple) or len(state) not in (4, 5) or array.size:
        raise UnpicklingError("refused: a NumPy array with a state of unknown form")
    shape, dtype, fortran, data = state[-4:]
    if not isinstance(dtype, np.dtype):
        raise UnpicklingError("refused: a NumPy array without a dtype")
    if isinstance(data, str):
        data = data.encode("latin1")
    if dtype == np.dtype(object):
        if type(data) is not list:
            raise UnpicklingError("refused: a NumPy array whose objects are no list")
        shape = _shape(shape, len(data))
    else:
        _plain(dtype)
        if type(data) not in (bytes, bytearray) or not dtype.itemsize:
            raise UnpicklingError("refused: a NumPy array whose data are not bytes")
        shape = _shape(shape, len(data) // dtype.itemsize)
        if len(data) % dtype.itemsize:
            raise UnpicklingError("refused: a NumPy array whose data do not fit its dtype")
        data = bytes(data)
    array.__setstate__((1, shape, dtype, bool(fortran), data))  # type: ignore[arg-type]
    return array


def array_from_buffer(data: Any, dtype: Any, shape: Any, order: Any = "C", axes: Any = None) -> np.ndarray:
    """An array as pickle protocol 5 writes it."""
    _plain(dtype)
    if (
        type(data) not in (bytes, bytearray)
        or order not in ("C", "F")
        or not dtype.itemsize
        or len(data) % dtype.itemsize
        or axes is not None
    ):
        raise UnpicklingError("refused: a NumPy array of unknown form")
    flat = np.frombuffer(bytearray(data), dtype)
    return flat.reshape(_shape(shape, flat.size), order=order)


# What `numpy.<name>` may stand for as a value (a configuration's dtype=np.float32); none of them can be called.
SCALAR_TYPES = {name: getattr(np, name) for name in (
    "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
    "complex64", "complex128", "str_", "bytes_", "datetime64", "timedelta64")}
