"""What a file may name by default, and a guard for each thing among it that may be called.

GLOBALS says what a name stands for. CALLS gives, for what may be called, a function `guard(policy, *args)` that
checks the arguments and pays for what it copies (`policy.machine.spend`) before it makes anything. What is in GLOBALS
and not in CALLS is only a value.
"""
from __future__ import annotations

import argparse
import builtins
import collections
import datetime
import pathlib
import types
from pickle import UnpicklingError
from typing import Any, Callable

import numpy as np

from .. import dtypes
from ..tensor import legacy
from ..tensor.device import device
from ..tensor.layout import sparse_bsc, sparse_bsr, sparse_coo, sparse_csc, sparse_csr, strided
from ..tensor.size import Size
from ..tensor.tensor import Tensor
from . import _numpy, _rebuild
from ._machine import Policy
from ._names import STORAGE_DTYPES
from ._storages import StorageClass


class Encode:
    """`_codecs.encode(text, "latin1")`: how Python 3 writes bytes in protocol 2."""


NEWOBJ, RECONSTRUCT = object(), object()  # copyreg's functions that stand for NEWOBJ in protocols 0 and 1
UNTYPED = StorageClass("UntypedStorage", None)
INSTANTS = (datetime.datetime, datetime.date, datetime.time, datetime.timedelta, datetime.timezone)
TENSOR_REBUILDERS = (_rebuild.rebuild_tensor, _rebuild.rebuild_tensor_v2, _rebuild.rebuild_tensor_v3)
FACTORIES = {None, list, dict, set, int, float, str, tuple, bool, collections.OrderedDict}  # of a defaultdict


def name_of(obj: Any) -> str:
    """`module.name` of a class or function, the type of anything else."""
    named = hasattr(obj, "__qualname__") and hasattr(obj, "__module__")
    return f"{obj.__module__}.{obj.__qualname__}" if named else repr(type(obj))


def layout(name: Any = None) -> Any:
    """torch.strided, torch.sparse_coo or one of the compressed layouts; no other layout of tensors exists here."""
    layouts = {repr(x): x for x in (strided, sparse_coo, sparse_csr, sparse_csc, sparse_bsr, sparse_bsc)}
    found = layouts.get(name) if isinstance(name, str) else None
    if found is None:
        raise RuntimeError(f"this file holds a tensor of layout {str(name)[:40]}, which flambeau does not have yet")
    return found


def _path_classes() -> dict[str, type]:
    """Paths by name; those of the other system as pure paths, which exist everywhere."""
    found: dict[str, type] = {}
    for pure in (pathlib.PurePosixPath, pathlib.PureWindowsPath):
        concrete = pure.__name__.removeprefix("Pure")
        found[pure.__name__] = pure
        found[concrete] = type(pathlib.Path()) if type(pathlib.Path()).__name__ == concrete else pure
    return found


PATHS = _path_classes()

GLOBALS: dict[str, Any] = {
    "collections.OrderedDict": collections.OrderedDict,
    "collections.defaultdict": collections.defaultdict,
    "collections.Counter": collections.Counter,
    "collections.deque": collections.deque,
    "argparse.Namespace": argparse.Namespace,
    "types.SimpleNamespace": types.SimpleNamespace,
    "_codecs.encode": Encode,
    "copyreg.__newobj__": NEWOBJ,
    "copyreg._reconstructor": RECONSTRUCT,
    "numpy.dtype": np.dtype,
    "numpy.ndarray": np.ndarray,
    "numpy._core.multiarray._reconstruct": _numpy.make_empty_array,
    "numpy._core.multiarray.scalar": _numpy.make_scalar,
    "numpy._core.numeric._frombuffer": _numpy.array_from_buffer,
    "torch.Tensor": Tensor,
    "torch._tensor.Tensor": Tensor,
    **{f"torch.{name}": t for name, t in vars(legacy).items() if isinstance(t, legacy.tensortype)},
    "torch.Size": Size,
    "torch.device": device,
    "torch.serialization._get_layout": layout,
    "torch.UntypedStorage": UNTYPED,
    **{f"torch.storage.{name}": UNTYPED for name in ("UntypedStorage", "_UntypedStorage", "TypedStorage")},
    **{f"torch.{name}": StorageClass(name, d) for name, d in STORAGE_DTYPES.items()},
    **{f"torch.cuda.{name}": StorageClass(name, d) for name, d in STORAGE_DTYPES.items()},
    **{f"torch.{d.name}": d for d in dtypes.ALL},
    **_rebuild.REBUILDERS,
    **{f"numpy.{name}": t for name, t in _numpy.SCALAR_TYPES.items()},
    **{f"datetime.{t.__name__}": t for t in INSTANTS},
    **{f"{module}.{name}": t for name, t in PATHS.items() for module in ("pathlib", "pathlib._local")},
    **{f"builtins.{name}": getattr(builtins, name) for name in (
        "int float str bool list dict tuple object bytes complex set frozenset bytearray slice range").split()},
}

