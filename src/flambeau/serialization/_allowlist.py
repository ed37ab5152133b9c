"""The allow-list of `weights_only=True`: what a file may name, what may be called, and how each is made safe.

Three tables, from strict to strange: GLOBALS says what names stand for; CALLS and STATES give, for what may be called or
given a state, a function of ours that checks its arguments. Beyond them come the user's own (`add_safe_globals`), which are
used as they are, and plain data classes of the running program: dataclasses, named tuples and enums, filled in without
running any of their code.
"""
from __future__ import annotations

import argparse
import builtins
import collections
import dataclasses
import datetime
import enum
import pathlib
import sys
import types
from pickle import UnpicklingError
from typing import Any, Callable

import numpy as np

from .. import dtypes
from ..tensor.device import device
from ..tensor.size import Size
from ..tensor.tensor import Tensor
from . import _numpy, _rebuild
from ._machine import NotAllowed, Policy
from ._names import FOREIGN_DTYPES, FOREIGN_STORAGES, STORAGE_DTYPES, canonical, full_name
from ._storages import StorageClass

# ------------------------------------------------------------------ the user's list

_user: dict[str, Any] = {}


def _named(item: Any) -> tuple[str, Any]:
    """(full name in a file, object) of an entry: a class or function, or (class or function, "module.name")."""
    if isinstance(item, tuple):
        if len(item) != 2 or not isinstance(item[1], str):
            raise ValueError(f"Expected item to be a tuple of (global, str path of the global), but got {item}")
        return item[1], item[0]
    if not hasattr(item, "__module__") or not hasattr(item, "__qualname__"):
        raise TypeError(f"expected a class, a function or a tuple (class or function, 'module.name'), got {item!r}")
    return full_name(item), item


def add_safe_globals(safe_globals: list[Callable | tuple[Callable, str]]) -> None:
    """Lets `load(weights_only=True)` use these classes and functions, for the rest of the program.

    safe_globals: classes or functions, each alone or as (object, "module.name as in the file"). Allow only what is safe to
    call with arguments of a stranger's choosing.
    """
    _user.update(_named(item) for item in safe_globals)


def get_safe_globals() -> list[Callable | tuple[Callable, str]]:
    """What has been added to the allow-list."""
    return [obj if getattr(obj, "__qualname__", None) and full_name(obj) == name else (obj, name) for name, obj in _user.items()]


def clear_safe_globals() -> None:
    """Empties the list that `add_safe_globals` fills."""
    _user.clear()


class safe_globals:
    """Context manager: `add_safe_globals` for the block. `with safe_globals([MyClass]): torch.load(…)`."""

    def __init__(self, safe_globals: list[Callable | tuple[Callable, str]]):
        self.safe_globals = safe_globals
        self._before: dict[str, Any] = {}

    def __enter__(self) -> None:
        self._before = dict(_user)
        add_safe_globals(self.safe_globals)

    def __exit__(self, type: Any, value: Any, tb: Any) -> None:
        _user.clear()
        _user.update(self._before)


# ------------------------------------------------------------------ the default list

_FACTORIES = {None, list, dict, set, int, float, str, tuple, bool, collections.OrderedDict}  # of a defaultdict
_TYPES_AS_VALUES = ("int", "float", "str", "bool", "list", "dict", "tuple", "object", "bytes", "complex", "set", "frozenset",
                    "bytearray", "slice", "range")

GLOBALS: dict[str, Any] = {
    "collections.OrderedDict": collections.OrderedDict, "collections.defaultdict": collections.defaultdict,
    "collections.Counter": collections.Counter, "collections.deque": collections.deque,
    "argparse.Namespace": argparse.Namespace, "types.SimpleNamespace": types.SimpleNamespace,
    "numpy.dtype": np.dtype, "numpy.ndarray": np.ndarray, "numpy._core.multiarray._reconstruct": _numpy.make_empty_array,
    "numpy._core.multiarray.scalar": _numpy.make_scalar, "numpy._core.numeric._frombuffer": _numpy.array_from_buffer,
    "torch.Tensor": Tensor, "torch.Size": Size, "torch.device": device, "torch._tensor.Tensor": Tensor,
}
GLOBALS.update({f"builtins.{name}": getattr(builtins, name) for name in _TYPES_AS_VALUES})
GLOBALS.update({f"numpy.{name}": t for name, t in _numpy.SCALAR_TYPES.items()})
GLOBALS.update({f"datetime.{t.__name__}": t for t in (datetime.datetime, datetime.date, datetime.time, datetime.timedelta,
                                                      datetime.timezone)})
