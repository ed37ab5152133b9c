"""`device`: where a tensor lives. There is one kind here: the CPU."""
from __future__ import annotations

from typing import Any

_KINDS = ("cpu", "cuda", "mps", "meta", "xpu", "xla", "hip", "ipu", "mkldnn", "vulkan", "mtia", "hpu", "privateuseone", "tpu")


class device:
    """A device type and an optional index: `device("cpu")`, `device("cuda:0")`, `device("cuda", 0)`."""

    __slots__ = ("type", "index")

    def __new__(cls, type: Any = None, index: int | None = None):
        if isinstance(type, device):
            return type
        self = object.__new__(cls)
        if isinstance(type, int) and not isinstance(type, bool):
            type, index = "cuda", type
        if not isinstance(type, str):
            raise TypeError(f"device(): argument 'type' (position 1) must be str, not {type.__class__.__name__}")
        kind, colon, number = type.partition(":")
        if colon:
            if index is not None:
                raise RuntimeError(f"type (string) must not include an index because index was passed explicitly: {type}")
            if not number.isdigit() or number != str(int(number)):
                raise RuntimeError(f"Invalid device string: '{type}'")
            index = int(number)
        if kind not in _KINDS:
            raise RuntimeError(f"Expected one of cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, fpga, maia, xla, lazy, "
                               f"vulkan, mps, meta, hpu, mtia, privateuseone device type at start of device string: {kind}")
        self.type = kind
        self.index = index
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __repr__(self) -> str:
        return f"device(type='{self.type}')" if self.index is None else f"device(type='{self.type}', index={self.index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __reduce__(self):
        return device, (str(self),)

    def __enter__(self):
        check_device(self)
        return self

    def __exit__(self, *exc):
        return None


CPU = device("cpu")


def check_device(where: Any) -> device:
    """The device that tensors can be put on: the CPU; for any other, the error PyTorch raises where it is not built in."""
    if where is None or where is CPU:
        return CPU
    d = device(where)
    if d.type == "cpu":
        return CPU
    if d.type == "cuda":
        raise AssertionError("Torch not compiled with CUDA enabled")
    raise RuntimeError(f"Could not put a tensor on '{d}': flambeau computes on the CPU here, and has no {d.type} device")
