"""The bases of data pipes. Functions registered on a base are methods of every pipe of its kind."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from ..dataset import Dataset, IterableDataset

_INVALIDATED = (
    "This iterator has been invalidated because another iterator has been created from the same IterDataPipe: {}\n"
    "This may be caused by multiple references to the same IterDataPipe. We recommend using `.fork()` if that is "
    "necessary."
)


class _Pipe:
    """What pipes of both kinds have: the functions registered on them, hooks for pickling, and their text."""

    functions: dict[str, Callable] = {}
    reduce_ex_hook: Callable | None = None
    getstate_hook: Callable | None = None
    str_hook: Callable | None = None
    repr_hook: Callable | None = None

    def __getattr__(self, name: str) -> Any:
        if name in type(self).functions:
            function = type(self).functions[name]
            bound = functools.partial(function, self)
            functools.update_wrapper(bound, function, assigned=("__doc__",))
            return bound
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    @classmethod
    def register_function(cls, function_name: str, function: Callable) -> None:
        """Makes function(pipe, …) the method `function_name` of all pipes of this kind."""
        cls.functions[function_name] = function

    @classmethod
    def register_datapipe_as_function(
        cls, function_name: str, cls_to_register: type, enable_df_api_tracing: bool = False
    ) -> None:
        """Makes the pipe cls_to_register(pipe, …) the method `function_name` of all pipes of this kind."""
        if function_name in cls.functions:
            raise Exception(f"Unable to add DataPipe function name {function_name} as it is already taken")

        def function(source: Any, *args: Any, **kwargs: Any) -> Any:
            return cls_to_register(source, *args, **kwargs)

        function.__doc__ = cls_to_register.__doc__
        cls.functions[function_name] = function

    @classmethod
    def set_reduce_ex_hook(cls, hook_fn: Callable | None) -> None:
        """hook_fn(pipe) says how pipes are pickled; NotImplementedError leaves it to Python. None takes it away."""
        if hook_fn is not None and cls.reduce_ex_hook is not None:
            raise RuntimeError("Attempt to override existing reduce_ex_hook")
        cls.reduce_ex_hook = hook_fn

    @classmethod
    def set_getstate_hook(cls, hook_fn: Callable | None) -> None:
        """hook_fn(state) gives what is pickled in place of a pipe's attributes. None takes it away."""
        if hook_fn is not None and cls.getstate_hook is not None:
            raise RuntimeError("Attempt to override existing getstate_hook")
        cls.getstate_hook = hook_fn

    def __getstate__(self) -> Any:
        state = {name: value for name, value in self.__dict__.items() if name != "_current"}
        hook = type(self).getstate_hook
        return state if hook is None else hook(state)

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)

    def __reduce_ex__(self, *args: Any) -> Any:
        hook = type(self).reduce_ex_hook
        if hook is not None:
            try:
                return hook(self)
            except NotImplementedError:
                pass
        return super().__reduce_ex__(*args)

    def __repr__(self) -> str:
        hook = type(self).repr_hook
        return str(type(self).__qualname__) if hook is None else hook(self)

    def __str__(self) -> str:
        hook = type(self).str_hook
        return str(type(self).__qualname__) if hook is None else hook(self)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *type(self).functions})


class IterDataPipe(_Pipe, IterableDataset):
    """A pipe that is iterated: subclasses define `__iter__`, and `reset`, which is called before each iteration.

    A pipe has one iterator at a time: making another invalidates the first.
    """

    functions: dict[str, Callable] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__iter__" in cls.__dict__:
            cls.__iter__ = _alone(cls.__dict__["__iter__"])  # type: ignore[method-assign]

    def __iter__(self) -> Iterator[Any]:
        return self  # type: ignore[return-value]

    def reset(self) -> None:
        """Goes back to the start. Does nothing unless a subclass has something to forget."""


def _alone(iterate: Callable) -> Callable:
    """A pipe's `__iter__` with the rule of one iterator at a time."""

    def checked(pipe: Any, iterator: Iterator, mine: object) -> Iterator:
        while True:
            if pipe.__dict__.get("_current") is not mine:
                raise RuntimeError(_INVALIDATED.format(_call_text(pipe)))
            try:
                item = next(iterator)
            except StopIteration:
                return
            yield item

    @functools.wraps(iterate)
    def wrapped(self: Any) -> Iterator:
        mine = self.__dict__["_current"] = object()
        self.reset()
        return checked(self, iter(iterate(self)), mine)

    return wrapped


def _call_text(pipe: Any) -> str:
    """The pipe as the call that makes it, as far as its attributes tell: Pipe(n=3)."""
    names = [name for name in inspect.signature(type(pipe).__init__).parameters if name != "self"]
    parts = [f"{name}={getattr(pipe, name)!r}" for name in names if name in pipe.__dict__]
    return f"{type(pipe).__name__}({', '.join(parts)})"


class MapDataPipe(_Pipe, Dataset):
    """A pipe that is indexed: subclasses define `__getitem__`, and `__len__` where the length is known."""

    functions: dict[str, Callable] = {}


class functional_datapipe:
    """A decorator of a pipe's class: registers it under `name` as a method of all pipes of its kind."""

    def __init__(self, name: str, enable_df_api_tracing: bool = False) -> None:
        self.name = name
        self.enable_df_api_tracing = enable_df_api_tracing

    def __call__(self, cls: type) -> type:
        for base in (IterDataPipe, MapDataPipe):
            if issubclass(cls, base):
                base.register_datapipe_as_function(self.name, cls, self.enable_df_api_tracing)
                return cls
        raise TypeError("`functional_datapipe` can only decorate IterDataPipe or MapDataPipe")