GLOBALS.update({f"torch.{d.name}": d for d in dtypes.ALL})
GLOBALS.update(_rebuild.REBUILDERS)


UNTYPED = StorageClass("UntypedStorage", None)
GLOBALS.update({f"torch.{name}": StorageClass(name, d) for name, d in STORAGE_DTYPES.items()})
GLOBALS.update({f"torch.cuda.{name}": StorageClass(name, d) for name, d in STORAGE_DTYPES.items()})
GLOBALS.update({f"torch.storage.{name}": UNTYPED for name in ("UntypedStorage", "_UntypedStorage", "TypedStorage")})
GLOBALS["torch.UntypedStorage"] = UNTYPED


class _Encode:
    """`_codecs.encode(text, "latin1")`: how Python 3 writes bytes in protocol 2."""


GLOBALS["_codecs.encode"] = _Encode
_NEWOBJ, _RECONSTRUCT = object(), object()  # copyreg.__newobj__ and copyreg._reconstructor: NEWOBJ of protocols 0 and 1
GLOBALS.update({"copyreg.__newobj__": _NEWOBJ, "copyreg._reconstructor": _RECONSTRUCT})

_PATHS = {name: path for path in (pathlib.PurePosixPath, pathlib.PureWindowsPath)
          for name in (path.__name__, path.__name__.removeprefix("Pure"))}
for _name, _path in _PATHS.items():
    _concrete = pathlib.Path if type(pathlib.Path()).__name__ == _name else _path  # a path of the other system stays pure
    GLOBALS[f"pathlib.{_name}"] = GLOBALS[f"pathlib._local.{_name}"] = type(_concrete()) if _concrete is pathlib.Path else _path


# ------------------------------------------------------------------ guarded calls

