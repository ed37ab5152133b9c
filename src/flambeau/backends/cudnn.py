"""cuDNN's switches. allow_tf32 (True): whether a GPU's float32 convolutions may use TensorFloat-32. XLA chooses and tunes the algorithms:
`benchmark` and `deterministic` may be set and mean nothing."""
from __future__ import annotations

import sys
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Iterator

from ..xla import backend, precision

enabled = True
benchmark = False
deterministic = False
benchmark_limit = 10


def is_available() -> bool:
    """Whether there is a GPU."""
    return bool(backend.devices("cuda"))


def version() -> None:
    """None: cuDNN is a part of XLA's."""
    return None


def is_acceptable(tensor: Any) -> bool:
    """Whether a GPU's part of XLA computes on the tensor."""
    return enabled and is_available() and tensor.is_cuda


def set_flags(_enabled: bool | None = None, _benchmark: bool | None = None, _benchmark_limit: int | None = None, _deterministic: bool | None = None,
              _allow_tf32: bool | None = None) -> tuple:
    """Sets the switches that are given; returns all as they were."""
    here = sys.modules[__name__]
    names = ("enabled", "benchmark", "benchmark_limit", "deterministic", "allow_tf32")
    before = tuple([getattr(here, name) for name in names])
    for name, value in zip(names, (_enabled, _benchmark, _benchmark_limit, _deterministic, _allow_tf32)):
        if value is not None:
            setattr(here, name, value)
    return before


@contextmanager
def flags(enabled: bool = False, benchmark: bool = False, benchmark_limit: int = 10, deterministic: bool = False,
          allow_tf32: bool = True) -> Iterator[None]:
    """The switches as given within the block."""
    before = set_flags(enabled, benchmark, benchmark_limit, deterministic, allow_tf32)
    try:
        yield
    finally:
        set_flags(*before)


class _Switches(ModuleType):
    """The module with a property among its names."""

    @property
    def allow_tf32(self) -> bool:
        """Whether float32 convolutions may use TensorFloat-32."""
        return precision.current().convolution != "highest"

    @allow_tf32.setter
    def allow_tf32(self, allowed: Any) -> None:
        precision.set_convolution_tf32(bool(allowed))


sys.modules[__name__].__class__ = _Switches
