"""`torch.types`: names of types, for annotations."""
# ruff: noqa: F401, for the names with an underscore: programs import them from here.
from __future__ import annotations

import os
from builtins import bool as _bool, bytes as _bytes, complex as _complex, float as _float, int as _int, str as _str
from typing import IO, Sequence, Union

from .dtypes import dtype as _dtype
from .storage import UntypedStorage
from .tensor.device import device as _device
from .tensor.layout import layout as _layout
from .tensor.size import Size
from .tensor.tensor import Tensor

__all__ = ["Number", "Device", "FileLike", "Storage"]

_TensorOrTensors = Union[Tensor, Sequence[Tensor]]
_size = Union[Size, list[int], tuple[int, ...]]
_Number = (int, float, bool)
Number = Union[int, float, bool]
Device = Union[_device, str, int, None]
FileLike = Union[str, "os.PathLike[str]", IO[bytes]]
Storage = UntypedStorage
