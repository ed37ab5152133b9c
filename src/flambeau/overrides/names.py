"""Which functions can be overridden, and how they are called."""
from __future__ import annotations

import functools
from importlib import import_module
from types import FunctionType
from typing import Any, Iterator

import flambeau

from ..tensor.overriding import FACTORIES, is_guarded, is_overridable, records
from ..tensor.tensor import Tensor
from .dispatch import PUBLIC

# modules of functions: their path, and what PyTorch calls them
MODULES = {"flambeau": "torch", "flambeau.nn.functional": "torch.nn.functional", "flambeau.linalg": "torch.linalg", "flambeau.fft": "torch.fft",
           "flambeau.special": "torch.special", "flambeau.nn.init": "torch.nn.init"}
MODES_ONLY = frozenset({"tensor", "as_tensor", "asarray"})  # what they take a tensor for is its values

# the operators that are methods under another name; those that look for the other operand's operator if there is no answer
_ALIASES = {"__add__": "add", "__radd__": "add", "__iadd__": "add_", "__sub__": "sub", "__isub__": "sub_", "__mul__": "mul", "__rmul__": "mul",
            "__imul__": "mul_", "__truediv__": "div", "__itruediv__": "div_", "__ifloordiv__": "floor_divide_", "__mod__": "remainder",
            "__imod__": "remainder_", "__matmul__": "matmul", "__lt__": "lt", "__le__": "le", "__gt__": "gt", "__ge__": "ge", "__ne__": "ne",
            "__rand__": "bitwise_and", "__ror__": "bitwise_or", "__rxor__": "bitwise_xor", "__neg__": "neg", "__pos__": "positive", "__abs__": "abs"}
_BINARY = ("__floordiv__", "__rfloordiv__", "__rsub__", "__rtruediv__", "__rmod__", "__pow__", "__rpow__", "__ipow__", "__rmatmul__", "__eq__",
           "__and__", "__or__", "__xor__", "__iand__", "__ior__", "__ixor__", "__lshift__", "__rshift__", "__rlshift__", "__rrshift__",
           "__ilshift__", "__irshift__")
OPERATORS = {**_ALIASES, **{name: name for name in _BINARY}}

# methods that run as they are: they make instances or look at none of the values
_NEVER = frozenset({"__new__", "__init__", "__hash__", "__iter__", "__delitem__", "as_subclass", "new", "__torch_function__"})


def functions() -> Iterator[tuple[str, str, FunctionType]]:
    """(path of the module, name, function) of all functions that are no methods. Loads them all."""
    for path in MODULES:
        module = import_module(path)
        for name in {**vars(module), **flambeau._LAZY_NAMES} if module is flambeau else dict(vars(module)):
            value = getattr(module, name)
            if is_overridable(name, value) and (
                    records(value) or is_guarded(value) or value in PUBLIC or name in FACTORIES or path == "flambeau.nn.init"):
                yield path, name, value


def methods() -> Iterator[tuple[str, FunctionType]]:
    """(name, function) of Tensor's methods."""
    from ..tensor.methods import load_all
    load_all()
    for name, value in list(vars(Tensor).items()):
        if isinstance(value, FunctionType) and name not in _NEVER and (not name.startswith("_") or name.startswith("__")):
            yield name, value


def properties() -> Iterator[tuple[str, property]]:
    """(name, property) of Tensor's attributes."""
    for name, value in list(vars(Tensor).items()):
        if isinstance(value, property):
            yield name, value


@functools.lru_cache(maxsize=None)
def _named() -> dict[Any, str]:
    found: dict[Any, str] = {}
    for path, name, function in functions():
        if function not in found or name == function.__name__ and path == "flambeau":  # else the name is an alias
            found[function] = f"{MODULES[path]}.{name}"
    found.update({method: f"torch.Tensor.{name}" for name, method in reversed([*methods()])})  # of several names the first
    for name, attribute in properties():
        for accessor in (attribute, attribute.__get__, attribute.__set__, attribute.__delete__):
            found[accessor] = f"torch.Tensor.{name}" + (f".{accessor.__name__}" if accessor is not attribute else "")  # type: ignore
    return found


def resolve_name(f: Any) -> str | None:
    """The name under which a function that can be overridden is public: "torch.add", "torch.Tensor.shape.__get__"; None for others."""
    return _named().get(f) if getattr(f, "__hash__", None) else None
