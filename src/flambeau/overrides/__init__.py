"""`torch.overrides`: classes and modes that override public functions by `__torch_function__`.

`dispatch.py` says who runs a call, `install.py` makes the functions ask, `names.py` which functions those are. When that happens is
decided in `tensor/overriding.py`.
"""
from __future__ import annotations

import functools
import inspect
from importlib import import_module
from typing import Any, Callable, Iterable

from ..tensor.tensor import Tensor
from .dispatch import ask, overriding_arguments, state
from .modes import BaseTorchFunctionMode as BaseTorchFunctionMode, TorchFunctionMode as TorchFunctionMode
from .names import MODES_ONLY, MODULES, functions, methods, properties, resolve_name as resolve_name
from ..tensor.overriding import FACTORIES, handler

__all__ = ["get_ignored_functions", "get_overridable_functions", "get_testing_overrides", "handle_torch_function", "has_torch_function",
           "resolve_name", "is_tensor_like", "is_tensor_method_or_property", "wrap_torch_function", "TorchFunctionMode"]


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Whether a class among these arguments, or a mode, overrides functions now. For functions written in Python, which then call
    `handle_torch_function`."""
    if state.modes and not state.modes_off:
        return True
    return not state.subclasses_off and bool(overriding_arguments([a for a in relevant_args if a.__class__ not in (list, tuple)]))


def has_torch_function_unary(arg: Any) -> bool:
    """`has_torch_function` of one argument."""
    return has_torch_function((arg,))


def has_torch_function_variadic(*args: Any) -> bool:
    """`has_torch_function` of several arguments."""
    return has_torch_function(args)


def handle_torch_function(public_api: Callable, relevant_args: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
    """What public_api(*args, **kwargs) is by the mode or the class that overrides it. relevant_args: the arguments that may do so.

    Raises TypeError if all of them answer NotImplemented.
    """
    found = [] if state.subclasses_off else overriding_arguments([a for a in relevant_args if a.__class__ not in (list, tuple)])
    result = ask(public_api, found, (args, kwargs))
    if result is NotImplemented:
        name = resolve_name(public_api) or f"{public_api.__module__}.{public_api.__name__}"
        with_mode = f" nor was it found on the currently active mode {state.modes[-1]}" if state.modes and not state.modes_off else ""
        raise TypeError(f"no implementation found for '{name}' on types that implement __torch_function__: {[type(a) for a in found]}{with_mode}")
    return result


def wrap_torch_function(dispatcher: Callable) -> Callable:
    """A decorator that lets a function be overridden. dispatcher: a function of the same arguments that returns those which may do so."""
    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            relevant = dispatcher(*args, **kwargs)
            if has_torch_function(relevant):
                return handle_torch_function(wrapped, relevant, *args, **kwargs)
            return function(*args, **kwargs)
        return wrapped
    return decorate


def is_tensor_like(inp: Any) -> bool:
    """Whether inp is a Tensor, or of a class with `__torch_function__`."""
    return isinstance(inp, Tensor) or hasattr(inp, "__torch_function__")


def is_tensor_method_or_property(func: Callable) -> bool:
    """Whether func, as a handler is given it, is a method of Tensor or the getter or setter of an attribute."""
    return func in _of_tensor()


@functools.lru_cache(maxsize=None)
def _of_tensor() -> frozenset:
    accessors = [accessor for _, attribute in properties() for accessor in (attribute.__get__, attribute.__set__)]
    return frozenset([method for _, method in methods()] + accessors)


@functools.lru_cache(maxsize=None)
def get_overridable_functions() -> dict[Any, list[Callable]]:
    """The functions that arguments can override, by the module or class that they belong to."""
    found: dict[Any, list[Callable]] = {}
    for path, name, function in functions():
        if name not in FACTORIES:
            found.setdefault(import_module(path), []).append(function)
    found[Tensor] = [method for _, method in methods()] + [attribute.__get__ for _, attribute in properties()]
    return found


@functools.lru_cache(maxsize=None)
def get_ignored_functions() -> set[Callable]:
    """The public functions that arguments cannot override."""
    overridable = {id(f) for members in get_overridable_functions().values() for f in members}
    found = set()
    for path in MODULES:
        module = import_module(path)
        for name, value in vars(module).items():
            if inspect.isroutine(value) and not name.startswith("_") and id(value) not in overridable:
                found.add(value)
    return found | {Tensor.__new__, Tensor.__init__, Tensor.__hash__, Tensor.as_subclass}  # type: ignore[attr-defined]


@functools.lru_cache(maxsize=None)
def get_testing_overrides() -> dict[Callable, Callable]:
    """For each function that arguments can override, one with the same parameters that returns -1."""
    return {function: _dummy(function) for members in get_overridable_functions().values() for function in members}


def _dummy(function: Callable) -> Callable:
    def dummy(*args: Any, **kwargs: Any) -> int:
        signature.bind(*args, **kwargs)
        return -1
    if function.__name__ in ("__get__", "__set__"):
        signature = inspect.signature(lambda self: -1)
    else:
        signature = inspect.signature(function)
    dummy.__signature__ = signature  # type: ignore[attr-defined]
    return dummy