class WeightsOnly(Policy):
    """The policy of `weights_only=True`. load_persistent(pid) turns a persistent id into a storage."""

    def __init__(self, load_persistent: Callable[[Any], Any] | None = None):
        self._load_persistent = load_persistent
        self._user = dict(_user)
        self._plain_classes: set[type] = set()

    def find_global(self, module: str, name: str) -> Any:
        module, name = canonical(module, name)
        full = f"{module}.{name}"
        for table in (self._user, GLOBALS):
            if full in table:
                return table[full]
        if full == "torch.nn.parameter.Parameter":
            return _rebuild._parameter_class()
        if full == "torch.serialization._get_layout":
            return _layout
        if name in FOREIGN_STORAGES or module == "torch" and name in FOREIGN_DTYPES:
            raise UnpicklingError(f"this file holds data of type {module}.{name}, which flambeau does not have yet")
        plain = _plain_class(module, name)
        if plain is not None:
            self._plain_classes.add(plain)
            return plain
        raise NotAllowed(
            f"Unsupported global: GLOBAL {full} was not an allowed global by default. Please use "
            f"`torch.serialization.add_safe_globals([{full}])` or the `torch.serialization.safe_globals([{full}])` context "
            "manager to allowlist this global if you trust this class/function.")

    def call(self, function: Any, args: tuple) -> Any:
        self.machine.spend(len(args))
        if function is _NEWOBJ and args:
            return self.new(args[0], args[1:], {})
        if function is _RECONSTRUCT and len(args) == 3 and args[1] is object and args[2] is None:
            return self.new(args[0], (), {})
        if _is_user(function, self._user):
            return function(*args)
        if isinstance(function, type) and function in self._plain_classes:
            return self._plain_value(function, args)
        guard = CALLS.get(function) if isinstance(function, (type, types.FunctionType)) else None
        if guard is None:
            raise NotAllowed(f"Trying to call {_describe(function)}, which weights_only=True does not allow")
        try:
            return guard(self, *args)
        except (RuntimeError, TypeError, ValueError, OverflowError, ImportError) as error:
            raise UnpicklingError(str(error)) from error

    def new(self, cls: Any, args: tuple, kwargs: dict) -> Any:
        if _is_user(cls, self._user):
            return cls.__new__(cls, *args, **kwargs)
        if isinstance(cls, type) and cls in self._plain_classes:
            if kwargs:
                raise NotAllowed(f"Can not create new object for class {cls} with keyword arguments")
            if issubclass(cls, (tuple, enum.Enum)):
                return self._plain_value(cls, args)
            if args:
                raise NotAllowed(f"Can not create new object for class {cls} with arguments")
            return object.__new__(cls)
        if kwargs:
            raise NotAllowed(f"Can not create new object for class {_describe(cls)}")
        return self.call(cls, args)

    def _plain_value(self, cls: type, args: tuple) -> Any:
        """A named tuple from its fields, an enum's member from its value."""
        if issubclass(cls, enum.Enum) and len(args) == 1:
            self.machine.check_key(args[0])
            member = cls._value2member_map_.get(args[0])
            if member is None:
                raise UnpicklingError(f"{args[0]!r:.80} is not a value of {cls.__qualname__}")
            return member
        fields = getattr(cls, "_fields", None)
        if issubclass(cls, tuple) and fields is not None and len(args) == len(fields):
            return tuple.__new__(cls, args)
        raise NotAllowed(f"Can not create new object for class {cls} with {len(args)} arguments")

    def build(self, instance: Any, state: Any) -> Any:
        t = type(instance)
        if t is np.dtype or isinstance(instance, np.dtype):
            return _numpy.set_dtype_state(instance, state)
        if t is np.ndarray:
            return self._build_array(instance, state)
        if _is_user(t, self._user):
            return _set_state(instance, state)
        if isinstance(instance, Tensor):
            return _rebuild.set_state(instance, state)
        if t is collections.OrderedDict or t in (argparse.Namespace, types.SimpleNamespace) or t in self._plain_classes:
            self._fill(instance, state)
            return instance
        raise NotAllowed(f"Can only build Tensor, Parameter, OrderedDict or types allowlisted via `add_safe_globals`, but got {t}")

    def _build_array(self, array: np.ndarray, state: Any) -> np.ndarray:
        data = state[-1] if isinstance(state, tuple) and state else b""
        self.machine.spend(len(data) if isinstance(data, (bytes, bytearray, str, list)) else 0)
        array = _numpy.set_array_state(array, state)
        return self.machine.hold(array) if array.dtype.hasobject else array

    def _fill(self, instance: Any, state: Any) -> None:
        """Sets attributes, or the slots of a dataclass with slots, without the class's own `__setattr__`."""
        values, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
        cls = type(instance)
        if isinstance(state, list) and dataclasses.is_dataclass(cls):  # dataclass(slots=True, frozen=True): values in order
            fields = [f.name for f in dataclasses.fields(cls)]
            values, slots = None, dict(zip(fields, state)) if len(fields) == len(state) else {"": None}
        for part in (values, slots):
            if part is not None and (type(part) is not dict or not all(type(k) is str and k for k in part)):
                raise UnpicklingError(f"the state of a {cls.__qualname__} must be a dict of names")
        self.machine.spend(len(values or ()) + len(slots or ()))
        if values:
            instance.__dict__.update(values)
        for name, value in (slots or {}).items():
            if not isinstance(cls.__dict__.get(name), types.MemberDescriptorType):
                raise UnpicklingError(f"{cls.__qualname__} has no slot {name!r}")
            object.__setattr__(instance, name, value)

    def persistent(self, pid: Any) -> Any:
        return super().persistent(pid) if self._load_persistent is None else self._load_persistent(pid)

    def extend(self, instance: Any, items: list) -> None:
        if type(instance) is collections.deque:
            instance.extend(items)
        elif _is_user(type(instance), self._user):
            instance.extend(items)
        else:
            super().extend(instance, items)

    def set_items(self, instance: Any, items: list) -> None:
        t = type(instance)
        if t not in (collections.OrderedDict, collections.defaultdict, collections.Counter) and not _is_user(t, self._user):
            super().set_items(instance, items)
        for i in range(0, len(items), 2):
            instance[self.machine.check_key(items[i])] = items[i + 1]

    def is_key(self, obj: Any) -> bool:
        t = type(obj)
        return (t in (dtypes.dtype, device, datetime.datetime, datetime.date, datetime.time, datetime.timedelta) or isinstance(obj, (
            np.generic, pathlib.PurePath)) or t is Size or isinstance(obj, Tensor) and t.__hash__ is Tensor.__hash__
            or isinstance(obj, enum.Enum) and t.__hash__ is enum.Enum.__hash__ or _is_user(t, self._user) or isinstance(obj, type)
            and type(obj) is type)

    def children(self, obj: Any) -> list | None:
        t = type(obj)
        if t is np.ndarray:
            return obj.ravel().tolist() if obj.dtype.hasobject else None
        if isinstance(obj, Tensor) or t in (argparse.Namespace, types.SimpleNamespace) or t in self._plain_classes or _is_user(t, self._user):
            found = list(getattr(obj, "__dict__", {}).values())
            if t in self._plain_classes and dataclasses.is_dataclass(t):
                found = [getattr(obj, f.name, None) for f in dataclasses.fields(t)]
            return found
        return None


