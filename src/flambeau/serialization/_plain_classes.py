"""Plain data classes of the running program: dataclasses, named tuples and enums.

A file that names one may have it filled in, because that runs none of the class's code: no `__init__`, `__post_init__`,
`__setattr__` or property. A class whose instances would run code of their own (`__setstate__`, `__del__`, a
metaclass, …) does not count, nor does one whose module would have to be imported.
"""
from __future__ import annotations

import dataclasses
import enum
import sys
import types
from pickle import UnpicklingError
from typing import Any

_RUNS_CODE = ("__setstate__", "__reduce__", "__reduce_ex__", "__getattribute__")


def find_plain_class(module: str, name: str) -> type | None:
    """The plain class of this name, if the program has already imported it."""
    cls: Any = sys.modules.get(module)
    for part in name.split("."):
        cls = getattr(cls, "__dict__", {}).get(part)
    if not isinstance(cls, type) or cls.__module__ != module or cls.__qualname__ != name or hasattr(cls, "__del__"):
        return None
    if issubclass(cls, enum.Enum):
        return cls if type(cls) is enum.EnumMeta else None
    is_named_tuple = cls.__mro__[1:] == (tuple, object) and isinstance(cls.__dict__.get("_fields"), tuple)
    is_dataclass = dataclasses.is_dataclass(cls) and cls.__new__ is object.__new__
    if type(cls) is not type or not (is_named_tuple or is_dataclass):
        return None
    base = tuple if is_named_tuple else object
    return None if any(_has_own(cls, base, special) for special in _RUNS_CODE) else cls


def _has_own(cls: type, base: type, name: str) -> bool:
    """Whether a class (not its base, nor the decorator `dataclass`) defines a special method."""
    own = getattr(cls, name, None)
    if own is None or own is getattr(base, name, None):
        return False
    return getattr(own, "__module__", None) != "dataclasses"


def make_plain(cls: type, args: tuple) -> Any:
    """An enum's member from its value, a named tuple from its fields, an empty dataclass. UnpicklingError if args do
    not fit."""
    if issubclass(cls, enum.Enum) and len(args) == 1:
        member = cls._value2member_map_.get(args[0])
        if member is None:
            raise UnpicklingError(f"{args[0]!r:.80} is not a value of {cls.__qualname__}")
        return member
    fields = getattr(cls, "_fields", None)
    if issubclass(cls, tuple) and fields is not None and len(args) == len(fields):
        return tuple.__new__(cls, args)
    if dataclasses.is_dataclass(cls) and not args:
        return object.__new__(cls)
    raise UnpicklingError(f"Can not create new object for class {cls} with {len(args)} arguments")


def fill(instance: Any, state: Any) -> int:
    """Sets an object's attributes and slots without its own `__setattr__`; returns how many there are."""
    cls = type(instance)
    values, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    if isinstance(state, list) and dataclasses.is_dataclass(cls):  # frozen with slots: the values in order
        fields = [f.name for f in dataclasses.fields(cls)]
        values, slots = None, dict(zip(fields, state)) if len(fields) == len(state) else {"": None}
    for part in (values, slots):
        if part is not None and (type(part) is not dict or not all(type(k) is str and k for k in part)):
            raise UnpicklingError(f"the state of a {cls.__qualname__} must be a dict of names")
    if values:
        instance.__dict__.update(values)
    for name, value in (slots or {}).items():
        slot = cls.__dict__.get(name)
        if not isinstance(slot, types.MemberDescriptorType):
            raise UnpicklingError(f"{cls.__qualname__} has no slot {name!r}")
        slot.__set__(instance, value)
    return len(values or ()) + len(slots or ())


def parts_of(instance: Any) -> list[Any]:
    """What an object holds in attributes and slots, read past its own code."""
    held = list(getattr(instance, "__dict__", {}).values())
    for cls in type(instance).__mro__:
        for slot in cls.__dict__.values():
            if isinstance(slot, types.MemberDescriptorType) and hasattr(instance, slot.__name__):
                held.append(slot.__get__(instance))
    return held
