"""Contexts, decorators and functions that switch recording for backward on and off, per thread."""
from __future__ import annotations

import functools
import inspect
from typing import Any

from ..tensor.grad_mode import inferring, mode


_mode = mode  # where an argument has the name that PyTorch gives it


class _ContextDecorator:
    """A context that can also decorate functions, generators and classes' methods."""

    def clone(self) -> _ContextDecorator:
        """A fresh context with the same arguments."""
        return type(self)()

    def __enter__(self) -> Any:
        raise NotImplementedError

    def __exit__(self, *exc: Any) -> Any:
        raise NotImplementedError

    def __call__(self, fn: Any) -> Any:
        if inspect.isclass(fn):
            raise RuntimeError(f"Cannot decorate classes with {type(self).__name__}: decorate its methods instead")
        if inspect.isgeneratorfunction(fn):
            return self._wrap_generator(fn)

        @functools.wraps(fn)
        def wrapped(*args, **kwargs):
            with self.clone():
                return fn(*args, **kwargs)
        return wrapped

    def _wrap_generator(self, fn: Any) -> Any:
        """Runs each leg of a generator in the context, and its consumer outside it."""
        @functools.wraps(fn)
        def wrapped(*args, **kwargs):
            generator = fn(*args, **kwargs)
            with self.clone():
                try:
                    item = generator.send(None)
                except StopIteration as stop:
                    return stop.value
            while True:
                try:
                    request = yield item
                except GeneratorExit:
                    with self.clone():
                        generator.close()
                    raise
                except BaseException as error:
                    with self.clone():
                        try:
                            item = generator.throw(error)
                        except StopIteration as stop:
                            return stop.value
                else:
                    with self.clone():
                        try:
                            item = generator.send(request)
                        except StopIteration as stop:
                            return stop.value
        return wrapped


class _Fixed(_ContextDecorator):
    """Sets the mode to a fixed value inside."""

    _value = True

    def __new__(cls, fn: Any = None):
        self = object.__new__(cls)
        if callable(fn):  # @torch.no_grad without parentheses
            return _ContextDecorator.__call__(self, fn)
        return self

    def __enter__(self) -> None:
        self.prev = mode.enabled
        mode.enabled = self._value and not mode.inference

    def __exit__(self, *exc: Any) -> None:
        mode.enabled = self.prev


class no_grad(_Fixed):
    """Inside, nothing is recorded for backward, and results do not require gradients."""

    _value = False


class enable_grad(_Fixed):
    """Inside, operations are recorded for backward (within `no_grad`, too)."""

    _value = True


class set_grad_enabled(_ContextDecorator):
    """Switches recording on or off: at once when called, and back at the end when used as a context."""

    def __init__(self, mode: bool) -> None:
        self.prev = _mode.enabled
        self.mode = mode
        _mode.enabled = bool(mode)

    def __call__(self, fn: Any) -> Any:
        mode.enabled = self.prev
        return super().__call__(fn)

    def __enter__(self) -> None:
        mode.enabled = self.mode

    def __exit__(self, *exc: Any) -> None:
        mode.enabled = self.prev

    def clone(self) -> set_grad_enabled:
        return set_grad_enabled(self.mode)

    def __repr__(self) -> str:
        return f"torch.autograd.grad_mode.set_grad_enabled(mode={self.mode})"


class inference_mode(_ContextDecorator):
    """`no_grad` whose results are inference tensors (`Tensor.is_inference`): outside they cannot be written to, nor saved for a
    backward pass; `enable_grad` inside has no effect."""

    def __new__(cls, mode: Any = True):
        self = object.__new__(cls)
        if callable(mode) and not isinstance(mode, bool):
            self.mode = True
            return _ContextDecorator.__call__(self, mode)
        return self

    def __init__(self, mode: bool = True) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        self.prev = (mode.enabled, mode.inference)
        inferring.append(None)
        if self.mode:
            mode.enabled, mode.inference = False, True
        else:
            mode.enabled, mode.inference = True, False

    def __exit__(self, *exc: Any) -> None:
        mode.enabled, mode.inference = self.prev
        inferring.pop()

    def clone(self) -> inference_mode:
        return inference_mode(self.mode)


class _Setting(_ContextDecorator):
    """A switch whose two positions do the same here: set at once when called, and back at the end when used as a context."""

    _value = True  # of all threads: nothing reads it but `clone`

    def __init__(self, value: bool) -> None:
        self.prev, self.value = type(self)._value, bool(value)
        type(self)._value = self.value

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: Any) -> None:
        type(self)._value = self.prev

    def clone(self) -> Any:
        return type(self)(self.value)


class set_multithreading_enabled(_Setting):
    """Whether backward may walk the graph on several threads. Here the caller's thread walks it (and what it records is
    computed by all threads) either way."""

    def __init__(self, mode: bool) -> None:
        super().__init__(mode)


class enforce_grad_layout_policy(_Setting):
    """Whether `.grad` is to have its leaf's strides. Here it is contiguous either way."""

    def __init__(self, enable: bool = True) -> None:
        super().__init__(enable)


def is_grad_enabled() -> bool:
    """Whether operations are recorded for backward."""
    return mode.enabled


def is_inference_mode_enabled() -> bool:
    """Whether inference mode is on."""
    return mode.inference