def _is_user(obj: Any, user: dict[str, Any]) -> bool:
    return any(obj is allowed for allowed in user.values()) if user else False


def _describe(obj: Any) -> str:
    return f"{obj.__module__}.{obj.__qualname__}" if hasattr(obj, "__qualname__") and hasattr(obj, "__module__") else repr(type(obj))


def _set_state(instance: Any, state: Any) -> Any:
    """BUILD as pickle does it, for the user's own classes."""
    setstate = getattr(instance, "__setstate__", None)
    if setstate is not None:
        setstate(state)
        return instance
    values, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    instance.__dict__.update(values or {})
    for name, value in (slots or {}).items():
        setattr(instance, name, value)
    return instance


def _plain_class(module: str, name: str) -> type | None:
    """A dataclass, named tuple or enum that the program has already imported and that can be made without running its code."""
    cls: Any = sys.modules.get(module)
    for part in name.split("."):
        cls = getattr(cls, "__dict__", {}).get(part)
    if not isinstance(cls, type) or cls.__module__ != module or cls.__qualname__ != name or hasattr(cls, "__del__"):
        return None
    if issubclass(cls, enum.Enum):
        return cls if type(cls) in (enum.EnumMeta,) else None
    if type(cls) is not type or _has_own(cls, "__setstate__") or _has_own(cls, "__reduce__") or _has_own(cls, "__reduce_ex__"):
        return None
    if cls.__mro__[1:] == (tuple, object) and isinstance(cls.__dict__.get("_fields"), tuple):
        return cls
    if dataclasses.is_dataclass(cls) and cls.__new__ is object.__new__ and not _has_own(cls, "__getattribute__"):
        return cls
    return None


def _has_own(cls: type, name: str) -> bool:
    """Whether a class (not object, nor the decorator `dataclass`) defines a special method."""
    own = getattr(cls, name, None)
    if own is None or own is getattr(object, name, None):
        return False
    return getattr(own, "__module__", None) != "dataclasses"


def _layout(name: Any = None) -> Any:
    import flambeau
    found = getattr(flambeau, str(name).removeprefix("torch."), None)
    if name not in ("torch.strided",) or found is None:
        raise RuntimeError(f"this file holds a tensor of layout {str(name)[:40]}, which flambeau does not have yet")
    return found