CALLS: dict[Any, Callable[..., Any]] = {}


def _guards(target: Any) -> Callable:
    def register(guard: Callable[..., Any]) -> Callable:
        CALLS[target] = guard
        return guard
    return register


def _unguarded(function: Callable) -> None:
    """For functions that check their arguments themselves and copy nothing."""
    CALLS[function] = lambda policy, *args: function(*args)


for _function in {layout, _numpy.make_empty_array, *_rebuild.REBUILDERS.values()} - {_rebuild.rebuild_from_type_v2}:
    _unguarded(_function)
CALLS[np.dtype] = lambda policy, *args: _numpy.make_dtype(*args)
CALLS[Size] = lambda policy, *args: _rebuild.size_of(*args)
CALLS[argparse.Namespace] = lambda policy: argparse.Namespace()
CALLS[types.SimpleNamespace] = lambda policy: types.SimpleNamespace()


@_guards(_rebuild.rebuild_from_type_v2)
def _from_type(policy: Policy, function: Any, cls: Any, args: Any, state: Any) -> Any:
    if function not in TENSOR_REBUILDERS or type(args) is not tuple:
        raise UnpicklingError("corrupt tensor: it is rebuilt by a function that rebuilds no tensors")
    if cls is not Tensor and not policy.allows_class(cls):
        raise UnpicklingError(f"refused: a tensor of type {name_of(cls)}")
    return _rebuild.rebuild_from_type_v2(function, cls, args, state)


@_guards(collections.OrderedDict)
def _ordered_dict(policy: Policy, items: Any = ()) -> collections.OrderedDict:
    return collections.OrderedDict(_pairs(policy, items))


@_guards(collections.Counter)
def _counter(policy: Policy, items: Any = ()) -> collections.Counter:
    result: collections.Counter = collections.Counter()
    dict.update(result, _pairs(policy, items))
    return result


@_guards(collections.defaultdict)
def _defaultdict(policy: Policy, factory: Any = None, items: Any = ()) -> collections.defaultdict:
    if not (factory is None or isinstance(factory, type)) or factory not in FACTORIES:
        raise UnpicklingError(f"refused: a defaultdict that makes its values by {name_of(factory)}")
    return policy.machine.hold(collections.defaultdict(factory, _pairs(policy, items)))


@_guards(collections.deque)
def _deque(policy: Policy, items: Any = (), maxlen: Any = None) -> collections.deque:
    if maxlen is not None and (type(maxlen) is not int or maxlen < 0):
        raise UnpicklingError("refused: a deque of an impossible length")
    return policy.machine.hold(collections.deque(_items(policy, items), maxlen))


def _pairs(policy: Policy, items: Any) -> list[tuple[Any, Any]]:
    if isinstance(items, dict):
        policy.machine.spend(2 * len(items))
        pairs = list(items.items())
    else:
        pairs = _items(policy, items)
    if not all(type(p) in (list, tuple) and len(p) == 2 for p in pairs):
        raise UnpicklingError("refused: a dictionary made of something else than pairs")
    return [(policy.machine.check_key(key), value) for key, value in pairs]


