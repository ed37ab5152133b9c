"""Who runs a public function: the innermost mode, an argument's class, or the function itself."""
from __future__ import annotations

import threading
import warnings
from typing import Any, Callable, Iterable

from ..dtypes import dtype
from ..ir.graph import Var
from ..nn.parameter import Parameter
from ..tensor.device import device
from ..tensor.layout import layout
from ..tensor.legacy import same
from ..tensor.node import AccumulateGrad, ViewNode
from ..tensor.overriding import adopt, handler
from ..tensor.size import Size
from ..tensor.tensor import Tensor

# the classes that plain calls are made of; their instances override nothing
PLAIN = frozenset({Tensor, Parameter, Var, Size, int, float, bool, complex, str, type(None), slice, type(...), dtype, device, layout, range})
ACTIVE: list = []  # the modes that are entered, of all threads: empty most of the time


class _State(threading.local):
    """Of a thread: the modes that are entered, innermost last, and what is switched off."""

    def __init__(self) -> None:
        self.modes: list = []
        self.subclasses_off = self.modes_off = False


state = _State()


class DisableTorchFunctionSubclass:
    """A context in which no class overrides functions; modes still do."""

    _also_modes = False

    def __enter__(self) -> None:
        self._earlier = state.subclasses_off, state.modes_off
        state.subclasses_off = True
        state.modes_off = state.modes_off or self._also_modes

    def __exit__(self, *exc: Any) -> None:
        state.subclasses_off, state.modes_off = self._earlier


class DisableTorchFunction(DisableTorchFunctionSubclass):
    """A context in which neither classes nor modes override functions."""

    _also_modes = True


class Entry:
    """A public function that dispatches. public: the object that handlers are given. original: what it does itself. by_arguments: whether
    arguments can override it, or modes alone. is_operator: whether NotImplemented is an answer of its own (`x + y`)."""

    __slots__ = ("public", "original", "by_arguments", "is_operator", "modes")

    def __init__(self, public: Any, original: Callable, by_arguments: bool, is_operator: bool):
        self.public, self.original, self.by_arguments, self.is_operator, self.modes = public, original, by_arguments, is_operator, ACTIVE

    def call(self, args: tuple, kwargs: dict) -> Any:
        """The result of a call that may be overridden."""
        found = [] if state.subclasses_off else overriding_arguments((*args, *kwargs.values()))
        with_mode = state.modes and not state.modes_off
        if not self.by_arguments and found and not with_mode:
            with DisableTorchFunctionSubclass():
                return self.original(*args, **kwargs)
        if not found and not with_mode:
            return self.original(*args, **kwargs)
        result = ask(self.public, found, (args, kwargs) if kwargs else (args,))
        if result is NotImplemented and not self.is_operator:
            raise TypeError(_refusal(self.public, found))
        return result


def _refusal(public: Any, found: list) -> str:
    from .names import resolve_name
    asked = [f"tensor subclass {type(a)}" for a in found]
    if state.modes and not state.modes_off:
        asked.insert(0, f"mode object {state.modes[-1]}")
    return (f"Multiple dispatch failed for '{resolve_name(public)}'; all __torch_function__ handlers returned NotImplemented:\n\n"
            + "\n".join(f"  - {line}" for line in asked))


def overriding_arguments(args: Iterable[Any]) -> list:
    """Of the arguments, and the elements of sequences among them, one of each class that overrides functions: in order, but a subclass
    before its bases."""
    found: list[Any] = []
    for a in args:
        if a.__class__ in PLAIN:
            continue
        for x in a if a.__class__ in (list, tuple) else (a,):
            kind = type(x)
            if kind in PLAIN or handler(kind) is None or any(type(y) is kind for y in found):
                continue
            before = next((i for i, y in enumerate(found) if issubclass(kind, type(y))), len(found))
            found.insert(before, x)
    return found


def ask(public: Any, found: list, rest: tuple) -> Any:
    """What the innermost mode, or else the first of the classes that has an answer, makes of a call; NotImplemented if nobody does. rest:
    (args,) or (args, kwargs)."""
    types = tuple(map(type, found))
    if state.modes and not state.modes_off:
        mode = state.modes.pop()  # what the mode does itself is for those around it
        try:
            result = mode.__torch_function__(public, types, *rest)
        finally:
            state.modes.append(mode)
        if result is not NotImplemented:
            return result
    for x in found:
        method = x.__torch_function__
        if getattr(method, "__self__", None) is x:
            warnings.warn("Defining your `__torch_function__` as a plain method is deprecated and will be an error in future, please define "
                          "it as a classmethod.", DeprecationWarning, stacklevel=3)
        result = method(public, types, *rest)
        if result is not NotImplemented:
            return result
    return NotImplemented


# ------------------------------------------------------------------ what subclasses inherit

KEPT: set = set()  # functions whose results `Tensor.__torch_function__` leaves as they are: properties that show a tensor which is there
PUBLIC: set = set()  # the functions that dispatch: what they return is new, unless it was an argument


def torch_function(cls: type, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
    """Calls func; tensors among its results become tensors of this class. NotImplemented where another class of `types` is unrelated."""
    if not all(issubclass(cls, t) for t in types):
        return NotImplemented
    kwargs = kwargs or {}
    with DisableTorchFunctionSubclass():
        result = func(*args, **kwargs)
        if cls is Tensor or func in KEPT:
            return result
        given = {id(x) for a in (*args, *kwargs.values()) for x in ((a, *a) if a.__class__ in (list, tuple) else (a,))} if func in PUBLIC else None
        return _as_class(result, cls, given)


def _as_class(result: Any, cls: Any, given: set | None) -> Any:
    """result, or the tensors in it, as of this class. given: the ids of objects that are not new; None: none is."""
    if isinstance(result, Tensor):
        if isinstance(result, cls):
            return result
        new = given is not None and id(result) not in given and result.__class__ is Tensor
        return _changed(result, cls) if new else result.as_subclass(cls)  # type: ignore[attr-defined]
    if isinstance(result, (tuple, list)):
        return type(result)([_as_class(x, cls, given) for x in result])  # type: ignore[call-arg]
    return result


def _changed(t: Tensor, cls: type) -> Tensor:
    """A tensor that nobody else has, as an instance of cls, with the history of an alias."""
    if t._node.__class__ is AccumulateGrad or "__slots__" in cls.__dict__:
        return t.as_subclass(cls)  # type: ignore[attr-defined]
    if t._node is not None:
        t._node, t._nr = ViewNode("AliasBackward0", t, same), 0
    adopt(cls)
    t.__class__ = cls  # type: ignore[assignment]
    return t
