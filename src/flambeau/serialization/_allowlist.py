"""The policy of `weights_only=True`: tensors and plain data, and what the user has let in.

`_guards.py` has the default list, `_safe_globals.py` the user's, `_plain_classes.py` the data classes of the program.
"""
from __future__ import annotations

import argparse
import collections
import datetime
import enum
import pathlib
import types
from pickle import UnpicklingError
from typing import Any, Callable

import numpy as np

from .. import dtypes
from ..tensor.device import device
from ..tensor.size import Size
from ..tensor.tensor import Tensor
from . import _numpy, _rebuild
from ._guards import CALLS, GLOBALS, NEWOBJ, RECONSTRUCT, name_of
from ._machine import NotAllowed, Policy
from ._names import FOREIGN_DTYPES, FOREIGN_STORAGES, canonical
from ._plain_classes import fill, find_plain_class, make_plain, parts_of
from ._safe_globals import allowed_by_user

_NAMESPACES = (argparse.Namespace, types.SimpleNamespace)
_MAPPINGS = (collections.OrderedDict, collections.defaultdict, collections.Counter)
_KEYS = (dtypes.dtype, device, Size, datetime.datetime, datetime.date, datetime.time, datetime.timedelta)
_KEY_BASES = (np.generic, pathlib.PurePath)
_KEY_HASHES = (enum.Enum.__hash__, str.__hash__, int.__hash__)


class WeightsOnly(Policy):
    """Builds what the lists allow. load_persistent(pid) turns a persistent id into a storage."""

    def __init__(self, load_persistent: Callable[[Any], Any] | None = None):
        self._load_persistent = load_persistent
        self._user = allowed_by_user()
        self._plain_classes: set[type] = set()

    # ------------------------------------------------------------------ which list something is on

    def _is_user(self, obj: Any) -> bool:
        return bool(self._user) and any(obj is allowed for allowed in self._user.values())

    def _is_plain(self, cls: Any) -> bool:
        return isinstance(cls, type) and cls in self._plain_classes

    def allows_class(self, cls: Any) -> bool:
        return self._is_user(cls) or cls is _rebuild.parameter_class()

    # ------------------------------------------------------------------ opcodes

    def find_global(self, module: str, name: str) -> Any:
        if f"{module}.{name}" in self._user:
            return self._user[f"{module}.{name}"]
        module, name = canonical(module, name)
        full = f"{module}.{name}"
        for table in (self._user, GLOBALS):
            if full in table:
                return table[full]
        if full == "torch.nn.parameter.Parameter":
            return _rebuild.parameter_class()
        if name in FOREIGN_STORAGES or module == "torch" and name in FOREIGN_DTYPES:
            raise UnpicklingError(f"this file holds data of type {full}, which flambeau does not have yet")
        plain = find_plain_class(module, name)
        if plain is not None:
            self._plain_classes.add(plain)
            return plain
        raise NotAllowed(
            f"Unsupported global: GLOBAL {full} was not an allowed global by default. Please use "
            f"`torch.serialization.add_safe_globals([{full}])` or the `torch.serialization.safe_globals([{full}])` "
            "context manager to allowlist this global if you trust this class/function.")

    def call(self, function: Any, args: tuple) -> Any:
        self.machine.spend(len(args))
        if function is NEWOBJ and args:
            return self.new(args[0], args[1:], {})
        if function is RECONSTRUCT and len(args) == 3 and args[1] is object and args[2] is None:
            return self.new(args[0], (), {})
        if self._is_user(function):
            return function(*args)
        if self._is_plain(function):
            if issubclass(function, enum.Enum):  # a member is looked up by its value
                args = tuple(map(self.machine.check_key, args))
            return make_plain(function, args)
        guard = CALLS.get(function) if isinstance(function, (type, types.FunctionType)) else None
        if guard is None:
            raise NotAllowed(f"Trying to call {name_of(function)}, which weights_only=True does not allow")
        try:
            return guard(self, *args)
        except (RuntimeError, TypeError, ValueError, OverflowError, ImportError) as error:
            raise UnpicklingError(str(error)) from error

    def new(self, cls: Any, args: tuple, kwargs: dict) -> Any:
        if self._is_user(cls):
            return cls.__new__(cls, *args, **kwargs)
        if kwargs:
            raise NotAllowed(f"Can not create new object for class {name_of(cls)} with keyword arguments")
        return self.call(cls, args)

    def build(self, instance: Any, state: Any) -> Any:
        t = type(instance)
        if isinstance(instance, np.dtype):
            return _numpy.set_dtype_state(instance, state)
        if t is np.ndarray:
            return self._build_array(instance, state)
        if self._is_user(t):
            return _set_state(instance, state)
        if isinstance(instance, Tensor):
            return _rebuild.set_state(instance, state)
        if t is collections.OrderedDict or t in _NAMESPACES or self._is_plain(t):
            self.machine.spend(fill(instance, state))
            return instance
        raise NotAllowed("Can only build Tensor, Parameter, OrderedDict or types allowlisted via `add_safe_globals`, "
                         f"but got {t}")

    def _build_array(self, array: np.ndarray, state: Any) -> np.ndarray:
        data = state[-1] if isinstance(state, tuple) and state else b""
        self.machine.spend(len(data) if isinstance(data, (bytes, bytearray, str, list)) else 0)
        array = _numpy.set_array_state(array, state)
        return self.machine.hold(array) if array.dtype.hasobject else array

    def persistent(self, pid: Any) -> Any:
        return super().persistent(pid) if self._load_persistent is None else self._load_persistent(pid)

    def extend(self, instance: Any, items: list) -> None:
        if type(instance) is collections.deque or self._is_user(type(instance)):
            instance.extend(items)
        else:
            super().extend(instance, items)

    def set_items(self, instance: Any, items: list) -> None:
        if type(instance) not in _MAPPINGS and not self._is_user(type(instance)):
            super().set_items(instance, items)
        for i in range(0, len(items), 2):
            instance[self.machine.check_key(items[i])] = items[i + 1]

    # ------------------------------------------------------------------ what the machine asks about objects

    def is_key(self, obj: Any) -> bool:
        t = type(obj)
        if isinstance(obj, Tensor):
            return t.__hash__ is Tensor.__hash__
        if isinstance(obj, enum.Enum):
            return t.__hash__ in _KEY_HASHES
        return t in _KEYS or t is type or isinstance(obj, _KEY_BASES) or self._is_user(t)

    def children(self, obj: Any) -> list | None:
        t = type(obj)
        if t is np.ndarray:
            return obj.ravel().tolist() if obj.dtype.hasobject else None
        if isinstance(obj, Tensor):
            return list(obj.__dict__.values())
        if t in _NAMESPACES or self._is_plain(t) or self._is_user(t):
            return parts_of(obj)
        return None


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