def _items(policy: Policy, items: Any) -> list:
    if type(items) not in (list, tuple, set, frozenset):
        raise UnpicklingError(f"refused: a container made of {type(items)}")
    policy.machine.spend(len(items))
    return list(items)


@_guards(set)
def _set(policy: Policy, items: Any = ()) -> set:
    return {policy.machine.check_key(item) for item in _items(policy, items)}


@_guards(frozenset)
def _frozenset(policy: Policy, items: Any = ()) -> frozenset:
    return frozenset(_set(policy, items))


def _bytes_of(policy: Policy, args: tuple) -> bytes:
    """The bytes that `bytes(…)` and `bytearray(…)` are made of; never a number, which would ask for that much
    memory."""
    if not args:
        return b""
    if type(args[0]) in (bytes, bytearray) and len(args) == 1:
        policy.machine.spend(len(args[0]))
        return bytes(args[0])
    if type(args[0]) is str and args[1:] in (("latin1",), ("latin-1",), ("utf-8",), ("ascii",)):
        policy.machine.spend(len(args[0]))
        return args[0].encode(args[1])
    return bytes(_items(policy, args[0]))


@_guards(Encode)
def _encode(policy: Policy, *args: Any) -> bytes:
    if not args or type(args[0]) is not str:
        raise UnpicklingError("refused: bytes made of something else than text")
    return _bytes_of(policy, args if len(args) == 2 else (args[0], "utf-8"))


@_guards(bytes)
def _bytes(policy: Policy, *args: Any) -> bytes:
    return _bytes_of(policy, args)


@_guards(bytearray)
def _bytearray(policy: Policy, *args: Any) -> bytearray:
    return bytearray(_bytes_of(policy, args))


@_guards(complex)
def _complex(policy: Policy, real: Any = 0.0, imag: Any = 0.0) -> complex:
    if type(real) not in (int, float) or type(imag) not in (int, float):
        raise UnpicklingError("refused: a complex number made of something else than numbers")
    return complex(real, imag)


@_guards(range)
def _range(policy: Policy, *args: Any) -> range:
    return range(*_integers(args))


@_guards(slice)
def _slice(policy: Policy, *args: Any) -> slice:
    _integers([a for a in args if a is not None])
    return slice(*args)


def _integers(args: Any) -> Any:
    if not all(type(a) is int for a in args):
        raise UnpicklingError("refused: a range or slice made of something else than integers")
    return args


@_guards(_numpy.make_scalar)
def _np_scalar(policy: Policy, *args: Any) -> Any:
    policy.machine.spend(sum(len(a) for a in args[1:] if isinstance(a, (bytes, str))))
    return _numpy.make_scalar(*args)


@_guards(_numpy.array_from_buffer)
def _np_buffer(policy: Policy, *args: Any) -> np.ndarray:
    policy.machine.spend(len(args[0]) if args and isinstance(args[0], (bytes, bytearray)) else 0)
    return _numpy.array_from_buffer(*args)


@_guards(device)
def _device(policy: Policy, *args: Any) -> device:
    if not all(type(a) in (str, int) for a in args):
        raise UnpicklingError("refused: a device made of something else than its name and number")
    return device(*args)


def _instant(cls: Any):
    def make(policy: Policy, *args: Any) -> Any:
        if not all(type(a) in (int, bytes, str, datetime.timezone, type(None), datetime.timedelta) for a in args):
            raise UnpicklingError(f"refused: a {cls.__name__} of unknown form")
        if args and type(args[0]) is str and cls is not datetime.timezone:  # the packed form, as Python 2 wrote it
            args = (args[0].encode("latin1"), *args[1:])
        return cls(*args)
    return make


for _cls in INSTANTS:
    CALLS[_cls] = _instant(_cls)


def _path(cls: Any):
    def make(policy: Policy, *parts: Any) -> Any:
        policy.machine.spend(sum(len(p) for p in parts if type(p) is str))
        if not all(type(p) is str for p in parts):
            raise UnpicklingError("refused: a path made of something else than text")
        return cls(*parts)
    return make


for _path_type in {*PATHS.values()}:
    CALLS[_path_type] = _path(_path_type)