# ------------------------------------------------------------------ one guard for each thing that may be called

CALLS: dict[Any, Callable[..., Any]] = {function: (lambda function: lambda policy, *args: function(*args))(function)
                                        for function in set(_rebuild.REBUILDERS.values()) - {_rebuild.rebuild_from_type_v2}}
CALLS[_layout] = lambda policy, *args: _layout(*args)


def _guards(target: Any):
    def register(function: Callable[..., Any]):
        CALLS[target] = function
        return function
    return register


@_guards(_rebuild.rebuild_from_type_v2)
def _from_type(policy: WeightsOnly, function: Any, cls: Any, args: Any, state: Any) -> Any:
    if function not in (_rebuild.rebuild_tensor_v2, _rebuild.rebuild_tensor_v3, _rebuild.rebuild_tensor) or type(args) is not tuple:
        raise UnpicklingError("corrupt tensor: it is rebuilt by a function that rebuilds no tensors")
    if cls is not Tensor and not _is_user(cls, policy._user) and cls is not _rebuild._parameter_class():
        raise UnpicklingError(f"refused: a tensor of type {_describe(cls)}")
    return _rebuild.rebuild_from_type_v2(function, cls, args, state)


CALLS[argparse.Namespace] = lambda policy: argparse.Namespace()
CALLS[types.SimpleNamespace] = lambda policy: types.SimpleNamespace()


@_guards(collections.OrderedDict)
def _ordered_dict(policy: WeightsOnly, items: Any = ()) -> collections.OrderedDict:
    return collections.OrderedDict(_pairs(policy, items))


@_guards(collections.Counter)
def _counter(policy: WeightsOnly, items: Any = ()) -> collections.Counter:
    result: collections.Counter = collections.Counter()
    dict.update(result, _pairs(policy, items))
    return result


@_guards(collections.defaultdict)
def _defaultdict(policy: WeightsOnly, factory: Any = None, items: Any = ()) -> collections.defaultdict:
    if not (factory is None or isinstance(factory, type)) or factory not in _FACTORIES:
        raise UnpicklingError(f"refused: a defaultdict that makes its values by {_describe(factory)}")
    return policy.machine.hold(collections.defaultdict(factory, _pairs(policy, items)))


@_guards(collections.deque)
def _deque(policy: WeightsOnly, items: Any = (), maxlen: Any = None) -> collections.deque:
    if maxlen is not None and (type(maxlen) is not int or maxlen < 0):
        raise UnpicklingError("refused: a deque of an impossible length")
    return policy.machine.hold(collections.deque(_items(policy, items), maxlen))


def _pairs(policy: WeightsOnly, items: Any) -> list[tuple[Any, Any]]:
    pairs = list(items.items()) if isinstance(items, dict) else _items(policy, items)
    policy.machine.spend(2 * len(pairs))
    if not all(type(p) in (list, tuple) and len(p) == 2 for p in pairs):
        raise UnpicklingError("refused: a dictionary made of something else than pairs")
    return [(policy.machine.check_key(key), value) for key, value in pairs]


def _items(policy: WeightsOnly, items: Any) -> list:
    if type(items) not in (list, tuple, set, frozenset):
        raise UnpicklingError(f"refused: a container made of {type(items)}")
    policy.machine.spend(len(items))
    return list(items)


@_guards(set)
def _set(policy: WeightsOnly, items: Any = ()) -> set:
    return {policy.machine.check_key(item) for item in _items(policy, items)}


@_guards(frozenset)
def _frozenset(policy: WeightsOnly, items: Any = ()) -> frozenset:
    return frozenset(_set(policy, items))


def _bytes_of(policy: WeightsOnly, args: tuple) -> bytes:
    """The bytes that `bytes(…)` and `bytearray(…)` are made of; never a number, which would ask for that much memory."""
    if not args:
        return b""
    if type(args[0]) in (bytes, bytearray) and len(args) == 1:
        policy.machine.spend(len(args[0]))
        return bytes(args[0])
    if type(args[0]) is str and args[1:] in (("latin1",), ("latin-1",), ("utf-8",), ("ascii",)):
        policy.machine.spend(len(args[0]))
        return args[0].encode(args[1])
    return bytes(_items(policy, args[0]))


