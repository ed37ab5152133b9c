"""cuDNN's switches. allow_tf32 (True): whether a GPU's float32 convolutions may use TensorFloat-32. XLA chooses and tunes the algorithms:
`benchmark` and `deterministic` may be set and mean nothing."""
from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

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
