"""`TorchFunctionMode`: a context that sees every call of a public function."""
from __future__ import annotations

from typing import Any, Callable

from ..tensor.overriding import install
from .dispatch import ACTIVE, state


class TorchFunctionMode:
    """Inside `with mode:`, calls of public functions, those that make tensors included, go to mode.__torch_function__(func, types, args,
    kwargs) first, of the innermost mode. What it calls itself goes to the modes around it. NotImplemented leaves a call to the arguments'
    classes. A mode may be entered several times."""

    inner: TorchFunctionMode

    def __init__(self) -> None:
        pass

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        raise NotImplementedError

    def __enter__(self) -> TorchFunctionMode:
        install()
        ACTIVE.append(self)
        state.modes.append(self)
        return self

    def __exit__(self, *exc: Any) -> None:
        state.modes.pop()
        ACTIVE.remove(self)

    @classmethod
    def push(cls, *args: Any, **kwargs: Any) -> TorchFunctionMode:
        """A new instance."""
        return cls(*args, **kwargs)


class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that changes nothing."""

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        return func(*args, **(kwargs or {}))