@_guards(_Encode)
def _encode(policy: WeightsOnly, *args: Any) -> bytes:
    if not args or type(args[0]) is not str:
        raise UnpicklingError("refused: bytes made of something else than text")
    return _bytes_of(policy, args if len(args) == 2 else (args[0], "utf-8"))


@_guards(bytes)
def _bytes(policy: WeightsOnly, *args: Any) -> bytes:
    return _bytes_of(policy, args)


@_guards(bytearray)
def _bytearray(policy: WeightsOnly, *args: Any) -> bytearray:
    return bytearray(_bytes_of(policy, args))


@_guards(complex)
def _complex(policy: WeightsOnly, real: Any = 0.0, imag: Any = 0.0) -> complex:
    if type(real) not in (int, float) or type(imag) not in (int, float):
        raise UnpicklingError("refused: a complex number made of something else than numbers")
    return complex(real, imag)


@_guards(range)
def _range(policy: WeightsOnly, *args: Any) -> range:
    return range(*_integers(args))


@_guards(slice)
def _slice(policy: WeightsOnly, *args: Any) -> slice:
    _integers([a for a in args if a is not None])
    return slice(*args)


def _integers(args: Any) -> Any:
    if not all(type(a) is int for a in args):
        raise UnpicklingError("refused: a range or slice made of something else than integers")
    return args


@_guards(np.dtype)
def _np_dtype(policy: WeightsOnly, *args: Any) -> np.dtype:
    return _numpy.make_dtype(*args)


@_guards(_numpy.make_scalar)
def _np_scalar(policy: WeightsOnly, *args: Any) -> Any:
    policy.machine.spend(sum(len(a) for a in args[1:] if isinstance(a, (bytes, str))))
    return _numpy.make_scalar(*args)


@_guards(_numpy.make_empty_array)
def _np_array(policy: WeightsOnly, *args: Any) -> np.ndarray:
    return _numpy.make_empty_array(*args)


@_guards(_numpy.array_from_buffer)
def _np_buffer(policy: WeightsOnly, *args: Any) -> np.ndarray:
    policy.machine.spend(len(args[0]) if args and isinstance(args[0], (bytes, bytearray)) else 0)
    return _numpy.array_from_buffer(*args)


@_guards(Size)
def _size(policy: WeightsOnly, *args: Any) -> Size:
    return _rebuild.size_of(*args)


@_guards(device)
def _device(policy: WeightsOnly, *args: Any) -> device:
    if not all(type(a) in (str, int) for a in args):
        raise UnpicklingError("refused: a device made of something else than its name and number")
    return device(*args)


def _instant(cls: Any):
    def make(policy: WeightsOnly, *args: Any) -> Any:
        if not all(type(a) in (int, bytes, str, datetime.timezone, type(None), datetime.timedelta) for a in args):
            raise UnpicklingError(f"refused: a {cls.__name__} of unknown form")
        if args and type(args[0]) is str and cls is not datetime.timezone:  # the packed form, as Python 2 wrote it
            args = (args[0].encode("latin1"), *args[1:])
        return cls(*args)
    return make


for _cls in (datetime.datetime, datetime.date, datetime.time, datetime.timedelta, datetime.timezone):
    CALLS[_cls] = _instant(_cls)


def _path(cls: Any):
    def make(policy: WeightsOnly, *parts: Any) -> Any:
        policy.machine.spend(sum(len(p) for p in parts if type(p) is str))
        if not all(type(p) is str for p in parts):
            raise UnpicklingError("refused: a path made of something else than text")
        return cls(*parts)
    return make


for _cls in {GLOBALS[f"pathlib.{_name}"] for _name in _PATHS}:
    CALLS[_cls] = _path(_cls)
